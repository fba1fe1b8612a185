"""Sigma, or weights, that follow from the prediction."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import marquardt as mq
from marquardt.errors import DataError

RNG = np.random.default_rng(3)
T = np.linspace(0.0, 8.0, 50)
START = {"a": 300.0, "b": 1.0, "c": 0.0}


def decay(t: Any, a: float, b: float, c: float) -> Any:
    return a * np.exp(-b * t) + c


TRUE = decay(T, 500.0, 0.6, 20.0)
Y = TRUE * (1.0 + 0.05 * RNG.standard_normal(50)) + 2.0 * RNG.standard_normal(50)


def test_sigma_is_that_of_the_curve_it_leads_to() -> None:
    found = mq.fit(decay, T, Y, start=START, sigma="0.05*mu + 2")
    sigma = 0.05 * found.predict() + 2.0
    assert np.allclose(found.sigma, sigma, rtol=2e-6)
    again = mq.fit(decay, T, Y, start=START, sigma=sigma)
    assert np.allclose(found.x, again.x, rtol=1e-6)
    assert np.allclose(found.stderr, again.stderr, rtol=1e-5)
    assert found.chi2 == pytest.approx(again.chi2, rel=1e-5)


def test_the_end_solves_the_equations_of_quasi_likelihood() -> None:
    found = mq.fit(decay, T, Y, start=START, sigma="0.05*mu + 2")
    mu = found.predict()
    score = found.gradient_at(T).T @ ((Y - mu) / (0.05 * mu + 2.0) ** 2)
    assert np.abs(score * found.stderr).max() < 1e-5


def test_the_report_counts_the_rounds() -> None:
    found = mq.fit(decay, T, Y, start=START, sigma="0.05*mu + 2")
    assert found.reweighting is not None and found.reweighting.settled
    assert f"sigma from the prediction, {found.reweighting.rounds} rounds" in str(found)
    assert 3 <= found.reweighting.rounds <= 8


def test_evaluations_of_all_rounds_are_counted() -> None:
    calls = 0

    def counted(t: Any, a: float, b: float, c: float) -> Any:
        nonlocal calls
        calls += 1
        return np.array([a * float(np.exp(-b * s)) + c for s in t.tolist()])

    found = mq.fit(counted, T, Y, start=START, sigma="0.05*mu + 2")
    single = mq.fit(counted, T, Y, start=START, sigma=found.sigma)
    assert single.nfev < found.nfev < calls


def test_no_start_is_needed() -> None:
    found = mq.fit(decay, T, Y, sigma="0.05*mu + 2")
    assert np.allclose(found.x, mq.fit(decay, T, Y, start=START, sigma="0.05*mu + 2").x, rtol=1e-6)
    assert found.multistart is not None and found.nfev > found.multistart.starts
    assert "start found" in str(found)


def test_formula_models_bounds_and_columns_go_along() -> None:
    table = {"t": T, "y": Y, "floor": np.full(50, 2.0)}
    found = mq.fit("y ~ a*exp(-b*t) + c", data=table, start=START, sigma="0.05*mu + floor")
    assert np.allclose(found.x, mq.fit(decay, T, Y, start=START, sigma="0.05*mu + 2").x, rtol=1e-6)
    bounded = mq.fit(
        "y ~ a*exp(-b*t) + c", data=table, start=START, sigma="0.05*mu + floor", bounds={"b": (0.7, None)}
    )
    assert bounded.params["b"].at_bound and bounded.reweighting.settled


def test_relative_weights_scale_the_covariance_by_the_scatter() -> None:
    relative = mq.fit(decay, T, Y, start=START, weights="1/mu^2")
    known = mq.fit(decay, T, Y, start=START, sigma="mu")
    assert np.allclose(relative.x, known.x, rtol=1e-6)
    assert relative.chi2 is None
    assert np.allclose(relative.stderr, known.stderr * np.sqrt(known.reduced_chi2), rtol=1e-5)
    assert "weights from the prediction" in str(relative)


def test_noise_without_bias_from_errors_proportional_to_the_curve() -> None:
    """Weights of the data themselves favor points that are low by chance."""
    t, ends = np.linspace(0.0, 2.0, 30), []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        y = 10.0 * np.exp(-t) * (1.0 + 0.2 * rng.standard_normal(30))
        of_curve = mq.fit(lambda t, a, b: a * np.exp(-b * t), t, y, start=[8, 0.8], sigma="0.2*mu")
        of_data = mq.fit(lambda t, a, b: a * np.exp(-b * t), t, y, start=[8, 0.8], sigma=0.2 * np.abs(y))
        ends.append((of_curve.x[0], of_data.x[0]))
    mean, error = np.mean(ends, axis=0), np.std(ends, axis=0) / np.sqrt(40)
    assert abs(mean[0] - 10.0) < 3.0 * error[0]
    assert abs(mean[1] - 10.0) > 3.0 * error[1]


def test_a_response_over_decades_is_seen_everywhere() -> None:
    t = np.linspace(0.0, 30.0, 60)
    y = (100.0 * np.exp(-t) + 0.01 * np.exp(-0.05 * t)) * (1.0 + 0.02 * RNG.standard_normal(60))
    found = mq.fit("y ~ a*exp(-b*t) + c*exp(-d*t)", data={"t": t, "y": y}, sigma="0.02*mu")
    assert sorted(found.x[[1, 3]]) == pytest.approx([0.05, 1.0], rel=0.1)


def test_missing_rows_leave_the_columns_of_the_formula_too() -> None:
    y = Y.copy()
    y[3] = np.nan
    table = {"t": T, "y": y, "floor": np.linspace(1.0, 3.0, 50)}
    found = mq.fit("y ~ a*exp(-b*t) + c", data=table, start=START, sigma="0.05*mu + floor", missing="drop")
    keep = np.isfinite(y)
    part = {n: c[keep] for n, c in table.items()}
    rest = mq.fit("y ~ a*exp(-b*t) + c", data=part, start=START, sigma="0.05*mu + floor")
    assert np.array_equal(found.x, rest.x) and found.dropped == 1


def test_a_column_of_the_formula_with_a_hole_names_its_row() -> None:
    table = {"t": T, "y": Y, "floor": np.where(np.arange(50) == 6, np.nan, 2.0)}
    with pytest.raises(DataError, match="column 'floor' is missing or not finite in row 6"):
        mq.fit("y ~ a*exp(-b*t) + c", data=table, start=START, sigma="0.05*mu + floor")


def test_a_prediction_without_sigma_names_row_and_formula() -> None:
    t = np.linspace(-1.0, 1.0, 21)
    y = 2.0 * t + 0.01 * RNG.standard_normal(21)
    with pytest.raises(DataError, match=r"sigma = 0.1\*mu is -0.*in row 0, where mu is predicted as -[12]"):
        mq.fit("y ~ a*x + b", x=t, y=y, sigma="0.1*mu")


def test_a_formula_that_is_nowhere_positive_is_refused_at_once() -> None:
    with pytest.raises(DataError, match=r"sigma = -mu is -\S+ in row 0, where mu is observed as"):
        mq.fit(decay, T, Y, start=START, sigma="-mu")


def test_mu_cannot_be_a_column_too() -> None:
    with pytest.raises(DataError, match="mu is the prediction, but a column has that name too"):
        mq.fit("y ~ a*t + b", data={"t": T, "y": Y, "mu": T}, sigma="0.1*mu + 1")
    plain = mq.fit("y ~ a*t + b", data={"t": T, "y": Y, "mu": T + 1.0}, sigma="mu")
    assert plain.reweighting is None and np.array_equal(plain.sigma, T + 1.0)


def test_rounds_that_do_not_settle_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("marquardt.curve.reweighted.ROUNDS", 2)
    found = mq.fit(decay, T, Y, start=START, sigma="0.05*mu + 2")
    assert not found.reweighting.settled
    assert any("did not settle in 2 rounds" in sentence for sentence in found.advice)


def test_another_method_goes_its_way_with_the_weights_found() -> None:
    found = mq.fit(decay, T, Y, start=START, sigma="0.05*mu + 2", method="levenberg")
    assert found.success and len(found.trace) > 4
    assert np.allclose(found.x, mq.fit(decay, T, Y, start=START, sigma="0.05*mu + 2").x, rtol=1e-5)


def test_robust_losses_know_the_noise() -> None:
    y = Y.copy()
    y[[5, 20]] += 120.0
    found = mq.fit(decay, T, y, start=START, sigma="0.05*mu + 2", loss="tukey")
    assert [o.row for o in found.outliers] == [5, 20]
    assert found.loss.scale == pytest.approx(4.685, rel=1e-3)


def test_bands_of_new_observations_follow_the_formula() -> None:
    found = mq.fit(decay, T, Y, start=START, sigma="0.05*mu + 2")
    t = np.array([0.0, 4.0, 8.0])
    curve, new = found.band(t), found.band(t, prediction=True)
    variance = ((new.upper - new.lower) ** 2 - (curve.upper - curve.lower) ** 2) / (2 * 1.959964) ** 2
    assert np.allclose(variance, (0.05 * found.predict(t) + 2.0) ** 2, rtol=1e-6)
