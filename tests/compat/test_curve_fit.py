"""`curve_fit` of the SciPy layer, held to SciPy's documentation."""

from __future__ import annotations

import functools
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.optimize
from scipy.optimize import Bounds, OptimizeWarning

from marquardt.compat.scipy import curve_fit

from .models import X, Y, decay, decay_jacobian, opaque

METHODS = (None, "lm", "trf", "dogbox")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("model", [decay, opaque])
@pytest.mark.parametrize("absolute", [False, True])
@pytest.mark.parametrize("sigma", [None, 0.2, "vector", "matrix"])
def test_estimates_and_covariance_are_scipys(method: Any, model: Any, absolute: bool, sigma: Any) -> None:
    errors = {"vector": 0.1 + 0.02 * X, "matrix": 0.01 * 0.5 ** np.abs(X[:, None] - X)}
    given = errors[sigma] if isinstance(sigma, str) else sigma
    ours = curve_fit(model, X, Y, method=method, sigma=given, absolute_sigma=absolute)
    theirs = scipy.optimize.curve_fit(decay, X, Y, method="lm", sigma=given, absolute_sigma=absolute)
    assert np.allclose(ours[0], theirs[0], rtol=1e-5)
    assert np.allclose(ours[1], theirs[1], rtol=1e-3)


@pytest.mark.parametrize("method", METHODS)
def test_full_output_has_what_is_documented_for_the_method(method: Any) -> None:
    popt, _, info, message, ier = curve_fit(decay, X, Y, method=method, full_output=True)
    assert np.allclose(info["fvec"], decay(X, *popt) - Y) and info["nfev"] >= 1
    assert ({"fjac", "ipvt", "qtf"} <= set(info)) == (method in (None, "lm"))
    assert isinstance(message, str) and ier in (1, 2, 3, 4)


def test_fvec_is_in_units_of_sigma() -> None:
    popt, _, info, _, _ = curve_fit(decay, X, Y, sigma=0.1 + X, full_output=True)
    assert np.allclose(info["fvec"], (decay(X, *popt) - Y) / (0.1 + X))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("sigma", [None, 0.1 + X, np.diag(0.1 + X)], ids=["plain", "vector", "matrix"])
def test_a_jacobian_of_the_model_is_scaled_by_sigma(method: Any, sigma: Any) -> None:
    with_it = curve_fit(decay, X, Y, method=method, jac=decay_jacobian, sigma=sigma)
    without = curve_fit(decay, X, Y, method=method, sigma=sigma)
    assert np.allclose(with_it[0], without[0], rtol=1e-5)
    assert np.allclose(with_it[1], without[1], rtol=1e-4)


@pytest.mark.parametrize("scheme", ["2-point", "3-point", "cs"])
def test_schemes_of_differences_are_taken(scheme: str) -> None:
    popt, _ = curve_fit(opaque if scheme != "cs" else decay, X, Y, method="trf", jac=scheme)
    assert np.allclose(popt, curve_fit(decay, X, Y)[0], rtol=1e-6)


@pytest.mark.parametrize("method", [None, "trf", "dogbox"])
@pytest.mark.parametrize("kind", [tuple, lambda b: Bounds(*b)], ids=["pair", "Bounds"])
def test_bounds_bind(method: Any, kind: Any) -> None:
    popt, pcov = curve_fit(decay, X, Y, bounds=kind(([1.0, 0.0], [2.0, 3.0])), method=method)
    assert popt[0] == 2.0 and 0.0 < popt[1] < 3.0 and np.isfinite(pcov).all()


def test_without_a_start_all_parameters_start_at_one_or_inside_their_bounds() -> None:
    seen = []

    def model(x: Any, a: Any, b: Any, c: Any, d: Any) -> Any:
        seen.append([float(repr(float(v))) for v in (a, b, c, d)])
        return seen[-1][0] + seen[-1][1] * x + seen[-1][2] * x**2 + seen[-1][3] * x**3

    bounds = ([-np.inf, 2.0, -np.inf, 1.0], [np.inf, np.inf, 5.0, 2.0])
    curve_fit(model, X, Y, bounds=bounds)
    assert [1.0, 3.0, 4.0, 1.5] in seen
    with pytest.raises(ValueError, match="number of fit parameters"):
        curve_fit(lambda x, *p: x, X, Y)
    with pytest.raises(ValueError, match="number of fit parameters"):
        curve_fit(lambda x: x, X, Y)


class Model:
    def method(self, x: Any, a: Any, b: Any) -> Any:
        return a * np.exp(-b * x)

    __call__ = method


def with_options(x: Any, a: Any, b: Any, power: float = 1.0, *, shift: float = 0.0) -> Any:
    return a * np.exp(-b * x**power) + shift


