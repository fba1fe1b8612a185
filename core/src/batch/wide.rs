//! Vectors of numbers, one for each of some fits, with the signs of arithmetic.
//!
//! What the compiler makes of plain loops over lanes depends on how they are written: a choice between two rows became a
//! choice between their addresses, lane by lane.

use std::marker::PhantomData;
use std::ops::{Add, BitAnd, BitOr, Div, Mul, Neg, Not, Sub};

use pulp::Simd;

use super::Row;
use crate::tape::Real;

/// Some neighboring lanes of all rows: a vector of each.
#[derive(Clone, Copy)]
pub(super) struct Part<S, T> {
    s: S,
    index: usize,
    of: PhantomData<T>,
}

/// A number for each lane.
#[derive(Clone, Copy)]
pub(super) struct Wide<S: Simd, T: Real> {
    s: S,
    v: T::Vector<S>,
}

/// A truth for each lane.
#[derive(Clone, Copy)]
pub(super) struct Mask<S: Simd, T: Real> {
    s: S,
    m: T::Mask<S>,
}

impl<S: Simd, T: Real> Part<S, T> {
    /// All parts of a row.
    #[inline(always)]
    pub fn all(s: S) -> impl Iterator<Item = Self> {
        (0..T::WIDTH / T::lanes::<S>()).map(
            #[inline(always)]
            move |index| Part { s, index, of: PhantomData },
        )
    }

    #[inline(always)]
    pub fn splat(self, value: f64) -> Wide<S, T> {
        Wide { s: self.s, v: T::splat(self.s, T::of(value)) }
    }

    #[inline(always)]
    pub fn load(self, row: &Row<T>) -> Wide<S, T> {
        Wide { s: self.s, v: T::vectors::<S>(row)[self.index] }
    }

    #[inline(always)]
    pub fn store(self, row: &mut Row<T>, value: Wide<S, T>) {
        T::vectors_mut::<S>(row)[self.index] = value.v;
    }
}

macro_rules! arithmetic {
    ($($trait:ident $name:ident $op:ident),*) => {$(
        impl<S: Simd, T: Real> $trait for Wide<S, T> {
            type Output = Self;
            #[inline(always)]
            fn $name(self, other: Self) -> Self {
                Wide { s: self.s, v: T::$op(self.s, self.v, other.v) }
            }
        }
    )*};
}

arithmetic!(Add add sum, Sub sub difference, Mul mul product, Div div quotient);

impl<S: Simd, T: Real> Mul<f64> for Wide<S, T> {
    type Output = Self;
    #[inline(always)]
    fn mul(self, factor: f64) -> Self {
        self * Wide { s: self.s, v: T::splat(self.s, T::of(factor)) }
    }
}

impl<S: Simd, T: Real> Neg for Wide<S, T> {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        Wide { s: self.s, v: T::opposite(self.s, self.v) }
    }
}

impl<S: Simd, T: Real> Wide<S, T> {
    #[inline(always)]
    pub fn lt(self, other: Self) -> Mask<S, T> {
        Mask { s: self.s, m: T::less(self.s, self.v, other.v) }
    }

    #[inline(always)]
    pub fn le(self, other: Self) -> Mask<S, T> {
        Mask { s: self.s, m: T::at_most(self.s, self.v, other.v) }
    }

    #[inline(always)]
    pub fn gt(self, other: Self) -> Mask<S, T> {
        other.lt(self)
    }

    #[inline(always)]
    pub fn ge(self, other: Self) -> Mask<S, T> {
        other.le(self)
    }

    /// self + a b, fused where the hardware can.
    #[inline(always)]
    pub fn plus(self, a: Self, b: Self) -> Self {
        Wide { s: self.s, v: T::ma(self.s, a.v, b.v, self.v) }
    }

    /// self - a b, likewise.
    #[inline(always)]
    pub fn minus(self, a: Self, b: Self) -> Self {
        self.plus(-a, b)
    }

    #[inline(always)]
    pub fn reciprocal(self) -> Self {
        Wide { s: self.s, v: T::splat(self.s, T::of(1.0)) } / self
    }

    #[inline(always)]
    pub fn abs(self) -> Self {
        Wide { s: self.s, v: T::size(self.s, self.v) }
    }

    #[inline(always)]
    pub fn sqrt(self) -> Self {
        Wide { s: self.s, v: T::root(self.s, self.v) }
    }

    #[inline(always)]
    pub fn is_nan(self) -> Mask<S, T> {
        !Mask { s: self.s, m: T::same(self.s, self.v, self.v) }
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

impl<S: Simd, T: Real> Mask<S, T> {
    /// `yes` where it is true, `no` elsewhere.
    #[inline(always)]
    pub fn pick(self, yes: Wide<S, T>, no: Wide<S, T>) -> Wide<S, T> {
        Wide { s: self.s, v: T::select(self.s, self.m, yes.v, no.v) }
    }

    /// Is it true in some lane?
    #[inline(always)]
    pub fn any(self) -> bool {
        T::some(self.s, self.m)
    }
}

impl<S: Simd, T: Real> BitAnd for Mask<S, T> {
    type Output = Self;
    #[inline(always)]
    fn bitand(self, other: Self) -> Self {
        Mask { s: self.s, m: T::both(self.s, self.m, other.m) }
    }
}

impl<S: Simd, T: Real> BitOr for Mask<S, T> {
    type Output = Self;
    #[inline(always)]
    fn bitor(self, other: Self) -> Self {
        Mask { s: self.s, m: T::either(self.s, self.m, other.m) }
    }
}

impl<S: Simd, T: Real> Not for Mask<S, T> {
    type Output = Self;
    #[inline(always)]
    fn not(self) -> Self {
        Mask { s: self.s, m: T::opposed(self.s, self.m) }
    }
}
