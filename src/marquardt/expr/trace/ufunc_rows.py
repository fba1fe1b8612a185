"""One row per ufunc on real numbers: the operation of the graph, or a small expression, that it is."""

# mypy: disable-error-code="no-any-return"
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..graph import Node
from .cellwise import Row, cellwise, promoted
from .symbol import Symbol


def _same(op: str, kind: str | None = None) -> Row:
    """The ufunc is one operation of the graph."""

    def row(*symbols: Symbol) -> Symbol:
        graph = symbols[0].ctx.graph
        return cellwise(symbols, lambda *nodes: graph.apply(op, *nodes), kind or promoted(symbols))

    return row


def _swapped(op: str) -> Row:
    def row(a: Symbol, b: Symbol) -> Symbol:
        graph = a.ctx.graph
        return cellwise((a, b), lambda x, y: graph.apply(op, y, x), "b")

    return row


def _made(build: Callable[..., Node], kind: str | None = None) -> Row:
    """The ufunc is a small expression: ``build(graph, *nodes)``."""

    def row(*symbols: Symbol) -> Symbol:
        graph = symbols[0].ctx.graph
        return cellwise(symbols, lambda *nodes: build(graph, *nodes), kind or promoted(symbols))

    return row


def _power(g: Any, a: Node, b: Node) -> Node:
    """Small whole powers are products: exact derivatives at 0 and cheap."""
    if b.op == "const":
        known = {2.0: "square", 0.5: "sqrt", -1.0: "recip"}.get(b.value)
        if known:
            return g.apply(known, a)
        if b.value == 1.0:
            return a
        if b.value == 0.0:
            return g.const(1.0)
    return g.apply("pow", a, b)


def _floor_divide(g: Any, a: Node, b: Node) -> Node:
    return g.apply("rint", g.div(g.sub(a, g.apply("mod", a, b)), b))


def _bessel(g: Any, n: Node, x: Node) -> Node:
    if n.op != "const" or n.value != int(n.value):
        from .symbol import current

        current().abort("jv")
    if n.value in (0.0, 1.0):
        return g.apply("j0" if n.value == 0.0 else "j1", x)
    return g.apply("jn", n, x)


def _logit(g: Any, x: Node) -> Node:
    return g.apply("log", g.div(x, g.sub(g.const(1.0), x)))


def _logaddexp(g: Any, a: Node, b: Node) -> Node:
    larger, smaller = g.apply("maximum", a, b), g.apply("minimum", a, b)
    return g.add(larger, g.apply("log1p", g.apply("exp", g.sub(smaller, larger))))


def _signed(g: Any, x: Node) -> Node:
    return g.apply("lt", x, g.const(0.0))


def _scaled(op: str, factor: float, inside: bool) -> Callable[..., Node]:
    if inside:
        return lambda g, x: g.apply(op, g.scale(factor, x))
    return lambda g, x: g.scale(factor, g.apply(op, x))


_RAD = np.pi / 180.0
_ORDINARY = [
    "sqrt",
    "cbrt",
    "square",
    "floor",
    "ceil",
    "rint",
    "trunc",
    "exp",
    "expm1",
    "exp2",
    "log",
    "log1p",
    "log2",
    "log10",
    "sin",
    "cos",
    "tan",
    "arcsin",
    "arccos",
    "arctan",
    "arctan2",
    "sinh",
    "cosh",
    "tanh",
    "arcsinh",
    "arccosh",
    "arctanh",
    "hypot",
    "heaviside",
    "copysign",
    "erf",
    "erfc",
    "erfcx",
    "erfinv",
    "erfcinv",
    "expit",
    "log_expit",
    "gamma",
    "gammaln",
    "beta",
    "betaln",
    "xlogy",
    "xlog1py",
    "j0",
    "j1",
    "y0",
    "y1",
    "ndtr",
    "log_ndtr",
    "ndtri",
    "voigt_profile",
]
_NUMBER = {
    "add": "add",
    "subtract": "sub",
    "multiply": "mul",
    "negative": "neg",
    "absolute": "abs",
    "sign": "sign",
    "remainder": "mod",
    "fmod": "fmod",
    "minimum": "minimum",
    "maximum": "maximum",
}
_TRUTH = {
    "less": "lt",
    "less_equal": "le",
    "equal": "eq",
    "not_equal": "ne",
    "logical_and": "and",
    "logical_or": "or",
    "logical_not": "not",
    "isnan": "isnan",
    "isfinite": "isfinite",
}

