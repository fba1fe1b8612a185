//! One Jacobian: trials until a step is accepted.

use super::control::{ACCEPT, Judged};
use super::method::Models;
use super::outcome::Reason;
use super::polish::SLOW;
use super::state::{Exit, Loop};
use super::trace::{Step, Verdict};

/// Largest |D a| / |D v| at which the acceleration is trusted.
const BEND_LIMIT: f64 = 0.75;
/// Below this bend undamped steps go on without asking for the curvature again.
const STRAIGHT: f64 = 0.02;
/// At a relative offset below this, undamped steps that leave more than `SLOW` of |Q1'f| are followed by Newton's: over
/// the 54 NIST runs, joint, 1,581 evaluations became 1,463.
const NEAR: f64 = 0.01;
/// A first step with a gain ratio further from 1 than this is not taken where parameters are projected out, and the
/// next is at most a tenth as long: the cost at the best linear parameters falls even beyond a pole, whence there is no
/// way back (MGH10 from its first start: 217 evaluations, with this rule 44 to 82).
const WILD: f64 = 0.5;
const MAX_TRIALS: usize = 60;
/// Reductions below so many times their rounding error are left to the polish.
const NOISE_FACTOR: f64 = 10.0;

/// What is remembered from trial to trial at one Jacobian.
struct Round {
    /// The limit it began with.
    limit: f64,
    /// The other model was given its chance.
    switched: bool,
    /// The last proposal bent too much; from now on none is bent.
    held_back: bool,
    straight: bool,
}

enum Aim {
    /// A step is proposed.
    Ready,
    /// The limit was tightened instead: propose again.
    Again,
    Over(Reason),
}

impl Loop<'_> {
    /// Find and take one acceptable step. False: the search ends here, for the `reason` left.
    pub fn advance(&mut self) -> Result<bool, Exit> {
        let limit = self.strategy.control.limit();
        let mut round = Round { limit, switched: false, held_back: false, straight: false };
        self.reason = Reason::Trials;
        for _ in 0..MAX_TRIALS {
            match self.aim(&mut round)? {
                Aim::Ready => {}
                Aim::Again => continue,
                Aim::Over(reason) => {
                    self.reason = reason;
                    return Ok(false);
                }
            }
            let verdict = self.attempt(&mut round)?;
            self.report()?;
            if verdict == Verdict::Accepted {
                self.reason = Reason::Certified;
                return Ok(true);
            }
            if !self.strategy.control.retreats() {
                self.reason = Reason::Diverged;
                return Ok(false);
            }
        }
        Ok(false)
    }

    /// Propose a step that is worth an evaluation.
    fn aim(&mut self, round: &mut Round) -> Result<Aim, Exit> {
        self.newton = self.wants_newton() && self.second_order()?;
        self.propose(self.newton, self.strategy.rule, self.strategy.control.limit());
        if self.newton && !self.trial.size.is_finite() {
            self.newton = false; // its spectrum overflows
            self.propose(self.newton, self.strategy.rule, self.strategy.control.limit());
        }
        if self.is_stuck_in_a_singular_model() {
            return Ok(Aim::Over(Reason::Singular));
        }
        if self.is_too_short() {
            if !round.held_back {
                return Ok(Aim::Over(Reason::Spacing));
            }
            (round.held_back, round.straight) = (false, true); // bends at the spacing of x mean nothing
            self.strategy.control.set(round.limit);
            return Ok(Aim::Again);
        }
        if self.is_lost_in_noise() {
            if !self.trial.clipped || !self.strategy.control.retreats() {
                return Ok(Aim::Over(Reason::Noise));
            }
            self.strategy.control.refuse(self.trial.size); // a step bent by the box may lead uphill
            return Ok(Aim::Again);
        }
        self.begin_row();
        if !round.straight && !self.bend_step()? {
            round.held_back = true;
            self.record(self.kind(), Verdict::Bent);
            return Ok(Aim::Again);
        }
        Ok(if self.nfev >= 4 * self.budget { Aim::Over(Reason::Budget) } else { Aim::Ready })
    }

    /// Evaluate the step proposed, judge it by the gain ratio, and move or retreat.
    fn attempt(&mut self, round: &mut Round) -> Result<Verdict, Exit> {
        let (kind, first) = (self.kind(), self.nfev == 1);
        let actual = self.try_row()?;
        if first {
            self.strategy.control.tried_first(self.trial.size);
        }
        let gain = actual / self.trial.predicted;
        let projected = self.problem.n_all() > self.here.n();
        let verdict = if first && projected && (gain - 1.0).abs() > WILD {
            self.strategy.control.set(0.1 * self.trial.size);
            Verdict::LittleGain
        } else if !actual.is_finite() {
            self.strategy.control.refuse(self.trial.size);
            if self.problem.has_edge() && self.strategy.models == Models::Either {
                (self.strategy.models, self.newton) = (Models::GaussNewton, false);
            }
            Verdict::NotFinite
        } else if !round.switched && self.switches_model(gain, actual)? {
            round.switched = true;
            Verdict::OtherModel
        } else {
            self.judge(gain, actual);
            if !self.strategy.control.accepts(gain, actual) {
                if actual > 0.0 { Verdict::LittleGain } else { Verdict::Uphill }
            } else if self.accept()? {
                Verdict::Accepted
            } else {
                Verdict::NoJacobian
            }
        };
        self.record(kind, verdict);
        Ok(verdict)
    }

    /// Let the other model make the next step where it predicted this one better; true where that replaces a step
    /// that failed.
    fn switches_model(&mut self, gain: f64, actual: f64) -> Result<bool, Exit> {
        let switches = self.other_model_was_better(gain, actual)?;
        self.newton ^= switches;
        Ok(switches && gain < ACCEPT)
    }

    fn wants_newton(&self) -> bool {
        match self.strategy.models {
            Models::GaussNewton => false,
            Models::Newton => true,
            Models::Either => self.newton || self.is_slow_at_the_end(),
        }
    }

    fn is_slow_at_the_end(&self) -> bool {
        self.contraction > SLOW && self.contraction < 1.0 && self.offset() < NEAR
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
