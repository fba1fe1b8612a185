"""A problem whose model is called back: derivatives by finite differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..errors import ModelError
from .differences import EPS, Differences
from .likelihood import Likelihood
from .losses import Loss
from .penalty import Penalty
from .whitening import Whitening

if TYPE_CHECKING:
    from .model import Model

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

REJECTS = (ArithmeticError, ValueError, AssertionError)
"""What a model may raise at a trial point to say "not here"; the step is refused. All else is an error."""


BEND = 0.02
"""Part of a step over which its curvature is looked for."""
SURE = 4.0
"""A curvature below so many times its rounding error is none."""


class CallbackProblem:
    """Residuals ``(model - y) * w`` of an untraceable function, as a function of its free parameters.

    With a whitening W they are ``W (model - y)``.
    """

    exact = False
    penalty: Penalty | None = None
    loss: Loss | Likelihood | None = None
    linear: tuple[int, ...] = ()
    whitening: Whitening | None = None

    def __init__(
        self,
        model: Model,
        arguments: Sequence[Any],
        y: Vector | None,
        w: Vector | None,
        values: Vector,
        free: tuple[int, ...],
    ) -> None:
        self.model, self.arguments, self.y, self.w = model, tuple(arguments), y, w
        self.values, self.free = values, list(free)
        self.size = int(np.size(self.model_values(values[self.free]))) if y is None else y.size
        self.differences: Differences | None = None
        self.relative_step: Any = None
        self._terms = 0.0  # size of what residuals are the difference of: the largest ones seen

    def full(self, x: Vector) -> Vector:
        values: Vector = self.values.copy()
        values[self.free] = x
        return values

    def model_values(self, x: Vector) -> Vector:
        return as_real(self.model.call(self.arguments, self.full(x)))

    def residuals(self, x: Vector) -> Vector:
        """Weighted residuals, shape (m,)."""
        f: Vector = self.model_values(x)
        if self.y is not None:
            if f.size == 1:
                f = np.full(self.y.size, f[0])
            if f.size != self.y.size:
                raise ModelError(f"the model gives {f.size} values for {self.y.size} data points")
            f = f - self.y
        elif f.size != self.size:
            raise ModelError(f"the function gives {f.size} values here, and gave {self.size} at the start")
        return self.weighted(f)

    def weighted(self, f: Vector) -> Vector:
        """Differences from the data, (m,), as residuals."""
        if self.whitening is not None:
            return self.whitening.white(f)
        return f if self.w is None else f * self.w

    def trial_residuals(self, x: Vector) -> Vector:
        """Residuals at a trial point: where the model refuses, NaN, so that the step is refused too."""
        return refusing(self.residuals, x, self.size)

    def jacobian(self, x: Vector, f: Vector | None = None) -> Matrix:
        """Jacobian of the residuals, shape (m, p)."""
        f = self.residuals(x) if f is None else f
        if self.differences is None:
            unbounded = np.full(x.size, np.inf)
            self.differences = Differences(self.trial_residuals, -unbounded, unbounded, self.relative_step)
        return self.differences.jacobian(x, f)

    def minimize(self, x0: Vector, lower: Vector, upper: Vector, options: Any, observe: Any) -> Any:
        """Run the core on this problem."""
        self.differences = Differences(self.trial_residuals, lower, upper, self.relative_step)
        return _core.minimize_callback(
            self.trial_residuals, self._remembered_jacobian, self.curvature_along, None,
            self.size, rounding_size(self.y, self.w, self.whitening), x0, lower, upper, options, observe,
            penalty_rows(self.penalty), native_loss(self.loss),
        )  # fmt: skip

    def _remembered_jacobian(self, x: Vector, f: Vector) -> Matrix:
        J = self.jacobian(x, f)
        self._last = x.copy(), f.copy(), J
        with np.errstate(all="ignore"):
            terms = float(np.abs(f).max(initial=0.0)), float((np.abs(J) @ np.abs(x)).max(initial=0.0))
        self._terms = max(self._terms, *(t for t in terms if np.isfinite(t)), 0.0)
        return J

    def curvature_along(self, x: Vector, v: Vector) -> Vector:
        """Second derivative of the residuals along `v`, shape (m,): ``2/h ((f(x + h v) - f)/h - J v)``.

        Zero where it is lost in rounding errors, which this difference magnifies by 2/h²: near a minimum
        with vanishing residuals steps that seem to bend would otherwise be shortened over and over.
        """
        where, f, J = self._last
        if not np.array_equal(where, x):
            f, J = self.residuals(x), self.jacobian(x)
        with np.errstate(all="ignore"):
            second = 2.0 / BEND * ((self.trial_residuals(x + BEND * v) - f) / BEND - J @ v)
            noise = 2.0 / BEND**2 * EPS * self._terms * np.sqrt(f.size)
            return np.zeros(f.size) if np.sqrt((second**2).sum()) <= SURE * noise else second

    def with_penalty(self, penalty: Penalty) -> CallbackProblem:
        """The same problem with `penalty` added to its cost; ``residuals`` stay those of the data."""
        penalized = copy(self)
        penalized.penalty = penalty
        return penalized

    def project(self, kept: tuple[int, ...] = ()) -> None:
        """Without a graph nobody knows what is linear: nothing is projected out."""

    def with_whitening(self, whitening: Whitening | None) -> CallbackProblem:
        """The same problem with correlated errors instead of weights."""
        other = copy(self)
        other.whitening = whitening
        return other

    def with_loss(self, loss: Loss | Likelihood | None) -> CallbackProblem:
        """The same problem with another loss or likelihood; ``residuals`` stay what they are."""
        other = copy(self)
        other.loss = loss
        return other


def refusing(residuals: Callable[[Vector], Vector], x: Vector, size: int) -> Vector:
    """``residuals(x)``, or NaN where the model refuses `x`: a step there is refused."""
    try:
        return np.ascontiguousarray(residuals(x))
    except ModelError:
        raise
    except REJECTS:
        return np.full(size, np.nan)


def penalty_rows(penalty: Penalty | None) -> list[tuple[int, float, float]] | None:
    """A penalty as the core takes it."""
    return None if penalty is None else penalty.rows()


def native_loss(loss: Loss | Likelihood | None) -> tuple[Any, ...] | None:
    """A loss or likelihood as the core takes it."""
    return None if loss is None else loss.native()


def rounding_size(y: Vector | None, w: Vector | None, whitening: Whitening | None = None) -> Vector | None:
    """|y| * w: what the subtraction of the data adds to the rounding error of a residual."""
    if y is None:
        return None
    if whitening is not None:
        return whitening.magnitude(y)
    return np.abs(y) if w is None else np.abs(y * w)


def as_real(values: NDArray[Any]) -> Vector:
    """Flat float64 values; complex ones as all real parts, then all imaginary parts.

    >>> as_real(np.array([1 + 2j, 3 + 4j]))
    array([1., 3., 2., 4.])
    """
    if values.dtype == np.float64 and values.ndim == 1 and values.flags.c_contiguous:
        return values
    if np.iscomplexobj(values):
        return np.concatenate([values.real.ravel(), values.imag.ravel()])
    return np.ascontiguousarray(np.ravel(values), dtype=np.float64)
