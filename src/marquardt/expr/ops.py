"""The table of operations: one row each with its NumPy value, its partial derivatives and test points.

A partial is a function ``(graph, out, *args) -> Node | None``: the derivative of ``out = op(*args)`` with
respect to one argument, built in the same graph; None where it is identically zero. Derivatives that are
infinite where the function is finite (``sqrt``, ``cbrt``, ``pow`` and ``hypot`` at 0) are 0 there: then
``sqrt(p*x)`` at ``x = 0`` has its true derivative 0 with respect to ``p`` instead of a NaN that would spoil
the whole fit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from marquardt.expr.graph import Graph, Node

Partial = Callable[..., "Node | None"]
Points = Sequence[tuple[float, ...]]
_SQRT_PI = math.sqrt(math.pi)
_SQRT_2PI = math.sqrt(2.0 * math.pi)


@dataclass(frozen=True)
class Op:
    """One operation: ``value(*arrays)``, one partial per argument, sample points ``at`` inside the domain.

    ``choice`` marks an operation that picks one of its last two arguments; it returns the condition (not 0:
    the first of the two). Its derivative is the derivative of the one picked, whatever happens in the other.
    """

    value: Callable[..., Any]
    partials: tuple[Partial, ...]
    at: Points
    choice: Callable[..., Node] | None = None
    expensive: bool = False

    @property
    def arity(self) -> int:
        return len(self.partials)

    def fold(self, *args: float) -> float:
        """The value for plain numbers."""
        with np.errstate(all="ignore"):
            return float(self.value(*args))


def _zero(g: Graph, out: Node, *args: Node) -> None:
    return None


def _one(g: Graph, out: Node, *args: Node) -> Node:
    return g.const(1.0)


def _truth(relation: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *args: np.multiply(relation(*args), 1.0)


def _scipy(name: str) -> Callable[..., Any]:
    """A function of scipy.special, imported when first evaluated: ``import marquardt`` stays light."""
    found: list[Callable[..., Any]] = []

    def value(*args: Any) -> Any:
        if not found:
            from scipy import special

            found.append(getattr(special, name))
        return found[0](*args)

    return value


def _wofz(part: str) -> Callable[..., Any]:
    wofz = _scipy("wofz")
    return lambda x, y: getattr(wofz(np.add(x, np.multiply(1j, y))), part)


def _unary(value: Callable[..., Any], partial: Partial, at: Sequence[float], expensive: bool = False) -> Op:
    return Op(value, (partial,), [(x,) for x in at], expensive=expensive)


def _function(value: Callable[..., Any], partial: Partial, at: Sequence[float]) -> Op:
    return _unary(value, partial, at, expensive=True)


def _flat(value: Callable[..., Any], at: Points) -> Op:
    """Piecewise constant: the derivative is 0 everywhere it exists."""
    return Op(value, (_zero,) * len(at[0]), at)


def _where_zero(g: Graph, x: Node, at_zero: float, elsewhere: Node) -> Node:
    return g.select(g.apply("eq", x, g.const(0.0)), g.const(at_zero), elsewhere)


def _pow_base(g: Graph, out: Node, x: Node, p: Node) -> Node:
    if p.op == "const" and p.value > 1.0:
        return g.mul(p, g.apply("pow", x, g.const(p.value - 1.0)))
    at_zero = g.apply("eq", p, g.const(1.0))
    return g.select(g.apply("eq", x, g.const(0.0)), at_zero, g.mul(p, g.div(out, x)))


def _pow_exponent(g: Graph, out: Node, x: Node, p: Node) -> Node:
    return g.mul(out, _where_zero(g, x, 0.0, g.apply("log", x)))


def _signs(g: Graph, out: Node, a: Node, b: Node) -> Node:
    one = g.const(1.0)
    return g.mul(g.apply("copysign", one, a), g.apply("copysign", one, b))


def _arctan2_y(g: Graph, out: Node, y: Node, x: Node) -> Node:
    return g.div(x, g.add(g.apply("square", x), g.apply("square", y)))


def _arctan2_x(g: Graph, out: Node, y: Node, x: Node) -> Node:
    return g.neg(g.div(y, g.add(g.apply("square", x), g.apply("square", y))))


def _rsqrt(g: Graph, x: Node) -> Node:
    return g.apply("recip", g.apply("sqrt", x))


def _one_minus_square(g: Graph, x: Node) -> Node:
    one = g.const(1.0)
    return g.mul(g.sub(one, x), g.add(one, x))


def _exp_of_square(g: Graph, c: float, x: Node) -> Node:
    return g.apply("exp", g.scale(c, g.apply("square", x)))


def _polynomial(g: Graph, coefficients: Sequence[float], x: Node) -> Node:
    """Horner's rule, the highest power first."""
    total = g.const(coefficients[0])
    for c in coefficients[1:]:
        total = g.shift(c, g.mul(total, x))
    return total


