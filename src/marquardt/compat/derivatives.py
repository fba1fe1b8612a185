"""Problems for functions that are called back: SciPy's ways to their Jacobian, and correlated errors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.sparse import issparse
from scipy.sparse.linalg import LinearOperator

from .. import _core
from ..problem.callback import CallbackProblem, rounding_size
from ..problem.differences import EPS, Differences
from ..problem.given import dense_jacobian
from ..problem.model import Model
from ..problem.traced import LostTrace, Problem

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

TINY = 1e-40
"""The complex step: no difference is taken, so that nothing cancels however small it is."""
SCALE_MATTERS = 100.0
"""A forward difference is good within so large a factor of the best step; beyond it, it is taken again."""


class Forward(Differences):
    """Forward differences, ``(f(x + h) - f(x)) / h`` with ``h = sqrt(eps) * size``, inside the bounds.

    One evaluation per parameter, as with SciPy's "2-point"; the typical size is that of `Differences`.
    """

    def _jacobian(self, x: Vector, f: Vector) -> Matrix:
        size = self._size(x, f)
        steps = self.step * size
        columns = [self._forward(x, f, j, steps[j]) for j in range(x.size)]
        norms = np.array([float(np.linalg.norm(c)) for c in columns])
        if self.column_norms is None:  # what started at zero has been stepped blindly; now there is a scale
            self.column_norms = norms
            better = self._size(x, f)
            ratio = np.maximum(better / size, size / better)
            for j in np.flatnonzero((norms > 0.0) & (ratio > SCALE_MATTERS)).tolist():
                columns[j] = self._forward(x, f, j, (self.step * better)[j])
        self.column_norms = np.where(norms > 0.0, norms, self.column_norms)
        return np.stack(columns, axis=1)

    def _size(self, x: Vector, f: Vector) -> Vector:
        """Nor is a parameter that shrinks stepped by less than a tenth of what it was: near zero such a step
        would change nothing in residuals that are not small."""
        size = self._typical(x, f)
        assert self.largest is not None
        return np.maximum(size, 0.1 * self.largest)

    def _forward(self, x: Vector, f: Vector, j: int, step: float) -> Vector:
        near = x.copy()
        near[j] += step if x[j] >= 0.0 else -step
        if not self.lower[j] <= near[j] <= self.upper[j]:
            near[j] = 2.0 * x[j] - near[j]
        if not self.lower[j] <= near[j] <= self.upper[j]:  # bounds closer than two steps
            near[j] = self.upper[j] if self.upper[j] - x[j] > x[j] - self.lower[j] else self.lower[j]
        slope: Vector = (self.residuals(near) - f) / (near[j] - x[j])
        return slope


class Called(CallbackProblem):
    """A function called back, with differences as asked for: "2-point", "3-point" or "cs".

    ``calls`` counts all calls. The values at the start, and the last Jacobian, are not worked out twice.
    """

    def __init__(
        self, model: Model, arguments: Sequence[Any], y: Vector | None, w: Vector | None, values: Vector,
        scheme: str = "2-point", step: Any = None,
    ) -> None:  # fmt: skip
        self.calls, self._eps = 0, EPS
        self._first: tuple[Vector, Vector] | None = None
        self._last: Any = None
        self.shape: tuple[int, ...] = ()
        super().__init__(model, arguments, y, w, values, tuple(range(values.size)))
        self.scheme, self.relative_step = scheme, step

    def model_values(self, x: Vector) -> Vector:
        if self._first is not None:
            if np.array_equal(self._first[0], x):
                return self._first[1]
            return self._call(x)
        values = self._call(x)
        self._first = x.copy(), values
        return values

    def _call(self, x: Vector) -> Vector:
        self.calls += 1
        found = self.model.call(self.arguments, x)
        self.shape = found.shape
        if np.iscomplexobj(found):
            raise TypeError("the function returns complex numbers: give real and imaginary parts one by one")
        if found.dtype == np.float32:  # differences must see more than its rounding
            self._eps = float(np.finfo(np.float32).eps)
        return np.ascontiguousarray(np.ravel(found), dtype=np.float64)

    def jacobian(self, x: Vector, f: Vector | None = None) -> Matrix:
        if self._last is not None and np.array_equal(self._last[0], x):
            last: Matrix = self._last[2]
            return last
        return self._fresh_jacobian(x, self.residuals(x) if f is None else f)

    def _fresh_jacobian(self, x: Vector, f: Vector) -> Matrix:
        if self.scheme == "cs":
            return complex_step(self._complex_residuals, x)
        if self.differences is None:
            unbounded = np.full(x.size, np.inf)
            self._prepare(-unbounded, unbounded)
        assert self.differences is not None
        return self.differences.jacobian(x, f)

    def _prepare(self, lower: Vector, upper: Vector) -> None:
        if self.scheme == "2-point":
            step = np.sqrt(self._eps) if self.relative_step is None else np.abs(self.relative_step)
            self.differences = Forward(self.trial_residuals, lower, upper, step * np.ones(lower.size))
        else:
            self.differences = Differences(self.trial_residuals, lower, upper, self.relative_step)

    def minimize(self, x0: Vector, lower: Vector, upper: Vector, options: Any, observe: Any) -> Any:
        self._prepare(lower, upper)
        return _core.minimize_callback(
            self.trial_residuals, self._remembered_jacobian, self.curvature_along, None,
            self.size, rounding_size(self.y, self.w), x0, lower, upper, options, observe, None,
        )  # fmt: skip

    def _complex_residuals(self, x: Any) -> Any:
        self.calls += 1
        f = np.ravel(self.model.call(self.arguments, x))
        f = f if self.y is None else f - self.y
        return f if self.w is None else f * self.w


class Supplied(Called):
    """A function called back, with the caller's Jacobian ``given(x)``."""

    given: Callable[[Vector], Any]
    at_start: Any
    """What `given` returned at the start."""

    def supply(self, given: Callable[[Vector], Any], x0: Vector) -> None:
        """Take `given`, and evaluate it at x0."""
        self.given = given
        self.at_start = given(x0.copy())
        if isinstance(self.at_start, LinearOperator) or issparse(self.at_start):
            return
        self._last = x0.copy(), None, dense_jacobian(self.at_start, self.size, x0.size)

    def _fresh_jacobian(self, x: Vector, f: Vector) -> Matrix:
        return dense_jacobian(self.given(x.copy()), self.size, x.size)


