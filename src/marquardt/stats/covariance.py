"""Covariance of least-squares estimates from the triangular factor, never by inverting J'J."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

RANK_TOLERANCE = 1e-14
"""Singular values of the column-scaled factor below ``p`` times this part of the largest count as zero."""


@dataclass(frozen=True)
class Covariance:
    """``(J'J)^-1`` over the space the data determine, before any factor s²."""

    matrix: Matrix
    """Shape (p, p). Rows of parameters that are not determined are infinite, of those held at a bound NaN."""
    determined: NDArray[np.bool_]
    held: NDArray[np.bool_]
    rank: int
    null_vectors: Matrix
    """Shape (k, p): directions (in column-scaled parameters) along which the model does not change."""
    space: Matrix
    """Finite covariance within the determined space, shape (p, p): what predictions need."""

    def scaled(self, factor: float) -> Covariance:
        """The same for other rows like these, ``1 / factor`` times as many."""
        return replace(self, matrix=self.matrix * factor, space=self.space * factor)


@lru_cache(maxsize=64)
def _all_determined(p: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_], Matrix]:
    return np.ones(p, dtype=bool), np.zeros(p, dtype=bool), np.zeros((0, p))


def full_covariance(inverse: Matrix) -> Covariance:
    """The covariance where the data determine every parameter: `inverse` is (J'J)^-1, shape (p, p)."""
    p = inverse.shape[0]
    determined, held, none = _all_determined(p)
    return Covariance(inverse, determined, held, p, none, inverse)


def unscaled_covariance(outcome: Any) -> Covariance:
    """``(J'J)^-1`` where a minimization ended, with the rows of a penalty ``(J'J + P)^-1``."""
    inverse = outcome.inverse_gram
    if inverse is not None:
        return full_covariance(inverse)
    held = np.asarray(outcome.active) != 0
    return covariance(np.asarray(outcome.R), held, int(outcome.rank))


def covariance(R: Matrix, held: NDArray[np.bool_] | None = None, rank: int | None = None) -> Covariance:
    """Unscaled covariance from the factor R of J = QR, shape (p, p).

    Columns are scaled to length one, the inverse is made from the singular values, and the columns are
    unscaled last. Where the rank is deficient the pseudo-inverse serves the determined space, and every
    parameter that takes part in a null direction gets infinite variance. Parameters `held` at a bound
    do not vary: the others' covariance is conditional on them.
    """
    p = R.shape[1]
    held = np.zeros(p, dtype=bool) if held is None else held
    if not np.isfinite(R).all():  # the fit ended where the model has no derivative: nothing is known
        nothing, no = np.full((p, p), np.nan), np.zeros(p, dtype=bool)
        return Covariance(nothing, no, held, 0, np.zeros((0, p)), nothing)
    moves = np.flatnonzero(~held)
    # Columns of length 1e150 or 1e-300 must not over- or underflow when squared.
    largest = np.abs(R[:, moves]).max(axis=0, initial=0.0)
    safe = np.where(largest > 0.0, largest, 1.0)
    scale = safe * np.linalg.norm(R[:, moves] / safe, axis=0)
    zero = largest == 0.0
    scale[zero] = 1.0
    _, singular, Vt = np.linalg.svd(R[:, moves] / scale, full_matrices=True)
    kept = _rank(singular, rank if not held.any() else None)
    V, N = Vt[:kept], Vt[kept:]
    inverse = (V.T / singular[:kept] ** 2) @ V
    lost = (N**2).sum(axis=0) > 1e-8
    space = np.zeros((p, p))
    with np.errstate(over="ignore"):
        space[np.ix_(moves, moves)] = inverse / scale[:, None] / scale
    matrix = space.copy()
    undetermined = np.zeros(p, dtype=bool)
    undetermined[moves[lost]] = True
    matrix[undetermined, :] = matrix[:, undetermined] = np.nan
    matrix[held, :] = matrix[:, held] = np.nan
    matrix[undetermined, undetermined] = np.inf
    nulls = np.zeros((N.shape[0], p))
    nulls[:, moves] = N
    return Covariance(matrix, ~undetermined & ~held, held, kept, nulls, space)


def _rank(singular: Vector, known: int | None) -> int:
    if known is not None and 0 <= known <= singular.size:
        # What the minimizer found may count a direction that is exactly zero; the singular values decide.
        return min(known, int((singular > 0.0).sum()))
    if singular.size == 0 or singular[0] == 0.0:
        return 0
    return int((singular > singular.size * RANK_TOLERANCE * singular[0]).sum())


def correlation(matrix: Matrix) -> Matrix:
    """Correlation matrix; NaN where a variance is not finite.

    >>> correlation(np.array([[4.0, 1.0], [1.0, 1.0]]))
    array([[1. , 0.5],
           [0.5, 1. ]])
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        s = np.sqrt(np.diag(matrix))
        s = np.where(np.isfinite(s) & (s > 0.0), s, np.nan)
        c = matrix / s[:, None] / s
    np.fill_diagonal(c, np.where(np.isfinite(s), 1.0, np.nan))
    return c
