"""Robust fits: the sandwich covariance, and outliers by control of the false discovery rate."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .covariance import Covariance, covariance, unscaled_covariance
from .penalty import effective_parameters

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Outlier:
    """A point that does not belong to the others."""

    row: int
    """Position in the data given, from 0."""
    x: float
    """Where it is; NaN where there is not just one independent variable."""
    residual: float
    """model - data, weighted."""
    t: float
    """The residual in units of the noise."""


FALSE_DISCOVERIES = 0.01
"""Of the points called outliers so many are expected to be none (Motulsky, Brown 2006)."""


def sandwich(outcome: Any, noise: float = 1.0) -> Covariance:
    """Covariance of a robust fit, ``m/(m-p) A^-1 J' diag(ψ²) J A^-1`` with ``A = J' diag(a) J`` (Huber 1967).

    ψ = ρ' f is the pull of each residual, a its derivative. Of a redescending loss, where that is negative
    for some, a is its mean over all residuals. No factor s² is missing. A penalty P is added to A, and
    ``noise² P`` between the two A^-1, as if its rows were residuals with that `noise`; p is then the
    effective number of parameters.
    """
    problem, loss = outcome.problem, outcome.problem.loss
    f = np.asarray(outcome.f)
    J = np.asarray(problem.jacobian(outcome.x, f))
    held = np.asarray(outcome.active) != 0
    m = int(np.count_nonzero(np.any(J != 0.0, axis=1)))
    exact = np.where(np.any(J != 0.0, axis=1), np.asarray(loss.curvatures(f)[0]), 0.0)
    if not loss.row.redescends:
        exact = np.maximum(exact, 0.0)  # beyond Huber's corner 0 up to rounding
    else:
        exact = np.full(f.size, float(exact.sum()) / max(m, 1))
    penalty = problem.penalty
    strength = np.zeros(J.shape[1]) if penalty is None else penalty.strength(J.shape[1])
    p = J.shape[1] if penalty is None else effective_parameters(unscaled_covariance(outcome), strength)
    left = m - p
    if not np.isfinite(J).all() or not exact.max(initial=0.0) > 0.0 or left <= 0:
        known = unscaled_covariance(outcome)
        return replace(known, matrix=np.full_like(known.matrix, np.nan))
    rows = np.vstack([np.sqrt(exact)[:, None] * J, np.diag(strength)])
    bread = covariance(np.asarray(np.linalg.qr(rows, mode="r")), held)
    pulled = (loss.weights(f) * f)[:, None] * (J @ bread.space)
    penalized = noise * strength[:, None] * bread.space
    space = m / left * (pulled.T @ pulled) + penalized.T @ penalized
    return replace(bread, space=space, matrix=np.where(np.isfinite(bread.matrix), space, bread.matrix))


def outliers(f: Vector, noise: float, dof: float | None) -> NDArray[np.intp]:
    """Positions of residuals (m,) that are too large for their noise, by Benjamini, Hochberg (1995).

    As in ROUT (Motulsky, Brown 2006): the two-sided probability of each ``|f| / noise`` by Student's t
    (None: the normal distribution), and so many flagged that 1 % of them are expected to be none.

    >>> outliers(np.array([0.1, -0.2, 9.0, 0.3, -0.1, 0.2]), 0.2, None)
    array([2])
    """
    from scipy.special import ndtr, stdtr

    if not noise > 0.0 or (dof is not None and dof <= 0.0):
        return np.flatnonzero(f != 0.0) if noise == 0.0 else np.zeros(0, dtype=np.intp)
    t = -np.abs(f) / noise
    p = 2.0 * (ndtr(t) if dof is None else stdtr(dof, t))
    order = np.sort(p)
    below = order <= FALSE_DISCOVERIES * np.arange(1, p.size + 1) / p.size
    if not below.any():
        return np.zeros(0, dtype=np.intp)
    return np.flatnonzero(p <= order[np.flatnonzero(below)[-1]])
