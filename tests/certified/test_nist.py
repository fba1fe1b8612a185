"""The 27 problems certified by NIST: what default options must reach."""

from __future__ import annotations

import functools
import json
from pathlib import Path

import numpy as np
import pytest

import marquardt as mq
from marquardt.datasets import correct_digits, fewest_digits, nist, nist_names
from marquardt.errors import Status

TRUE = json.loads((Path(__file__).parent / "true_values_60digits.json").read_text())
RUNS = [(name, start) for name in nist_names() for start in (1, 2)]


def solve(name, start, wrap=lambda function: function):
    problem = nist(name)
    x = problem.x if len(problem.x) > 1 else problem.x[0]
    values = problem.start1 if start == 1 else problem.start2
    return problem, mq.fit(wrap(problem.function), x, problem.response, start=values)


def digits(problem, result):
    return fewest_digits({name: result.params[name].value for name in result.params}, problem.certified)


def called_back(function):
    """The same function, made so that it cannot be traced: its parameters pass through text."""

    @functools.wraps(function)
    def model(*x, **parameters):
        return function(*x, **{name: float(f"{value:.17g}") for name, value in parameters.items()})

    return model


@functools.cache
def all_runs():
    return {(name, start): solve(name, start) for name, start in RUNS}


@pytest.mark.parametrize(("name", "start"), RUNS)
def test_both_starts_are_certified_and_right(name, start):
    problem, result = all_runs()[name, start]
    assert result.status is Status.CONVERGED, result.message
    assert result.derivative == "exact (traced)"
    assert digits(problem, result) >= 9.5
    # The residual of Lanczos1 is rounding, and so would be its standard errors.
    if name != "Lanczos1":
        errors = {key: result.params[key].stderr for key in result.params}
        assert fewest_digits(errors, problem.certified_stderr) >= 9.0
        assert np.isclose(result.rss, problem.rss, rtol=2e-10)


@pytest.mark.parametrize(("name", "start"), RUNS)
def test_estimates_agree_with_the_optimum_to_sixty_digits(name, start):
    _, result = all_runs()[name, start]
    true = [float(value) for value in TRUE[name]["true"]]
    found = [result.params[f"b{k + 1}"].value for k in range(len(true))]
    assert min(correct_digits(*pair, cap=15) for pair in zip(found, true, strict=True)) >= 9.5


def test_digits_reach_the_mean_and_evaluations_stay_below_the_best_peer():
    runs = all_runs().values()
    assert np.mean([digits(problem, result) for problem, result in runs]) >= 10.5
    assert sum(result.nfev + result.njev for _, result in runs) < 2000


def test_formulas_give_the_same_digits_as_functions():
    for name in ("Nelson", "ENSO", "Roszman1"):
        problem = nist(name)
        assert digits(problem, mq.fit(problem.formula, data=problem, start=problem.start1)) >= 9.5


def test_finite_differences_reach_six_digits_in_52_of_54_runs_and_claim_nothing_false():
    right = 0
    for name, start in RUNS:
        problem, result = solve(name, start, called_back)
        assert result.derivative.startswith("finite differences")
        right += digits(problem, result) >= 6
        assert digits(problem, result) >= 4 or not result.success
    assert right >= 52


def test_without_starting_values_25_of_27_problems_are_solved():
    """Solved: the certified sum of squares is reached, as terms of equal form may swap their names."""
    solved = 0
    for name in nist_names():
        problem = nist(name)
        result = mq.fit(problem.formula, data=problem)
        solved += result.rss <= problem.rss * (1 + 1e-6) + 1e-20
    assert solved >= 25
