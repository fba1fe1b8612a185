"""Robust `least_squares`: SciPy's meaning of loss and f_scale, certificate and Hessian of the robust cost."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.optimize import least_squares as scipy_least_squares

from marquardt.problem.losses import LOSSES
from marquardt.solve.least_squares import least_squares

from .data import TRUTHS, case, exponential, gaussian

SCIPY = ("huber", "soft_l1", "cauchy", "arctan")


def residuals(x: Any, t: Any, y: Any) -> Any:
    return exponential(t, *x) - y


@pytest.mark.parametrize("name", SCIPY)
def test_cost_gradient_and_residuals_mean_what_they_mean_in_scipy(name: str) -> None:
    data = case(exponential, 4)
    ours = least_squares(residuals, [5.0, 0.6, 1.0], loss=name, f_scale=0.2, args=(data.t, data.y))
    theirs = scipy_least_squares(residuals, ours.x, loss=name, f_scale=0.2, args=(data.t, data.y), max_nfev=1)
    assert ours.cost == pytest.approx(theirs.cost, rel=1e-12)
    assert np.allclose(ours.fun, theirs.fun, atol=1e-14)
    assert np.allclose(ours.grad, theirs.grad, atol=1e-5)
    inside = np.abs(ours.fun) < 0.1  # outside SciPy has no floor
    assert np.allclose(ours.jac[inside], theirs.jac[inside], rtol=1e-5)


@pytest.mark.parametrize("name", [*LOSSES, "barron(-1)"])
def test_the_hessian_of_the_certificate_is_that_of_the_cost(name: str) -> None:
    data = case(exponential, 4)
    result = least_squares(residuals, [5.0, 0.6, 1.0], loss=name, f_scale=0.3, args=(data.t, data.y))
    loss, x = result.loss, result.x
    assert loss is not None

    def gradient(p: Any) -> Any:
        f = residuals(p, data.t, data.y)
        e = np.exp(-p[1] * data.t)
        J = np.stack([e, -p[0] * data.t * e, np.ones_like(e)], axis=1)
        return J.T @ (loss.weights(f) * f)

    h = 1e-6
    H = np.array([(gradient(x + h * e) - gradient(x - h * e)) / (2.0 * h) for e in np.eye(3)])
    R = np.asarray(result._outcome.R)
    S = result.certificate.residual_hessian
    assert np.allclose(R.T @ R + S, H, rtol=1e-4, atol=1e-4 * np.abs(H).max())
    assert result.success == bool(np.linalg.eigvalsh(H)[0] > 0.0)


@pytest.mark.parametrize("name", ["huber", "tukey"])
def test_a_given_jacobian_ends_at_the_same_minimum(name: str) -> None:
    data = case(exponential, 4)

    def jacobian(x: Any, t: Any, y: Any) -> Any:
        e = np.exp(-x[1] * t)
        return np.stack([e, -x[0] * t * e, np.ones_like(e)], axis=1)

    traced, given = (
        least_squares(residuals, [4.0, 0.5, 1.5], jac=jac, loss=name, f_scale=0.3, args=(data.t, data.y))
        for jac in (None, jacobian)
    )
    assert given.success and np.allclose(given.x, traced.x, rtol=1e-6)


def test_the_scale_is_estimated_where_it_is_none() -> None:
    data = case(exponential, 4)
    result = least_squares(residuals, [4.0, 0.5, 1.5], loss="tukey", f_scale=None, args=(data.t, data.y))
    assert result.success and np.allclose(result.x, [5.0, 0.6, 1.0], rtol=0.1)
    assert "loss tukey with scale" in str(result)


def test_the_map_of_the_cost_is_that_of_the_loss() -> None:
    from marquardt.report.landscape import cost_at

    data = case(exponential, 4)
    result = least_squares(residuals, [4.0, 0.5, 1.5], loss="huber", f_scale=0.2, args=(data.t, data.y))
    assert cost_at(result._outcome.problem, result.x) == pytest.approx(result.cost, rel=1e-12)


@pytest.mark.parametrize(
    ("name", "least", "most"), [("huber", 60, 17.0), ("soft_l1", 60, 17.0), ("tukey", 56, 40.0)]
)
@pytest.mark.parametrize("model", [exponential, gaussian], ids=lambda model: model.__name__)
def test_thirty_percent_of_outliers(model: Any, name: str, least: int, most: float) -> None:
    """Sixty data sets: the minimum near the truth from a start 40 % off; Tukey counts both solves."""
    scale = LOSSES[name].tuning * 0.1
    truth = np.array(list(TRUTHS[model].values()))
    reached, evaluations = 0, []
    for seed in range(60):
        data = case(model, seed)

        def misfit(x: Any, t: Any, y: Any) -> Any:
            return model(t, *x) - y

        args = (data.t, data.y)
        best = least_squares(misfit, truth, loss=name, f_scale=scale, args=args)
        result = least_squares(misfit, list(data.start.values()), loss=name, f_scale=scale, args=args)
        reached += result.success and result.cost <= best.cost * (1.0 + 1e-6)
        evaluations.append(result.nfev)
    assert reached >= least, reached
    assert np.mean(evaluations) <= most, np.mean(evaluations)
