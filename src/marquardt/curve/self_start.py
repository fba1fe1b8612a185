"""Start rules of built-in models: guesses that join a fit before any search."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..expr.formula import Formula
from ..expr.interpret import interpret
from ..models.row import Row
from ..models.table import row_named, row_of
from ..problem.tied import Tied
from .data import Data

Vector = NDArray[np.float64]

MOST = 16
"""Guesses of a rule that are looked at."""


@dataclass(frozen=True)
class SelfStart:
    """A built-in model in a fit: its variables, and which parameters of the fit are its own."""

    row: Row
    variables: tuple[Vector, ...]
    places: tuple[int | None, ...]
    """Per parameter of the model its index in the fit; None where the formula says something else."""


def self_starts(function: Any, data: Data) -> tuple[list[SelfStart], bool]:
    """The built-in models in a fit, and whether one of them is the whole model.

    Empty where the data are not plain columns: the rules look at real points.
    """
    if data.y.dtype.kind != "f" or data.y.size < 2:
        return [], False
    columns = [a.ravel() for a in data.arguments if isinstance(a, np.ndarray) and a.shape == data.y.shape]
    if len(columns) != len(data.arguments):
        return [], False
    if isinstance(function, Formula):
        return _in_formula(function, columns), len(function.calls) == 1 and function.calls[0].whole
    row = row_of(function.function if isinstance(function, Tied) else function)
    if row is None or row.n_x != len(columns):
        return [], False
    places: tuple[int | None, ...] = tuple(range(len(row.parameters)))
    if isinstance(function, Tied):
        places = tuple(int(n.value) if n.op == "param" else None for n in function.put.nodes)
    return [SelfStart(row, tuple(columns), places)], True


def _in_formula(formula: Formula, columns: Sequence[Vector]) -> list[SelfStart]:
    found = []
    for call in formula.calls:
        row = row_named(call.name)
        if row is None or any(node.kind & 1 for node in call.variables):
            continue  # a parameter within x: the rule does not know where the points are
        values = interpret(call.variables, (), columns)
        variables = tuple(np.broadcast_to(v, columns[0].shape).astype(np.float64) for v in values)
        places = tuple(int(n.value) if n.op == "param" else None for n in call.parameters)
        found.append(SelfStart(row, variables, places))
    return found


def guesses(starts: Sequence[SelfStart], whole: bool, y: Vector, n_params: int) -> list[Vector]:
    """Parameter vectors (n,) by the rules, NaN where none speaks of a parameter.

    What stands beside the model is unknown yet: its rule sees the response as it is, and above the line
    through its ends. Of several models, each sees what those before it leave.
    """
    found = []
    sides = [y] if whole or not starts else [y, y - _chord(starts[0].variables[0], y)]
    orders = [list(starts)] if len(starts) < 2 else [list(starts), list(starts)[::-1]]
    for side in sides:
        for order in orders:
            found += _in_turn(order, side, n_params)
    return found


def _in_turn(starts: Sequence[SelfStart], y: Vector, n_params: int) -> list[Vector]:
    rest, found = y, [np.full(n_params, math.nan)]
    for start in starts:
        with np.errstate(all="ignore"):
            values = [np.asarray(v, dtype=np.float64) for v in start.row.start(*start.variables, rest)]
            values = [v for v in values if np.isfinite(v).all()]
            if not values:
                continue
            rest = rest - start.row.function(*start.variables, *values[0])
        found = [
            _placed(old, start.places, v) for old in found for v in values[: MOST if len(starts) == 1 else 1]
        ]
    return [one for one in found if np.isfinite(one).any()]


def _placed(old: Vector, places: Sequence[int | None], values: Vector) -> Vector:
    new: Vector = old.copy()
    for place, value in zip(places, [float(v) for v in values], strict=True):
        if place is not None and math.isnan(new[place]):
            new[place] = value
    return new


def _chord(x: Vector, y: Vector) -> Vector:
    """The line through the means of the first and the last tenth of the points."""
    order = np.argsort(x, kind="stable")
    count = max(1, len(x) // 10)
    first, last = order[:count], order[-count:]
    rise = float(x[last].mean() - x[first].mean())
    slope = float(y[last].mean() - y[first].mean()) / rise if rise else 0.0
    line: Vector = y[first].mean() + slope * (x - x[first].mean())
    return line


def beats_polynomial(cost: float, data: Data, n_free: int) -> bool:
    """Is a fit at least as good as a polynomial with as many parameters?

    An end that is not may be the wrong minimum: a search is worth its time.
    """
    x = np.ravel(data.arguments[0])
    if len(data.arguments) != 1 or np.ptp(x) == 0.0:
        return True
    y, w = data.flat()
    u = (x - x.mean()) / np.ptp(x)
    basis = np.vander(u, min(n_free, 6))
    unit = float(np.abs(y).max()) or 1.0
    weight = np.ones(y.size) if w is None else w
    target = y / unit * weight
    left = target - basis * weight[:, None] @ np.linalg.lstsq(basis * weight[:, None], target, rcond=None)[0]
    return bool(cost / unit**2 <= 0.5 * float(left @ left) * (1.0 + 1e-6) + 1e-24 * float(target @ target))
