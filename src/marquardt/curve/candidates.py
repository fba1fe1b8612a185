"""Candidate parameter vectors: where they are drawn, and how their linear parameters are completed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .parameters import Parameters
from .ranges import Ranges

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

SEED = 20240229
DECADES = 2.5
"""A size is searched this many decades up and down, denser in the middle."""
NEGATIVE = 0.3
"""Part of the candidates in which a quantity that may have either sign is negative."""


def sample(where: Ranges, indices: Sequence[int], parameters: Parameters, count: int | None = None) -> Matrix:
    """Parameter vectors (S, n) with the parameters `indices` drawn and the others as given (NaN when not)."""
    d = len(indices)
    if d == 0:
        return np.array(parameters.values[None, :])
    if count is None:
        count = 1 << min(11, 7 + d)
    unit = _sobol(2 * d, count)
    drawn = np.tile(parameters.values, (count, 1))
    for k, i in enumerate(indices):
        drawn[:, i] = _spread(unit[:, k], unit[:, d + k], where, i, parameters.lower[i], parameters.upper[i])
    return drawn


def _spread(u: Vector, sign: Vector, where: Ranges, i: int, lower: float, upper: float) -> Vector:
    """Uniform numbers as values of parameter `i`."""
    if np.isfinite(lower) and np.isfinite(upper):
        if lower > 0.0 and upper > 100.0 * lower:
            return np.asarray(lower * (upper / lower) ** u)
        return np.asarray(lower + (upper - lower) * u)
    v = 2.0 * u - 1.0
    size = 10.0 ** (where.size[i] + DECADES * np.sign(v) * np.abs(v) ** 1.5)
    if not np.isnan(where.low[i]):
        margin = 0.05 * (where.high[i] - where.low[i])
        values = where.low[i] - margin + u * (where.high[i] - where.low[i] + 2.0 * margin)
    else:
        values = np.where(sign < (0.5 if where.exponent[i] else NEGATIVE), -size, size)
    if np.isfinite(lower):
        values = np.where(values < lower, lower + size, values)
    if np.isfinite(upper):
        values = np.where(values > upper, upper - size, values)
    return np.asarray(values)


@dataclass
class Candidates:
    """Completes candidates by batched linear least squares."""

    evaluate: Callable[[Matrix], Matrix]
    response: Vector
    weights: Vector | None

    def complete(self, part: Matrix, linear: Sequence[int], parameters: Parameters) -> Vector:
        """Set the linear parameters of each row to their best (within bounds), in place; costs (S,)."""
        with np.errstate(all="ignore"):
            return self._complete(part, linear, parameters)

    def _complete(self, part: Matrix, linear: Sequence[int], parameters: Parameters) -> Vector:
        part[:, linear] = 0.0
        base = self.evaluate(part)
        residual = self.response - base
        if self.weights is not None:
            residual = residual * self.weights
        # Costs in units of the response, so that squares stay within the range of numbers.
        unit = (
            float(np.abs(self.response if self.weights is None else self.response * self.weights).max())
            or 1.0
        )
        if not linear:
            return np.asarray(((residual / unit) ** 2).sum(axis=1))
        basis = np.empty((len(part), len(self.response), len(linear)))
        for k, j in enumerate(linear):
            part[:, j] = 1.0
            basis[:, :, k] = self.evaluate(part) - base
            part[:, j] = 0.0
        if self.weights is not None:
            basis *= self.weights[:, None]
        solved = _least_squares(basis, residual)
        solved = np.clip(solved, parameters.lower[list(linear)], parameters.upper[list(linear)])
        part[:, linear] = solved
        left = (residual - np.einsum("snl,sl->sn", basis, solved)) / unit
        return np.asarray((left**2).sum(axis=1))


def _least_squares(basis: NDArray[np.float64], target: Matrix) -> Matrix:
    """Batched ``argmin |basis c - target|``: scaled columns, a ridge of 1e-12 against near singularity.

    A candidate that is not finite anywhere gets NaN.
    """
    norms = np.sqrt((basis**2).sum(axis=1))
    bad = ~np.isfinite(norms).all(axis=1) | ~np.isfinite(target).all(axis=1)
    scale = np.where((norms > 0.0) & np.isfinite(norms), norms, 1.0)
    q = np.where(bad[:, None, None], 0.0, basis / scale[:, None, :])
    t = np.where(bad[:, None], 0.0, target)
    gram = np.einsum("snl,snk->slk", q, q, optimize=True) + 1e-12 * np.eye(basis.shape[2])
    solved = np.linalg.solve(gram, np.einsum("snl,sn->sl", q, t)[:, :, None])[:, :, 0]
    solved = solved / scale
    solved[bad] = np.nan
    return np.asarray(solved)


def _sobol(dimensions: int, count: int) -> Matrix:
    """Scrambled Sobol points; the keyword of the seed was renamed in SciPy 1.15."""
    from scipy.stats import qmc

    try:
        sequence = qmc.Sobol(dimensions, scramble=True, rng=SEED)
    except TypeError:
        sequence = qmc.Sobol(dimensions, scramble=True, seed=SEED)
    return np.asarray(sequence.random(count), dtype=np.float64)
