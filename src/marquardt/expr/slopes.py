"""Derivatives that take more than a line: the partials of `ops.OPS` with series, identities and edges."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from marquardt.expr.graph import Graph, Node

SQRT_PI = math.sqrt(math.pi)
SQRT_2PI = math.sqrt(2.0 * math.pi)


def where_zero(g: Graph, x: Node, at_zero: float, elsewhere: Node) -> Node:
    return g.select(g.apply("eq", x, g.const(0.0)), g.const(at_zero), elsewhere)


def pow_base(g: Graph, out: Node, x: Node, p: Node) -> Node:
    if p.op == "const" and p.value > 1.0:
        return g.mul(p, g.apply("pow", x, g.const(p.value - 1.0)))
    at_zero = g.apply("eq", p, g.const(1.0))
    return g.select(g.apply("eq", x, g.const(0.0)), at_zero, g.mul(p, g.div(out, x)))


def pow_exponent(g: Graph, out: Node, x: Node, p: Node) -> Node:
    return g.mul(out, where_zero(g, x, 0.0, g.apply("log", x)))


def signs(g: Graph, out: Node, a: Node, b: Node) -> Node:
    one = g.const(1.0)
    return g.mul(g.apply("copysign", one, a), g.apply("copysign", one, b))


def arctan2_y(g: Graph, out: Node, y: Node, x: Node) -> Node:
    return g.div(x, g.add(g.apply("square", x), g.apply("square", y)))


def arctan2_x(g: Graph, out: Node, y: Node, x: Node) -> Node:
    return g.neg(g.div(y, g.add(g.apply("square", x), g.apply("square", y))))


def rsqrt(g: Graph, x: Node) -> Node:
    return g.apply("recip", g.apply("sqrt", x))


def one_minus_square(g: Graph, x: Node) -> Node:
    one = g.const(1.0)
    return g.mul(g.sub(one, x), g.add(one, x))


def exp_of_square(g: Graph, c: float, x: Node) -> Node:
    return g.apply("exp", g.scale(c, g.apply("square", x)))


def polynomial(g: Graph, coefficients: Sequence[float], x: Node) -> Node:
    """Horner's rule, the highest power first."""
    total = g.const(coefficients[0])
    for c in coefficients[1:]:
        total = g.shift(c, g.mul(total, x))
    return total


# d/du sin(u)/u = sum (-1)^k 2k u^(2k-1)/(2k+1)!; the closed form cancels near 0.
_SINC_SERIES = [(-1.0) ** k * 2 * k / math.factorial(2 * k + 1) * math.pi ** (2 * k) for k in range(9, 0, -1)]


def sinc_slope(g: Graph, out: Node, x: Node) -> Node:
    series = g.mul(x, polynomial(g, _SINC_SERIES, g.apply("square", x)))
    closed = g.div(g.sub(g.apply("cos", g.scale(math.pi, x)), out), x)
    return g.select(g.apply("lt", g.apply("abs", x), g.const(0.3)), series, closed)


# erfcx(x) = (1 - 1/(2x^2) + 3/(4x^4) - ...)/(x sqrt(pi)) for large x, where 2x erfcx(x) - 2/sqrt(pi) cancels.
_ERFCX_SERIES = [105.0 * 9 / 16, -105.0 / 8, 15.0 / 4, -3.0 / 2, 1.0]


def erfcx_slope(g: Graph, out: Node, x: Node) -> Node:
    direct = g.shift(-2.0 / SQRT_PI, g.mul(g.scale(2.0, x), out))
    inverse = g.apply("square", g.apply("recip", x))
    tail = g.scale(-1.0 / SQRT_PI, g.mul(inverse, polynomial(g, _ERFCX_SERIES, inverse)))
    return g.select(g.apply("lt", x, g.const(50.0)), direct, tail)


def wofz_slope(g: Graph, x: Node, y: Node) -> tuple[Node, Node]:
    """Real and imaginary part of w'(z) = -2 z w(z) + 2i/sqrt(pi), z = x + iy."""
    re, im = g.apply("wofz_re", x, y), g.apply("wofz_im", x, y)
    slope_re = g.scale(-2.0, g.sub(g.mul(x, re), g.mul(y, im)))
    slope_im = g.shift(2.0 / SQRT_PI, g.scale(-2.0, g.add(g.mul(x, im), g.mul(y, re))))
    return slope_re, slope_im


def voigt_parts(g: Graph, x: Node, sigma: Node, gamma: Node) -> tuple[Node, Node, Node, Node]:
    """1/(sigma sqrt 2) and the scaled coordinates, and 1/(sigma^2 2 sqrt(pi)), the factor of w'."""
    scale = g.apply("recip", g.scale(math.sqrt(2.0), sigma))
    return scale, g.mul(x, scale), g.mul(gamma, scale), g.scale(1.0 / SQRT_PI, g.apply("square", scale))


def voigt_x(g: Graph, out: Node, x: Node, sigma: Node, gamma: Node) -> Node:
    _, a, b, factor = voigt_parts(g, x, sigma, gamma)
    return g.mul(factor, wofz_slope(g, a, b)[0])


def voigt_gamma(g: Graph, out: Node, x: Node, sigma: Node, gamma: Node) -> Node:
    _, a, b, factor = voigt_parts(g, x, sigma, gamma)
    return g.neg(g.mul(factor, wofz_slope(g, a, b)[1]))


def voigt_sigma(g: Graph, out: Node, x: Node, sigma: Node, gamma: Node) -> Node:
    """A Gaussian spreads by the heat equation, dV/dsigma = sigma d2V/dx2, with w'' = -2 w - 2 z w'."""
    _, a, b, factor = voigt_parts(g, x, sigma, gamma)
    slope_re, slope_im = wofz_slope(g, a, b)
    curvature = g.add(g.apply("wofz_re", a, b), g.sub(g.mul(a, slope_re), g.mul(b, slope_im)))
    return g.scale(-math.sqrt(2.0), g.mul(factor, curvature))


def digamma_excess(g: Graph, x: Node, y: Node) -> Node:
    return g.sub(g.apply("digamma", x), g.apply("digamma", g.add(x, y)))


def jn_order(g: Graph, n: Node, step: int, x: Node) -> Node:
    return g.apply("jn", g.const(n.value + step), x)
