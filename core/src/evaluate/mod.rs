//! What the minimizer asks of a problem.

pub mod accumulate;
pub mod block;
pub mod callback;
pub mod checks;
pub mod curve;
pub mod jobs;
pub mod penalty;
pub(crate) mod piece;
pub mod projected;
pub mod reduction;
mod split;
pub mod stream;
pub mod summed;

use std::borrow::Cow;

use crate::linear::small::norm;
use reduction::{Reduction, reduction};

/// Why an evaluation could not be carried out at all (a non-finite residual is not a failure).
#[derive(Debug)]
pub enum Failure {
    /// The user asked to stop (Ctrl-C).
    Interrupted,
    /// The problem cannot be evaluated; the caller of `minimize` gets this back unchanged.
    Broken(Box<dyn std::error::Error + Send + Sync>),
}

/// A residual vector with its derivatives, in a compact form that needs O(n^2) memory.
#[derive(Clone, Debug, Default)]
pub struct Linearization {
    /// Upper triangular factor of [J f], (n+1) x (n+1), row-major; R is its leading n x n part.
    pub factor: Vec<f64>,
    /// J'f summed directly, one entry per parameter.
    pub gradient: Vec<f64>,
    /// sum_i |J_ij| (|y_i| + |model_i| + |f_i|) in weighted units: what rounding can do to the gradient.
    pub rounding: Vec<f64>,
    /// Size of the terms whose difference the residuals are, where the columns of J do not tell it; 0: they do.
    pub terms: f64,
}

impl Linearization {
    /// Size of the terms whose difference the residuals are, over the rows that depend on x; `norms` are |J_j|.
    pub fn size_of_terms(&self, norms: &[f64]) -> f64 {
        if self.terms > 0.0 { self.terms } else { largest_ratio(&self.rounding, norms) }
    }

    /// |J_j| of every column.
    pub fn column_norms(&self, norms: &mut Vec<f64>) {
        let n = self.gradient.len();
        let entry = |i: usize, j: usize| self.factor[i * (n + 1) + j];
        norms.clear();
        for j in 0..n {
            let squares: f64 = (0..=j).map(|i| entry(i, j) * entry(i, j)).sum();
            norms.push(if squares.is_normal() {
                squares.sqrt()
            } else {
                norm(&(0..=j).map(|i| entry(i, j)).collect::<Vec<f64>>()) // safe against under- and overflow
            });
        }
    }
}

/// The largest of sums of a column over its norm.
pub fn largest_ratio(sums: &[f64], norms: &[f64]) -> f64 {
    let ratios = sums.iter().zip(norms).filter(|(_, c)| **c > 0.0).map(|(s, c)| s / c);
    ratios.fold(0.0, f64::max)
}

/// How residuals differ from others.
#[derive(Clone, Copy, Debug, Default)]
pub struct Beside {
    /// The change of half the cost to first order: derivatives by the residuals, times their changes.
    pub along: f64,
    /// Sum of the squares of the changes.
    pub squares: f64,
}

/// A least-squares problem as the minimizer sees it: n parameters, m residuals.
pub trait Evaluate {
    fn n_params(&self) -> usize;
    fn n_residuals(&self) -> usize;
    /// Length of what is kept of a point: its residuals. Long data are recomputed instead, and keep the parameters;
    /// then every `f` here stands for the residuals at those.
    fn n_kept(&self) -> usize {
        self.n_residuals()
    }
    /// Weighted residuals at `x`. Non-finite values are legal: the loop rejects such a trial.
    fn residuals(&mut self, x: &[f64], f: &mut [f64]) -> Result<(), Failure>;
    /// Residuals at `x` into `f`, and the reduction of rss from `before` to `f` (from `f` itself where there is no
    /// `before`). With `out` the caller expects to linearize at `x` next: true where that was done in the same pass.
    fn compare(
        &mut self,
        x: &[f64],
        before: Option<&[f64]>,
        f: &mut [f64],
        _out: Option<&mut Linearization>,
    ) -> Result<(Reduction, bool), Failure> {
        self.residuals(x, f)?;
        Ok((reduction(before.unwrap_or(f), f), false))
    }
    /// Jacobian at `x` (where the residuals are `f`), folded to its triangular factor.
    fn linearize(&mut self, x: &[f64], f: &[f64], out: &mut Linearization) -> Result<(), Failure>;
    /// J' f_vv, f_vv the second derivative of the residuals along `v`. False: not available.
    fn curvature_along(&mut self, x: &[f64], f: &[f64], v: &[f64], out: &mut [f64]) -> Result<bool, Failure>;
    /// sum_i f_i H_i, n x n symmetric, row-major. False: not available. Of a robust cost: what is to be added to
    /// J'J of the linearization to make it the Hessian.
    fn residual_hessian(&mut self, x: &[f64], f: &[f64], out: &mut [f64]) -> Result<bool, Failure>;
    /// Is that an approximation, good enough for steps but not for verdicts?
    fn approximates_hessian(&self) -> bool {
        false
    }
    /// Derivatives of the cost by the residuals: the residuals themselves unless the cost is robust.
    fn slopes<'f>(&self, f: &'f [f64]) -> Cow<'f, [f64]> {
        Cow::Borrowed(f)
    }
    /// How the residuals `g` differ from `f`.
    fn beside(&mut self, f: &[f64], g: &[f64]) -> Result<Beside, Failure> {
        let change = || g.iter().zip(f).map(|(g, f)| g - f);
        let slopes = self.slopes(f);
        let along = slopes.iter().zip(change()).map(|(s, d)| s * d).sum();
        Ok(Beside { along, squares: change().map(|d| d * d).sum() })
    }
    /// Does the cost end where a mean is zero? The exact curvature does not see that edge, the model's does: its steps
    /// end there.
    fn has_edge(&self) -> bool {
        false
    }
    /// Takes from `out` what J'J of the linearization has too much: only where a robust cost bends down.
    fn subtract_excess(&mut self, _x: &[f64], _f: &[f64], _out: &mut [f64]) -> Result<(), Failure> {
        Ok(())
    }
    /// Parameters in which the residuals are affine together, unbounded ones: they may be projected out.
    fn linear(&self) -> &[usize] {
        &[]
    }
    /// Residuals at `x` into `f`, and their linearization by the `linear` parameters alone. False: not available.
    fn linearize_linear(
        &mut self,
        _x: &[f64],
        _f: &mut [f64],
        _out: &mut Linearization,
    ) -> Result<bool, Failure> {
        Ok(false)
    }
    /// How many parameters there are when those projected out are counted.
    fn n_all(&self) -> usize {
        self.n_params()
    }
    /// All parameters at a point that was evaluated: `x`, and what was projected out.
    fn widen(&self, x: &[f64], out: &mut Vec<f64>) {
        out.clear();
        out.extend_from_slice(x);
    }
    /// Appends all parameters, their scaling and the factor of the joint [J f] at a point that was linearized.
    fn widen_model(&self, x: &[f64], d: &[f64], factor: &[f64], out: &mut Vec<f64>) {
        out.extend_from_slice(x);
        out.extend_from_slice(d);
        out.extend_from_slice(factor);
    }
}
