//! Lines of one number for each of the fits of a group, a cache line of them.

use std::ops::Deref;

use pulp::Simd;

/// A number for each of eight fits.
pub(crate) type Line = [f64; 8];

pub(crate) const ZERO: Line = [0.0; 8];

/// A line where vectors of it do not straddle two cache lines (which costs twice).
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(crate) struct Own(pub Line);

impl Deref for Own {
    type Target = Line;
    #[inline(always)]
    fn deref(&self) -> &Line {
        &self.0
    }
}

/// Vectors in a line.
#[inline(always)]
pub(crate) fn vectors<S: Simd>() -> usize {
    ZERO.len() / S::F64_LANES
}

#[inline(always)]
pub(crate) fn load<S: Simd>(line: &Line, part: usize) -> S::f64s {
    S::as_simd_f64s(line).0[part]
}

#[inline(always)]
pub(crate) fn store<S: Simd>(line: &mut Line, part: usize, v: S::f64s) {
    S::as_mut_simd_f64s(line).0[part] = v;
}
