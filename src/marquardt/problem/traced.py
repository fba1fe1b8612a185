"""A problem whose model is a graph: exact derivatives, run by the tape machine of the core."""

from __future__ import annotations

import math
from collections.abc import Sequence
from copy import copy
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..errors import ModelError
from .callback import REJECTS, CallbackProblem, native_loss, penalty_rows, refusing, rounding_size
from .likelihood import Likelihood
from .losses import Loss
from .penalty import Penalty
from .programs import CorePrograms, Programs
from .version import Version
from .whitening import Whitening

if TYPE_CHECKING:
    from .model import Model

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]


def _is_plain(column: Any) -> bool:
    return type(column) is np.ndarray and column.dtype == np.float64 and column.flags.c_contiguous


class LostTrace(Exception):
    """At a trial point the function takes a path that cannot be traced: it must be called back."""


class _OutOfCore(Exception):
    """A branch reached during the fit needs an operation without a kernel: all goes on in NumPy."""


class TracedProblem:
    """Residuals ``(model - y) * w`` of a traced model, as a function of its free parameters.

    With a whitening W they are ``W (model - y)``.
    """

    exact = True
    penalty: Penalty | None = None
    loss: Loss | Likelihood | None = None
    linear: tuple[int, ...] = ()
    """Positions among the free parameters of those that are to be projected out."""
    whitening: Whitening | None = None

    def __init__(
        self,
        model: Model,
        arguments: Sequence[Any],
        y: Vector | None,
        w: Vector | None,
        values: Vector,
        free: tuple[int, ...],
        version: Version,
    ) -> None:
        self.model, self.arguments, self.y, self.w = model, arguments, y, w
        self.values, self.free = values, free
        self.size = version.size
        self.spread = self.size == 1 and y is not None and y.size > 1  # a model of one value for all points
        if self.spread and y is not None:
            self.size = y.size
        if y is not None and y.size != self.size:
            raise ModelError(f"the model gives {self.size} values for {y.size} data points")

    def full(self, x: Vector) -> Vector:
        """All parameter values: the free ones from `x`, the others as given."""
        if len(self.free) == self.values.size:
            return x
        values: Vector = self.values.copy()
        values[list(self.free)] = x
        return values

    def version(self, x: Vector) -> Version:
        """The traced version that holds at `x`."""
        version = self.model.version_at(self.arguments, self.full(x))
        if version is None:
            raise LostTrace
        return version

    def families(self, version: Version) -> list[tuple[Programs, list[Vector], NDArray[np.intp]]]:
        out = []
        programs = self._programs(version)
        for family, made in zip(version.trace.families, programs, strict=True):
            columns = [c.extract(self.arguments) for c in family.columns]
            rows = family.rows
            if self.spread:
                columns = [np.full(self.size, c[0]) for c in columns]
                rows = np.arange(self.size).reshape(1, -1)
            if isinstance(made, CorePrograms):
                columns = made.columns(columns)
            out.append((made, columns, rows))
        return out

    def sample(self, rows: int) -> TracedProblem | None:
        """The same problem on about so many evenly spaced points; None where points cannot be told apart."""
        version = self.version(self.values[list(self.free)])
        if not version.pointwise or self.spread or self.size < 2 * rows or self.whitening is not None:
            return None
        pick = slice(None, None, self.size // rows)
        arguments = tuple(np.ascontiguousarray(a[pick]) for a in self.arguments)
        y, w = (None if v is None else np.ascontiguousarray(v[pick]) for v in (self.y, self.w))
        model = self.model.of_length(len(arguments[0]))
        small = model.version_at(arguments, self.values)
        if small is None or not small.pointwise:
            return None
        part = TracedProblem(model, arguments, y, w, self.values, self.free, small)
        part.loss = None if self.loss is None else self.loss.rows(pick)
        part.linear = self.linear
        if self.penalty is None:
            return part
        return part.with_penalty(self.penalty.scaled(math.sqrt(part.size / self.size)))

    def residuals(self, x: Vector) -> Vector:
        """Weighted residuals in data order, shape (m,)."""
        values, f = self.full(x), np.empty(self.size)
        for programs, columns, rows in self.families(self.version(x)):
            n = rows.shape[1]
            if isinstance(programs, CorePrograms):
                f[rows] = programs.value.run(values, columns, n)
            else:
                f[rows] = programs.value(values, columns, n)
        if self.y is not None:
            f -= self.y
        return self._weighted(f)

    def _weighted(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Differences from the data, (m,), or derivatives of the model, (m, p), as residuals are weighted."""
        if self.whitening is not None:
            return self.whitening.white(values)
        if self.w is None:
            return values
        weighted: NDArray[np.float64] = values * (self.w if values.ndim == 1 else self.w[:, None])
        return weighted

    def jacobian(self, x: Vector, f: Vector | None = None) -> Matrix:
        """Jacobian of the residuals, shape (m, p)."""
        values, J = self.full(x), np.empty((self.size, x.size))
        for programs, columns, rows in self.families(self.version(x)):
            k, n = rows.shape
            if isinstance(programs, CorePrograms):
                d = programs.jacobian.run(values, columns, n)[k:].reshape(k, -1, n)
            else:
                d = programs.jacobian(values, columns, n)
            J[rows] = d.transpose(0, 2, 1)
        return self._weighted(J)

    def minimize(self, x0: Vector, lower: Vector, upper: Vector, options: Any, observe: Any) -> Any:
        """Run the core on this problem."""
        version = self.version(x0)
        made = self._programs(version)
        if self.whitening is not None:
            return self._minimize_here(x0, lower, upper, options, observe)
        if self.model.in_core and all([p.native is not None for p in made]):
            try:
                return _core.minimize_curve(
                    self._native(version, made), self.values, self.free, self._retrace,
                    x0, lower, upper, options, observe, penalty_rows(self.penalty),
                    native_loss(self.loss), self.linear,
                )  # fmt: skip
            except _OutOfCore:
                pass
        self.model.in_core = False
        return self._minimize_here(x0, lower, upper, options, observe)

    def _minimize_here(self, x0: Vector, lower: Vector, upper: Vector, options: Any, observe: Any) -> Any:
        newton = self.twice(x0)
        return _core.minimize_callback(
            self.trial_residuals, self.jacobian, self._curvature_along,
            self.residual_hessian if newton else None,
            self.size, rounding_size(self.y, self.w, self.whitening), x0, lower, upper, options, observe,
            penalty_rows(self.penalty), native_loss(self.loss), self.linear if newton else (),
        )  # fmt: skip

    def minimize_many(
        self, starts: Matrix, lower: Vector, upper: Vector, options: Any, threads: int
    ) -> list[Any] | None:
        """Run the core from each row of `starts`; None where this problem does not run in it.

        Branches are traced in the order in which they are met, and so by one thread.
        """
        version = self.version(starts[0])
        made = self._programs(version)
        if not (self.model.in_core and all([p.native is not None for p in made])):
            return None
        try:
            return _core.minimize_curve_many(
                self._native(version, made), self.values, self.free, self._retrace,
                starts, lower, upper, options, 1 if version.trace.guards else threads,
                penalty_rows(self.penalty), native_loss(self.loss), self.linear,
            )  # fmt: skip
        except _OutOfCore:
            return None

    def _programs(self, version: Version) -> list[Programs]:
        return version.programs(self.free, self.size, self.model.in_core)

    def _row_weights(self) -> Vector | None:
        """Weights of the residuals, or how often each row counts in a likelihood."""
        return self.loss.cases if isinstance(self.loss, Likelihood) else self.w

    def _native(self, version: Version, made: list[Programs]) -> tuple[list[Any], NDArray[np.intp] | None]:
        """A version as the core takes it: (programs, columns, y, w, rows) per family, and the data order."""
        if version.pointwise and not self.spread and made[0].derive is None:  # the short way of most fits
            columns = [self.arguments[k] for k in version.argument_of]
            if all([_is_plain(c) for c in columns]):
                return [(made[0].native, columns, self.y, self._row_weights(), self.size)], None
        w, whole = self._row_weights(), self.spread or version.whole
        blocks = []
        for programs, columns, rows in self.families(version):
            assert isinstance(programs, CorePrograms)
            pick = (lambda v: v) if whole else (lambda v, rows=rows: None if v is None else v[rows.ravel()])
            blocks.append((programs.native, columns, pick(self.y), pick(w), rows.shape[1]))
        return blocks, None if whole else version.order

    def _retrace(self, x: Vector) -> tuple[list[Any], NDArray[np.intp] | None] | None:
        """The version that holds at `x`, when none in use does; None where the model refuses `x`."""
        try:
            version = self.version(x)
        except ModelError:
            raise
        except REJECTS:
            return None
        made = self._programs(version)
        if not all(isinstance(p, CorePrograms) for p in made):
            raise _OutOfCore
        return self._native(version, made)

    def trial_residuals(self, x: Vector) -> Vector:
        return refusing(self.residuals, x, self.size)

    def _curvature_along(self, x: Vector, v: Vector) -> Vector:
        """Second derivative of the residuals along `v`, shape (m,)."""
        values, out = self.full(x), np.empty(self.size)
        for programs, columns, rows in self.families(self.version(x)):
            out[rows] = programs.curvature(values, columns, v, rows.shape[1])
        return self._weighted(out)

    def twice(self, x: Vector) -> bool:
        """Are exact second derivatives at hand?"""
        return all([p.pairs is not None for p in self._programs(self.version(x))])

    def residual_hessian(self, x: Vector, f: Vector) -> Matrix:
        """sum_i f_i H_i, shape (p, p)."""
        values, weights = self.full(x), f if self.w is None else f * self.w
        if self.whitening is not None:
            weights = self.whitening.transposed(f)
        total = np.zeros((x.size, x.size))
        for programs, columns, rows in self.families(self.version(x)):
            total += programs.hessian(values, columns, weights[rows])
        return total

    def as_callback(self) -> CallbackProblem:
        """The same problem with the function called back."""
        problem = CallbackProblem(self.model, self.arguments, self.y, self.w, self.values, self.free)
        problem.loss, problem.whitening = self.loss, self.whitening
        return problem if self.penalty is None else problem.with_penalty(self.penalty)

    def with_penalty(self, penalty: Penalty) -> TracedProblem:
        """The same problem with `penalty` added to its cost; ``residuals`` stay those of the data."""
        penalized = copy(self)
        penalized.penalty, penalized.linear = penalty, ()
        return penalized

    def with_whitening(self, whitening: Whitening | None) -> TracedProblem:
        """The same problem with correlated errors instead of weights."""
        other = copy(self)
        other.whitening = whitening
        return other

    def with_loss(self, loss: Loss | Likelihood | None) -> TracedProblem:
        """The same problem with another loss or likelihood; ``residuals`` stay what they are."""
        other = copy(self)
        other.loss = loss
        if loss is not None:
            other.linear = ()
        return other

    def with_all_parameters(self) -> TracedProblem:
        """The same problem with no parameter projected out."""
        other = copy(self)
        other.linear = ()
        return other

    def project(self, kept: tuple[int, ...] = ()) -> None:
        """Let the minimizer project linear parameters out, but for those at `kept` positions."""
        version = self.model.versions[0]
        if not version.trace.guards:  # another branch may hold another set
            self.linear = version.linear(self, kept)


Problem = TracedProblem | CallbackProblem
