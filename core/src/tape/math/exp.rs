//! exp and what is built on it.

use super::coefficients::{EXP, EXPM1, LN_2_TAIL, LN2_HI, LN2_LO, SINH};
use super::{fast_two_sum, ma, pick, poly, two_prod, two_sum, with_sign};
use core::f64::consts::{LN_2, LOG2_E};

/// Adding 1.5 * 2^52 rounds to the nearest integer, which then stands in the low mantissa bits.
/// Works at every level, unlike `round` (SSE4.1) and `as i64` (AVX-512).
pub(crate) const MAGIC: f64 = 6755399441055744.0;

/// p * 2^(n + shift), n the integer in the low bits of t. Two factors, so that results next to overflow and
/// subnormal ones come out right; n + 2048 > 0, hence logical shifts do (AVX2 has no 64-bit arithmetic shift).
#[inline(always)]
fn scale(p: f64, t: f64, shift: i64) -> f64 {
    let k = t.to_bits().wrapping_add((2048 + shift) as u64) & 0xfff;
    let k1 = k >> 1;
    let k2 = k - k1;
    let power = |k: u64| f64::from_bits(k.wrapping_sub(1) << 52); // 2^(k-1024)
    p * power(k1) * power(k2)
}

/// 1 + r + r^2 P(r).
#[inline(always)]
fn kernel<const F: bool>(r: f64) -> f64 {
    1.0 + ma::<F>(r * r, poly::<F, 10>(&EXP, r), r)
}

/// exp(hi + lo) * 2^shift with |lo| tiny; overflow, subnormal results and NaN come out right.
#[inline(always)]
pub(crate) fn exp_dd<const F: bool>(hi: f64, lo: f64, shift: i64) -> f64 {
    let x = pick(hi > 711.0, 711.0, hi); // comparisons keep NaN, `f64::min` would drop it
    let x = pick(x < -746.0, -746.0, x);
    let t = ma::<F>(x, LOG2_E, MAGIC);
    let n = t - MAGIC;
    let r = ma::<F>(n, -LN2_LO, ma::<F>(n, -LN2_HI, x)) + lo;
    scale(kernel::<F>(r), t, shift)
}

#[inline(always)]
pub(crate) fn exp<const F: bool>(x: f64) -> f64 {
    exp_dd::<F>(x, 0.0, 0)
}

#[inline(always)]
pub(crate) fn exp2<const F: bool>(x: f64) -> f64 {
    let y = pick(x > 1025.0, 1025.0, x);
    let y = pick(y < -1080.0, -1080.0, y);
    let t = y + MAGIC;
    let r = y - (t - MAGIC);
    let (hi, lo) = two_prod::<F>(r, LN_2);
    scale(kernel::<F>(hi + (lo + r * LN_2_TAIL)), t, 0)
}

/// expm1(x) as hi + lo for -60 <= x <= 711.
#[inline(always)]
fn expm1_dd<const F: bool>(x: f64) -> (f64, f64) {
    let t = ma::<F>(x, LOG2_E, MAGIC);
    let n = t - MAGIC;
    let r = ma::<F>(n, -LN2_LO, ma::<F>(n, -LN2_HI, x));
    let r2 = r * r;
    let (h, l) = fast_two_sum(r, ma::<F>(r2 * r, poly::<F, 11>(&EXPM1, r), 0.5 * r2));
    // 2^n (1 + h + l) - 1, halved: 2^1024 does not exist
    let half = f64::from_bits(t.to_bits().wrapping_add(1022) << 52);
    let (s, e) = two_sum(half - 0.5, half * h);
    (2.0 * s, 2.0 * ma::<F>(half, l, e))
}

#[inline(always)]
pub(crate) fn expm1<const F: bool>(x: f64) -> f64 {
    let y = pick(x > 711.0, 711.0, x);
    let y = pick(y < -60.0, -60.0, y);
    let (hi, lo) = expm1_dd::<F>(y);
    let r = pick(x > 709.79, f64::INFINITY, hi + lo);
    pick(x.abs() < 1e-16, x, r)
}

/// tanh |x| = e / (e + 2) with e = expm1(2|x|), the division corrected for the low parts.
#[inline(always)]
pub(crate) fn tanh<const F: bool>(x: f64) -> f64 {
    let ax = x.abs();
    let (hi, lo) = expm1_dd::<F>(2.0 * pick(ax > 22.0, 22.0, ax));
    let (d, dl) = two_sum(2.0, hi);
    let reciprocal = 1.0 / d;
    let q = hi * reciprocal;
    let (p, pl) = two_prod::<F>(q, d);
    let r = q + (((hi - p) - pl) + lo - q * (dl + lo)) * reciprocal;
    pick(ax < 1e-8, x, with_sign(r, x))
}

/// Polynomial up to 1, then e^x/2 - e^-x/2.
#[inline(always)]
pub(crate) fn sinh<const F: bool>(x: f64) -> f64 {
    let ax = x.abs();
    let z = x * x;
    let h = exp_dd::<F>(ax, 0.0, -1);
    let r = pick(ax < 1.0, ma::<F>(ax * z, poly::<F, 8>(&SINH, z), ax), h - 0.25 / h);
    pick(x.is_nan(), x, with_sign(r, x))
}

#[inline(always)]
pub(crate) fn cosh<const F: bool>(x: f64) -> f64 {
    let h = exp_dd::<F>(x.abs(), 0.0, -1);
    h + 0.25 / h
}

/// 1 / (1 + exp(-x)), to full relative accuracy on the small side too.
#[inline(always)]
pub(crate) fn expit<const F: bool>(x: f64) -> f64 {
    let e = exp::<F>(-x.abs());
    let r = pick(x < 0.0, e, 1.0) / (1.0 + e);
    pick(x.is_nan(), x, r)
}

/// log(expit(x)) = min(x, 0) - log1p(exp(-|x|)).
#[inline(always)]
pub(crate) fn log_expit<const F: bool>(x: f64) -> f64 {
    let l = super::log::log1p::<F>(exp::<F>(-x.abs()));
    pick(x > 0.0, -l, x - l)
}
