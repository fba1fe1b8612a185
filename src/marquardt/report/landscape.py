"""The cost over two parameters (or one): which two, over which ranges, and the numbers of the map."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import MarquardtError, OptionError, ParameterError, suggestion
from ..options import Options
from ..problem.callback import REJECTS
from ..problem.held import HeldProblem
from ..solve.minimize import minimize
from .dance import path, steps_of, telling

if TYPE_CHECKING:
    from ..solve.result import Result

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]
Cost = Callable[[Vector], float]

FINEST, COARSEST = 91, 13
"""Points along each side of the map."""
SECONDS = 1.5
"""About as long may one map take: a slow model gets a coarser one."""
SAMPLE = 4096
"""A map of more residuals than this is made from so many of them, evenly spaced, where that is possible."""
TELLING = 60
"""Points of a path from which the ranges are read."""
STRAY, ALONE = 8.0, 20.0
"""A point so many times further off than those before is left outside the map; a start so many times
further off than all later points, too."""


@dataclass(frozen=True)
class Landscape:
    """The cost on a grid over one or two free parameters, and the way through it."""

    names: tuple[str, ...]
    index: tuple[int, ...]
    """Which free parameters."""
    axes: tuple[Vector, ...]
    cost: Matrix
    """(len(second axis), len(first axis)), or (len(axis),) for one parameter; NaN where the model refuses."""
    others: str
    """What the remaining parameters do, in words; empty where there are none."""
    labels: tuple[str, ...]
    """The names as axes show them."""
    end: Vector
    """All free parameters at the end point."""
    end_cost: float

    @property
    def excess(self) -> Matrix:
        """``cost`` above the lowest cost known, never below 0."""
        return np.maximum(self.cost - min(self.end_cost, float(np.nanmin(self.cost))), 0.0)


def landscape(
    result: Result, a: str | None = None, b: str | None = None, others: str = "fixed", count: int = FINEST,
    more: Matrix | None = None,
) -> Landscape:  # fmt: skip
    """The cost of `result` around its path over the free parameters `a` and `b`.

    Without names: the two that are most correlated. The others keep their values at the end point, or with
    ``others="refit"`` are optimized at every grid point. A problem with one parameter has a curve, not a map.
    `more` are points (k, n) to be shown besides those of the path.

    Raises ParameterError for a name that is not free, OptionError for another word than "fixed" and "refit".
    """
    if others not in ("fixed", "refit"):
        raise OptionError(f"others={others!r}: 'fixed' or 'refit' is needed")
    index, end = chosen(result, a, b), np.asarray(result._outcome.x, dtype=float)
    problem, factor = lighter(result._outcome.problem)
    rest = [i for i in range(end.size) if i not in index]
    cost: Cost = partial(cost_at, problem)
    words = "the others as at the end" if rest else ""
    if others == "refit" and rest:
        cost, words = Refit(result, problem, rest), "the others optimized"
    count = _affordable(cost, end, count)
    axes = tuple(np.linspace(*limits, count) for limits in ranges(result, index, more))
    names = tuple(result.free_names[i] for i in index)
    labels = tuple(result.label(name) for name in names)
    grid = factor * section(cost, end, index, axes)
    return Landscape(names, index, axes, grid, words, labels, end, float(result.cost))


def chosen(result: Result, a: str | None = None, b: str | None = None) -> tuple[int, ...]:
    """Indices of the free parameters to show: those named, completed by the most correlated one."""
    names = result.free_names
    for name in (a, b):
        if name is not None and name not in names:
            raise ParameterError(f"no free parameter {name!r}{suggestion(name, names)}")
    if a is not None and a == b:
        raise ParameterError(f"the two parameters of a landscape must differ: {a!r} is named twice")
    if len(names) == 1:
        return (0,)
    strength = np.abs(np.nan_to_num(np.asarray(result.correlation, dtype=float)))
    np.fill_diagonal(strength, -1.0)
    if a is None and b is None:
        i, j = sorted(int(k) for k in np.unravel_index(int(np.argmax(strength)), strength.shape))
        return i, j
    given = [names.index(name) for name in (a, b) if name is not None]
    if len(given) == 1:
        partner = int(np.argmax(strength[given[0]]))
        return (given[0], partner) if a is not None else (partner, given[0])
    return given[0], given[1]


def ranges(result: Result, index: tuple[int, ...], more: Matrix | None = None) -> list[tuple[float, float]]:
    """Limits that show start, end and the path between them, but not its wildest excursions."""
    free = list(result._parameters.free)
    lower, upper = result._parameters.lower[free], result._parameters.upper[free]
    end = np.asarray(result._outcome.x, dtype=float)
    way = path(steps_of(result)) if len(result.trace) else end[None, :]
    way = way[telling(len(way), TELLING)]  # thousands of small steps at the end say nothing about the width
    way = (way if more is None else np.vstack([way, more]))[:, index]
    shown = way[near(way, end[list(index)])]
    stderr = np.nan_to_num(np.asarray(result.stderr, dtype=float), posinf=0.0)
    out = []
    for k, i in enumerate(index):
        low, high = extent(shown[:, k], end[i], 3.0 * stderr[i])
        margin = 0.12 * (high - low)
        out.append((max(low - margin, float(lower[i])), min(high + margin, float(upper[i]))))
    return out


def near(way: Matrix, end: Vector) -> NDArray[np.bool_]:
    """Which points of a way (k, d) belong on the map of its end: those that no sudden leap took away.

    Distances are measured by that of the start in each parameter, or by the first move away from the end.
    """
    distance = np.abs(way - end)
    moved = distance > 1e-9 * np.maximum(np.abs(end), np.abs(way[0]))
    first = distance[np.argmax(moved, axis=0), np.arange(end.size)]
    size = (distance / np.where(moved.any(axis=0), first, np.inf)).max(axis=1)
    if len(size) > 3 and size[0] > ALONE * size[1:].max() > 0:
        size[0] = np.inf
    kept, reach = np.zeros(len(way), dtype=bool), 1.0
    for k, s in enumerate(size.tolist()):
        kept[k] = s <= STRAY * reach
        reach = max(reach, s) if kept[k] else reach
    return kept


def extent(way: Vector, end: float, around: float) -> tuple[float, float]:
    """Limits in one parameter: the way, the end, and some room around it.

    >>> extent(np.array([-1.0, 0.5, 1.0]), 1.0, around=0.0)
    (-1.0, 1.1)
    """
    low, high = min(end, float(way.min(initial=end))), max(end, float(way.max(initial=end)))
    width = high - low
    room = max(min(around, 0.5 * abs(end) + width), 0.05 * width)
    low, high = min(low, end - room), max(high, end + room)
    if high - low <= 1e-9 * abs(end):
        low, high = end - max(0.5 * abs(end), 1e-9), end + max(0.5 * abs(end), 1e-9)
    return float(low), float(high)


def section(cost: Cost, x: Vector, index: tuple[int, ...], axes: tuple[Vector, ...]) -> Matrix:
    """``cost`` where the parameters `index` run over `axes` and the others keep their values in `x`.

    Neighbors follow each other: the rows run forth and back.
    """
    trial = np.array(x, dtype=float)
    out = np.empty([axis.size for axis in reversed(axes)])
    for at in np.ndindex(out.shape):
        if len(at) == 2 and at[0] % 2:
            at = (at[0], out.shape[1] - 1 - at[1])
        for i, axis, k in zip(index, axes, reversed(at), strict=True):
            trial[i] = axis[k]
        out[at] = cost(trial)
    return out


def cost_at(problem: Any, x: Vector) -> float:
    """Half the sum of squared residuals, those of a penalty included; NaN where the model refuses `x`."""
    try:
        with np.errstate(all="ignore"):
            f = np.asarray(problem.residuals(x))
            own = 0.5 * float(f @ f) if problem.loss is None else problem.loss.cost(f)
            cost = own + (problem.penalty.cost(x) if problem.penalty is not None else 0.0)
    except REJECTS:
        return np.nan
    return cost if np.isfinite(cost) else np.nan


class Refit:
    """The cost with the parameters `rest` optimized, from where they were at the last point or at the end."""

    def __init__(self, result: Result, problem: Any, rest: list[int]) -> None:
        self.held = HeldProblem(problem, result._outcome.x, rest)
        free = np.array(result._parameters.free)[rest]
        self.bounds = result._parameters.lower[free], result._parameters.upper[free]
        self.end = self.last = np.asarray(result._outcome.x, dtype=float)[rest]

    def __call__(self, x: Vector) -> float:
        self.held.x[:] = x
        for start in (self.last, self.end):
            try:
                found = minimize(self.held, start, *self.bounds, _QUICK)  # type: ignore[arg-type]
            except MarquardtError:  # not finite there
                continue
            if found.status.success:
                self.last = found.x
                return float(found.cost)
        return cost_at(self.held, self.end)


_QUICK = Options(tolerance=1e-3, polish=False, acceleration=False, trace=False, max_evaluations=40)


def lighter(problem: Any) -> tuple[Any, float]:
    """The problem on a sample of its residuals where there are many, and what makes up for the rest."""
    few = problem.sample(SAMPLE) if problem.size > 4 * SAMPLE and hasattr(problem, "sample") else None
    return (problem, 1.0) if few is None else (few, problem.size / few.size)


def _affordable(cost: Cost, x: Vector, count: int) -> int:
    """The side of a square map that is worth its time: `count`, fewer for a model that takes long."""
    cost(x)  # the first call makes ready what all others use
    began = time.perf_counter()
    cost(x)
    each = time.perf_counter() - began
    return int(np.clip(np.sqrt(SECONDS / max(each, 1e-9)), COARSEST, count))
