"""`leastsq` of the SciPy layer, held to SciPy's documentation."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import scipy.optimize

from marquardt.compat.scipy import leastsq

from .models import Counted, X, Y, decay, decay_jacobian, opaque


def residuals(p: Any, x: Any, y: Any) -> Any:
    return decay(x, *p) - y


def called(p: Any, x: Any, y: Any) -> Any:
    return opaque(x, *p) - y


def jacobian(p: Any, x: Any, y: Any) -> Any:
    return decay_jacobian(x, *p)


@pytest.mark.parametrize("func", [residuals, called])
@pytest.mark.parametrize("Dfun", [None, jacobian])
def test_solution_covariance_and_code_are_scipys(func: Any, Dfun: Any) -> None:
    x, cov, info, message, ier = leastsq(func, [1.0, 1.0], args=(X, Y), Dfun=Dfun, full_output=True)
    best, cov_best, *_ = scipy.optimize.leastsq(residuals, [1.0, 1.0], args=(X, Y), full_output=True)
    assert np.allclose(x, best, rtol=1e-5) and np.allclose(cov, cov_best, rtol=1e-4)
    assert ier in (1, 2, 3, 4) and isinstance(message, str)
    assert np.allclose(info["fvec"], residuals(x, X, Y)) and info["nfev"] >= 3


def test_short_output_is_the_solution_and_the_code() -> None:
    x, ier = leastsq(residuals, [1.0, 1.0], args=(X, Y))
    assert x.shape == (2,) and ier in (1, 2, 3, 4)


def test_the_solution_is_flat_whatever_the_shape_of_the_start() -> None:
    assert leastsq(lambda x: 2 * (x - 3) ** 2 + 1, 0)[0].shape == (1,)
    assert leastsq(residuals, [[1.0, 1.0]], args=(X, Y))[0].shape == (2,)


def test_the_factors_are_those_of_the_jacobian() -> None:
    x, _, info, _, _ = leastsq(residuals, [1.0, 1.0], args=(X, Y), full_output=True)
    first = scipy.optimize.leastsq(residuals, [1.0, 1.0], args=(X, Y), full_output=True)[2]["ipvt"].min()
    R = np.triu(info["fjac"].T[:2, :])
    J = decay_jacobian(X, *x)[:, info["ipvt"] - first]
    assert info["fjac"].shape == (2, X.size)
    assert np.allclose(R.T @ R, J.T @ J) and np.allclose(R.T @ info["qtf"], J.T @ info["fvec"], atol=1e-9)
    assert abs(R[0, 0]) >= abs(R[1, 1])


def test_derivatives_down_the_columns() -> None:
    def transposed(p: Any, x: Any, y: Any) -> Any:
        return decay_jacobian(x, *p).T

    straight = leastsq(residuals, [1.0, 1.0], args=(X, Y), Dfun=jacobian)[0]
    assert np.array_equal(leastsq(residuals, [1.0, 1.0], (X, Y), transposed, col_deriv=True)[0], straight)


def test_a_singular_jacobian_has_no_covariance() -> None:
    *_, ier = found = leastsq(lambda p: p[0] * X - Y, [1.0, 1.0], full_output=True)
    assert found[1] is None and ier in (1, 2, 3, 4)


def test_too_few_calls_are_warned_of_and_coded() -> None:
    with pytest.warns(RuntimeWarning, match="Number of calls"):
        assert leastsq(called, [1.0, 1.0], args=(X, Y), maxfev=4)[1] == 5
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = leastsq(called, [1.0, 1.0], args=(X, Y), maxfev=4, full_output=True)
    assert found[1] is None and found[4] == 5 and found[2]["nfev"] >= 4


def test_calls_for_differences_are_counted() -> None:
    counted = Counted(lambda p: decay(X, *p) - Y)
    info = leastsq(counted, [1.0, 1.0], full_output=True)[2]
    assert counted.calls - 2 <= info["nfev"] <= counted.calls


def test_epsfcn_is_the_square_of_the_relative_step() -> None:
    seen = []

    def fun(x: Any) -> Any:
        seen.append(float(repr(float(x[0]))))
        return np.array([seen[-1] ** 2 - 2.0])

    leastsq(fun, 1.0, epsfcn=0.0625, maxfev=1, full_output=True)
    assert 1.25 in seen


def test_shapes_that_do_not_fit_are_type_errors() -> None:
    with pytest.raises(TypeError, match="Improper input: func input vector length N=2"):
        leastsq(lambda x: 2 * (x[0] - 3) ** 2 + 1, [0, 1])
    with pytest.raises(TypeError, match="mismatch"):
        leastsq(residuals, [1.0, 1.0], (X, Y), lambda p, x, y: np.ones((3, 3)))


def test_errors_of_the_functions_reach_the_caller() -> None:
    def broken(*args: Any) -> Any:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        leastsq(broken, [1.0])
    with pytest.raises(KeyError, match="mine"):
        leastsq(lambda x: x - 1.0, [3.0], Dfun=broken)
