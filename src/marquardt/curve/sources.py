"""Where the starts of a search come from: drawn points, and guesses by rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..expr.separable import linear_parameters
from .candidates import choose, decades, draw, how_many, sample
from .data import Data
from .model_rows import ModelRows
from .multistart import SearchRange
from .parameters import Parameters
from .ranges import Ranges, typical_size
from .self_start import SelfStart, guesses

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

GUESSED = 16
"""Guesses by start rules that go on."""


class Source(Protocol):
    """Starts, in rounds."""

    candidates: int
    """Points looked at so far."""

    def starts(self, number: int, count: int) -> list[Vector]:
        """At most `count` parameter vectors of round `number`, best first; fewer or none when exhausted."""

    def ranges(self) -> dict[str, SearchRange]:
        """Where each parameter was looked for."""


class Projected:
    """Points of a traced model, with the linear parameters solved for."""

    def __init__(self, trace: Any, data: Data, parameters: Parameters, robust: bool) -> None:
        self.parameters, self.candidates, self.robust = parameters, 0, robust
        self.rows = ModelRows.of(trace, data)
        self.linear, self.others = split(self.rows, parameters)
        self.where = self.rows.ranges(len(parameters.names))

    def starts(self, number: int, count: int) -> list[Vector]:
        if number and not self.others:
            return []
        each = how_many(len(self.others))
        drawn, places = draw(self.where, self.others, self.parameters, skip=number * each)
        costs, full = self.rows.project(drawn, self.linear, self.parameters, self.robust)
        self.candidates += len(full)
        return choose(full, costs, places, count)

    def ranges(self) -> dict[str, SearchRange]:
        return described(self.where, self.linear, self.parameters)


class Called:
    """Points of a function that is called back: ones, and a coarse search over the scales of the data.

    Such functions may be slow: Ctrl-C ends the search, and `stopped` is then True.
    """

    def __init__(self, problem: Any, data: Data, parameters: Parameters, robust: bool) -> None:
        self.problem, self.parameters, self.robust = problem, parameters, robust
        self.candidates, self.stopped = 0, False
        self.unknown = np.flatnonzero(np.isnan(parameters.values)).tolist()
        columns = [a for a in data.arguments if isinstance(a, np.ndarray) and a.dtype.kind == "f"]
        x_size = typical_size(columns[0]) if columns else 0.0
        self.sizes = tuple(dict.fromkeys((0.0, typical_size(np.abs(data.y)), -x_size, x_size)))

    def _where(self, size: float) -> Ranges:
        n = len(self.parameters.names)
        nowhere = np.full(n, np.nan)
        return Ranges(np.full(n, size), nowhere, nowhere, np.zeros(n, dtype=bool))

    def starts(self, number: int, count: int) -> list[Vector]:
        rows = [] if number else [self.parameters.provisional()[None, :]]
        for size in self.sizes:
            rows.append(draw(self._where(size), self.unknown, self.parameters, 64, skip=64 * number)[0])
        full = np.concatenate(rows)
        costs = np.full(len(full), np.inf)
        self.candidates += len(full)
        for k, values in enumerate(full):
            try:
                f = self.problem.trial_residuals(values[self.parameters.free_index])
            except KeyboardInterrupt:
                self.stopped = True
                break
            with np.errstate(over="ignore", invalid="ignore"):
                costs[k] = float(np.abs(f).sum() if self.robust else f @ f)
        return best_first(full, costs)[:count]

    def ranges(self) -> dict[str, SearchRange]:
        low = described(self._where(min(self.sizes)), [], self.parameters)
        high = described(self._where(max(self.sizes)), [], self.parameters)
        return {name: replace(low[name], high=high[name].high) for name in low}


def split(rows: ModelRows, parameters: Parameters) -> tuple[list[int], list[int]]:
    """The unknown parameters: those that follow by linear least squares, and the others."""
    unknown = np.isnan(parameters.values)
    bounded = np.isfinite(parameters.lower) | np.isfinite(parameters.upper)
    avoid = set(np.flatnonzero(bounded).tolist())
    linear = [i for i in linear_parameters(rows.outputs, avoid) if unknown[i]]
    return linear, [i for i in np.flatnonzero(unknown).tolist() if i not in linear]


def by_rules(
    starts: Sequence[SelfStart], whole: bool, trace: Any, data: Data, parameters: Parameters
) -> tuple[list[Vector], bool]:
    """Starts by the rules of built-in models, best first, linear parameters solved for.

    The second value says whether one rule speaks of all that is not linear; where it does not, the rest
    is drawn.
    """
    if not starts:
        return [], False
    rows = ModelRows.of(trace, data, most=data.y.size)  # a narrow peak may hide between the rows of a sample
    unknown = np.isnan(parameters.values)
    linear, _ = split(rows, parameters)
    found = []
    complete = len(starts) == 1
    for guess in guesses(starts, whole, data.flat()[0], len(unknown)):
        known = np.where(unknown, np.clip(guess, parameters.lower, parameters.upper), parameters.values)
        others = [i for i in np.flatnonzero(np.isnan(known)).tolist() if i not in linear]
        complete = complete and not others
        where = rows.ranges(len(unknown))
        found.append(sample(where, others, replace(parameters, values=known), 64))
    if not found:
        return [], False
    costs, full = rows.project(np.concatenate(found), linear, parameters)
    return best_first(full, costs)[:GUESSED], complete


def best_first(full: Matrix, costs: Vector) -> list[Vector]:
    """The rows that are finite and have a finite cost, by cost."""
    good = np.flatnonzero(np.isfinite(costs) & np.isfinite(full).all(axis=1))
    return [full[k] for k in good[np.argsort(costs[good], kind="stable")]]


def described(where: Ranges, linear: Sequence[int], parameters: Parameters) -> dict[str, SearchRange]:
    """The ranges by the names of the free parameters, for reports."""
    return {parameters.names[i]: _described(where, i, i in linear, parameters) for i in parameters.free}


def _described(where: Ranges, i: int, linear: bool, parameters: Parameters) -> SearchRange:
    value, lower, upper = (float(v[i]) for v in (parameters.values, parameters.lower, parameters.upper))
    if not np.isnan(value):
        return SearchRange("start", value, value)
    if linear:
        return SearchRange("linear", lower, upper)
    if np.isfinite(lower) and np.isfinite(upper):
        return SearchRange("bounds", lower, upper)
    if not np.isnan(where.low[i]):
        margin = 0.05 * float(where.high[i] - where.low[i])
        low, high = float(where.low[i]) - margin, float(where.high[i]) + margin
        return SearchRange("location", max(low, lower), min(high, upper))
    if i in where.phases:
        return SearchRange("phase", -np.pi, np.pi)
    if i in where.frequencies:
        found = where.frequencies[i]
        ends = (found.resolution / 4.0, found.highest)
        if found.inverse:
            return SearchRange("period", 1.0 / ends[1], 1.0 / ends[0])
        return SearchRange("frequency", *ends)
    down, up = decades(where, i)
    return SearchRange("size", 10.0 ** (float(where.size[i]) - down), 10.0 ** (float(where.size[i]) + up))
