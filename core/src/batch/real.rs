//! The numbers that fits are made in, in lines of one number per fit.

use std::ops::Deref;

use pulp::Simd;

/// f64 or f32.
pub(crate) trait Real: Copy + Default + Send + Sync + 'static {
    /// One number for each fit of a group: a cache line of them.
    type Line: Copy + Send + Sync;
    type V<S: Simd>: Copy;
    const ZERO: Self::Line;
    /// Vectors in a line.
    fn parts<S: Simd>() -> usize;
    fn load<S: Simd>(line: &Self::Line, part: usize) -> Self::V<S>;
    fn store<S: Simd>(line: &mut Self::Line, part: usize, v: Self::V<S>);
    fn splat<S: Simd>(s: S, x: f64) -> Self::V<S>;
    fn add<S: Simd>(s: S, a: Self::V<S>, b: Self::V<S>) -> Self::V<S>;
    fn sub<S: Simd>(s: S, a: Self::V<S>, b: Self::V<S>) -> Self::V<S>;
    fn mul<S: Simd>(s: S, a: Self::V<S>, b: Self::V<S>) -> Self::V<S>;
    #[cfg(test)]
    fn from_fn(value: &dyn Fn(usize) -> f64) -> Self::Line;
    #[cfg(test)]
    fn to_f64(line: &Self::Line) -> Vec<f64>;
    /// a b + c, fused where the hardware can.
    fn ma<S: Simd>(s: S, a: Self::V<S>, b: Self::V<S>, c: Self::V<S>) -> Self::V<S>;
}

/// A line where vectors of it do not straddle two cache lines (which costs twice).
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(crate) struct Own<T>(pub T);

impl<T> Deref for Own<T> {
    type Target = T;
    #[inline(always)]
    fn deref(&self) -> &T {
        &self.0
    }
}

macro_rules! real {
    ($t:ty, $v:ident, $lanes:ident, $splat:ident, $add:ident, $sub:ident, $mul:ident, $fma:ident, $as:ident, $as_mut:ident) => {
        impl Real for $t {
            type Line = [$t; 64 / size_of::<$t>()];
            type V<S: Simd> = S::$v;
            const ZERO: Self::Line = [0.0; 64 / size_of::<$t>()];
            #[inline(always)]
            fn parts<S: Simd>() -> usize {
                Self::ZERO.len() / S::$lanes
            }
            #[inline(always)]
            fn load<S: Simd>(line: &Self::Line, part: usize) -> S::$v {
                S::$as(line).0[part]
            }
            #[inline(always)]
            fn store<S: Simd>(line: &mut Self::Line, part: usize, v: S::$v) {
                S::$as_mut(line).0[part] = v;
            }
            #[inline(always)]
            fn splat<S: Simd>(s: S, x: f64) -> S::$v {
                s.$splat(x as $t)
            }
            #[cfg(test)]
            fn from_fn(value: &dyn Fn(usize) -> f64) -> Self::Line {
                std::array::from_fn(|lane| value(lane) as $t)
            }
            #[cfg(test)]
            fn to_f64(line: &Self::Line) -> Vec<f64> {
                line.iter().map(|&x| x as f64).collect()
            }
            #[inline(always)]
            fn add<S: Simd>(s: S, a: S::$v, b: S::$v) -> S::$v {
                s.$add(a, b)
            }
            #[inline(always)]
            fn sub<S: Simd>(s: S, a: S::$v, b: S::$v) -> S::$v {
                s.$sub(a, b)
            }
            #[inline(always)]
            fn mul<S: Simd>(s: S, a: S::$v, b: S::$v) -> S::$v {
                s.$mul(a, b)
            }
            #[inline(always)]
            fn ma<S: Simd>(s: S, a: S::$v, b: S::$v, c: S::$v) -> S::$v {
                if S::IS_SCALAR { s.$add(s.$mul(a, b), c) } else { s.$fma(a, b, c) }
            }
        }
    };
}

real!(
    f64,
    f64s,
    F64_LANES,
    splat_f64s,
    add_f64s,
    sub_f64s,
    mul_f64s,
    mul_add_e_f64s,
    as_simd_f64s,
    as_mut_simd_f64s
);
real!(
    f32,
    f32s,
    F32_LANES,
    splat_f32s,
    add_f32s,
    sub_f32s,
    mul_f32s,
    mul_add_e_f32s,
    as_simd_f32s,
    as_mut_simd_f32s
);
