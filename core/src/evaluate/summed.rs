//! Long data: all that is known of a point are sums over the rows. Residuals are made again wherever they are needed,
//! and what is kept of a point are its parameters.
//!
//! Who makes the sums is left open: threads over rows in memory or read block by block (`stream`), or workers elsewhere
//! who each sum up a part, the parts being added in a tree.

use super::reduction::Reduction;
use super::{Beside, Evaluate, Failure, Linearization};
use crate::cost;
use crate::linear::gram;
use crate::loss::Part;
use crate::tape::Level;

/// What is to be summed up over all rows at a point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Wanted<'a> {
    /// The reduction of the cost from the point `before` (else from zero change), and with `linearize` [J f].
    Compare { before: Option<&'a [f64]>, linearize: bool },
    /// [J f] of some of the parameters alone.
    Some(&'a [usize]),
    /// [J f] with rows that are a part of the curvature of the cost.
    Part(Part),
    /// J'f_vv, in place of the gradient.
    Curvature(&'a [f64]),
    /// sum slope_i H_i.
    Hessian,
    /// The change of the residuals from those at another point.
    Beside(&'a [f64]),
}

/// Sums over rows; which of them are made depends on what is wanted.
#[derive(Clone, Debug, Default)]
pub struct Sums {
    pub linearization: Linearization,
    pub change: Reduction,
    pub beside: Beside,
    /// p x p.
    pub hessian: Vec<f64>,
    /// In place of the factor stand the products of the columns of [J f].
    pub multiplied: bool,
}

impl Sums {
    /// All at zero, as wide as is wanted where there are n free parameters.
    pub fn reset(&mut self, wanted: &Wanted, n: usize) {
        match wanted {
            Wanted::Some(picked) => self.linearization.reset(picked.len()),
            Wanted::Compare { linearize: true, .. } | Wanted::Part(_) | Wanted::Curvature(_) => {
                self.linearization.reset(n);
            }
            _ => self.linearization.reset(0),
        }
        (self.change, self.beside) = (Reduction::default(), Beside::default());
        self.hessian.clear();
        self.hessian.resize(if *wanted == Wanted::Hessian { n * n } else { 0 }, 0.0);
    }

    /// Adds the sums of other rows.
    pub fn add(&mut self, other: &Sums, scratch: &mut Vec<f64>) {
        if self.multiplied {
            self.linearization.add_products(&other.linearization);
        } else {
            self.linearization.add(Level::best(), &other.linearization, scratch);
        }
        self.change.add(&other.change);
        self.beside.along += other.beside.along;
        self.beside.squares += other.beside.squares;
        self.hessian.iter_mut().zip(&other.hessian).for_each(|(a, b)| *a += b);
    }
}

impl Linearization {
    fn add_products(&mut self, other: &Linearization) {
        self.factor.iter_mut().zip(&other.factor).for_each(|(a, b)| *a += b);
        self.rounding.iter_mut().zip(&other.rounding).for_each(|(a, b)| *a += b);
    }

    /// Makes gradient and factor of the products; false where the factor has too few digits.
    pub(super) fn settle_products(&mut self) -> bool {
        let p = self.gradient.len();
        for j in 0..p {
            self.gradient[j] = self.factor[j * (p + 1) + p];
        }
        gram::factor(&mut self.factor)
    }
}

/// Whoever goes over all rows.
pub trait Pass {
    fn n_params(&self) -> usize;
    fn n_residuals(&self) -> usize;
    /// Which second derivatives can be had: along a direction, and all.
    fn is_curved(&self) -> (bool, bool);
    fn cost(&self) -> Option<&cost::Cost>;
    /// False: the model refuses `x`, or the point wanted beside it.
    fn sum(&mut self, x: &[f64], wanted: Wanted, out: &mut Sums) -> Result<bool, Failure>;
}

/// A problem known by sums over its rows.
pub struct Summed<P> {
    pass: P,
    linear: Vec<usize>,
    sums: Sums,
}

impl<P: Pass> Summed<P> {
    /// `linear` parameters may be projected out.
    pub fn new(pass: P, linear: Vec<usize>) -> Self {
        Summed { pass, linear, sums: Sums::default() }
    }

    /// The sums at `x`, with the linearization made straight into `out`.
    fn sum(&mut self, x: &[f64], wanted: Wanted, out: Option<&mut Linearization>) -> Result<bool, Failure> {
        let Some(out) = out else { return self.pass.sum(x, wanted, &mut self.sums) };
        std::mem::swap(out, &mut self.sums.linearization);
        let found = self.pass.sum(x, wanted, &mut self.sums);
        std::mem::swap(out, &mut self.sums.linearization);
        found
    }
}

impl<P: Pass> Evaluate for Summed<P> {
    fn n_params(&self) -> usize {
        self.pass.n_params()
    }

    fn n_residuals(&self) -> usize {
        self.pass.n_residuals()
    }

    fn n_kept(&self) -> usize {
        self.pass.n_params()
    }

    fn residuals(&mut self, x: &[f64], f: &mut [f64]) -> Result<(), Failure> {
        f.copy_from_slice(x);
        Ok(())
    }

    fn compare(
        &mut self,
        x: &[f64],
        before: Option<&[f64]>,
        f: &mut [f64],
        out: Option<&mut Linearization>,
    ) -> Result<(Reduction, bool), Failure> {
        f.copy_from_slice(x);
        let linearize = out.is_some();
        if self.sum(x, Wanted::Compare { before, linearize }, out)? {
            return Ok((self.sums.change, linearize));
        }
        let lost = f64::NAN;
        Ok((Reduction { actual: lost, total: lost, ..Reduction::default() }, false))
    }

    fn linearize(&mut self, x: &[f64], _: &[f64], out: &mut Linearization) -> Result<(), Failure> {
        if !self.sum(x, Wanted::Compare { before: None, linearize: true }, Some(&mut *out))? {
            out.reset(x.len());
            out.factor.fill(f64::NAN);
        }
        Ok(())
    }

    fn curvature_along(&mut self, x: &[f64], _: &[f64], v: &[f64], out: &mut [f64]) -> Result<bool, Failure> {
        if !self.pass.is_curved().0 || !self.sum(x, Wanted::Curvature(v), None)? {
            return Ok(false);
        }
        out.copy_from_slice(&self.sums.linearization.gradient);
        Ok(true)
    }

    fn residual_hessian(&mut self, x: &[f64], f: &[f64], out: &mut [f64]) -> Result<bool, Failure> {
        if !self.pass.is_curved().1 || !self.sum(x, Wanted::Hessian, None)? {
            return Ok(false);
        }
        out.copy_from_slice(&self.sums.hessian);
        self.subtract_excess(x, f, out)?;
        Ok(true)
    }

    fn beside(&mut self, f: &[f64], g: &[f64]) -> Result<Beside, Failure> {
        let lost = Beside { along: f64::NAN, squares: f64::NAN };
        Ok(if self.sum(g, Wanted::Beside(f), None)? { self.sums.beside } else { lost })
    }

    fn has_edge(&self) -> bool {
        self.pass.cost().is_some_and(cost::Cost::has_edge)
    }

    fn subtract_excess(&mut self, x: &[f64], _: &[f64], out: &mut [f64]) -> Result<(), Failure> {
        let Some(cost) = self.pass.cost() else { return Ok(()) };
        let parts = [(Part::Excess, -1.0), (Part::Shortfall, 1.0)];
        for (part, sign) in &parts[..if cost.has_shortfall() { 2 } else { 1 }] {
            if self.sum(x, Wanted::Part(*part), None)? {
                cost::add_gram(*sign, &self.sums.linearization.factor, out);
            }
        }
        Ok(())
    }

    fn linear(&self) -> &[usize] {
        &self.linear
    }

    fn linearize_linear(
        &mut self,
        x: &[f64],
        f: &mut [f64],
        out: &mut Linearization,
    ) -> Result<bool, Failure> {
        f.copy_from_slice(x);
        let picked = std::mem::take(&mut self.linear);
        let found = self.sum(x, Wanted::Some(&picked), Some(out));
        self.linear = picked;
        found
    }
}
