//! Functions that are seldom in the inner loop: lane by lane, through libm, the same at every level.

/// Python's modulo, as np.mod: the sign of the divisor.
pub(crate) fn modulo(a: f64, b: f64) -> f64 {
    let r = a % b;
    if b == 0.0 || r.is_nan() {
        f64::NAN
    } else if r == 0.0 {
        0.0_f64.copysign(b)
    } else if (b < 0.0) != (r < 0.0) {
        r + b
    } else {
        r
    }
}

pub(crate) fn fmod(a: f64, b: f64) -> f64 {
    a % b
}

/// sin(pi x) / (pi x), 1 at zero.
pub(crate) fn sinc(x: f64) -> f64 {
    if x == 0.0 {
        return 1.0;
    }
    let y = core::f64::consts::PI * x;
    libm::sin(y) / y
}

/// Poles: signed infinity at +-0, NaN at negative integers and at -inf.
pub(crate) fn gamma(x: f64) -> f64 {
    if x == 0.0 {
        return f64::INFINITY.copysign(x);
    }
    libm::tgamma(x)
}

/// log |gamma(x)|.
pub(crate) fn gammaln(x: f64) -> f64 {
    if x == f64::NEG_INFINITY { x } else { libm::lgamma(x) }
}

/// A Bessel function of libm, NaN at infinity as in SciPy.
macro_rules! bessel {
    ($($name:ident)*) => {$(
        pub(crate) fn $name(x: f64) -> f64 {
            if x.is_finite() { libm::$name(x) } else { f64::NAN }
        }
    )*};
}
bessel! { j0 j1 y0 y1 }