REAL: dict[str, Row] = {
    **{name: _same(name, "f") for name in _ORDINARY},
    **{name: _same(op) for name, op in _NUMBER.items()},
    **{name: _same(op, "b") for name, op in _TRUTH.items()},
    "greater": _swapped("lt"),
    "greater_equal": _swapped("le"),
    "divide": _same("div", "f"),
    "floor_divide": _made(_floor_divide),
    "reciprocal": _same("recip", "f"),
    "power": _made(_power),
    "float_power": _made(_power, "f"),
    "positive": _made(lambda g, x: x),
    "conjugate": _made(lambda g, x: x),
    "fabs": _same("abs", "f"),
    "fmin": _made(
        lambda g, a, b: g.select(
            g.apply("isnan", a), b, g.select(g.apply("isnan", b), a, g.apply("minimum", a, b))
        )
    ),
    "fmax": _made(
        lambda g, a, b: g.select(
            g.apply("isnan", a), b, g.select(g.apply("isnan", b), a, g.apply("maximum", a, b))
        )
    ),
    "logaddexp": _made(_logaddexp, "f"),
    "logaddexp2": _made(
        lambda g, a, b: g.scale(
            1 / np.log(2.0), _logaddexp(g, g.scale(np.log(2.0), a), g.scale(np.log(2.0), b))
        ),
        "f",
    ),
    "deg2rad": _made(lambda g, x: g.scale(_RAD, x), "f"),
    "radians": _made(lambda g, x: g.scale(_RAD, x), "f"),
    "rad2deg": _made(lambda g, x: g.scale(1 / _RAD, x), "f"),
    "degrees": _made(lambda g, x: g.scale(1 / _RAD, x), "f"),
    "signbit": _made(_signed, "b"),
    "isinf": _made(lambda g, x: g.apply("eq", g.apply("abs", x), g.const(np.inf)), "b"),
    "bitwise_and": _same("and", "b"),
    "bitwise_or": _same("or", "b"),
    "bitwise_xor": _same("ne", "b"),
    "logical_xor": _made(
        lambda g, a, b: g.apply("ne", g.apply("ne", a, g.const(0.0)), g.apply("ne", b, g.const(0.0))), "b"
    ),
    "invert": _same("not", "b"),
    # scipy.special
    "psi": _same("digamma", "f"),
    "dawsn": _made(lambda g, x: g.scale(0.5 * np.sqrt(np.pi), g.apply("wofz_im", x, g.const(0.0))), "f"),
    "loggamma": _same("gammaln", "f"),
    "jv": _made(_bessel, "f"),
    "jn": _made(_bessel, "f"),
    "logit": _made(_logit, "f"),
    "exp10": _made(lambda g, x: g.apply("pow", g.const(10.0), x), "f"),
    "cosm1": _made(lambda g, x: g.scale(-2.0, g.apply("square", g.apply("sin", g.scale(0.5, x)))), "f"),
    "boxcox": _made(lambda g, x, lam: g.div(g.apply("expm1", g.mul(lam, g.apply("log", x))), lam), "f"),
    "rgamma": _made(lambda g, x: g.apply("recip", g.apply("gamma", x)), "f"),
    "poch": _made(
        lambda g, z, m: g.apply("exp", g.sub(g.apply("gammaln", g.add(z, m)), g.apply("gammaln", z))), "f"
    ),
    "sindg": _made(_scaled("sin", _RAD, True), "f"),
    "cosdg": _made(_scaled("cos", _RAD, True), "f"),
}
