"""Core and reference give the same verdict where a vanishing gradient does not tell everything."""

import numpy as np
import pytest

import marquardt as mq
from marquardt.errors import Status
from marquardt.options import Options

from .jets import Exact
from .support import in_core, in_numpy

T, WIDE, LONG = np.linspace(0, 4, 20), np.linspace(0, 4, 40), np.linspace(0, 10, 60)
METHODS = ("auto", "newton", "more", "dogleg", "levenberg", "marquardt", "gauss-newton")


def unit(i):
    return np.eye(2)[i]


CASES = {
    "a stationary maximum": (lambda b: b[0] ** 2 - np.array([1.0]), [0.0]),
    "a saddle": (lambda b: unit(0) * (b[0] ** 2 - 1) + unit(1) * b[1], [0.0, 0.0]),
    "a maximum between minima": (
        lambda b: unit(0) * (b[0] + 1) + unit(1) * (3.0 * b[0] ** 2 + b[0] - 1), [0.0],
    ),
    "two equal exponentials": (
        lambda b: b[0] * np.exp(-b[1] * WIDE) + b[2] * np.exp(-b[3] * WIDE)
        - 2 * np.exp(-0.5 * WIDE) - np.exp(-3 * WIDE), [1.0, 1.0, 1.0, 1.0],
    ),
    "only a product": (lambda b: b[0] * b[1] * T - 6 * T - 0.01 * np.sin(9 * T), [1.0, 2.0]),
    "a parameter ignored": (lambda b: b[0] * T - 6 * T - 0.01 * np.sin(9 * T) + 0 * b[1], [1.0, 2.0]),
    "a peak beside the data": (
        lambda b: b[0] * np.exp(-((T - b[1]) ** 2) / 0.01) - np.exp(-((T - 2) ** 2) / 0.01), [1.0, 40.0],
    ),
    "another minimum": (lambda b: np.sin(b[0] * LONG) - np.sin(7.3 * LONG), [5.0]),
    "columns of zeros": (
        lambda b: b[0] * np.exp(-b[1] * T) - 3 * np.exp(-0.7 * T) - 0.01 * np.sin(9 * T), [0.0, 0.0],
    ),
}  # fmt: skip


class Without(Exact):
    """No second derivatives: what the Hessian says comes from differences."""

    hessian = None


@pytest.mark.parametrize("kind", [Exact, Without])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("case", CASES)
def test_core_and_reference_give_the_same_verdict(case, method, kind):
    function, start = CASES[case]
    options = Options(method=method, max_evaluations=100)
    core, numpy = (code(kind(function), start, options=options) for code in (in_core, in_numpy))
    assert core.status is numpy.status and core.escapes == numpy.escapes
    assert core.runaway == numpy.runaway and (core.descent.size > 0) == (numpy.descent.size > 0)
    assert abs(core.nfev - numpy.nfev) <= 3 and abs(core.njev - numpy.njev) <= 3
    if core.status.success:  # saddles have two ways down, to minima of equal cost
        np.testing.assert_allclose(core.rss, numpy.rss, rtol=1e-6, atol=1e-20)


@pytest.mark.parametrize("code", [in_core, in_numpy])
@pytest.mark.parametrize("case", ["a stationary maximum", "a saddle", "a maximum between minima"])
def test_methods_of_the_second_order_leave_a_stationary_point_and_others_name_the_way_down(case, code):
    function, start = CASES[case]
    for method in ("auto", "newton"):
        end = code(Exact(function), start, options=Options(method=method))
        assert end.status is Status.CONVERGED and end.escapes == 1
    end = code(Exact(function), start, options=Options(method="more"))
    assert end.status is Status.NOT_A_MINIMUM and end.escapes == 0
    exact = Exact(function)
    J, S = exact.jacobian(end.x), exact.hessian(end.x, exact.residuals(end.x))
    assert end.descent @ (J.T @ J + S) @ end.descent < 0


