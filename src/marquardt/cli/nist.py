"""``marquardt nist``: the certified problems from both published starts, with the digits that are right."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..datasets import NistProblem, fewest_digits, nist, nist_names, read_nist
from ..errors import FileError, MarquardtError

_TITLE = f"{'problem':<10}{'level':<9}{'start':>5}{'digits':>8}{'s.e.':>7}{'f':>6}{'J':>6}{'f+J':>6}  status"


@dataclass(frozen=True)
class Run:
    """One fit from one start: digits of the worst parameter and standard error, evaluations, its claim."""

    problem: NistProblem
    start: int
    digits: float
    stderr_digits: float
    nfev: int
    njev: int
    success: bool
    status: str

    @property
    def exact_data(self) -> bool:
        """The residual is rounding, so standard errors mean nothing (Lanczos1: rss 1.4e-25)."""
        return self.problem.rss < 1e-20

    def __str__(self) -> str:
        stderr = "-" if self.exact_data else f"{self.stderr_digits:.1f}"
        return (
            f"{self.problem.name:<10}{self.problem.level:<9}{self.start:>5}{self.digits:>8.1f}{stderr:>7}"
            f"{self.nfev:>6}{self.njev:>6}{self.nfev + self.njev:>6}  {self.status}"
        )


def run(arguments: argparse.Namespace) -> int:
    """Print the table; 0 when every run is certified and right to 6 digits, else 1."""
    runs = []
    print(_TITLE)
    for problem in problems(arguments.folder):
        for start in (1, 2):
            runs.append(solve(problem, start))
            print(runs[-1], flush=True)
    print("\n" + summary(runs))
    return 0 if all(r.success and r.digits >= 6 for r in runs) else 1


def problems(folder: str | None) -> Iterator[NistProblem]:
    """The problems of a folder, or those of the package."""
    if folder is None:
        yield from map(nist, nist_names())
        return
    place = Path(folder)
    paths = sorted(place.glob("*.dat")) if place.is_dir() else [place]
    if not paths:
        raise FileError(f"{folder} holds no .dat files")
    for path in paths:
        problem = read_nist(path)
        if not problem.formula:
            raise FileError(f"{path}: no model is known for a problem named {problem.name}")
        yield problem


def solve(problem: NistProblem, start: int) -> Run:
    """Fit a problem by its formula from published start 1 or 2."""
    from ..curve.fit import fit

    values = problem.start1 if start == 1 else problem.start2
    try:
        result: Any = fit(problem.formula, data=problem, start=values)
    except MarquardtError as error:
        return Run(problem, start, 0.0, 0.0, 0, 0, False, f"error: {str(error).splitlines()[0]}")
    params = result.params
    return Run(
        problem,
        start,
        fewest_digits({name: params[name].value for name in params}, problem.certified),
        fewest_digits({name: params[name].stderr for name in params}, problem.certified_stderr),
        result.nfev,
        result.njev,
        result.success,
        result.status.value,
    )


def summary(runs: Sequence[Run]) -> str:
    """Counts over all runs; digits are log relative errors against the certified values, at most 11."""
    count = len(runs)
    right = sum(r.digits >= 6 for r in runs)
    certified = sum(r.success for r in runs)
    false = sum(r.success and r.digits < 4 for r in runs)
    noisy = [r for r in runs if not r.exact_data]
    errors_right = sum(r.stderr_digits >= 6 for r in noisy)
    nfev, njev = sum(r.nfev for r in runs), sum(r.njev for r in runs)
    lines = [
        f"{right} of {count} runs reach 6 digits in every parameter; the worst parameter has on average "
        f"{sum(r.digits for r in runs) / count:.2f} digits (of the 11 certified)",
        f"{errors_right} of {len(noisy)} reach 6 digits in every standard error",
        f"{certified} certified; {false} claim success with fewer than 4 digits",
        f"{nfev} residual and {njev} Jacobian evaluations, {nfev + njev} in all",
    ]
    if len(noisy) < count:
        names = ", ".join(sorted({r.problem.name for r in runs if r.exact_data}))
        lines.append(f"-: the residual of {names} is rounding, and so would be its standard errors")
    return "\n".join(lines)
