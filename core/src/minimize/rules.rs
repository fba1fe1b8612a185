//! The step rules: how a diagonalized model and a limit make a step. `Spectrum::within` is the trust region's.

use super::spectrum::{SLACK, Spectrum};
use crate::linear::small::norm;

#[derive(Clone, Copy, Debug)]
pub struct StepRule {
    /// Fills t, where D v = V t, and returns its damping.
    pub step: fn(&Spectrum, f64, &mut Vec<f64>) -> f64,
    /// The whole step of the model is the answer where it is no longer than so many times the limit.
    pub whole_within: Option<f64>,
    /// Steps are t(damping) for some damping.
    pub damped: bool,
}

impl StepRule {
    /// The minimum of the model in |D v| <= limit (Moré 1978).
    pub const REGION: StepRule = StepRule { step: Spectrum::within, whole_within: Some(SLACK), damped: true };
    /// Its minimum, without limit.
    pub const WHOLE: StepRule = StepRule { step: Spectrum::whole, whole_within: Some(1.0), damped: true };
    /// The limit is the damping.
    pub const DAMPED: StepRule = StepRule { step: Spectrum::damped, whole_within: None, damped: true };
    pub const DOGLEG: StepRule = StepRule { step: Spectrum::dogleg, whole_within: Some(1.0), damped: false };
    /// The limit is the part of the Cauchy step.
    pub const CAUCHY: StepRule = StepRule { step: Spectrum::cauchy, whole_within: None, damped: false };
}

impl Spectrum {
    /// The minimizer of the model (Gauss 1809).
    pub fn whole(&self, _limit: f64, t: &mut Vec<f64>) -> f64 {
        self.step(0.0, t);
        0.0
    }

    /// (J'J + damping D^2) v = -J'f (Levenberg 1944, Marquardt 1963).
    pub fn damped(&self, damping: f64, t: &mut Vec<f64>) -> f64 {
        self.step(damping, t);
        damping
    }

    /// A part of the step to the minimum of the model along the gradient (Cauchy 1847).
    pub fn cauchy(&self, part: f64, t: &mut Vec<f64>) -> f64 {
        let largest = self.c.iter().fold(0.0, |a: f64, c| a.max(c.abs())); // c^2 may overflow
        let squares = |i: usize| (self.c[i] / largest).powi(2);
        let (along, bend) = (0..self.c.len())
            .fold((0.0, 0.0), |(along, bend), i| (along + squares(i), bend + self.w[i] * squares(i)));
        let length = if bend > 0.0 { part * along / bend } else { 0.0 };
        t.clear();
        t.extend(self.c.iter().map(|c| -length * c));
        0.0
    }

    /// Powell's dogleg (1970): down the gradient to the Cauchy point, then straight to the minimum of the model, as far
    /// as the radius allows.
    pub fn dogleg(&self, radius: f64, t: &mut Vec<f64>) -> f64 {
        self.cauchy(1.0, t);
        let size = norm(t);
        if size >= radius {
            t.iter_mut().for_each(|t| *t *= radius / size);
            return 0.0;
        }
        let mut leg = Vec::new();
        self.step(0.0, &mut leg);
        leg.iter_mut().zip(&*t).for_each(|(whole, cauchy)| *whole -= cauchy);
        // |cauchy + part leg| = radius, all in units of the radius (squares may overflow): the root that does not cancel
        let in_radii =
            |x: &[f64], y: &[f64]| -> f64 { x.iter().zip(y).map(|(x, y)| x / radius * (y / radius)).sum() };
        let (a, b, c) = (in_radii(&leg, &leg), in_radii(t, &leg), in_radii(t, t) - 1.0);
        let root = (b * b - a * c).sqrt();
        let part = if b > 0.0 { -c / (b + root) } else { (root - b) / a };
        t.iter_mut().zip(&leg).for_each(|(t, leg)| *t += part.min(1.0) * leg);
        0.0
    }

    /// Reduction of rss that the model predicts for the step t.
    pub fn reduction(&self, t: &[f64]) -> f64 {
        -(0..t.len()).map(|i| t[i] * (2.0 * self.c[i] + self.w[i] * t[i])).sum::<f64>()
    }
}
