"""How well a fit describes the data, in the usual numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..problem.whitening import Whitening

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Goodness:
    """Numbers that compare fits; NaN where there are not enough points to define them."""

    n_points: int
    n_free: float
    dof: float
    rss: float
    """Sum of squared weighted residuals: ``2 * cost``."""
    reduced_chi2: float
    """``rss / dof``: near 1 when known standard deviations are honest; otherwise the variance s²."""
    log_likelihood: float
    aic: float
    aicc: float
    bic: float
    r_squared: float


def goodness(
    rss: float,
    y: Vector,
    w: Vector | None,
    n_points: int,
    n_free: float,
    rank: float,
    known_sigma: bool,
    whitening: Whitening | None = None,
) -> Goodness:
    """Work them out for Gaussian errors.

    With known standard deviations ``-2 log L = Σ log(2πσ²) + chi2`` and k = p parameters are counted;
    otherwise the variance is estimated too (``-2 log L = n (log(2π rss/n) + 1) - Σ log weight``, k = p + 1),
    as R's ``AIC`` does. ``AIC = -2 log L + 2k``, ``BIC = -2 log L + k log n``, AICc adds 2k(k+1)/(n-k-1).
    R² compares with the (weighted) mean of the response. Where errors are correlated ``Σ log(σ²)`` is the
    logarithm of the determinant of their covariance, and the mean that of generalized least squares.
    """
    log_w = 0.0 if w is None else float(np.log(w[w > 0.0]).sum())
    log_w = log_w if whitening is None else -0.5 * whitening.log_det
    spread = _spread(y, w) if whitening is None else _spread_white(y, whitening)
    return goodness_of(rss, n_points, n_free, rank, known_sigma, log_w, spread)


def goodness_of(
    rss: float, n_points: int, n_free: float, rank: float, known_sigma: bool, log_w: float, spread: float
) -> Goodness:
    """The same from sums: of the logarithms of the square-root weights, and of the squares about the mean."""
    dof = n_points - rank
    k = n_free + (0 if known_sigma else 1)
    minus2 = _minus_two_log_likelihood(rss, n_points, log_w, known_sigma)
    left = n_points - k - 1
    aic = minus2 + 2 * k
    return Goodness(
        n_points,
        n_free,
        dof,
        rss,
        rss / dof if dof > 0 else math.nan,
        -minus2 / 2,
        aic,
        aic + 2 * k * (k + 1) / left if left > 0 else math.nan,
        minus2 + k * math.log(n_points) if n_points else math.nan,
        1.0 - rss / spread if spread > 0.0 else math.nan,
    )


def _minus_two_log_likelihood(rss: float, n: int, log_w: float, known_sigma: bool) -> float:
    if known_sigma:
        return n * math.log(2 * math.pi) - 2 * log_w + rss
    if n == 0 or rss == 0.0:
        return -math.inf
    return n * (math.log(2 * math.pi * rss / n) + 1) - 2 * log_w


def _spread(y: Vector, w: Vector | None) -> float:
    """Weighted squares of the response about its mean."""
    # Sums, not dot products: BLAS would wake its threads for a million points, to spin beside the core's.
    weight = None if w is None else w**2
    total = float(y.size if weight is None else weight.sum())
    if total == 0.0:
        return math.nan
    weighted = y if weight is None else weight * y
    squares = (y - weighted.sum() / total) ** 2
    return float((squares if weight is None else weight * squares).sum())


def _spread_white(y: Vector, whitening: Whitening) -> float:
    white, one = whitening.white(y), whitening.white(np.ones(y.size))
    left = white - one * (float(one @ white) / float(one @ one))
    return float(left @ left)
