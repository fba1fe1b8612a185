"""Penalties on parameters: rows beneath the residuals of a problem."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Penalty:
    """Rows ``weight * (x[index] - center)``: half their sum of squares is added to the cost.

    `index`, `center` and `weight` have shape (k,); `index` counts the free parameters. This is Tikhonov's
    regularization (1963) with a diagonal operator; a row is also a normal prior of standard deviation
    ``1 / weight``, in units of the noise.

    >>> Penalty(np.array([1]), np.array([3.0]), np.array([2.0])).residuals(np.array([5.0, 4.0]))
    array([2.])
    """

    index: NDArray[np.intp]
    center: Vector
    weight: Vector

    def residuals(self, x: Vector) -> Vector:
        """The rows at free parameters `x`, shape (k,)."""
        return np.asarray(self.weight * (x[self.index] - self.center))

    def cost(self, x: Vector) -> float:
        """Half the sum of squares of the rows."""
        return 0.5 * float((self.residuals(x) ** 2).sum())

    def strength(self, n: int) -> Vector:
        """Square roots of the diagonal of P, shape (n,), where the rows add P to J'J."""
        unit = float(self.weight.max(initial=0.0)) or 1.0  # squares of weights may over- or underflow
        squares = np.bincount(self.index, weights=(self.weight / unit) ** 2, minlength=n)
        return np.asarray(unit * np.sqrt(squares))

    def scaled(self, factor: float) -> Penalty:
        """The same with all weights times `factor`."""
        return Penalty(self.index, self.center, self.weight * factor)

    def rows(self) -> list[tuple[int, float, float]]:
        """As the core takes them."""
        return list(zip(self.index.tolist(), self.center.tolist(), self.weight.tolist(), strict=True))
