"""The 35 problems of Moré, Garbow and Hillstrom from three starts: every method, beside SciPy."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from harness import arguments, machine, publish, table

from marquardt.cli.mgh import FACTORS, Run, solve, tally
from marquardt.datasets import mgh
from marquardt.datasets.mgh import MghProblem
from marquardt.options import METHODS

METHOD = """\
# Moré, Garbow, Hillstrom: 35 problems, three starts

**Method.** The standard start times 1, 10 and 100 (Watson, which starts at 0: 1, 10 and 100 in every place,
as the test programs of MINPACK do it), every program with its default settings and without user-written
derivatives, all in one run. "Solved": the sum of squares at the end is the least known one, to 1e-6 of
itself or 1e-14 absolutely; "+": another known minimum. "Certified": of these, with success claimed.
"False": success claimed where no minimum is known. What a program calls success: `success`. Evaluations:
residual plus Jacobian evaluations for marquardt, whose derivatives are exact; for SciPy, which
differentiates by finite differences, all calls of the function. A run that raised an error (residuals that
are not finite at the start) is not solved.

Brown's almost-linear function is stationary at 1, where it falls with the ninth power of a step: a minimum to
rounding. Success there counts as false, too.

"scipy lm" is MINPACK itself; "more" is the same algorithm with exact derivatives, and ends with a verdict.
"""


def scipy_with(method: str) -> Callable[[MghProblem, int], Run]:
    def run(problem: MghProblem, factor: int) -> Run:
        from scipy.optimize import least_squares

        calls = 0

        def residuals(x: Any) -> Any:
            nonlocal calls
            calls += 1
            return problem.residuals(x)

        name = f"scipy {method}"
        try:
            end = least_squares(residuals, problem.start_times(factor), method=method)
        except ValueError as error:
            return Run(problem, factor, name, np.inf, False, f"error: {error}", calls, 0)
        return Run(problem, factor, name, 2 * end.cost, bool(end.success), end.message, calls, 0)

    return run


def main() -> None:
    options = arguments(__doc__ or "")
    place = machine()
    runs = []
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for problem in mgh.problems():
            for factor in FACTORS:
                runs += [solve(problem, factor, method) for method in METHODS]
                runs += [scipy_with(method)(problem, factor) for method in ("lm", "trf", "dogbox")]
    parts = [
        METHOD,
        f"{place}.\n",
        *_summaries(runs),
        _gain(runs),
        "\n## Every run of auto, more and scipy lm\n",
    ]
    publish("\n".join([*parts, _every(runs, ("auto", "more", "scipy lm"))]), options)


def _summaries(runs: Sequence[Run]) -> list[str]:
    head = ["", "solved", "+", "certified", "false", "evaluations"]
    parts = []
    for factor in FACTORS:
        rows = []
        for method in dict.fromkeys(r.method for r in runs):
            t = tally([r for r in runs if (r.method, r.factor) == (method, factor)])
            rows.append([method, t.best, t.minimum, t.certified, t.elsewhere, t.evaluations])
        parts += [f"## Standard start x {factor}\n", table(head, rows) + "\n"]
    return parts


def _gain(runs: Sequence[Run]) -> str:
    def far(method: str) -> Any:
        return tally([r for r in runs if r.method == method and r.factor > 1])

    auto, more = far("auto"), far("more")
    return (
        f"Both far starts together: auto solves {auto.best}, more {more.best} "
        f"({100 * (auto.best / more.best - 1):+.0f} %); with other known minima {auto.best + auto.minimum} "
        f"and {more.best + more.minimum}; certified {auto.certified} and {more.certified} "
        f"({100 * (auto.certified / more.certified - 1):+.0f} %)."
    )


def _every(runs: Sequence[Run], methods: Sequence[str]) -> str:
    """Where each run ended: what is known there, else the sum of squares; ! where success is false."""
    rows = []
    for problem in mgh.problems():
        for factor in FACTORS:
            cells: list[Any] = [f"{problem.name} ({problem.n}) x{factor}"]
            for method in methods:
                run = next(
                    r for r in runs
                    if (r.problem.name, r.factor, r.method) == (problem.name, factor, method)
                )  # fmt: skip
                mark = " **!**" if run.elsewhere else "" if run.certified else " (not certified)"
                cells.append(f"{run.kind or f'{run.rss:.6g}'}{mark} / {run.nfev + run.njev}")
            rows.append(cells)
    return table(["problem (n), start", *methods], rows)


if __name__ == "__main__":
    main()
