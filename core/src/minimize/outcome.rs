//! Where a minimization ended, and what is known there.

use super::rank;
use super::trace::Trace;
use crate::evaluate::Linearization;

/// Why it ended; the numbers are the order of `marquardt.errors.Status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Status {
    Converged = 0,
    ConvergedAtBound = 1,
    NotUnique = 2,
    NotAMinimum = 3,
    Stalled = 4,
    Runaway = 5,
    MaxEvaluations = 6,
    Interrupted = 7,
}

/// What ended the search; the numbers are the order of `REASONS` in `marquardt.solve.trace`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Reason {
    Certified = 0,
    /// The reduction predicted is below the rounding error of the cost.
    Noise = 1,
    /// The step is below the spacing of x.
    Spacing = 2,
    /// Too many trials at one Jacobian.
    Trials = 3,
    /// The undamped step does not exist.
    Singular = 4,
    /// The undamped step leads where the residuals are not finite.
    Diverged = 5,
    Budget = 6,
    Interrupted = 7,
}

/// What `observe` sees after every residual evaluation.
#[derive(Clone, Copy, Debug)]
pub struct Progress<'a> {
    pub nfev: usize,
    pub njev: usize,
    /// Cost and parameters of the best point so far.
    pub cost: f64,
    pub x: &'a [f64],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Control {
    Continue,
    Stop,
}

#[derive(Clone, Debug)]
pub struct Outcome {
    pub x: Vec<f64>,
    pub f: Vec<f64>,
    /// Half the sum of squares of `f`.
    pub cost: f64,
    pub linearization: Linearization,
    pub status: Status,
    pub reason: Reason,
    /// Relative offset |Q1'f| / |Q2'f| (Bates, Watts 1981) over the free parameters.
    pub offset: f64,
    /// What `offset` was compared with.
    pub tolerance: f64,
    /// max_j |g_j| / (eps rounding_j) over the free parameters: at most 8 is "zero to rounding".
    pub scaled_gradient: f64,
    /// Rank of the column-scaled Jacobian, numerical zero at max(m, n) eps sigma_1.
    pub rank: usize,
    /// Orthonormal combinations of the column-scaled parameters that leave the residuals unchanged.
    pub null_vectors: Vec<Vec<f64>>,
    /// sum f_i H_i, where it is known.
    pub hessian: Option<Vec<f64>>,
    /// Direction of negative curvature, where the end is no minimum.
    pub descent: Vec<f64>,
    /// Parameters that head for infinity.
    pub runaway: Vec<usize>,
    /// The residuals change in steps along a combination the Jacobian calls flat.
    pub jumps: bool,
    /// |D p| / |D x| of Newton's step, where that is what certified the end.
    pub newton_step: Option<f64>,
    /// Saddles left on the way.
    pub escapes: usize,
    /// -1 at the lower bound, 1 at the upper, 0 free.
    pub active: Vec<i8>,
    pub nfev: usize,
    pub njev: usize,
    pub n_accepted: usize,
    /// Linear parameters were projected out on the way.
    pub projected: bool,
    pub trace: Trace,
}

impl Outcome {
    /// The lower of two ends (this one, where they differ by rounding only), with the evaluations of both.
    pub fn or_better(self, other: Outcome) -> Outcome {
        let (nfev, njev) = (self.nfev + other.nfev, self.njev + other.njev);
        let lower = other.cost < self.cost * (1.0 - 1e-10) || !self.cost.is_finite();
        let interrupted = other.status == Status::Interrupted;
        let mut kept = if lower { other } else { self };
        (kept.nfev, kept.njev) = (nfev, njev);
        if interrupted {
            kept.interrupt();
        }
        kept
    }

    /// The search was stopped from outside.
    pub fn interrupt(&mut self) {
        (self.status, self.reason) = (Status::Interrupted, Reason::Interrupted);
    }

    /// sigma_1 / sigma_n of the column-scaled Jacobian, worked out when asked for.
    pub fn condition(&self) -> f64 {
        rank::condition(&self.linearization)
    }
}
