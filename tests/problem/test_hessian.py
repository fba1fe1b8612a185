"""The part of the Hessian that holds second derivatives of residuals, sum of f_i H_i, is exact."""

import numpy as np
import pytest

from marquardt.problem.model import Model
from marquardt.solve.minimize import minimize


def separate_rows(x):
    """Residuals of different form: one row of several outputs."""
    return np.array([
        x[0] * np.exp(-x[1]) - 1, x[0] * x[1] ** 2 * x[2] - 2, np.sin(x[2]) + x[0],
        x[1] - x[2] ** 3, x[0] + x[1],
    ])  # fmt: skip


def rows_of_one_form(x):
    t = np.linspace(0.1, 3, 12)
    return x[0] * np.exp(-x[1] * t) + x[2] * t


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("function", [separate_rows, rows_of_one_form])
def test_the_residual_hessian_equals_differences_of_the_gradient(function, weighted):
    x0 = np.array([1.0, 0.7, 0.4])
    y = 0.3 * np.cos(np.arange(function(x0).size))
    w = np.linspace(0.5, 2, y.size) if weighted else None
    problem = Model(function, {"x": (3,)}, {}).problem((), y, w, x0, range(3))
    end = minimize(problem, x0)
    expected = np.empty((3, 3))
    for j, h in enumerate(1e-5 * np.eye(3)):
        expected[:, j] = (problem.jacobian(end.x + h) - problem.jacobian(end.x - h)).T @ end.f / 2e-5
    np.testing.assert_allclose(end.hessian, expected, atol=1e-8 * np.abs(expected).max())
    problem.model.in_core = False
    np.testing.assert_allclose(problem.residual_hessian(end.x, end.f), end.hessian, rtol=1e-10, atol=1e-13)


def test_ten_residuals_of_ten_parameters_have_an_exact_hessian():
    def chain(x):
        return (3 - 2 * x) * x - np.concatenate([np.zeros(1), x[:-1]]) + 1

    x0 = np.full(10, -1.0)
    problem = Model(chain, {"x": (10,)}, {}).problem((), None, None, x0, range(10))
    assert minimize(problem, x0).hessian is not None
