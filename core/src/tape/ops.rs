//! The instruction set: one row per operation. The table makes the numbering, the names and both evaluators,
//! so an operation is added by adding a row.

use super::math::{self, ma, pick, simple::truth};
use super::workspace::{BLOCK, Column};

/// One operand of an instruction in one block: the same for every point, or a value per point.
#[derive(Clone, Copy)]
pub enum Operand<'a, T = f64> {
    Scalar(T),
    Column(&'a [T]),
}
use Operand::{Column as V, Scalar as S};

// Every closure is marked for inlining: one that LLVM left as a function would be compiled for the baseline, with a
// library call for each fused multiply-add (pow: 80 ns instead of 7).
// The loops take the destination as `&mut` and the sources as `&` parameters, so LLVM knows that they do not
// overlap and needs no check at run time.
#[inline(always)]
pub(super) fn map1<T: Copy>(d: &mut [T], a: &[T], f: impl Fn(T) -> T) {
    for (d, &x) in d.iter_mut().zip(a) {
        *d = f(x);
    }
}

#[inline(always)]
fn map2<T: Copy>(d: &mut [T], a: &[T], b: &[T], f: impl Fn(T, T) -> T) {
    for ((d, &x), &y) in d.iter_mut().zip(a).zip(b) {
        *d = f(x, y);
    }
}

#[inline(always)]
fn map3<T: Copy>(d: &mut [T], a: &[T], b: &[T], c: &[T], f: impl Fn(T, T, T) -> T) {
    for (((d, &x), &y), &z) in d.iter_mut().zip(a).zip(b).zip(c) {
        *d = f(x, y, z);
    }
}

#[inline(always)]
pub(super) fn light2<T: Copy>(d: &mut [T], a: Operand<T>, b: Operand<T>, f: impl Fn(T, T) -> T) {
    match (a, b) {
        (V(a), V(b)) => map2(d, a, b, f),
        (S(x), V(b)) => map1(
            d,
            b,
            #[inline(always)]
            |y| f(x, y),
        ),
        (V(a), S(y)) => map1(
            d,
            a,
            #[inline(always)]
            |x| f(x, y),
        ),
        (S(x), S(y)) => d.fill(f(x, y)),
    }
}

#[inline(always)]
pub(super) fn light3<T: Copy>(
    d: &mut [T],
    a: Operand<T>,
    b: Operand<T>,
    c: Operand<T>,
    f: impl Fn(T, T, T) -> T,
) {
    match (a, b, c) {
        (V(a), V(b), V(c)) => map3(d, a, b, c, f),
        (S(x), V(b), V(c)) => map2(
            d,
            b,
            c,
            #[inline(always)]
            |y, z| f(x, y, z),
        ),
        (V(a), S(y), V(c)) => map2(
            d,
            a,
            c,
            #[inline(always)]
            |x, z| f(x, y, z),
        ),
        (V(a), V(b), S(z)) => map2(
            d,
            a,
            b,
            #[inline(always)]
            |x, y| f(x, y, z),
        ),
        (S(x), S(y), V(c)) => map1(
            d,
            c,
            #[inline(always)]
            |z| f(x, y, z),
        ),
        (S(x), V(b), S(z)) => map1(
            d,
            b,
            #[inline(always)]
            |y| f(x, y, z),
        ),
        (V(a), S(y), S(z)) => map1(
            d,
            a,
            #[inline(always)]
            |x| f(x, y, z),
        ),
        (S(x), S(y), S(z)) => d.fill(f(x, y, z)),
    }
}

/// The operand as a column; a scalar is written out first. For kernels too long to be compiled once per mix.
#[inline(always)]
pub(super) fn spread<'a, T: Copy>(a: Operand<'a, T>, room: &'a mut [T], n: usize) -> &'a [T] {
    match a {
        V(a) => a,
        S(x) => {
            room[..n].fill(x);
            &room[..n]
        }
    }
}

/// A vector pass, then a second one through libm over arguments too large for its reduction, if there are any.
#[inline(always)]
fn reduced(d: &mut [f64], a: &[f64], f: impl Fn(f64) -> f64, far: fn(f64) -> f64) {
    let mut any = 0u64;
    for (d, &x) in d.iter_mut().zip(a) {
        *d = f(x);
        any |= (x.abs() > math::trig::TRIG_MAX) as u64;
    }
    if any != 0 {
        repair(d, a, far);
    }
}

