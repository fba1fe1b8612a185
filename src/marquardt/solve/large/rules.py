"""How steps are made and what is learnt from them: one frozen state for each method."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from .point import Arrays, Point, Step, dot
from .settings import SolveOptions

UNDAMPED = 1e-10
"""Damping of a Gauss-Newton step, and the least of any: what is not determined stays where it is.
With 1e-12 rounding moves a free scene so far that sphere2500 takes 11 steps, with 1e-10 seven."""
MOST = 1e20
"""Beyond this damping nothing moves."""


class Rule(Protocol):
    """The state of a method between two steps."""

    @property
    def damping(self) -> float: ...
    @property
    def radius(self) -> float: ...
    @property
    def monotone(self) -> bool:
        """Are steps taken only where the cost falls?"""

    def step(self, point: Point) -> Step | None:
        """The next step to try; None where the model has none."""

    def relax(self, step: Step, gain_ratio: float) -> Rule:
        """After a step that was taken."""

    def tighten(self, step: Step) -> Rule:
        """After a step that was refused."""


@dataclass(frozen=True)
class Levenberg:
    """``(J'J + damping D²) p = -g``, the damping by the gain ratio as in Nielsen (1999)."""

    damping: float
    factor: float = 2.0
    radius: float = math.nan
    monotone: bool = True

    def step(self, point: Point) -> Step | None:
        return _solved(point, self.damping)

    def relax(self, step: Step, gain_ratio: float) -> Levenberg:
        """Shrink by at most 5 when the model predicted well, grow where it promised too much.

        Nielsen's cubic ``1 - (2 gain - 1)^3`` hardly shrinks at gain ratios of 0.8, which the long valleys of
        bundle adjustment have: from 0.5 on a straight line takes its place.
        """
        bend = 2.0 * gain_ratio - 1.0
        factor = 1.0 - bend**3 if bend < 0.0 else max(0.2, 1.0 - bend)
        return Levenberg(max(step.damping * factor, UNDAMPED))

    def tighten(self, step: Step) -> Levenberg:
        return Levenberg(step.damping * self.factor, 2.0 * self.factor)


@dataclass(frozen=True)
class GaussNewton:
    """``J'J p = -g``, halved only where the end of it cannot be evaluated."""

    fraction: float = 1.0
    damping: float = UNDAMPED
    radius: float = math.nan
    monotone: bool = False

    def step(self, point: Point) -> Step | None:
        step = _solved(point, UNDAMPED)
        if step is None or self.fraction == 1.0:
            return step
        return step.shortened([self.fraction * p for p in step.deltas])

    def relax(self, step: Step, gain_ratio: float) -> GaussNewton:
        return GaussNewton()

    def tighten(self, step: Step) -> GaussNewton:
        return GaussNewton(self.fraction / 2.0)


@dataclass(frozen=True)
class Legs:
    """The legs of Powell's path: to the lowest point of the steepest descent, on to Gauss-Newton's."""

    cauchy: Arrays
    newton: Step

    @classmethod
    def of(cls, point: Point) -> Legs | None:
        newton = _solved(point, UNDAMPED)
        if newton is None:
            return None
        descent = [-g / d for g, d in zip(point.gradient, point.scale, strict=True)]
        slope, bend = -dot(point.gradient, descent), point.task.system.curvature(descent)
        return cls([(slope / bend if bend > 0.0 else 1.0) * p for p in descent], newton)

    def at(self, point: Point, radius: float) -> Step:
        """Where the path leaves the region ``|D p| <= radius``."""
        cauchy = Step(point, self.cauchy, 0.0)
        if self.newton.length <= radius:
            return replace(self.newton, radius=radius)
        if cauchy.length >= radius:
            deltas = [radius / cauchy.length * p for p in self.cauchy]
        else:
            way = [n - c for n, c in zip(self.newton.deltas, self.cauchy, strict=True)]
            weighted = [d * w for d, w in zip(point.scale, way, strict=True)]
            a, b, c = dot(weighted, way), dot(weighted, self.cauchy), cauchy.length**2 - radius**2
            part = -c / (b + math.sqrt(b * b - a * c)) if b > 0.0 else (-b + math.sqrt(b * b - a * c)) / a
            deltas = [s + part * w for s, w in zip(self.cauchy, way, strict=True)]
        return replace(self.newton, radius=radius).shortened(deltas)


@dataclass(frozen=True)
class Dogleg:
    """Powell (1970): the region ``|D p| <= radius``, first as large as the first Gauss-Newton step."""

    radius: float = math.inf
    legs: Legs | None = None
    damping: float = UNDAMPED
    monotone: bool = True

    def step(self, point: Point) -> Step | None:
        kept = self.legs is not None and self.legs.newton.point is point
        legs = self.legs if kept else Legs.of(point)
        return None if legs is None else replace(legs.at(point, self.radius), path=legs)

    def relax(self, step: Step, gain_ratio: float) -> Dogleg:
        """Halve where the model predicted badly, double where it predicted well."""
        if gain_ratio < 0.25:
            return Dogleg(0.5 * step.length)
        return Dogleg(max(self.radius, 2.0 * step.length) if gain_ratio > 0.75 else self.radius)

    def tighten(self, step: Step) -> Dogleg:
        return Dogleg(0.5 * step.length, step.path)


def rule_of(options: SolveOptions, eliminates: bool) -> Rule:
    """The first state of the method chosen."""
    if options.method == "dogleg":
        return Dogleg()
    if options.method == "gauss-newton":
        return GaussNewton()
    return Levenberg(options.initial_damping or (3e-5 if eliminates else 1e-10))


def _solved(point: Point, damping: float) -> Step | None:
    """The damped step; where rounding makes the matrix indefinite, with the damping that mends it."""
    system = point.linearized().task.system
    while not system.factorize(damping, point.frozen):
        damping *= 10.0
        if damping > MOST:
            return None
    deltas, predicted, cg_steps = system.step()
    shapes = [g.shape for g in point.gradient]
    shaped = [np.asarray(p).reshape(s) for p, s in zip(deltas, shapes, strict=True)]
    return Step(point, shaped, predicted, damping, cg_steps=cg_steps)
