"""Penalized fits: priors and ridges against rows written out, closed forms, and their limits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.integrate import quad

from marquardt.curve.fit import fit
from marquardt.errors import ParameterError, Status

T = np.linspace(0.0, 4.0, 20)
Y = 3.0 * np.exp(-0.7 * T) + 0.5 + 0.05 * np.sin(37.0 * np.arange(20.0) ** 2)
START = {"a": 1.0, "b": 1.0, "c": 1.0}


def decay(t: Any, a: float, b: float, c: float) -> Any:
    return a * np.exp(-b * t) + c


def opaque(t: Any, a: float, b: float, c: float) -> Any:
    """The same, called back: an integrator cannot be traced."""
    return np.array([a - quad(lambda u: a * b * np.exp(-b * u), 0.0, s)[0] + c for s in t])


def with_rows(rows: list[tuple[int, float, float]], sigma: float) -> Any:
    """`decay` with rows (parameter, mean, sd) as further data points."""
    index = np.array([j for j, _, _ in rows])

    def model(t: Any, a: float, b: float, c: float) -> Any:
        return np.concatenate([a * np.exp(-b * t) + c, np.array([a, b, c])[index]])

    y = np.concatenate([Y, [mean for _, mean, _ in rows]])
    w = np.concatenate([np.full(T.size, sigma), [sd for _, _, sd in rows]])
    return fit(model, T, y, start=START, sigma=w)


@pytest.mark.parametrize("model", [decay, opaque])
def test_a_prior_is_a_data_point(model: Any) -> None:
    found = fit(model, T, Y, start=START, sigma=0.05, prior={"a": (2.5, 0.1), "c": (0.6, 0.02)})
    explicit = with_rows([(0, 2.5, 0.1), (2, 0.6, 0.02)], 0.05)
    assert found.success and (found.derivative == "exact (traced)") == (model is decay)
    np.testing.assert_allclose(found.x, explicit.x, rtol=1e-8)
    np.testing.assert_allclose(found.covariance, explicit.covariance, rtol=1e-6)
    assert found.cost == pytest.approx(explicit.cost, rel=1e-12)
    assert found.penalty is not None
    np.testing.assert_allclose(found.residuals, explicit.residuals[:20], atol=1e-7)
    assert found.chi2 == pytest.approx(2.0 * (found.cost - found.penalty.cost))


@pytest.mark.parametrize("model", [decay, opaque])
def test_a_ridge_is_taken_literally(model: Any) -> None:
    found = fit(model, T, Y, start=START, ridge={"a": 0.25, "b": 4.0})
    explicit = with_rows([(0, 0.0, 2.0), (1, 0.0, 0.5)], 1.0)
    accurate = 1e-8 if model is decay else 1e-6  # large residuals meet the error of differences
    np.testing.assert_allclose(found.x, explicit.x, rtol=accurate)
    assert found.cost == pytest.approx(explicit.cost, rel=1e-12)


def line() -> tuple[Any, Any, Any]:
    x = np.linspace(-1.0, 2.0, 15)
    X = np.stack([np.ones(15), x, x**2], axis=1)
    return x, X, X @ [1.0, -2.0, 0.5] + 0.3 * np.cos(5.0 * np.arange(15.0))


def test_a_linear_model_is_ridge_regression() -> None:
    """Hoerl, Kennard (1970): x = (X'X + k I)^-1 X'y, effective parameters tr(X (X'X + k I)^-1 X')."""
    x, X, y = line()
    k = 3.0
    found = fit("y ~ a + b*x + c*x**2", data={"x": x, "y": y}, ridge=k)
    inverse = np.linalg.inv(X.T @ X + k * np.eye(3))
    np.testing.assert_allclose(found.x, inverse @ X.T @ y, rtol=1e-9)
    edf = float(np.trace(X @ inverse @ X.T))
    assert found.penalty is not None
    assert found.penalty.effective == pytest.approx(edf, rel=1e-10)
    assert found.dof == pytest.approx(15 - edf, rel=1e-10)
    rss = float(((y - X @ found.x) ** 2).sum())
    assert found.rss == pytest.approx(rss, rel=1e-10)
    np.testing.assert_allclose(found.covariance, rss / (15 - edf) * inverse, rtol=1e-9)


def test_aic_and_bic_count_effective_parameters() -> None:
    x, _, y = line()
    found = fit("y ~ a + b*x + c*x**2", data={"x": x, "y": y}, ridge=3.0, sigma=0.3)
    assert found.penalty is not None
    assert found.bic - found.aic == pytest.approx(found.penalty.effective * (np.log(15) - 2))
    assert found.goodness.n_free == 3


def test_a_linear_model_with_prior_is_the_normal_posterior() -> None:
    x, X, y = line()
    mean, sd, sigma = np.array([0.5, -1.0, 0.0]), np.array([0.2, 0.3, 0.1]), 0.3
    prior = {n: (m, s) for n, m, s in zip("abc", mean, sd, strict=True)}
    found = fit("y ~ a + b*x + c*x**2", data={"x": x, "y": y}, sigma=sigma, prior=prior)
    posterior = np.linalg.inv(X.T @ X / sigma**2 + np.diag(sd**-2.0))
    np.testing.assert_allclose(found.x, posterior @ (X.T @ y / sigma**2 + mean / sd**2), rtol=1e-9)
    np.testing.assert_allclose(found.covariance, posterior, rtol=1e-9)
    assert found.penalty is not None
    np.testing.assert_allclose(
        [found.penalty[n].from_data for n in "abc"], 1.0 - np.diag(posterior) / sd**2, rtol=1e-9
    )


@pytest.mark.parametrize("sigma", [None, 0.05])
def test_an_infinitely_wide_prior_is_none(sigma: float | None) -> None:
    plain = fit(decay, T, Y, start=START, sigma=sigma)
    wide = fit(decay, T, Y, start=START, sigma=sigma, prior={"a": (50.0, 1e9)})
    np.testing.assert_allclose(wide.x, plain.x, rtol=1e-9)
    np.testing.assert_allclose(wide.covariance, plain.covariance, rtol=1e-7)
    assert wide.dof == pytest.approx(plain.dof, abs=1e-9)
    assert wide.aic == pytest.approx(plain.aic)


@pytest.mark.parametrize("sigma", [None, 0.05])
def test_an_infinitely_narrow_prior_fixes_the_parameter(sigma: float | None) -> None:
    held = fit(decay, T, Y, start=START, sigma=sigma, fixed={"a": 2.9})
    narrow = fit(decay, T, Y, start=START, sigma=sigma, prior={"a": (2.9, 1e-7)})
    np.testing.assert_allclose(narrow.x, held.x, rtol=1e-6)
    np.testing.assert_allclose(narrow.covariance[1:, 1:], held.covariance, rtol=1e-5)
    assert narrow.dof == pytest.approx(held.dof, abs=1e-6)
    assert narrow.penalty is not None and narrow.penalty["a"].from_data < 1e-9


def test_the_noise_that_weighs_a_prior_is_the_noise_that_is_found() -> None:
    found = fit(decay, T, Y, start=START, prior={"a": (2.9, 0.05)})
    penalty = found.penalty
    assert penalty is not None and penalty.settled and penalty.noise is not None
    assert penalty.noise**2 == pytest.approx(found.rss / (20 - penalty.effective), rel=1e-5)
    known = fit(decay, T, Y, start=START, prior={"a": (2.9, 0.05)}, sigma=penalty.noise)
    np.testing.assert_allclose(found.x, known.x, rtol=1e-6)
    np.testing.assert_allclose(found.covariance, known.covariance, rtol=1e-4)
    assert known.penalty is not None and known.penalty.noise is None and known.penalty.rounds == 1


@pytest.mark.parametrize("unit", [2.0**-30, 2.0**30, 1e-3])
def test_units_of_the_data_do_not_matter_to_a_prior_with_unknown_noise(unit: float) -> None:
    def model(t: Any, a: float, b: float, c: float) -> Any:
        return unit * (a * np.exp(-b * t) + c)

    plain = fit(decay, T, Y, start=START, prior={"b": (0.5, 0.03)})
    scaled = fit(model, T, unit * Y, start=START, prior={"b": (0.5, 0.03)})
    np.testing.assert_allclose(scaled.x, plain.x, rtol=1e-8)
    assert scaled.penalty is not None and plain.penalty is not None
    assert scaled.penalty.noise == pytest.approx(unit * (plain.penalty.noise or 0.0), rel=1e-5)


def test_a_prior_determines_what_the_data_do_not() -> None:
    def model(t: Any, a: float, b: float, k: float) -> Any:
        return a * b * np.exp(-k * t) + 0.5

    start = {"a": 1.0, "b": 1.0, "k": 1.0}
    assert fit(model, T, Y, start=start).status is Status.NOT_UNIQUE
    found = fit(model, T, Y, start=start, prior={"b": (2.0, 0.1)})
    assert found.status is Status.CONVERGED and found.unique
    assert found.params["b"].value == pytest.approx(2.0, abs=1e-6)
    assert found.params["b"].stderr == pytest.approx(0.1, rel=1e-4)
    assert found.penalty is not None and found.penalty.effective == pytest.approx(2.0, abs=1e-6)


def test_with_priors_fewer_points_than_parameters_are_enough() -> None:
    found = fit(decay, T[:2], Y[:2], sigma=0.1, prior={"a": (3.0, 0.2), "b": (0.7, 0.1)}, start=START)
    assert found.success and found.unique and np.isfinite(found.stderr).all()
    assert not any("cannot determine" in sentence for sentence in found.advice)


def test_without_sigma_too_few_points_cannot_tell_the_noise() -> None:
    found = fit(decay, T[:2], Y[:2], prior={"a": (3.0, 0.2), "b": (0.7, 0.1)}, start=START)
    assert any("give a known sigma" in sentence for sentence in found.advice)
    assert np.isnan(found.stderr).all()


def test_the_mean_of_a_prior_is_a_start() -> None:
    prior = {"a": (2.9, 0.5), "b": (0.6, 0.5), "c": (0.4, 0.5)}
    found = fit(decay, T, Y, prior=prior)
    assert found.success and found.multistart is None
    assert [p.start for p in found.params.values()] == [2.9, 0.6, 0.4]
    given = fit(decay, T, Y, prior=prior, start=START)
    np.testing.assert_allclose(found.x, given.x, rtol=1e-6)
    assert fit(decay, T, Y, prior=prior, bounds={"b": (0.65, None)}).params["b"].start == 0.65


def test_parameters_without_prior_are_still_searched() -> None:
    found = fit(decay, T, Y, prior={"a": (2.9, 0.5)})
    given = fit(decay, T, Y, prior={"a": (2.9, 0.5)}, start=START)
    assert found.multistart is not None and found.success
    np.testing.assert_allclose(found.x, given.x, rtol=1e-6)


def test_a_bound_holds_against_a_prior() -> None:
    found = fit(decay, T, Y, start=START, sigma=0.05, prior={"c": (0.0, 0.01)}, bounds={"c": (0.2, None)})
    assert found.status is Status.CONVERGED_AT_BOUND
    assert found.params["c"].value == 0.2
    held = fit(decay, T, Y, start=START, sigma=0.05, fixed={"c": 0.2})
    np.testing.assert_allclose(found.x, held.x, rtol=1e-8)
    assert found.penalty is not None and found.penalty["c"].pull == pytest.approx(20.0)


def test_a_penalized_and_a_bounded_parameter_may_be_two() -> None:
    found = fit(decay, T, Y, start=START, sigma=0.05, prior={"a": (2.5, 0.1)}, bounds={"c": (0.6, None)})
    held = fit(decay, T, Y, start=START, sigma=0.05, prior={"a": (2.5, 0.1)}, fixed={"c": 0.6})
    np.testing.assert_allclose(found.x, held.x, rtol=1e-8)
    assert found.dof == pytest.approx(held.dof - 1)


def polynomial(t: Any, p: Any) -> Any:
    return p[0] + p[1] * t + p[2] * t**2


def test_vector_parameters_take_priors_whole_or_by_component() -> None:
    start = {"p": [0.0, 0.0, 0.0]}
    one = fit(polynomial, T, Y, start=start, sigma=0.1, prior={"p[1]": (-1.0, 0.05)})
    assert one.penalty is not None and list(one.penalty) == ["p[1]"]
    whole = fit(polynomial, T, Y, sigma=0.1, prior={"p": ([3.0, -1.0, 0.1], [9.0, 0.05, 9.0])})
    assert whole.penalty is not None and list(whole.penalty) == ["p[0]", "p[1]", "p[2]"]
    same = fit(polynomial, T, Y, sigma=0.1, start=start, prior={"p": ([3.0, -1.0, 0.1], 0.05)})
    assert same.penalty is not None and same.penalty["p[2]"].sd == 0.05
    assert fit(polynomial, T, Y, start=start, ridge={"p[2]": 1.0}).penalty is not None


def test_no_penalty_leaves_no_trace_of_one() -> None:
    assert fit(decay, T, Y, start=START).penalty is None
    assert fit(decay, T, Y, start=START, ridge=0.0).penalty is None


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"prior": {"d": (1, 1)}}, "prior names 'd', which is no parameter"),
        ({"ridge": {"aa": 1}}, "ridge names 'aa', which is no parameter"),
        ({"prior": {"a": (1, 0)}}, "prior sd of 'a' is 0: it must be positive"),
        ({"prior": {"a": (1, -2)}}, "must be positive"),
        ({"prior": {"a": (1, np.inf)}}, "prior sd of 'a' is inf"),
        ({"prior": {"a": (np.nan, 1)}}, "prior mean of 'a' is nan"),
        ({"prior": {"a": 1.0}}, "a pair (mean, sd) is needed"),
        ({"prior": [(1, 2)]}, "a mapping of names is needed"),
        ({"prior": {"a": ([1, 2], 1)}}, "has 2 values for 1 component"),
        ({"prior": {"a": (1, 1)}, "fixed": {"a": 1.0}}, "prior names 'a', which is fixed"),
        ({"ridge": {"a": 1}, "fixed": ["a"]}, "ridge names 'a', which is fixed"),
        ({"ridge": -1.0}, "ridge is -1.0: a number that is not negative"),
        ({"ridge": {"a": "x"}}, "the ridge of 'a' is 'x', not a number"),
        ({"ridge": True}, "ridge is True: a finite number is needed"),
    ],
)
def test_impossible_penalties_are_refused_by_name(arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(ParameterError) as caught:
        fit(decay, T, Y, start=START, **arguments)
    assert says in str(caught.value)


def test_a_contradiction_of_data_and_prior_is_said() -> None:
    found = fit(decay, T, Y, start=START, sigma=0.05, prior={"b": (2.0, 0.05)})
    assert any("contradict one another about b" in sentence for sentence in found.advice)
    assert found.penalty is not None
    part = found.penalty["b"]
    # The pull of estimates beneath a right prior has variance 1 - stderr^2 / sd^2.
    spread = np.sqrt(1.0 - (found.params["b"].stderr / 0.05) ** 2)
    assert part.conflict == pytest.approx(part.pull / spread, rel=1e-9)


@pytest.mark.parametrize("method", ["gauss-newton", "levenberg", "marquardt", "more", "dogleg", "newton"])
def test_every_method_finds_the_noise_and_makes_the_last_fit_from_the_start(method: str) -> None:
    plain = fit(decay, T, Y, start=START, prior={"a": (2.9, 0.05)})
    found = fit(decay, T, Y, start=START, prior={"a": (2.9, 0.05)}, method=method)
    assert found.success
    np.testing.assert_allclose(found.x, plain.x, rtol=1e-6)
    np.testing.assert_array_equal(found.trace.points[0], [1.0, 1.0, 1.0])


def test_a_penalty_beyond_the_range_of_numbers_is_refused() -> None:
    with pytest.raises(ParameterError, match="the penalty on 'a' is beyond the range of numbers"):
        fit(decay, T, Y, start=START, prior={"a": (2.5, 1e-300)})


@pytest.mark.parametrize("sd", [1e-12, 1e12, 1e300])
def test_extreme_standard_deviations_do_no_harm(sd: float) -> None:
    found = fit(decay, T, Y, start=START, prior={"a": (2.9, sd)})
    same = fit(decay, T, Y, start=START, fixed={"a": 2.9} if sd < 1.0 else None)
    assert found.success and found.rss == pytest.approx(same.rss, rel=1e-9)


def test_weights_scale_the_noise_not_the_estimates() -> None:
    plain = fit(decay, T, Y, start=START, prior={"a": (2.9, 0.05)})
    weighted = fit(decay, T, Y, start=START, prior={"a": (2.9, 0.05)}, weights=4.0)
    np.testing.assert_allclose(weighted.x, plain.x, rtol=1e-8)
    np.testing.assert_allclose(weighted.covariance, plain.covariance, rtol=1e-5)
    assert weighted.penalty is not None and plain.penalty is not None
    assert weighted.penalty.noise == pytest.approx(2.0 * (plain.penalty.noise or 0.0), rel=1e-5)


def test_counts_include_all_rounds() -> None:
    found = fit(decay, T, Y, start=START, prior={"a": (2.9, 0.05)})
    assert found.penalty is not None and found.penalty.rounds > 1
    last = found.trace
    assert found.njev > last.points.shape[0]


def test_large_samples_start_from_a_penalized_part() -> None:
    t = np.linspace(0.0, 4.0, 250_000)
    y = decay(t, 3.0, 0.7, 0.5) + 0.05 * np.sin(37.0 * np.arange(t.size) ** 2)
    found = fit(decay, t, y, start=START, sigma=0.05, prior={"a": (2.9, 1e-4)})
    plain = fit(decay, t[::50], y[::50], start=START, sigma=0.05 / 50**0.5, prior={"a": (2.9, 1e-4)})
    assert found.success
    np.testing.assert_allclose(found.x, plain.x, atol=2e-3)
