//! The normal equations of a sparse Jacobian: J'J summed row by row, damped and factorized.

use std::sync::Arc;

use super::{Cholesky, Kind};
use crate::linear::blocks::{BlockMatrix, BlockPattern};

/// The Jacobian of m residuals by n parameters: row i has the columns `columns[starts[i]..starts[i + 1]]`, no column
/// twice.
pub struct Normal {
    starts: Vec<usize>,
    columns: Vec<u32>,
    /// For each row, where the products of its numbers go: (0,0), (1,0), (1,1), (2,0), ...
    places: Vec<usize>,
    jacobian: Vec<f64>,
    gradient: Vec<f64>,
    products: BlockMatrix,
    damped: BlockMatrix,
    damping: Vec<f64>,
    frozen: Vec<bool>,
    cholesky: Cholesky,
}

impl Normal {
    /// Analyzes a structure.
    ///
    /// # Panics
    /// Where a column is not below n.
    pub fn new(n: usize, starts: Vec<usize>, columns: Vec<u32>, kind: Kind, threads: usize) -> Self {
        let pairs = || {
            starts.windows(2).flat_map(|w| {
                let row = &columns[w[0]..w[1]];
                row.iter()
                    .enumerate()
                    .flat_map(|(k, &a)| row[..=k].iter().map(move |&b| (a.max(b), a.min(b))))
            })
        };
        let pattern = Arc::new(BlockPattern::new(vec![1; n], pairs()));
        let places = pairs()
            .map(|(i, j)| pattern.find(i as usize, j as usize).expect("a product that was listed"))
            .collect();
        let products = BlockMatrix::zeros(&pattern);
        Self {
            jacobian: vec![0.0; columns.len()],
            gradient: vec![0.0; n],
            damped: products.clone(),
            products,
            damping: vec![0.0; n],
            frozen: vec![false; n],
            cholesky: Cholesky::analyze(&pattern, kind, threads),
            starts,
            columns,
            places,
        }
    }

    pub fn n_residuals(&self) -> usize {
        self.starts.len() - 1
    }

    pub fn n_parameters(&self) -> usize {
        self.gradient.len()
    }

    /// Numbers of the Jacobian.
    pub fn n_numbers(&self) -> usize {
        self.columns.len()
    }

    /// Takes the numbers of J, row by row, and the residuals f: J'J and J'f.
    pub fn linearize(&mut self, jacobian: &[f64], residuals: &[f64]) {
        self.jacobian.copy_from_slice(jacobian);
        self.gradient.fill(0.0);
        self.products.values.fill(0.0);
        let mut places = self.places.iter();
        for (w, f) in self.starts.windows(2).zip(residuals) {
            let (row, columns) = (&jacobian[w[0]..w[1]], &self.columns[w[0]..w[1]]);
            for (k, (a, &column)) in row.iter().zip(columns).enumerate() {
                self.gradient[column as usize] += a * f;
                row[..=k].iter().zip(&mut places).for_each(|(b, &to)| self.products.values[to] += a * b);
            }
        }
    }

    /// J'f.
    pub fn gradient(&self) -> &[f64] {
        &self.gradient
    }

    /// The diagonal of J'J.
    pub fn diagonal(&self) -> impl Iterator<Item = f64> {
        let p = &self.products.pattern;
        (0..self.n_parameters()).map(|i| self.products.values[p.diagonal(i)])
    }

    /// |J p|^2
    pub fn curvature(&self, p: &[f64]) -> f64 {
        let moved = |w: &[usize]| -> f64 {
            let row = w[0]..w[1];
            self.jacobian[row.clone()].iter().zip(&self.columns[row]).map(|(v, &j)| v * p[j as usize]).sum()
        };
        self.starts.windows(2).map(|w| moved(w).powi(2)).sum()
    }

    /// Factorizes J'J + lam D^2 with D^2 the diagonal of J'J, 1 where that is zero; frozen parameters take no part.
    /// False where it is not positive definite.
    pub fn factorize(&mut self, lam: f64, frozen: Option<&[bool]>) -> bool {
        match frozen {
            Some(frozen) => self.frozen.copy_from_slice(frozen),
            None => self.frozen.fill(false),
        }
        let p = self.products.pattern.clone();
        self.damped.values.copy_from_slice(&self.products.values);
        for i in 0..p.n_blocks() {
            let d = self.products.values[p.diagonal(i)];
            self.damping[i] = lam * if d > 0.0 { d } else { 1.0 };
            for k in p.row(i) {
                if self.frozen[i] || self.frozen[p.columns[k] as usize] {
                    self.damped.values[k] = 0.0;
                }
            }
            self.damped.values[p.diagonal(i)] = if self.frozen[i] { 1.0 } else { d + self.damping[i] };
        }
        self.cholesky.factorize(&self.damped).is_ok()
    }

    /// Solves with the present factor; what is frozen is zero.
    pub fn solve(&self, rhs: &mut [f64]) {
        self.freeze(rhs);
        self.cholesky.solve(rhs, 1);
        self.freeze(rhs);
    }

    /// The step p to the least of the damped model, and by how much the model without damping lowers the cost.
    pub fn step(&self) -> (Vec<f64>, f64) {
        let mut p: Vec<f64> = self.gradient.iter().map(|g| -g).collect();
        self.solve(&mut p);
        let gain = |i: usize| p[i] * (0.5 * self.damping[i] * p[i] - 0.5 * self.gradient[i]);
        let predicted = (0..p.len()).map(gain).sum();
        (p, predicted)
    }

    /// The diagonal of the inverse of what was factorized; 0 for what is frozen.
    pub fn inverse_diagonal(&self) -> Vec<f64> {
        let wanted: Vec<(u32, u32)> = (0..self.n_parameters() as u32).map(|i| (i, i)).collect();
        let mut variances = self.cholesky.inverse_blocks(&wanted).concat();
        self.freeze(&mut variances);
        variances
    }

    pub fn cholesky(&self) -> &Cholesky {
        &self.cholesky
    }

    fn freeze(&self, x: &mut [f64]) {
        x.iter_mut().zip(&self.frozen).for_each(|(x, frozen)| *x = if *frozen { 0.0 } else { *x });
    }
}
