"""Least squares with sparse Jacobians against the dense minimizer, and at sizes that it cannot have."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_array, diags_array, eye_array, vstack

import marquardt as mq
from marquardt.errors import DataError, ModelError, OptionError, Status
from marquardt.solve.sparse.structure import Structure

Vector = NDArray[np.float64]


def chained(x: Vector) -> Vector:
    """Rosenbrock's function in a chain; zero at ones."""
    return np.concatenate([10.0 * (x[1:] - x[:-1] ** 2), 1.0 - x[:-1]])


def chained_structure(n: int) -> csr_array:
    pairs = diags_array([1.0, 1.0], offsets=[0, 1], shape=(n - 1, n))
    return csr_array(vstack([pairs, eye_array(n - 1, n)]))


def chained_jacobian(x: Vector) -> csr_array:
    n = x.size
    pairs = diags_array([-20.0 * x[:-1], np.full(n - 1, 10.0)], offsets=[0, 1], shape=(n - 1, n))
    return csr_array(vstack([pairs, -eye_array(n - 1, n)]))


def tridiagonal(x: Vector) -> Vector:
    """Broyden's tridiagonal function (Moré, Garbow & Hillstrom 1981, number 30)."""
    f = (3.0 - 2.0 * x) * x + 1.0
    f[1:] -= x[:-1]
    f[:-1] -= 2.0 * x[1:]
    return f


def tridiagonal_structure(n: int) -> csr_array:
    return csr_array(diags_array([1.0, 1.0, 1.0], offsets=[-1, 0, 1], shape=(n, n)))


def smooth(x: Vector, data: Vector) -> Vector:
    """A curve through data, bent as little as may be: residuals that stay."""
    return np.concatenate([np.exp(x) - data, 3.0 * np.diff(x, 2)])


def smooth_structure(n: int) -> csr_array:
    return csr_array(
        vstack([eye_array(n), diags_array([1.0, 1.0, 1.0], offsets=[0, 1, 2], shape=(n - 2, n))])
    )


DATA = np.exp(np.sin(np.arange(60) / 8.0)) + 0.1 * np.cos(7.0 * np.arange(60.0))


def test_columns_of_a_group_share_no_row() -> None:
    rng = np.random.default_rng(3)
    pattern = csr_array(rng.uniform(size=(80, 50)) < 0.06)
    groups = Structure.of(pattern).groups
    for row in range(80):
        mine = groups[pattern.indices[pattern.indptr[row] : pattern.indptr[row + 1]]]
        assert np.unique(mine).size == mine.size
    assert Structure.of(tridiagonal_structure(1000)).groups.max() == 2


def test_ten_thousand_parameters_take_six_evaluations_for_a_jacobian() -> None:
    n, calls = 10_000, []

    def fun(x: Vector) -> Vector:
        calls.append(1)
        return tridiagonal(x)

    result = mq.least_squares(fun, np.full(n, -1.0), jac_sparsity=tridiagonal_structure(n))
    assert result.success and result.cost < 1e-20 and np.abs(result.fun).max() < 1e-9
    assert len(calls) == result.nfev + 6 * result.njev and result.njev < 10
    assert result.solver["solver"] == "sparse" and result.jac.nnz == 3 * n - 2


@pytest.mark.parametrize("way", ["structure", "jacobian"])
def test_a_chain_of_rosenbrocks_comes_to_its_minimum(way: str) -> None:
    n = 1000
    given = {"jac": chained_jacobian} if way == "jacobian" else {"jac_sparsity": chained_structure(n)}
    result = mq.least_squares(chained, np.full(n, 0.5), **given)
    assert result.success and np.abs(result.x - 1.0).max() < 1e-7


@pytest.mark.parametrize("loss", ["linear", "huber", "cauchy"])
def test_the_end_is_that_of_the_dense_minimizer(loss: str) -> None:
    start = np.zeros(DATA.size)
    f_scale = {} if loss == "linear" else {"f_scale": 0.05}
    dense = mq.least_squares(smooth, start, args=(DATA,), loss=loss, **f_scale)
    sparse = mq.least_squares(
        smooth, start, args=(DATA,), loss=loss, jac_sparsity=smooth_structure(DATA.size), **f_scale
    )
    assert sparse.success and sparse.cost == pytest.approx(dense.cost, rel=1e-9)
    assert np.allclose(sparse.x, dense.x, atol=1e-5)
    assert sparse.offset < 1e-5 and sparse.optimality < 1e-5
    if loss == "linear":
        assert np.allclose(sparse.standard_errors, np.sqrt(np.diag(dense.covariance)), rtol=1e-5)
        assert np.allclose(sparse.jac.toarray(), dense.jac, atol=1e-6)


