"""Covariance, intervals and goodness against textbook formulas."""

from __future__ import annotations

import math

import numpy as np
import pytest

from marquardt.errors import OptionError
from marquardt.stats import correlation, covariance, delta_variance, goodness, interval, quantile

RNG = np.random.default_rng(5)


def test_covariance_of_a_sound_jacobian_is_the_inverse() -> None:
    J = RNG.normal(size=(20, 3))
    c = covariance(np.linalg.qr(J, mode="r"))
    assert np.allclose(c.matrix, np.linalg.inv(J.T @ J), rtol=1e-12)
    assert c.rank == 3 and c.determined.all() and c.null_vectors.shape == (0, 3)


@pytest.mark.parametrize("unit", [2.0**60, 2.0**-60, 1e150, 1e-140])
def test_standard_errors_follow_the_unit_of_a_parameter(unit: float) -> None:
    R = np.linalg.qr(RNG.normal(size=(20, 2)), mode="r")
    scaled = covariance(R * np.array([unit, 1.0]))
    expected = np.sqrt(np.diag(covariance(R).matrix))
    assert np.allclose(np.sqrt(np.diag(scaled.matrix)) * [unit, 1.0], expected, rtol=1e-13)


def test_two_parameters_that_act_alike_are_infinite_and_the_third_is_finite() -> None:
    J = RNG.normal(size=(20, 3))
    J[:, 1] = 2.0 * J[:, 0]
    c = covariance(np.linalg.qr(J, mode="r"))
    assert c.rank == 2
    assert np.isinf(np.diag(c.matrix)).tolist() == [True, True, False]
    alone = np.linalg.inv(J[:, [0, 2]].T @ J[:, [0, 2]])
    assert np.isclose(c.matrix[2, 2], alone[1, 1])
    # what is predicted along the determined direction stays finite and right
    assert np.allclose(delta_variance(J, c.space), delta_variance(J[:, [0, 2]], alone))


def test_a_parameter_without_effect_is_infinite_alone() -> None:
    J = np.column_stack([RNG.normal(size=10), np.zeros(10)])
    c = covariance(np.linalg.qr(J, mode="r"))
    assert c.determined.tolist() == [True, False]
    assert np.isclose(c.matrix[0, 0], 1.0 / (J[:, 0] @ J[:, 0]))
    assert np.allclose(np.abs(c.null_vectors), [[0.0, 1.0]])


def test_parameters_held_at_a_bound_condition_the_others() -> None:
    J = RNG.normal(size=(20, 3))
    c = covariance(np.linalg.qr(J, mode="r"), np.array([False, True, False]))
    expected = np.linalg.inv(J[:, [0, 2]].T @ J[:, [0, 2]])
    assert np.allclose(c.matrix[np.ix_([0, 2], [0, 2])], expected)
    assert np.isnan(c.matrix[1]).all()


def test_fewer_points_than_parameters_leave_a_null_space() -> None:
    J = RNG.normal(size=(2, 3))
    R = np.linalg.qr(np.vstack([J, np.zeros((3, 3))]), mode="r")
    c = covariance(R)
    assert c.rank == 2 and np.allclose(J @ (c.null_vectors[0] / np.linalg.norm(J, axis=0)), 0.0)


def test_correlation_has_ones_on_its_diagonal_and_nan_where_undetermined() -> None:
    C = np.array([[4.0, 1.0, np.nan], [1.0, 1.0, np.nan], [np.nan, np.nan, np.inf]])
    r = correlation(C)
    assert r[0, 0] == 1.0 and r[0, 1] == 0.5 and np.isnan(r[2]).all()


def test_quantiles_are_student_s_and_normal() -> None:
    assert math.isclose(quantile(0.95, 4), 2.7764451051977987, rel_tol=1e-12)
    assert math.isclose(quantile(0.95, None), 1.959963984540054, rel_tol=1e-12)
    assert math.isnan(quantile(0.95, 0))
    assert interval(1.0, math.inf, 0.95, 3) == (-math.inf, math.inf)
    with pytest.raises(OptionError, match="between 0 and 1"):
        quantile(95, 4)


def test_goodness_of_a_straight_line_follows_the_gaussian_likelihood() -> None:
    x, y = np.arange(1.0, 7.0), np.array([2.0, 4, 5, 4, 5, 7])
    A = np.column_stack([x, np.ones(6)])
    f = A @ np.linalg.lstsq(A, y, rcond=None)[0] - y
    g = goodness(float(f @ f), y, None, 6, 2, 2, False)
    n, rss = 6, float(f @ f)
    loglik = -n / 2 * (math.log(2 * math.pi) + math.log(rss / n) + 1)
    assert math.isclose(g.log_likelihood, loglik)
    assert math.isclose(g.aic, -2 * loglik + 6) and math.isclose(g.bic, -2 * loglik + 3 * math.log(6))
    assert math.isclose(g.aicc, g.aic + 2 * 3 * 4 / 2)
    assert math.isclose(g.reduced_chi2, rss / 4) and g.dof == 4
    assert math.isclose(g.r_squared, float(np.corrcoef(x, y)[0, 1] ** 2))


def test_the_likelihood_does_not_depend_on_how_weights_are_normalized() -> None:
    f, y = RNG.normal(size=8), RNG.normal(size=8)
    w = RNG.uniform(0.5, 2.0, size=8)
    rss = float(np.sum((f * w) ** 2))
    one, two = goodness(rss, y, w, 8, 2, 2, False), goodness(100 * rss, y, 10 * w, 8, 2, 2, False)
    assert math.isclose(one.aic, two.aic, rel_tol=1e-12)


def test_known_standard_deviations_give_the_gaussian_likelihood() -> None:
    from scipy.stats import norm

    f, sigma = RNG.normal(size=8), RNG.uniform(0.5, 2.0, size=8)
    g = goodness(float(np.sum((f / sigma) ** 2)), np.arange(8.0), 1 / sigma, 8, 2, 2, True)
    assert math.isclose(g.log_likelihood, float(norm.logpdf(f, scale=sigma).sum()))
    assert math.isclose(g.aic, -2 * g.log_likelihood + 4)


def test_without_degrees_of_freedom_the_variance_is_undefined() -> None:
    g = goodness(0.02, np.array([1.0, 2.0]), None, 2, 2, 2, False)
    assert g.dof == 0 and math.isnan(g.reduced_chi2) and math.isnan(g.aicc)
