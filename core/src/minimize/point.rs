//! A point with its linearization.

use super::spare;
use crate::evaluate::{Evaluate, Linearization, largest_ratio};
use crate::linear::small::norm;

#[derive(Clone, Debug, Default)]
pub struct Point {
    pub x: Vec<f64>,
    /// The residuals, or what the problem keeps in their place.
    pub f: Vec<f64>,
    /// How many residuals there are.
    pub m: usize,
    /// What root of the cost they have where they are not kept.
    pub size: f64,
    pub linearization: Linearization,
    /// Column norms of J.
    pub norms: Vec<f64>,
    /// What rounding errors can do to the gradient, in units of eps.
    pub rounding: Vec<f64>,
    /// Parameters not held at a bound by the gradient.
    pub free: Vec<usize>,
    /// -1 held at the lower bound, 1 at the upper, 0 free.
    pub active: Vec<i8>,
}

impl Point {
    pub fn new(problem: &dyn Evaluate) -> Self {
        let (n, m) = (problem.n_params(), problem.n_residuals());
        Point { x: vec![0.0; n], f: spare::take(problem.n_kept()), m, ..Point::default() }
    }

    fn keeps_residuals(&self) -> bool {
        self.f.len() == self.m
    }

    /// |f|.
    pub fn size(&self) -> f64 {
        if self.keeps_residuals() { norm(&self.f) } else { self.size }
    }

    pub fn residuals_are_finite(&self) -> bool {
        if self.keeps_residuals() { self.f.iter().all(|f| f.is_finite()) } else { self.size.is_finite() }
    }

    pub fn residuals_vanish(&self) -> bool {
        if self.keeps_residuals() { self.f.iter().all(|f| *f == 0.0) } else { self.size == 0.0 }
    }

    /// Keep the memory of the residuals for the next fit.
    pub fn recycle(self) {
        spare::give(self.f);
    }

    pub fn n(&self) -> usize {
        self.x.len()
    }

    /// Entry of R; column n is z = Q1'f.
    pub fn r(&self, i: usize, j: usize) -> f64 {
        self.linearization.factor[i * (self.n() + 1) + j]
    }

    /// Numerical zero beside a largest singular value of 1.
    pub fn threshold(&self) -> f64 {
        self.m.max(self.n()) as f64 * f64::EPSILON
    }

    pub fn is_finite(&self) -> bool {
        self.linearization.factor.iter().all(|v| v.is_finite())
    }

    /// Derive norms, rounding and the active set from a fresh linearization.
    pub fn digest(&mut self, lower: &[f64], upper: &[f64]) {
        let n = self.n();
        self.linearization.column_norms(&mut self.norms);
        // Where nothing is subtracted, x itself is known to eps only: that moves f by eps |J_k x_k|.
        let reach = self.reach();
        let rounding = self.linearization.rounding.iter().zip(&self.norms).map(|(r, c)| r.max(c * reach));
        self.rounding.clear();
        self.rounding.extend(rounding);
        self.active.clear();
        for j in 0..n {
            let g = self.linearization.gradient[j];
            self.active.push(if self.x[j] <= lower[j] && g >= 0.0 {
                -1
            } else {
                i8::from(self.x[j] >= upper[j] && g <= 0.0)
            });
        }
        self.free.clear();
        self.free.extend((0..n).filter(|&j| self.active[j] == 0));
    }

    /// z + R v.
    pub fn shifted(&self, v: Option<&[f64]>) -> Vec<f64> {
        let n = self.n();
        let mut z: Vec<f64> = (0..n).map(|i| self.r(i, n)).collect();
        if let Some(v) = v {
            for i in 0..n {
                z[i] += (i..n).map(|j| self.r(i, j) * v[j]).sum::<f64>();
            }
        }
        z
    }

    /// Size of the terms whose difference the residuals are, over the rows that depend on x.
    pub fn terms(&self) -> f64 {
        self.linearization.size_of_terms(&self.norms)
    }

    /// What rounding errors can do to the residuals, those of x itself included, in units of eps.
    pub fn noise(&self) -> f64 {
        match self.linearization.terms {
            0.0 => largest_ratio(&self.rounding, &self.norms),
            terms => terms.max(self.reach()),
        }
    }

    /// How far the residuals move when every parameter does by itself.
    fn reach(&self) -> f64 {
        self.norms.iter().zip(&self.x).map(|(c, x)| c * x.abs()).sum()
    }

    /// max |g_j| / (eps rounding_j) over the free parameters.
    pub fn scaled_gradient(&self) -> f64 {
        let ratio = |&j: &usize| {
            let (g, floor) = (self.linearization.gradient[j].abs(), f64::EPSILON * self.rounding[j]);
            if g > 0.0 && floor > 0.0 { g / floor } else { 0.0 }
        };
        self.free.iter().map(ratio).fold(0.0, f64::max)
    }

    /// Reduction of rss that the quadratic model J'J (+ S) predicts for the step v.
    pub fn predicted(&self, v: &[f64], s: Option<&[f64]>) -> f64 {
        let n = self.n();
        let mut sum = 0.0;
        for i in 0..n {
            let rv: f64 = (i..n).map(|j| self.r(i, j) * v[j]).sum();
            sum += 2.0 * self.r(i, n) * rv + rv * rv;
            if let Some(s) = s {
                sum += v[i] * (0..n).map(|j| s[i * n + j] * v[j]).sum::<f64>();
            }
        }
        -sum
    }
}
