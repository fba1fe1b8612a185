//! Logarithms and powers.

use super::coefficients::{LN2_HI, LN2_LO, LOG, LOG_DD, LOG2_E_TAIL, LOG10_E_TAIL, TWO_THIRDS_TAIL};
use super::exp::exp_dd;
use super::{fast_two_sum, ma, pick, poly, two_prod};
use core::f64::consts::{LOG2_E, LOG10_E};

const TWO_52: f64 = 4503599627370496.0;

/// x = 2^k m with m in [sqrt(1/2), sqrt(2)), subnormal x included; x must be positive.
#[inline(always)]
fn split(x: f64) -> (f64, f64) {
    const OFFSET: u64 = 0x3fe6_a09e_667f_3bcd; // bits of sqrt(1/2)
    let subnormal = x < f64::MIN_POSITIVE;
    let y = pick(subnormal, x * 18014398509481984.0, x); // 2^54
    let u = y.to_bits().wrapping_sub(OFFSET).wrapping_add(1024 << 52);
    let k = f64::from_bits((u >> 52) | 0x4330_0000_0000_0000) - (TWO_52 + 1024.0);
    let m = f64::from_bits((u & 0x000f_ffff_ffff_ffff).wrapping_add(OFFSET));
    (pick(subnormal, k - 54.0, k), m)
}

/// Zero, negative numbers, infinity and NaN.
#[inline(always)]
fn special(x: f64, r: f64) -> f64 {
    let r = pick(x == 0.0, f64::NEG_INFINITY, r);
    let r = pick(x < 0.0, f64::NAN, r);
    pick(x < f64::INFINITY, r, x)
}

/// k ln 2 + log(1 + f) + c.
#[inline(always)]
fn log_sum<const F: bool>(k: f64, f: f64, c: f64) -> f64 {
    let s = f / (2.0 + f);
    let z = s * s;
    let h = 0.5 * f * f; // log(1+f) = f - (h - s (h + z P)): f itself is exact
    let tail = ma::<F>(s, ma::<F>(z, poly::<F, 8>(&LOG, z), h), ma::<F>(k, LN2_LO, c));
    ma::<F>(k, LN2_HI, f - (h - tail))
}

#[inline(always)]
pub(crate) fn log<const F: bool>(x: f64) -> f64 {
    let (k, m) = split(x);
    special(x, log_sum::<F>(k, m - 1.0, 0.0))
}

/// log(u) with u = 1 + x, corrected for the rounding of u.
#[inline(always)]
pub(crate) fn log1p<const F: bool>(x: f64) -> f64 {
    let u = 1.0 + x;
    let (k, m) = split(u);
    let c = pick(u >= 2.0, 1.0 - (u - x), x - (u - 1.0)) / u;
    let r = special(u, log_sum::<F>(k, m - 1.0, c));
    pick(x.abs() < 1e-16, x, r) // keeps -0 and subnormal numbers
}

/// log(x) as hi + lo, relative error about 2^-64; x positive and finite.
#[inline(always)]
fn log_dd<const F: bool>(x: f64) -> (f64, f64) {
    let (k, m) = split(x);
    let f = m - 1.0;
    let d = 2.0 + f; // rounded: what is lost goes into the remainder
    let dl = f - (d - 2.0);
    let rd = 1.0 / d;
    let s = f * rd;
    let (ph, pl) = two_prod::<F>(s, d);
    let sl = (((f - ph) - pl) - s * dl) * rd; // s + sl = f / (2 + f)
    let (zh, zl) = two_prod::<F>(s, s);
    let zl = ma::<F>(2.0 * s, sl, zl);
    // log(m) = s (2 + z (2/3 + z P(z))), carried in two parts
    let p = zh * poly::<F, 9>(&LOG_DD, zh);
    let (ch, cl) = fast_two_sum(2.0 / 3.0, p);
    let (qh, ql) = two_prod::<F>(zh, ch);
    let ql = ma::<F>(zh, cl + TWO_THIRDS_TAIL, ma::<F>(zl, ch, ql));
    let (gh, gl) = fast_two_sum(2.0, qh);
    let (lh, ll) = two_prod::<F>(s, gh);
    let ll = ma::<F>(s, gl + ql, ma::<F>(sl, gh, ll));
    let (hi, lo) = fast_two_sum(k * LN2_HI, lh); // the product is exact
    (hi, lo + ma::<F>(k, LN2_LO, ll))
}

/// log(x) times a constant given in two parts.
#[inline(always)]
fn log_times<const F: bool>(x: f64, c: f64, c_tail: f64) -> f64 {
    let (hi, lo) = log_dd::<F>(x);
    let (p, pl) = two_prod::<F>(hi, c);
    special(x, p + ma::<F>(lo, c, ma::<F>(hi, c_tail, pl)))
}

#[inline(always)]
pub(crate) fn log2<const F: bool>(x: f64) -> f64 {
    log_times::<F>(x, LOG2_E, LOG2_E_TAIL)
}

#[inline(always)]
pub(crate) fn log10<const F: bool>(x: f64) -> f64 {
    log_times::<F>(x, LOG10_E, LOG10_E_TAIL)
}

/// x^y with the specials of IEEE 754 and C99.
#[inline(always)]
pub(crate) fn pow<const F: bool>(x: f64, y: f64) -> f64 {
    let (lh, ll) = log_dd::<F>(x.abs());
    let (eh, el) = two_prod::<F>(y, lh);
    let el = pick(eh.abs() < 746.0, ma::<F>(y, ll, el), 0.0);
    pow_special(x, y, exp_dd::<F>(eh, el, 0))
}

#[inline(always)]
fn pow_special(x: f64, y: f64, r: f64) -> f64 {
    let (ax, ay) = (x.abs(), y.abs());
    let integer = |v: f64| (v + TWO_52) - TWO_52 == v;
    let whole = integer(ay) | (ay >= TWO_52);
    let odd = whole & (ay < 2.0 * TWO_52) & !(integer(0.5 * ay) | (0.5 * ay >= TWO_52));
    let r = pick(ax == 0.0, pick(y < 0.0, f64::INFINITY, 0.0), r);
    let r = pick(ax == f64::INFINITY, pick(y < 0.0, 0.0, f64::INFINITY), r);
    let r = pick((x < 0.0) & !whole & (ax < f64::INFINITY), f64::NAN, r);
    let r = pick(odd & (x.to_bits() >> 63 != 0), -r, r);
    let at_infinity = pick((ax > 1.0) == (y > 0.0), f64::INFINITY, 0.0);
    let r = pick(ay == f64::INFINITY, pick(ax == 1.0, 1.0, at_infinity), r);
    let r = pick(x.is_nan() | y.is_nan(), x + y, r);
    pick((x == 1.0) | (y == 0.0), 1.0, r)
}

/// x log(y), 0 where x = 0 (unless y is NaN).
#[inline(always)]
pub(crate) fn xlogy<const F: bool>(x: f64, y: f64) -> f64 {
    pick((x == 0.0) & !y.is_nan(), 0.0, x * log::<F>(y))
}

#[inline(always)]
pub(crate) fn xlog1py<const F: bool>(x: f64, y: f64) -> f64 {
    pick((x == 0.0) & !y.is_nan(), 0.0, x * log1p::<F>(y))
}
