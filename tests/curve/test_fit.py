"""fit() end to end: estimates, uncertainties, and endings that tell the truth."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from marquardt.curve.fit import fit
from marquardt.errors import DataError, FormulaError, ModelError, OptionError, ParameterError, Status
from marquardt.options import Options

RNG = np.random.default_rng(7)
X = np.linspace(0.0, 4.0, 30)
Y = 2.5 * np.exp(-1.3 * X) + 0.5 + 0.05 * RNG.normal(size=30)
START = {"a": 1.0, "b": 1.0, "c": 0.0}


def decay(x: Any, a: Any, b: Any, c: Any) -> Any:
    return a * np.exp(-b * x) + c


@pytest.fixture(scope="module")
def expected() -> tuple[Any, Any]:
    from scipy.optimize import curve_fit

    return curve_fit(decay, X, Y, [2.0, 1.0, 0.5], ftol=1e-14, xtol=1e-14, gtol=1e-14)


# ---------------------------------------------------------------------------- every way in, one answer


@pytest.mark.parametrize(
    "make",
    [
        lambda: fit(decay, X, Y, start=START),
        lambda: fit(decay, X, Y, start=[1, 1, 0]),
        lambda: fit(decay, X, Y),
        lambda: fit(decay, X, Y, start={"b": 1}),
        lambda: fit(decay, X.tolist(), Y.tolist(), start=START),
        lambda: fit(decay, pd.Series(X), pd.Series(Y), start=START),
        lambda: fit(decay, np.ma.masked_array(X), Y, start=START),
        lambda: fit(decay, data={"x": X, "y": Y}, y="y", start=START),
        lambda: fit(decay, data=pd.DataFrame({"x": X, "z": Y}), y="z", start=START),
        lambda: fit(decay, data=pd.DataFrame({"t": X, "z": Y}), x="t", y="z", start=START),
        lambda: fit("y ~ a*exp(-b*x) + c", data={"x": X, "y": Y}, start=START),
        lambda: fit("y ~ a*exp(-b*x) + c", X, Y, start=START),
        lambda: fit("a*exp(-b*x) + c", X, Y),
        lambda: fit("a*exp(-b*x) + c", data={"x": X}, y=Y, start=START),
        lambda: fit(lambda a, x, b, c: decay(x, a, b, c), data={"x": X, "y": Y}, y="y", start=START),
        lambda: fit(lambda a, b, c: decay(X, a, b, c), None, Y, start=START),
        lambda: fit(decay, X, Y, start=START, bounds={"a": (0, None)}),
        lambda: fit(decay, X, Y, start=START, bounds=(-10, 10)),
        lambda: fit(decay, X, Y, start=START, weights=np.full(30, 7.0)),
    ],
)
def test_every_way_in_gives_the_same_estimates_and_errors(make: Any, expected: Any) -> None:
    result, (popt, pcov) = make(), expected
    values = [result.params[n].value for n in "abc"]
    stderr = [result.params[n].stderr for n in "abc"]
    assert result.status is Status.CONVERGED and result.success
    assert np.allclose(values, popt, rtol=1e-7)
    assert np.allclose(stderr, np.sqrt(np.diag(pcov)), rtol=1e-5)


def test_vector_parameters_and_star_parameters_fit_alike() -> None:
    vector = fit(lambda x, p: p[0] * np.exp(-p[1] * x) + p[2], X, Y, start={"p": [1, 1, 0]})
    star = fit(lambda x, *p: p[0] * np.exp(-p[1] * x) + p[2], X, Y, start=[1, 1, 0])
    assert vector.names == star.names == ("p[0]", "p[1]", "p[2]")
    assert np.allclose(vector.x, star.x, rtol=1e-9)
    assert vector.values["p"].shape == (3,)


def test_several_independent_variables_come_as_tuple_rows_or_table() -> None:
    u, v = RNG.normal(size=(2, 40))
    z = 2 * u - v + 3 + 0.1 * RNG.normal(size=40)

    def plane(u: Any, v: Any, a: Any, b: Any, c: Any) -> Any:
        return a * u + b * v + c

    def packed(uv: Any, a: Any, b: Any, c: Any) -> Any:
        return a * uv[0] + b * uv[1] + c

    results = [
        fit(plane, (u, v), z),
        fit(packed, (u, v), z),
        fit(packed, np.array([u, v]), z, start=[1, 1, 1]),
        fit(plane, np.array([u, v]), z),
        fit(plane, pd.DataFrame({"v": v, "u": u}), z),
        fit("z ~ a*u + b*v + c", data={"u": u, "v": v, "z": z}),
    ]
    for result in results[1:]:
        assert np.allclose(result.x, results[0].x, rtol=1e-9)
    assert np.allclose(results[0].predict((u, v)), results[1].predict((u, v)))


def test_complex_responses_are_fitted_in_both_parts() -> None:
    w = np.linspace(0.1, 5.0, 30)
    y = 2.0 / (1 + 0.7j * w)
    result = fit(lambda w, A, tau: A / (1 + 1j * w * tau), w, y, start=[1, 1])
    assert np.allclose(result.x, [2.0, 0.7]) and result.n_points == 60


def test_a_function_that_cannot_be_traced_is_called_back_and_the_result_says_so(expected: Any) -> None:
    def loop(x: Any, a: Any, b: Any, c: Any) -> Any:
        return np.array([float(f"{a * math.exp(-b * float(t)) + c:.17g}") for t in x])

    for start in (START, None):
        result = fit(loop, X, Y, start=start)
        assert result.derivative.startswith("finite differences: ")
        assert np.allclose(result.x, expected[0], rtol=1e-6)


# ----------------------------------------------------------------------------------------- uncertainty


def test_fixed_parameter_has_no_row_in_covariance() -> None:
    result = fit(decay, X, Y, start=START, fixed={"c": 0.5})
    assert result.covariance.shape == (2, 2) and result.free_names == ("a", "b")
    assert result.params["c"].value == 0.5 and result.params["c"].stderr == 0.0 and result.params["c"].fixed
    held = fit(decay, X, Y, start={"a": 1, "b": 1, "c": 0.5}, fixed=["c"])
    assert np.array_equal(held.x, result.x)


def test_known_sigma_is_not_rescaled() -> None:
    one, ten = (fit(decay, X, Y, start=START, sigma=s) for s in (0.05, 0.5))
    assert np.allclose(ten.stderr, 10 * one.stderr, rtol=1e-6)
    assert one.chi2 is not None and math.isclose(one.chi2, 100 * (ten.chi2 or 0), rel_tol=1e-9)
    low, high = one.params["a"].interval(0.95)
    assert math.isclose((high - low) / 2, 1.959963984540054 * one.params["a"].stderr, rel_tol=1e-9)


def test_weights_are_relative_and_chi2_needs_sigma() -> None:
    one, ten = (fit(decay, X, Y, start=START, weights=s) for s in (1.0, 10.0))
    assert np.allclose(one.stderr, ten.stderr, rtol=1e-6)
    assert one.chi2 is None


def test_weight_w_counts_a_point_w_times() -> None:
    w = np.where(np.arange(30) < 5, 3.0, 1.0)
    repeated = fit(decay, np.repeat(X, w.astype(int)), np.repeat(Y, w.astype(int)), start=START)
    assert np.allclose(fit(decay, X, Y, start=START, weights=w).x, repeated.x, rtol=1e-8)


def test_the_band_is_the_delta_method(expected: Any) -> None:
    result = fit(decay, X, Y, start=START)
    new = np.array([0.5, 2.0, 6.0])
    a, b, _ = result.x
    G = np.column_stack([np.exp(-b * new), -a * new * np.exp(-b * new), np.ones(3)])
    half = 2.0518304929706748 * np.sqrt(
        np.einsum("ij,jk,ik->i", G, expected[1], G)
    )  # t, 27 degrees of freedom
    lower, upper = result.band(new)
    assert np.allclose(upper - lower, 2 * half, rtol=1e-5)
    assert np.allclose((upper + lower) / 2, result.predict(new))
    wide = result.band(new, prediction=True)
    assert np.allclose(
        ((wide.upper - wide.lower) / 2) ** 2, half**2 + 2.0518304929706748**2 * result.reduced_chi2
    )


def test_predictions_keep_the_shape_of_x() -> None:
    result = fit(decay, X, Y, start=START)
    assert np.shape(result.predict(1.0)) == () and result.predict([1.0]).shape == (1,)
    assert np.shape(result.band(1.0).lower) == ()
    assert np.array_equal(result.predict(), result.predict(X))
    assert result.gradient_at([1.0, 2.0]).shape == (2, 3)


def test_a_model_of_one_value_is_a_weighted_mean() -> None:
    result = fit(lambda x, level: level, X, Y, weights=X)
    assert math.isclose(result.params["level"].value, np.average(Y, weights=X))
    assert result.predict(X).shape == (30,) and result.band(X).lower.shape == (30,)
    assert "level" in str(result) and len(result.plot().axes) == 2


@pytest.mark.parametrize("unit", [1e-120, 1e120])
def test_tiny_and_huge_responses_fit_alike(unit: float) -> None:
    result = fit(decay, X, unit * Y)
    plain = fit(decay, X, Y)
    assert np.allclose(result.x / [unit, 1, unit], plain.x, rtol=1e-7)
    assert np.allclose(result.stderr / [unit, 1, unit], plain.stderr, rtol=1e-6)


def test_a_parameter_at_its_bound_is_named_and_has_no_standard_error() -> None:
    result = fit(decay, X, Y, start={"a": 1, "b": 1, "c": 0.1}, bounds={"c": (None, 0.3)})
    assert result.status is Status.CONVERGED_AT_BOUND and result.success
    assert result.params["c"].value == 0.3 and result.params["c"].at_bound == 1
    assert math.isnan(result.params["c"].stderr) and math.isfinite(result.params["a"].stderr)
    assert result.certificate.active == ("c",) and "'c' at its upper bound 0.3" in result.message


def test_parameters_that_cannot_be_told_apart_are_both_named_and_infinite() -> None:
    result = fit("y ~ a1*a2*exp(-b*x) + c", data={"x": X, "y": Y}, start={"a1": 1, "a2": 1, "b": 1, "c": 0})
    assert result.status is Status.NOT_UNIQUE and not result.unique
    assert math.isinf(result.params["a1"].stderr) and math.isinf(result.params["a2"].stderr)
    assert math.isfinite(result.params["b"].stderr)
    assert "'a1' and 'a2'" in result.message and any(
        "'a1' and 'a2' cannot be told apart" in s for s in result.advice
    )
    assert np.isfinite(result.band().upper).all()


def test_a_parameter_without_effect_is_named() -> None:
    result = fit(lambda x, a, b, idle: a * np.exp(-b * x) + 0 * idle * x, X, Y, start=[1, 1, 1])
    assert not result.unique
    assert any("'idle' has no effect" in s for s in result.advice)


def test_fewer_points_than_parameters_are_allowed_but_said() -> None:
    result = fit(decay, X[:2], Y[:2], start=START)
    assert not result.unique and any("2 points cannot determine 3 parameters" in s for s in result.advice)
    assert not np.isfinite(result.stderr).any()


def test_as_many_points_as_parameters_leave_errors_undefined() -> None:
    result = fit("y ~ a*x + b", data={"x": [1.0, 2.0], "y": [1.0, 3.0]}, start={"a": 1, "b": 1})
    assert np.allclose(result.x, [2.0, -1.0]) and np.isnan(result.stderr).all()
    assert any("No degree of freedom" in s for s in result.advice)


# ------------------------------------------------------------------------------------------ the ending


def test_start_x_continues_where_a_fit_ended() -> None:
    first = fit(decay, X, Y, start=START, options=Options(max_evaluations=1, polish=False))
    again = fit(decay, X, Y, start=first.x)
    assert first.status is Status.MAX_EVALUATIONS and again.success


def test_a_callback_sees_progress_and_can_stop_the_fit() -> None:
    seen: list[float] = []

    def stop(progress: Any) -> bool:
        seen.append(progress.cost)
        return len(seen) >= 2

    result = fit(decay, X, Y, start=START, callback=stop)
    assert result.status is Status.INTERRUPTED and not result.success and len(seen) >= 2
    assert "start=fit.x" in result.advice[0]


def test_missing_rows_are_counted() -> None:
    y = Y.copy()
    y[[3, 8]] = np.nan
    result = fit(decay, X, y, start=START, missing="drop")
    assert result.dropped == 2 and result.n_points == 28 and result.residuals.shape == (28,)


def test_residuals_are_in_data_order_and_sum_to_rss() -> None:
    result = fit(decay, X[::-1].copy(), Y[::-1].copy(), start=START)
    assert np.allclose(result.residuals, decay(X[::-1], *result.x) - Y[::-1])
    assert math.isclose(result.residuals @ result.residuals, result.rss, rel_tol=1e-12)
    assert math.isclose(result.rss, 2 * result.cost)


def test_a_result_is_plain_json() -> None:
    for result in (fit(decay, X, Y, start=START), fit(decay, X[:2], Y[:2], start=START)):
        record = json.loads(json.dumps(result.to_dict(), allow_nan=False))
        assert record["parameters"]["a"]["value"] == result.params["a"].value
        assert record["status"] == result.status.name


def test_a_changed_closure_is_noticed() -> None:
    scale = 1.0

    def scaled(x: Any, a: Any, b: Any, c: Any) -> Any:
        return scale * decay(x, a, b, c)

    before = fit(scaled, X, Y, start=START)
    scale = 2.0
    after = fit(scaled, X, Y, start=START)
    assert np.isclose(after.x[0], before.x[0] / 2)


# -------------------------------------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: fit(decay, X, Y[:-1]), DataError, "'x' has 30 values, 'y' has 29"),
        (lambda: fit(decay, X, np.where(X > 3, np.nan, Y)), DataError, r"'y' .* in row 22"),
        (lambda: fit(decay, X, np.ones(30)), DataError, "'y' is constant"),
        (lambda: fit(decay, np.ones(30), Y), DataError, "'x' is constant"),
        (lambda: fit(decay, X), DataError, "y is needed"),
        (lambda: fit(decay, X, Y, sigma=0), DataError, "sigma is 0 in row 0"),
        (lambda: fit(decay, X, Y, start={"A": 1}), ParameterError, "'A'.*did you mean 'a'"),
        (lambda: fit(decay, X, Y, start=START, bounds={"a": (2, 3)}), ParameterError, "outside its bounds"),
        (lambda: fit(decay, X, Y, start=START, bounds={"a": (3, 2)}), ParameterError, "crossed"),
        (lambda: fit(decay, X, Y, start=START, fixed={"d": 1}), ParameterError, "fixed names 'd'"),
        (lambda: fit(lambda x, a, b: a * x, X, Y), ModelError, "'b' is not used"),
        (lambda: fit(lambda x: x, X, Y), ModelError, "has no parameter"),
        (lambda: fit("y ~ a*exp(-b*x", data={"x": X, "y": Y}), FormulaError, r"\^"),
        (lambda: fit("y ~ 2*x", data={"x": X, "y": Y}), ModelError, "no parameter"),
        (lambda: fit("y ~ a + b", data={"x": X, "y": Y}), ModelError, "none of the columns"),
        (lambda: fit("a*x", data={"x": X}), DataError, "needs y="),
        (lambda: fit(3, X, Y), ModelError, "a function or a formula"),
        (lambda: fit(decay, X, Y, method="lm"), OptionError, "'lm'"),
        (lambda: fit("y ~ a*log(x - b)", data={"x": X, "y": Y}, start={"a": 1, "b": 1}), DataError, "row 0"),
        (
            lambda: fit(lambda x, a: np.ones(3) * a, X, Y, start=[1]),
            (ModelError, DataError),
            "3 values for 30",
        ),
    ],
)
def test_each_mistake_names_the_guilty_thing(make: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        make()


@np.vectorize
def vectorized(x, a, b):
    return a * np.exp(-b * x) if x > 1 else a * np.exp(-b)


def test_vectorized_scalar_function_is_a_model():
    x = np.linspace(0.0, 4.0, 30)
    result = fit(vectorized, x, vectorized(x, 2.0, 0.5), start=[1.0, 1.0])
    assert result.derivative == "exact (traced)"
    np.testing.assert_allclose(result.x, [2.0, 0.5], rtol=1e-9)


def test_a_model_that_vanishes_over_most_of_the_data_is_fitted() -> None:
    x = np.linspace(0.0, 700.0, 5000)
    y = 3.0 * np.exp(-x) + 0.01 * np.sin(37.0 * np.arange(5000.0) ** 2)
    result = fit("y ~ a*exp(-b*x)", data={"x": x, "y": y}, start={"a": 1, "b": 2})
    assert result.success and result.params["b"].value == pytest.approx(1.0, rel=0.02)