def complex_step(residuals: Callable[[Any], Any], x: Vector) -> Matrix:
    """Jacobian ``Im f(x + ih) / h`` of residuals that take complex numbers (Squire, Trapp 1998), (m, n).

    >>> complex_step(lambda z: z**2, np.array([3.0]))
    array([[6.]])
    """
    columns = []
    for j in range(x.size):
        z = x.astype(complex)
        z[j] += 1j * TINY
        columns.append(np.imag(residuals(z)) / TINY)
    return np.stack(columns, axis=1)


class Whitened(CallbackProblem):
    """Residuals with correlated errors: ``L^-1 r`` where ``L L'`` is their covariance."""

    def __init__(self, inner: Problem, L: Matrix) -> None:
        self.inner, self.L, self.size, self.differences = inner, L, inner.size, None
        self.model, self.y, self.w, self._terms, self.relative_step = inner.model, None, None, 0.0, None
        self.calls, self.exact = 0, inner.exact

    def residuals(self, x: Vector) -> Vector:
        try:
            f = self.inner.residuals(x)
        except LostTrace:
            self.inner = self.inner.as_callback()  # type: ignore[union-attr]
            f = self.inner.residuals(x)
        self.calls = getattr(self.inner, "calls", self.calls + 1)
        return self._white(f)

    def jacobian(self, x: Vector, f: Vector | None = None) -> Matrix:
        plain = None if f is None else self.L @ f
        try:
            J = self.inner.jacobian(x, plain)
        except LostTrace:
            self.inner = self.inner.as_callback()  # type: ignore[union-attr]
            J = self.inner.jacobian(x, plain)
        return self._white(J)

    def _white(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        if not np.isfinite(values).all():
            return np.full(values.shape, np.nan)
        white: NDArray[np.float64] = solve_triangular(self.L, values, lower=True)
        return np.ascontiguousarray(white)
