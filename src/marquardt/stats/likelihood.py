"""Likelihoods of counts: log-likelihood, goodness, and whether the counts scatter as their family says."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ..problem.likelihood import Likelihood
from .goodness import Goodness

Vector = NDArray[np.float64]


def log_likelihood(likelihood: Likelihood, f: Vector, trials: Vector | None = None) -> float:
    """``log L`` with all its constants, so that it compares with that of any other model of the same counts.

    Poisson: ``Σ w (y log μ - μ - log y!)``; binomial: ``Σ w (log C(n, k) + k log μ + (n - k) log(1 - μ))``,
    n the `trials` and ``n w`` the cases of the likelihood.

    >>> round(log_likelihood(Likelihood("poisson", np.array([2.0])), np.array([1.0])), 6)
    -1.495923
    """
    from scipy.special import gammaln, xlogy

    y, cases = likelihood.y, likelihood.cases
    cases = np.ones(y.size) if cases is None else cases
    if likelihood.family == "poisson":
        saturated = cases * (xlogy(y, y) - y - gammaln(y + 1.0))
    else:
        n = np.ones(y.size) if trials is None else trials
        k = n * y
        ways = gammaln(n + 1.0) - gammaln(k + 1.0) - gammaln(n - k + 1.0)
        weight = np.where(n > 0.0, cases / np.where(n > 0.0, n, 1.0), 0.0)
        saturated = weight * ways + cases * (xlogy(y, y) + xlogy(1.0 - y, 1.0 - y))
    return float(saturated.sum()) - likelihood.cost(f)


def goodness_of_counts(
    log_l: float, rss: float, pearson: float, n_points: int, n_free: int, rank: float
) -> Goodness:
    """``AIC = -2 log L + 2p``, ``BIC = -2 log L + p log m``; `reduced_chi2` is Pearson's chi-square per dof.

    R² is not defined.
    """
    dof, left = n_points - rank, n_points - n_free - 1
    aic = 2.0 * n_free - 2.0 * log_l
    aicc = aic + 2.0 * n_free * (n_free + 1) / left if left > 0 else math.nan
    bic = n_free * math.log(n_points) - 2.0 * log_l if n_points else math.nan
    chi2 = pearson / dof if dof > 0 else math.nan
    return Goodness(n_points, n_free, dof, rss, chi2, log_l, aic, aicc, bic, math.nan)


def scatter(likelihood: Likelihood, f: Vector, dof: float) -> float:
    """By how many standard deviations Pearson's chi-square is above its expectation `dof`.

    Its variance is ``Σ (2 + κ)``, κ the excess kurtosis of each count: 1/μ for Poisson counts, for which the
    chi-square distribution would be too narrow where counts are small.
    """
    counted = np.ones(f.size, dtype=bool) if likelihood.cases is None else likelihood.cases > 0.0
    squares = likelihood.pearson(f)[counted] ** 2
    variance = float((2.0 + likelihood.kurtosis(f)[counted]).sum()) * max(dof, 0.0) / max(squares.size, 1)
    return (float(squares.sum()) - dof) / math.sqrt(variance) if variance > 0.0 else 0.0
