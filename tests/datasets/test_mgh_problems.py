"""The 35 problems of Moré, Garbow and Hillstrom: residuals, starts and minima as published."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import least_squares

from marquardt.datasets import mgh
from marquardt.errors import DataError
from marquardt.problem.model import compile_model

EVERY = mgh.problems(every_size=True)
each = pytest.mark.parametrize("problem", EVERY, ids=lambda p: f"{p.name}-{p.n}")

# As printed in the paper (six digits).
PUBLISHED = {
    ("freudenstein_roth", 2): [48.9842], ("jennrich_sampson", 2): [124.362],
    ("bard", 3): [8.21487e-3, 17.4286],
    ("gaussian", 3): [1.12793e-8], ("meyer", 3): [87.9458], ("kowalik_osborne", 4): [3.07505e-4, 1.02734e-3],
    ("brown_dennis", 4): [85822.2], ("osborne_1", 5): [5.46489e-5], ("biggs_exp6", 6): [5.65565e-3],
    ("osborne_2", 11): [4.01377e-2], ("watson", 6): [2.28767e-3], ("watson", 9): [1.39976e-6],
    ("watson", 12): [4.72238e-10], ("penalty_1", 4): [2.24997e-5], ("penalty_1", 10): [7.08765e-5],
    ("penalty_2", 4): [9.37629e-6], ("penalty_2", 10): [2.93660e-4], ("trigonometric", 10): [2.79506e-5],
    ("brown_almost_linear", 10): [1.0], ("chebyquad", 8): [3.51687e-3], ("chebyquad", 10): [6.50395e-3],
}  # fmt: skip

# Sums of squares at the standard start, worked out by hand from the definitions.
AT_START = {
    "rosenbrock": 24.2, "freudenstein_roth": 400.5, "brown_badly_scaled": 999998000003.0 - 4e-6 + 4e-12,
    "beale": 14.203125, "helical_valley": 2500.0, "powell_singular": 215.0, "wood": 19192.0,
    "extended_rosenbrock": 121.0, "extended_powell_singular": 645.0, "watson": 30.0,
    "penalty_1": 384.75**2 + 285e-5, "variably_dimensioned": 38.5**2 + 38.5**4 + 3.85,
    "brown_almost_linear": 9 * 5.5**2 + (0.5**10 - 1) ** 2, "linear_full_rank": 5 * 0.5**2 + 15 * 1.5**2,
    "broyden_tridiagonal": 8 * 1.0 + 4.0 + 9.0,
}  # fmt: skip

# Where the known minima are, roughly.
NEAR = {
    "rosenbrock": [[1.1, 0.9]], "freudenstein_roth": [[5.1, 3.9], [11.4, -0.9]],
    "powell_badly_scaled": [[1.098e-5, 9.106], [-0.01, -0.01]], "brown_badly_scaled": [[1e6, 2e-6]],
    "beale": [[3.1, 0.5]], "jennrich_sampson": [[0.26, 0.25]], "helical_valley": [[1.0, 0.1, 0.1]],
    "bard": [[0.08, 1.1, 2.3]], "gaussian": [[0.4, 1.0, 0.0]], "meyer": [[0.0056, 6180.0, 345.0]],
    "gulf": [[50.1, 25.1, 1.51]], "box": [[1.1, 10.1, 1.1]], "powell_singular": [[0.1, -0.01, 0.1, 0.1]],
    "wood": [[1.1, 1.0, 0.9, 1.0]], "kowalik_osborne": [
        [0.19, 0.19, 0.12, 0.14], [0.225, -0.415, -0.0245, -0.178], [0.234, -1.292, -0.836, -0.5507],
    ],
    "brown_dennis": [[-11.6, 13.2, -0.4, 0.24]], "osborne_1": [[0.375, 1.94, -1.46, 0.0129, 0.0221]],
    "biggs_exp6": [[1.01, 10.1, 1.0, 5.1, 4.1, 3.0]],
    "osborne_2": [[1.31, 0.43, 0.63, 0.60, 0.75, 0.90, 1.37, 4.8, 2.4, 4.57, 5.68]],
    "trigonometric": [
        [0.001] * 10,
        [0.05154, 0.05302, 6.338, 0.05662, 6.342, 0.06158, 0.2184, 0.06952, 0.1437, 0.09253],
        [0.0552, 0.0568, 0.0588, 0.061, 0.0636, 0.0668, 0.208, 0.164, 0.085, 0.091],
        [0.05391, 0.0555, 0.05729, 0.05934, 0.06173, 0.2579, 0.06811, 6.356, 0.07846, 0.08375],
        [0.06249, 0.06447, 0.06671, 0.06924, 0.2754, 0.07545, 12.65, 6.365, 0.08364, 0.08209],
    ],
    "brown_almost_linear": [[1.01] * 10], "penalty_1": [[0.158] * 10],
    "chebyquad": [
        [0.033, 0.155, 0.2, 0.382, 0.384, 0.53, 0.64, 0.714, 0.829, 0.925],
        [0.0596, 0.1667, 0.2392, 0.3985, 0.3992, 0.6009, 0.6013, 0.7608, 0.8333, 0.9404]],
}  # fmt: skip


def rss(problem, x):
    residuals = problem.residuals(np.asarray(x, float))
    return float(residuals @ residuals)


def near(problem):
    """A place near each known minimum, in their order; the standard start where none is listed."""
    places = [place for place in NEAR.get(problem.name, []) if len(place) == problem.n]
    return places or [problem.start]


def solved_by_scipy(problem, start):
    return least_squares(
        problem.residuals, start, "3-point", method="lm", ftol=1e-15, xtol=1e-15, gtol=1e-15, max_nfev=20_000
    )


def test_there_are_35_problems_numbered_as_in_the_paper():
    problems = mgh.problems()
    assert [p.number for p in problems] == list(range(1, 36))
    assert tuple(p.name for p in problems) == mgh.names()
    assert len(EVERY) == 40 and all(p.m == len(p.residuals(p.start)) >= p.n for p in EVERY)


@pytest.mark.parametrize("name", AT_START)
def test_the_sum_of_squares_at_the_start_is_the_one_worked_out_by_hand(name):
    problem = mgh.load(name)
    assert np.isclose(rss(problem, problem.start), AT_START[name], rtol=1e-12)


@pytest.mark.parametrize(("name", "n"), PUBLISHED)
def test_known_values_agree_with_the_published_digits(name, n):
    problem = mgh.load(name, n)
    known = problem.minima + problem.limits + problem.saddles
    for value in PUBLISHED[name, n]:
        assert any(abs(k - value) <= 1.001 * 10.0 ** (np.floor(np.log10(value)) - 5) for k in known)


@each
def test_an_independent_solver_near_each_minimum_ends_at_its_value(problem):
    for start, value in zip(near(problem), problem.minima, strict=False):
        end = solved_by_scipy(problem, start)
        assert abs(2 * end.cost - value) <= 2e-10 * value + 1e-14


@each
def test_no_parameters_near_the_best_minimum_do_better(problem):
    end = solved_by_scipy(problem, near(problem)[0])
    steps = np.random.default_rng(1).normal(size=(50, problem.n)) * 1e-3 * np.maximum(np.abs(end.x), 1e-6)
    lowest = min(rss(problem, end.x + step) for step in steps)
    assert lowest >= problem.minima[0] * (1 - 1e-11) - 1e-30


@each
def test_every_problem_is_traced_and_its_exact_jacobian_equals_differences(problem):
    x = np.where(problem.start == 0, 0.3, problem.start) * (1 + 0.01 * np.arange(problem.n))
    model = compile_model(problem.residuals, (), {"x": x.shape})
    traced = model.problem((), None, None, x, range(problem.n))
    assert model.derivative == "exact (traced)"
    f = problem.residuals(x)
    np.testing.assert_allclose(traced.residuals(x), f, rtol=1e-12, atol=1e-13 * np.abs(f).max())
    step = 6e-6 * np.maximum(np.abs(x), 1e-3)
    columns = [(problem.residuals(x + h) - problem.residuals(x - h)) / (2 * h.sum()) for h in np.diag(step)]
    expected = np.transpose(columns)
    size = np.maximum(np.abs(expected).max(0), np.abs(f).max() * 1e-6 / step)
    np.testing.assert_array_less(np.abs(traced.jacobian(x) - expected) / np.maximum(size, 1e-300), 1e-6)


def test_the_cut_of_the_helical_valley_is_where_the_paper_has_it():
    residuals = mgh.load("helical_valley").residuals
    for x1, x2 in ((1.0, -2.0), (1.0, 2.0), (-1.0, 2.0), (-1.0, -2.0)):
        turns = np.arctan(x2 / x1) / (2 * np.pi) + (0.5 if x1 < 0 else 0.0)
        assert np.isclose(residuals(np.array([x1, x2, 0.0]))[0], -100 * turns)


def test_gulf_at_ten_times_its_start_is_the_solution():
    problem = mgh.load("gulf")
    assert rss(problem, problem.start_times(10)) < 1e-25


def test_a_start_of_zeros_is_multiplied_as_minpack_does():
    assert np.array_equal(mgh.load("watson").start_times(100), np.full(6, 100.0))
    assert np.array_equal(mgh.load("watson").start_times(1), np.zeros(6))


def test_values_at_infinity_are_approached_along_their_valleys():
    valleys = {
        "beale": [-1e6, 1 + 0.99107e-6],
        "box": [0.6136, 1e9, 1.32],
        "bard": [0.840667, -1e15, -1e15],
        "kowalik_osborne": [1e9, -14.07583, -4.53e10, -2.83e10],
    }
    for name, x in valleys.items():
        problem = mgh.load(name)
        assert np.isclose(rss(problem, x), problem.limits[0], rtol=0.03), name


def test_sizes_may_be_chosen_and_impossible_ones_are_refused():
    assert mgh.load("watson", 12).n == 12
    assert mgh.load("broyden_banded", 50).minima == (0.0,)
    with pytest.raises(DataError, match=r"has no size n = 6; n is from 4 on and a multiple of 4"):
        mgh.load("extended_powell_singular", 6)
    with pytest.raises(DataError, match=r"beale has no size n = 3; it has 2 parameters"):
        mgh.load("beale", 3)
    with pytest.raises(DataError, match=r"no MGH problem 'banana'.*rosenbrock"):
        mgh.load("banana")
