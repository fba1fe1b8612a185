"""Fits in lanes end as one by one: with the same status, within a thousandth of a standard error."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest

import marquardt as mq
from marquardt.batch.each import run_each
from marquardt.batch.engine import CODES, STATUSES, Chunk, Engine
from marquardt.curve.parameters import Parameters
from marquardt.errors import Status

TINY = 1e-3


@dataclass
class Job:
    model: Callable
    x: tuple
    y: np.ndarray
    start: np.ndarray
    family: str | None = None
    weights: np.ndarray | None = None
    bounds: tuple = (-np.inf, np.inf)

    def engine(self, **options) -> Engine:
        code = self.model.__code__
        names = code.co_varnames[len(self.x) : code.co_argcount]
        p = len(names)
        values = np.atleast_2d(self.start)[0].astype(float)
        unbounded = np.full(p, -np.inf), np.full(p, np.inf)
        parameters = Parameters({n: () for n in names}, names, values, *unbounded, tuple(range(p)))
        return Engine(
            self.model, parameters, self.x, family=self.family, scaled=self.family is None, **options
        )

    def chunk(self, **others) -> Chunk:
        p = np.atleast_2d(self.start).shape[1]
        lower, upper = (np.broadcast_to(np.asarray(b, dtype=float), p) for b in self.bounds)
        return replace(Chunk(self.x, self.y, self.weights, None, self.start, lower, upper), **others)


def decays(k: int, seed: int = 0) -> Job:
    rng = np.random.default_rng(seed)
    t = np.linspace(0, 8, 32)

    def decay(t, a, T, c):
        return a * np.exp(-t / T) + c

    truth = rng.uniform([500, 0.5, 20], [1500, 4, 80], (k, 3)).T[:, :, None]
    return Job(decay, (t,), decay(t, *truth) + rng.normal(0, 20, (k, t.size)), np.array([1000.0, 2, 50]))


def doses(k: int, seed: int = 0) -> Job:
    rng = np.random.default_rng(seed)
    dose = np.logspace(-3, 3, 12)

    def logistic(x, top, bottom, ec50, h):
        return bottom + (top - bottom) / (1 + (x / ec50) ** h)

    truth = rng.uniform([80, 0, -1, 0.7], [120, 10, 1, 1.8], (k, 4)).T[:, :, None]
    clean = logistic(dose, truth[0], truth[1], 10 ** truth[2], truth[3])
    return Job(logistic, (dose,), clean + rng.normal(0, 3, clean.shape), np.array([100.0, 5, 1, 1]))


def spots(k: int, seed: int = 0) -> Job:
    rng = np.random.default_rng(seed)
    x, y = (a.ravel() for a in np.meshgrid(np.arange(11.0), np.arange(11.0)))

    def spot(x, y, a, x0, y0, s, b):
        return a * np.exp(-((x - x0) ** 2 + (y - y0) ** 2) / (2 * s**2)) + b

    low, high = [20, 4, 4, 1.2, 1], [200, 6, 6, 2.2, 12]
    truth = rng.uniform(low, high, (k, 5)).T[:, :, None]
    counts = rng.poisson(spot(x, y, *truth)).astype(float)
    return Job(spot, (x, y), counts, np.array([100.0, 5, 5, 1.7, 6]))


def counts(k: int, seed: int = 0) -> Job:
    """Photons in the channels of a decay: hardly any in the last ones."""
    rng = np.random.default_rng(seed)
    t = np.linspace(0, 8, 32)

    def decay(t, a, T, c):
        return a * np.exp(-t / T) + c

    truth = rng.uniform([20, 0.5, 0.5], [500, 3, 3], (k, 3)).T[:, :, None]
    y = rng.poisson(decay(t, *truth)).astype(float)
    return Job(decay, (t,), y, np.array([100.0, 1.5, 1.0]), family="poisson")


def shares(k: int, seed: int = 0) -> Job:
    rng = np.random.default_rng(seed)
    dose = np.linspace(-3, 3, 10)
    trials = rng.integers(10, 60, (k, dose.size)).astype(float)

    def share(x, m, s):
        return 1 / (1 + np.exp(-(x - m) / s))

    truth = rng.uniform([-1, 0.5], [1, 1.5], (k, 2)).T[:, :, None]
    y = rng.binomial(trials.astype(int), share(dose, *truth)) / trials
    return Job(share, (dose,), y, np.array([0.2, 1.0]), family="binomial", weights=trials)


def bounded(k: int, seed: int = 0) -> Job:
    """Offsets around zero that must not be negative, lifetimes of at most three."""
    rng = np.random.default_rng(seed)
    job = decays(k, seed)
    truth = rng.uniform([500, 0.5, 0], [1500, 3.2, 4], (k, 3)).T[:, :, None]
    y = job.model(job.x[0], *truth) + rng.normal(0, 20, job.y.shape)
    return replace(job, y=y, start=np.array([1000.0, 2, 50]), bounds=([0, 0.1, 0], [np.inf, 3, np.inf]))


JOBS = {f.__name__: f for f in (decays, doses, spots, counts, shares, bounded)}


def one_by_one(engine, chunk):
    return run_each(engine, engine.traced, chunk, np.arange(len(chunk)))


@pytest.mark.parametrize("name", JOBS)
def test_ten_thousand_fits_end_as_one_by_one(name):
    job = JOBS[name](10_000 if name in ("decays", "bounded") else 2_000)
    engine, chunk = job.engine(), job.chunk()
    lanes, single = engine.run(chunk), one_by_one(engine, chunk)
    assert np.array_equal(lanes.status, single.status)
    good = np.isin(lanes.status, [CODES[Status.CONVERGED], CODES[Status.CONVERGED_AT_BOUND]])
    errors = single.stderr
    free = ~np.isnan(errors) & good[:, None] & np.isfinite(errors)
    assert free.any() and good.mean() > 0.9 and lanes.by_qr.mean() < 0.3
    assert (np.abs(lanes.x - single.x)[free] <= TINY * errors[free]).all()
    assert np.array_equal(
        lanes.x[good[:, None] & np.isnan(errors)], single.x[good[:, None] & np.isnan(errors)]
    )
    assert np.allclose(lanes.stderr[free], errors[free], rtol=0.01)
    assert np.allclose(lanes.cost[good], single.cost[good], rtol=1e-6)
    assert np.allclose(lanes.rss[good], single.rss[good], rtol=2e-3)
    assert np.array_equal(lanes.rank, single.rank) and np.array_equal(lanes.n_points, single.n_points)


@pytest.mark.parametrize("name", ["decays", "counts", "bounded"])
def test_a_sample_ends_as_mq_fit(name):
    job = JOBS[name](40, seed=5)
    ends = job.engine().run(job.chunk())
    names = job.engine().parameters.names
    bounds = {n: (lo, hi) for n, lo, hi in zip(names, job.chunk().lower, job.chunk().upper, strict=True)}
    for i, y in enumerate(job.y):
        fit = mq.fit(
            job.model,
            job.x[0],
            y,
            start=dict(zip(names, job.start, strict=True)),
            bounds=bounds,
            family=job.family,
        )
        assert STATUSES[ends.status[i]] is fit.status
        errors = np.nan_to_num(np.sqrt(np.diag(fit.covariance)), nan=0.0)
        assert (np.abs(ends.x[i] - fit.x) <= TINY * errors).all()


def same(a, b):
    names = ("x", "cost", "status", "nfev", "stderr", "rss", "covariance")
    return all(np.array_equal(getattr(a, n), getattr(b, n), equal_nan=True) for n in names)


@pytest.mark.parametrize("name", JOBS)
def test_threads_neighbors_and_chunks_make_no_difference(name):
    job = JOBS[name](3_000)
    whole = job.engine(threads=1, covariance=True).run(job.chunk())
    assert same(whole, job.engine(threads=2, covariance=True).run(job.chunk()))
    engine = job.engine(threads=2, covariance=True)
    order = np.random.default_rng(1).permutation(len(job.y))[:777]
    weights = None if job.weights is None else job.weights[order]
    assert same(whole.some(order), engine.run(job.chunk(y=job.y[order], weights=weights)))


def test_a_bad_fit_does_not_disturb_its_neighbors():
    job = decays(500)
    clean = job.engine().run(job.chunk())
    y, mask = job.y.copy(), np.ones(job.y.shape, dtype=bool)
    y[100], y[200] = 0.0, 1e300
    mask[300, 3:] = False
    ends = job.engine().run(job.chunk(y=y, mask=mask))
    others = np.setdiff1d(np.arange(500), [100, 200, 300])
    assert np.allclose(ends.x[others], clean.x[others], rtol=1e-9)
    assert np.array_equal(ends.status[others], clean.status[others])


def test_masked_points_are_as_if_they_were_not_there():
    job = decays(300)
    rng = np.random.default_rng(2)
    mask = rng.random(job.y.shape) > 0.2
    y = np.where(mask, job.y, np.nan)
    ends = job.engine().run(job.chunk(y=y, mask=mask))
    assert np.array_equal(ends.n_points, mask.sum(axis=1))
    for i in range(0, 300, 30):
        fit = mq.fit(job.model, job.x[0][mask[i]], y[i][mask[i]], start=job.start)
        assert STATUSES[ends.status[i]] is fit.status
        assert (np.abs(ends.x[i] - fit.x) <= TINY * np.sqrt(np.diag(fit.covariance))).all()


def test_each_fit_may_have_its_own_points_weights_start_and_bounds():
    job = decays(400)
    rng = np.random.default_rng(3)
    t = job.x[0] + rng.uniform(0, 0.2, job.y.shape)
    others = {
        "x": (t,),
        "weights": rng.uniform(0.5, 2.0, job.y.shape) / 20,
        "start": job.start * rng.uniform(0.8, 1.2, (400, 3)),
        "lower": np.column_stack([np.zeros(400), np.full(400, 0.1), rng.uniform(30, 60, 400)]),
        "upper": np.full((400, 3), np.inf),
    }
    engine, chunk = job.engine(), job.chunk(**others)
    lanes, single = engine.run(chunk), one_by_one(engine, chunk)
    assert np.array_equal(lanes.status, single.status)
    assert set(lanes.status) == {CODES[Status.CONVERGED], CODES[Status.CONVERGED_AT_BOUND]}
    errors = np.nan_to_num(single.stderr, nan=0.0)
    assert (np.abs(lanes.x - single.x) <= TINY * errors).all()


def test_a_start_where_the_model_is_not_finite_is_a_status():
    job = decays(100)
    start = np.tile(job.start, (100, 1))
    start[50, 1] = 0.0
    ends = job.engine().run(job.chunk(start=start))
    assert STATUSES[ends.status[50]] is Status.BAD_START and np.isnan(ends.x[50]).all()
    assert (np.delete(ends.status, 50) == CODES[Status.CONVERGED]).all()


def test_counts_of_zero_everywhere_are_left_to_the_minimizer():
    job = counts(64)
    y = job.y.copy()
    y[10] = 0.0
    engine = job.engine()
    ends, single = engine.run(job.chunk(y=y)), one_by_one(engine, job.chunk(y=y))
    assert ends.by_qr[10] and ends.status[10] == single.status[10]
    assert np.array_equal(ends.status, single.status)


@pytest.mark.parametrize("p", [1, 2, 3, 4, 5, 6, 7, 10, 11, 20])
def test_lanes_of_any_number_of_parameters_solve_the_normal_equations(p):
    """Waves with linear coefficients: what they end at is known."""
    t = np.linspace(0, 3, 40)
    waves = np.cos(np.arange(p) * t[:, None])
    formula = " + ".join(f"c{k}*cos({k}*t)" for k in range(p))
    rng = np.random.default_rng(p)
    y = rng.uniform(1, 2, (40, p)) @ waves.T + 0.1 * rng.standard_normal((40, t.size))
    many = mq.fit_many(
        formula, {"t": t}, y, start=dict.fromkeys([f"c{k}" for k in range(p)], 1.0), covariance=True
    )
    assert many.success.all() and (p == 20 or not many.by_qr.any())
    wanted = np.linalg.lstsq(waves, y.T, rcond=None)[0].T
    inverse = np.linalg.inv(waves.T @ waves)
    np.testing.assert_allclose(many.x, wanted, rtol=0, atol=1e-5)
    np.testing.assert_allclose(
        many.covariance, inverse * many.reduced_chi2[:, None, None], rtol=1e-5, atol=1e-9
    )
