//! The record of a minimization: what was tried at each Jacobian, and what became of it.
//!
//! Only what is at hand is copied (some 3 % of a fit of 20 points); cosines, conditions and the curve of all damped steps are worked
//! out from the factors when somebody looks.

use super::point::Point;
use crate::evaluate::Evaluate;

/// Which quadratic model of the cost made a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(i32)]
pub enum Step {
    #[default]
    GaussNewton = 0,
    Newton = 1,
    /// Gauss-Newton with the geodesic acceleration.
    Accelerated = 2,
    Polish = 3,
    /// Along negative curvature, out of a saddle.
    Escape = 4,
}

/// What became of a trial; the numbers are the order of `VERDICTS` in `marquardt.solve.trace`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(i32)]
pub enum Verdict {
    #[default]
    Accepted = 0,
    Uphill = 1,
    LittleGain = 2,
    NotFinite = 3,
    /// The acceleration is too large beside the step; nothing was evaluated.
    Bent = 4,
    /// Refused, and tried again with the other model.
    OtherModel = 5,
    /// A polishing step after which the gradient is not smaller.
    GradientRose = 6,
    NoJacobian = 7,
}

/// One trial step.
#[derive(Clone, Copy, Debug, Default)]
pub struct Row {
    /// Which Jacobian it started from, counted from 1.
    pub iteration: usize,
    /// Half the sum of squares before and at the trial point (NaN: not evaluated; not finite: refused for that).
    pub cost: f64,
    pub trial_cost: f64,
    /// Reductions of the cost.
    pub actual: f64,
    pub predicted: f64,
    pub damping: f64,
    /// The radius it had to fit in; NaN where the method has none.
    pub radius: f64,
    /// |D p| of the step.
    pub step: f64,
    /// Relative offset and scaled gradient of the point the step started from.
    pub offset: f64,
    pub gradient: f64,
    pub kind: Step,
    pub verdict: Verdict,
}

/// Numbers kept at most (8 MB): a longer search is recorded up to here.
const ROOM: usize = 1_000_000;

/// Room made at once for so many steps: most fits need no more.
const STEPS: usize = 12;

#[derive(Clone, Debug, Default)]
pub struct Trace {
    pub rows: Vec<Row>,
    /// Parameters of each trial, n per row.
    pub trials: Vec<f64>,
    /// At each Jacobian x (n), D (n) and the triangular factor of [J f] ((n+1)^2).
    pub models: Vec<f64>,
    /// Jacobians recorded.
    pub jacobians: usize,
    /// Steps beyond the room.
    pub dropped: usize,
    enabled: bool,
}

impl Trace {
    pub fn new(enabled: bool, n: usize) -> Self {
        if !enabled {
            return Trace::default();
        }
        Trace {
            rows: Vec::with_capacity(STEPS),
            trials: Vec::with_capacity(STEPS * n),
            models: Vec::with_capacity(STEPS * (2 * n + (n + 1) * (n + 1))),
            enabled,
            ..Trace::default()
        }
    }

    fn is_full(&self) -> bool {
        16 * self.rows.len() + self.trials.len() + self.models.len() > ROOM
    }

    /// A new Jacobian, at `point`.
    pub fn arrive(&mut self, problem: &dyn Evaluate, point: &Point, d: &[f64]) {
        if !self.enabled || self.is_full() {
            return;
        }
        problem.widen_model(&point.x, d, &point.linearization.factor, &mut self.models);
        self.jacobians += 1;
    }

    /// A trial at the last Jacobian, with the parameters tried.
    pub fn push(&mut self, row: &Row, x: &[f64]) {
        if !self.enabled {
            return;
        }
        if self.is_full() {
            self.dropped += 1;
            return;
        }
        self.trials.extend_from_slice(x);
        self.rows.push(*row);
    }
}
