"""Cases that fail silently elsewhere: here they end right, or say what is wrong."""

import numpy as np
import pytest

from marquardt.errors import Status

from .jets import Exact
from .support import in_core, in_numpy

T = np.linspace(0, 4, 20)
NOISY = 5 * np.exp(-1.3 * T) + 1 + 0.05 * np.sin(17 * T)
core = pytest.mark.parametrize("code", [in_core])  # the reference does not look around where it ends
both = pytest.mark.parametrize("code", [in_core, in_numpy])


def decay(b):
    return b[0] * np.exp(-b[1] * T) + b[2] - NOISY


class Beside(Exact):
    """A problem with one constant residual appended."""

    def __init__(self, function, constant):
        super().__init__(function)
        self.constant = constant

    def residuals(self, x):
        return np.append(super().residuals(x), self.constant)

    def jacobian(self, x):
        return np.vstack([super().jacobian(x), np.zeros(x.size)])

    def f_vv(self, x, v):
        return np.append(super().f_vv(x, v), 0.0)

    def hessian(self, x, f):
        return super().hessian(x, f[:-1])


@both
@pytest.mark.parametrize("constant", [1e4, 1e8, 1e12])
def test_a_constant_residual_does_not_move_the_parameters(code, constant):
    alone, beside = code(Exact(decay), [1, 1, 0]), code(Beside(decay, constant), [1, 1, 0])
    np.testing.assert_allclose(beside.x, alone.x, rtol=1e-13)
    assert alone.nfev == beside.nfev and beside.status is Status.CONVERGED


@both
@pytest.mark.parametrize("k", [-60, 60])
def test_the_unit_of_a_parameter_does_not_matter(code, k):
    unit = 2.0**k
    plain = code(Exact(decay), [1, 1, 0.5])
    scaled = code(Exact(lambda b: decay([b[0] * unit, b[1], b[2]])), [1 / unit, 1, 0.5])
    np.testing.assert_allclose(scaled.x * [unit, 1, 1], plain.x, rtol=1e-13)
    assert scaled.nfev == plain.nfev and scaled.status is Status.CONVERGED


@both
@pytest.mark.parametrize("factor", [1e-100, 1e100, 1e140])
def test_tiny_and_huge_residuals_are_fitted(code, factor):
    plain = code(Exact(decay), [1, 1, 0.5])
    scaled = code(Exact(lambda b: factor * decay(b)), [1, 1, 0.5])
    np.testing.assert_allclose(scaled.x, plain.x, rtol=1e-10)
    assert scaled.status is Status.CONVERGED


@both
def test_fewer_residuals_than_parameters_is_fitted_and_called_not_unique(code):
    end = code(Exact(lambda b: b[0] * np.exp(-b[1] * T[:2]) + b[2] - NOISY[:2]), [4, 1, 1])
    assert end.rss < 1e-20 and end.rank == 2
    assert end.status is Status.NOT_UNIQUE


@both
def test_as_many_residuals_as_parameters_is_solved(code):
    rows = T[[1, 5, 12]]
    end = code(Exact(lambda b: b[0] * np.exp(-b[1] * rows) + b[2] - NOISY[[1, 5, 12]]), [4, 1, 1])
    assert end.rss < 1e-20 and end.rank == 3 and end.status is Status.CONVERGED


@both
def test_one_residual_of_one_parameter_is_solved(code):
    end = code(Exact(lambda b: b[0] ** 2 - np.array([2.0])), [1.0])
    assert abs(end.x[0] - np.sqrt(2)) < 1e-15 and end.status is Status.CONVERGED


@both
@pytest.mark.parametrize("start", [np.nextafter(4.0, 5), 50.0])
def test_a_logarithm_at_the_edge_of_its_domain_is_fitted(code, start):
    x = np.linspace(0, 4, 30)
    y = np.log(6.5 - x) + 0.01 * np.sin(20 * x)
    end = code(Exact(lambda b: np.log(b[0] - x) - y), [start])
    assert end.status is Status.CONVERGED and abs(end.x[0] - 6.5) < 0.1


@both
def test_roots_of_negative_numbers_on_the_way_are_rejected_steps(code):
    x = np.linspace(0.1, 4, 30)
    y = 2 * np.sqrt(0.05 + x) + 0.001 * np.sin(20 * x)
    end = code(Exact(lambda b: b[0] * np.sqrt(b[1] + x) - y), [0.1, 30.0])
    assert end.status is Status.CONVERGED and end.rss < 1e-4


@core
def test_a_stationary_maximum_is_not_called_converged(code):
    end = code(Exact(lambda b: b[0] ** 2 - np.array([1.0])), [0.0])
    assert not end.status.success or np.isclose(abs(end.x[0]), 1.0)


@core
def test_a_model_that_is_a_staircase_is_not_called_converged(code):
    class Staircase(Exact):
        def residuals(self, x):
            return np.floor(10 * x[0] * T) - np.floor(20 * T)

        def jacobian(self, x):
            return np.zeros((T.size, 1))

        def f_vv(self, x, v):
            return np.zeros(T.size)

        def hessian(self, x, f):
            return np.zeros((1, 1))

    end = code(Staircase(None), [1.5])
    assert end.rank == 0 and not end.status.success


@both
def test_two_parameters_seen_only_as_a_product_are_called_not_unique(code):
    end = code(Exact(lambda b: b[0] * b[1] * T - 6 * T - 0.01 * np.sin(9 * T)), [1.0, 2.0])
    assert abs(end.x[0] * end.x[1] - 6) < 0.1
    assert end.rank == 1 and end.status is Status.NOT_UNIQUE


@both
@pytest.mark.parametrize("k", [0.5, -2.0, -3.0, -10.0])
def test_dennis_schnabel_converges_where_gauss_newton_diverges(code, k):
    def function(b):
        x = b[0]
        return np.array([1.0, 0.0]) * (x + 1) + np.array([0.0, 1.0]) * (k * x**2 + x - 1)

    end = code(Exact(function), [0.3])
    assert abs(end.x[0]) < 1e-7 and abs(end.rss - 2) < 1e-12
    assert end.status is Status.CONVERGED


@both
@pytest.mark.parametrize("start", [[0.0, 1.0], [0.0, 0.0]])
def test_a_start_with_columns_of_zeros_ends_with_a_truth(code, start):
    end = code(Exact(lambda b: b[0] * np.exp(-b[1] * T) - 3 * np.exp(-0.7 * T) - 0.01 * np.sin(9 * T)), start)
    assert end.status is Status.CONVERGED
    np.testing.assert_allclose(end.x, [3, 0.7], atol=0.05)


@both
def test_an_exact_solution_at_the_start_is_returned_at_once(code):
    end = code(Exact(lambda b: b[0] * T - 2 * T), [2.0])
    assert end.status is Status.CONVERGED and (end.nfev, end.njev) == (1, 1)


@both
def test_equal_bounds_hold_a_parameter(code):
    end = code(Exact(decay), [1, 1, 0.5], np.array([-np.inf, 1.0, -np.inf]), np.array([np.inf, 1.0, np.inf]))
    assert end.x[1] == 1.0 and end.status is Status.CONVERGED_AT_BOUND


@both
def test_a_minimum_exactly_on_a_bound_is_found(code):
    free = code(Exact(decay), [1, 1, 0.5])
    end = code(Exact(decay), [1, 1, 0.5], -np.inf, np.array([np.inf, free.x[1], np.inf]))
    np.testing.assert_allclose(end.x, free.x, rtol=1e-8)
    assert end.status.success
