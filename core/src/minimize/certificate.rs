//! When to stop, and what the end point is worth.

use super::outcome::{Outcome, Reason, Status};
use super::rank::{self, Rank};
use super::state::Loop;

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

    pub fn certified(&mut self) -> bool {
        self.seen = (self.here.scaled_gradient(), self.offset());
        let small = self.seen.1 <= self.options.tolerance || self.is_zero_to_rounding();
        let stationary = small || self.around.newton_step.is_some();
        stationary && self.here_rss.is_finite()
    }

    /// Every component of the gradient is below its rounding errors, and so is Q1'f. Where columns nearly cancel
    /// (a parabola in x near 1e9: condition 5e11) J'f may be lost in rounding errors while QR still sees a fifth of
    /// rss to be won. (Residuals as small as the rounding errors of those at the start count as zero.)
    fn is_zero_to_rounding(&self) -> bool {
        let noise = self.here.noise().max(self.first_live.sqrt());
        self.seen.0 <= CERTIFIED
            && (self.explained <= CERTIFIED * f64::EPSILON * noise || {
                let condition = rank::condition(&self.here.linearization);
                self.explained <= CERTIFIED * f64::EPSILON * (noise + condition * self.live.sqrt())
            })
    }

    /// The reduction of rss that rounding errors of the residuals can feign.
    pub fn cost_noise(&self) -> f64 {
        f64::EPSILON * self.live.sqrt() * self.here.terms()
    }

    /// The squares of the residuals are zero already at the start, the residuals are not: nothing can be compared.
    fn is_lost_in_underflow(&self) -> bool {
        self.n_accepted == 0 && self.here_rss < f64::MIN_POSITIVE && !self.here.residuals_vanish()
    }

    pub fn within_budget(&mut self) -> bool {
        if self.njev >= self.budget {
            self.reason = Reason::Budget;
        }
        self.reason != Reason::Budget
    }

    pub fn conclude(mut self, interrupted: bool) -> Outcome {
        let rank = Rank::of(&self.here.linearization, self.here.threshold());
        let certified = self.certified() && !self.is_lost_in_underflow();
        let runaway = self.runaway(certified);
        let status = if !runaway.is_empty() && !interrupted {
            Status::Runaway
        } else if certified && !self.around.descent.is_empty() {
            Status::NotAMinimum
        } else if certified && self.around.jumps {
            Status::Stalled
        } else if certified && rank.rank < self.here.n() && !self.around.strict {
            Status::NotUnique
        } else if certified && self.here.active.iter().any(|&a| a != 0) {
            Status::ConvergedAtBound
        } else if certified {
            Status::Converged
        } else if interrupted {
            Status::Interrupted
        } else if self.reason == Reason::Budget {
            Status::MaxEvaluations
        } else {
            Status::Stalled
        };
        if certified || interrupted {
            self.reason = if certified { Reason::Certified } else { Reason::Interrupted };
        }
        let (offset, scaled_gradient) = (self.offset(), self.here.scaled_gradient());
        let exact = !self.problem.approximates_hessian();
        self.there.recycle();
        Outcome {
            status,
            reason: self.reason,
            offset,
            tolerance: self.options.tolerance,
            scaled_gradient,
            rank: rank.rank,
            null_vectors: rank.null_vectors,
            hessian: (self.hessian_known == Some(true) && exact).then_some(self.hessian),
            descent: self.around.descent,
            runaway,
            jumps: self.around.jumps,
            newton_step: self.around.newton_step,
            escapes: self.escapes,
            active: self.here.active,
            nfev: self.before.0 + self.nfev,
            njev: self.before.1 + self.njev,
            n_accepted: self.n_accepted,
            projected: self.before.0 > 0,
            trace: self.trace,
            cost: 0.5 * self.here_rss,
            x: self.here.x,
            f: self.here.f,
            linearization: self.here.linearization,
        }
    }
}
