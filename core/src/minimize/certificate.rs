//! When to stop, and what the end point is worth.

use super::outcome::{Outcome, Status};
use super::point::Point;
use super::state::Loop;
use crate::linear::small::norm;
use crate::linear::svd;

/// A gradient component below so many times its rounding error is zero to rounding.
const CERTIFIED: f64 = 8.0;

impl Loop<'_> {
    /// Relative offset |Q1'f| / |Q2'f| (Bates, Watts 1981), the latter over the rows that depend on x.
    /// Infinite until a first trial has shown which rows do.
    pub fn offset(&self) -> f64 {
        if self.explained == 0.0 {
            return 0.0;
        }
        let rest = (self.live - self.explained * self.explained).max(0.0).sqrt();
        let floor = CERTIFIED * f64::EPSILON * self.here.noise();
        if self.rows == 0 { f64::INFINITY } else { self.explained / rest.max(floor) }
    }

    pub fn certified(&self) -> bool {
        self.here.scaled_gradient() <= CERTIFIED || self.offset() <= self.options.tolerance
    }

    pub fn within_budget(&mut self) -> bool {
        self.exhausted = self.exhausted || self.njev >= self.budget;
        !self.exhausted
    }

    pub fn conclude(self, interrupted: bool) -> Outcome {
        let rank = Rank::of(&self.here);
        let certified = self.certified();
        let status = if certified && rank.rank < self.here.n() {
            Status::NotUnique
        } else if certified && self.here.active.iter().any(|&a| a != 0) {
            Status::ConvergedAtBound
        } else if certified {
            Status::Converged
        } else if interrupted {
            Status::Interrupted
        } else if self.exhausted {
            Status::MaxEvaluations
        } else {
            Status::Stalled
        };
        Outcome {
            status,
            offset: self.offset(),
            tolerance: self.options.tolerance,
            scaled_gradient: self.here.scaled_gradient(),
            rank: rank.rank,
            condition: rank.condition,
            null_vectors: rank.null_vectors,
            active: self.here.active,
            nfev: self.nfev,
            njev: self.njev,
            n_accepted: self.n_accepted,
            trace: self.trace,
            x: self.here.x,
            f: self.here.f,
            linearization: self.here.linearization,
        }
    }
}

/// Rank, condition and null vectors of the column-scaled Jacobian.
struct Rank {
    rank: usize,
    condition: f64,
    null_vectors: Vec<Vec<f64>>,
}

impl Rank {
    fn of(p: &Point) -> Self {
        let n = p.n();
        let (mut a, mut v) = (vec![0.0; n * n], vec![0.0; n * n]);
        for j in 0..n {
            for i in 0..=j {
                a[j * n + i] = if p.norms[j] > 0.0 { p.r(i, j) / p.norms[j] } else { 0.0 };
            }
        }
        svd::orthogonalize(&mut a, &mut v, n, n);
        let sigma: Vec<f64> = (0..n).map(|j| norm(&a[j * n..j * n + n])).collect();
        let largest = sigma.iter().fold(0.0, |x: f64, &y| x.max(y));
        let smallest = sigma.iter().fold(largest, |x: f64, &y| x.min(y));
        let threshold = p.f.len().max(n) as f64 * f64::EPSILON * largest;
        let null = (0..n).filter(|&j| sigma[j] <= threshold);
        let null_vectors: Vec<Vec<f64>> = null.map(|j| v[j * n..j * n + n].to_vec()).collect();
        Rank {
            rank: n - null_vectors.len(),
            condition: if smallest > 0.0 { largest / smallest } else { f64::INFINITY },
            null_vectors,
        }
    }
}
