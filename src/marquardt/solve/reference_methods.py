"""The methods of the reference loop: one row each, made of step rules, controls and scalings.

A *step rule* turns a diagonalized model and a limit into a step. A *control* moves that limit after each
trial: it is a radius, a damping, a part of the Cauchy step, or nothing. A *scaling* says in which units steps
are measured.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple

import numpy as np

from ..options import Options
from .reference_step import Rule, Spectrum, Vector, norm

ACCEPT = 1e-4  # smallest gain ratio of an accepted step
LEAST = 1e-16  # a damping below this part of the largest diagonal entry would no longer change the system
CLIFF = 10.0  # where the residuals are not finite, the damping is raised at least so much


# Step rules: (t, damping) of a model and a limit.


def whole(model: Spectrum, _limit: float) -> tuple[Vector, float]:
    """The minimum of the model (Gauss 1809)."""
    return model.step(0.0), 0.0


def damped(model: Spectrum, damping: float) -> tuple[Vector, float]:
    """``(J'J + damping D^2) v = -J'f`` (Levenberg 1944, Marquardt 1963)."""
    return model.step(damping), damping


def cauchy(model: Spectrum, part: float) -> tuple[Vector, float]:
    """A part of the step to the minimum along the gradient (Cauchy 1847): ``(c'c / sum w c^2) c``."""
    u = model.c / (float(np.max(np.abs(model.c), initial=0.0)) or 1.0)  # squares of c may overflow
    bend = float(np.sum(model.w * u**2))
    return -part * (float(u @ u) / bend if bend > 0 else 0.0) * model.c, 0.0


def dogleg(model: Spectrum, radius: float) -> tuple[Vector, float]:
    """To the Cauchy point, then straight to the minimum, cut at the radius (Powell 1970)."""
    first, end = cauchy(model, 1.0)[0], model.step(0.0)
    if norm(end) <= radius:
        return end, 0.0
    if norm(first) >= radius:
        return first * (radius / norm(first)), 0.0
    u, leg = first / radius, (end - first) / radius  # squares of the steps themselves may overflow
    # |u + part leg| = 1; of the two forms of its positive root, the one that does not cancel
    a, b, c = float(leg @ leg), float(u @ leg), float(u @ u) - 1
    root = np.sqrt(b * b - a * c)
    return first + min(-c / (b + root) if b > 0 else (root - b) / a, 1.0) * (end - first), 0.0


# Controls: what limits a step, and how the limit follows the gain ratio.
class Judged(NamedTuple):
    """A trial whose residuals are finite."""

    gain: float  # actual / predicted reduction
    actual: float  # reduction of rss
    live: float  # rss before, over the rows that depend on x
    size: float  # |D v|
    slope: float  # g'v
    damping: float


@dataclass(frozen=True)
class Free:
    """No limit: every step that has a value is taken, uphill too."""

    limit: float = np.inf
    retreats: ClassVar[bool] = False
    """Whether there is a shorter step to try."""

    def started(self, reach: float, diagonal: float) -> Free:
        """At a first point: `reach` is |D s|, s_j the size of x_j, and `diagonal` max (|J_j| / d_j)^2."""
        return self

    def tried_first(self, size: float) -> Free:
        """After the very first trial, of this size."""
        return self

    def judged(self, j: Judged) -> Free:
        """After a trial whose residuals are finite."""
        return self

    def refused(self, size: float) -> Free:
        """After a trial of this size where the model has no value."""
        return self

    def bent(self, size: float, ratio: float) -> Free:
        """The acceleration was so many times as long as the step: too much."""
        return self

    def cut(self, limit: float) -> Free:
        """From now on within this limit."""
        return replace(self, limit=limit)

    def accepts(self, gain: float, actual: float) -> bool:
        return True

    @property
    def radius(self) -> float:
        return np.nan


@dataclass(frozen=True)
class Limited(Free):
    """A step is taken when it reduces rss by a fair part of what was predicted."""

    retreats: ClassVar[bool] = True

    def accepts(self, gain: float, actual: float) -> bool:
        return gain > ACCEPT and actual > 0


@dataclass(frozen=True)
class Radius(Limited):
    """A trust region |D v| <= radius, by the rules of Moré (1978)."""

    factor: float = 1.0

    def started(self, reach: float, diagonal: float) -> Radius:
        return replace(self, limit=self.factor * reach)

    def tried_first(self, size: float) -> Radius:
        return replace(self, limit=min(self.limit, size))

    def judged(self, j: Judged) -> Radius:
        if j.gain <= 0.25:
            worse = j.actual < -99 * j.live  # |f1| >= 10 |f|
            part = -j.slope / (2 * -j.slope - j.actual) if j.actual < 0 else 0.5
            shrink = 0.1 if worse or part < 0.1 else part
            return replace(self, limit=shrink * min(self.limit, 10 * j.size))
        return replace(self, limit=2 * j.size) if j.gain >= 0.75 or j.damping == 0 else self

    def refused(self, size: float) -> Radius:
        return replace(self, limit=0.25 * min(size, self.limit))

    def bent(self, size: float, ratio: float) -> Radius:
        return replace(self, limit=min(self.limit, size) * float(np.clip(0.75 / ratio, 0.1, 0.5)))

    @property
    def radius(self) -> float:
        return self.limit


@dataclass(frozen=True)
class Nielsen(Limited):
    """Nielsen (1999): the damping follows the gain ratio smoothly downwards, and ever faster upwards."""

    growth: float = 2.0
    least: float = 0.0

    def started(self, reach: float, diagonal: float) -> Nielsen:
        return Nielsen(1e-3 * diagonal, 2.0, LEAST * diagonal)

    def judged(self, j: Judged) -> Nielsen:
        if not self.accepts(j.gain, j.actual):
            return replace(self, limit=self.growth * self.limit, growth=2 * self.growth)
        shrink = max(1 / 3, 1 - (2 * min(j.gain, 1.0) - 1) ** 3)
        return replace(self, limit=max(shrink * self.limit, self.least), growth=2.0)

    def refused(self, size: float) -> Nielsen:
        return replace(self, limit=max(CLIFF, self.growth) * self.limit)

    def bent(self, size: float, ratio: float) -> Nielsen:
        return replace(self, limit=self.growth * self.limit, growth=2 * self.growth)


@dataclass(frozen=True)
class Factors(Limited):
    """The damping times `up` where a step is refused, divided by `down` where it is taken."""

    first: float = 1e-2
    up: float = 10.0
    down: float = 10.0
    least: float = 0.0

    def started(self, reach: float, diagonal: float) -> Factors:
        return replace(self, limit=self.first * diagonal, least=LEAST * diagonal)

    def judged(self, j: Judged) -> Factors:
        if self.accepts(j.gain, j.actual):
            return replace(self, limit=max(self.limit / self.down, self.least))
        return replace(self, limit=self.limit * self.up)

    def refused(self, size: float) -> Factors:
        return replace(self, limit=self.limit * max(CLIFF, self.up))

    def bent(self, size: float, ratio: float) -> Factors:
        return replace(self, limit=self.limit * self.up)


@dataclass(frozen=True)
class Backtracking(Limited):
    """A part of the Cauchy step, halved until the cost falls; whole again at the next point."""

    limit: float = 1.0

    def started(self, reach: float, diagonal: float) -> Backtracking:
        return Backtracking()

    def judged(self, j: Judged) -> Backtracking:
        return Backtracking(1.0 if self.accepts(j.gain, j.actual) else 0.5 * self.limit)

    def refused(self, size: float) -> Backtracking:
        return Backtracking(0.25 * self.limit)


DAMPINGS = {
    "nielsen": Nielsen(),
    "classic": Factors(first=1e-2, up=10.0, down=10.0),  # Marquardt (1963)
    "delayed": Factors(first=1e-3, up=2.0, down=5.0),  # delayed gratification (Transtrum, Sethna 2012)
}


class Columns(NamedTuple):
    """What a scaling may look at, parameter by parameter."""

    magnitude: Vector  # running maximum of |x_j|
    largest: Vector  # running maximum of |J_j|
    now: Vector  # |J_j|
    beside: Vector  # 0.1 |f0| / magnitude: what a column is small beside


def positive(lengths: Vector, s: Columns) -> Vector:
    """The lengths; where one is zero, what it is small beside."""
    return np.where(lengths > 0, lengths, np.where(s.beside > 0, s.beside, 1.0))


SCALINGS: dict[str, Callable[[Columns], Vector]] = {
    "magnitude": lambda s: 1.0 / s.magnitude,
    "mix": lambda s: np.hypot(s.largest, s.beside),
    "running-max": lambda s: positive(s.largest, s),  # Moré (1978)
    "columns": lambda s: positive(s.now, s),  # Marquardt (1963)
    "identity": lambda s: np.ones_like(s.now),  # Levenberg (1944)
}


@dataclass(frozen=True)
class Method:
    """How steps are made."""

    scaling: str
    rule: Rule
    control: Free | None  # None: the damping rule asked for
    newton: bool | None = (
        False  # model J'J + sum f_i H_i; None: whichever predicted the last reduction better
    )
    accelerated: bool = False
    polished: bool = True
    escapes: bool = False  # leaves a saddle along its negative curvature


REGION, DAMPED, DOGLEG = Rule(Spectrum.within), Rule(damped), Rule(dogleg, damped=False)

METHODS = {
    "auto": Method("auto", REGION, Radius(), newton=None, accelerated=True, escapes=True),
    "newton": Method("auto", REGION, Radius(), newton=True, escapes=True),
    "more": Method("running-max", REGION, Radius(factor=100.0)),
    "dogleg": Method("running-max", DOGLEG, Radius()),
    "levenberg": Method("identity", DAMPED, None),
    "marquardt": Method("columns", DAMPED, None),
    "gauss-newton": Method("identity", Rule(whole), Free(), polished=False),
    "gradient-descent": Method("identity", Rule(cauchy, damped=False), Backtracking(), polished=False),
}


def chosen(options: Options, exact: bool) -> Method:
    """The method's row with the user's choices in it; `exact`: second derivatives are at hand."""
    row = METHODS[options.method]
    control = row.control or DAMPINGS[options.damping or "nielsen"]
    if isinstance(control, Radius) and options.radius_factor is not None:
        control = Radius(factor=options.radius_factor)
    scaling = row.scaling if options.scaling == "auto" else options.scaling
    accelerated = row.accelerated if options.acceleration is None else options.acceleration
    return replace(
        row,
        scaling=("magnitude" if exact else "mix") if scaling == "auto" else scaling,
        control=control,
        newton=False if row.newton is None and not options.newton else row.newton,
        accelerated=accelerated and row.rule.damped,
        polished=options.polish and row.polished,
    )
