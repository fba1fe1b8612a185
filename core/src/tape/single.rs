//! Instructions in single precision: those that models are mostly made of have kernels of their own, the others are
//! worked out in double precision and rounded.

use super::math::coefficients::{EXP_SINGLE, LOG_SINGLE};
use super::ops::{self, Op, Operand, light2, light3, map1, spread};
use super::workspace::{BLOCK, Column};

/// As many bytes as a `Column`.
#[derive(Clone)]
#[repr(align(64))]
pub struct SingleColumn([f32; 2 * (BLOCK + 8)]);

impl Default for SingleColumn {
    fn default() -> Self {
        SingleColumn([0.0; 2 * (BLOCK + 8)])
    }
}

impl AsRef<[f32]> for SingleColumn {
    #[inline(always)]
    fn as_ref(&self) -> &[f32] {
        &self.0
    }
}

impl AsMut<[f32]> for SingleColumn {
    #[inline(always)]
    fn as_mut(&mut self) -> &mut [f32] {
        &mut self.0
    }
}

/// Room for operands that are written out, and for operands and results in double precision.
#[derive(Default)]
pub struct SingleRoom {
    operand: SingleColumn,
    double: [Column; 3],
    result: Column,
    spread: [Column; 2],
}

macro_rules! kernels {
    (
        unary { $($u:ident $uf:expr;)* }
        light2 { $($l:ident $lf:expr;)* }
        light3 { $($k:ident $kf:expr;)* }
    ) => {
        /// d = op(a, b, c) over one block.
        #[inline(always)]
        pub(crate) fn apply<const F: bool>(
            op: Op,
            d: &mut [f32],
            [a, b, c]: [Operand<f32>; 3],
            room: &mut SingleRoom,
        ) {
            let n = d.len();
            match op {
                $(Op::$u => map1(d, spread(a, room.operand.as_mut(), n), #[inline(always)] |x: f32| $uf(x)),)*
                $(Op::$l => light2(d, a, b, #[inline(always)] |x: f32, y: f32| $lf(x, y)),)*
                $(Op::$k => light3(d, a, b, c, #[inline(always)] |x: f32, y: f32, z: f32| $kf(x, y, z)),)*
                _ => in_double::<F>(op, d, [a, b, c], room),
            }
        }
    };
}

kernels! {
    unary {
        Copy |x: f32| x;
        Neg |x: f32| -x;
        Recip |x: f32| 1.0 / x;
        Sqrt f32::sqrt;
        Square |x: f32| x * x;
        Abs f32::abs;
        Exp exp::<F>;
        Expit expit::<F>;
        Log log::<F>;
    }
    light2 {
        Add |x: f32, y: f32| x + y;
        Sub |x: f32, y: f32| x - y;
        Mul |x: f32, y: f32| x * y;
        Div |x: f32, y: f32| x / y;
    }
    light3 {
        Fma ma::<F>;
        Fms |x: f32, y: f32, z: f32| ma::<F>(x, y, -z);
        Fnma |x: f32, y: f32, z: f32| ma::<F>(-x, y, z);
    }
}

#[inline(always)]
fn in_double<const F: bool>(op: Op, d: &mut [f32], operands: [Operand<f32>; 3], room: &mut SingleRoom) {
    let SingleRoom { double, result, spread, .. } = room;
    for (k, d) in d.chunks_mut(BLOCK).enumerate() {
        let n = d.len();
        let mut wide = [Operand::Scalar(0.0); 3];
        for ((wide, operand), room) in wide.iter_mut().zip(operands).zip(double.iter_mut()) {
            *wide = match operand {
                Operand::Scalar(x) => Operand::Scalar(f64::from(x)),
                Operand::Column(values) => {
                    let values = &values[k * BLOCK..][..n];
                    room.0[..n].iter_mut().zip(values).for_each(|(to, &x)| *to = f64::from(x));
                    Operand::Column(&room.0[..n])
                }
            };
        }
        ops::apply::<F>(op, &mut result.0[..n], wide, spread);
        d.iter_mut().zip(&result.0[..n]).for_each(|(to, &x)| *to = x as f32);
    }
}

#[inline(always)]
fn ma<const F: bool>(a: f32, b: f32, c: f32) -> f32 {
    if F { a.mul_add(b, c) } else { a * b + c }
}

#[inline(always)]
fn pick(c: bool, a: f32, b: f32) -> f32 {
    if c { a } else { b }
}

/// c[0] + c[1] x + ...
#[inline(always)]
fn poly<const F: bool, const N: usize>(c: &[f32; N], x: f32) -> f32 {
    let mut sum = c[N - 1];
    for k in (0..N - 1).rev() {
        sum = ma::<F>(sum, x, c[k]);
    }
    sum
}

/// Nine bits of ln 2: k times it is exact.
const LN2_HI: f32 = 355.0 / 512.0;
const LN2_LO: f32 = (core::f64::consts::LN_2 - 355.0 / 512.0) as f32;
/// Adding 1.5 * 2^23 rounds to the nearest integer, which then stands in the low bits of the mantissa.
const MAGIC: f32 = 12582912.0;

/// 0 below 3e-38, where numbers lose their digits and some processors their pace.
#[inline(always)]
fn exp<const F: bool>(x: f32) -> f32 {
    const LEAST: f32 = -86.5;
    let y = pick(x > 89.0, 89.0, x); // comparisons keep NaN
    let y = pick(y < LEAST, LEAST, y);
    let t = ma::<F>(y, core::f32::consts::LOG2_E, MAGIC);
    let n = t - MAGIC;
    let r = ma::<F>(n, -LN2_LO, ma::<F>(n, -LN2_HI, y));
    let p = 1.0 + ma::<F>(r * r, poly::<F, 5>(&EXP_SINGLE, r), r);
    // 2^(n-1) always exists, 2^n does not for results next to overflow.
    let half = f32::from_bits(t.to_bits().wrapping_add(126) << 23);
    pick(x < LEAST, 0.0, 2.0 * (p * half))
}

/// 1 / (1 + exp(-x)), to full relative accuracy on the small side too.
#[inline(always)]
fn expit<const F: bool>(x: f32) -> f32 {
    let e = exp::<F>(-x.abs());
    let r = pick(x < 0.0, e, 1.0) / (1.0 + e);
    pick(x.is_nan(), x, r)
}

#[inline(always)]
fn log<const F: bool>(x: f32) -> f32 {
    const OFFSET: u32 = 0x3f35_04f3; // bits of sqrt(1/2)
    let subnormal = x < f32::MIN_POSITIVE;
    let y = pick(subnormal, x * 33554432.0, x); // 2^25
    let u = y.to_bits().wrapping_sub(OFFSET).wrapping_add(128 << 23);
    let k = f32::from_bits((u >> 23) | 0x4b00_0000) - (8388608.0 + 128.0);
    let k = pick(subnormal, k - 25.0, k);
    let f = f32::from_bits((u & 0x007f_ffff).wrapping_add(OFFSET)) - 1.0;
    let s = f / (2.0 + f);
    let z = s * s;
    let h = 0.5 * f * f; // log(1+f) = f - (h - s (h + z P)): f itself is exact
    let tail = ma::<F>(s, ma::<F>(z, poly::<F, 4>(&LOG_SINGLE, z), h), k * LN2_LO);
    let r = ma::<F>(k, LN2_HI, f - (h - tail));
    let r = pick(x == 0.0, f32::NEG_INFINITY, r);
    let r = pick(x < 0.0, f32::NAN, r);
    pick(x < f32::INFINITY, r, x)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Largest error in units of the last place over numbers between two bounds.
    fn worst(f: fn(f32) -> f32, exact: fn(f64) -> f64, low: f32, high: f32) -> f64 {
        let mut worst: f64 = 0.0;
        for i in 0..200_000 {
            let x = low + (high - low) * (i as f32 + 0.37) / 200_000.0;
            let value = exact(f64::from(x));
            let place = f64::from((value as f32).abs().next_up()) - f64::from((value as f32).abs());
            worst = worst.max((f64::from(f(x)) - value).abs() / place);
        }
        worst
    }

    fn kernels<const F: bool>() {
        assert!(worst(exp::<F>, f64::exp, -86.4, 88.7) < 1.5);
        assert!(worst(exp::<F>, f64::exp, -1.0, 1.0) < 1.5);
        assert!(worst(expit::<F>, |x| 1.0 / (1.0 + (-x).exp()), -80.0, 80.0) < 2.5);
        assert!(worst(log::<F>, f64::ln, 0.0, 4.0) < 1.5);
        assert!(worst(log::<F>, f64::ln, 0.5, 1.5) < 1.5);
        assert!(worst(log::<F>, f64::ln, 1e-40, 1e-37) < 1.5);
        assert!(worst(log::<F>, f64::ln, 1e10, 3e38) < 1.5);
    }

    #[test]
    fn kernels_are_close_to_the_last_place() {
        kernels::<false>();
        kernels::<true>();
    }

    #[test]
    fn what_is_not_finite_is_told() {
        let e = exp::<false>;
        assert_eq!((e(f32::NEG_INFINITY), e(-87.0), e(100.0)), (0.0, 0.0, f32::INFINITY));
        assert!(e(f32::NAN).is_nan() && expit::<false>(f32::NAN).is_nan());
        assert_eq!(e(0.0), 1.0);
        let l = log::<false>;
        assert_eq!((l(0.0), l(1.0), l(f32::INFINITY)), (f32::NEG_INFINITY, 0.0, f32::INFINITY));
        assert!(l(-1.0).is_nan() && l(f32::NAN).is_nan());
        assert_eq!((expit::<false>(200.0), expit::<false>(-200.0)), (1.0, 0.0));
    }
}
