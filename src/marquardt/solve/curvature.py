"""The Hessian of the cost at an end point, in units that make the columns of the Jacobian one."""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

TAKES_PART = 1e-4
"""A parameter with a smaller component in every null direction is determined."""


class Curvature:
    """``B = J'J + S`` over the parameters that move; ``J = Q R``, ``R C^-1 = U diag(sigma) V'``.

    Over the space that J determines, ``B = R'(I + K) R`` with the symmetric ``K = R^-T S R^-1``: small
    eigenvalues of J'J, known to the square root of eps only, need not be formed.
    """

    def __init__(self, R: Matrix, S: Matrix | None, moves: NDArray[np.bool_], rank: int) -> None:
        """`R` (p, p), `S` (p, p) or None where it is not known, `moves` (p,), `rank` of J."""
        self.moves = moves
        part = R[:, moves]
        largest = np.abs(part).max(axis=0, initial=0.0)
        safe = np.where(largest > 0.0, largest, 1.0)
        self.lengths = np.where(largest > 0.0, safe * np.sqrt(((part / safe) ** 2).sum(axis=0)), 1.0)
        self.R = part / self.lengths
        self.S = None if S is None else S[np.ix_(moves, moves)] / self.lengths[:, None] / self.lengths
        _, sigma, Vt = np.linalg.svd(self.R)
        self.kept = min(rank, int((sigma > 0.0).sum())) if moves.all() else _rank(sigma)
        self.sigma, self.V, self.null = sigma[: self.kept], Vt[: self.kept].T, Vt[self.kept :]

    @property
    def lost(self) -> NDArray[np.bool_]:
        """Which of the moving parameters J does not determine."""
        return np.asarray((np.abs(self.null) > TAKES_PART).any(axis=0))

    @cached_property
    def K(self) -> Matrix | None:
        """``R^-T S R^-1`` over the determined space; its eigenvalues are those of ``(J'J)^-1 S``."""
        if self.S is None:
            return None
        half = self.V / self.sigma
        return np.asarray(half.T @ self.S @ half)

    @property
    def contraction(self) -> float:
        """Spectral radius of ``(J'J)^-1 S``; NaN where S is not known."""
        return math.nan if self.K is None else float(np.abs(np.linalg.eigvalsh(self.K)).max(initial=0.0))

    @property
    def smallest_eigenvalue(self) -> float:
        """Of ``C^-1 B C^-1``; NaN where S is not known."""
        if self.S is None or self.K is None or not self.moves.any():
            return math.nan
        mu, W = np.linalg.eigh(self.K)
        if self.null.size == 0 and mu[0] > -1.0:  # B = (L R)'(L R), L'L = I + K
            L = np.sqrt(1.0 + mu)[:, None] * W.T
            return float(np.linalg.svd((L * self.sigma) @ self.V.T, compute_uv=False)[-1] ** 2)
        return float(np.linalg.eigvalsh(self.R.T @ self.R + self.S)[0])

    def error(self, push: Vector) -> Vector:
        """``|B^-1| push`` for a gradient known up to `push`; infinite where B has no minimum."""
        K = np.zeros((self.kept, self.kept)) if self.K is None else self.K
        mu, W = np.linalg.eigh(K)
        if mu.size and mu[0] <= -1.0:
            return np.full(push.size, np.inf)
        half = (self.V / self.sigma) @ W / np.sqrt(1.0 + mu)
        found = np.abs(half @ half.T) @ (push / self.lengths) / self.lengths
        return np.where(self.lost, np.inf, found)


def _rank(sigma: Vector) -> int:
    return int((sigma > sigma.size * 1e-14 * sigma.max(initial=0.0)).sum())