# d/du sin(u)/u = sum (-1)^k 2k u^(2k-1)/(2k+1)!; the closed form cancels near 0.
_SINC_SERIES = [(-1.0) ** k * 2 * k / math.factorial(2 * k + 1) * math.pi ** (2 * k) for k in range(9, 0, -1)]


def _sinc(g: Graph, out: Node, x: Node) -> Node:
    series = g.mul(x, _polynomial(g, _SINC_SERIES, g.apply("square", x)))
    closed = g.div(g.sub(g.apply("cos", g.scale(math.pi, x)), out), x)
    return g.select(g.apply("lt", g.apply("abs", x), g.const(0.3)), series, closed)


# erfcx(x) = (1 - 1/(2x^2) + 3/(4x^4) - ...)/(x sqrt(pi)) for large x, where 2x erfcx(x) - 2/sqrt(pi) cancels.
_ERFCX_SERIES = [105.0 * 9 / 16, -105.0 / 8, 15.0 / 4, -3.0 / 2, 1.0]


def _erfcx(g: Graph, out: Node, x: Node) -> Node:
    direct = g.shift(-2.0 / _SQRT_PI, g.mul(g.scale(2.0, x), out))
    inverse = g.apply("square", g.apply("recip", x))
    tail = g.scale(-1.0 / _SQRT_PI, g.mul(inverse, _polynomial(g, _ERFCX_SERIES, inverse)))
    return g.select(g.apply("lt", x, g.const(50.0)), direct, tail)


def _wofz_slope(g: Graph, x: Node, y: Node) -> tuple[Node, Node]:
    """Real and imaginary part of w'(z) = -2 z w(z) + 2i/sqrt(pi), z = x + iy."""
    re, im = g.apply("wofz_re", x, y), g.apply("wofz_im", x, y)
    slope_re = g.scale(-2.0, g.sub(g.mul(x, re), g.mul(y, im)))
    slope_im = g.shift(2.0 / _SQRT_PI, g.scale(-2.0, g.add(g.mul(x, im), g.mul(y, re))))
    return slope_re, slope_im


def _voigt_parts(g: Graph, x: Node, sigma: Node, gamma: Node) -> tuple[Node, Node, Node, Node]:
    """1/(sigma sqrt 2) and the scaled coordinates, and 1/(sigma^2 2 sqrt(pi)), the factor of w'."""
    scale = g.apply("recip", g.scale(math.sqrt(2.0), sigma))
    return scale, g.mul(x, scale), g.mul(gamma, scale), g.scale(1.0 / _SQRT_PI, g.apply("square", scale))


def _voigt_x(g: Graph, out: Node, x: Node, sigma: Node, gamma: Node) -> Node:
    _, a, b, factor = _voigt_parts(g, x, sigma, gamma)
    return g.mul(factor, _wofz_slope(g, a, b)[0])


def _voigt_gamma(g: Graph, out: Node, x: Node, sigma: Node, gamma: Node) -> Node:
    _, a, b, factor = _voigt_parts(g, x, sigma, gamma)
    return g.neg(g.mul(factor, _wofz_slope(g, a, b)[1]))


def _voigt_sigma(g: Graph, out: Node, x: Node, sigma: Node, gamma: Node) -> Node:
    """A Gaussian spreads by the heat equation, dV/dsigma = sigma d2V/dx2, with w'' = -2 w - 2 z w'."""
    _, a, b, factor = _voigt_parts(g, x, sigma, gamma)
    slope_re, slope_im = _wofz_slope(g, a, b)
    curvature = g.add(g.apply("wofz_re", a, b), g.sub(g.mul(a, slope_re), g.mul(b, slope_im)))
    return g.scale(-math.sqrt(2.0), g.mul(factor, curvature))


def _digamma_excess(g: Graph, x: Node, y: Node) -> Node:
    return g.sub(g.apply("digamma", x), g.apply("digamma", g.add(x, y)))


def _jn_order(g: Graph, n: Node, step: int, x: Node) -> Node:
    return g.apply("jn", g.const(n.value + step), x)


_PAIRS = [(0.7, 1.9), (-1.3, 0.4), (2.5, -3.1), (-0.2, -0.9)]
_REAL = [0.3, -1.7, 2.9, 0.0, 1e-8]
_POSITIVE = [0.3, 1.0, 2.9, 1e-6, 40.0]

