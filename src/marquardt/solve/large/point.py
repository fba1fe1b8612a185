"""A point of a large problem and its linear model: what the loop steps from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...problem.losses import FLOOR
from .clock import TimedSystem

Matrix = NDArray[np.float64]
Mask = NDArray[np.bool_]
Arrays = list[Matrix]
SAFE = 1.0
"""The floor, in place of `FLOOR`, of reweighted squares: they are nowhere below the cost."""


@dataclass(frozen=True, eq=False)
class Task:
    """A compiled problem with the system that evaluates it.

    ``fixed`` marks components that never move, None where there are none; ``bounds`` are lower and upper
    limits of each family of variables, or None; ``weights`` are factors of |r_i|² by family of residuals;
    ``floor`` is the least part of the curvature of the squares that losses leave along the residuals.
    """

    compiled: Any
    system: TimedSystem
    eliminated: int | None
    fixed: list[Mask] | None
    bounds: list[tuple[Matrix, Matrix] | None]
    weights: Mapping[int, Matrix] = field(default_factory=dict)
    floor: float = FLOOR

    @classmethod
    def of(cls, compiled: Any, system: TimedSystem, eliminated: int | None) -> Task:
        variables = compiled.variables
        fixed = [np.ascontiguousarray(v.frozen, dtype=bool) for v in variables]
        bounds = [_box(v) for v in variables]
        return cls(compiled, system, eliminated, fixed if any(f.any() for f in fixed) else None, bounds)

    @property
    def has_losses(self) -> bool:
        return any(f.loss is not None for f in self.compiled.families)

    @property
    def is_bounded(self) -> bool:
        return any(box is not None for box in self.bounds)

    def inside(self, values: Arrays) -> Arrays:
        """The nearest values within the bounds."""
        pairs = zip(values, self.bounds, strict=True)
        return [x if box is None else np.clip(x, *box) for x, box in pairs]

    def linearize(self, values: Arrays) -> Point:
        """The system remembers J at these values; the point knows its cost."""
        point = Point(self, values, math.nan)
        point.cost = self.load(point)
        return point

    def load(self, point: Point) -> float:
        """Let the system remember J at a point, with the weights of this task; the cost."""
        for k in range(len(self.compiled.families)):
            self.system.set_weights(k, self.weights.get(k))
        self.system.set_floor(self.floor)
        cost = float(self.system.linearize(point.values))
        self.system.at = point
        return cost

    def moved(self, values: Arrays, step: Step) -> tuple[Arrays, Step]:
        """The values after a step, and what is left of the step within the bounds."""
        new = list(self.compiled.retract(values, step.deltas))
        if not self.is_bounded:
            return new, step
        deltas, cut = list(step.deltas), False
        for k, box in enumerate(self.bounds):
            if box is not None:
                inside = np.clip(new[k], *box)
                if not np.array_equal(inside, new[k]):
                    new[k], deltas[k], cut = inside, inside - values[k], True
        return new, step.shortened(deltas) if cut else step


@dataclass(frozen=True, eq=False)
class Step:
    """A step by the tangents, the reduction of the cost that the model predicts, and how it was made."""

    point: Point
    deltas: Arrays
    predicted: float
    damping: float = math.nan
    radius: float = math.nan
    cg_steps: int = 0
    path: Any = None
    """Of a dogleg: where shorter steps from the same point end."""

    @cached_property
    def length(self) -> float:
        """|D p|"""
        pairs = zip(self.point.scale, self.deltas, strict=True)
        return math.sqrt(sum(float(np.einsum("ij,ij,ij->", d, p, p)) for d, p in pairs))

    def shortened(self, deltas: Arrays) -> Step:
        """With other deltas: ``predicted = -g'p - |J p|²/2``."""
        predicted = -dot(self.point.gradient, deltas) - 0.5 * self.point.task.system.curvature(deltas)
        return replace(self, deltas=deltas, predicted=predicted)


class Point:
    """Values and their cost; J is evaluated when the gradient is first asked for."""

    def __init__(self, task: Task, values: Arrays, cost: float) -> None:
        self.task, self.values, self.cost = task, values, cost

    def linearized(self) -> Point:
        """The same, with the system remembering J here."""
        if self.task.system.at is not self:
            self.task.load(self)
        return self

    @cached_property
    def _slopes(self) -> Arrays:
        return _shaped(self.linearized().task.system.gradient(), self.task)

    @cached_property
    def scale(self) -> Arrays:
        """D²: the diagonal of J'J, 1 where that is zero."""
        diagonal = _shaped(self.linearized().task.system.diagonal(), self.task)
        return [d if d.min(initial=1.0) > 0.0 else np.where(d > 0.0, d, 1.0) for d in diagonal]

    @cached_property
    def at_bound(self) -> list[Mask] | None:
        """Components held at a bound that the gradient pushes against; None: there are none."""
        if not self.task.is_bounded:
            return None
        held = [np.zeros(g.shape, dtype=bool) for g in self._slopes]
        for k, box in enumerate(self.task.bounds):
            if box is not None:
                x, g = self.values[k], self._slopes[k]
                held[k] = ((x <= box[0]) & (g > 0.0)) | ((x >= box[1]) & (g < 0.0))
        return held if any(h.any() for h in held) else None

    @cached_property
    def frozen(self) -> list[Mask] | None:
        """Components that take no step from here."""
        fixed, held = self.task.fixed, self.at_bound
        if fixed is None or held is None:
            return held if fixed is None else fixed
        return [a | b for a, b in zip(fixed, held, strict=True)]

    @cached_property
    def gradient(self) -> Arrays:
        """Of the cost, zero where nothing may move."""
        if self.frozen is None:
            return self._slopes
        return [np.where(held, 0.0, g) for g, held in zip(self._slopes, self.frozen, strict=True)]

    @cached_property
    def cosine(self) -> float:
        """The largest cosine between a column of J and the residuals, ``|g_j| / (|J_j| |f|)``."""
        if self.cost <= 0.0:
            return 0.0
        pairs = zip(self.gradient, self.scale, strict=True)
        largest = max((_largest_ratio(g, d) for g, d in pairs), default=0.0)
        return math.sqrt(largest / (2.0 * self.cost))


def _largest_ratio(g: Matrix, d: Matrix) -> float:
    """max g² / d"""
    ratios = np.square(g)
    ratios /= d
    return float(ratios.max(initial=0.0))


# einsum where dot would do: BLAS wakes threads of its own, which then wait beside those of the core.
def dot(a: Arrays, b: Arrays) -> float:
    """The inner product of tangents."""
    return sum(float(np.einsum("ij,ij->", x, y)) for x, y in zip(a, b, strict=True))


def relative_move(deltas: Arrays, values: Arrays) -> float:
    """The largest ``|p| / |x|`` of a family of variables."""
    parts = [
        (math.sqrt(dot([p], [p])), math.sqrt(dot([x], [x]))) for p, x in zip(deltas, values, strict=True)
    ]
    return max((p / x if x > 0.0 else p for p, x in parts), default=0.0)


def _shaped(parts: Arrays, task: Task) -> Arrays:
    return [
        np.asarray(a).reshape(len(v.values), -1) for a, v in zip(parts, task.compiled.variables, strict=True)
    ]


def _box(variables: Any) -> tuple[Matrix, Matrix] | None:
    lower, upper = variables.lower, variables.upper
    if lower is None and upper is None:
        return None
    shape = variables.values.shape
    low = np.full(shape, -np.inf) if lower is None else np.broadcast_to(lower, shape)
    high = np.full(shape, np.inf) if upper is None else np.broadcast_to(upper, shape)
    return low, high
