//! One Jacobian: trials until a step is accepted.

use super::control::{ACCEPT, Judged};
use super::method::Models;
use super::outcome::{Reason, Step, Verdict};
use super::state::{Exit, Loop};

/// Largest |D a| / |D v| at which the acceleration is trusted.
const BEND_LIMIT: f64 = 0.75;
/// Below this bend undamped steps go on without asking for the curvature again.
const STRAIGHT: f64 = 0.02;
const MAX_TRIALS: usize = 60;
/// Reductions below so many times their rounding error are left to the polish.
const NOISE_FACTOR: f64 = 10.0;

impl Loop<'_> {
    /// Find and take one acceptable step. False: the search ends here, for the `reason` left.
    pub fn advance(&mut self) -> Result<bool, Exit> {
        let (mut switched, mut held_back, mut straight) = (false, false, false);
        let limit = self.strategy.control.limit();
        for _ in 0..MAX_TRIALS {
            self.newton = self.wants_newton() && self.second_order()?;
            self.propose(self.newton, self.strategy.rule, self.strategy.control.limit());
            if self.is_stuck_in_a_singular_model() {
                return self.end(Reason::Singular);
            }
            if self.is_too_short() {
                if !held_back {
                    return self.end(Reason::Spacing);
                }
                (held_back, straight) = (false, true); // bends at the spacing of x mean nothing
                self.strategy.control.set(limit);
                continue;
            }
            let retreats = self.strategy.control.retreats();
            if self.is_lost_in_noise() && !(retreats && self.trial.clipped) {
                return self.end(Reason::Noise);
            }
            if self.is_lost_in_noise() {
                self.strategy.control.refuse(self.trial.size); // a step bent by the box may lead uphill
                continue;
            }
            self.begin_row();
            if !straight && !self.bend_step()? {
                held_back = true;
                self.record(self.kind(), Verdict::Bent);
                continue;
            }
            if self.nfev >= 4 * self.budget {
                return self.end(Reason::Budget);
            }
            let first = self.nfev == 1;
            let actual = self.try_row()?;
            if first {
                self.strategy.control.tried_first(self.trial.size);
            }
            if !actual.is_finite() {
                self.strategy.control.refuse(self.trial.size);
                self.record(self.kind(), Verdict::NotFinite);
                self.report()?;
                if !retreats {
                    return self.end(Reason::Diverged);
                }
                continue;
            }
            let (kind, gain) = (self.kind(), actual / self.trial.predicted);
            if !switched && self.other_model_was_better(gain, actual)? {
                self.newton = !self.newton;
                if gain < ACCEPT {
                    switched = true;
                    self.record(kind, Verdict::OtherModel);
                    self.report()?;
                    continue;
                }
            }
            self.judge(gain, actual);
            let verdict = if !self.strategy.control.accepts(gain, actual) {
                if actual > 0.0 { Verdict::LittleGain } else { Verdict::Uphill }
            } else if self.accept()? {
                Verdict::Accepted
            } else {
                Verdict::NoJacobian
            };
            self.record(kind, verdict);
            self.report()?;
            if verdict == Verdict::Accepted {
                return Ok(true);
            }
            if !retreats {
                return self.end(Reason::Diverged);
            }
        }
        self.end(Reason::Trials)
    }

    fn end(&mut self, reason: Reason) -> Result<bool, Exit> {
        self.reason = reason;
        Ok(false)
    }

    fn wants_newton(&self) -> bool {
        match self.strategy.models {
            Models::GaussNewton => false,
            Models::Newton => true,
            Models::Either => self.newton,
        }
    }

    pub fn kind(&self) -> Step {
        match (self.newton, self.bent) {
            (true, _) => Step::Newton,
            (false, true) => Step::Accelerated,
            (false, false) => Step::GaussNewton,
        }
    }

    /// The undamped method has no step where the data do not determine every parameter.
    fn is_stuck_in_a_singular_model(&mut self) -> bool {
        let undamped = self.strategy.control.limit() == f64::INFINITY;
        undamped && !self.newton && self.gauss_newton.is_singular()
    }

    /// The step is below the spacing of x.
    fn is_too_short(&self) -> bool {
        self.here.x.iter().zip(&self.trial.v).all(|(x, v)| x + v == *x)
    }

    /// The reduction is below the rounding error of the cost (x itself counts as exact here). A method that does not
    /// judge by the cost goes on while its steps lower the gradient.
    fn is_lost_in_noise(&self) -> bool {
        let judges = self.strategy.control.retreats();
        let goes_on = !judges && (self.contraction < 1.0 || self.njev == 1);
        !goes_on && self.trial.predicted <= NOISE_FACTOR * self.cost_noise()
    }

    /// Add the geodesic acceleration; false where the bend is too strong: the limit was tightened instead.
    fn bend_step(&mut self) -> Result<bool, Exit> {
        let straight = self.trial.damping == 0.0 && self.bend < STRAIGHT;
        if !self.strategy.accelerate || self.newton || self.trial.clipped || straight {
            return Ok(true);
        }
        if !self.curvature()? {
            return Ok(true);
        }
        let (model, push, d) = (&mut self.gauss_newton, &self.push, &self.scales.d);
        self.bend = self.trial.bend(&self.here, model, push, d, BEND_LIMIT, self.lower, self.upper);
        self.bent = self.bend <= BEND_LIMIT || self.strategy.control.retreats();
        if self.bend <= BEND_LIMIT || !self.bent {
            return Ok(true);
        }
        self.strategy.control.bent(self.trial.size, self.bend, BEND_LIMIT);
        Ok(false)
    }

    /// Per-step choice of the model (as in NL2SOL): whichever predicted this reduction better. The Hessian is
    /// asked for only where the prediction was poor.
    fn other_model_was_better(&mut self, gain: f64, actual: f64) -> Result<bool, Exit> {
        if self.strategy.models != Models::Either {
            return Ok(false);
        }
        if !self.newton && ((gain - 1.0).abs() <= 0.25 || !self.second_order()?) {
            return Ok(false);
        }
        let other = self.here.predicted(&self.trial.v, (!self.newton).then_some(&self.hessian));
        Ok((other - actual).abs() < (self.trial.predicted - actual).abs())
    }

    fn judge(&mut self, gain: f64, actual: f64) {
        let (trial, live) = (&self.trial, self.live);
        let judged =
            Judged { gain, actual, live, size: trial.size, slope: trial.slope, damping: trial.damping };
        self.strategy.control.judge(&judged);
    }

    /// Move to the trial point; false where the Jacobian there is not finite.
    fn accept(&mut self) -> Result<bool, Exit> {
        let (undamped, before) = (self.trial.damping == 0.0, self.explained);
        if self.after > self.live {
            self.remember();
        }
        if !self.go_there()? {
            self.strategy.control.refuse(self.trial.size);
            return Ok(false);
        }
        self.live = self.after;
        self.contraction = if undamped && before > 0.0 { self.explained / before } else { 1.0 };
        Ok(true)
    }
}
