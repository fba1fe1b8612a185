//! A step inside the trust region and the box.

use super::model::Model;
use super::point::Point;
use super::rules::StepRule;
use super::spectrum::Spectrum;
use crate::linear::small::norm;

/// A step `v` of a quadratic model with its prediction.
#[derive(Clone, Debug, Default)]
pub struct Trial {
    pub v: Vec<f64>,
    t: Vec<f64>,
    bent: Vec<f64>,
    pub damping: f64,
    /// |D v|.
    pub size: f64,
    /// Reduction of rss the model predicts, and its slope g'v.
    pub predicted: f64,
    pub slope: f64,
    /// Some component was stopped by a bound.
    pub clipped: bool,
}

impl Trial {
    /// The whole step of a model; false where it is longer than `longest` or leaves the box.
    pub fn whole(
        &mut self,
        p: &Point,
        model: &Model,
        d: &[f64],
        longest: f64,
        lower: &[f64],
        upper: &[f64],
    ) -> bool {
        let Some((step, size, reduction)) = model.whole_step(longest) else { return false };
        self.v.clear();
        self.v.resize(p.n(), 0.0);
        for (&j, u) in model.free().iter().zip(step) {
            self.v[j] = u / d[j];
        }
        (self.damping, self.clipped, self.size) = (0.0, false, size);
        (self.predicted, self.slope) = (reduction, -reduction);
        self.hit(p, model.free(), lower, upper).is_none()
    }

    /// The step of a rule within a limit and the box. Components that leave the box are set to their
    /// bound, their effect moves to the right-hand side, and the rest is solved again (in the style of
    /// Bertsekas 1982 and Gay 1984).
    pub fn propose(
        &mut self,
        p: &Point,
        spectrum: &Spectrum,
        s: Option<&[f64]>,
        d: &[f64],
        (rule, limit): (StepRule, f64),
        lower: &[f64],
        upper: &[f64],
    ) {
        self.v.clear();
        self.v.resize(p.n(), 0.0);
        self.damping = (rule.step)(spectrum, limit, &mut self.t);
        spectrum.apply(&self.t, d, &mut self.v);
        self.clipped = self.hit(p, &spectrum.free, lower, upper).is_some();
        if self.clipped {
            self.hold(p, spectrum, s, d, (rule, limit), lower, upper);
            let scaled: Vec<f64> = self.v.iter().zip(d).map(|(v, d)| v * d).collect();
            self.size = norm(&scaled);
            self.predicted = p.predicted(&self.v, s);
            self.slope = p.linearization.gradient.iter().zip(&self.v).map(|(g, v)| g * v).sum();
            return;
        }
        self.predicted = if rule.damped {
            let squares = self.t.iter().zip(&spectrum.w).map(|(t, w)| t * t * (w + 2.0 * self.damping));
            squares.sum()
        } else {
            spectrum.reduction(&self.t)
        };
        self.slope = self.t.iter().zip(&spectrum.c).map(|(t, c)| t * c).sum();
        self.size = norm(&self.t);
    }

    /// Set what leaves the box to its bound, solve for the rest, until nothing leaves.
    fn hold(
        &mut self,
        p: &Point,
        first: &Spectrum,
        s: Option<&[f64]>,
        d: &[f64],
        (rule, limit): (StepRule, f64),
        lower: &[f64],
        upper: &[f64],
    ) {
        let mut free = first.free.clone();
        let mut inner = Spectrum::default();
        while let Some(out) = self.hit(p, &free, lower, upper) {
            for &j in &out {
                self.v[j] = (p.x[j] + self.v[j]).clamp(lower[j], upper[j]) - p.x[j];
            }
            free.retain(|j| !out.contains(j));
            if free.is_empty() {
                return;
            }
            for &j in &free {
                self.v[j] = 0.0;
            }
            match s {
                Some(s) => {
                    inner.assemble(p, s, d, &free, Some(&self.v));
                    inner.diagonalize();
                }
                None => inner.gauss_newton(p, d, &free, Some(&self.v)),
            }
            if rule.damped {
                inner.step(self.damping, &mut self.t);
            } else {
                (rule.step)(&inner, limit, &mut self.t);
            }
            inner.apply(&self.t, d, &mut self.v);
        }
    }

    /// The free components that leave the box, if any.
    fn hit(&self, p: &Point, free: &[usize], lower: &[f64], upper: &[f64]) -> Option<Vec<usize>> {
        let leaves = |&j: &usize| p.x[j] + self.v[j] < lower[j] || p.x[j] + self.v[j] > upper[j];
        free.iter().any(&leaves).then(|| free.iter().copied().filter(|j| leaves(j)).collect())
    }

    /// Geodesic acceleration: bend the step by half of `a`, where (J'J + damping D^2) a = -J'f_vv = -push.
    /// Returns |D a| / |D v|; the step is bent only where that is at most `limit` and the box allows.
    pub fn bend(
        &mut self,
        p: &Point,
        model: &mut Model,
        push: &[f64],
        d: &[f64],
        limit: f64,
        lower: &[f64],
        upper: &[f64],
    ) -> f64 {
        self.t.clear();
        self.t.extend(model.free().iter().map(|&j| push[j] / d[j]));
        model.answer(self.damping, &mut self.t);
        let ratio = norm(&self.t) / self.size;
        if ratio > limit {
            return ratio;
        }
        self.bent.clone_from(&self.v);
        for (&j, a) in model.free().iter().zip(&self.t) {
            self.bent[j] += 0.5 * (a / d[j]);
        }
        if (0..p.n()).all(|j| p.x[j] + self.bent[j] >= lower[j] && p.x[j] + self.bent[j] <= upper[j]) {
            std::mem::swap(&mut self.v, &mut self.bent);
        }
        ratio
    }
}
