"""The functions a formula may call: one row each, from name to the operations of the graph."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce

from .graph import Graph, Node

Build = Callable[..., Node]


@dataclass(frozen=True)
class Function:
    build: Build  # (graph, *arguments) -> node
    least: int
    most: int | None = None  # None: as many as given
    order: bool = False  # the first argument is an order, a plain number


def _op(name: str, arity: int, order: bool = False) -> Function:
    return Function(lambda graph, *args: graph.apply(name, *args), arity, arity, order)


def _folded(name: str) -> Function:
    return Function(lambda graph, *args: reduce(lambda a, b: graph.apply(name, a, b), args), 2)


def _clip(graph: Graph, x: Node, low: Node, high: Node) -> Node:
    return graph.apply("minimum", graph.apply("maximum", x, low), high)


def _where(graph: Graph, condition: Node, yes: Node, no: Node) -> Node:
    return graph.apply("select", condition, yes, no)


def _heaviside(graph: Graph, x: Node, at_zero: Node | None = None) -> Node:
    return graph.apply("heaviside", x, graph.const(0.5) if at_zero is None else at_zero)


def _norm_pdf(graph: Graph, x: Node) -> Node:
    half = graph.apply("mul", graph.const(-0.5), graph.apply("square", x))
    return graph.apply("mul", graph.const(1 / math.sqrt(2 * math.pi)), graph.apply("exp", half))


_UNARY = (
    *("sqrt", "cbrt", "square", "abs", "sign", "floor", "ceil", "rint", "trunc", "isnan", "isfinite"),
    *("exp", "expm1", "exp2", "log", "log1p", "log2", "log10", "sinc", "sin", "cos", "tan"),
    *("arcsin", "arccos", "arctan", "sinh", "cosh", "tanh", "arcsinh", "arccosh", "arctanh"),
    *("erf", "erfc", "erfcx", "erfinv", "expit", "log_expit", "ndtr", "log_ndtr"),
    *("gamma", "gammaln", "digamma", "j0", "j1", "y0", "y1"),
)
_BINARY = ("arctan2", "hypot", "pow", "mod", "fmod", "copysign", "beta", "betaln", "xlogy", "xlog1py")
_ALIASES = {
    "ln": "log",
    "asin": "arcsin",
    "acos": "arccos",
    "atan": "arctan",
    "asinh": "arcsinh",
    "acosh": "arccosh",
    "atanh": "arctanh",
    "atan2": "arctan2",
    "power": "pow",
    "absolute": "abs",
    "fabs": "abs",
    "lgamma": "gammaln",
    "norm_cdf": "ndtr",
    "min": "minimum",
    "max": "maximum",
    "reciprocal": "recip",
    "round": "rint",
}
FUNCTIONS: dict[str, Function] = {
    **{name: _op(name, 1) for name in _UNARY},
    **{name: _op(name, 2) for name in _BINARY},
    "recip": _op("recip", 1),
    "jn": _op("jn", 2, order=True),
    "polygamma": _op("polygamma", 2, order=True),
    "voigt_profile": _op("voigt_profile", 3),
    "minimum": _folded("minimum"),
    "maximum": _folded("maximum"),
    "clip": Function(_clip, 3, 3),
    "where": Function(_where, 3, 3),
    "heaviside": Function(_heaviside, 1, 2),
    "norm_pdf": Function(_norm_pdf, 1, 1),
}
FUNCTIONS |= {alias: FUNCTIONS[name] for alias, name in _ALIASES.items()}
# Names that are more often parameters than functions: variables unless followed by a parenthesis.
EITHER = ("beta", "gamma", "j0", "j1", "y0", "y1")
