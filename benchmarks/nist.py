"""Accuracy and evaluations on the 27 NIST problems, both published starts, beside SciPy and lmfit."""

from __future__ import annotations

import functools
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from harness import arguments, installed, machine, publish, table

import marquardt as mq
from marquardt.datasets import NistProblem, fewest_digits, nist, nist_names

METHOD = """\
# NIST StRD: correct digits and evaluations

**Method.** 27 problems, each from both published starts, every program with its default settings and
without user-written derivatives, all in one run. Digits: log relative error against the certified
values, at most 11 (as many are certified), of the *worst* parameter of a run. A run that raised an error
or gave no finite numbers counts 0 digits. "Claims": what the program calls success (`success`, or no
exception). "False": success claimed with fewer than 4 digits. Standard errors: the same measure, without
Lanczos1, whose residual is rounding (1.4e-25). Evaluations: calls of the model, wherever they come from;
finite differences call it once per parameter and Jacobian. marquardt has exact derivatives: its number
is residual plus Jacobian evaluations. Time: all 54 runs, the first call of each model included.
"""


@dataclass(frozen=True)
class Answer:
    values: dict[str, float]
    errors: dict[str, float]
    evaluations: int
    success: bool


Solver = Callable[[NistProblem, dict[str, float]], Answer]


class Counted:
    """The model as ``f(x, *parameters)``, counting its calls."""

    def __init__(self, problem: NistProblem) -> None:
        self.function, self.count = problem.function, 0
        self.x = problem.x[0] if len(problem.x) == 1 else np.array(problem.x)

    def __call__(self, x: Any, *parameters: float) -> Any:
        self.count += 1
        assert self.function is not None
        return self.function(*((x,) if x.ndim == 1 else x), *parameters)


def by_function(problem: NistProblem, start: dict[str, float]) -> Answer:
    x = problem.x if len(problem.x) > 1 else problem.x[0]
    return _ours(mq.fit(problem.function, x, problem.response, start=start))


def by_formula(problem: NistProblem, start: dict[str, float]) -> Answer:
    return _ours(mq.fit(problem.formula, data=problem, start=start))


def by_differences(problem: NistProblem, start: dict[str, float]) -> Answer:
    """The callback path: parameters pass through text, which no trace can follow."""
    counted = Counted(problem)

    @functools.wraps(problem.function or counted)
    def model(*x: Any, **parameters: Any) -> Any:
        values = [float(f"{parameters[name]:.17g}") for name in problem.param_names]
        return counted(x[0] if len(x) == 1 else np.array(x), *values)

    x = problem.x if len(problem.x) > 1 else problem.x[0]
    result = mq.fit(model, x, problem.response, start=start)
    assert result.derivative.startswith("finite differences")
    answer = _ours(result)
    return Answer(answer.values, answer.errors, counted.count, answer.success)


def _ours(result: Any) -> Answer:
    values = {name: result.params[name].value for name in result.params}
    errors = {name: result.params[name].stderr for name in result.params}
    return Answer(values, errors, result.nfev + result.njev, result.success)


def scipy_with(method: str) -> Solver:
    def solve(problem: NistProblem, start: dict[str, float]) -> Answer:
        from scipy.optimize import curve_fit

        model = Counted(problem)
        names = problem.param_names
        try:
            found, covariance = curve_fit(
                model, model.x, problem.response, p0=list(start.values()), method=method
            )
        except (RuntimeError, ValueError):
            return Answer({}, {}, model.count, False)
        errors = np.sqrt(np.diag(covariance))
        return Answer(
            dict(zip(names, found, strict=True)), dict(zip(names, errors, strict=True)), model.count, True
        )

    return solve


def with_lmfit(problem: NistProblem, start: dict[str, float]) -> Answer:
    import lmfit

    counted = Counted(problem)

    def residual(parameters: Any) -> Any:
        return counted(counted.x, *(p.value for p in parameters.values())) - problem.response

    parameters = lmfit.Parameters()
    for name, value in start.items():
        parameters.add(name, value=value)
    try:
        result = lmfit.minimize(residual, parameters)
    except (ValueError, RuntimeError):
        return Answer({}, {}, counted.count, False)
    values = {name: p.value for name, p in result.params.items()}
    errors = {name: p.stderr if p.stderr else np.nan for name, p in result.params.items()}
    return Answer(values, errors, counted.count, bool(result.success))


