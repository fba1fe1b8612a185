"""Derivatives by finite differences, for model functions that cannot be traced."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

EPS = float(np.finfo(float).eps)


def estimate_noise(
    residuals: Callable[[Vector], Vector], x: Vector, f: Vector, lower: Any = -np.inf, upper: Any = np.inf
) -> float:
    """Relative noise of a computed function: eps for plain arithmetic, 1e-8 or so for an ODE solver.

    The k-th differences of seven values along a line shrink like h^k for a smooth function but stay
    at the noise level for noise; the first three levels that agree within a factor of four tell it
    (Moré, Wild, "Estimating computational noise", SIAM J. Sci. Comput. 2011). The line keeps to the bounds.
    """
    points = 7
    step = 1e-11 * np.where(x == 0.0, 1.0, x)
    step = next_to_bounds(x, step, points - 1, lower, upper)
    values = np.stack([f] + [residuals(x + k * step) for k in range(1, points)])
    if not np.isfinite(values).all():
        return EPS
    size = float(np.abs(values).max()) or 1.0
    levels, gamma, table = [], 1.0, values
    for k in range(1, points - 1):
        table = np.diff(table, axis=0)
        gamma *= k / (2.0 * (2.0 * k - 1.0))  # variance of a k-th difference of white noise: (2k)!/(k!)^2
        levels.append(float(np.sqrt(gamma * np.mean(table**2))))
    for three in zip(levels, levels[1:], levels[2:], strict=False):
        if max(three) <= 4.0 * min(three):
            return float(np.clip(three[0] / size, EPS, 1e-3))
    return EPS


def next_to_bounds(x: Vector, step: Vector, count: int, lower: Any, upper: Any) -> Vector:
    """`step` where `count` of them stay inside the bounds, else its negative, else 0."""
    ways = [(x + count * way >= lower) & (x + count * way <= upper) for way in (step, -step)]
    return np.select(ways, [step, -step], 0.0)


class Differences:
    """Central differences with steps ``noise^(1/3) * typical size``, both sides kept inside the bounds.

    The typical size of a parameter is its magnitude, now or at an earlier point. One that started at zero has
    none: near zero its size is ``|f| / |column|``, the change that would alter the residuals by their own
    size, so that units do not matter. A step of ``max(1, |x|)`` would ruin coefficients of 1e-7 (Kirby2 and
    Hahn1 of the NIST set lose all digits); ``|f| / |column|`` for all would overflow where a column vanishes
    on the way (MGH17 and MGH10 end at their start).
    """

    def __init__(
        self, residuals: Callable[[Vector], Vector], lower: Vector, upper: Vector, step: Any = None
    ) -> None:
        self.residuals, self.lower, self.upper = residuals, lower, upper
        self.step = step  # relative; None: noise^(1/3), from the first Jacobian on
        self.column_norms: Vector | None = None
        self.largest: Vector | None = None  # magnitudes seen; 0 for what started at zero

    def jacobian(self, x: Vector, f: Vector) -> Matrix:
        """Jacobian at `x`, shape (m, p), where the residuals are `f`."""
        with np.errstate(all="ignore"):  # far out, differences overflow; the minimizer refuses such a point
            return self._jacobian(x, f)

    def gradient_error(self, x: Vector, f: Vector) -> Vector:
        """How far ``J'f`` may be from the gradient, shape (p,): by how much twice the steps change it.

        That is three times the error of truncation, and about the noise.
        """
        wider = copy(self)
        wider.step = 2.0 * self.step
        change = wider.jacobian(x, f) - copy(self).jacobian(x, f)
        return np.asarray(np.abs(change.T @ f))

    def _jacobian(self, x: Vector, f: Vector) -> Matrix:
        if self.step is None:
            self.step = estimate_noise(self.residuals, x, f, self.lower, self.upper) ** (1.0 / 3.0)
        steps = self.step * self._typical(x, f)
        columns = [self._column(x, f, j, steps[j]) for j in range(x.size)]
        # A step by an earlier magnitude may reach across a pole (MGH10: 1e206 where 1e3 is right): own steps
        own, size = self.step * np.abs(x), np.linalg.norm(f)
        for j in np.flatnonzero((own > 0.0) & (own < steps)).tolist():
            if not np.linalg.norm(columns[j]) * steps[j] <= size:
                columns[j] = self._column(x, f, j, own[j])
        norms = np.array([float(np.linalg.norm(c)) for c in columns])
        if self.column_norms is None:  # columns that were stepped blindly are taken again, now in scale
            self.column_norms = norms
            for j in np.flatnonzero((x == 0.0) & (norms > 0.0)).tolist():
                columns[j] = self._column(x, f, j, (self.step * self._typical(x, f))[j])
        self.column_norms = np.where(norms > 0.0, norms, self.column_norms)
        return np.stack(columns, axis=1)

    def _typical(self, x: Vector, f: Vector) -> Vector:
        size = np.abs(x)
        if self.largest is None:
            self.largest = size
        self.largest = np.where(self.largest > 0.0, np.maximum(self.largest, size), 0.0)
        width = self.upper - self.lower
        blind = np.where(np.isfinite(width) & (width > 0.0), width, 1.0)
        if self.column_norms is None:
            return np.where(size > 0.0, size, blind)
        with np.errstate(divide="ignore"):
            floor = np.linalg.norm(f) / self.column_norms
        floor = np.where(np.isfinite(floor), floor, blind)
        # Far below the floor a parameter counts as zero; above it its own magnitude is the better guide.
        from_zero = np.where(size > 1e-3 * floor, size, floor)
        return np.where(self.largest > 0.0, np.maximum(size, 1e-3 * self.largest), from_zero)

    def _column(self, x: Vector, f: Vector, j: int, step: float) -> Vector:
        up, down = x.copy(), x.copy()
        up[j] += step
        down[j] -= step
        if up[j] > self.upper[j]:
            return self._one_sided(x, f, j, -step)
        if down[j] < self.lower[j]:
            return self._one_sided(x, f, j, step)
        slope: Vector = (self.residuals(up) - self.residuals(down)) / (up[j] - down[j])
        return slope

    def _one_sided(self, x: Vector, f: Vector, j: int, step: float) -> Vector:
        """Second-order difference that stays on one side: (-3 f(x) + 4 f(x+h) - f(x+2h)) / 2h."""
        near, far = x.copy(), x.copy()
        near[j] += step
        far[j] += 2.0 * step
        slope: Vector = (4.0 * self.residuals(near) - 3.0 * f - self.residuals(far)) / (far[j] - x[j])
        return slope
