"""Where to look for a parameter: its size and place, read from how it enters the expression.

Quantities that are added or compared have the same unit, what goes into ``exp`` or ``sin`` has none, and
the model has the unit of the response. Written with logarithms of typical sizes these are linear equations
for the sizes of the parameters: in ``a*exp(-b*x) + c`` they say b ~ 1/x and a ~ c ~ y. A parameter that is
subtracted from data is a location within them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..expr.graph import DATA, PARAM, Node, reachable
from ..expr.interpret import interpret
from .frequencies import Frequency, frequencies

Vector = NDArray[np.float64]

_POWERS = {"neg": 1.0, "abs": 1.0, "recip": -1.0, "sqrt": 0.5, "cbrt": 1 / 3, "square": 2.0}
_SAME = frozenset(
    {"add", "sub", "minimum", "maximum", "hypot", "arctan2", "lt", "le", "eq", "ne", "mod", "fmod"}
)
_PLACED = frozenset({"sub", "lt", "le", "minimum", "maximum"})
_MEETS = frozenset({"add", "sub", "lt", "le", "hypot", "div", "mul"})
_LOGIC = frozenset({"and", "or", "not", "isnan", "isfinite", "sign", "heaviside"})


@dataclass(frozen=True)
class Ranges:
    """Per scalar parameter: log10 of its typical size, and the interval of a location (else NaN)."""

    size: Vector
    low: Vector
    high: Vector
    exponent: NDArray[np.bool_]
    """True for what is an exponent or is added inside a function of numbers: of either sign, of order one."""
    frequencies: dict[int, Frequency] = field(default_factory=dict)
    """What the data say of parameters that are frequencies or periods."""
    phases: frozenset[int] = frozenset()
    met: dict[int, tuple[float, float]] = field(default_factory=dict)
    """log10 of the magnitudes of data that a parameter is added to, compared with or divides."""


def typical_size(values: NDArray[np.float64]) -> float:
    """log10 of the typical magnitude of `values`."""
    finite = np.abs(values[np.isfinite(values)])
    finite = finite[finite > 0.0]
    if not finite.size:
        return 0.0
    largest = finite.max()  # scaled first: squares of 1e-200 and 1e200 leave the range of numbers
    return float(np.log10(largest) + 0.5 * np.log10(np.mean((finite / largest) ** 2)))


def middle_size(values: NDArray[np.float64]) -> float:
    """log10 of the median magnitude of `values`: the middle of x, be it spaced evenly or by powers."""
    sizes = np.abs(values[np.isfinite(values)])
    sizes = sizes[sizes > 0.0]
    return float(np.log10(np.median(sizes))) if sizes.size else 0.0


def ranges(
    outputs: Sequence[Node], columns: Sequence[NDArray[np.float64]], y: NDArray[np.float64], n_params: int
) -> Ranges:
    """Read sizes and places of all parameters from the expression and the data."""
    equations = _Equations(n_params)
    low, high = np.full(n_params, math.nan), np.full(n_params, math.nan)
    exponent = np.zeros(n_params, dtype=bool)
    order = reachable(outputs)
    known = _data_values(order, columns)
    size: dict[Node, Vector | None] = {}
    met: dict[int, tuple[float, float]] = {}
    for node in order:
        if node in known:
            size[node] = equations.constant(middle_size(np.asarray(known[node])))
        else:
            _locations(node, known, low, high)
            _meetings(node, known, met)
            if node.op == "pow" and node.args[1].op == "param":
                exponent[int(node.args[1].value)] = True
            size[node] = _size_of(node, size, known, equations)
    spread = y - np.mean(y) if np.ptp(y) > 0 else y
    for node in outputs:
        equations.equal(size[node], equations.constant(typical_size(spread)), 1.0)
    periodic, phases = frequencies(outputs, columns, np.atleast_2d(y), n_params)
    return Ranges(equations.solve(), low, high, exponent, periodic, phases, met)


def _data_values(
    order: Sequence[Node], columns: Sequence[NDArray[np.float64]]
) -> dict[Node, NDArray[np.float64]]:
    """Values of the nodes that do not depend on parameters."""
    fixed = [n for n in order if not n.kind & PARAM]
    return dict(
        zip(fixed, (np.asarray(v, dtype=np.float64) for v in interpret(fixed, (), columns)), strict=True)
    )


def _locations(node: Node, known: dict[Node, NDArray[np.float64]], low: Vector, high: Vector) -> None:
    """``x - b``, ``b - x`` and ``x < b`` make b a location in the range of x."""
    if node.op not in _PLACED:
        return
    for data, parameter in (node.args, node.args[::-1]):
        if data in known and data.kind & DATA and parameter.op == "param":
            i = int(parameter.value)
            values = known[data][np.isfinite(known[data])]
            if values.size and not low[i] <= low[i]:
                low[i], high[i] = values.min(), values.max()


def _meetings(
    node: Node, known: dict[Node, NDArray[np.float64]], met: dict[int, tuple[float, float]]
) -> None:
    """``x + b``, ``x/b`` and ``b*x`` make b, or 1/b, as large as any of the x."""
    if node.op not in _MEETS:
        return
    for data, other in (node.args, node.args[::-1]):
        divides = other.op == "recip"
        parameter = other.args[0] if divides else other
        if data not in known or not data.kind & DATA or parameter.op != "param":
            continue
        sizes = np.abs(known[data][np.isfinite(known[data])])
        sizes = sizes[sizes > 0.0]
        if sizes.size:
            sign = -1.0 if node.op == "mul" and not divides else 1.0
            low, high = sorted((sign * np.log10(np.quantile(sizes, [0.02, 0.98]))).tolist())
            met.setdefault(int(parameter.value), (low, high))


def _size_of(
    node: Node, size: dict[Node, Vector | None], known: dict[Node, NDArray[np.float64]], eq: _Equations
) -> Vector | None:
    args = [size[a] for a in node.args]
    op = node.op
    if op == "param":
        return eq.parameter(int(node.value))
    if op == "mul":
        return None if args[0] is None or args[1] is None else args[0] + args[1]
    if op == "div":
        return None if args[0] is None or args[1] is None else args[0] - args[1]
    if op in _POWERS:
        return None if args[0] is None else _POWERS[op] * args[0]
    if op == "pow":
        if node.args[1].op == "const":
            return None if args[0] is None else node.args[1].value * args[0]
        eq.equal(args[1], eq.constant(0.0), 1.0)
        return args[0]
    if op == "select":
        eq.equal(args[1], args[2], 1.0)
        return args[1] if args[1] is not None else args[2]
    if op in _SAME:
        return _same(node, args, known, eq)
    if op in _LOGIC:
        return eq.constant(0.0)
    for arg in args:  # exp, sin, erf, ...: functions of pure numbers
        eq.equal(arg, eq.constant(0.0), 1.0)
    return eq.constant(0.0)


def _same(
    node: Node, args: list[Vector | None], known: dict[Node, NDArray[np.float64]], eq: _Equations
) -> Vector | None:
    """Summands are alike; a difference from a location has the size of the spread of the data."""
    a, b = node.args
    for data, other in ((a, b), (b, a)):
        if node.op == "sub" and data in known and data.kind & DATA and other.op == "param":
            eq.equal(args[0], args[1], 0.3)
            return eq.constant(typical_size(known[data] - np.mean(known[data])))
    weight = 0.5 if a.op == "const" or b.op == "const" else 1.0
    eq.equal(args[0], args[1], weight)
    both = [s for s in args if s is not None]
    return sum(both[1:], both[0]) / len(both) if both else None


class _Equations:
    """Sizes as rows ``(coefficients of the parameters' sizes, constant)``; solved by least squares."""

    def __init__(self, n_params: int) -> None:
        self.n, self.rows = n_params, list[Vector]()

    def constant(self, value: float) -> Vector:
        row = np.zeros(self.n + 1)
        row[-1] = value
        return row

    def parameter(self, i: int) -> Vector:
        row = np.zeros(self.n + 1)
        row[i] = 1.0
        return row

    def equal(self, a: Vector | None, b: Vector | None, weight: float) -> None:
        if a is not None and b is not None:
            difference = weight * (a - b)
            if difference[:-1].any():
                self.rows.append(difference)

    def solve(self) -> Vector:
        if not self.rows:
            return np.zeros(self.n)
        table = np.array(self.rows)
        solution = np.linalg.lstsq(table[:, :-1], -table[:, -1], rcond=1e-9)[0]
        return np.clip(solution, -30.0, 30.0)
