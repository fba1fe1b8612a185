"""The operations in mpmath: what values and derivatives are compared with."""

from __future__ import annotations

import mpmath as mp

DIGITS = 60


def _wofz(x, y):
    z = mp.mpc(x, y)
    return mp.exp(-z * z) * mp.erfc(-1j * z)


def _voigt(x, sigma, gamma):
    s = sigma * mp.sqrt(2)
    return _wofz(x / s, gamma / s).real / (s * mp.sqrt(mp.pi))


def _ndtr(x):
    return mp.erfc(-x / mp.sqrt(2)) / 2


def _truncated(x):
    return mp.floor(x) if x >= 0 else mp.ceil(x)


FUNCTIONS = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "neg": lambda a: -a,
    "recip": lambda a: 1 / a,
    "square": lambda a: a * a,
    "sqrt": mp.sqrt,
    "cbrt": lambda a: mp.sign(a) * mp.cbrt(abs(a)),
    "pow": lambda a, b: a**b,
    "hypot": mp.hypot,
    "mod": lambda a, b: a - b * mp.floor(a / b),
    "fmod": lambda a, b: a - b * _truncated(a / b),
    "abs": abs,
    "sign": mp.sign,
    "floor": mp.floor,
    "ceil": mp.ceil,
    "rint": mp.nint,
    "trunc": _truncated,
    "heaviside": lambda a, b: mp.mpf(a > 0) if a != 0 else b,
    "copysign": lambda a, b: abs(a) * mp.sign(b),
    "minimum": min,
    "maximum": max,
    "select": lambda c, a, b: a if c else b,
    "lt": lambda a, b: mp.mpf(a < b),
    "le": lambda a, b: mp.mpf(a <= b),
    "eq": lambda a, b: mp.mpf(a == b),
    "ne": lambda a, b: mp.mpf(a != b),
    "and": lambda a, b: mp.mpf(bool(a) and bool(b)),
    "or": lambda a, b: mp.mpf(bool(a) or bool(b)),
    "not": lambda a: mp.mpf(not a),
    "isnan": lambda a: mp.mpf(mp.isnan(a)),
    "isfinite": lambda a: mp.mpf(mp.isfinite(a)),
    "exp": mp.exp,
    "expm1": mp.expm1,
    "exp2": lambda a: mp.mpf(2) ** a,
    "log": mp.log,
    "log1p": mp.log1p,
    "log2": lambda a: mp.log(a, 2),
    "log10": mp.log10,
    "sin": mp.sin,
    "cos": mp.cos,
    "tan": mp.tan,
    "arcsin": mp.asin,
    "arccos": mp.acos,
    "arctan": mp.atan,
    "arctan2": mp.atan2,
    "sinc": mp.sincpi,
    "sinh": mp.sinh,
    "cosh": mp.cosh,
    "tanh": mp.tanh,
    "arcsinh": mp.asinh,
    "arccosh": mp.acosh,
    "arctanh": mp.atanh,
    "erf": mp.erf,
    "erfc": mp.erfc,
    "erfcx": lambda a: mp.exp(a * a) * mp.erfc(a),
    "erfinv": mp.erfinv,
    "erfcinv": lambda a: -mp.sqrt(2) / 2 * _ndtri(a / 2),
    "ndtr": _ndtr,
    "log_ndtr": lambda a: mp.log(_ndtr(a)),
    "ndtri": lambda a: _ndtri(a),
    "expit": lambda a: 1 / (1 + mp.exp(-a)),
    "log_expit": lambda a: -mp.log1p(mp.exp(-a)),
    "wofz_re": lambda x, y: _wofz(x, y).real,
    "wofz_im": lambda x, y: _wofz(x, y).imag,
    "voigt_profile": _voigt,
    "gamma": mp.gamma,
    "gammaln": mp.loggamma,
    "digamma": mp.digamma,
    "polygamma": lambda n, x: mp.polygamma(int(n), x),
    "beta": mp.beta,
    "betaln": lambda a, b: mp.log(mp.beta(a, b)),
    "xlogy": lambda a, b: a * mp.log(b),
    "xlog1py": lambda a, b: a * mp.log1p(b),
    "j0": lambda x: mp.besselj(0, x),
    "j1": lambda x: mp.besselj(1, x),
    "jn": lambda n, x: mp.besselj(int(n), x),
    "y0": lambda x: mp.bessely(0, x),
    "y1": lambda x: mp.bessely(1, x),
}


def _ndtri(p):
    """Inverse of the normal distribution function by Newton's method from SciPy's value."""
    from scipy import special

    x = mp.mpf(float(special.ndtri(float(p))))
    for _ in range(6):
        x -= (_ndtr(x) - p) / mp.npdf(x)
    return x


def value(op: str, *args: float) -> mp.mpf:
    """The operation at `DIGITS` digits."""
    with mp.workdps(DIGITS):
        return FUNCTIONS[op](*[mp.mpf(a) for a in args])


def partial(op: str, which: int, *args: float) -> mp.mpf:
    """Its derivative with respect to one argument, by a central difference of the precise values."""
    with mp.workdps(DIGITS):
        point = [mp.mpf(a) for a in args]
        h = mp.mpf(10) ** -20 * (abs(point[which]) if point[which] else 1)
        ahead, behind = list(point), list(point)
        ahead[which] += h
        behind[which] -= h
        return (FUNCTIONS[op](*ahead) - FUNCTIONS[op](*behind)) / (2 * h)
