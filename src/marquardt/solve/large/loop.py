"""Solve a large problem: step, judge, move or retreat, stop."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

import numpy as np

from ...errors import DataError, Status
from .point import SAFE, Arrays, Point, Task, relative_move
from .record import Judged, Recorder
from .rules import Rule, rule_of
from .settings import SolveOptions

LEAST_GAIN = 1e-4
"""A step is taken when the cost falls by at least this part of what the model predicted."""
HELD = 0.01
"""A step after a refused one must change the cost by less than this part of ``ftol`` to end the search."""
NEAR = 0.01
"""Where a step changes the cost by less than this part of it, a loss is modelled with its own curvature."""
FARTHER = 0.1
"""And by less than this part of that, once such a model has led uphill."""
ROUNDING = 1e-14
"""A predicted reduction below this part of the cost is lost in the rounding of a sum of squares."""


@dataclass(frozen=True)
class Moment:
    """What a callback is shown after each trial step: the best point so far."""

    iteration: int
    cost: float
    values: dict[str, Any]
    accepted: bool
    seconds: float


@dataclass(frozen=True, eq=False)
class End:
    """Where a minimization ended, and why."""

    point: Point
    status: Status
    reason: str


Observer = Callable[[Point, Judged], bool]
"""Told of every trial step; True stops."""


def minimize(task: Task, values: Arrays, options: SolveOptions, recorder: Recorder, observe: Observer) -> End:
    """Minimize the cost ``1/2 Σ ρ(|r_i|²)`` over the manifolds from these values.

    Ctrl-C ends it after the step under way, with the best point so far.
    """
    begin = perf_counter()
    safe, near = replace(task, floor=SAFE) if task.has_losses else task, NEAR
    point = safe.linearize(task.inside(values))
    _check_start(task, point)
    rule, last, best, first = rule_of(options, task.eliminated is not None), None, point, len(recorder.rows)
    recorder.begin(point)
    try:
        while (
            why := stopped(point, last, len(recorder.rows) - first, perf_counter() - begin, options)
        ) is None:
            step = rule.step(point)
            if step is None:
                why = Status.STALLED, "the normal equations cannot be factorized with any damping"
                break
            moved, step = task.moved(point.values, step)
            trial = Point(point.task, moved, task.system.cost(moved))
            last = judge(point, step, trial, rule, last)
            if last.accepted:
                trial.task = task if last.gain_ratio > 0.5 and last.actual <= near * last.cost else safe
                point, rule = trial, rule.relax(step, last.gain_ratio)
                best = point if point.cost < best.cost else best
            elif point.task is safe:
                rule = rule.tighten(step)
            else:  # the loss's own curvature promised too much: the same point by reweighted squares
                point, near = Point(safe, point.values, point.cost), FARTHER * near
            recorder.add(last)
            if observe(best, last):
                why = Status.INTERRUPTED, f"the callback stopped it after step {len(recorder.rows)}"
                break
    except KeyboardInterrupt:
        why = Status.INTERRUPTED, f"interrupted after step {len(recorder.rows)}; the best point is returned"
    return End(best if best.task is task else Point(task, best.values, best.cost), *why)


def judge(point: Point, step: Any, trial: Point, rule: Rule, last: Judged | None) -> Judged:
    """Is the trial good enough to move to?"""
    judged = Judged(step, point.cost, trial.cost, False, held=last is not None and not last.accepted)
    if not math.isfinite(trial.cost):
        return judged
    good = judged.actual > 0.0 and judged.gain_ratio > LEAST_GAIN
    return replace(judged, accepted=good or not rule.monotone)


def stopped(
    point: Point, last: Judged | None, n_steps: int, seconds: float, options: SolveOptions
) -> tuple[Status, str] | None:
    """Status and the sentence that tells both numbers, or None to go on."""
    found = _settled(last, options) if last is not None else None
    if found is not None:
        bounded = point.task.is_bounded and point.at_bound is not None
        return (Status.CONVERGED_AT_BOUND if bounded and found[0] is Status.CONVERGED else found[0]), found[1]
    if last is None or last.accepted:
        if point.cost == 0.0:
            return Status.CONVERGED, "all residuals are zero"
        if point.cosine <= options.gtol:
            return Status.CONVERGED, (
                f"gradient tolerance reached: largest cosine of a column of J with the residuals "
                f"{point.cosine:.1e} <= gtol = {options.gtol:.1e}"
            )
    if n_steps >= options.max_iterations:
        return Status.MAX_ITERATIONS, f"{n_steps} steps >= max_iterations = {options.max_iterations}"
    if options.max_time is not None and seconds >= options.max_time:
        return Status.MAX_TIME, f"{seconds:.3g} seconds >= max_time = {options.max_time:g}"
    return None


def _settled(last: Judged, options: SolveOptions) -> tuple[Status, str] | None:
    """Does the last step say that the end is reached?"""
    step, cost = last.step, last.cost
    move = relative_move(step.deltas, step.point.values)
    if last.accepted:
        change, predicted = abs(last.actual) / cost, step.predicted / cost
        # Both, as in MINPACK: a step may gain little by chance where the model promised much. And a step that
        # damping has just cut short proves as little: ladybug-49 ended 8.6e-7 above the best cost, now 6e-7.
        if max(change, predicted) <= (HELD if last.held else 1.0) * options.ftol:
            return Status.CONVERGED, (
                f"cost tolerance reached: relative change {change:.1e} <= ftol = {options.ftol:.1e}"
            )
        if move <= options.xtol and not last.held:
            return (
                Status.CONVERGED,
                f"step tolerance reached: relative step {move:.1e} <= xtol = {options.xtol:.1e}",
            )
        return None
    # A refused step is small because damping grew, so its size says nothing, unless nothing is left to gain.
    if step.predicted <= ROUNDING * cost:
        return Status.CONVERGED, (
            f"no step can lower the cost: predicted {step.predicted / cost:.1e} of it <= "
            f"{ROUNDING:.0e}, rounding"
        )
    if move <= np.finfo(float).eps:
        return Status.STALLED, (
            f"no step lowers the cost: relative step {move:.1e} <= {np.finfo(float).eps:.1e}, "
            f"predicted reduction {step.predicted / cost:.1e} of the cost"
        )
    return None


def _check_start(task: Task, start: Point) -> None:
    """Raises DataError that names the first item that cannot be evaluated."""
    if math.isfinite(start.cost):
        return
    found = task.system.not_finite(start.values)
    if found is None:
        raise DataError(
            f"the cost is {start.cost} at the start although every residual is finite: residuals as large as "
            "1e154 overflow when squared; scale them down"
        )
    family = task.compiled.families[found[0]]
    parts = []
    for position, index in family.slots:
        variables = task.compiled.variables[position]
        at = int(index[found[1]])
        value = np.array2string(start.values[position][at], precision=6, max_line_width=10**6)
        parts.append(f"{variables.name}[{at}] = {value}")
    raise DataError(
        f"residual {found[1]} of {family.name!r} is not finite at the start, where {', '.join(parts)}. "
        "Check these start values and the data of that item, or leave it out."
    )
