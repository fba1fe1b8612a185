//! What limits a step, and how that follows the gain ratio. The meaning of the limit is the step rule's: a radius, a
//! damping, a part of the Cauchy step, or nothing.

mod backtracking;
mod factors;
mod free;
mod nielsen;
mod radius;

pub use backtracking::Backtracking;
pub use factors::Factors;
pub use free::Free;
pub use nielsen::Nielsen;
pub use radius::Radius;

/// Smallest gain ratio of an accepted step.
pub const ACCEPT: f64 = 1e-4;
/// A damping below this part of the largest diagonal entry would no longer change the system.
const LEAST: f64 = 1e-16;
/// A trial whose residuals are not finite says more than a poor one: raise the damping at least so much.
const CLIFF: f64 = 10.0;

/// The first point as the controls see it.
pub struct Start {
    /// |D s|, s the magnitudes of the parameters.
    pub reach: f64,
    /// Largest diagonal entry of the scaled J'J.
    pub diagonal: f64,
}

/// A finite trial step, judged.
#[derive(Clone, Copy, Debug)]
pub struct Judged {
    /// Actual / predicted reduction.
    pub gain: f64,
    /// Actual reduction of rss, and rss before, over the rows that depend on x.
    pub actual: f64,
    pub live: f64,
    /// |D v|, g'v and the damping of the step.
    pub size: f64,
    pub slope: f64,
    pub damping: f64,
}

pub trait Control {
    fn start(&mut self, start: &Start);
    fn limit(&self) -> f64;
    /// Put a former limit back.
    fn set(&mut self, limit: f64);
    /// After a first trial of this size.
    fn tried_first(&mut self, _size: f64) {}
    /// After a finite trial.
    fn judge(&mut self, judged: &Judged);
    /// After a trial of this size where the model has no value.
    fn refuse(&mut self, size: f64);
    /// The acceleration is `ratio` times the step, more than `allowed`.
    fn bent(&mut self, size: f64, ratio: f64, allowed: f64);
    /// Is there a limit to tighten?
    fn retreats(&self) -> bool {
        true
    }
    /// Is a step with this gain taken?
    fn accepts(&self, gain: f64, actual: f64) -> bool {
        gain > ACCEPT && actual > 0.0
    }
    /// The radius, where the limit is one.
    fn radius(&self) -> f64 {
        f64::NAN
    }
}
