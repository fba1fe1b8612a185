//! The numbers lanes and their tapes are made of: of double precision, or of single precision, twice as many to a vector.

use std::fmt::Debug;
use std::ops::{Add, Div, Mul, Neg, Sub};

use pulp::Simd;

use super::ops::{self, Op, Operand};
use super::single::{self, SingleColumn, SingleRoom};
use super::workspace::{BLOCK, Column};

/// A number of either precision, and its vectors.
pub trait Real:
    Copy
    + Debug
    + Default
    + PartialOrd
    + Send
    + Sync
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + 'static
{
    /// Numbers of a block of a tape, 2 KiB of them.
    const BLOCK: usize;
    /// Fits of a group: four vectors of the widest kind. Instructions of the tape then work on whole blocks, as in a single
    /// fit, whatever the number of points.
    const WIDTH: usize = Self::BLOCK / POINTS;
    const EPSILON: f64;
    const MIN_POSITIVE: f64;

    /// Values of one slot over one block, at least `BLOCK` of them.
    type Column: AsRef<[Self]> + AsMut<[Self]> + Clone + Default + Send + Sync;
    /// One number of each fit of a group.
    type Lanes: AsRef<[Self]> + AsMut<[Self]> + Copy + Debug + Send + Sync;
    /// What instructions need beside their operands.
    type Room: Default + Send + Sync;
    type Vector<S: Simd>: Copy;
    type Mask<S: Simd>: Copy;

    /// A cache line of them.
    type Line: AsRef<[Self]> + AsMut<[Self]> + Copy + Debug + Send + Sync;

    const ZEROS: Self::Lanes;
    const ZERO_LINE: Self::Line;
    /// Numbers of a cache line.
    const LINE: usize = 64 / size_of::<Self>();

    /// Rounded to this precision.
    fn of(value: f64) -> Self;
    fn double(self) -> f64;

    /// d = op(a, b, c) over the numbers of a block.
    fn apply<const F: bool>(op: Op, d: &mut [Self], operands: [Operand<Self>; 3], room: &mut Self::Room);

    fn lines(numbers: &[Self]) -> &[Self::Line];
    fn lines_mut(numbers: &mut [Self]) -> &mut [Self::Line];
    fn vectors<S: Simd>(numbers: &[Self]) -> &[Self::Vector<S>];
    fn vectors_mut<S: Simd>(numbers: &mut [Self]) -> &mut [Self::Vector<S>];
    /// Numbers of a vector.
    fn lanes<S: Simd>() -> usize;
    fn splat<S: Simd>(s: S, value: Self) -> Self::Vector<S>;
    fn sum<S: Simd>(s: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Vector<S>;
    fn difference<S: Simd>(s: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Vector<S>;
    fn product<S: Simd>(s: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Vector<S>;
    fn quotient<S: Simd>(s: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Vector<S>;
    fn opposite<S: Simd>(s: S, a: Self::Vector<S>) -> Self::Vector<S>;
    fn size<S: Simd>(s: S, a: Self::Vector<S>) -> Self::Vector<S>;
    fn root<S: Simd>(s: S, a: Self::Vector<S>) -> Self::Vector<S>;
    /// a b + c, fused where the hardware can.
    fn ma<S: Simd>(s: S, a: Self::Vector<S>, b: Self::Vector<S>, c: Self::Vector<S>) -> Self::Vector<S>;
    fn same<S: Simd>(s: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Mask<S>;
    fn less<S: Simd>(s: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Mask<S>;
    fn at_most<S: Simd>(s: S, a: Self::Vector<S>, b: Self::Vector<S>) -> Self::Mask<S>;
    fn select<S: Simd>(
        s: S,
        mask: Self::Mask<S>,
        yes: Self::Vector<S>,
        no: Self::Vector<S>,
    ) -> Self::Vector<S>;
    fn both<S: Simd>(s: S, a: Self::Mask<S>, b: Self::Mask<S>) -> Self::Mask<S>;
    fn either<S: Simd>(s: S, a: Self::Mask<S>, b: Self::Mask<S>) -> Self::Mask<S>;
    fn opposed<S: Simd>(s: S, a: Self::Mask<S>) -> Self::Mask<S>;
    /// Is it true in some lane?
    fn some<S: Simd>(s: S, a: Self::Mask<S>) -> bool;
}

/// Points of a block of a group of fits.
pub const POINTS: usize = 8;

macro_rules! real {
    (
        $t:ident, $block:expr, $column:ty, $room:ty, $apply:path, $vector:ident, $mask:ident, $lanes:ident,
        $vectors:ident, $vectors_mut:ident, $splat:ident, $add:ident, $sub:ident, $mul:ident, $div:ident, $neg:ident,
        $abs:ident, $sqrt:ident, $ma:ident, $eq:ident, $lt:ident, $le:ident, $select:ident, $and:ident, $or:ident, $not:ident, $first:ident
    ) => {
        impl Real for $t {
            const BLOCK: usize = $block;
            const EPSILON: f64 = $t::EPSILON as f64;
            const MIN_POSITIVE: f64 = $t::MIN_POSITIVE as f64;
            type Column = $column;
            type Lanes = [$t; $block / POINTS];
            type Room = $room;
            type Vector<S: Simd> = S::$vector;
            type Mask<S: Simd> = S::$mask;
            type Line = [$t; 64 / size_of::<$t>()];
            const ZEROS: Self::Lanes = [0.0; $block / POINTS];
            const ZERO_LINE: Self::Line = [0.0; 64 / size_of::<$t>()];

            #[inline(always)]
            fn of(value: f64) -> Self {
                value as $t
            }
            #[inline(always)]
            fn double(self) -> f64 {
                self as f64
            }
            #[inline(always)]
            fn apply<const F: bool>(op: Op, d: &mut [Self], operands: [Operand<Self>; 3], room: &mut $room) {
                $apply(op, d, operands, room);
            }
            #[inline(always)]
            fn lines(numbers: &[Self]) -> &[Self::Line] {
                numbers.as_chunks().0
            }
            #[inline(always)]
            fn lines_mut(numbers: &mut [Self]) -> &mut [Self::Line] {
                numbers.as_chunks_mut().0
            }
            #[inline(always)]
            fn vectors<S: Simd>(numbers: &[Self]) -> &[S::$vector] {
                S::$vectors(numbers).0
            }
            #[inline(always)]
            fn vectors_mut<S: Simd>(numbers: &mut [Self]) -> &mut [S::$vector] {
                S::$vectors_mut(numbers).0
            }
            #[inline(always)]
            fn lanes<S: Simd>() -> usize {
                S::$lanes
            }
            #[inline(always)]
            fn splat<S: Simd>(s: S, value: Self) -> S::$vector {
                s.$splat(value)
            }
            #[inline(always)]
            fn sum<S: Simd>(s: S, a: S::$vector, b: S::$vector) -> S::$vector {
                s.$add(a, b)
            }
            #[inline(always)]
            fn difference<S: Simd>(s: S, a: S::$vector, b: S::$vector) -> S::$vector {
                s.$sub(a, b)
            }
            #[inline(always)]
            fn product<S: Simd>(s: S, a: S::$vector, b: S::$vector) -> S::$vector {
                s.$mul(a, b)
            }
            #[inline(always)]
            fn quotient<S: Simd>(s: S, a: S::$vector, b: S::$vector) -> S::$vector {
                s.$div(a, b)
            }
            #[inline(always)]
            fn opposite<S: Simd>(s: S, a: S::$vector) -> S::$vector {
                s.$neg(a)
            }
            #[inline(always)]
            fn size<S: Simd>(s: S, a: S::$vector) -> S::$vector {
                s.$abs(a)
            }
            #[inline(always)]
            fn root<S: Simd>(s: S, a: S::$vector) -> S::$vector {
                s.$sqrt(a)
            }
            #[inline(always)]
            fn ma<S: Simd>(s: S, a: S::$vector, b: S::$vector, c: S::$vector) -> S::$vector {
                if S::IS_SCALAR { s.$add(s.$mul(a, b), c) } else { s.$ma(a, b, c) }
            }
            #[inline(always)]
            fn same<S: Simd>(s: S, a: S::$vector, b: S::$vector) -> S::$mask {
                s.$eq(a, b)
            }
            #[inline(always)]
            fn less<S: Simd>(s: S, a: S::$vector, b: S::$vector) -> S::$mask {
                s.$lt(a, b)
            }
            #[inline(always)]
            fn at_most<S: Simd>(s: S, a: S::$vector, b: S::$vector) -> S::$mask {
                s.$le(a, b)
            }
            #[inline(always)]
            fn select<S: Simd>(s: S, mask: S::$mask, yes: S::$vector, no: S::$vector) -> S::$vector {
                s.$select(mask, yes, no)
            }
            #[inline(always)]
            fn both<S: Simd>(s: S, a: S::$mask, b: S::$mask) -> S::$mask {
                s.$and(a, b)
            }
            #[inline(always)]
            fn either<S: Simd>(s: S, a: S::$mask, b: S::$mask) -> S::$mask {
                s.$or(a, b)
            }
            #[inline(always)]
            fn opposed<S: Simd>(s: S, a: S::$mask) -> S::$mask {
                s.$not(a)
            }
            #[inline(always)]
            fn some<S: Simd>(s: S, a: S::$mask) -> bool {
                s.$first(a) < S::$lanes
            }
        }
    };
}

real!(
    f64,
    BLOCK,
    Column,
    [Column; 2],
    ops::apply::<F>,
    f64s,
    m64s,
    F64_LANES,
    as_simd_f64s,
    as_mut_simd_f64s,
    splat_f64s,
    add_f64s,
    sub_f64s,
    mul_f64s,
    div_f64s,
    neg_f64s,
    abs_f64s,
    sqrt_f64s,
    mul_add_e_f64s,
    equal_f64s,
    less_than_f64s,
    less_than_or_equal_f64s,
    select_f64s,
    and_m64s,
    or_m64s,
    not_m64s,
    first_true_m64s
);
real!(
    f32,
    2 * BLOCK,
    SingleColumn,
    SingleRoom,
    single::apply::<F>,
    f32s,
    m32s,
    F32_LANES,
    as_simd_f32s,
    as_mut_simd_f32s,
    splat_f32s,
    add_f32s,
    sub_f32s,
    mul_f32s,
    div_f32s,
    neg_f32s,
    abs_f32s,
    sqrt_f32s,
    mul_add_e_f32s,
    equal_f32s,
    less_than_f32s,
    less_than_or_equal_f32s,
    select_f32s,
    and_m32s,
    or_m32s,
    not_m32s,
    first_true_m32s
);
