//! Linear parameters projected out (Golub, Pereyra 1973): residuals as a function of the other parameters alone, the
//! linear ones c at every point those that make the sum of squares least.
//!
//! With the linear parameters first, the triangular factor of the joint [J f] is
//!
//! ```text
//! [ Rcc  Rcn | zc ]
//! [      Rnn | zn ]
//! ```
//!
//! Least squares moves c by -Rcc^-1 zc. At that c, Rnn and zn are the factor of Kaufman's (1975) Jacobian, and the
//! Schur complement of the joint Hessian is the exact Hessian of the projected problem. So nothing is needed that the
//! joint problem does not have already.

use super::reduction::Reduction;
use super::split::Split;
use super::{Beside, Evaluate, Failure, Linearization};
use crate::linear::small::dot;

pub struct Projected<'a> {
    inner: &'a mut dyn Evaluate,
    linear: Vec<usize>,
    others: Vec<usize>,
    /// All parameters at the last point evaluated; the linear ones are where the next point begins.
    all: Vec<f64>,
    /// Room for a joint linearization, and its parts.
    joint: Linearization,
    split: Split,
    /// Whether `joint` is still the one at the start.
    at_start: bool,
    /// Points with a linearization, the last ones first: where the loop stands and where it tries to go.
    known: Vec<Known>,
    scratch: Vec<f64>,
}

/// A point with its joint linearization.
#[derive(Clone, Debug, Default)]
struct Known {
    x: Vec<f64>,
    all: Vec<f64>,
    joint: Linearization,
    split: Split,
}

const REMEMBERED: usize = 3;

impl<'a> Projected<'a> {
    /// `linear` are parameters in which the residuals of `inner` are affine together; `all` is a start, and `at_start`
    /// the linearization there.
    pub fn new(
        inner: &'a mut dyn Evaluate,
        linear: Vec<usize>,
        all: &[f64],
        at_start: Linearization,
    ) -> Self {
        assert_eq!(inner.n_params(), all.len());
        Projected {
            at_start: true,
            others: (0..all.len()).filter(|j| !linear.contains(j)).collect(),
            linear,
            all: all.to_vec(),
            joint: at_start,
            split: Split::default(),
            known: Vec::new(),
            scratch: Vec::new(),
            inner,
        }
    }

    /// The other parameters' part of a vector of all.
    pub fn pick(&self, all: &[f64]) -> Vec<f64> {
        self.others.iter().map(|&j| all[j]).collect()
    }

    /// All parameters at `x` with their joint linearization, where `x` has been linearized.
    pub fn at(&mut self, x: &[f64]) -> Option<(Vec<f64>, Linearization)> {
        let k = self.known.iter().position(|k| k.x == x)?;
        let Known { all, joint, .. } = self.known.swap_remove(k);
        Some((all, joint))
    }

    fn place(&mut self, x: &[f64]) {
        self.others.iter().zip(x).for_each(|(&j, &value)| self.all[j] = value);
    }

    /// Moves the linear parameters at `x` to where the sum of squares is least; false where the model is not finite.
    /// At a point that is known they stay as they are: least squares from elsewhere differs by rounding errors.
    fn solve_linear(&mut self, x: &[f64], f: &mut [f64]) -> Result<bool, Failure> {
        if let Some(known) = self.known.iter().find(|k| k.x == x) {
            self.all.clone_from(&known.all);
            return Ok(true);
        }
        self.place(x);
        if self.at_start {
            self.at_start = false;
            self.split.of(&self.joint, &self.linear, &self.others);
            self.split.shift(&mut self.all, &mut self.scratch);
            return Ok(self.all.iter().all(|v| v.is_finite()));
        }
        let whole = self.inner.linear() == self.linear;
        if whole && self.inner.linearize_linear(&self.all, f, &mut self.joint)? {
            if !self.joint.factor.iter().all(|v| v.is_finite()) {
                return Ok(false);
            }
            self.split.of_linear(&self.joint, &self.linear);
        } else {
            let (_, linearized) = self.inner.compare(&self.all, None, f, Some(&mut self.joint))?;
            if !linearized {
                self.inner.linearize(&self.all, f, &mut self.joint)?;
            }
            if !self.joint.factor.iter().all(|v| v.is_finite()) {
                return Ok(false);
            }
            self.split.of(&self.joint, &self.linear, &self.others);
        }
        self.split.shift(&mut self.all, &mut self.scratch);
        Ok(self.all.iter().all(|v| v.is_finite()))
    }

    /// Remembers the linearization in `joint` as that of `x`, and projects it.
    fn keep(&mut self, x: &[f64], out: &mut Linearization) {
        let mut kept = if self.known.len() < REMEMBERED {
            Known::default()
        } else {
            self.known.pop().unwrap_or_default()
        };
        kept.x.clear();
        kept.x.extend_from_slice(x);
        kept.all.clone_from(&self.all);
        std::mem::swap(&mut kept.joint, &mut self.joint);
        kept.split.of(&kept.joint, &self.linear, &self.others);
        kept.split.project(&kept.joint, &self.others, out, &mut self.scratch);
        self.known.insert(0, kept);
    }

