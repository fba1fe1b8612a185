"""Starting values nobody gave: linear parameters are projected out, the others searched.

Up to 2048 points of a scrambled Sobol sequence are spread over the ranges of `ranges`; at each the linear
parameters follow by linear least squares. The best points, and those that are the best far around, are
polished by a few iterations of the minimizer, the best of these finished. More rounds follow until a better
end is unlikely. The seed is fixed: the same data give the same fit.
Where a built-in model has a start rule, its guess is tried first; the search follows only if that is not
convincing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, Status
from ..options import Options
from ..solve.robust import Plan
from .data import Data
from .goal import Goal
from .labels import Labels
from .local import RULE_STAGES, STAGES, End, LocalSearches
from .multistart import SAME_COST, Multistart, Optimum, SearchRange
from .parameters import Parameters
from .rivals import rivals
from .self_start import SelfStart, beats_polynomial, self_starts
from .sources import Called, Projected, by_rules

Vector = NDArray[np.float64]
Watch = Callable[[Any], Any] | None

ROUNDS = 4
"""Rounds of starts at most, where their number is not given."""
NOWHERE = "no starting point was found: the model is not finite anywhere it was tried"


@dataclass(frozen=True)
class Search:
    """How the start was found: the finished outcome, and what was done beside its own evaluations."""

    outcome: Any
    nfev: int
    njev: int
    multistart: Multistart

    @property
    def interrupted(self) -> bool:
        return self.outcome.status is Status.INTERRUPTED

    def all_counted(self) -> Search:
        """As part of a longer fit: the evaluations of the outcome belong to the search."""
        return replace(self, nfev=self.nfev + int(self.outcome.nfev), njev=self.njev + int(self.outcome.njev))

    def led_to(self, outcome: Any, free_names: Sequence[str]) -> Search:
        """As the way to another outcome, which minimizes another cost: the other optima do not compare."""
        first = self.multistart.optima[0]
        params = {**first.params, **dict(zip(free_names, outcome.x.tolist(), strict=True))}
        first = replace(first, cost=float(outcome.cost), params=params, status=outcome.status)
        return replace(self, outcome=outcome, multistart=replace(self.multistart, optima=(first,)))


@dataclass(frozen=True)
class Searching:
    """What a search works on."""

    model: Any
    problem: Any
    data: Data
    parameters: Parameters
    options: Options | None
    watch: Watch
    plan: Plan | None = None
    """The loss, where it is not squares."""
    n_starts: int | None = None
    """Starts asked for; None leaves their number to the search."""
    given: Vector | None = None
    """The start given, where others are asked for nevertheless: the first of them."""

    def everywhere(self) -> Searching:
        """A search of all free parameters, the start given being one of many."""
        values, free = self.parameters.values.copy(), self.parameters.free_index
        values[free] = np.nan
        return replace(self, parameters=replace(self.parameters, values=values), given=self.parameters.values)

    @cached_property
    def trace(self) -> Any:
        """The traced expression; None for a function that is called back."""
        known = self.model.reason is None and self.model.versions
        return self.model.versions[0].trace if known else None

    def local(self) -> LocalSearches:
        y, w = self.data.flat()
        size = float(np.linalg.norm(y if w is None else y * w))
        return LocalSearches(self.goal, self.parameters, size)

    def whole(self, x: Vector) -> Vector:
        """All parameters, the free ones being `x`."""
        values: Vector = self.parameters.values.copy()
        values[self.parameters.free_index] = x
        return values

    @property
    def goal(self) -> Goal:
        index = self.parameters.free_index
        lower, upper = self.parameters.lower[index], self.parameters.upper[index]
        return Goal(self.problem, lower, upper, self.options or Options(), self.watch, self.plan)

    @property
    def rules_decide(self) -> bool:
        """May a start rule be enough? Not where outliers may mislead it, or starts are asked for."""
        return self.n_starts is None and self.plan is None

    def by_rules(self) -> tuple[list[SelfStart], list[Vector], bool]:
        """Rules that apply, their guesses, and whether one rule speaks of all that is not linear."""
        starts, whole = self_starts(self.model.function, self.data)
        guessed, complete = by_rules(starts, whole, self.trace, self.data, self.parameters)
        return starts, guessed, complete and bool(guessed)


def search(work: Searching) -> Search:
    """Find starting values for the parameters that have none, and finish the fit from the best of them.

    Raises DataError when the model is not finite at any candidate.
    """
    begin = time.perf_counter()
    if work.trace is None:
        called = Called(work.problem, work.data, work.parameters, work.plan is not None)
        return _searched(work, called, [], begin)
    starts, guessed, complete = work.by_rules()
    ruled: Search | None = None
    if complete and work.rules_decide:
        ruled = _ruled(work, starts[0].row.name, guessed, begin)
        if ruled is not None and (not starts[0].row.many_minima or ruled.interrupted):
            return _labelled(work, ruled)
    source = Projected(work.trace, work.data, work.parameters, work.plan is not None)
    found = _searched(work, source, guessed, begin)
    if ruled is not None and not found.interrupted:
        found = _lower(ruled, found)
    return _labelled(work, found)


def search_by_rule(work: Searching) -> Search | None:
    """The fit that a start rule alone leads to; None where there is no rule, or it does not convince."""
    begin = time.perf_counter()
    if work.trace is None or not work.rules_decide:
        return None
    starts, guessed, complete = work.by_rules()
    if not complete or starts[0].row.many_minima:
        return None
    found = _ruled(work, starts[0].row.name, guessed, begin)
    return None if found is None else _labelled(work, found)


def _ruled(work: Searching, name: str, guessed: list[Vector], begin: float) -> Search | None:
    """The fit from the guesses of a start rule; None where it does not convince."""
    local = work.local()
    local.round(guessed, RULE_STAGES)
    if local.interrupted is None:
        if not local.ends:
            return None
        end = local.best.outcome
        certain = end.status.success and end.status is not Status.NOT_UNIQUE
        if not certain or not beats_polynomial(float(end.cost), work.data, len(work.parameters.free)):
            return None
    return _search(work, local, len(guessed), {}, name, begin)


def _searched(work: Searching, source: Called | Projected, first: list[Vector], begin: float) -> Search:
    """Rounds of starts until a better end is unlikely, or as many as were asked for."""
    local, wanted, each = work.local(), work.n_starts, STAGES[0][0]
    first = first if work.given is None else [work.given, *first]
    for number in range(ROUNDS if wanted is None else wanted):
        count = each if wanted is None else min(each, wanted - local.starts)
        drawn = source.starts(number, max(count - len(first), 0))
        starts = [*first, *drawn][:count]
        if isinstance(source, Called) and source.stopped and starts:
            local.stop_at(starts[0])
        elif starts:
            local.round(starts)
        first = []
        if local.interrupted is not None or not drawn or local.starts == wanted:
            break
        if wanted is None and local.ends and local.enough:
            break
    if not local.ends and local.interrupted is None:
        raise DataError(f"{NOWHERE}, at {source.candidates} points; give start={{...}} or bounds={{...}}")
    return _search(work, local, source.candidates, source.ranges(), "", begin)


def _search(
    work: Searching, local: LocalSearches, candidates: int, ranges: dict[str, SearchRange], rule: str,
    begin: float,
) -> Search:  # fmt: skip
    """What was found, with its report."""
    if local.interrupted is not None:
        outcome, optima = local.interrupted, [_optimum(work, local.interrupted, 1)]
        nfev, njev = local.nfev, local.njev
    else:
        best = _told_apart(work, local)
        outcome = best.outcome
        as_low = _rivals(work, local, best)
        hits = best.hits - sum(n for _, n in as_low)
        optima = [_optimum(work, outcome, hits), *[_optimum(work, end, n) for end, n in as_low]]
        optima += [_optimum(work, e.outcome, e.hits) for e in local.ends if e is not best]
        nfev = local.nfev - int(outcome.nfev) + sum(int(end.nfev) for end, _ in as_low)
        njev = local.njev - int(outcome.njev) + sum(int(end.njev) for end, _ in as_low)
    report = Multistart(
        candidates=candidates,
        starts=local.starts,
        rounds=local.rounds,
        optima=tuple(optima),
        expected=local.expected if local.ends else float("inf"),
        ranges=ranges,
        n_points=work.data.n_points,
        rule=rule,
        time=time.perf_counter() - begin,
    )
    return Search(outcome, nfev, njev, report)


def _told_apart(work: Searching, local: LocalSearches) -> End:
    """The best end, with the lower ones of frequencies that the points cannot tell apart."""
    best = local.best
    if not best.others or work.trace is None:
        return best
    labels = Labels(work.trace, work.data, work.parameters)
    if labels.aliased(work.whole(best.outcome.x)):
        for x, _ in best.others:
            if not labels.aliased(work.whole(x)):
                return local.moved(best, x)
    return best


def _rivals(work: Searching, local: LocalSearches, best: End) -> list[tuple[Any, int]]:
    """Other parameters with the curve of the best, and how many starts led there."""
    if not best.others:
        return []
    places, label = list(best.others), work.whole
    if work.trace is not None:
        labels = Labels(work.trace, work.data, work.parameters)
        places = [(x, hits) for x, hits in places if not labels.aliased(work.whole(x))]

        def label(x: Vector) -> Vector:
            return labels(work.whole(x))

    return rivals(best.outcome, places, work.goal, label, local.rounding**2)


def _optimum(work: Searching, outcome: Any, hits: int) -> Optimum:
    return Optimum(float(outcome.cost), _named(work, outcome.x), hits, outcome.status)


def _named(work: Searching, x: Vector) -> dict[str, float]:
    return dict(zip(work.parameters.names, work.whole(x).tolist(), strict=True))


def _lower(ruled: Search, found: Search) -> Search:
    """The lower of two ends, with the evaluations of both."""
    by_rule = ruled.outcome.cost <= found.outcome.cost * (1 + SAME_COST)
    best, other = (ruled, found) if by_rule else (found, ruled)
    report = found.multistart
    if by_rule:  # the rule may have found what the search did not
        first = ruled.multistart.optima[0]
        rest = [o for o in report.optima if abs(o.cost - first.cost) > SAME_COST * first.cost]
        same = sum(o.reached for o in report.optima) - sum(o.reached for o in rest)
        optima = (replace(first, reached=first.reached + same), *rest)
        report = replace(report, optima=optima, rule=ruled.multistart.rule)
    report = replace(report, starts=report.starts + ruled.multistart.starts)
    counted = other.all_counted()
    return replace(best, nfev=best.nfev + counted.nfev, njev=best.njev + counted.njev, multistart=report)


def _labelled(work: Searching, found: Search) -> Search:
    """The preferred copy of an optimum, unless a value given tells the copies apart."""
    given = ~np.isnan(work.parameters.values[work.parameters.free_index])
    if given.any() or found.interrupted or work.trace is None:
        return found
    x, goal = np.array(found.outcome.x), work.goal
    copy = Labels(work.trace, work.data, work.parameters)(work.whole(x))[work.parameters.free_index]
    if np.array_equal(copy, x):
        return found
    again = goal.finish(copy)
    # The same optimum: where the residuals are rounding themselves, its cost varies. A penalty may tell the
    # copies apart, and never is rounding.
    old = found.outcome
    slack, rounding = (0.01, work.local().rounding) if work.problem.penalty is None else (SAME_COST, 0.0)
    highest = old.cost * (1.0 + slack) + rounding**2
    if not again.cost <= highest or again.status != old.status:
        return found
    report = found.multistart
    renamed = _optimum(work, again, report.optima[0].reached)
    report = replace(report, optima=(renamed, *report.optima[1:]))
    return Search(again, found.nfev + int(old.nfev), found.njev + int(old.njev), report)
