"""Complex arithmetic on (re, im) pairs of real nodes, keyed by the ufunc's name.

A part that is the constant 0 is dropped from products, so that ``1j*w*L`` stays purely imaginary.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..graph import Graph, Node
from .cellwise import cellwise, pairwise
from .symbol import Symbol

Pair = tuple[Node, Node]


def _zero(node: Node) -> bool:
    return node.op == "const" and node.value == 0.0


def _mul(g: Graph, a: Node, b: Node) -> Node:
    return g.const(0.0) if _zero(a) or _zero(b) else g.mul(a, b)


def add(g: Graph, a: Pair, b: Pair) -> Pair:
    return g.add(a[0], b[0]), g.add(a[1], b[1])


def subtract(g: Graph, a: Pair, b: Pair) -> Pair:
    return g.sub(a[0], b[0]), g.sub(a[1], b[1])


def multiply(g: Graph, a: Pair, b: Pair) -> Pair:
    return (
        g.sub(_mul(g, a[0], b[0]), _mul(g, a[1], b[1])),
        g.add(_mul(g, a[0], b[1]), _mul(g, a[1], b[0])),
    )


def divide(g: Graph, a: Pair, b: Pair) -> Pair:
    """By a real, an imaginary, or a full number; without overflow for ordinary sizes."""
    if _zero(b[1]):
        return _div(g, a[0], b[0]), _div(g, a[1], b[0])
    if _zero(b[0]):
        return _div(g, a[1], b[1]), g.neg(_div(g, a[0], b[1])) if not _zero(a[0]) else g.const(0.0)
    size = g.add(g.apply("square", b[0]), g.apply("square", b[1]))
    re, im = multiply(g, a, (b[0], g.neg(b[1])))
    return _div(g, re, size), _div(g, im, size)


def _div(g: Graph, a: Node, b: Node) -> Node:
    return g.const(0.0) if _zero(a) else g.div(a, b)


def modulus(g: Graph, z: Pair) -> Node:
    if _zero(z[1]):
        return g.apply("abs", z[0])
    return g.apply("abs", z[1]) if _zero(z[0]) else g.apply("hypot", z[0], z[1])


def angle(g: Graph, z: Pair) -> Node:
    return g.apply("arctan2", z[1], z[0])


def exp(g: Graph, z: Pair) -> Pair:
    cos, sin = g.apply("cos", z[1]), g.apply("sin", z[1])
    if _zero(z[0]):
        return cos, sin
    size = g.apply("exp", z[0])
    return g.mul(size, cos), _mul(g, size, sin)


def log(g: Graph, z: Pair) -> Pair:
    return g.apply("log", modulus(g, z)), angle(g, z)


def sqrt(g: Graph, z: Pair) -> Pair:
    """The principal root, without cancellation in either half plane."""
    re, im = z
    if _zero(re):
        root = g.apply("sqrt", g.scale(0.5, g.apply("abs", im)))
        return root, g.apply("copysign", root, im)
    half = g.apply("sqrt", g.scale(0.5, g.add(modulus(g, z), g.apply("abs", re))))
    other = g.select(g.apply("eq", half, g.const(0.0)), half, g.div(im, g.scale(2.0, half)))
    right = g.apply("le", g.const(0.0), re)
    return (
        g.select(right, half, g.apply("abs", other)),
        g.select(right, other, g.apply("copysign", half, im)),
    )


def power(g: Graph, a: Pair, b: Pair) -> Pair:
    """Small whole powers as products, others in polar form."""
    if _zero(b[1]) and b[0].op == "const":
        n = b[0].value
        if n == int(n) and 0 < abs(n) <= 16:
            return _whole(g, a, int(n))
        if n == 0.5:
            return sqrt(g, a)
        if n == 0.0:
            return g.const(1.0), g.const(0.0)
    if _zero(b[1]):
        size, turn = g.apply("pow", modulus(g, a), b[0]), _mul(g, b[0], angle(g, a))
        return g.mul(size, g.apply("cos", turn)), g.mul(size, g.apply("sin", turn))
    return exp(g, multiply(g, b, log(g, a)))


def _whole(g: Graph, z: Pair, n: int) -> Pair:
    result: Pair | None = None
    square, k = z, abs(n)
    while k:
        if k & 1:
            result = square if result is None else multiply(g, result, square)
        k >>= 1
        if k:
            square = multiply(g, square, square)
    assert result is not None
    return result if n > 0 else divide(g, (g.const(1.0), g.const(0.0)), result)


def sin(g: Graph, z: Pair) -> Pair:
    return (
        g.mul(g.apply("sin", z[0]), g.apply("cosh", z[1])),
        g.mul(g.apply("cos", z[0]), g.apply("sinh", z[1])),
    )


def cos(g: Graph, z: Pair) -> Pair:
    return (
        g.mul(g.apply("cos", z[0]), g.apply("cosh", z[1])),
        g.neg(g.mul(g.apply("sin", z[0]), g.apply("sinh", z[1]))),
    )


def sinh(g: Graph, z: Pair) -> Pair:
    return (
        g.mul(g.apply("sinh", z[0]), g.apply("cos", z[1])),
        g.mul(g.apply("cosh", z[0]), g.apply("sin", z[1])),
    )


def cosh(g: Graph, z: Pair) -> Pair:
    return (
        g.mul(g.apply("cosh", z[0]), g.apply("cos", z[1])),
        g.mul(g.apply("sinh", z[0]), g.apply("sin", z[1])),
    )


def tanh(g: Graph, z: Pair) -> Pair:
    """By real functions that stay finite for large arguments, as their derivatives do."""
    t, s, c = g.apply("tanh", z[0]), g.apply("sin", z[1]), g.apply("cos", z[1])
    small = g.apply("exp", g.scale(-2.0, g.apply("abs", z[0])))  # 1/cosh would have sinh in its derivative
    sech2 = g.div(g.scale(4.0, small), g.apply("square", g.add(small, g.const(1.0))))
    bottom = g.add(g.apply("square", c), g.mul(g.apply("square", t), g.apply("square", s)))
    return g.div(t, bottom), g.div(g.mul(sech2, g.mul(s, c)), bottom)


def tan(g: Graph, z: Pair) -> Pair:
    im, re = tanh(g, (g.neg(z[1]), z[0]))
    return re, g.neg(im)


def wofz(g: Graph, z: Pair) -> Pair:
    return g.apply("wofz_re", *z), g.apply("wofz_im", *z)


def _complex(function: Callable[..., Pair]) -> Callable[..., Symbol]:
    def row(*symbols: Symbol) -> Symbol:
        g = symbols[0].ctx.graph
        return pairwise(symbols, lambda *pairs: function(g, *pairs))

    return row


def _real(function: Callable[..., Node], kind: str = "f") -> Callable[..., Symbol]:
    """A real result of complex operands."""

    def row(*symbols: Symbol) -> Symbol:
        g = symbols[0].ctx.graph
        result = pairwise(symbols, lambda *pairs: (function(g, *pairs), g.const(0.0)))
        result.im, result.kind = None, kind
        return result

    return row


def _both(op: str, join: str) -> Callable[..., Symbol]:
    return _real(
        lambda g, *z: g.apply(join, g.apply(op, *[p[0] for p in z]), g.apply(op, *[p[1] for p in z])), "b"
    )


def _log_base(base: float) -> Callable[[Graph, Pair], Pair]:
    from math import log as ln

    def function(g: Graph, z: Pair) -> Pair:
        re, im = log(g, z)
        return g.scale(1 / ln(base), re), g.scale(1 / ln(base), im)

    return function


COMPLEX: dict[str, Callable[..., Symbol]] = {
    "add": _complex(add),
    "subtract": _complex(subtract),
    "multiply": _complex(multiply),
    "divide": _complex(divide),
    "negative": _complex(lambda g, z: (g.neg(z[0]), g.neg(z[1]))),
    "positive": _complex(lambda g, z: z),
    "conjugate": _complex(lambda g, z: (z[0], g.neg(z[1]))),
    "reciprocal": _complex(lambda g, z: divide(g, (g.const(1.0), g.const(0.0)), z)),
    "square": _complex(lambda g, z: multiply(g, z, z)),
    "absolute": _real(modulus),
    "power": _complex(power),
    "float_power": _complex(power),
    "sqrt": _complex(sqrt),
    "exp": _complex(exp),
    "log": _complex(log),
    "log10": _complex(_log_base(10.0)),
    "log2": _complex(_log_base(2.0)),
    "log1p": _complex(lambda g, z: log(g, (g.add(z[0], g.const(1.0)), z[1]))),
    "expm1": _complex(lambda g, z: subtract(g, exp(g, z), (g.const(1.0), g.const(0.0)))),
    "sin": _complex(sin),
    "cos": _complex(cos),
    "tan": _complex(tan),
    "sinh": _complex(sinh),
    "cosh": _complex(cosh),
    "tanh": _complex(tanh),
    "wofz": _complex(wofz),
    "equal": _both("eq", "and"),
    "not_equal": _both("ne", "or"),
    "isfinite": _both("isfinite", "and"),
    "isnan": _both("isnan", "or"),
}


def parts_angle(symbol: Any) -> Symbol:
    """``np.angle``."""
    g = symbol.ctx.graph
    if symbol.im is None:
        return cellwise((symbol,), lambda x: g.apply("arctan2", g.const(0.0), x), "f")
    result = _real(angle)(symbol)
    return result
