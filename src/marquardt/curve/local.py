"""Many minimizations of one problem: the best of a round go on in stages, equal ends count once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import Status
from .goal import Goal
from .multistart import SAME_COST, expected_optima
from .parameters import Parameters
from .rivals import near

Vector = NDArray[np.float64]

Stages = Sequence[tuple[int, int | None]]
STAGES: Stages = ((32, 6), (12, 20), (3, None))
"""How many of the best go on, and for how many evaluations each; None: to the end."""
RULE_STAGES: Stages = ((16, 6), (5, 20), (2, None))
"""As `STAGES`, for guesses by a start rule."""
SAME_CURVE, ROUNDING = 1e-3, 1e-9
"""Residuals of two ends that differ by less than this part of them, or of the response, are the same."""
AGAIN = 4
"""The best optimum is to be found by so many starts."""
SEEN = 0.5
"""A search ends when fewer optima than this are expected beside those found."""


@dataclass(frozen=True)
class End:
    """Where a minimization came to, and how many starts led there."""

    outcome: Any
    cost: float
    hits: int
    finished: bool
    others: tuple[tuple[Vector, int], ...] = ()
    """Other parameters with the same curve, and how many starts led there."""

    @property
    def certified(self) -> bool:
        return bool(self.outcome.status.success)

    @property
    def doubt(self) -> tuple[bool, bool, bool]:
        """Finished ends come first, among them those that are certified, then those that are unique."""
        return not self.finished, not self.certified, self.outcome.status is Status.NOT_UNIQUE


Start = tuple[Vector, int, tuple[tuple[Vector, int], ...]]
"""Free parameters, how many starts led there, and other places with the same curve."""


def _joined(end: End, other: End) -> End:
    """`end` with the starts of `other`, whose curve is the same."""
    here, more = np.array(end.outcome.x), list(end.others)
    found = [(np.array(other.outcome.x), other.hits - sum(n for _, n in other.others)), *other.others]
    for x, hits in found:
        if near(x, here):
            continue
        for k, (place, old) in enumerate(more):
            if near(place, x):
                more[k] = (place, old + hits)
                break
        else:
            more.append((x, hits))
    return replace(end, hits=end.hits + other.hits, others=tuple(more))


class LocalSearches:
    """Minimizations for `goal`, with their counts and the distinct ends so far.

    `response` is the norm of the weighted response.
    """

    def __init__(self, goal: Goal, parameters: Parameters, response: float) -> None:
        self.goal, self.index = goal, parameters.free_index
        self.rounding = ROUNDING * response
        self.starts = self.nfev = self.njev = self.rounds = 0
        self.ends: list[End] = []
        """Distinct ends that were finished or certified, lowest first."""
        self.interrupted: Any = None

    def round(self, candidates: Sequence[Vector], stages: Stages = STAGES) -> None:
        """Start from `candidates` (all parameters, best first); sets `interrupted` where the user stops."""
        waiting: list[Start] = [(self._inside(c), 1, ()) for c in candidates[: stages[0][0]]]
        self.goal = self.goal.prepared([x for x, *_ in waiting])
        self.rounds, self.starts = self.rounds + 1, self.starts + len(waiting)
        for k, (keep, budget) in enumerate(stages):
            if len(waiting) == 1 and not self.ends and budget is not None:
                continue  # nothing to choose from
            reached = self._run(waiting[:keep], budget)
            if self.interrupted is not None:
                return
            fresh = self._known(self.merged(reached))
            going_on = 0 if budget is None else stages[k + 1][0]
            settled = [e for e in fresh[going_on:] if e.finished or e.certified]
            self.ends = self.merged([*self.ends, *settled])
            waiting = [(np.array(e.outcome.x), e.hits, e.others) for e in fresh[:going_on]]

    def _run(self, starts: Sequence[Start], budget: int | None) -> list[End]:
        found: list[End] = []
        points = [x0 for x0, *_ in starts]
        ends = self.goal.finish_all(points) if budget is None else self.goal.polish(points, budget)
        for outcome, (x0, hits, others) in zip(ends, starts, strict=False):
            if outcome is None:  # not finite there: the next one may be
                continue
            self.nfev, self.njev = self.nfev + int(outcome.nfev), self.njev + int(outcome.njev)
            if np.isfinite(outcome.cost) and np.isfinite(outcome.x).all():
                found.append(End(outcome, self.goal.cost(outcome), hits, budget is None, others))
            if outcome.status is Status.INTERRUPTED:
                best = min([*found, *self.ends], key=lambda e: e.cost, default=None)
                self.interrupted = self.goal.stop_at(x0 if best is None else np.array(best.outcome.x))
                break
        return found

    def stop_at(self, values: Vector) -> None:
        """These parameters (all of them) become the outcome, marked as interrupted."""
        self.interrupted = self.goal.stop_at(self._inside(values))

    def _inside(self, values: Vector) -> Vector:
        inside: Vector = np.clip(values[self.index], self.goal.lower, self.goal.upper)
        return inside

    def _known(self, ends: Sequence[End]) -> list[End]:
        """Those that are not where finished ones are already, which they are counted with."""
        fresh = []
        for end in ends:
            for k, old in enumerate(self.ends):
                if self._same(old, end):
                    self.ends[k] = _joined(old, end)
                    break
            else:
                fresh.append(end)
        return fresh

    def merged(self, ends: Sequence[End]) -> list[End]:
        """Best first, each curve once: of equal ones the one that is certified."""
        chosen: list[End] = []
        for end in sorted(ends, key=lambda e: (e.cost, *e.doubt)):
            for k, other in enumerate(chosen):
                if self._same(other, end):
                    chosen[k] = _joined(*sorted((other, end), key=lambda e: e.doubt))
                    break
            else:
                chosen.append(end)
        return chosen

    def _same(self, a: End, b: End) -> bool:
        if not abs(a.cost - b.cost) <= SAME_COST * min(a.cost, b.cost) + self.rounding**2:
            return False
        fa, fb = a.outcome.f, b.outcome.f
        size = max(float(np.abs(fa).max(initial=0.0)), 1e-300)
        with np.errstate(over="ignore"):
            apart = float(np.linalg.norm((fa - fb) / size)) * size
        return apart <= SAME_CURVE * float(np.linalg.norm(fa / size)) * size + self.rounding

    @property
    def best(self) -> End:
        """The lowest end; where costs are equal a certified one."""
        finished = [e for e in self.ends if e.finished] or self.ends
        lowest = [e for e in finished if e.cost <= finished[0].cost * (1.0 + SAME_COST)]
        return min(lowest, key=lambda e: e.doubt)

    def moved(self, best: End, x: Vector) -> End:
        """The best end taken to another place with the same curve, if that can be finished as well."""
        outcome = self.goal.finish(x)
        self.nfev, self.njev = self.nfev + int(outcome.nfev), self.njev + int(outcome.njev)
        there = replace(best, outcome=outcome, cost=self.goal.cost(outcome), hits=0, others=())
        if outcome.status is not best.outcome.status or not self._same(best, there):
            return best
        there = _joined(there, best)
        self.ends = [there if end is best else end for end in self.ends]
        return there

    @property
    def expected(self) -> float:
        """Optima that compete with the best: how many there are, to judge by how often each was found.

        All starts that led elsewhere or were given up count as one more optimum that was found.
        """
        rivals = [e for e in self.ends if e.cost <= 2.0 * self.ends[0].cost]
        elsewhere = sum(e.hits for e in rivals) < self.starts
        return expected_optima(self.starts, len(rivals) + elsewhere) - elsewhere

    @property
    def enough(self) -> bool:
        """Is a better end unlikely to be found by more starts?"""
        seen = sum(e.cost <= 2.0 * self.ends[0].cost for e in self.ends)
        return self.best.hits >= AGAIN and self.expected - seen < SEEN