#[inline(never)]
fn repair(d: &mut [f64], a: &[f64], far: fn(f64) -> f64) {
    for (d, &x) in d.iter_mut().zip(a) {
        if x.abs() > math::trig::TRIG_MAX {
            *d = far(x);
        }
    }
}

#[inline(never)]
fn each1(d: &mut [f64], a: &[f64], f: fn(f64) -> f64) {
    map1(d, a, f);
}

#[inline(never)]
fn each2(d: &mut [f64], a: &[f64], b: &[f64], f: fn(f64, f64) -> f64) {
    map2(d, a, b, f);
}

macro_rules! instructions {
    (
        unary { $($u:ident $un:literal $uf:expr;)* }
        trig { $($t:ident $tn:literal $tf:expr, $tfar:expr;)* }
        each1 { $($e:ident $en:literal $ef:expr;)* }
        light2 { $($l:ident $ln:literal $lf:expr;)* }
        heavy2 { $($h:ident $hn:literal $hf:expr;)* }
        each2 { $($r:ident $rn:literal $rf:expr;)* }
        light3 { $($k:ident $kn:literal $kf:expr;)* }
    ) => {
        /// What an instruction computes; the discriminant is the opcode.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub enum Op { $($u,)* $($t,)* $($e,)* $($l,)* $($h,)* $($r,)* $($k,)* }

        const TABLE: &[(&str, Op, u32)] = &[
            $(($un, Op::$u, 1),)* $(($tn, Op::$t, 1),)* $(($en, Op::$e, 1),)*
            $(($ln, Op::$l, 2),)* $(($hn, Op::$h, 2),)* $(($rn, Op::$r, 2),)* $(($kn, Op::$k, 3),)*
        ];

        /// d = op(a, b, c) over one block; `room` has space for operands to be written out.
        #[inline(always)]
        pub(crate) fn apply<const F: bool>(op: Op, d: &mut [f64], [a, b, c]: [Operand; 3], room: &mut [Column; 2]) {
            let n = d.len().min(BLOCK);
            let [room_a, room_b] = room;
            let (room_a, room_b) = (room_a.as_mut(), room_b.as_mut());
            match op {
                $(Op::$u => map1(d, spread(a, room_a, n), #[inline(always)] |x| $uf(x)),)*
                $(Op::$t => reduced(d, spread(a, room_a, n), #[inline(always)] |x| $tf(x), $tfar),)*
                $(Op::$e => each1(d, spread(a, room_a, n), $ef),)*
                $(Op::$l => light2(d, a, b, #[inline(always)] |x, y| $lf(x, y)),)*
                $(Op::$h => {
                    let (a, b) = (spread(a, room_a, n), spread(b, room_b, n));
                    map2(d, a, b, #[inline(always)] |x, y| $hf(x, y))
                })*
                $(Op::$r => each2(d, spread(a, room_a, n), spread(b, room_b, n), $rf),)*
                $(Op::$k => light3(d, a, b, c, #[inline(always)] |x, y, z| $kf(x, y, z)),)*
            }
        }

        /// The same operation on single numbers.
        #[inline(always)]
        pub(crate) fn scalar<const F: bool>(op: Op, a: f64, b: f64, c: f64) -> f64 {
            match op {
                $(Op::$u => $uf(a),)*
                $(Op::$t => if a.abs() > math::trig::TRIG_MAX { $tfar(a) } else { $tf(a) },)*
                $(Op::$e => $ef(a),)*
                $(Op::$l => $lf(a, b),)*
                $(Op::$h => $hf(a, b),)*
                $(Op::$r => $rf(a, b),)*
                $(Op::$k => $kf(a, b, c),)*
            }
        }
    };
}

use math::{erf, exp, inverse, log, rare, simple, trig};

instructions! {
    unary {
        Copy "copy" |x: f64| x;
        Neg "neg" |x: f64| -x;
        Recip "recip" |x: f64| 1.0 / x;
        Sqrt "sqrt" |x: f64| x.sqrt();
        Square "square" |x: f64| x * x;
        Abs "abs" |x: f64| x.abs();
        Sign "sign" simple::sign;
        Floor "floor" simple::floor;
        Ceil "ceil" simple::ceil;
        Rint "rint" simple::rint;
        Trunc "trunc" simple::trunc;
        Not "not" |x: f64| truth(x == 0.0);
        IsNan "isnan" |x: f64| truth(x.is_nan());
        IsFinite "isfinite" |x: f64| truth(x.abs() < f64::INFINITY);
        Exp "exp" exp::exp::<F>;
        Exp2 "exp2" exp::exp2::<F>;
        Expm1 "expm1" exp::expm1::<F>;
        Sinh "sinh" exp::sinh::<F>;
        Cosh "cosh" exp::cosh::<F>;
        Tanh "tanh" exp::tanh::<F>;
        Expit "expit" exp::expit::<F>;
        LogExpit "log_expit" exp::log_expit::<F>;
        Log "log" log::log::<F>;
        Log1p "log1p" log::log1p::<F>;
        Log2 "log2" log::log2::<F>;
        Log10 "log10" log::log10::<F>;
        Arcsin "arcsin" inverse::arcsin::<F>;
        Arccos "arccos" inverse::arccos::<F>;
        Arctan "arctan" inverse::arctan::<F>;
        Erf "erf" erf::erf::<F>;
        Erfc "erfc" erf::erfc::<F>;
        Erfcx "erfcx" erf::erfcx::<F>;
        Ndtr "ndtr" erf::ndtr::<F>;
    }
    trig {
        Sin "sin" trig::sin::<F>, libm::sin;
        Cos "cos" trig::cos::<F>, libm::cos;
        Tan "tan" trig::tan::<F>, libm::tan;
    }
    each1 {
        Cbrt "cbrt" libm::cbrt;
        Arcsinh "arcsinh" libm::asinh;
        Arccosh "arccosh" libm::acosh;
        Arctanh "arctanh" libm::atanh;
        Sinc "sinc" rare::sinc;
        Gamma "gamma" rare::gamma;
        GammaLn "gammaln" rare::gammaln;
        J0 "j0" rare::j0;
        J1 "j1" rare::j1;
        Y0 "y0" rare::y0;
        Y1 "y1" rare::y1;
    }
    light2 {
        Add "add" |x: f64, y: f64| x + y;
        Sub "sub" |x: f64, y: f64| x - y;
        Mul "mul" |x: f64, y: f64| x * y;
        Div "div" |x: f64, y: f64| x / y;
        Minimum "minimum" simple::minimum;
        Maximum "maximum" simple::maximum;
        Lt "lt" |x: f64, y: f64| truth(x < y);
        Le "le" |x: f64, y: f64| truth(x <= y);
        Eq "eq" |x: f64, y: f64| truth(x == y);
        Ne "ne" |x: f64, y: f64| truth(x != y);
        And "and" |x: f64, y: f64| truth((x != 0.0) & (y != 0.0));
        Or "or" |x: f64, y: f64| truth((x != 0.0) | (y != 0.0));
        CopySign "copysign" math::with_sign;
        Heaviside "heaviside" simple::heaviside;
    }
    heavy2 {
        Pow "pow" log::pow::<F>;
        Arctan2 "arctan2" inverse::arctan2::<F>;
        Hypot "hypot" simple::hypot::<F>;
        Xlogy "xlogy" log::xlogy::<F>;
        Xlog1py "xlog1py" log::xlog1py::<F>;
    }
    each2 {
        Mod "mod" rare::modulo;
        Fmod "fmod" rare::fmod;
    }
    light3 {
        Fma "fma" |x: f64, y: f64, z: f64| ma::<F>(x, y, z);
        Fms "fms" |x: f64, y: f64, z: f64| ma::<F>(x, y, -z);
        Fnma "fnma" |x: f64, y: f64, z: f64| ma::<F>(-x, y, z);
        Select "select" |c: f64, x: f64, y: f64| pick(c != 0.0, x, y);
    }
}

/// (name, opcode, arity) of every instruction: fma = a*b + c, fms = a*b - c, fnma = c - a*b; `select(c, a, b)`
/// takes a where c is not 0; comparisons and logic give 0 or 1.
pub fn opcodes() -> &'static [(&'static str, u32, u32)] {
    static ROWS: std::sync::OnceLock<Vec<(&str, u32, u32)>> = std::sync::OnceLock::new();
    ROWS.get_or_init(|| TABLE.iter().map(|&(name, op, arity)| (name, op as u32, arity)).collect())
}

/// The operation with this opcode and its arity.
pub(crate) fn decode(code: u32) -> Option<(Op, usize)> {
    TABLE.get(code as usize).map(|&(_, op, arity)| (op, arity as usize))
}
