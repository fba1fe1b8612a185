//! Eigenvalues of a small symmetric matrix by cyclic Jacobi rotations (Golub, Van Loan, 8.5).

use super::svd::{pair, rotate, rotation};

const MAX_SWEEPS: usize = 40;

/// Diagonalize the symmetric n x n `b`: on return its diagonal holds the eigenvalues, and column i of `v`
/// (column-major) the eigenvector of entry i.
pub fn symmetric(b: &mut [f64], v: &mut [f64], n: usize) {
    v.fill(0.0);
    for j in 0..n {
        v[j * n + j] = 1.0;
    }
    let tiny = f64::EPSILON * b.iter().fold(0.0, |a: f64, x| a.max(x.abs())); // squares may overflow
    for _ in 0..MAX_SWEEPS {
        let mut rotated = false;
        for p in 0..n {
            for q in p + 1..n {
                let (alpha, beta, gamma) = (b[p * n + p], b[q * n + q], b[p * n + q]);
                if gamma.abs() <= f64::EPSILON * (alpha.abs().sqrt() * beta.abs().sqrt()).max(tiny) {
                    continue;
                }
                rotated = true;
                let (c, s) = rotation(alpha, beta, gamma);
                let (x, y) = pair(b, p, q, n);
                rotate(x, y, c, s);
                for k in 0..n {
                    let (x, y) = (b[k * n + p], b[k * n + q]);
                    (b[k * n + p], b[k * n + q]) = (c * x - s * y, s * x + c * y);
                }
                (b[p * n + q], b[q * n + p]) = (0.0, 0.0);
                let (x, y) = pair(v, p, q, n);
                rotate(x, y, c, s);
            }
        }
        if !rotated {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_eigenpair_satisfies_its_equation() {
        let n = 6;
        let mut a = vec![0.0; n * n];
        for i in 0..n {
            for j in 0..n {
                a[i * n + j] = ((i * j + i + j) as f64).cos() - if i == j { 1.0 } else { 0.0 };
            }
        }
        let (mut b, mut v) = (a.clone(), vec![0.0; n * n]);
        symmetric(&mut b, &mut v, n);
        for k in 0..n {
            for i in 0..n {
                let av: f64 = (0..n).map(|j| a[i * n + j] * v[k * n + j]).sum();
                assert!((av - b[k * n + k] * v[k * n + i]).abs() < 1e-13);
            }
        }
    }
}
