"""Robust fits with priors and ridges: penalties stay squares, weighed by the noise of the good points."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from marquardt import fit

from .data import SIGMA, TRUTHS, case, exponential

PRIOR = {"b": (0.6, 0.004)}
ROWS = {"prior": PRIOR, "ridge": {"a": 0.5, "c": 2.0}}


@pytest.mark.parametrize("penalty", [{"prior": PRIOR}, {"ridge": {"a": 0.5, "c": 2.0}}, ROWS])
def test_a_loss_that_is_square_there_gives_the_fit_of_squares(penalty: dict[str, Any]) -> None:
    data = case(exponential, 3, 0.0)
    square = fit(exponential, data.t, data.y, start=data.start, sigma=SIGMA, **penalty)
    robust = fit(
        exponential, data.t, data.y, start=data.start, sigma=SIGMA, loss="huber", f_scale=100.0, **penalty
    )
    assert np.allclose(robust.x, square.x, rtol=1e-9)
    assert robust.cost == pytest.approx(square.cost, rel=1e-12) and robust.success
    assert robust.penalty is not None and square.penalty is not None
    assert robust.penalty.effective == pytest.approx(square.penalty.effective, rel=1e-9)


@pytest.mark.parametrize("loss", ["huber", "tukey", "2*(sqrt(1 + z) - 1)"])
def test_outliers_do_not_weigh_the_prior(loss: str) -> None:
    data = case(exponential, 3)
    clean = case(exponential, 3, 0.0)
    robust = fit(exponential, data.t, data.y, start=data.start, loss=loss, prior=PRIOR)
    square = fit(exponential, clean.t, clean.y, start=clean.start, prior=PRIOR)
    assert robust.success and robust.penalty is not None and square.penalty is not None
    assert robust.penalty.noise == pytest.approx(square.penalty.noise, rel=0.5)
    assert robust.params["b"].stderr == pytest.approx(0.004, rel=0.05)  # of the prior, mostly
    truth = list(TRUTHS[exponential].values())
    assert np.all(np.abs(robust.x - truth) < 4.0 * robust.stderr + 0.05 * np.abs(truth))
    assert "found by the loss, weighs the prior" in str(robust)


def test_the_sandwich_of_normal_noise_is_near_the_posterior() -> None:
    rng, t = np.random.default_rng(0), np.linspace(0.0, 10.0, 4000)
    y = exponential(t, 5.0, 0.6, 1.0) + 0.1 * rng.standard_normal(t.size)
    settings: dict[str, Any] = {"start": [4.0, 0.5, 0.5], "prior": {"b": (0.6, 0.001)}}
    square, robust = fit(exponential, t, y, **settings), fit(exponential, t, y, loss="huber", **settings)
    assert robust.stderr == pytest.approx(square.stderr, rel=0.08)


def test_criteria_of_normal_errors_are_not_claimed() -> None:
    data = case(exponential, 3)
    robust = fit(exponential, data.t, data.y, start=data.start, loss="huber", ridge=0.01)
    assert np.isnan(robust.aic) and np.isnan(robust.bic) and robust.to_dict()["penalty"] is not None
