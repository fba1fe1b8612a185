//! Lines of one number for each of some fits, a cache line of them.

use std::ops::Deref;

use pulp::Simd;

use crate::tape::Real;

/// A line where vectors of it do not straddle two cache lines (which costs twice).
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(crate) struct Own<T: Real>(pub T::Line);

impl<T: Real> Own<T> {
    pub const ZERO: Self = Own(T::ZERO_LINE);
}

impl<T: Real> Deref for Own<T> {
    type Target = T::Line;
    #[inline(always)]
    fn deref(&self) -> &T::Line {
        &self.0
    }
}

/// Vectors in a line.
#[inline(always)]
pub(crate) fn vectors<S: Simd, T: Real>() -> usize {
    T::LINE / T::lanes::<S>()
}

#[inline(always)]
pub(crate) fn load<S: Simd, T: Real>(line: &T::Line, part: usize) -> T::Vector<S> {
    T::vectors::<S>(line.as_ref())[part]
}

#[inline(always)]
pub(crate) fn store<S: Simd, T: Real>(line: &mut T::Line, part: usize, v: T::Vector<S>) {
    T::vectors_mut::<S>(line.as_mut())[part] = v;
}
