"""Problems for functions that are called back: SciPy's ways to their Jacobian."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from scipy.sparse.linalg import LinearOperator

from .. import _core
from ..problem.callback import CallbackProblem, native_loss, rounding_size
from ..problem.differences import EPS, Differences
from ..problem.given import dense_jacobian
from ..problem.model import Model
from .secant import Secant

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

TINY = 1e-40
"""The complex step: no difference is taken, so that nothing cancels however small it is."""
SHRUNK = 0.1
"""A parameter that shrinks is stepped as if it had this part of its largest size at least: near zero a step
by its own size would change nothing in residuals that are not small."""
SCALE_MATTERS = 100.0
"""A forward difference is good within so large a factor of the best step; beyond it, it is taken again."""


class Forward(Differences):
    """Forward differences, ``(f(x + h) - f(x)) / h`` with ``h = sqrt(eps) * size``, inside the bounds.

    One evaluation per parameter, as with SciPy's "2-point". The size is that of the parameter; where it
    started at zero ``|f| / |column|``, the change that would alter the residuals by their own size.
    """

    norms: list[float] | None = None
    sizes: list[float] | None = None

    def _jacobian(self, x: Vector, f: Vector) -> Matrix:
        values, total = x.tolist(), math.sqrt(float(f @ f))
        if self.sizes is None:
            self.sizes = [abs(v) for v in values]
        self.sizes = [max(abs(v), s) if s else 0.0 for v, s in zip(values, self.sizes, strict=True)]
        steps = [self._size(j, v, total) for j, v in enumerate(values)]
        there = [self._there(x, j, self.step[j] * size) for j, size in enumerate(steps)]
        J = np.empty((x.size, f.size))
        for j, found in enumerate(self.many([moved(x, j, to) for j, to in enumerate(there)])):
            J[j] = (found - f) / (there[j] - values[j])
        norms = [math.sqrt(float(c @ c)) for c in J]
        if self.norms is None:  # what started at zero has been stepped blindly; now there is a scale
            self.norms = norms
            for j, v in enumerate(values):
                better = self._size(j, v, total)
                if norms[j] > 0.0 and not 1.0 / SCALE_MATTERS < better / steps[j] < SCALE_MATTERS:
                    to = self._there(x, j, self.step[j] * better)
                    J[j] = (self.residuals(moved(x, j, to)) - f) / (to - v)
        self.norms = [new if new > 0.0 else old for new, old in zip(norms, self.norms, strict=True)]
        return np.ascontiguousarray(J.T)

    def _size(self, j: int, value: float, total: float) -> float:
        assert self.sizes is not None
        if self.sizes[j]:
            return max(abs(value), SHRUNK * self.sizes[j])
        if self.norms is None or not self.norms[j] > 0.0 or total == 0.0:
            return abs(value) or 1.0
        floor = total / self.norms[j]
        return abs(value) if abs(value) > 1e-3 * floor else floor

    def _there(self, x: Vector, j: int, step: float) -> float:
        """Where parameter j is stepped to: away from zero, or to the side where there is room."""
        here, low, high = float(x[j]), float(self.lower[j]), float(self.upper[j])
        there = here + step if here >= 0.0 else here - step
        if not low <= there <= high:
            there = 2.0 * here - there
        if not low <= there <= high:  # bounds closer than two steps
            there = high if high - here > here - low else low
        return there

    def many(self, points: list[Vector]) -> Iterable[Vector]:
        """Residuals at several points."""
        return map(self.residuals, points)


def moved(x: Vector, j: int, to: float) -> Vector:
    near: Vector = x.copy()
    near[j] = to
    return near


class Called(CallbackProblem):
    """A function called back, with differences as asked for: "2-point", "3-point" or "cs".

    ``call(x)`` is the function; ``calls`` counts its calls. The values at the start, and the last Jacobian,
    are not worked out twice.
    """

    def __init__(
        self, model: Model, call: Callable[[Any], Any], y: Vector | None, w: Vector | None, values: Vector,
        scheme: str = "2-point", step: Any = None,
    ) -> None:  # fmt: skip
        self.workers: Callable[..., Any] | None = None
        self.call, self.calls, self._eps = call, 0, EPS
        self._first: tuple[bytes, Vector] | None = None
        self._last: Any = None
        self.shape: tuple[int, ...] = ()
        super().__init__(model, (), y, w, values, tuple(range(values.size)))
        self.scheme, self.relative_step = scheme, step
        if self._first is None:
            self._first = values.tobytes(), self._values_at(values)

    def model_values(self, x: Vector) -> Vector:
        if self._first is not None:
            if self._first[0] == x.tobytes():
                return self._first[1]
            return self._values_at(x)
        values = self._values_at(x)
        self._first = x.tobytes(), values
        return values

    def _values_at(self, x: Vector) -> Vector:
        self.calls += 1
        found = np.asarray(self.call(x.copy()))
        self.shape = found.shape
        if found.dtype != np.float64:
            if found.dtype.kind == "c":
                raise TypeError("the function returns complex numbers: give real and imaginary parts apart")
            if found.dtype == np.float32:  # differences must see more than its rounding
                self._eps = float(np.finfo(np.float32).eps)
        return np.ascontiguousarray(found.ravel(), dtype=np.float64)

    def jacobian(self, x: Vector, f: Vector | None = None) -> Matrix:
        if self._last is not None and self._last[0] == x.tobytes():
            return np.asarray(self._last[1])
        return self._fresh_jacobian(x, self.residuals(x) if f is None else f)

    def _fresh_jacobian(self, x: Vector, f: Vector) -> Matrix:
        if self.scheme == "cs":
            return complex_step(self._complex_residuals, x)
        if self.differences is None:
            unbounded = np.full(x.size, np.inf)
            self.within(-unbounded, unbounded)
        assert self.differences is not None
        return self.differences.jacobian(x, f)

    def within(self, lower: Vector, upper: Vector) -> None:
        """Take differences inside these bounds."""
        if self.scheme == "2-point":
            step = np.sqrt(self._eps) if self.relative_step is None else np.abs(self.relative_step)
            steps = (step * np.ones(lower.size)).tolist()
            forward = Forward(self.trial_residuals, lower, upper, steps)
            if self.workers is not None:
                forward.many = self._by_workers  # type: ignore[method-assign]
            self.differences = forward
        else:
            self.differences = Differences(self.trial_residuals, lower, upper, self.relative_step)

    def _by_workers(self, points: list[Vector]) -> Iterable[Vector]:
        """Residuals at several points, worked out by the caller's ``workers(function, points)``."""
        assert self.workers is not None
        self.calls += len(points)
        for found in self.workers(self.call, points):
            f = np.ravel(found).astype(float)
            f = f if self.y is None else f - self.y
            yield self.weighted(f)

    def minimize(self, x0: Vector, lower: Vector, upper: Vector, options: Any, observe: Any) -> Any:
        self.within(lower, upper)
        self._secant = Secant()
        with np.errstate(all="ignore"):  # once, not around every call
            return _core.minimize_callback(
                self.trial_residuals, self._kept_jacobian, self.curvature_along, self._approximate_hessian,
                self.size, rounding_size(self.y, self.w, self.whitening), x0, lower, upper, options, observe,
                loss=native_loss(self.loss), approximate=True,
            )  # fmt: skip

    def _kept_jacobian(self, x: Vector, f: Vector) -> Matrix:
        J = self.jacobian(x, f)
        self._last = x.tobytes(), J
        if self._eps == EPS:  # differences of single precision tell slopes, but no curvature
            self._secant.arrive(x, J, f if self.loss is None else self.loss.slopes(f))
        return J

    def _approximate_hessian(self, x: Vector, slopes: Vector) -> Matrix:
        return self._secant.at(x)

    def _complex_residuals(self, x: Any) -> Any:
        self.calls += 1
        f = np.ravel(self.call(x))
        f = f if self.y is None else f - self.y
        return self.weighted(f)


class Supplied(Called):
    """A function called back, with the caller's Jacobian ``given(x)``."""

    given: Callable[[Vector], Any]
    at_start: Any
    """What `given` returned at the start."""

    def supply(self, given: Callable[[Vector], Any], x0: Vector) -> None:
        """Take `given`, and evaluate it at x0."""
        self.given, self.scheme = given, ""
        self.at_start = given(x0.copy())
        if isinstance(self.at_start, LinearOperator) or issparse(self.at_start):
            return
        self._last = x0.tobytes(), dense_jacobian(self.at_start, self.size, x0.size)

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
