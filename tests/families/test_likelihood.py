"""Likelihoods of counts: derivatives, the values of SciPy's distributions, and the core beside NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from marquardt.problem.likelihood import Likelihood
from marquardt.stats.likelihood import log_likelihood, scatter

Vector = NDArray[np.float64]

COUNTS = np.array([0.0, 0.0, 1.0, 3.0, 400.0])
MEANS = np.array([1e-4, 0.7, 0.2, 3.0 + 1e-9, 380.0])
TRIALS = np.array([1.0, 4.0, 4.0, 9.0, 1000.0])
PROPORTIONS = np.array([0.0, 1.0, 0.25, 3.0, 400.0]) / np.array([1.0, 1.0, 1.0, 9.0, 1000.0])
CHANCES = np.array([1e-4, 0.7, 0.3, 0.3, 0.41])


def poisson(weights: Vector | None = None) -> tuple[Likelihood, Vector]:
    return Likelihood("poisson", COUNTS, weights), MEANS - COUNTS


def binomial() -> tuple[Likelihood, Vector]:
    return Likelihood("binomial", PROPORTIONS, TRIALS), CHANCES - PROPORTIONS


@pytest.mark.parametrize("made", [poisson(), poisson(TRIALS), binomial()], ids=["once", "often", "binomial"])
def test_slopes_and_curvatures_are_derivatives_of_the_half_deviance(made: tuple[Likelihood, Vector]) -> None:
    likelihood, f = made
    mu = likelihood.y + f
    h = 1e-6 * np.minimum(mu, 1.0)
    slope = (likelihood.half_deviances(f + h) - likelihood.half_deviances(f - h)) / (2.0 * h)
    assert np.allclose(slope, likelihood.slopes(f), rtol=1e-6, atol=1e-7)
    bend = (likelihood.slopes(f + h) - likelihood.slopes(f - h)) / (2.0 * h)
    assert np.allclose(bend, likelihood.curvatures(f)[0], rtol=1e-6, atol=1e-4)


def test_fishers_curvature_is_the_mean_of_the_exact_one() -> None:
    mu, counts = 0.8, np.arange(60.0)
    exact, fisher = Likelihood("poisson", counts).curvatures(mu - counts)
    assert exact @ stats.poisson.pmf(counts, mu) == pytest.approx(fisher[0], rel=1e-12)
    k, p = np.arange(8.0), 0.3
    exact, fisher = Likelihood("binomial", k / 7.0, np.full(8, 7.0)).curvatures(p - k / 7.0)
    assert exact @ stats.binom.pmf(k, 7, p) == pytest.approx(fisher[0], rel=1e-12)


def test_log_likelihoods_are_those_of_the_distributions() -> None:
    likelihood, f = poisson()
    assert log_likelihood(likelihood, f) == pytest.approx(
        stats.poisson.logpmf(COUNTS, MEANS).sum(), rel=1e-13
    )
    likelihood, f = binomial()
    theirs = stats.binom.logpmf(np.rint(TRIALS * PROPORTIONS), TRIALS, CHANCES).sum()
    assert log_likelihood(likelihood, f, TRIALS) == pytest.approx(theirs, rel=1e-12)


def test_what_is_no_mean_costs_infinitely_much_and_a_mean_of_zero_may_be_right() -> None:
    assert Likelihood("poisson", np.zeros(1)).cost(np.zeros(1)) == 0.0
    assert Likelihood("binomial", np.ones(1), np.ones(1)).cost(np.zeros(1)) == 0.0
    for y, mu in ((0.0, -1e-300), (2.0, 0.0), (2.0, -1.0)):
        assert Likelihood("poisson", np.array([y])).cost(np.array([mu - y])) == np.inf
    for y, mu in ((0.5, 0.0), (0.5, 1.0), (0.0, -0.1), (1.0, 1.1)):
        assert Likelihood("binomial", np.array([y])).cost(np.array([mu - y])) == np.inf


def test_pearson_residuals_are_in_standard_deviations() -> None:
    likelihood, f = binomial()
    sd = np.sqrt(CHANCES * (1.0 - CHANCES) / TRIALS)
    assert np.allclose(likelihood.pearson(f), (CHANCES - PROPORTIONS) / sd, rtol=1e-12)


def test_the_scatter_of_small_counts_is_judged_by_their_kurtosis() -> None:
    rng = np.random.default_rng(0)
    mu = np.full(100, 0.1)
    found = [
        scatter(Likelihood("poisson", y), mu - y, 100.0) for y in rng.poisson(0.1, (400, 100)).astype(float)
    ]
    assert np.mean(found) == pytest.approx(0.0, abs=0.15)
    assert np.std(found) == pytest.approx(1.0, abs=0.15)
