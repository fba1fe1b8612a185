"""Losses in many fits: made by the core in threads, and equal to those of single fits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import marquardt as mq
from marquardt.batch import engine
from marquardt.errors import Status

T = np.linspace(0, 6, 30)
START = {"a": 3, "tau": 1, "c": 0}
RNG = np.random.default_rng(3)


def decay(t, a, tau, c):
    return a * np.exp(-t / tau) + c


def data(k: int) -> np.ndarray:
    """Decays with outliers, missing values, and one without noise."""
    y = decay(T, *(RNG.uniform(*r, (k, 1)) for r in ((2, 5), (0.8, 2), (0.4, 0.6))))
    y += 0.05 * RNG.standard_normal(y.shape)
    wild = RNG.random(y.shape) < 0.1
    y[wild] += RNG.uniform(0.5, 3, wild.sum())
    y[RNG.random(y.shape) < 0.05] = np.nan
    y[7] = decay(T, 3, 1, 0.5)
    return y


Y = data(40)
WEIGHTS = RNG.uniform(0.5, 2, Y.shape)
WEIGHTS[3, 5] = 0.0

CASES: dict[str, dict[str, Any]] = {
    "huber": {},
    "soft_l1": {"f_scale": 0.1, "weights": WEIGHTS},
    "cauchy": {"sigma": 0.05},
    "tukey": {"bounds": {"tau": (0, 1.2)}},
    "barron(-2)": {"fixed": {"c": 0.5}, "start": {"a": 3, "tau": 1}},
    "2*(sqrt(1 + z) - 1)": {},
}


@pytest.mark.parametrize("loss", CASES)
def test_losses_end_as_one_by_one(loss: str, monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"loss": loss, "start": START, "covariance": True, **CASES[loss]}
    found = mq.fit_many(decay, T, Y, **options)
    with monkeypatch.context() as patch:
        patch.setattr(engine, "run_each", lambda *_: None)
        wanted = mq.fit_many(decay, T, Y, **options)
    np.testing.assert_array_equal(found.status, wanted.status)
    np.testing.assert_array_equal(found.nfev, wanted.nfev)
    np.testing.assert_array_equal(found.x, wanted.x)
    np.testing.assert_allclose(found.covariance, wanted.covariance, rtol=1e-8, atol=1e-25)
    np.testing.assert_allclose(found.reduced_chi2, wanted.reduced_chi2, rtol=1e-12)


def test_fits_of_a_loss_are_not_made_from_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "run_one_by_one", lambda *_: pytest.fail("one by one from Python"))
    many = mq.fit_many(decay, T, Y, start=START, loss="cauchy")
    assert many.success.all()


def test_a_loss_gives_the_same_bits_for_any_number_of_threads() -> None:
    one, two = (mq.fit_many(decay, T, Y, start=START, loss="huber", threads=n) for n in (1, 2))
    np.testing.assert_array_equal(one.x, two.x)
    np.testing.assert_array_equal(one.stderr["tau"], two.stderr["tau"])


def test_a_start_that_cannot_be_evaluated_is_the_status_of_its_fit() -> None:
    tau = np.ones(len(Y))
    tau[4] = 0.0
    many = mq.fit_many(decay, T, Y, start={"a": 3, "tau": tau, "c": 0}, loss="tukey")
    assert many.STATUSES[many.status[4]] is Status.BAD_START and np.isnan(many.x[4]).all()
    assert many.counts[Status.CONVERGED] == len(Y) - 1


def test_a_parameter_the_data_do_not_tell_has_an_infinite_error() -> None:
    def same(t, a, b, c):
        return (a + b) * t + c

    many = mq.fit_many(same, T, np.tile(T, (40, 1)), start=[1, 1, 1], loss="huber", f_scale=1.0)
    assert many.counts == {Status.NOT_UNIQUE: len(Y)}
    assert np.isinf(many.stderr["a"]).all() and np.isfinite(many.stderr["c"]).all()