@pytest.mark.parametrize(
    "model",
    [
        Model().method,
        Model(),
        lambda x, *p: p[0] * np.exp(-p[1] * x),
        with_options,
        functools.partial(with_options, shift=0.0),
        lambda x, a, *p: a * np.exp(-p[0] * x),
        np.vectorize(lambda x, a, b: a * np.exp(-b * x)),
    ],
    ids=["method", "object", "star", "options", "partial", "mixed", "vectorize"],
)
def test_any_kind_of_function_is_a_model(model: Any) -> None:
    popt, _ = curve_fit(model, X, Y, p0=[1.0, 1.0])
    assert np.allclose(popt, curve_fit(decay, X, Y)[0], rtol=1e-6)


def test_a_parameter_with_a_default_is_fitted_where_no_start_says_how_many_there_are() -> None:
    assert curve_fit(with_options, X, Y)[0].shape == (3,)
    assert curve_fit(with_options, X, Y, p0=[1.0, 1.0])[0].shape == (2,)


@pytest.mark.parametrize("kind", [list, tuple, np.asarray, pd.Series, lambda v: v.astype(np.float32)])
def test_any_kind_of_sequence_is_data(kind: Any) -> None:
    popt, _ = curve_fit(decay, kind(X), kind(Y))
    assert np.allclose(popt, curve_fit(decay, X, Y)[0], rtol=1e-5)


def test_x_may_be_several_rows_a_table_or_nothing() -> None:
    def two(x: Any, a: Any, b: Any) -> Any:
        return a * x[0] + b * x[1]

    def named(x: Any, a: Any, b: Any) -> Any:
        return a * x["u"].values + b * x["v"].values

    u, v = X, np.sin(X)
    y = 2.0 * u - 3.0 * v
    assert np.allclose(curve_fit(two, np.stack([u, v]), y)[0], [2.0, -3.0])
    assert np.allclose(curve_fit(named, pd.DataFrame({"u": u, "v": v}), y)[0], [2.0, -3.0])
    assert np.allclose(curve_fit(lambda _, a: a * np.arange(10), None, 2.0 * np.arange(10))[0], 2.0)


def test_one_value_of_y_is_compared_with_all_of_the_model() -> None:
    def difference(x: Any, a: Any, b: Any) -> Any:
        return decay(x, a, b) - Y

    one, all_ = curve_fit(difference, X, 0.0), curve_fit(difference, X, np.zeros_like(X))
    assert np.allclose(one[0], all_[0]) and np.allclose(one[1], all_[1])


def test_missing_values_are_refused_or_omitted() -> None:
    x, y = X.copy(), Y.copy()
    x[2], y[5] = np.nan, np.nan
    for kind in ({}, {"check_finite": True}, {"nan_policy": "raise"}):
        with pytest.raises(ValueError, match=r"[Nn]a[Nn]"):
            curve_fit(decay, x, y, **kind)
    keep = np.isfinite(x) & np.isfinite(y)
    for sigma, kept in (
        (None, None),
        (0.1 + X, (0.1 + X)[keep]),
        (np.diag(0.1 + X), np.diag((0.1 + X)[keep])),
    ):
        omitted = curve_fit(decay, x, y, sigma=sigma, nan_policy="omit")
        without = curve_fit(decay, x[keep], y[keep], sigma=kept)
        assert np.array_equal(omitted[0], without[0]) and np.array_equal(omitted[1], without[1])


def test_too_few_points_for_a_variance_are_warned_of() -> None:
    with pytest.warns(OptimizeWarning, match="Covariance"):
        popt, pcov = curve_fit(decay, X[:2], Y[:2])
    assert np.isinf(pcov).all() and np.isfinite(popt).all()


def test_a_parameter_without_effect_has_infinite_variance_with_lm_and_a_pseudo_inverse_with_trf() -> None:
    with pytest.warns(OptimizeWarning, match="Covariance"):
        pcov = curve_fit(lambda x, a, b: a * x, X, Y)[1]
    assert np.isinf(pcov).all()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pcov = curve_fit(lambda x, a, b: a * x, X, Y, method="trf")[1]
    assert pcov[1, 1] == 0.0 and pcov[0, 0] > 0.0


def test_a_sound_fit_warns_of_nothing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for model in (decay, opaque):
            curve_fit(model, X, Y)


def test_a_runaway_is_warned_of_by_name() -> None:
    with pytest.warns(OptimizeWarning, match=r"not certified: '(b|c)' runs away|not certified: .*'b'"):
        curve_fit(lambda x, b: 1.0 / (1.0 + np.exp(-b)) + 0.0 * x, X, np.zeros_like(X))


