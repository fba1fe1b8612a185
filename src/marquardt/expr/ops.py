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

from marquardt.expr import slopes
from marquardt.expr.slopes import SQRT_2PI, SQRT_PI

if TYPE_CHECKING:
    from marquardt.expr.graph import Graph, Node

Partial = Callable[..., "Node | None"]
Points = Sequence[tuple[float, ...]]


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


def _wofz(x: Any, y: Any) -> Any:
    return _faddeeva(np.add(x, np.multiply(1j, y)))


_faddeeva = _scipy("wofz")
PARTS = {"wofz_re": (_wofz, np.real), "wofz_im": (_wofz, np.imag)}
"""Operations that are a part of one complex function: both parts cost one evaluation."""


def _unary(value: Callable[..., Any], partial: Partial, at: Sequence[float], expensive: bool = False) -> Op:
    return Op(value, (partial,), [(x,) for x in at], expensive=expensive)


def _function(value: Callable[..., Any], partial: Partial, at: Sequence[float]) -> Op:
    return _unary(value, partial, at, expensive=True)


def _flat(value: Callable[..., Any], at: Points) -> Op:
    """Piecewise constant: the derivative is 0 everywhere it exists."""
    return Op(value, (_zero,) * len(at[0]), at)


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
        np.sqrt,
        lambda g, out, x: slopes.where_zero(g, out, 0.0, g.scale(0.5, g.apply("recip", out))),
        _POSITIVE,
    ),
    "cbrt": _function(
        np.cbrt,
        lambda g, out, x: slopes.where_zero(
            g, out, 0.0, g.scale(1 / 3, g.apply("recip", g.apply("square", out)))
        ),
        [0.3, -1.7, 40.0],
    ),
    "pow": Op(
        np.power,
        (slopes.pow_base, slopes.pow_exponent),
        [(1.7, 0.3), (0.4, -2.2), (3.0, 1.0)],
        expensive=True,
    ),
    "hypot": Op(
        np.hypot,
        (
            lambda g, out, a, b: slopes.where_zero(g, out, 0.0, g.div(a, out)),
            lambda g, out, a, b: slopes.where_zero(g, out, 0.0, g.div(b, out)),
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
    "copysign": Op(np.copysign, (slopes.signs, _zero), _PAIRS),
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
        np.arcsin, lambda g, out, x: slopes.rsqrt(g, slopes.one_minus_square(g, x)), [0.3, -0.9, 0.999999]
    ),
    "arccos": _function(
        np.arccos,
        lambda g, out, x: g.neg(slopes.rsqrt(g, slopes.one_minus_square(g, x))),
        [0.3, -0.9, 0.999999],
    ),
    "arctan": _function(
        np.arctan, lambda g, out, x: g.apply("recip", g.shift(1.0, g.apply("square", x))), [*_REAL, 1e4]
    ),
    "arctan2": Op(np.arctan2, (slopes.arctan2_y, slopes.arctan2_x), _PAIRS, expensive=True),
    "sinc": _function(np.sinc, slopes.sinc_slope, [*_REAL, 0.29, 0.31, 7.3]),
    # hyperbolic
    "sinh": _function(np.sinh, lambda g, out, x: g.apply("cosh", x), _REAL),
    "cosh": _function(np.cosh, lambda g, out, x: g.apply("sinh", x), _REAL),
    "tanh": _function(
        np.tanh, lambda g, out, x: g.apply("recip", g.apply("square", g.apply("cosh", x))), [*_REAL, 17.0]
    ),
    "arcsinh": _function(
        np.arcsinh, lambda g, out, x: slopes.rsqrt(g, g.shift(1.0, g.apply("square", x))), _REAL
    ),
    "arccosh": _function(
        np.arccosh,
        lambda g, out, x: slopes.rsqrt(g, g.mul(g.shift(-1.0, x), g.shift(1.0, x))),
        [1.3, 40.0, 1.000001],
    ),
    "arctanh": _function(
        np.arctanh, lambda g, out, x: g.apply("recip", slopes.one_minus_square(g, x)), [0.3, -0.9, 0.999999]
    ),
    # error functions and relatives
    "erf": _function(
        _scipy("erf"), lambda g, out, x: g.scale(2.0 / SQRT_PI, slopes.exp_of_square(g, -1.0, x)), _REAL
    ),
    "erfc": _function(
        _scipy("erfc"),
        lambda g, out, x: g.scale(-2.0 / SQRT_PI, slopes.exp_of_square(g, -1.0, x)),
        [*_REAL, 5.0],
    ),
    "erfcx": _function(_scipy("erfcx"), slopes.erfcx_slope, [*_REAL, 9.0, 49.0, 51.0, 1e5]),
    "erfinv": _function(
        _scipy("erfinv"),
        lambda g, out, x: g.scale(0.5 * SQRT_PI, slopes.exp_of_square(g, 1.0, out)),
        [0.3, -0.9, 0.0],
    ),
    "erfcinv": _function(
        _scipy("erfcinv"),
        lambda g, out, x: g.scale(-0.5 * SQRT_PI, slopes.exp_of_square(g, 1.0, out)),
        [0.3, 1.9, 1e-9],
    ),
    "ndtr": _function(
        _scipy("ndtr"),
        lambda g, out, x: g.scale(1 / SQRT_2PI, slopes.exp_of_square(g, -0.5, x)),
        [*_REAL, -9.0],
    ),
    "log_ndtr": _function(
        _scipy("log_ndtr"),
        lambda g, out, x: g.scale(
            2 / SQRT_2PI, g.apply("recip", g.apply("erfcx", g.scale(-math.sqrt(0.5), x)))
        ),
        [*_REAL, -9.0, -300.0, 8.0],
    ),
    "ndtri": _function(
        _scipy("ndtri"), lambda g, out, x: g.scale(SQRT_2PI, slopes.exp_of_square(g, 0.5, out)), [0.3, 0.99]
    ),
    "expit": _function(
        _scipy("expit"), lambda g, out, x: g.mul(out, g.apply("expit", g.neg(x))), [*_REAL, 38.0, -300.0]
    ),
    "log_expit": _function(
        _scipy("log_expit"), lambda g, out, x: g.apply("expit", g.neg(x)), [*_REAL, 38.0, -300.0]
    ),
    "wofz_re": Op(
        lambda x, y: np.real(_wofz(x, y)),
        (
            lambda g, out, x, y: slopes.wofz_slope(g, x, y)[0],
            lambda g, out, x, y: g.neg(slopes.wofz_slope(g, x, y)[1]),
        ),
        [(0.3, 1.2), (-2.1, 0.1), (5.0, 0.7)],
        expensive=True,
    ),
    "wofz_im": Op(
        lambda x, y: np.imag(_wofz(x, y)),
        (
            lambda g, out, x, y: slopes.wofz_slope(g, x, y)[1],
            lambda g, out, x, y: slopes.wofz_slope(g, x, y)[0],
        ),
        [(0.3, 1.2), (-2.1, 0.1), (5.0, 0.7)],
        expensive=True,
    ),
    "voigt_profile": Op(
        _scipy("voigt_profile"),
        (slopes.voigt_x, slopes.voigt_sigma, slopes.voigt_gamma),
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
            lambda g, out, a, b: g.mul(out, slopes.digamma_excess(g, a, b)),
            lambda g, out, a, b: g.mul(out, slopes.digamma_excess(g, b, a)),
        ),
        [(0.7, 1.9), (2.5, 3.1)],
        expensive=True,
    ),
    "betaln": Op(
        _scipy("betaln"),
        (
            lambda g, out, a, b: slopes.digamma_excess(g, a, b),
            lambda g, out, a, b: slopes.digamma_excess(g, b, a),
        ),
        [(0.7, 1.9), (2.5, 3.1)],
        expensive=True,
    ),
    "xlogy": Op(
        _scipy("xlogy"),
        (
            lambda g, out, x, y: g.apply("log", y),
            lambda g, out, x, y: slopes.where_zero(g, x, 0.0, g.div(x, y)),
        ),
        [(0.7, 1.9), (-1.3, 0.4), (2.0, 1e-6)],
        expensive=True,
    ),
    "xlog1py": Op(
        _scipy("xlog1py"),
        (
            lambda g, out, x, y: g.apply("log1p", y),
            lambda g, out, x, y: slopes.where_zero(g, x, 0.0, g.div(x, g.shift(1.0, y))),
        ),
        [(0.7, 1.9), (-1.3, 0.4), (2.0, 1e-9)],
        expensive=True,
    ),
    # Bessel functions
    "j0": _function(_scipy("j0"), lambda g, out, x: g.neg(g.apply("j1", x)), _REAL),
    "j1": _function(
        _scipy("j1"),
        lambda g, out, x: g.sub(g.apply("j0", x), slopes.where_zero(g, x, 0.5, g.div(out, x))),
        _REAL,
    ),
    "jn": Op(
        _scipy("jv"),
        (
            _zero,
            lambda g, out, n, x: g.scale(
                0.5, g.sub(slopes.jn_order(g, n, -1, x), slopes.jn_order(g, n, 1, x))
            ),
        ),
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
