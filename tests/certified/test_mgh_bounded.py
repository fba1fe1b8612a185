"""Problems of Moré, Garbow and Hillstrom within the bounds of Gay (1984), through ``least_squares``."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import least_squares as scipy_least_squares

import marquardt as mq
from marquardt.datasets import mgh, mgh_bounded
from marquardt.errors import DataError, Status

INF = np.inf
PROBLEMS = mgh_bounded.problems()
EIGHT_DIGITS = {  # as known before the twelve digits of the table
    "powell_badly_scaled": 1.5125937e-10, "brown_badly_scaled": 784.0, "beale": 0.0,
    "helical_valley": 0.99042212, "gaussian": 1.1279328e-8, "box": 1.1434818e-4, "wood": 1.5567008,
    "brown_dennis": 88860.48, "biggs_exp6": 5.3209866e-4,
}  # fmt: skip
rosenbrock = mgh.load("rosenbrock").residuals
each = pytest.mark.parametrize("problem", PROBLEMS, ids=lambda p: p.name)


def solve(fun, x0, lower, upper, **options):
    """The result, whose parameters are inside the bounds."""
    end = mq.least_squares(fun, x0, bounds=(lower, upper), **options)
    assert np.all(np.asarray(lower) <= end.x) and np.all(end.x <= np.asarray(upper))
    return end


def on_its_bounds(end, lower, upper):
    """True where each parameter that is called active is exactly on the bound that it is said to be on."""
    bound = np.where(end.active_mask < 0, lower, np.where(end.active_mask > 0, upper, end.x))
    return np.array_equal(bound, end.x)


@each
@pytest.mark.parametrize("factor", [1, 10])
def test_the_bounded_minimum_is_certified_and_active_bounds_are_named(problem, factor):
    end = solve(problem.residuals, problem.start(factor), problem.lower, problem.upper)
    assert end.derivative == "exact (traced)"
    assert problem.solved(2 * end.cost)
    assert 2 * end.cost == pytest.approx(EIGHT_DIGITS[problem.name], rel=1e-7, abs=1e-14)
    at_bound = end.active_mask.any()
    assert end.status is (Status.CONVERGED_AT_BOUND if at_bound else Status.CONVERGED)
    assert at_bound == (problem.name != "gaussian")
    assert on_its_bounds(end, problem.lower, problem.upper)
    assert all(f"'x[{k}]' at its" in end.message for k in np.flatnonzero(end.active_mask))


@each
@pytest.mark.parametrize("factor", [1, 10])
def test_the_bounded_minimum_is_reached_by_differences_and_no_bound_is_crossed(problem, factor):
    outside = []

    def called_back(x):
        outside.append(np.any(x < problem.lower) or np.any(x > problem.upper))
        return problem.residuals(np.array([float(f"{value:.17g}") for value in x]))

    end = solve(called_back, problem.start(factor), problem.lower, problem.upper)
    assert end.derivative.startswith("finite differences")
    assert problem.solved(2 * end.cost) and not any(outside)


@each
def test_an_independent_solver_finds_nothing_lower_near_the_known_minimum(problem):
    end = mq.least_squares(problem.residuals, problem.start(), bounds=(problem.lower, problem.upper))
    rng = np.random.default_rng(0)
    for spread in (1e-4, 1e-2):
        width = spread * np.minimum(problem.upper - problem.lower, 1.0 + np.abs(end.x))
        near = np.clip(end.x + width * rng.standard_normal(problem.n), problem.lower, problem.upper)
        other = scipy_least_squares(
            problem.residuals, near, "3-point", bounds=(problem.lower, problem.upper), x_scale="jac",
            ftol=1e-13, xtol=1e-13, gtol=1e-13,
        )  # fmt: skip
        assert 2 * other.cost >= problem.rss * (1 - 1e-9) - 1e-14


@each
def test_a_start_on_the_bounds_that_are_active_at_the_end_reaches_the_same_minimum(problem):
    first = mq.least_squares(problem.residuals, problem.start(), bounds=(problem.lower, problem.upper))
    on_bounds = np.where(first.active_mask == 0, problem.start(), first.x)
    end = solve(problem.residuals, on_bounds, problem.lower, problem.upper)
    other_minimum = {"wood": 7.09383642513}.get(problem.name)  # x3 < 0 there: a second, bounded one
    assert problem.solved(2 * end.cost) or 2 * end.cost == pytest.approx(other_minimum, rel=1e-11)
    assert end.success


@pytest.mark.parametrize("name", ["brown_dennis", "biggs_exp6", "box"])
def test_a_start_in_a_corner_leaves_the_bounds_that_are_not_active_at_the_end(name):
    problem = mgh_bounded.load(name)
    end = solve(problem.residuals, problem.upper, problem.lower, problem.upper)
    assert end.success and problem.solved(2 * end.cost) and (end.active_mask == 0).any()


def test_a_parameter_between_equal_bounds_stays_and_the_rest_is_fitted():
    end = solve(rosenbrock, [0.25, 0.0], [0.25, -INF], [0.25, INF])
    assert end.x[0] == 0.25 and end.x[1] == pytest.approx(0.0625, rel=1e-12)
    assert end.success and end.active_mask[0] != 0 and end.active_mask[1] == 0


def test_with_every_pair_of_bounds_equal_the_start_is_the_answer():
    end = solve(rosenbrock, [-1.2, 1.0], [-1.2, 1.0], [-1.2, 1.0])
    assert end.status is Status.CONVERGED_AT_BOUND and end.active_mask.all()
    assert np.array_equal(end.x, [-1.2, 1.0]) and 2 * end.cost == pytest.approx(24.2)


@pytest.mark.parametrize("start", [[-3.0, -3.0], [-1.0, -1.0], [-5.0, -1.0]])
def test_a_solution_at_a_vertex_is_certified_with_both_bounds_active(start):
    end = solve(rosenbrock, start, [-5.0, -5.0], [-1.0, -1.0])
    assert end.status is Status.CONVERGED_AT_BOUND and end.active_mask.tolist() == [1, 1]
    assert end.x.tolist() == [-1.0, -1.0] and 2 * end.cost == 404.0


def test_an_active_bound_with_a_multiplier_of_zero_is_certified():
    beale = mgh_bounded.load("beale")
    end = solve(beale.residuals, beale.start(), beale.lower, beale.upper)
    assert end.x == pytest.approx([3.0, 0.5], rel=1e-12) and end.success
    assert np.abs(end.grad).max() < 1e-12


@pytest.mark.parametrize("lower", [1.5, 1.0, -0.75, 1e-300])
def test_bounds_one_ulp_apart_hold_a_parameter(lower):
    upper = np.nextafter(lower, INF)
    end = solve(rosenbrock, [upper, 3.0], [lower, -INF], [upper, INF])
    assert end.success and end.x[0] in (lower, upper)
    assert end.x[1] == pytest.approx(lower**2, rel=1e-9, abs=1e-15)


@pytest.mark.parametrize(
    ("lower", "upper", "start", "x", "active"),
    [
        ([-INF, -INF], [0.5, INF], [-1.2, 1.0], [0.5, 0.25], [1, 0]),
        ([1.5, -INF], [INF, INF], [2.0, 1.0], [1.5, 2.25], [-1, 0]),
        ([-INF, -INF], [INF, 0.25], [-1.2, 0.0], None, [0, 1]),
        ([-INF, 2.0], [INF, INF], [1.0, 3.0], None, [0, -1]),
        ([-INF, -INF], [5.0, 5.0], [-1.2, 1.0], [1.0, 1.0], [0, 0]),
    ],
)
def test_bounds_may_be_infinite_on_one_side(lower, upper, start, x, active):
    end = solve(rosenbrock, start, lower, upper)
    assert end.success and end.active_mask.tolist() == active and on_its_bounds(end, lower, upper)
    if x is not None:
        assert end.x == pytest.approx(x, rel=1e-12)
    else:
        assert end.grad[0] == pytest.approx(0.0, abs=1e-9) and end.grad[1] * active[1] < 0


@pytest.mark.parametrize(
    ("lower", "upper", "start"),
    [
        ([-2.0, -2.0], [1.0, 1.0], [-1.2, 1.0]),
        ([1.0, -2.0], [3.0, 3.0], [2.0, 2.0]),
        ([-2.0, 1.0], [1.0, 3.0], [0.5, 2.0]),
    ],
)
def test_a_free_minimum_exactly_on_the_bounds_is_reached_to_the_last_digits(lower, upper, start):
    end = solve(rosenbrock, start, lower, upper)
    assert end.success and end.x == pytest.approx([1.0, 1.0], abs=1e-12) and end.cost < 1e-24


def test_an_unknown_bounded_problem_is_refused_with_the_names_there_are():
    with pytest.raises(DataError, match=r"no bounded MGH problem 'woood'.*wood"):
        mgh_bounded.load("woood")
