"""Correlated errors: sigma as a covariance matrix."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.optimize

import marquardt as mq
from marquardt.curve.weights import whitening_of
from marquardt.errors import DataError

RNG = np.random.default_rng(11)
N = 40
T = np.linspace(0.0, 6.0, N)
C = 0.05 * np.exp(-np.abs(T[:, None] - T) / 0.8) + np.diag(np.linspace(0.005, 0.02, N))
START = {"a": 2.0, "b": 1.0, "c": 0.0}


def decay(t: Any, a: float, b: float, c: float) -> Any:
    return a * np.exp(-b * t) + c


Y = decay(T, 3.0, 0.8, 0.5) + np.linalg.cholesky(C) @ RNG.standard_normal(N)


def aitken(y: Any, X: Any, C: Any) -> tuple[Any, Any]:
    """Generalized least squares of a linear model, by its formula."""
    inverse = np.linalg.inv(C)
    covariance = np.linalg.inv(X.T @ inverse @ X)
    return covariance @ X.T @ inverse @ y, covariance


def test_a_line_with_correlated_errors_is_that_of_aitken() -> None:
    found = mq.fit("y ~ a + b*t", data={"t": T, "y": Y}, sigma=C)
    x, covariance = aitken(Y, np.column_stack([np.ones(N), T]), C)
    assert np.allclose(found.x, x, rtol=1e-10)
    assert np.allclose(found.covariance, covariance, rtol=1e-10)


def test_a_curve_with_correlated_errors_is_that_of_scipy() -> None:
    found = mq.fit(decay, T, Y, start=START, sigma=C)
    popt, pcov = scipy.optimize.curve_fit(decay, T, Y, [2, 1, 0], sigma=C, absolute_sigma=True, ftol=1e-14)
    assert np.allclose(found.x, popt, rtol=1e-6)
    assert np.allclose(found.covariance, pcov, rtol=1e-4)


def test_chi_square_is_that_of_the_covariance() -> None:
    found = mq.fit(decay, T, Y, start=START, sigma=C)
    r = found.predict() - Y
    assert found.chi2 == pytest.approx(r @ np.linalg.solve(C, r), rel=1e-10)
    assert found.chi2 == pytest.approx(found.residuals @ found.residuals, rel=1e-12)


def test_residuals_are_whitened_and_say_so() -> None:
    found = mq.fit(decay, T, Y, start=START, sigma=C)
    assert np.allclose(np.linalg.cholesky(C) @ found.residuals, found.predict() - Y, atol=1e-12)
    assert "errors correlated by a covariance matrix" in str(found)


def test_the_likelihood_is_that_of_the_multivariate_normal() -> None:
    from scipy.stats import multivariate_normal

    found = mq.fit(decay, T, Y, start=START, sigma=C)
    exact = multivariate_normal(found.predict(), C).logpdf(Y)
    assert found.goodness.log_likelihood == pytest.approx(exact, rel=1e-10)
    assert found.aic == pytest.approx(-2 * exact + 2 * 3, rel=1e-10)


def test_r_squared_compares_with_the_mean_of_generalized_least_squares() -> None:
    found = mq.fit("y ~ a + b*t", data={"t": T, "y": Y}, sigma=C)
    constant = mq.fit("y ~ a + 0*t", data={"t": T, "y": Y}, sigma=C)
    assert found.r_squared == pytest.approx(1.0 - found.rss / constant.rss, rel=1e-10)


def test_derivatives_stay_exact() -> None:
    found = mq.fit(decay, T, Y, start=START, sigma=C)
    problem, x, h = found._outcome.problem, found.x, 1e-6
    assert found.derivative == "exact (traced)"
    step = np.eye(3) * h
    J = np.column_stack([(problem.residuals(x + d) - problem.residuals(x - d)) / (2 * h) for d in step])
    assert np.allclose(problem.jacobian(x), J, rtol=1e-6, atol=1e-7)
    v = np.array([0.3, -0.2, 0.1])
    second = (problem.jacobian(x + h * v) - problem.jacobian(x - h * v)) @ v / (2 * h)
    assert np.allclose(problem._curvature_along(x, v), second, rtol=1e-6, atol=1e-7)
    f = problem.residuals(x)
    S = np.column_stack([(problem.jacobian(x + d) - problem.jacobian(x - d)).T @ f / (2 * h) for d in step])
    assert np.allclose(problem.residual_hessian(x, f), S, rtol=1e-5, atol=1e-6)


def test_a_function_that_is_called_back_ends_at_the_same_place() -> None:
    def hidden(t: Any, a: float, b: float, c: float) -> Any:
        return np.array([a * float(np.exp(-b * s)).__float__() + c for s in t.tolist()]) + 0.0 * hash(b)

    found = mq.fit(hidden, T, Y, start=START, sigma=C)
    assert np.allclose(found.x, mq.fit(decay, T, Y, start=START, sigma=C).x, rtol=1e-6)


def test_a_start_is_found_without_correlations_first() -> None:
    found = mq.fit(decay, T, Y, sigma=C)
    assert np.allclose(found.x, mq.fit(decay, T, Y, start=START, sigma=C).x, rtol=1e-7)
    assert found.multistart is not None and found.nfev > found.multistart.starts


def test_a_diagonal_covariance_is_a_vector_of_sigma() -> None:
    found = mq.fit(decay, T, Y, start=START, sigma=np.diag(np.diag(C)))
    assert np.array_equal(found.x, mq.fit(decay, T, Y, start=START, sigma=np.sqrt(np.diag(C))).x)
    assert not found.correlated


def test_rows_that_are_dropped_leave_the_matrix_too() -> None:
    y = Y.copy()
    y[[4, 9]] = np.nan
    keep = np.isfinite(y)
    found = mq.fit(decay, T, y, start=START, sigma=C, missing="drop")
    rest = mq.fit(decay, T[keep], y[keep], start=START, sigma=C[np.ix_(keep, keep)])
    assert found.dropped == 2 and np.array_equal(found.x, rest.x)


def test_missing_entries_of_a_response_with_its_own_shape_leave_the_matrix_too() -> None:
    def both(t: Any, a: float, b: float) -> Any:
        return np.stack([a * np.exp(-b * t), a * (1.0 - np.exp(-b * t))])

    t = T[:10]
    A = RNG.standard_normal((20, 20))
    covariance = 0.01 * np.eye(20) + 0.001 * A @ A.T
    y = both(t, 3.0, 0.5) + 0.1 * RNG.standard_normal((2, 10))
    y[1, 3] = np.nan
    found = mq.fit(both, t, y, start=[2, 1], sigma=covariance, missing="drop")
    keep = np.isfinite(y.ravel())
    r = (both(t, *found.x) - y).ravel()[keep]
    assert found.n_points == 19
    assert found.chi2 == pytest.approx(r @ np.linalg.solve(covariance[np.ix_(keep, keep)], r), rel=1e-9)
    assert found.goodness.log_likelihood == pytest.approx(
        -0.5 * (19 * np.log(2 * np.pi) + np.linalg.slogdet(covariance[np.ix_(keep, keep)])[1] + found.chi2)
    )


def test_a_covariance_for_each_point_of_two_outputs() -> None:
    def both(t: Any, a: float, b: float) -> Any:
        return np.stack([a * np.exp(-b * t), a * (1.0 - np.exp(-b * t))])

    each = np.array([[0.01, 0.008], [0.008, 0.02]]) * np.linspace(1.0, 2.0, N)[:, None, None]
    noise = np.einsum("nab,nb->an", np.linalg.cholesky(each), RNG.standard_normal((N, 2)))
    y = both(T, 3.0, 0.5) + noise
    whole = np.zeros((2 * N, 2 * N))
    for i in range(N):
        whole[np.ix_([i, N + i], [i, N + i])] = each[i]
    found = mq.fit(both, T, y, start=[2, 1], sigma=each)
    same = mq.fit(both, T, y, start=[2, 1], sigma=whole)
    assert np.allclose(found.x, same.x, rtol=1e-10)
    assert found.chi2 == pytest.approx(same.chi2, rel=1e-10)
    assert found.aic == pytest.approx(same.aic, rel=1e-10)


def test_bounds_priors_and_losses_hold_with_correlated_errors() -> None:
    bounded = mq.fit(decay, T, Y, start=START, sigma=C, bounds={"b": (0.9, None)})
    assert bounded.params["b"].value == 0.9 and bounded.params["b"].at_bound
    tight = mq.fit(decay, T, Y, start=START, sigma=C, prior={"b": (0.9, 1e-4)})
    assert tight.params["b"].value == pytest.approx(0.9, abs=1e-3)
    robust = mq.fit(decay, T, Y, start=START, sigma=C, loss="huber")
    assert robust.success and robust.loss.scale == pytest.approx(1.345)


def test_a_matrix_that_is_not_symmetric_names_the_entry() -> None:
    bad = C.copy()
    bad[3, 5] *= 2.0
    with pytest.raises(DataError, match=r"in row 3, column 5, and .* across the diagonal"):
        mq.fit(decay, T, Y, start=START, sigma=bad)


def test_an_entry_missing_on_one_side_of_the_diagonal_is_named() -> None:
    bad = C.copy()
    bad[3, 5] = np.nan
    with pytest.raises(DataError, match="it is nan in row 3, column 5"):
        mq.fit(decay, T, Y, start=START, sigma=bad)


def test_a_variance_that_is_not_positive_names_its_row() -> None:
    bad = C.copy()
    bad[3, 3] = 0.0
    with pytest.raises(DataError, match="the variance in sigma is 0 in row 3"):
        mq.fit(decay, T, Y, start=START, sigma=bad)


def test_a_row_that_is_a_combination_of_others_is_named() -> None:
    bad = C.copy()
    bad[7], bad[:, 7] = bad[2], bad[:, 2]
    bad[7, 7] = bad[2, 2]
    with pytest.raises(DataError, match=r"not positive definite in row 7 .rows before it determine it"):
        mq.fit(decay, T, Y, start=START, sigma=bad)


def test_a_point_whose_own_matrix_is_none_is_named() -> None:
    each = np.tile(np.eye(2), (N, 1, 1))
    each[6] = [[1.0, 2.0], [2.0, 1.0]]
    with pytest.raises(DataError, match=r"not positive definite in row 6 .its own matrix is none"):
        mq.fit(lambda t, a: np.stack([a * t, a + t]), T, np.stack([T, T]), start=[1], sigma=each)


def test_an_entry_that_is_not_finite_names_its_row() -> None:
    bad = C.copy()
    bad[3, 5] = bad[5, 3] = np.nan
    with pytest.raises(DataError, match="sigma is not finite in row 3"):
        mq.fit(decay, T, Y, start=START, sigma=bad)


def test_rows_are_named_as_given_after_others_were_dropped() -> None:
    bad, y = C.copy(), Y.copy()
    bad[7], bad[:, 7] = bad[2], bad[:, 2]
    bad[7, 7] = bad[2, 2]
    y[4] = np.nan
    with pytest.raises(DataError, match=r"not positive definite in row 7 "):
        mq.fit(decay, T, y, start=START, sigma=bad, missing="drop")


def test_white_and_transposed_are_adjoint_and_magnitude_is_the_size_of_the_terms() -> None:
    W = whitening_of(C, Y, None, None)
    f, g = RNG.standard_normal((2, N))
    assert g @ W.white(f) == pytest.approx(W.transposed(g) @ f, rel=1e-12)
    inverse = np.linalg.inv(np.linalg.cholesky(C))
    size = np.sqrt(inverse**2 @ f**2)
    assert np.all(W.magnitude(f) > 0.3 * size) and np.all(W.magnitude(f) < 4.0 * size)


def test_prediction_bands_add_the_variance_of_one_observation() -> None:
    found = mq.fit(decay, T, Y, start=START, sigma=C)
    curve, new = found.band(T), found.band(T, prediction=True)
    width = ((new.upper - new.lower) ** 2 - (curve.upper - curve.lower) ** 2) / (2 * 1.959964) ** 2
    assert np.allclose(width, 1.0 / np.mean(1.0 / np.diag(C)), rtol=1e-6)
