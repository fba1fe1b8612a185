//! The last digits: the cost is flat at a minimum, so they are won on the gradient.

use super::rules::StepRule;
use super::state::{Exit, Loop};
use super::trace::{Step, Verdict};

/// An undamped step that leaves more than this of |Q1'f| calls for the exact Hessian.
pub const SLOW: f64 = 1e-3;
const STEPS: usize = 6;
/// From so many residuals on, none once the end is certified: a step costs a pass over all data, for digits a million
/// times below the standard errors.
const MANY: usize = 100_000;
/// Slow linear convergence goes on so long while the end is not certified.
const MORE_STEPS: usize = 30;

impl Loop<'_> {
    /// Undamped steps, each accepted when |Q1'f| falls and rss rises by at most 1e-10 of itself or by what rounding errors
    /// of the residuals can feign.
    pub fn polish(&mut self) -> Result<(), Exit> {
        let steps = if self.here.m >= MANY { 0 } else { STEPS };
        let mut slow = self.newton || self.contraction > SLOW;
        for k in 0..MORE_STEPS {
            let explained = self.explained;
            self.seen = (self.here.scaled_gradient(), self.offset());
            let (gradient, offset) = self.seen;
            // A gradient at its rounding floor ends the search, but where the columns nearly cancel (Bennett5) the
            // floor is high, and one step may still win three digits.
            let close = offset <= self.options.tolerance;
            let enough = gradient <= 1.0 && (close || k > 0) || k >= steps && close;
            if enough || self.njev >= self.budget {
                break;
            }
            let mut newton = slow && self.second_order()?;
            self.propose(newton, StepRule::REGION, f64::INFINITY);
            if newton && !self.trial.size.is_finite() {
                newton = false; // no minimum
                self.propose(newton, StepRule::REGION, f64::INFINITY);
            }
            self.begin_row();
            let actual = self.try_row()?;
            let rise = (1e-10 * self.live).max(f64::EPSILON * self.live.sqrt() * self.here.noise());
            let tolerable = actual.is_finite() && actual >= -rise;
            if self.there.x == self.here.x {
                break;
            }
            if !tolerable {
                let verdict = if actual.is_finite() { Verdict::Uphill } else { Verdict::NotFinite };
                self.record(Step::Polish, verdict);
                break;
            }
            if !self.go_there()? {
                self.record(Step::Polish, Verdict::NoJacobian);
                break;
            }
            let contraction = self.explained / explained;
            let accepted = contraction < 1.0;
            if accepted {
                self.live = self.after;
            } else {
                self.arrive(); // swaps back
            }
            self.record(Step::Polish, if accepted { Verdict::Accepted } else { Verdict::GradientRose });
            self.report()?;
            slow = slow || contraction > SLOW;
            if !accepted || contraction > 0.5 && (newton || self.certified()) {
                break;
            }
        }
        Ok(())
    }
}
