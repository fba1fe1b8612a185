"""Minimizations from many starts of one problem, in one call of the core where that is possible."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import MarquardtError, Status
from ..options import Options
from ..problem.traced import LostTrace, TracedProblem
from .minimize import Outcome, minimize, native_options

Vector = NDArray[np.float64]

WORTH_SHARING = 1e5
"""Residuals in all that a second thread is woken for: some milliseconds."""


def minimize_many(
    problem: Any,
    starts: Sequence[Vector],
    lower: Vector,
    upper: Vector,
    options: Options,
    observe: Any = None,
) -> list[Outcome | None]:
    """As `minimize`, from each of `starts`; None where the problem cannot be evaluated.

    A traced model is minimized by several threads, with the same bits for any number of them; its ends are
    not compared with the plain function. With an observer, or a function that is called back, one start
    follows the other; an interrupted one is the last.
    """
    if observe is None and isinstance(problem, TracedProblem) and len(starts) > 1:
        try:
            if problem.linear and (options.method != "auto" or not options.projection):
                problem = problem.with_all_parameters()
            native = native_options(options, problem.exact)
            threads = _threads(problem.size * len(starts) * (options.max_evaluations or 50), options)
            found = problem.minimize_many(np.array(starts), lower, upper, native, threads)
            if found is not None:
                return [Outcome(raw, problem) for raw in found]
        except (LostTrace, MarquardtError, ArithmeticError):
            pass  # one by one, those that can be evaluated are
    ends: list[Outcome | None] = []
    for x0 in starts:
        try:
            ends.append(minimize(problem, x0, lower, upper, options, observe))
        except (MarquardtError, ArithmeticError):
            ends.append(None)
            continue
        if ends[-1] is not None and ends[-1].status is Status.INTERRUPTED:
            break
    return ends


def _threads(residuals: int, options: Options) -> int:
    if residuals < WORTH_SHARING:
        return 1
    return options.threads or os.cpu_count() or 1