@pytest.mark.parametrize("code", [in_core, in_numpy])
def test_a_peak_beside_the_data_is_named_as_out_of_their_reach(code):
    end = code(Exact(CASES["a peak beside the data"][0]), [1.0, 40.0])
    assert end.status is Status.RUNAWAY and end.runaway == [1]


# ------------------------------------------------------------------ a second attempt


def beale(b):
    return np.array([1.5, 2.25, 2.625]) - b[0] * (1 - b[1] ** np.array([1.0, 2.0, 3.0]))


ASTRAY = [1.00941932, 3.7353157]  # a start from which the first search follows the limit 0.452 to infinity


@pytest.mark.parametrize("code", [in_core, in_numpy])
def test_a_search_that_runs_away_is_begun_again_more_carefully(code):
    once = code(Exact(beale), ASTRAY, options=Options(retry=False))
    again = code(Exact(beale), ASTRAY)
    assert once.status is Status.RUNAWAY and again.status is Status.CONVERGED
    assert again.rss < 1e-20 and once.njev < again.njev < 2 * once.njev


@pytest.mark.parametrize("code", [in_core, in_numpy])
def test_a_search_that_loses_parameters_on_its_way_is_begun_again(code):
    t = np.arange(8.0)
    y = np.round(5 * np.exp(-(((t - 4) / 1.5) ** 2) / 2), 2)
    y[0] = -2.8  # a narrow peak that reaches this point alone has no definite place, height and width

    def peak(b):
        return b[0] * np.exp(-(((t - b[1]) / b[2]) ** 2) / 2) - y

    start = [2.3, -0.6, 0.7]
    once = code(Exact(peak), start, options=Options(retry=False))
    again = code(Exact(peak), start)
    assert once.status is Status.NOT_UNIQUE and again.status is Status.CONVERGED
    assert again.rss < 0.5 * once.rss


@pytest.mark.parametrize("code", [in_core, in_numpy])
def test_all_attempts_together_keep_the_budget_asked_for(code):
    once = code(Exact(beale), ASTRAY, options=Options(retry=False))
    again = code(Exact(beale), ASTRAY, options=Options(max_evaluations=once.njev + 5))
    assert again.njev == once.njev + 5 and again.status is Status.RUNAWAY


def test_a_second_attempt_can_be_interrupted():
    first = mq.least_squares(beale, ASTRAY, options=Options(retry=False)).nfev
    seen = []

    def stop(progress):
        seen.append(progress.nfev)
        return progress.nfev >= first + 3

    end = mq.least_squares(beale, ASTRAY, callback=stop)
    assert end.status is Status.INTERRUPTED and end.nfev == first + 3
    assert seen == sorted(seen)


@pytest.mark.parametrize("seed", range(4))
def test_a_flat_direction_of_a_difference_jacobian_is_not_called_a_staircase(seed):
    rows, columns = np.arange(1.0, 21), np.arange(1.0, 6)

    def opaque(x):
        return rows * sum(float(c) * float(v) for c, v in zip(columns, x, strict=True)) - 1

    end = mq.least_squares(opaque, np.random.default_rng(seed).normal(size=5) + 1)
    assert end.status is Status.NOT_UNIQUE


class Rounded(Without):
    """The maximum between minima with a gradient that is off by one unit in the last place at the start."""

    def jacobian(self, x):
        J = super().jacobian(x)
        return J * np.array([[1 + 2.0**-52 if x[0] == 0 else J[1, 0] / J[0, 0]], [1.0]])


@pytest.mark.parametrize("code", [in_core, in_numpy])
@pytest.mark.parametrize("method", ["more", "dogleg", "marquardt"])
def test_a_maximum_is_seen_even_when_a_step_of_rounding_errors_was_taken(code, method):
    function, start = CASES["a maximum between minima"]
    end = code(Rounded(function), start, options=Options(method=method))
    assert end.status is Status.NOT_A_MINIMUM and abs(end.x[0]) < 1e-12
