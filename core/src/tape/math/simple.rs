//! Functions of a few instructions, with NumPy's conventions.

use super::{ma, pick, with_sign};

#[inline(always)]
pub(crate) fn truth(c: bool) -> f64 {
    pick(c, 1.0, 0.0)
}

/// -1, 0 or 1; NaN stays.
#[inline(always)]
pub(crate) fn sign(x: f64) -> f64 {
    pick(x > 0.0, 1.0, pick(x < 0.0, -1.0, pick(x == 0.0, 0.0, x)))
}

/// NaN in either argument wins.
#[inline(always)]
pub(crate) fn minimum(x: f64, y: f64) -> f64 {
    pick((x < y) | x.is_nan(), x, y)
}

#[inline(always)]
pub(crate) fn maximum(x: f64, y: f64) -> f64 {
    pick((x > y) | x.is_nan(), x, y)
}

#[inline(always)]
pub(crate) fn heaviside(x: f64, at_zero: f64) -> f64 {
    pick(x > 0.0, 1.0, pick(x < 0.0, 0.0, pick(x == 0.0, at_zero, x)))
}

/// Nearest integer, ties to even, without the SSE4.1 instruction the baseline lacks.
#[inline(always)]
pub(crate) fn rint(x: f64) -> f64 {
    const TWO_52: f64 = 4503599627370496.0;
    let ax = x.abs();
    pick(ax < TWO_52, with_sign((ax + TWO_52) - TWO_52, x), x)
}

#[inline(always)]
pub(crate) fn floor(x: f64) -> f64 {
    let r = rint(x);
    with_sign(pick(r > x, r - 1.0, r), x)
}

#[inline(always)]
pub(crate) fn ceil(x: f64) -> f64 {
    let r = rint(x);
    with_sign(pick(r < x, r + 1.0, r), x)
}

#[inline(always)]
pub(crate) fn trunc(x: f64) -> f64 {
    with_sign(floor(x.abs()), x)
}

/// sqrt(x^2 + y^2), scaled where the squares would overflow or underflow.
#[inline(always)]
pub(crate) fn hypot<const F: bool>(x: f64, y: f64) -> f64 {
    const UP: f64 = f64::from_bits((1023 + 600) << 52); // 2^600
    const DOWN: f64 = f64::from_bits((1023 - 600) << 52);
    let (ax, ay) = (x.abs(), y.abs());
    let (big, small) = (pick(ax > ay, ax, ay), pick(ax > ay, ay, ax));
    let (s, back) = (
        pick(big > 1e150, DOWN, pick(big < 1e-140, UP, 1.0)),
        pick(big > 1e150, UP, pick(big < 1e-140, DOWN, 1.0)),
    );
    let (a, b) = (big * s, small * s);
    let r = ma::<F>(a, a, b * b).sqrt() * back;
    pick((ax == f64::INFINITY) | (ay == f64::INFINITY), f64::INFINITY, r)
}