OPS: dict[str, Op] = {
    # arithmetic
    "add": Op(np.add, (_one, _one), _PAIRS),
    "sub": Op(np.subtract, (_one, lambda g, out, a, b: g.const(-1.0)), _PAIRS),
    "mul": Op(np.multiply, (lambda g, out, a, b: b, lambda g, out, a, b: a), _PAIRS),
    "div": Op(
        np.divide,
        (lambda g, out, a, b: g.apply("recip", b), lambda g, out, a, b: g.neg(g.div(out, b))),
        _PAIRS,
    ),
    "neg": _unary(np.negative, lambda g, out, x: g.const(-1.0), _REAL),
    "recip": _unary(np.reciprocal, lambda g, out, x: g.neg(g.apply("square", out)), [0.3, -1.7, 1e-6]),
    "square": _unary(np.square, lambda g, out, x: g.scale(2.0, x), _REAL),
    "sqrt": _unary(
        np.sqrt, lambda g, out, x: _where_zero(g, out, 0.0, g.scale(0.5, g.apply("recip", out))), _POSITIVE
    ),
    "cbrt": _function(
        np.cbrt,
        lambda g, out, x: _where_zero(g, out, 0.0, g.scale(1 / 3, g.apply("recip", g.apply("square", out)))),
        [0.3, -1.7, 40.0],
    ),
    "pow": Op(np.power, (_pow_base, _pow_exponent), [(1.7, 0.3), (0.4, -2.2), (3.0, 1.0)], expensive=True),
    "hypot": Op(
        np.hypot,
        (
            lambda g, out, a, b: _where_zero(g, out, 0.0, g.div(a, out)),
            lambda g, out, a, b: _where_zero(g, out, 0.0, g.div(b, out)),
        ),
        _PAIRS,
        expensive=True,
    ),
    "mod": Op(
        np.mod,
        (_one, lambda g, out, a, b: g.neg(g.apply("floor", g.div(a, b)))),
        [(0.7, 1.9), (-1.3, 0.4), (2.5, -3.1)],
    ),
    "fmod": Op(
        np.fmod,
        (_one, lambda g, out, a, b: g.neg(g.apply("trunc", g.div(a, b)))),
        [(0.7, 1.9), (-1.3, 0.4), (2.5, -3.1)],
    ),
    # signs, steps, choices
    "abs": _unary(np.absolute, lambda g, out, x: g.apply("sign", x), [0.3, -1.7]),
    "sign": _flat(np.sign, [(0.3,), (-1.7,)]),
    "floor": _flat(np.floor, [(0.3,), (-1.7,)]),
    "ceil": _flat(np.ceil, [(0.3,), (-1.7,)]),
    "rint": _flat(np.rint, [(0.3,), (-1.7,)]),
    "trunc": _flat(np.trunc, [(0.3,), (-1.7,)]),
    "heaviside": _flat(np.heaviside, [(0.3, 0.5), (-1.7, 0.5)]),
    "copysign": Op(np.copysign, (_signs, _zero), _PAIRS),
    "minimum": Op(np.minimum, (_zero, _zero), _PAIRS, choice=lambda g, a, b: g.apply("le", a, b)),
    "maximum": Op(np.maximum, (_zero, _zero), _PAIRS, choice=lambda g, a, b: g.apply("le", b, a)),
    "select": Op(
        lambda c, a, b: np.where(np.not_equal(c, 0.0), a, b),
        (_zero, _zero, _zero),
        [(1.0, 0.3, 2.0), (0.0, 0.3, 2.0)],
        choice=lambda g, c, a, b: c,
    ),
    "lt": _flat(_truth(np.less), _PAIRS),
    "le": _flat(_truth(np.less_equal), _PAIRS),
    "eq": _flat(_truth(np.equal), _PAIRS),
    "ne": _flat(_truth(np.not_equal), _PAIRS),
    "and": _flat(_truth(np.logical_and), _PAIRS),
    "or": _flat(_truth(np.logical_or), _PAIRS),
    "not": _flat(_truth(np.logical_not), [(0.3,), (0.0,)]),
    "isnan": _flat(_truth(np.isnan), [(0.3,)]),
    "isfinite": _flat(_truth(np.isfinite), [(0.3,)]),
    # exponentials and logarithms
    "exp": _function(np.exp, lambda g, out, x: out, [*_REAL, -700.0]),
    "expm1": _function(np.expm1, lambda g, out, x: g.apply("exp", x), [*_REAL, -40.0]),
    "exp2": _function(np.exp2, lambda g, out, x: g.scale(math.log(2.0), out), _REAL),
    "log": _function(np.log, lambda g, out, x: g.apply("recip", x), _POSITIVE),
    "log1p": _function(
        np.log1p, lambda g, out, x: g.apply("recip", g.shift(1.0, x)), [0.3, -0.7, 2.9, 1e-12]
    ),
    "log2": _function(np.log2, lambda g, out, x: g.scale(1 / math.log(2.0), g.apply("recip", x)), _POSITIVE),
    "log10": _function(
        np.log10, lambda g, out, x: g.scale(1 / math.log(10.0), g.apply("recip", x)), _POSITIVE
    ),
    # circular
    "sin": _function(np.sin, lambda g, out, x: g.apply("cos", x), [*_REAL, 1e3]),
    "cos": _function(np.cos, lambda g, out, x: g.neg(g.apply("sin", x)), [*_REAL, 1e3]),
    "tan": _function(np.tan, lambda g, out, x: g.shift(1.0, g.apply("square", out)), _REAL),
    "arcsin": _function(
        np.arcsin, lambda g, out, x: _rsqrt(g, _one_minus_square(g, x)), [0.3, -0.9, 0.999999]
    ),
    "arccos": _function(
        np.arccos, lambda g, out, x: g.neg(_rsqrt(g, _one_minus_square(g, x))), [0.3, -0.9, 0.999999]
    ),
    "arctan": _function(
        np.arctan, lambda g, out, x: g.apply("recip", g.shift(1.0, g.apply("square", x))), [*_REAL, 1e4]
    ),
    "arctan2": Op(np.arctan2, (_arctan2_y, _arctan2_x), _PAIRS, expensive=True),
    "sinc": _function(np.sinc, _sinc, [*_REAL, 0.29, 0.31, 7.3]),
    # hyperbolic
    "sinh": _function(np.sinh, lambda g, out, x: g.apply("cosh", x), _REAL),
    "cosh": _function(np.cosh, lambda g, out, x: g.apply("sinh", x), _REAL),
    "tanh": _function(
        np.tanh, lambda g, out, x: g.apply("recip", g.apply("square", g.apply("cosh", x))), [*_REAL, 17.0]
    ),
    "arcsinh": _function(np.arcsinh, lambda g, out, x: _rsqrt(g, g.shift(1.0, g.apply("square", x))), _REAL),
    "arccosh": _function(
        np.arccosh,
        lambda g, out, x: _rsqrt(g, g.mul(g.shift(-1.0, x), g.shift(1.0, x))),
        [1.3, 40.0, 1.000001],
    ),
    "arctanh": _function(
        np.arctanh, lambda g, out, x: g.apply("recip", _one_minus_square(g, x)), [0.3, -0.9, 0.999999]
    ),
    # error functions and relatives
    "erf": _function(
        _scipy("erf"), lambda g, out, x: g.scale(2.0 / _SQRT_PI, _exp_of_square(g, -1.0, x)), _REAL
    ),
    "erfc": _function(
        _scipy("erfc"), lambda g, out, x: g.scale(-2.0 / _SQRT_PI, _exp_of_square(g, -1.0, x)), [*_REAL, 5.0]
    ),
    "erfcx": _function(_scipy("erfcx"), _erfcx, [*_REAL, 9.0, 49.0, 51.0, 1e5]),
    "erfinv": _function(
        _scipy("erfinv"),
        lambda g, out, x: g.scale(0.5 * _SQRT_PI, _exp_of_square(g, 1.0, out)),
        [0.3, -0.9, 0.0],
    ),
    "erfcinv": _function(
        _scipy("erfcinv"),
        lambda g, out, x: g.scale(-0.5 * _SQRT_PI, _exp_of_square(g, 1.0, out)),
        [0.3, 1.9, 1e-9],
    ),
    "ndtr": _function(
        _scipy("ndtr"), lambda g, out, x: g.scale(1 / _SQRT_2PI, _exp_of_square(g, -0.5, x)), [*_REAL, -9.0]
    ),
    "log_ndtr": _function(
        _scipy("log_ndtr"),
        lambda g, out, x: g.scale(
            2 / _SQRT_2PI, g.apply("recip", g.apply("erfcx", g.scale(-math.sqrt(0.5), x)))
        ),
        [*_REAL, -9.0, -300.0, 8.0],
    ),
    "ndtri": _function(
        _scipy("ndtri"), lambda g, out, x: g.scale(_SQRT_2PI, _exp_of_square(g, 0.5, out)), [0.3, 0.99]
    ),
    "expit": _function(
        _scipy("expit"), lambda g, out, x: g.mul(out, g.apply("expit", g.neg(x))), [*_REAL, 38.0, -300.0]
    ),
    "log_expit": _function(
        _scipy("log_expit"), lambda g, out, x: g.apply("expit", g.neg(x)), [*_REAL, 38.0, -300.0]
    ),
    "wofz_re": Op(
        _wofz("real"),
        (
            lambda g, out, x, y: _wofz_slope(g, x, y)[0],
            lambda g, out, x, y: g.neg(_wofz_slope(g, x, y)[1]),
        ),
        [(0.3, 1.2), (-2.1, 0.1), (5.0, 0.7)],
        expensive=True,
    ),
    "wofz_im": Op(
        _wofz("imag"),
        (lambda g, out, x, y: _wofz_slope(g, x, y)[1], lambda g, out, x, y: _wofz_slope(g, x, y)[0]),
        [(0.3, 1.2), (-2.1, 0.1), (5.0, 0.7)],
        expensive=True,
    ),
    "voigt_profile": Op(
        _scipy("voigt_profile"),
        (_voigt_x, _voigt_sigma, _voigt_gamma),
        [(0.3, 1.2, 0.4), (-2.1, 0.5, 0.9)],
        expensive=True,
    ),
    # gamma function and relatives
    "gamma": _function(
        _scipy("gamma"), lambda g, out, x: g.mul(out, g.apply("digamma", x)), [0.3, 2.9, -1.7]
    ),
    "gammaln": _function(_scipy("gammaln"), lambda g, out, x: g.apply("digamma", x), [0.3, 2.9, 40.0]),
    "digamma": _function(
        _scipy("digamma"), lambda g, out, x: g.apply("polygamma", g.const(1.0), x), [0.3, 2.9, 40.0]
    ),
    "polygamma": Op(
        _scipy("polygamma"),
        (_zero, lambda g, out, n, x: g.apply("polygamma", g.const(n.value + 1.0), x)),
        [(1.0, 0.3), (2.0, 2.9)],
        expensive=True,
    ),
    "beta": Op(
        _scipy("beta"),
        (
            lambda g, out, a, b: g.mul(out, _digamma_excess(g, a, b)),
            lambda g, out, a, b: g.mul(out, _digamma_excess(g, b, a)),
        ),
        [(0.7, 1.9), (2.5, 3.1)],
        expensive=True,
    ),
    "betaln": Op(
        _scipy("betaln"),
        (lambda g, out, a, b: _digamma_excess(g, a, b), lambda g, out, a, b: _digamma_excess(g, b, a)),
        [(0.7, 1.9), (2.5, 3.1)],
        expensive=True,
    ),
    "xlogy": Op(
        _scipy("xlogy"),
        (
            lambda g, out, x, y: g.apply("log", y),
            lambda g, out, x, y: _where_zero(g, x, 0.0, g.div(x, y)),
        ),
        [(0.7, 1.9), (-1.3, 0.4), (2.0, 1e-6)],
        expensive=True,
    ),
    "xlog1py": Op(
        _scipy("xlog1py"),
        (
            lambda g, out, x, y: g.apply("log1p", y),
            lambda g, out, x, y: _where_zero(g, x, 0.0, g.div(x, g.shift(1.0, y))),
        ),
        [(0.7, 1.9), (-1.3, 0.4), (2.0, 1e-9)],
        expensive=True,
    ),
    # Bessel functions
    "j0": _function(_scipy("j0"), lambda g, out, x: g.neg(g.apply("j1", x)), _REAL),
    "j1": _function(
        _scipy("j1"), lambda g, out, x: g.sub(g.apply("j0", x), _where_zero(g, x, 0.5, g.div(out, x))), _REAL
    ),
    "jn": Op(
        _scipy("jv"),
        (_zero, lambda g, out, n, x: g.scale(0.5, g.sub(_jn_order(g, n, -1, x), _jn_order(g, n, 1, x)))),
        [(2.0, 0.3), (3.0, 4.1)],
        expensive=True,
    ),
    "y0": _function(_scipy("y0"), lambda g, out, x: g.neg(g.apply("y1", x)), [0.3, 2.9]),
    "y1": _function(_scipy("y1"), lambda g, out, x: g.sub(g.apply("y0", x), g.div(out, x)), [0.3, 2.9]),
}

FLAT = frozenset(
    name for name, op in OPS.items() if op.choice is None and all(p is _zero for p in op.partials)
)
"""Operations whose derivative is 0 wherever it exists."""