@pytest.mark.parametrize(("method", "name"), [("lm", "maxfev"), ("trf", "maxfev"), ("trf", "max_nfev")])
def test_too_few_evaluations_are_a_runtime_error(method: str, name: str) -> None:
    with pytest.raises(RuntimeError, match="Optimal parameters not found"):
        curve_fit(opaque, X, Y, p0=[50.0, 9.0], method=method, **{name: 3})


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"method": "newton"}, ValueError, "`method`"),
        ({"jac": "4-point"}, ValueError, "`jac`"),
        ({"bounds": (0.0, 3.0), "method": "lm"}, ValueError, "unconstrained"),
        ({"bounds": (2.0, 3.0), "p0": [1.0, 1.0]}, ValueError, "Initial guess is outside of provided bounds"),
        ({"sigma": np.ones(3)}, ValueError, "`sigma` has incorrect shape"),
        ({"sigma": -np.eye(12)}, ValueError, "positive definite"),
        ({"args": (1,)}, ValueError, "'args'"),
        ({"p0": [1.0, 1.0, 1.0]}, TypeError, "takes 2 parameters"),
        ({"nan_policy": "propagate"}, ValueError, "propagate"),
        ({"nan_policy": "hide"}, ValueError, "nan_policy must be one of"),
        ({"maxiter": 3}, TypeError, "'maxiter'"),
        ({"max_nfev": 3, "method": "lm"}, TypeError, "'max_nfev'"),
        ({"loss": "hinge", "method": "trf"}, ValueError, "`loss`"),
    ],
)
def test_what_cannot_be_is_refused(given: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        curve_fit(decay, X, Y, **given)


def test_more_parameters_than_points_are_a_type_error_with_lm() -> None:
    with pytest.raises(TypeError, match="number of func parameters=3"):
        curve_fit(lambda x, a, b, c: a + b * x + c * x**2, X[:2], Y[:2])


def test_no_data_are_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        curve_fit(decay, [], [])


@pytest.mark.parametrize("loss", ["soft_l1", "huber", "cauchy", "arctan"])
@pytest.mark.parametrize("model", [decay, opaque])
@pytest.mark.parametrize("sigma", [None, 0.5 * np.ones(X.size), 0.1 * np.eye(X.size) + 0.02])
def test_a_loss_gives_the_parameters_and_covariance_of_scipy(loss: str, model: Any, sigma: Any) -> None:
    given: dict[str, Any] = {"method": "trf", "loss": loss, "f_scale": 0.5, "sigma": sigma}
    tight = {"ftol": 1e-14, "xtol": 1e-14, "gtol": 1e-14}
    near = [2.9, 0.75]  # losses like arctan have several minima
    y = Y.copy()
    y[4] += 1.0
    popt, pcov, info, message, _ = curve_fit(model, X, y, near, full_output=True, **given, ftol=1e-11)
    theirs = scipy.optimize.curve_fit(model, X, y, near, full_output=True, **given, **tight)
    assert np.allclose(popt, theirs[0], rtol=2e-4) and np.allclose(pcov, theirs[1], rtol=5e-3)
    assert np.allclose(info["fvec"], theirs[2]["fvec"], atol=1e-3) and "scipy" not in message


def test_an_outlier_pulls_less_with_a_loss() -> None:
    y = Y.copy()
    y[4] += 5.0
    plain = curve_fit(decay, X, y, method="trf")[0]
    robust = curve_fit(decay, X, y, method="trf", loss="soft_l1", f_scale=0.05)[0]
    assert abs(robust[0] - 3.0) < 0.1 * abs(plain[0] - 3.0)


def test_a_callback_sees_the_steps() -> None:
    seen: list[Any] = []
    popt, _ = curve_fit(decay, X, Y, method="trf", callback=lambda x: seen.append(x))
    assert np.array_equal(seen[-1], popt)
    with pytest.raises(RuntimeError, match="callback"):
        curve_fit(decay, X, Y, method="trf", callback=lambda x: True)


def test_workers_evaluate_the_differences_of_a_function_that_is_called_back() -> None:
    shared: list[int] = []

    def workers(function: Any, points: Any) -> Any:
        shared.append(len(points))
        return [function(p) for p in points]

    alone, _ = curve_fit(opaque, X, Y, method="trf")
    together, _ = curve_fit(opaque, X, Y, method="trf", workers=workers)
    assert np.array_equal(alone, together) and set(shared) == {2}


def test_missing_data_and_their_errors_are_left_out_where_scipy_runs_too() -> None:
    x, y, sigma = (np.append(v, last) for v, last in ((X, 9.0), (Y, np.nan), (np.full(X.size, 0.1), 0.1)))
    given: dict[str, Any] = {"sigma": sigma, "nan_policy": "omit", "method": "trf"}
    ours, theirs = (curve_fit(decay, x, y, **given, tr_solver=solver)[0] for solver in (None, "lsmr"))
    assert np.allclose(ours, theirs, rtol=1e-6)


def test_the_start_and_the_data_are_not_changed() -> None:
    x, y, start = X.copy(), Y.copy(), np.array([1.0, 1.0])
    curve_fit(decay, x, y, p0=start)
    curve_fit(opaque, x, y, p0=start)
    assert np.array_equal(x, X) and np.array_equal(y, Y) and start.tolist() == [1.0, 1.0]
