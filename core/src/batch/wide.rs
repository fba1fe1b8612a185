//! Vectors of numbers, one for each of some fits, with the signs of arithmetic.
//!
//! What the compiler makes of plain loops over lanes depends on how they are written: a choice between two rows became a
//! choice between their addresses, lane by lane.

use std::ops::{Add, BitAnd, BitOr, Div, Mul, Neg, Not, Sub};

use pulp::Simd;

use super::line::ma;
use super::{Row, WIDTH};

/// Some neighboring lanes of all rows: a vector of each.
#[derive(Clone, Copy)]
pub(super) struct Part<S> {
    s: S,
    index: usize,
}

/// A number for each lane.
#[derive(Clone, Copy)]
pub(super) struct Wide<S: Simd> {
    s: S,
    v: S::f64s,
}

/// A truth for each lane.
#[derive(Clone, Copy)]
pub(super) struct Mask<S: Simd> {
    s: S,
    m: S::m64s,
}

impl<S: Simd> Part<S> {
    /// All parts of a row.
    #[inline(always)]
    pub fn all(s: S) -> impl Iterator<Item = Self> {
        (0..WIDTH / S::F64_LANES).map(
            #[inline(always)]
            move |index| Part { s, index },
        )
    }

    #[inline(always)]
    pub fn splat(self, value: f64) -> Wide<S> {
        Wide { s: self.s, v: self.s.splat_f64s(value) }
    }

    #[inline(always)]
    pub fn load(self, row: &Row) -> Wide<S> {
        Wide { s: self.s, v: S::as_simd_f64s(&row.0).0[self.index] }
    }

    #[inline(always)]
    pub fn store(self, row: &mut Row, value: Wide<S>) {
        S::as_mut_simd_f64s(&mut row.0).0[self.index] = value.v;
    }
}

macro_rules! arithmetic {
    ($($trait:ident $name:ident $op:ident),*) => {$(
        impl<S: Simd> $trait for Wide<S> {
            type Output = Self;
            #[inline(always)]
            fn $name(self, other: Self) -> Self {
                Wide { s: self.s, v: self.s.$op(self.v, other.v) }
            }
        }
    )*};
}

arithmetic!(Add add add_f64s, Sub sub sub_f64s, Mul mul mul_f64s, Div div div_f64s);

impl<S: Simd> Mul<f64> for Wide<S> {
    type Output = Self;
    #[inline(always)]
    fn mul(self, factor: f64) -> Self {
        self * Wide { s: self.s, v: self.s.splat_f64s(factor) }
    }
}

impl<S: Simd> Neg for Wide<S> {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        Wide { s: self.s, v: self.s.neg_f64s(self.v) }
    }
}

macro_rules! comparison {
    ($($name:ident $op:ident),*) => {$(
        #[inline(always)]
        pub fn $name(self, other: Self) -> Mask<S> {
            Mask { s: self.s, m: self.s.$op(self.v, other.v) }
        }
    )*};
}

impl<S: Simd> Wide<S> {
    comparison!(lt less_than_f64s, le less_than_or_equal_f64s, gt greater_than_f64s, ge greater_than_or_equal_f64s);

    /// self + a b, fused where the hardware can.
    #[inline(always)]
    pub fn plus(self, a: Self, b: Self) -> Self {
        Wide { s: self.s, v: ma(self.s, a.v, b.v, self.v) }
    }

    /// self - a b, likewise.
    #[inline(always)]
    pub fn minus(self, a: Self, b: Self) -> Self {
        self.plus(-a, b)
    }

    #[inline(always)]
    pub fn reciprocal(self) -> Self {
        Wide { s: self.s, v: self.s.splat_f64s(1.0) } / self
    }

    #[inline(always)]
    pub fn abs(self) -> Self {
        Wide { s: self.s, v: self.s.abs_f64s(self.v) }
    }

    #[inline(always)]
    pub fn is_nan(self) -> Mask<S> {
        !Mask { s: self.s, m: self.s.equal_f64s(self.v, self.v) }
    }

    /// The larger one; `other` beside NaN.
    #[inline(always)]
    pub fn max(self, other: Self) -> Self {
        self.gt(other).pick(self, other)
    }

    /// The smaller one; `other` beside NaN.
    #[inline(always)]
    pub fn min(self, other: Self) -> Self {
        self.lt(other).pick(self, other)
    }
}

impl<S: Simd> Mask<S> {
    /// `yes` where it is true, `no` elsewhere.
    #[inline(always)]
    pub fn pick(self, yes: Wide<S>, no: Wide<S>) -> Wide<S> {
        Wide { s: self.s, v: self.s.select_f64s(self.m, yes.v, no.v) }
    }

    /// Is it true in some lane?
    #[inline(always)]
    pub fn any(self) -> bool {
        self.s.first_true_m64s(self.m) < S::F64_LANES
    }
}

impl<S: Simd> BitAnd for Mask<S> {
    type Output = Self;
    #[inline(always)]
    fn bitand(self, other: Self) -> Self {
        Mask { s: self.s, m: self.s.and_m64s(self.m, other.m) }
    }
}

impl<S: Simd> BitOr for Mask<S> {
    type Output = Self;
    #[inline(always)]
    fn bitor(self, other: Self) -> Self {
        Mask { s: self.s, m: self.s.or_m64s(self.m, other.m) }
    }
}

impl<S: Simd> Not for Mask<S> {
    type Output = Self;
    #[inline(always)]
    fn not(self) -> Self {
        let zero = self.s.splat_f64s(0.0);
        Mask { s: self.s, m: self.s.xor_m64s(self.m, self.s.equal_f64s(zero, zero)) }
    }
}
