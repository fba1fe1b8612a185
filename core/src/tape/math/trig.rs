//! Sine, cosine, tangent.

use super::coefficients::{COS, PIO2_1, PIO2_2, PIO2_3, PIO2_4, SIN};
use super::exp::MAGIC;
use super::{fast_two_sum, ma, pick, poly, two_sum};
use core::f64::consts::FRAC_2_PI;

/// Largest |x| the three-part reduction serves; block kernels hand larger ones to libm, lane by lane.
pub(crate) const TRIG_MAX: f64 = 1.0e6;

/// (sin r, cos r, q) with x = q pi/2 + r, |r| <= pi/4; q stands in the low two bits.
#[inline(always)]
fn sin_cos<const F: bool>(x: f64) -> (f64, f64, u64) {
    let t = ma::<F>(x, FRAC_2_PI, MAGIC);
    let n = t - MAGIC;
    let a = ma::<F>(n, -PIO2_1, x); // exact, as n * PIO2_1 is
    let (s, e) = two_sum(a, -(n * PIO2_2));
    let lo = ma::<F>(n, -PIO2_4, ma::<F>(n, -PIO2_3, e));
    let (r, tail) = fast_two_sum(s, lo);
    let z = r * r;
    let sin = r + ma::<F>(z * r, poly::<F, 6>(&SIN, z), ma::<F>(-0.5 * z, tail, tail));
    let half = 0.5 * z;
    let (w, lost) = fast_two_sum(1.0, -half);
    let cos = w + (lost + ma::<F>(z * z, poly::<F, 6>(&COS, z), -(r * tail)));
    (sin, cos, t.to_bits())
}

#[inline(always)]
fn turned(r: f64, q: u64) -> f64 {
    f64::from_bits(r.to_bits() ^ ((q & 2) << 62))
}

#[inline(always)]
pub(crate) fn sin<const F: bool>(x: f64) -> f64 {
    let (s, c, q) = sin_cos::<F>(x);
    pick(x == 0.0, x, turned(pick(q & 1 != 0, c, s), q)) // keeps the sign of zero
}

#[inline(always)]
pub(crate) fn cos<const F: bool>(x: f64) -> f64 {
    let (s, c, q) = sin_cos::<F>(x);
    turned(pick(q & 1 != 0, s, c), q.wrapping_add(1))
}

#[inline(always)]
pub(crate) fn tan<const F: bool>(x: f64) -> f64 {
    let (s, c, q) = sin_cos::<F>(x);
    let odd = q & 1 != 0;
    let r = pick(odd, -c, s) / pick(odd, s, c);
    pick(x == 0.0, x, r)
}
