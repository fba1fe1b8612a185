//! The quadratic models of rss at one point, solved as cheaply as the step asked for allows.
//!
//! A whole step, by far the most frequent, needs a triangular solve only. Singular values (or eigenvalues) are worked
//! out when a step must be damped or the rank may not be full: at n = 3, 8, 50 they take 0.6, 12, 1060 µs, the
//! triangular solve with its condition 0.05, 0.2, 9.

use super::point::Point;
use super::spectrum::Spectrum;
use crate::linear::small::{dot, norm};
use crate::linear::triangle;

/// A bound of the condition below this part of what counts as rank deficient proves full rank.
pub const SAFE: f64 = 0.1;

/// Gauss-Newton's model, or Newton's, over the parameters that are free.
#[derive(Clone, Debug, Default)]
pub struct Model {
    /// U of D^-1 (J'J + S) D^-1 = U'U, row-major; of use where `solved`.
    factor: Vec<f64>,
    room: Vec<f64>,
    solved: bool,
    /// The minimizer D v, its length, and the reduction of rss predicted for it.
    step: Vec<f64>,
    size: f64,
    reduction: f64,
    spectrum: Spectrum,
    diagonal: bool,
}

impl Model {
    /// J'J. Solved where no parameter is held and the rank is surely full; diagonalized at once elsewhere.
    pub fn gauss_newton(&mut self, p: &Point, d: &[f64]) {
        let n = p.n();
        (self.solved, self.diagonal) = (false, false);
        if p.free.len() == n {
            self.factor.clear();
            for i in 0..n {
                self.factor.extend((0..n).map(|j| if j >= i { p.r(i, j) / d[j] } else { 0.0 }));
            }
            let condition = triangle::condition(&self.factor, n, &mut self.room);
            self.solved = condition * p.threshold() <= SAFE;
        }
        if !self.solved {
            self.diagonalize(p, d);
            return;
        }
        self.spectrum.free.clone_from(&p.free);
        self.step.clear();
        self.step.extend((0..n).map(|i| -p.r(i, n)));
        self.reduction = dot(&self.step, &self.step);
        triangle::solve(&self.factor, &mut self.step);
        self.size = norm(&self.step);
    }

    /// J'J + S, S = sum f_i H_i. Solved where it has a minimum; diagonalized at once elsewhere.
    pub fn newton(&mut self, p: &Point, s: &[f64], d: &[f64]) {
        self.spectrum.assemble(p, s, d, &p.free, None);
        self.factor.clone_from(&self.spectrum.matrix);
        (self.solved, self.diagonal) = (triangle::cholesky(&mut self.factor, p.free.len()), false);
        if !self.solved {
            self.spectrum.diagonalize();
            self.diagonal = true;
            return;
        }
        self.step.clear();
        self.step.extend(self.spectrum.slopes.iter().map(|g| -g));
        triangle::solve_transposed(&self.factor, &mut self.step);
        self.reduction = dot(&self.step, &self.step);
        triangle::solve(&self.factor, &mut self.step);
        self.size = norm(&self.step);
    }

    pub fn free(&self) -> &[usize] {
        &self.spectrum.free
    }

    /// The whole step D v with its length and predicted reduction, where it is known and no longer than `longest`.
    pub fn whole_step(&self, longest: f64) -> Option<(&[f64], f64, f64)> {
        (self.solved && self.size <= longest).then_some((&self.step, self.size, self.reduction))
    }

    /// Does Gauss-Newton's model say nothing about some combination of the parameters?
    pub fn is_singular(&self) -> bool {
        !self.solved && self.spectrum.w.contains(&0.0)
    }

    /// |Q1'f|, for Gauss-Newton. What counts as determined is decided with columns of length 1: D may differ so much
    /// from the columns (a parameter on its way to infinity) that a determined combination drowns in rounding errors,
    /// and the end would look certified.
    pub fn explained(&self, p: &Point) -> f64 {
        if self.solved {
            return self.reduction.sqrt();
        }
        let unit: Vec<f64> = p.norms.iter().map(|c| if *c > 0.0 { *c } else { 1.0 }).collect();
        let mut spectrum = Spectrum::default();
        spectrum.gauss_newton(p, &unit, &p.free, None);
        spectrum.explained()
    }

    /// The diagonal form of Gauss-Newton's model.
    fn diagonalize(&mut self, p: &Point, d: &[f64]) {
        self.spectrum.gauss_newton(p, d, &p.free, None);
        self.diagonal = true;
    }

    /// The diagonal form; `newton` as the model was made.
    pub fn spectrum(&mut self, p: &Point, d: &[f64], newton: bool) -> &Spectrum {
        if !self.diagonal && newton {
            self.spectrum.diagonalize();
            self.diagonal = true;
        } else if !self.diagonal {
            self.diagonalize(p, d);
        }
        &self.spectrum
    }

    /// -(J'J + damping D^2)^-1 push, all in scaled parameters; `push` (over the free parameters) is overwritten.
    /// Zero along combinations the model knows nothing about.
    pub fn answer(&mut self, damping: f64, push: &mut [f64]) {
        if self.solved && damping == 0.0 {
            triangle::solve_transposed(&self.factor, push);
            triangle::solve(&self.factor, push);
            push.iter_mut().for_each(|p| *p = -*p);
        } else {
            self.spectrum.answer(damping, push, &mut self.room);
        }
    }
}
