//! Where a minimization ended, and what is known there.

use super::rank;
use crate::evaluate::Linearization;

/// Why it ended; the numbers are the order of `marquardt.errors.Status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Status {
    Converged = 0,
    ConvergedAtBound = 1,
    NotUnique = 2,
    Stalled = 3,
    MaxEvaluations = 4,
    Interrupted = 5,
}

/// Which quadratic model of the cost made a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Step {
    GaussNewton = 0,
    Newton = 1,
    Polish = 2,
}

/// One trial step.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Half the sum of squares at the trial point (not finite: rejected for that).
    pub cost: f64,
    pub gain_ratio: f64,
    pub damping: f64,
    pub radius: f64,
    /// |D p| of the step tried.
    pub step: f64,
    /// Relative offset of the point the step started from.
    pub offset: f64,
    pub kind: Step,
    pub accepted: bool,
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
    /// -1 at the lower bound, 1 at the upper, 0 free.
    pub active: Vec<i8>,
    pub nfev: usize,
    pub njev: usize,
    pub n_accepted: usize,
    pub trace: Vec<Row>,
}

impl Outcome {
    /// sigma_1 / sigma_n of the column-scaled Jacobian, worked out when asked for.
    pub fn condition(&self) -> f64 {
        rank::condition(&self.linearization)
    }
}
