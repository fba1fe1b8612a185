//! Rank, condition and null vectors of the column-scaled Jacobian.

use super::model::SAFE;
use crate::evaluate::Linearization;
use crate::linear::small::norm;
use crate::linear::{svd, triangle};

pub struct Rank {
    pub rank: usize,
    pub null_vectors: Vec<Vec<f64>>,
}

impl Rank {
    /// `threshold`: numerical zero beside the largest singular value. Most triangles are proved to have full rank
    /// by a bound of their condition, at a fiftieth of the cost of singular values.
    pub fn of(linearization: &Linearization, threshold: f64) -> Self {
        let (mut a, n) = scaled(linearization);
        if triangle::condition(&a, n, &mut Vec::new()) * threshold <= SAFE {
            return Rank { rank: n, null_vectors: Vec::new() };
        }
        let (sigma, v) = singular(&mut a, n);
        let zero = threshold * sigma.iter().fold(0.0, |x: f64, &y| x.max(y));
        let null = (0..n).filter(|&j| sigma[j] <= zero);
        let null_vectors: Vec<Vec<f64>> = null.map(|j| v[j * n..j * n + n].to_vec()).collect();
        Rank { rank: n - null_vectors.len(), null_vectors }
    }
}

/// sigma_1 / sigma_n of the column-scaled Jacobian.
pub fn condition(linearization: &Linearization) -> f64 {
    let (mut a, n) = scaled(linearization);
    let (sigma, _) = singular(&mut a, n);
    let largest = sigma.iter().fold(0.0, |x: f64, &y| x.max(y));
    let smallest = sigma.iter().fold(largest, |x: f64, &y| x.min(y));
    if smallest > 0.0 { largest / smallest } else { f64::INFINITY }
}

/// R with columns of length 1 (or 0), row-major, and their number.
fn scaled(linearization: &Linearization) -> (Vec<f64>, usize) {
    let (n, factor) = (linearization.gradient.len(), &linearization.factor);
    let (mut a, mut norms) = (vec![0.0; n * n], Vec::new());
    linearization.column_norms(&mut norms);
    for j in 0..n {
        for i in 0..=j {
            a[i * n + j] = if norms[j] > 0.0 { factor[i * (n + 1) + j] / norms[j] } else { 0.0 };
        }
    }
    (a, n)
}

/// Singular values and right vectors of a row-major triangle.
fn singular(a: &mut [f64], n: usize) -> (Vec<f64>, Vec<f64>) {
    for i in 0..n {
        for j in 0..i {
            a.swap(i * n + j, j * n + i);
        }
    }
    let mut v = vec![0.0; n * n];
    svd::orthogonalize(a, &mut v, n, n);
    ((0..n).map(|j| norm(&a[j * n..j * n + n])).collect(), v)
}
