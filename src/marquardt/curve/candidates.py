"""Candidate parameter vectors: where they are drawn, and how their linear parameters are completed."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .frequencies import Frequency
from .parameters import Parameters
from .ranges import Ranges

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

SEED = 20240229
DECADES = 2.5
"""A size is searched this many decades up and down, denser in the middle."""
SPECTRAL, UNIFORM = 0.5, 0.25
"""Parts of the candidates in which a frequency is near a peak of the spectrum, or anywhere."""
PASSES = 4
"""Reweighted least squares towards least absolute residuals."""
NEGATIVE = 0.3
"""Part of the candidates in which a quantity that may have either sign is negative."""


def how_many(d: int) -> int:
    """Points drawn at a time for `d` parameters."""
    return 1 << min(11, 7 + d)


def sample(where: Ranges, indices: Sequence[int], parameters: Parameters, count: int | None = None) -> Matrix:
    """Parameter vectors (S, n) with the parameters `indices` drawn and the others as given (NaN when not)."""
    return draw(where, indices, parameters, count)[0]


def draw(
    where: Ranges, indices: Sequence[int], parameters: Parameters, count: int | None = None, skip: int = 0
) -> tuple[Matrix, Matrix]:
    """As `sample`, from number `skip` of the sequence on, and the places of the points in the unit cube."""
    d = len(indices)
    if d == 0:
        return np.array(parameters.values[None, :]), np.zeros((1, 0))
    count = how_many(d) if count is None else count
    unit = _sobol(2 * d, count, skip)
    drawn = np.tile(parameters.values, (count, 1))
    for k, i in enumerate(indices):
        drawn[:, i] = _spread(unit[:, k], unit[:, d + k], where, i, parameters.lower[i], parameters.upper[i])
    places = unit[:, :d].copy()
    for k, i in enumerate(indices):
        signed = np.isnan(where.low[i]) and i not in where.phases
        if signed and (drawn[:, i] < 0.0).any() and (drawn[:, i] > 0.0).any():
            places[:, k] = 0.5 + 0.5 * np.sign(drawn[:, i]) * places[:, k]
    return drawn, places


def decades(where: Ranges, i: int) -> tuple[float, float]:
    """How far a size is searched down and up: as far as the data reach that it is added to or divides."""
    if i not in where.met:
        return DECADES, DECADES
    low, high = where.met[i]
    size = float(where.size[i])
    return max(DECADES, size - low), max(DECADES, high - size)


def _spread(u: Vector, sign: Vector, where: Ranges, i: int, lower: float, upper: float) -> Vector:
    """Uniform numbers as values of parameter `i`."""
    if np.isfinite(lower) and np.isfinite(upper):
        if lower > 0.0 and upper > 100.0 * lower:
            values = np.asarray(lower * (upper / lower) ** u)
        else:
            values = np.asarray(lower + (upper - lower) * u)
        if i in where.frequencies:
            seen, known = _periodic(u, where.frequencies[i])
            values = np.where(known & (seen > lower) & (seen < upper), seen, values)
        return values
    v = 2.0 * u - 1.0
    low, high = decades(where, i)
    size = 10.0 ** (where.size[i] + np.where(v < 0.0, low, high) * np.sign(v) * np.abs(v) ** 1.5)
    if i in where.frequencies:
        seen, known = _periodic(u, where.frequencies[i])
        size = np.where(known, seen, _told_apart(size, u, where.frequencies[i]))
    if not np.isnan(where.low[i]):
        margin = 0.05 * (where.high[i] - where.low[i])
        values = where.low[i] - margin + u * (where.high[i] - where.low[i] + 2.0 * margin)
    elif i in where.phases:
        values = np.pi * v
    else:
        values = np.where(sign < (0.5 if where.exponent[i] else NEGATIVE), -size, size)
    if np.isfinite(lower):
        values = np.where(values < lower, lower + size, values)
    if np.isfinite(upper):
        values = np.where(values > upper, upper - size, values)
    return np.asarray(values)


def _periodic(u: Vector, found: Frequency) -> tuple[Vector, NDArray[np.bool_]]:
    """Uniform numbers as values of a frequency or period, and where they are such.

    Half lie around the peaks of the spectrum, as many at each as it is high, a quarter anywhere up to
    half the rate of sampling; the last quarter is left to the general rule.
    """
    omega = np.zeros_like(u)
    known = u < (SPECTRAL + UNIFORM if found.peaks.size else 0.0)
    if found.peaks.size:
        edges = np.concatenate([[0.0], np.cumsum(found.amplitudes) / found.amplitudes.sum()])
        edges[-1] = 1.0 + 1e-12
        at = u / SPECTRAL
        k = np.clip(np.searchsorted(edges, at, side="right") - 1, 0, found.peaks.size - 1)
        inside = (at - edges[k]) / (edges[k + 1] - edges[k]) - 0.5
        omega = np.abs(found.peaks[k] + inside * found.resolution)
        omega = np.where(u < SPECTRAL, omega, (u - SPECTRAL) / UNIFORM * found.highest)
    with np.errstate(divide="ignore"):
        return (1.0 / omega if found.inverse else omega), known & (omega > 0.0)


def _told_apart(size: Vector, u: Vector, found: Frequency) -> Vector:
    """Of evenly spaced points frequencies no higher than can be told from lower ones."""
    if not found.even:
        return size
    if found.inverse:
        told_apart = 1.0 / (found.highest * np.maximum(u, 1e-3))
        return np.asarray(np.where(size * found.highest < 1.0, told_apart, size))
    return np.asarray(np.where(size > found.highest, found.highest * u, size))


@dataclass
class Candidates:
    """Completes candidates by batched linear least squares."""

    evaluate: Callable[[Matrix], Matrix]
    response: Vector
    weights: Vector | None
    robust: bool = False
    """Least absolute residuals in the place of least squares."""

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
            return self._cost(residual / unit)
        basis = np.empty((len(part), len(self.response), len(linear)))
        for k, j in enumerate(linear):
            part[:, j] = 1.0
            basis[:, :, k] = self.evaluate(part) - base
            part[:, j] = 0.0
        if self.weights is not None:
            basis *= self.weights[:, None]
        solved = _least_squares(basis, residual)
        for _ in range(PASSES if self.robust else 0):
            left = np.abs(residual - np.einsum("snl,sl->sn", basis, solved))
            usual = np.maximum(np.median(left, axis=1, keepdims=True), 1e-9 * unit)
            root = np.sqrt(np.minimum(usual / left, 1.0))
            solved = _least_squares(basis * root[:, :, None], residual * root)
        solved = np.clip(solved, parameters.lower[list(linear)], parameters.upper[list(linear)])
        part[:, linear] = solved
        return self._cost((residual - np.einsum("snl,sl->sn", basis, solved)) / unit)

    def _cost(self, left: Matrix) -> Vector:
        return np.asarray((np.abs(left) if self.robust else left**2).sum(axis=1))


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


def _sobol(dimensions: int, count: int, skip: int) -> Matrix:
    """Scrambled Sobol points; the keyword of the seed was renamed in SciPy 1.15."""
    from scipy.stats import qmc

    try:
        sequence = qmc.Sobol(dimensions, scramble=True, rng=SEED)
    except TypeError:
        sequence = qmc.Sobol(dimensions, scramble=True, seed=SEED)
    if skip:
        sequence.fast_forward(skip)
    return np.asarray(sequence.random(count), dtype=np.float64)


NEAREST = 20
"""So many starts are the points of lowest cost, the others those that are the lowest around."""


def choose(full: Matrix, costs: Vector, places: Matrix, count: int) -> list[Vector]:
    """At most `count` of the candidates, lowest cost first: the best, and the best of their surroundings.

    A point is the best of its surroundings when none lower lies within the critical distance of multi-level
    single linkage (Rinnooy Kan, Timmer 1987, Mathematical Programming 39), so that one wide basin does
    not take all starts.
    """
    good = np.flatnonzero(np.isfinite(costs) & np.isfinite(full).all(axis=1))
    order = good[np.argsort(costs[good], kind="stable")]
    chosen = list(order[: min(NEAREST, count)])
    pool = order[: max(4 * count, len(order) // 4)]
    radius = critical_distance(len(full), places.shape[1])
    for k, row in enumerate(pool):
        if len(chosen) >= count:
            break
        if k >= NEAREST and np.linalg.norm(places[pool[:k]] - places[row], axis=1).min() > radius:
            chosen.append(row)
    taken = set(chosen)
    chosen += [row for row in order if row not in taken][: count - len(chosen)]
    return [full[k] for k in sorted(chosen, key=lambda k: (costs[k], k))]


def critical_distance(count: int, d: int) -> float:
    """Distance within which `count` uniform points in the unit cube of `d` dimensions have neighbors.

    ``π^-½ (Γ(1 + d/2) · 4 ln(n)/n)^(1/d)``, the 4 such that the expected number of starts stays finite.
    """
    if d == 0 or count < 2:
        return 0.0
    volume = math.gamma(1.0 + d / 2.0) * 4.0 * math.log(count) / count
    return float(volume ** (1.0 / d) / math.sqrt(math.pi))
