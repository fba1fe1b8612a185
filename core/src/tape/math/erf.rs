//! The error function and its complements.

use super::coefficients::{ERF, ERFCX};
use super::exp::exp_dd;
use super::{ma, pick, poly, two_prod, with_sign};
use core::f64::consts::FRAC_1_SQRT_2;

/// exp(x^2) erfc(x) for x >= 0: one polynomial in (x-4)/(x+4) over (1 + 2x) for the whole half line
/// (the variable of Shepherd and Laframboise, 1981).
#[inline(always)]
fn scaled<const F: bool>(ax: f64) -> f64 {
    let q = 1.0 - 8.0 / (ax + 4.0); // finite at infinity
    let d = 0.5 + ax;
    let lost = (0.5 - (d - ax)) / d;
    let r = (0.5 + 0.5 * poly::<F, 27>(&ERFCX, q)) / d;
    pick(ax < 1e15, ma::<F>(-r, lost, r), r)
}

/// erfc(x) for x >= 0.
#[inline(always)]
fn tail<const F: bool>(ax: f64) -> f64 {
    let a = pick(ax > 28.0, 28.0, ax); // erfc(28) underflows
    let (hi, lo) = two_prod::<F>(a, a);
    exp_dd::<F>(-hi, -lo, 0) * scaled::<F>(a)
}

#[inline(always)]
fn near_zero<const F: bool>(x: f64) -> f64 {
    ma::<F>(x, poly::<F, 14>(&ERF, x * x), x)
}

#[inline(always)]
pub(crate) fn erf<const F: bool>(x: f64) -> f64 {
    let ax = x.abs();
    let r = pick(ax < 1.0, near_zero::<F>(ax), 1.0 - tail::<F>(ax));
    pick(x.is_nan(), x, with_sign(r, x))
}

#[inline(always)]
pub(crate) fn erfc<const F: bool>(x: f64) -> f64 {
    let ax = x.abs();
    let far = tail::<F>(ax);
    let r = pick(x < 0.0, 2.0 - far, far);
    pick(ax < 0.25, 1.0 - near_zero::<F>(x), r)
}

#[inline(always)]
pub(crate) fn erfcx<const F: bool>(x: f64) -> f64 {
    let ax = x.abs();
    let a = pick(ax > 27.0, 27.0, ax);
    let (hi, lo) = two_prod::<F>(a, a);
    let square = exp_dd::<F>(hi, lo, 0);
    let far = scaled::<F>(ax);
    let r = pick(x < 0.0, 2.0 * square - far, far);
    pick(ax < 0.5, square * (1.0 - near_zero::<F>(x)), r) // the polynomial of the tail is at its worst there
}

/// The normal distribution function, erfc(-x / sqrt 2) / 2.
#[inline(always)]
pub(crate) fn ndtr<const F: bool>(x: f64) -> f64 {
    0.5 * erfc::<F>(-x * FRAC_1_SQRT_2)
}
