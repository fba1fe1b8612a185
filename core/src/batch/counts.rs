//! Counts: rows of a likelihood as rows of least squares, and their part of the deviance, for a group of fits.

use pulp::{Simd, WithSimd};

use super::Row;
use crate::likelihood::Family;
use crate::tape::math::log::log1p;
use crate::tape::{Real, has_fma};

/// Room for the rows of a block.
#[derive(Default)]
pub(super) struct Rows<T: Real> {
    /// Square root of Fisher's curvature: times it f is Pearson's residual, and a derivative a row of J whose products
    /// are the gradient of the cost and Fisher's matrix.
    pub root: T::Column,
    /// Half the deviance of each row: infinite where the model is no mean.
    pub terms: T::Column,
}

/// Fills `rows`, and Pearson's residuals, over the first `n` numbers.
///
/// A mean of zero where nothing was counted is allowed by the likelihood, but has no curvature: infinite here, so that
/// such fits go to the QR path.
pub(super) struct Deviance<'a, T: Real> {
    pub family: Family,
    pub model: &'a T::Column,
    pub y: &'a T::Column,
    /// How often each row counts, or its trials.
    pub cases: Option<&'a T::Column>,
    pub n: usize,
    pub residuals: &'a mut T::Column,
    pub rows: &'a mut Rows<T>,
}

impl<T: Real> WithSimd for Deviance<'_, T> {
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

impl<T: Real> Deviance<'_, T> {
    /// One output to a loop, as in the kernels of the tape.
    #[inline(always)]
    fn fill<const BINOMIAL: bool, const F: bool>(self) {
        let Deviance { model, y, cases, n, residuals, rows, .. } = self;
        let (root, terms) = (&mut rows.root.as_mut()[..n], &mut rows.terms.as_mut()[..n]);
        let (model, y, cases) = (&model.as_ref()[..n], &y.as_ref()[..n], cases.map(|w| &w.as_ref()[..n]));
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
        for (((r, &root), &mu), &y) in residuals.as_mut()[..n].iter_mut().zip(&*root).zip(model).zip(y) {
            *r = if root == T::default() { root } else { (mu - y) * root };
        }
    }
}

/// `f` of mean, response and cases, worked out in double precision: the deviance of a row is a small difference. Zero
/// where nothing counts.
#[inline(always)]
fn each<T: Real>(to: &mut [T], mu: &[T], y: &[T], cases: Option<&[T]>, f: impl Fn(f64, f64, f64) -> f64) {
    let rows = to.iter_mut().zip(mu).zip(y);
    // Plain loops: a fold of the iterator is left as a function, compiled for the baseline
    // with a call for each multiply-add (a spot of 15 x 15 pixels: 41 us instead of 6.4).
    match cases {
        None => {
            for ((to, &mu), &y) in rows {
                *to = T::of(f(mu.double(), y.double(), 1.0));
            }
        }
        Some(cases) => {
            for (((to, &mu), &y), &w) in rows.zip(cases) {
                let value = T::of(f(mu.double(), y.double(), w.double()));
                *to = if w == T::default() { w } else { value };
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
pub(super) struct Total<'a, T: Real> {
    pub terms: &'a T::Column,
    pub points: usize,
    pub cost: &'a mut Row<T>,
}

impl<T: Real> WithSimd for Total<'_, T> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Total { terms, points, cost } = self;
        for terms in terms.as_ref()[..points * T::WIDTH].chunks_exact(T::WIDTH) {
            cost.iter_mut().zip(terms).for_each(|(cost, &term)| *cost = *cost + term);
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
