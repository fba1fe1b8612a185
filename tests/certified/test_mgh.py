"""The 35 problems of Moré, Garbow and Hillstrom: what `auto` must certify, and what no method may claim."""

from __future__ import annotations

import functools

import numpy as np
import pytest

import marquardt as mq
from marquardt.cli.mgh import solve, tally
from marquardt.datasets import mgh
from marquardt.options import METHODS


@functools.cache
def runs(method, factor):
    return [solve(problem, factor, method) for problem in mgh.problems()]


def test_auto_certifies_a_known_minimum_of_every_problem_from_the_standard_start():
    assert [str(run) for run in runs("auto", 1) if not run.certified] == []


@pytest.mark.parametrize("problem", mgh.problems(every_size=True), ids=lambda p: f"{p.name}-{p.n}")
def test_every_tabulated_size_is_certified_with_exact_derivatives(problem):
    end = mq.least_squares(problem.residuals, problem.start)
    assert end.success and problem.kind(2 * end.cost) in ("best", "minimum"), end.message
    assert end.derivative == "exact (traced)"


@pytest.mark.parametrize("method", METHODS)
def test_no_method_claims_success_elsewhere_from_the_standard_start(method):
    assert [str(run) for run in runs(method, 1) if run.elsewhere] == []


@pytest.mark.parametrize("factor", [10, 100])
def test_auto_claims_no_success_elsewhere_from_far_starts(factor):
    assert [str(run) for run in runs("auto", factor) if run.elsewhere] == []


def test_auto_solves_and_certifies_a_fifth_more_from_far_starts_than_the_rules_of_minpack():
    auto, more = (
        [run for factor in (10, 100) for run in runs(method, factor)] for method in ("auto", "more")
    )
    assert tally(auto).best >= 1.2 * tally(more).best
    assert tally(auto).best + tally(auto).minimum >= 1.2 * (tally(more).best + tally(more).minimum)
    assert tally(auto).certified >= 1.2 * tally(more).certified
    assert tally(auto).evaluations < 0.6 * tally(more).evaluations


@pytest.mark.parametrize("method", ["auto", "more", "levenberg"])
def test_rosenbrock_is_certified_in_25_evaluations_to_1e_28(method):
    problem = mgh.load("rosenbrock")
    end = mq.least_squares(problem.residuals, problem.start, method=method)
    assert end.success and end.cost <= 1e-28
    assert end.nfev <= 25


def called_back(residuals):
    """The same residuals, made so that they cannot be traced: the parameters pass through text."""
    return lambda x: residuals(np.array([float(f"{value:.17g}") for value in x]))


def test_without_derivatives_every_minimum_is_reached_and_nothing_claimed_falsely():
    ends = [mq.least_squares(called_back(problem.residuals), problem.start) for problem in mgh.problems()]
    assert all(end.derivative.startswith("finite differences") for end in ends)
    kinds = [problem.kind(2 * end.cost) for problem, end in zip(mgh.problems(), ends, strict=True)]
    assert set(kinds) == {"best", "minimum"}
    # The others need second derivatives, or end where differences cannot tell the gradient from rounding.
    assert sum(end.success for end in ends) >= 26
