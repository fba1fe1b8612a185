//! Counts: rows of a likelihood as rows of least squares, and their part of the deviance, for a group of fits.

use pulp::{Simd, WithSimd};

use super::{Row, WIDTH};
use crate::likelihood::Family;
use crate::tape::math::log::log1p;
use crate::tape::{Column, has_fma};

/// Room for the rows of a block.
#[derive(Default)]
pub(super) struct Rows {
    /// Square root of Fisher's curvature: times it f is Pearson's residual, and a derivative a row of J whose products
    /// are the gradient of the cost and Fisher's matrix.
    pub root: Column,
    /// Half the deviance of each row: infinite where the model is no mean.
    pub terms: Column,
}

/// Fills `rows`, and Pearson's residuals, over the first `n` numbers.
///
/// A mean of zero where nothing was counted is allowed by the likelihood, but has no curvature: infinite here, so that
/// such fits go to the QR path.
pub(super) struct Deviance<'a> {
    pub family: Family,
    pub model: &'a Column,
    pub y: &'a Column,
    /// How often each row counts, or its trials.
    pub cases: Option<&'a Column>,
    pub n: usize,
    pub residuals: &'a mut Column,
    pub rows: &'a mut Rows,
}

impl WithSimd for Deviance<'_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        match (self.family, has_fma::<S>()) {
            (Family::Poisson, true) => self.fill::<false, true>(),
            (Family::Poisson, false) => self.fill::<false, false>(),
            (Family::Binomial, true) => self.fill::<true, true>(),
            (Family::Binomial, false) => self.fill::<true, false>(),
        }
    }
}

impl Deviance<'_> {
    /// One output to a loop, as in the kernels of the tape.
    #[inline(always)]
    fn fill<const BINOMIAL: bool, const F: bool>(self) {
        let Deviance { model, y, cases, n, residuals, rows, .. } = self;
        let (root, terms) = (&mut rows.root.0[..n], &mut rows.terms.0[..n]);
        let (model, y, cases) = (&model.0[..n], &y.0[..n], cases.map(|w| &w.0[..n]));
        each(
            terms,
            model,
            y,
            cases,
            #[inline(always)]
            |mu, y, w| w * term::<BINOMIAL, F>(mu, y),
        );
        each(
            root,
            model,
            y,
            cases,
            #[inline(always)]
            |mu, _, w| (w * curvature::<BINOMIAL>(mu)).sqrt(),
        );
        for (((r, root), mu), y) in residuals.0[..n].iter_mut().zip(&*root).zip(model).zip(y) {
            *r = if *root == 0.0 { 0.0 } else { (mu - y) * root };
        }
    }
}

/// `f` of mean, response and cases; zero where nothing counts.
#[inline(always)]
fn each(to: &mut [f64], mu: &[f64], y: &[f64], cases: Option<&[f64]>, f: impl Fn(f64, f64, f64) -> f64) {
    let rows = to.iter_mut().zip(mu).zip(y);
    // Plain loops: a fold of the iterator is left as a function, compiled for the baseline
    // with a call for each multiply-add (a spot of 15 x 15 pixels: 41 us instead of 6.4).
    match cases {
        None => {
            for ((to, &mu), &y) in rows {
                *to = f(mu, y, 1.0);
            }
        }
        Some(cases) => {
            for (((to, &mu), &y), &w) in rows.zip(cases) {
                let value = f(mu, y, w);
                *to = if w == 0.0 { 0.0 } else { value };
            }
        }
    }
}

/// Fisher's: what the second derivative of a term is expected to be.
#[inline(always)]
fn curvature<const BINOMIAL: bool>(mu: f64) -> f64 {
    if BINOMIAL { 1.0 / mu + 1.0 / (1.0 - mu) } else { 1.0 / mu }
}

/// Half the deviance of a row.
#[inline(always)]
fn term<const BINOMIAL: bool, const F: bool>(mu: f64, y: f64) -> f64 {
    let f = mu - y;
    let (mut term, mut mean) = (half::<F>(y, f), mu > 0.0);
    if BINOMIAL {
        term += half::<F>(1.0 - y, -f);
        mean &= mu < 1.0;
    }
    if mean { term } else { f64::INFINITY }
}

/// f - y log(1 + f/y).
#[inline(always)]
fn half<const F: bool>(y: f64, f: f64) -> f64 {
    let none = y == 0.0;
    let v = f / if none { 1.0 } else { y };
    let inside = y * (v - log1p::<F>(v));
    if none { f } else { inside }
}

/// Adds the terms of a block to the costs of the fits.
pub(super) struct Total<'a> {
    pub terms: &'a Column,
    pub points: usize,
    pub cost: &'a mut Row,
}

impl WithSimd for Total<'_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Total { terms, points, cost } = self;
        for terms in terms.0[..points * WIDTH].chunks_exact(WIDTH) {
            cost.0.iter_mut().zip(terms).for_each(|(cost, term)| *cost += term);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_those_of_the_likelihood() {
        for (mu, y) in [(0.3, 0.0), (2.5, 4.0), (1e4 + 60.0, 1e4), (3.0, 3.0)] {
            check(Family::Poisson, curvature::<false>(mu), term::<false, true>(mu, y), mu, y);
        }
        for (mu, y) in [(0.3, 0.0), (0.6, 1.0), (0.75, 0.25)] {
            check(Family::Binomial, curvature::<true>(mu), term::<true, false>(mu, y), mu, y);
        }
        assert_eq!(term::<false, true>(-1.0, 3.0), f64::INFINITY);
        assert_eq!(term::<true, true>(1.5, 0.5), f64::INFINITY);
    }

    fn check(family: Family, curvature: f64, term: f64, mu: f64, y: f64) {
        let f = mu - y;
        let near = |a: f64, b: f64| (a - b).abs() <= 1e-13 * (1e-3 + b.abs());
        assert!(near(term, 0.5 * family.term(y, f, 1.0)), "{family:?} {mu} {y} {term}");
        assert!(near(curvature, family.curvature(y, f, 1.0)), "{family:?} {mu} {y} {curvature}");
        assert!(near(curvature * f, family.slope(y, f, 1.0)), "{family:?} {mu} {y}");
    }
}
