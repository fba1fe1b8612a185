"""Robust minimization: the scale of a loss found beforehand, redescending losses started from Huber's."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import OptionError, Status
from ..options import Options
from ..problem.losses import Loss, loss_of, noise
from ..problem.penalty import Penalty
from ..problem.traced import Problem
from .minimize import Outcome, minimize

Vector = NDArray[np.float64]

ROUNDS = 10
SETTLED = 0.02
"""The noise has settled when a solve changes it by at most this part: a hundred points tell it to a tenth."""
CLOSE = 0.2
"""The noise is looked for with Huber's loss at this part of its scale, near least absolute residuals. At the
usual scale a noise ten times too large may confirm itself: outliers to one side pull the curve, and the good
points then look as wild as they."""
LEAST = 1e-8
"""The scale is never below this part of the largest residual at the start: data without noise have none."""
FIRST = Loss("huber")
"""Where redescending losses start: its cost has one minimum for a line, and pulls every point."""


@dataclass(frozen=True)
class Plan:
    """A loss, and its scale: `f_scale` as given, or that of noise known to be 1, or to be estimated."""

    loss: Loss
    f_scale: float | None
    unit_noise: bool = False
    counted: NDArray[np.bool_] | None = None
    """The residuals that count; None: all."""
    weigh: Callable[[float], Penalty] | None = None
    """The penalty where residuals have so much noise; None: there is none."""
    first: float = 1.0
    """The noise by which the first solve weighs it, before any is known: small, so that data speak first."""

    def noise(self, f: Vector, n: int) -> float:
        f = f if self.counted is None else f[self.counted]
        return noise(f, n if self.weigh is None or n < f.size else 0)

    def penalized(self, problem: Problem, noise: float) -> Problem:
        """The problem with its penalty weighed by this noise."""
        return problem if self.weigh is None else problem.with_penalty(self.weigh(noise))


def plan(loss: Any, f_scale: Any, unit_noise: bool = False) -> Plan | None:
    """What `loss` and `f_scale` ask for; None for plain squares.

    Raises OptionError for an unknown loss, or a scale that is not positive.
    """
    chosen = loss_of(loss)
    number = isinstance(f_scale, int | float | np.number) and not isinstance(f_scale, bool)
    if f_scale is not None and not (number and 0.0 < f_scale < math.inf):
        raise OptionError(f"f_scale = {f_scale!r}: a positive number is needed, or None to estimate it")
    if chosen is None:
        return None
    return Plan(chosen, None if f_scale is None else float(f_scale), unit_noise)


@dataclass
class Rounds:
    """Solves of one problem with different losses; counts what they take."""

    problem: Problem
    lower: Vector
    upper: Vector
    options: Options | None
    watch: Callable[[Any], Any] | None
    nfev: int = 0
    njev: int = 0
    last: Outcome | None = None

    @property
    def interrupted(self) -> bool:
        return self.last is not None and self.last.status is Status.INTERRUPTED

    def solve(self, loss: Loss, x: Vector, final: bool = False) -> Outcome:
        """From `x`; before the final solve by the default method, which certifies an end near its start."""
        options = self.options
        if options is not None and options.method != "auto" and not final:
            options = replace(options, method="auto", damping=None, acceleration=None)
        if self.last is not None:
            self.nfev, self.njev = self.nfev + int(self.last.nfev), self.njev + int(self.last.njev)
        problem = self.problem.with_loss(loss)
        self.last = minimize(problem, np.array(x), self.lower, self.upper, options, self.watch)
        self.problem = self.last.problem  # called back, where its trace was lost
        return self.last


def minimize_robust(
    problem: Problem,
    wanted: Plan,
    x0: Vector,
    lower: Vector,
    upper: Vector,
    options: Options | None = None,
    watch: Callable[[Any], Any] | None = None,
) -> Outcome:
    """Minimize ``1/2 Σ c² ρ((f/c)²)`` from `x0` within the bounds.

    With a scale given there is one solve, and one more before it, with Huber's loss, where the loss
    redescends. Without, ``c = tuning · noise`` (tuning alone where the noise is 1): the noise is found by the
    median absolute residual of solves with nearly least absolute residuals, and held from then on, also by a
    redescending loss after Huber's (MM-estimation, Yohai 1987).
    ``nfev`` and ``njev`` of the outcome count all solves, the trace is that of the last.
    """
    rounds = Rounds(problem, lower, upper, options, watch)
    loss, tuning = wanted.loss, wanted.loss.row.tuning
    f = problem.trial_residuals(x0)
    if not np.isfinite(f).all():
        return minimize(problem.with_loss(loss), x0, lower, upper, options, watch)  # which says so
    x, s = x0, 1.0
    if wanted.f_scale is not None:
        s = wanted.f_scale / tuning
    elif not wanted.unit_noise:
        x, s = _find_noise(rounds, wanted, f, x0)
    rounds.problem = wanted.penalized(rounds.problem, 1.0 if wanted.unit_noise else s)
    if loss.row.redescends and not rounds.interrupted:
        x = rounds.solve(FIRST.at_scale(s * FIRST.row.tuning), x).x
    if not rounds.interrupted:
        c = s * tuning if wanted.f_scale is None else wanted.f_scale
        plain = options is None or options.method == "auto" or loss.row.redescends
        rounds.solve(loss.at_scale(c), x if plain else x0, final=True)
    assert rounds.last is not None
    rounds.last.add(rounds.nfev, rounds.njev)
    return rounds.last


def _find_noise(rounds: Rounds, wanted: Plan, f: Vector, x: Vector) -> tuple[Vector, float]:
    """Solves with nearly least absolute residuals until the noise settles: the end point, and the noise."""
    rounds.problem = wanted.penalized(rounds.problem, wanted.first)
    least = LEAST * float(np.abs(f).max(initial=0.0)) or 1.0
    s = _at_least(wanted.noise(f, x.size), least)
    for _ in range(ROUNDS):
        end = rounds.solve(FIRST.at_scale(CLOSE * s * FIRST.row.tuning), x)
        assumed, s, x = s, _at_least(wanted.noise(end.f, x.size), least), end.x
        if abs(s - assumed) <= SETTLED * s or rounds.interrupted:
            break
        rounds.problem = wanted.penalized(rounds.problem, s)
    return x, s


def _at_least(value: float, least: float) -> float:
    return max(value, least) if math.isfinite(value) else least