@dataclass
class Score:
    digits: list[float]
    error_digits: list[float]
    evaluations: list[int]
    claims: list[bool]
    seconds: float


def score(solver: Solver) -> Score:
    total = Score([], [], [], [], 0.0)
    for problem in map(nist, nist_names()):
        for start in (problem.start1, problem.start2):
            began = time.perf_counter()
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                answer = solver(problem, dict(start))
            total.seconds += time.perf_counter() - began
            total.digits.append(fewest_digits(answer.values, problem.certified) if answer.values else 0.0)
            if problem.name != "Lanczos1":
                fair = bool(answer.errors)
                total.error_digits.append(
                    fewest_digits(answer.errors, problem.certified_stderr) if fair else 0.0
                )
            total.evaluations.append(answer.evaluations)
            total.claims.append(answer.success)
    return total


def main() -> None:
    options = arguments(__doc__ or "")
    solvers: dict[str, Solver] = {
        "marquardt, function": by_function,
        "marquardt, formula": by_formula,
        "marquardt, differences": by_differences,
        "curve_fit lm": scipy_with("lm"),
        "curve_fit trf": scipy_with("trf"),
    }
    if installed("lmfit"):
        solvers["lmfit leastsq"] = with_lmfit
    place = machine()
    scores = {name: score(solver) for name, solver in solvers.items()}
    parts = [METHOD, f"{place}.\n", _summary(scores), STARTLESS, _startless()]
    publish("\n".join([*parts, "\n## Every run: digits / evaluations\n", _runs(scores)]), options)


STARTLESS = """
## Without starting values

Solved: the certified residual sum of squares is reached to 1e-6 (terms of equal form may swap their names, so
parameters are not compared). SciPy starts from ones.
"""


def _startless() -> str:
    from scipy.optimize import curve_fit

    rows = []
    for problem in map(nist, nist_names()):
        model, row = Counted(problem), [problem.name]
        ones = {name: 1.0 for name in problem.param_names}
        rows.append(row)
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            began = time.perf_counter()
            result = mq.fit(problem.formula, data=problem)
            seconds = time.perf_counter() - began
            row += [_mark(problem, result.rss), f"{result.nfev + result.njev}", f"{seconds * 1e3:.0f} ms"]
            for method in ("lm", "trf"):
                try:
                    found, _ = curve_fit(
                        model, model.x, problem.response, p0=list(ones.values()), method=method
                    )
                    residuals = model(model.x, *found) - problem.response
                    row.append(_mark(problem, float(residuals @ residuals)))
                except (RuntimeError, ValueError):
                    row.append("")
    solved = [sum(row[k] == "solved" for row in rows) for k in (1, 4, 5)]
    rows.append([f"**of {len(rows)}**", f"**{solved[0]}**", "", "", f"**{solved[1]}**", f"**{solved[2]}**"])
    return table(["problem", "marquardt", "evaluations", "time", "curve_fit lm", "curve_fit trf"], rows)


def _mark(problem: NistProblem, rss: float) -> str:
    return "solved" if rss <= problem.rss * (1 + 1e-6) + 1e-20 else ""


def _summary(scores: dict[str, Score]) -> str:
    head = [
        "54 runs",
        "≥ 4 digits",
        "≥ 6 digits",
        "mean digits",
        "s.e. ≥ 6 (of 52)",
        "claims",
        "false",
        "evaluations",
        "time, s",
    ]
    rows = []
    for name, s in scores.items():
        false = sum(claim and d < 4 for claim, d in zip(s.claims, s.digits, strict=True))
        rows.append([
            name, sum(d >= 4 for d in s.digits), sum(d >= 6 for d in s.digits), f"{np.mean(s.digits):.2f}",
            sum(d >= 6 for d in s.error_digits), sum(s.claims), false, sum(s.evaluations), f"{s.seconds:.2f}",
        ])  # fmt: skip
    return table(head, rows)


def _runs(scores: dict[str, Score]) -> str:
    rows = []
    labels = [f"{name} {start}" for name in nist_names() for start in (1, 2)]
    for k, label in enumerate(labels):
        rows.append([label, *(f"{s.digits[k]:.1f} / {s.evaluations[k]}" for s in scores.values())])
    return table(["problem, start", *scores], rows)


if __name__ == "__main__":
    main()
