"""The losses of SciPy's ``least_squares``: ``1/2 Σ C² ρ((f/C)²)``, by name or as the caller's function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..problem.differences import EPS
from ..problem.losses import LOSSES, Loss
from ..problem.traced import Problem
from .rooted import Rooted

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Chosen:
    """A loss other than "linear"; `rho` gives ρ, ρ', ρ'' of ``z = (f/scale)²``, (3, m)."""

    rho: Callable[[Vector], Any]
    scale: float
    name: str = ""
    """Empty: the caller's function."""

    def applied(self, problem: Problem) -> Problem:
        """`problem` with this loss."""
        return problem.with_loss(Loss(self.name, self.scale)) if self.name else Rooted(problem, self)

    def values(self, f: Vector) -> Matrix:
        """ρ, ρ', ρ'' of the residuals f, (m,). Raises ValueError where they have another shape."""
        found = np.asarray(self.rho((f / self.scale) ** 2), dtype=float)
        if found.shape != (3, f.size):
            raise ValueError(
                f"The return value of `loss` callable has wrong shape: {found.shape}, not (3, {f.size})."
            )
        return found

    def jacobian(self, J: Matrix, f: Vector) -> Matrix:
        """What SciPy's result has as ``jac``: rows of `J`, (m, n), times the root of ``ρ' + 2ρ''z``."""
        _, slope, bend = self.values(f)
        root = np.sqrt(np.maximum(slope + 2.0 * bend * (f / self.scale) ** 2, EPS))
        return np.asarray(J * root[:, None])

    def refused(self, f: Vector) -> str:
        """Why the cost is no sum of squares where the residuals are f, (m,); empty where it is one."""
        if self.name:
            return ""
        at_zero, here = self.values(np.zeros(f.size))[0], self.values(f)[0]
        if not at_zero.any() and not np.any(here < 0.0):
            return ""
        return "the loss is negative, or not 0 at 0"


def chosen_loss(loss: Any, f_scale: Any) -> Chosen | None:
    """What `loss` and `f_scale` ask for; None for "linear". The sign of `f_scale` has no effect.

    >>> chosen_loss("cauchy", 0.5).values(np.array([0.5]))[:, 0].round(3)
    array([ 0.693,  0.5  , -0.25 ])
    """
    if isinstance(loss, str) and loss == "linear":
        return None
    scale = abs(float(f_scale))
    if not 0.0 < scale < np.inf:
        raise ValueError(f"`f_scale` must be a positive number, not {f_scale!r}.")
    if callable(loss):
        return Chosen(loss, scale)
    return Chosen(LOSSES[loss].rho, scale, loss)