    /// The point `x`, linearized (again, if it was forgotten).
    fn recall(&mut self, x: &[f64], f: &[f64]) -> Result<usize, Failure> {
        if let Some(k) = self.known.iter().position(|k| k.x == x) {
            return Ok(k);
        }
        let mut again = f.to_vec();
        self.solve_linear(x, &mut again)?;
        self.inner.linearize(&self.all, f, &mut self.joint)?;
        self.keep(x, &mut Linearization::default());
        Ok(0)
    }
}

impl Evaluate for Projected<'_> {
    fn n_params(&self) -> usize {
        self.others.len()
    }

    fn n_residuals(&self) -> usize {
        self.inner.n_residuals()
    }

    fn n_kept(&self) -> usize {
        self.inner.n_kept()
    }

    fn beside(&mut self, f: &[f64], g: &[f64]) -> Result<Beside, Failure> {
        self.inner.beside(f, g)
    }

    fn residuals(&mut self, x: &[f64], f: &mut [f64]) -> Result<(), Failure> {
        self.compare(x, None, f, None).map(|_| ())
    }

    fn compare(
        &mut self,
        x: &[f64],
        before: Option<&[f64]>,
        f: &mut [f64],
        out: Option<&mut Linearization>,
    ) -> Result<(Reduction, bool), Failure> {
        if !self.solve_linear(x, f)? {
            let lost = f64::NAN;
            f.fill(lost);
            return Ok((Reduction { actual: lost, total: lost, ..Reduction::default() }, false));
        }
        let wanted = out.is_some().then_some(&mut self.joint);
        let (change, linearized) = self.inner.compare(&self.all, before, f, wanted)?;
        if let (true, Some(out)) = (linearized, out) {
            self.keep(x, out);
        }
        Ok((change, linearized))
    }

    fn linearize(&mut self, x: &[f64], f: &[f64], out: &mut Linearization) -> Result<(), Failure> {
        if self.pick(&self.all) != x {
            let mut again = f.to_vec();
            self.solve_linear(x, &mut again)?;
        }
        self.inner.linearize(&self.all, f, &mut self.joint)?;
        self.keep(x, out);
        Ok(())
    }

    /// The linear parameters follow the direction to first order; what they could still take off is projected out.
    fn curvature_along(&mut self, x: &[f64], f: &[f64], v: &[f64], out: &mut [f64]) -> Result<bool, Failure> {
        let k = self.recall(x, f)?;
        let Known { all, split, .. } = &self.known[k];
        let mut along = vec![0.0; all.len()];
        self.others.iter().zip(v).for_each(|(&j, &v)| along[j] = v);
        for (l, &j) in split.kept.iter().enumerate() {
            along[j] = -dot(split.slopes(l), v);
        }
        let mut push = vec![0.0; all.len()];
        let found = self.inner.curvature_along(all, f, &along, &mut push)?;
        split.reduce(&push, &self.others, out);
        Ok(found)
    }

    /// What makes Rnn'Rnn the Schur complement of the joint Hessian, S its part of second derivatives:
    /// Snn - Snc A - A'Scn - W'W with A = Rcc^-1 Rcn and W = Rcc^-T Scn.
    fn residual_hessian(&mut self, x: &[f64], f: &[f64], out: &mut [f64]) -> Result<bool, Failure> {
        let k = self.recall(x, f)?;
        let Known { all, split, .. } = &self.known[k];
        let (n, p) = (all.len(), self.others.len());
        let mut s = vec![0.0; n * n];
        if !self.inner.residual_hessian(all, f, &mut s)? {
            return Ok(false);
        }
        let cross: Vec<Vec<f64>> =
            self.others.iter().map(|&j| split.kept.iter().map(|&l| s[l * n + j]).collect()).collect();
        let half: Vec<Vec<f64>> = cross.iter().map(|column| split.solve_transposed(column)).collect();
        for i in 0..p {
            for j in 0..p {
                let direct = s[self.others[i] * n + self.others[j]];
                let mixed: f64 = (0..split.kept.len())
                    .map(|l| cross[i][l] * split.slopes(l)[j] + cross[j][l] * split.slopes(l)[i])
                    .sum();
                out[i * p + j] = direct - mixed - dot(&half[i], &half[j]);
            }
        }
        Ok(true)
    }

    fn widen(&self, x: &[f64], out: &mut Vec<f64>) {
        out.clear();
        out.extend_from_slice(&self.all);
        if let Some(known) = self.known.iter().find(|k| k.x == x) {
            out.copy_from_slice(&known.all);
        }
        self.others.iter().zip(x).for_each(|(&j, &value)| out[j] = value);
    }

    fn n_all(&self) -> usize {
        self.all.len()
    }

    /// D is zero for the projected parameters: nothing limits their steps.
    fn widen_model(&self, x: &[f64], d: &[f64], factor: &[f64], out: &mut Vec<f64>) {
        let Some(known) = self.known.iter().find(|k| k.x == x) else {
            return out.resize(out.len() + 2 * self.all.len() + factor.len(), f64::NAN);
        };
        out.extend_from_slice(&known.all);
        let at = out.len();
        out.resize(at + self.all.len(), 0.0);
        self.others.iter().zip(d).for_each(|(&j, &d)| out[at + j] = d);
        out.extend_from_slice(&known.joint.factor);
    }
}
