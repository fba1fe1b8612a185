"""A problem with some of its free parameters held: what is left to minimize over the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .callback import refusing

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]


class HeldProblem:
    """Residuals of `problem` as a function of its free parameters `moving`; the others stay as in `x`.

    Changing ``x`` in place holds them elsewhere. The rows of a penalty are residuals like all others here.
    """

    exact = False
    penalty = None

    def __init__(self, problem: Any, x: Vector, moving: Sequence[int]) -> None:
        self.problem, self.x, self.moving = problem, np.array(x, dtype=float), list(moving)
        rows = 0 if problem.penalty is None else problem.penalty.index.size
        self.size, self.model = problem.size + rows, problem.model

    def full(self, u: Vector) -> Vector:
        """All free parameters of the whole problem."""
        x: Vector = self.x.copy()
        x[self.moving] = u
        return x

    def residuals(self, u: Vector) -> Vector:
        """Weighted residuals, and the rows of a penalty, shape (m,)."""
        x, penalty = self.full(u), self.problem.penalty
        f = np.asarray(self.problem.residuals(x))
        return f if penalty is None else np.concatenate([f, penalty.residuals(x)])

    def jacobian(self, u: Vector, f: Vector | None = None) -> Matrix:
        """Jacobian by the moving parameters, shape (m, len(moving))."""
        penalty, m = self.problem.penalty, self.problem.size
        J = self.problem.jacobian(self.full(u), None if f is None else f[:m])
        if penalty is not None:
            J = np.vstack([J, np.diag(penalty.weight) @ np.eye(J.shape[1])[penalty.index]])
        return np.ascontiguousarray(J[:, self.moving])

    def minimize(self, u0: Vector, lower: Vector, upper: Vector, options: Any, observe: Any) -> Any:
        """Run the core on this problem."""

        def tried(u: Vector) -> Vector:
            return refusing(self.residuals, u, self.size)

        return _core.minimize_callback(
            tried, self.jacobian, None, None, self.size, None, u0, lower, upper, options, observe
        )
