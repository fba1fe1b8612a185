//! Branch-free elementary functions for one f64.
//!
//! Each is `#[inline(always)]` and free of calls, tables and branches that cannot become selects, so a plain
//! loop over a slice is vectorized in the function it is inlined into; that function fixes the instruction set.
//! `F` says at compile time whether that set has fused multiply-add.
//! Coefficients come from `core/tools/coefficients.py`; errors are held below 2 ulp by `core/tests/accuracy.rs`.

pub(crate) mod coefficients;
pub(crate) mod erf;
pub(crate) mod exp;
pub(crate) mod inverse;
pub(crate) mod log;
pub(crate) mod rare;
pub(crate) mod simple;
pub(crate) mod trig;

/// a * b + c, fused where the hardware can.
#[inline(always)]
pub(crate) fn ma<const F: bool>(a: f64, b: f64, c: f64) -> f64 {
    if F { a.mul_add(b, c) } else { a * b + c }
}

/// c[0] + c[1] x + ...: even and odd terms in two chains, half as long as one.
#[inline(always)]
pub(crate) fn poly<const F: bool, const N: usize>(c: &[f64; N], x: f64) -> f64 {
    let x2 = x * x;
    let (mut even, mut odd) = (0.0, 0.0);
    for k in (0..N).rev() {
        if k % 2 == 0 {
            even = ma::<F>(even, x2, c[k]);
        } else {
            odd = ma::<F>(odd, x2, c[k]);
        }
    }
    ma::<F>(odd, x, even)
}

/// hi + lo = a * b exactly (barring overflow and underflow).
#[inline(always)]
pub(crate) fn two_prod<const F: bool>(a: f64, b: f64) -> (f64, f64) {
    let p = a * b;
    if F {
        return (p, a.mul_add(b, -p));
    }
    let (ah, bh) = (upper(a), upper(b)); // Dekker (1971): halves multiply exactly
    let (al, bl) = (a - ah, b - bh);
    (p, ((ah * bh - p) + ah * bl + al * bh) + al * bl)
}

/// The leading 26 bits of a.
#[inline(always)]
fn upper(a: f64) -> f64 {
    f64::from_bits(a.to_bits() & 0xffff_ffff_f800_0000)
}

/// hi + lo = a + b exactly (Knuth).
#[inline(always)]
pub(crate) fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let s = a + b;
    let v = s - a;
    (s, (a - (s - v)) + (b - v))
}

/// hi + lo = a + b exactly when |a| >= |b| or a = 0.
#[inline(always)]
pub(crate) fn fast_two_sum(a: f64, b: f64) -> (f64, f64) {
    let s = a + b;
    (s, b - (s - a))
}

/// `magnitude` with the sign bit of `sign`.
#[inline(always)]
pub(crate) fn with_sign(magnitude: f64, sign: f64) -> f64 {
    const SIGN: u64 = 1 << 63;
    f64::from_bits((magnitude.to_bits() & !SIGN) | (sign.to_bits() & SIGN))
}

/// `if c { a } else { b }`, spelled as a function so that it reads as data flow.
#[inline(always)]
pub(crate) fn pick(c: bool, a: f64, b: f64) -> f64 {
    if c { a } else { b }
}
