"""Graduated non-convexity: false residuals are found while the cost turns from convex to robust."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np

from ...errors import OptionError, Status, suggestion
from .point import Matrix, Task

Kind = Literal["truncated", "geman-mcclure"]
STEP = 1.4
"""Each round makes the cost so many times less convex."""
LEAST = 1e-6
"""The first control parameter of truncated squares is at least this."""
SETTLED, SAME = 1e-4, 1e-5
"""The end: every weight within SETTLED of 0 or 1, or a weighted cost that changes by less than SAME of it."""
MAX_ROUNDS = 100
UNFINISHED = (Status.INTERRUPTED, Status.MAX_ITERATIONS, Status.MAX_TIME)
INLIERS = 0.99
"""The default scale: so many of the residuals of unit noise are below it."""


@dataclass(frozen=True)
class GNC:
    """``robust=`` of `solve`: Yang, Antonante, Tzoumas, Carlone (2020).

    scale : what |r| a residual may have to be believed. None: where 99 % of residuals of unit noise are,
        the root of chi-square's quantile for as many rows; right where residuals are in standard deviations.
    kind : the cost in the end, "truncated" squares ``min(|r|², scale²)`` or "geman-mcclure".
    families : names of the families that may hold false residuals; None: all without a loss but priors.

    >>> GNC(scale=3.0, families=["closure"]).kind
    'truncated'
    """

    scale: float | None = None
    kind: Kind = "truncated"
    families: Sequence[str] | None = None

    def __post_init__(self) -> None:
        if self.scale is not None and not self.scale > 0.0:
            raise OptionError(f"scale = {self.scale!r}: a positive number or None is needed")
        if self.kind not in get_args(Kind):
            raise OptionError(
                f"kind = {self.kind!r}: one of {', '.join(map(repr, get_args(Kind)))} is needed"
            )


def gnc_of(robust: Any) -> GNC | None:
    """``"gnc"`` or a `GNC`. Raises OptionError."""
    if robust is None or isinstance(robust, GNC):
        return robust
    if robust == "gnc":
        return GNC()
    raise OptionError(f"robust = {robust!r}: 'gnc', a marquardt.GNC or None is needed")


def truncated(s: Matrix, c2: float, mu: float) -> Matrix:
    """Weights of truncated squares: 1 up to ``μ/(μ+1) c²``, 0 from ``(μ+1)/μ c²`` on, between them
    ``√(c² μ (μ+1) / s) - μ``."""
    with np.errstate(divide="ignore"):
        between = np.sqrt(c2 * mu * (mu + 1.0) / s) - mu
    return np.where(s <= mu / (mu + 1.0) * c2, 1.0, np.where(s >= (mu + 1.0) / mu * c2, 0.0, between))


def geman_mcclure(s: Matrix, c2: float, mu: float) -> Matrix:
    """``(μ c² / (s + μ c²))²``"""
    return np.asarray((mu * c2 / (s + mu * c2)) ** 2)


@dataclass(frozen=True)
class Graduated:
    """The control parameter and the families it rules: position, and c²."""

    kind: Kind
    ruled: tuple[tuple[int, float], ...]
    mu: float

    def weigh(self, norms: Sequence[Matrix]) -> dict[int, Matrix]:
        """Weights of each family ruled from its squared norms."""
        rule = truncated if self.kind == "truncated" else geman_mcclure
        return {k: rule(s, c2, self.mu) for (k, c2), s in zip(self.ruled, norms, strict=True)}

    def next(self) -> Graduated:
        """One round less convex."""
        grown = self.mu * STEP if self.kind == "truncated" else max(1.0, self.mu / STEP)
        return replace(self, mu=grown)

    @property
    def is_last(self) -> bool:
        return self.kind == "geman-mcclure" and self.mu == 1.0


def begin(gnc: GNC, task: Task, norms: Callable[[int], Matrix]) -> Graduated | None:
    """The first round; None where every residual is already believed."""
    ruled = tuple((k, _squared_scale(gnc, task.compiled.families[k])) for k in _ruled(gnc, task))
    worst = max((float(norms(k).max(initial=0.0)) / c2 for k, c2 in ruled), default=0.0)
    if gnc.kind == "geman-mcclure":
        return Graduated(gnc.kind, ruled, max(1.0, 2.0 * worst))
    if 2.0 * worst <= 1.0:
        return None
    return Graduated(gnc.kind, ruled, max(LEAST, 1.0 / (2.0 * worst - 1.0)))


def minimize_gnc(gnc: GNC, task: Task, minimize: Callable[[Task, Any, bool], Any]) -> Any:
    """Round after round from where the last one ended: weigh, minimize, and make the cost less convex.

    ``minimize(task, end, roughly)`` continues from an end (None: from the start) and returns the next one;
    the weights change by more than what a rough one leaves, so only the last is made to the end.
    """
    end: Any = None
    values = task.inside([np.array(v.values, dtype=np.float64) for v in task.compiled.variables])

    def norms(k: int) -> Matrix:
        return task.system.plain_squares(values if end is None else end.point.values, k)

    # Weighed first at the start, and not after squares: where these end, points that only two cameras saw
    # have left for places from which no later round brings them back.
    graduated = begin(gnc, task, norms)
    if graduated is None:  # all are believed at the start: where squares end, too?
        end = minimize(task, None, True)
        if end.status in UNFINISHED:
            return end
        graduated = begin(gnc, task, norms)
        if graduated is None:
            return minimize(task, end, False)
    before = np.inf
    for _ in range(MAX_ROUNDS):
        weights = graduated.weigh([norms(k) for k, _ in graduated.ruled])
        task = replace(task, weights=weights)
        end = minimize(task, end, True)
        if end.status in UNFINISHED:
            return end
        change = abs(before - end.point.cost) <= SAME * max(end.point.cost, np.finfo(float).tiny)
        binary = all(np.all(np.minimum(w, 1.0 - w) <= SETTLED) for w in weights.values())
        if (change and graduated.is_last) or (gnc.kind == "truncated" and (binary or change)):
            break
        before, graduated = end.point.cost, graduated.next()
    return minimize(task, end, False)


def _ruled(gnc: GNC, task: Task) -> list[int]:
    names = [f.name for f in task.compiled.families]
    wanted = gnc.families
    if wanted is None:
        priors = {f"prior of {v.name}" for v in task.compiled.variables}
        return [k for k, f in enumerate(task.compiled.families) if f.loss is None and f.name not in priors]
    for name in wanted:
        if name not in names:
            raise OptionError(
                f"families = {list(wanted)!r}: there is no family {name!r}{suggestion(name, names)}"
            )
        if task.compiled.families[names.index(name)].loss is not None:
            raise OptionError(f"family {name!r} has a loss already: leave out the loss or the family in GNC")
    return [names.index(name) for name in wanted]


def _squared_scale(gnc: GNC, family: Any) -> float:
    if gnc.scale is not None:
        return gnc.scale**2
    from scipy.stats import chi2

    return float(chi2.ppf(INLIERS, family.rows))
