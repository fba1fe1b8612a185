"""A loss of the caller's as plain squares of other residuals."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..problem.callback import CallbackProblem
from ..problem.traced import LostTrace, Problem
from .derivatives import Called

if TYPE_CHECKING:
    from .losses import Chosen

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

TINY = 1e-14
"""Below this ρ is a difference of numbers near 1 in many a formula, ``2 (√(1 + z) - 1)`` for one."""


class Rooted(CallbackProblem):
    """Residuals ``g = f √(ρ/z)``, whose squares are what the caller's loss makes of f: ``g² = C² ρ(z)``.

    f are those of the problem `inner`, traced or called back. The derivative is ``ρ' f / g``, so that cost
    and gradient are exact. Where ρ is negative there is no such g: the step is refused.
    """

    _here: tuple[bytes, Vector] = b"", np.empty(0)

    def __init__(self, inner: Problem, loss: Chosen) -> None:
        self.inner, self.chosen, self.size, self.differences = inner, loss, inner.size, None
        self.model, self.y, self.w, self._terms, self.relative_step = inner.model, None, None, 0.0, None
        self.calls, self.exact = 0, inner.exact
        self.scheme = getattr(inner, "scheme", "")

    def inner_residuals(self, x: Vector) -> Vector:
        f: Vector = self._traced(lambda inner: inner.residuals(x))
        self.calls = getattr(self.inner, "calls", self.calls + 1)
        return f

    def residuals(self, x: Vector) -> Vector:
        f = self.inner_residuals(x)
        self._here = x.tobytes(), f
        return self._roots(f)[0]

    def jacobian(self, x: Vector, f: Vector | None = None) -> Matrix:
        here, inner = self._here
        if here != x.tobytes():
            inner = self.inner_residuals(x)
        return np.ascontiguousarray(self.inner_jacobian(x, inner) * self._roots(inner)[1][:, None])

    def inner_jacobian(self, x: Vector, f: Vector) -> Matrix:
        J: Matrix = self._traced(lambda inner: inner.jacobian(x, f))
        return J

    def minimize(self, x0: Vector, lower: Vector, upper: Vector, options: Any, observe: Any) -> Any:
        self.within(lower, upper)
        return super().minimize(x0, lower, upper, options, observe)

    def within(self, lower: Vector, upper: Vector) -> None:
        """Take differences inside these bounds."""
        if isinstance(self.inner, Called):
            self.inner.within(lower, upper)

    def _traced(self, evaluate: Callable[[Problem], Any]) -> Any:
        """What the inner problem gives; one whose trace is lost is called back from then on."""
        try:
            return evaluate(self.inner)
        except LostTrace:
            self.inner = self.inner.as_callback()  # type: ignore[union-attr]
            return evaluate(self.inner)

    def _roots(self, f: Vector) -> tuple[Vector, Vector]:
        if not np.isfinite(f).all():
            return np.full(f.size, np.nan), np.full(f.size, np.nan)
        z = (f / self.chosen.scale) ** 2
        rho, slope, _ = self.chosen.values(f)
        tiny = z < TINY  # ρ/z is ρ'(0) there
        ratio = np.where(tiny, slope, rho / np.where(tiny, 1.0, z))
        root = np.where(ratio >= 0.0, np.sqrt(np.maximum(ratio, 0.0)), np.nan)
        return f * root, np.where(root == 0.0, 0.0, slope / np.where(root == 0.0, 1.0, root))
