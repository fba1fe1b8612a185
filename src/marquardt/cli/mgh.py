"""``marquardt mgh``: every method on the 35 problems of Moré, Garbow and Hillstrom, from three starts."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..datasets import mgh
from ..datasets.mgh import MghProblem
from ..errors import DataError
from ..options import METHODS, Options

FACTORS = (1, 10, 100)
AT_A_MINIMUM = ("best", "minimum")
_RUN = "{:<26}{:>4}{:>3}  {:<18}{:>16}  {:<9}{:>6}{:>6}  {}"


@dataclass(frozen=True)
class Run:
    """One search: where it ended, what is known there, what it claims, and its evaluations."""

    problem: MghProblem
    factor: int
    method: str
    rss: float
    success: bool
    status: str
    nfev: int
    njev: int

    @property
    def kind(self) -> str:
        """What is known at this sum of squares: "best", "minimum", "limit", "saddle" or ""."""
        return self.problem.kind(self.rss)

    @property
    def certified(self) -> bool:
        """Success at a known minimum."""
        return self.success and self.kind in AT_A_MINIMUM

    @property
    def elsewhere(self) -> bool:
        """Success claimed where no minimum is known."""
        return self.success and self.kind not in AT_A_MINIMUM

    def __str__(self) -> str:
        return _RUN.format(
            self.problem.name, self.problem.n, f"x{self.factor}", self.method, f"{self.rss:.9g}", self.kind,
            self.nfev, self.njev, self.status,
        )  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    """Print the table; 0 when `auto` (if asked for) certifies a known minimum from every standard start."""
    wanted: list[Any] = arguments.methods or list(METHODS)
    methods = [Options(method=name).method for name in wanted]
    runs = []
    if arguments.runs:
        print(_RUN.format("problem", "n", "", "method", "rss", "known as", "f", "J", "status"))
    for method in methods:
        for factor in FACTORS:
            for problem in mgh.problems():
                runs.append(solve(problem, factor, method))
                if arguments.runs:
                    print(runs[-1], flush=True)
    print(("\n" if arguments.runs else "") + table(runs))
    standard = [r for r in runs if r.method == "auto" and r.factor == 1]
    return 0 if all(r.certified for r in standard) else 1


def solve(problem: MghProblem, factor: int, method: str) -> Run:
    """Minimize from `factor` times the standard start, with default options."""
    from ..solve.least_squares import least_squares

    try:
        with np.errstate(all="ignore"):
            end = least_squares(problem.residuals, problem.start_times(factor), method=method)
    except DataError as error:
        words = f"error: {str(error).splitlines()[0]}"
        return Run(problem, factor, method, np.inf, False, words, 0, 0)
    status = end.status.value
    return Run(problem, factor, method, 2 * end.cost, end.success, status, end.nfev, end.njev)


@dataclass(frozen=True)
class Tally:
    """Counts over the runs of one method from one start."""

    best: int  # ends at the least known minimum, whatever is claimed
    minimum: int  # ends at another known minimum
    certified: int
    elsewhere: int
    evaluations: int  # residuals and Jacobians


def tally(runs: Sequence[Run]) -> Tally:
    kinds = [r.kind for r in runs]
    return Tally(
        kinds.count("best"),
        kinds.count("minimum"),
        sum(r.certified for r in runs),
        sum(r.elsewhere for r in runs),
        sum(r.nfev + r.njev for r in runs),
    )


def table(runs: Sequence[Run]) -> str:
    """One line per method, one group of columns per start."""
    count = len({r.problem.name for r in runs})
    titles = "".join(f"{f'standard start x {factor}':>32}" for factor in FACTORS)
    heads = "".join(f"{'solved':>10}{'cert.':>7}{'false':>6}{'f+J':>9}" for _ in FACTORS)
    lines = [f"{'':<17}{titles}", f"{'method':<17}{heads}"]
    for method in dict.fromkeys(r.method for r in runs):
        line = f"{method:<17}"
        for factor in FACTORS:
            t = tally([r for r in runs if (r.method, r.factor) == (method, factor)])
            line += f"{f'{t.best} + {t.minimum}':>10}{t.certified:>7}{t.elsewhere:>6}{t.evaluations:>9}"
        lines.append(line)
    return "\n".join(lines) + (
        f"\n\nsolved: of {count}, at the least known minimum + at another known one; cert.: of these,"
        "\ncertified; false: success claimed elsewhere; f+J: residual and Jacobian evaluations"
    )
