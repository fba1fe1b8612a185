"""The numbers that prove, or disprove, that an end point is a minimum."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..problem.differences import EPS
from .curvature import Curvature
from .hessian import residual_hessian

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

ZERO = 8.0
"""A gradient component below so many of its own rounding errors is zero as far as arithmetic can tell."""
MOST_DIGITS = 15.95
"""What a double can hold: ``-log10(eps / 2)``."""


class Certificate:
    """What is known about an end point; every number is worked out when it is asked for.

    With J the Jacobian of the residuals f, C the lengths of its columns, and S = Σ f_i H_i, the second
    derivatives of the residuals weighted by them, the Hessian of the cost is J'J + S. Parameters held at a
    bound do not count.
    """

    def __init__(self, outcome: Any, names: tuple[str, ...], lower: Vector, upper: Vector) -> None:
        self._outcome, self._names, self._lower, self._upper = outcome, names, lower, upper

    @property
    def _moves(self) -> NDArray[np.bool_]:
        free: NDArray[np.bool_] = np.equal(self._outcome.active, 0)
        return free

    @property
    def _residuals(self) -> Vector:
        """Those of the data: rows of a penalty follow them."""
        return np.asarray(self._outcome.f)[: self._outcome.problem.size]

    @cached_property
    def lengths(self) -> Vector:
        """Lengths of the columns of J, shape (p,)."""
        return np.asarray(np.sqrt((np.asarray(self._outcome.R) ** 2).sum(axis=0)))

    # -------------------------------------------------------------------------------------------- stationary

    @property
    def offset(self) -> float:
        """Relative offset (Bates, Watts 1981): distance to the minimum over the statistical uncertainty."""
        return float(self._outcome.offset)

    @property
    def tolerance(self) -> float:
        """What `offset` was compared with."""
        return float(self._outcome.tolerance)

    @property
    def gradient(self) -> Vector:
        """Gradient of the cost by the free parameters, J'f, shape (p,)."""
        return np.asarray(self._outcome.gradient)

    @cached_property
    def gradient_floor(self) -> Vector:
        """What rounding errors can do to `gradient`, shape (p,).

        ``eps Σ |J_ij| (|y_i| + |model_i| + |f_i|)``, but at least what the rounding of x does,
        ``eps |J_j| Σ |J_k x_k|``.
        """
        reach = float(self.lengths @ np.abs(self._outcome.x))
        floor: Vector = EPS * np.maximum(np.asarray(self._outcome.rounding), self.lengths * reach)
        return floor

    @property
    def scaled_gradient(self) -> float:
        """Largest gradient component in units of its `gradient_floor`; at most 8 is zero to rounding."""
        return float(self._outcome.scaled_gradient)

    @property
    def stationary(self) -> bool:
        """Is the gradient zero, by `offset` or to rounding?"""
        return self.offset <= self.tolerance or self.scaled_gradient <= ZERO

    # -------------------------------------------------------------------------------------------- curvature

    @property
    def rank(self) -> int:
        """Rank of the Jacobian with columns scaled to length one."""
        return int(self._outcome.rank)

    @property
    def condition(self) -> float:
        """Condition number of the Jacobian with columns scaled to length one."""
        return float(self._outcome.condition)

    @property
    def is_cheap(self) -> bool:
        """Are second derivatives at hand, so that nothing has to be evaluated for any number?"""
        return self._outcome.hessian is not None

    @cached_property
    def residual_hessian(self) -> Matrix | None:
        """S = Σ f_i H_i, shape (p, p); None where it cannot be had.

        Found on the way or by exact derivatives where possible; for a function that is called back it
        takes 2 p² evaluations.
        """
        if not np.isfinite(np.asarray(self._outcome.R)).all():
            return None
        return residual_hessian(self._outcome, self._moves, self._lower, self._upper)

    @cached_property
    def _curvature(self) -> Curvature | None:
        o = self._outcome
        R = np.asarray(o.R)
        return Curvature(R, self.residual_hessian, self._moves, int(o.rank)) if np.isfinite(R).all() else None

    @property
    def smallest_eigenvalue(self) -> float:
        """Of the Hessian of the cost in units that make J's columns one: ``C^-1 (J'J + S) C^-1``.

        Positive: a strict minimum. Negative: the cost falls along the eigenvector. NaN: S is not known.
        """
        return math.nan if self._curvature is None else self._curvature.smallest_eigenvalue

    @property
    def contraction(self) -> float:
        """Spectral radius of (J'J)^-1 S: the part of the error that a Gauss-Newton step leaves, near the end.

        Below 1 Gauss-Newton converges at this rate; from 1 on it runs away from the minimum, if it is one.
        Over the space that J determines; NaN: S is not known.
        """
        return math.nan if self._curvature is None else self._curvature.contraction

    # ----------------------------------------------------------------------------------------------- bounds

    @property
    def active(self) -> tuple[str, ...]:
        """Parameters held at a bound."""
        return tuple(n for n, a in zip(self._names, self._outcome.active, strict=True) if a)

    @property
    def distances(self) -> dict[str, tuple[float, float]]:
        """How far each free parameter is from its lower and its upper bound."""
        x = np.asarray(self._outcome.x)
        pairs = zip((x - self._lower).tolist(), (self._upper - x).tolist(), strict=True)
        return dict(zip(self._names, pairs, strict=True))

    # ------------------------------------------------------------------------------------------------- digits

    @cached_property
    def error(self) -> Vector:
        """How far each free parameter may be from the minimum, shape (p,); infinite where not determined.

        ``|B^-1| (|gradient| + gradient_floor) + eps |x|``, B the Hessian of the cost, or J'J where S is not
        known; a Jacobian by differences adds its own error. This is the error of the computation; that of
        the data is ``stderr``.
        """
        error = np.asarray(EPS * np.abs(self._outcome.x))
        if self._curvature is None:
            return np.full(error.size, np.inf)
        push = np.abs(self.gradient) + self.gradient_floor
        differences = getattr(self._outcome.problem, "differences", None)
        if differences is not None and differences.step is not None:
            push = push + differences.gradient_error(self._outcome.x, self._residuals)
        error[self._moves] += self._curvature.error(push[self._moves])
        return error

    @property
    def digits(self) -> dict[str, float]:
        """Correct digits to expect in each free parameter: ``-log10(error / |x|)``, between 0 and 15.95."""
        x = np.abs(np.asarray(self._outcome.x))
        with np.errstate(divide="ignore", invalid="ignore"):
            found = -np.log10(np.where(x > 0.0, self.error / x, np.where(self.error > 0.0, np.inf, 0.0)))
        clipped = np.clip(np.where(np.isnan(found), 0.0, found), 0.0, MOST_DIGITS)
        return dict(zip(self._names, clipped.tolist(), strict=True))

    # ---------------------------------------------------------------------------------------------- showing

    def to_dict(self) -> dict[str, Any]:
        """All numbers by name, worked out where they were not."""
        return {
            "offset": self.offset,
            "tolerance": self.tolerance,
            "scaled_gradient": self.scaled_gradient,
            "gradient": dict(zip(self._names, self.gradient.tolist(), strict=True)),
            "gradient_floor": dict(zip(self._names, self.gradient_floor.tolist(), strict=True)),
            "rank": self.rank,
            "condition": self.condition,
            "smallest_eigenvalue": self.smallest_eigenvalue,
            "contraction": self.contraction,
            "active": self.active,
            "distances": self.distances,
            "digits": self.digits,
        }

    def __repr__(self) -> str:
        from ..report.certificate import text

        return text(self)
