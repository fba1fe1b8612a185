//! One Jacobian: trials until a step is accepted.

use super::outcome::Step;
use super::state::{Exit, Loop};

const ACCEPT: f64 = 1e-4;
/// Largest |D a| / |D v| at which the acceleration is trusted.
const BEND_LIMIT: f64 = 0.75;
/// Below this bend undamped steps go on without asking for the curvature again.
const STRAIGHT: f64 = 0.02;
const MAX_TRIALS: usize = 60;
/// Reductions below so many times their rounding error are left to the polish.
const NOISE_FACTOR: f64 = 10.0;

impl Loop<'_> {
    /// Find and take one acceptable step. False: the cost has no more to say, or the budget is spent.
    pub fn advance(&mut self) -> Result<bool, Exit> {
        let (mut switched, mut held_back, mut straight) = (false, false, false);
        let radius = self.radius;
        for _ in 0..MAX_TRIALS {
            self.newton = self.newton && self.second_order()?;
            self.propose(self.newton, self.radius);
            if self.is_too_short() {
                if !held_back {
                    return Ok(false);
                }
                (held_back, straight, self.radius) = (false, true, radius); // bends at the spacing of x mean nothing
                continue;
            }
            if self.is_lost_in_noise() && !self.trial.clipped {
                return Ok(false);
            }
            if self.is_lost_in_noise() {
                self.shrink(); // a step bent by the box may lead uphill
                continue;
            }
            if !straight && !self.bend_step()? {
                held_back = true;
                continue;
            }
            if self.nfev >= 4 * self.budget {
                self.exhausted = true;
                return Ok(false);
            }
            let first = self.nfev == 1;
            let actual = self.evaluate_trial()?.actual;
            if first {
                self.radius = self.radius.min(self.trial.size);
            }
            let (kind, offset) = (self.kind(), self.offset());
            if !actual.is_finite() {
                self.shrink();
                self.record(kind, actual, offset, false);
                self.report()?;
                continue;
            }
            let gain = actual / self.trial.predicted;
            if !switched && self.other_model_was_better(gain, actual)? {
                self.newton = !self.newton;
                if gain < ACCEPT {
                    switched = true;
                    self.record(kind, actual, offset, false);
                    self.report()?;
                    continue;
                }
            }
            self.adapt(gain, actual);
            let accepted = gain > ACCEPT && actual > 0.0 && self.accept()?;
            self.record(kind, actual, offset, accepted);
            self.report()?;
            if accepted {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn kind(&self) -> Step {
        if self.newton { Step::Newton } else { Step::GaussNewton }
    }

    /// The step is below the spacing of x.
    fn is_too_short(&self) -> bool {
        self.here.x.iter().zip(&self.trial.v).all(|(x, v)| x + v == *x)
    }

    /// The reduction is below the rounding error of the cost (x itself counts as exact here).
    fn is_lost_in_noise(&self) -> bool {
        let noise = f64::EPSILON * self.live.sqrt() * self.here.terms();
        self.trial.predicted <= NOISE_FACTOR * noise
    }

    /// Add the geodesic acceleration; false where the bend is too strong: the radius was reduced instead.
    fn bend_step(&mut self) -> Result<bool, Exit> {
        let straight = self.trial.damping == 0.0 && self.bend < STRAIGHT;
        if !self.options.acceleration || self.newton || self.trial.clipped || straight {
            return Ok(true);
        }
        if !self.curvature()? {
            return Ok(true);
        }
        let (model, push, d) = (&mut self.gauss_newton, &self.push, &self.scales.d);
        self.bend = self.trial.bend(&self.here, model, push, d, BEND_LIMIT, self.lower, self.upper);
        if self.bend <= BEND_LIMIT {
            return Ok(true);
        }
        self.radius = self.radius.min(self.trial.size) * (BEND_LIMIT / self.bend).clamp(0.1, 0.5);
        Ok(false)
    }

    fn shrink(&mut self) {
        self.radius = 0.25 * self.trial.size.min(self.radius);
    }

    /// Per-step choice of the model (as in NL2SOL): whichever predicted this reduction better. The Hessian is
    /// asked for only where the prediction was poor.
    fn other_model_was_better(&mut self, gain: f64, actual: f64) -> Result<bool, Exit> {
        if !self.newton && ((gain - 1.0).abs() <= 0.25 || !self.second_order()?) {
            return Ok(false);
        }
        let other = self.here.predicted(&self.trial.v, (!self.newton).then_some(&self.hessian));
        Ok((other - actual).abs() < (self.trial.predicted - actual).abs())
    }

    /// Moré's rules for the radius after a finite trial.
    fn adapt(&mut self, gain: f64, actual: f64) {
        let (size, slope) = (self.trial.size, self.trial.slope);
        if gain <= 0.25 {
            let much_worse = actual < -99.0 * self.live; // |f1| >= 10 |f|
            let part = if actual < 0.0 { -slope / (-2.0 * slope - actual) } else { 0.5 };
            let shrink = if much_worse || part < 0.1 { 0.1 } else { part };
            self.radius = shrink * self.radius.min(10.0 * size);
        } else if gain >= 0.75 || self.trial.damping == 0.0 {
            self.radius = 2.0 * size;
        }
    }

    /// Move to the trial point; false where the Jacobian there is not finite.
    fn accept(&mut self) -> Result<bool, Exit> {
        let (undamped, before) = (self.trial.damping == 0.0, self.explained);
        if !self.go_there()? {
            self.shrink();
            return Ok(false);
        }
        self.live = self.after;
        self.contraction = if undamped && before > 0.0 { self.explained / before } else { 1.0 };
        Ok(true)
    }
}