def test_parameters_at_their_bounds_are_held_there() -> None:
    start, box = np.zeros(DATA.size), (-0.5, 0.6)
    dense = mq.least_squares(smooth, start, args=(DATA,), bounds=box)
    sparse = mq.least_squares(
        smooth, start, args=(DATA,), bounds=box, jac_sparsity=smooth_structure(DATA.size)
    )
    assert sparse.status is Status.CONVERGED_AT_BOUND and sparse.cost == pytest.approx(dense.cost, rel=1e-9)
    assert np.array_equal(sparse.active_mask, dense.active_mask) and np.any(sparse.active_mask == 1)
    assert np.all(sparse.standard_errors[sparse.active_mask != 0] == 0.0)


def test_bounds_are_kept_by_differences_too() -> None:
    seen = []

    def fun(x: Vector) -> Vector:
        seen.append((x.min(), x.max()))
        return tridiagonal(x)

    mq.least_squares(fun, np.full(20, -1.0), jac_sparsity=tridiagonal_structure(20), bounds=(-1.0, 0.0))
    mq.least_squares(
        lambda x: fun(x)[:1], np.zeros(1), lambda x: csr_array([[3.0 - 4.0 * x[0]]]), bounds=(-1, 0)
    )
    assert min(low for low, _ in seen) >= -1.0 and max(high for _, high in seen) <= 0.0


def test_a_structure_may_change_on_the_way() -> None:
    def jacobian(x: Vector) -> csr_array:
        J = chained_jacobian(x)
        J.data[np.abs(J.data) < 5.0] *= 1.0
        J.eliminate_zeros()
        return J

    result = mq.least_squares(chained, np.zeros(30), jacobian)  # columns without numbers at the start
    assert result.success and np.abs(result.x - 1.0).max() < 1e-7


def test_a_wrong_sparse_jacobian_is_named_by_its_row() -> None:
    def wrong(x: Vector) -> csr_array:
        J = chained_jacobian(x)
        J.data[J.indptr[17]] *= -1.0
        return J

    with pytest.raises(ModelError, match="residual 17 changes by"):
        mq.least_squares(chained, np.full(40, 0.5), wrong)


def test_what_is_not_finite_at_the_start_is_named() -> None:
    with pytest.raises(DataError, match="residual 3 is inf at x0"), np.errstate(divide="ignore"):
        mq.least_squares(lambda x: 1.0 / (x - 3.0), np.arange(6.0), jac_sparsity=eye_array(6))


def test_a_structure_of_another_shape_is_refused() -> None:
    with pytest.raises(OptionError, match=r"jac_sparsity has shape \(5, 6\): 6 residuals of 6 parameters"):
        mq.least_squares(tridiagonal, np.zeros(6), jac_sparsity=np.ones((5, 6)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "dogleg"}, "there is one method"),
        ({"x_scale": 1.0}, "there is one method"),
        ({"loss": "huber", "f_scale": None}, "the noise is not estimated"),
    ],
)
def test_what_the_sparse_minimizer_lacks_is_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        mq.least_squares(tridiagonal, np.zeros(6), jac_sparsity=tridiagonal_structure(6), **arguments)


def test_a_limit_of_evaluations_and_a_callback_end_it() -> None:
    n, seen = 100, []
    result = mq.least_squares(
        chained, np.full(n, -1.0), jac_sparsity=chained_structure(n), max_nfev=20,
        callback=lambda progress: seen.append(progress.cost),
    )  # fmt: skip
    assert result.status is Status.MAX_EVALUATIONS and seen == sorted(seen, reverse=True)


def test_the_report_says_what_was_solved_and_how(capsys: pytest.CaptureFixture[str]) -> None:
    mq.least_squares(tridiagonal, np.full(50, -1.0), jac_sparsity=tridiagonal_structure(50), verbose=2)
    printed = capsys.readouterr().out
    assert "50 residuals, 50 parameters, 148 numbers in J" in printed and "3 groups of columns" in printed
