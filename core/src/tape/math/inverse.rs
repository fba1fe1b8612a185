//! Inverse trigonometric functions.

use super::coefficients::{ASIN, ATAN, FRAC_PI_2_TAIL, FRAC_PI_4_TAIL, PI_TAIL};
use super::{ma, pick, poly, with_sign};
use core::f64::consts::{FRAC_PI_2, FRAC_PI_4, PI, SQRT_2};

/// Angle of (b, a) for a, b >= 0, as hi + lo.
#[inline(always)]
fn angle<const F: bool>(a: f64, b: f64) -> (f64, f64) {
    const T: f64 = SQRT_2 - 1.0; // tan(pi/8)
    let (mid, high) = (a > T * b, T * a > b);
    // arctan(a/b) = base + arctan(t), |t| <= tan(pi/8)
    let num = pick(high, -b, pick(mid, a - b, a));
    let den = pick(high, a, pick(mid, a + b, b));
    let base = pick(high, FRAC_PI_2, pick(mid, FRAC_PI_4, 0.0));
    let base_tail = pick(high, FRAC_PI_2_TAIL, pick(mid, FRAC_PI_4_TAIL, 0.0));
    let t = num / den;
    let z = t * t;
    let rest = ma::<F>(t * z, poly::<F, 14>(&ATAN, z), base_tail);
    let hi = base + t;
    (hi, (t - (hi - base)) + rest)
}

#[inline(always)]
pub(crate) fn arctan<const F: bool>(x: f64) -> f64 {
    let (hi, lo) = angle::<F>(x.abs(), 1.0);
    pick(x.is_nan(), x, with_sign(hi + lo, x))
}

#[inline(always)]
pub(crate) fn arctan2<const F: bool>(y: f64, x: f64) -> f64 {
    let (ay, ax) = (y.abs(), x.abs());
    let both = ((ay == f64::INFINITY) & (ax == f64::INFINITY)) | ((ay == 0.0) & (ax == 0.0));
    let diagonal = pick(ay == 0.0, 0.0, 1.0);
    // away from overflow of the sum and from subnormal quotients
    let s = pick((ay > 1e300) | (ax > 1e300), 1e-30, 1.0);
    let s = pick((ay < 1e-250) & (ax < 1e-250), 1e50, s);
    let (hi, lo) = angle::<F>(pick(both, diagonal, ay * s), pick(both, 1.0, ax * s));
    let left = x.to_bits() >> 63 != 0;
    let r = pick(left, (PI - hi) + (((PI - (PI - hi)) - hi) + (PI_TAIL - lo)), hi + lo);
    pick(x.is_nan() | y.is_nan(), x + y, with_sign(r, y))
}

/// arcsin of |x| folded: p = arcsin(w) with w = |x| up to 1/2, else sqrt((1-|x|)/2), as (w, rest).
#[inline(always)]
fn folded<const F: bool>(ax: f64) -> (f64, f64) {
    let high = ax > 0.5;
    let z = pick(high, 0.5 * (1.0 - ax), ax * ax);
    let root = z.sqrt();
    let w = pick(high, root, ax);
    // what the square root lost
    let lost = if F { (-root).mul_add(root, z) } else { z - root * root };
    let c = pick(high & (root > 0.0), lost / (2.0 * root), 0.0);
    (w, ma::<F>(w * z, poly::<F, 15>(&ASIN, z), c))
}

#[inline(always)]
pub(crate) fn arcsin<const F: bool>(x: f64) -> f64 {
    let ax = x.abs();
    let (w, rest) = folded::<F>(ax);
    let high = FRAC_PI_4 - (2.0 * w - FRAC_PI_4) + (FRAC_PI_2_TAIL - 2.0 * rest);
    let r = with_sign(pick(ax > 0.5, high, w + rest), x);
    pick(ax <= 1.0, r, pick(x.is_nan(), x, f64::NAN))
}

#[inline(always)]
pub(crate) fn arccos<const F: bool>(x: f64) -> f64 {
    let ax = x.abs();
    let (w, rest) = folded::<F>(ax);
    let signed = |v: f64| pick(x < 0.0, -v, v);
    let low = FRAC_PI_2 - (signed(w) - (FRAC_PI_2_TAIL - signed(rest)));
    let near_one = 2.0 * (w + rest);
    let near_minus_one = 2.0 * (FRAC_PI_2 - (w - (FRAC_PI_2_TAIL - rest)));
    let r = pick(ax > 0.5, pick(x < 0.0, near_minus_one, near_one), low);
    pick(ax <= 1.0, r, pick(x.is_nan(), x, f64::NAN))
}
