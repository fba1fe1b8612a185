"""A problem whose model is a graph: exact derivatives, run by the tape machine of the core."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..errors import ModelError, Untraceable
from ..expr.formula import Formula
from ..expr.interpret import compile_numpy
from ..expr.trace import Column, Family, Fingerprint, Trace
from ..expr.trace.leaves import Argument
from .callback import REJECTS, CallbackProblem, as_real
from .programs import CorePrograms, NumpyPrograms, Programs, guard_test, make_programs

if TYPE_CHECKING:
    from .model import Model

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

HOIST_ROWS = 256
"""Below this many rows, working out data-only expressions once costs more in NumPy calls than it saves."""
HOIST_MEMORY = 64_000_000
"""Bytes that such columns may take at most."""
SAMPLE_ROWS = 20_000
"""Of more rows than this, a pointwise model is verified on an even sample."""
VERIFIED_AT = (1.0, 1.0 + 2.0**-7, 1.0 - 3.0 * 2.0**-9)
"""A new trace is compared with the function at the start and, times these, at two points nearby."""


class Version:
    """One trace of a model with the programs made from it, kept for every choice of free parameters."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.holds_at = guard_test(trace.guards) if trace.guards else _always
        first = trace.families[0]
        rows = np.arange(int(np.prod(trace.shape))).reshape(1, -1)
        self.whole = len(trace.families) == 1 and np.array_equal(first.rows, rows)
        """One expression for all points, in their order."""
        self.pointwise = self.whole and all(_is_argument(c, trace.shape) for c in first.columns)
        """Each point depends on its own row of the arguments only: any sample of them will do."""
        self.argument_of = [c.recipe.path[0] for c in first.columns] if self.pointwise else []
        self.size = sum(f.rows.size for f in trace.families)
        self._programs: dict[tuple[tuple[int, ...], bool], list[Programs]] = {}

    def is_current(self, arguments: Sequence[object]) -> bool:
        """Is the function still what was traced: code, closure, globals, and the data if their values were used?"""
        t = self.trace
        return t.fingerprint.unchanged() and (not t.data_bound or t.fits(arguments))

    def programs(self, free: tuple[int, ...], n_rows: int) -> list[Programs]:
        """Programs of each family, for these free parameters."""
        hoist = HOIST_ROWS <= n_rows <= HOIST_MEMORY // 8
        made = self._programs.get((free, hoist))
        if made is None:
            t = self.trace
            n_params = len(t.param_names)
            made = [make_programs(t.graph, f, free, n_params, t.guards, hoist) for f in t.families]
            self._programs[free, hoist] = made
        return made

    @cached_property
    def order(self) -> NDArray[np.intp] | None:
        """Position in the data of each residual in the order of the families; None when they are the same."""
        return None if self.whole else np.concatenate([np.ravel(f.rows) for f in self.trace.families])

    @cached_property
    def evaluate(self) -> Any:
        """The families' values by NumPy, one run per family."""
        return [compile_numpy(f.outputs) for f in self.trace.families]


def _always(values: Vector) -> bool:
    return True


def _is_plain(column: Any) -> bool:
    return type(column) is np.ndarray and column.dtype == np.float64 and column.flags.c_contiguous


def _is_argument(column: Column, shape: tuple[int, ...]) -> bool:
    recipe = column.recipe
    return isinstance(recipe, Argument) and len(recipe.path) == 1 and len(shape) == 1 and column.shape == shape


class FormulaTrace(Trace):
    """A formula as if it had been traced: nothing about it can change but the shape of the data."""

    def fits(self, arguments: Sequence[Any]) -> bool:
        return _shape(arguments) == self.shape


def formula_trace(formula: Formula, arguments: Sequence[object]) -> Trace:
    """One family, one column per data name."""
    shape = _shape(arguments)
    rows = np.arange(int(np.prod(shape))).reshape(1, -1)
    columns = tuple(Column(Argument((k,)), shape) for k in range(len(arguments)))
    return FormulaTrace(
        graph=formula.graph,
        families=(Family((formula.node,), columns, rows),),
        param_names=formula.param_names,
        guards=(),
        shape=shape,
        complex=False,
        data_bound=False,
        fingerprint=Fingerprint(),
        form=(),
        contents=None,
    )


def _shape(arguments: Sequence[Any]) -> tuple[int, ...]:
    return np.broadcast_shapes(*[np.shape(a) for a in arguments])


class TracedProblem:
    """Residuals ``(model - y) * w`` of a traced model, as a function of its free parameters."""

    exact = True

    def __init__(
        self,
        model: Model,
        arguments: Sequence[object],
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
        values = self.values.copy()
        values[list(self.free)] = x
        return values

    def _version(self, x: Vector) -> Version:
        version = self.model.version_at(self.arguments, self.full(x))
        if version is None:
            raise ModelError(f"the model cannot be traced at {x}: {self.model.reason}")
        return version

    def _families(self, version: Version) -> list[tuple[Programs, list[Vector], NDArray[np.intp]]]:
        out = []
        programs = version.programs(self.free, self.size)
        for family, made in zip(version.trace.families, programs, strict=True):
            columns = [c.extract(self.arguments) for c in family.columns]
            rows = family.rows
            if self.spread:
                columns, rows = [np.full(self.size, c[0]) for c in columns], np.arange(self.size).reshape(1, -1)
            if isinstance(made, CorePrograms):
                columns = made.columns(columns)
            out.append((made, columns, rows))
        return out

    def sample(self, rows: int) -> TracedProblem | None:
        """The same problem on about so many evenly spaced points; None where points cannot be told apart."""
        version = self.model.versions[-1]
        if not version.pointwise or self.spread or self.size < 2 * rows:
            return None
        pick = slice(None, None, self.size // rows)
        arguments = tuple(np.ascontiguousarray(a[pick]) for a in self.arguments)  # type: ignore[index]
        y, w = (None if v is None else np.ascontiguousarray(v[pick]) for v in (self.y, self.w))
        model = self.model.alike()
        small = model.version_at(arguments, self.values)
        if small is None or not small.pointwise:
            return None
        return TracedProblem(model, arguments, y, w, self.values, self.free, small)

    def residuals(self, x: Vector) -> Vector:
        """Weighted residuals in data order, shape (m,)."""
        values, f = self.full(x), np.empty(self.size)
        for programs, columns, rows in self._families(self._version(x)):
            n = rows.shape[1]
            if isinstance(programs, CorePrograms):
                f[rows] = programs.value.run(values, columns, n)
            else:
                f[rows] = programs.value(values, columns, n)
        if self.y is not None:
            f -= self.y
        return f if self.w is None else f * self.w

    def jacobian(self, x: Vector, f: Vector | None = None) -> Matrix:
        """Jacobian of the residuals, shape (m, p)."""
        values, J = self.full(x), np.empty((self.size, x.size))
        for programs, columns, rows in self._families(self._version(x)):
            k, n = rows.shape
            if isinstance(programs, CorePrograms):
                d = programs.jacobian.run(values, columns, n)[k:].reshape(k, -1, n)
            else:
                d = programs.jacobian(values, columns, n)
            J[rows] = d.transpose(0, 2, 1)
        return J if self.w is None else J * self.w[:, None]

    def minimize(self, x0: Vector, lower: Vector, upper: Vector, options: Any, observe: Any) -> Any:
        """Run the core on this problem."""
        version = self._version(x0)
        if any([p.native is None for p in version.programs(self.free, self.size)]):
            return _core.minimize_callback(
                self._trial_residuals, self.jacobian, self._curvature_along, self._residual_hessian,
                self.size, rounding_size(self), x0, lower, upper, options, observe,
            )  # fmt: skip
        return _core.minimize_curve(
            self._native(version), self.values, self.free, self._retrace,
            x0, lower, upper, options, observe,
        )  # fmt: skip

    def _native(self, version: Version) -> tuple[list[Any], NDArray[np.intp] | None]:
        """A version as the core takes it: (programs, columns, y, w, rows) per family, and the data order."""
        made = version.programs(self.free, self.size)
        if version.pointwise and not self.spread and made[0].derive is None:  # the short way of most fits
            columns = [self.arguments[k] for k in version.argument_of]
            if all([_is_plain(c) for c in columns]):
                return [(made[0].native, columns, self.y, self.w, self.size)], None
        whole = self.spread or version.whole
        blocks = []
        for programs, columns, rows in self._families(version):
            assert isinstance(programs, CorePrograms)
            pick = (lambda v: v) if whole else (lambda v, rows=rows: None if v is None else v[rows.ravel()])
            blocks.append((programs.native, columns, pick(self.y), pick(self.w), rows.shape[1]))
        return blocks, None if whole else version.order

    def _retrace(self, x: Vector) -> tuple[list[Any], NDArray[np.intp] | None] | None:
        """The version that holds at `x`, where the guards of those in use do not; None: the model refuses `x`."""
        try:
            version = self._version(x)
        except (ModelError, Untraceable):
            raise
        except REJECTS:
            return None
        if not all(isinstance(p, CorePrograms) for p in version.programs(self.free, self.size)):
            raise ModelError("a branch of the model needs an operation that its other branches do not have")
        return self._native(version)

    def _trial_residuals(self, x: Vector) -> Vector:
        try:
            return self.residuals(x)
        except REJECTS as error:
            if isinstance(error, ModelError):
                raise
            return np.full(self.size, np.nan)

    def _curvature_along(self, x: Vector, v: Vector) -> Vector:
        """Second derivative of the residuals along `v`, shape (m,)."""
        values, out = self.full(x), np.empty(self.size)
        for programs, columns, rows in self._families(self._version(x)):
            assert isinstance(programs, NumpyPrograms)
            out[rows] = programs.curvature(values, columns, v, rows.shape[1])
        return out if self.w is None else out * self.w

    def _residual_hessian(self, x: Vector, f: Vector) -> Matrix:
        """sum_i f_i H_i, shape (p, p)."""
        values, weights = self.full(x), f if self.w is None else f * self.w
        total = np.zeros((x.size, x.size))
        for programs, columns, rows in self._families(self._version(x)):
            assert isinstance(programs, NumpyPrograms)
            total += programs.hessian(values, columns, weights[rows])
        return total

    def verify(self) -> bool:
        """Does a new trace give what the function gives, at the start and two points nearby?

        Hidden state (a counter, a random number, a file) is what a trace cannot see. False distrusts the trace.
        """
        version = self.model.versions[-1]
        for factor in VERIFIED_AT:
            # A zero must move too: the scale of its neighbors is the best guess at a sensible size.
            shift = (factor - 1.0) * (float(np.abs(self.values).mean()) or 1.0)
            values = np.where(self.values == 0.0, shift, self.values * factor)
            if version.holds_at(values):
                if not self._same(version, values, lambda a, _, v=values: self._traced_values(version, a, v)):
                    return False
        return True

    def agrees(self, x: Vector, f: Vector) -> bool:
        """Does the real function still give, at `x`, the values behind the residuals `f`? False distrusts the trace."""
        if self.y is None or isinstance(self.model.function, Formula):
            return True
        y, w = self.y, self.w

        def traced(_: Sequence[object], rows: slice) -> Vector:
            if w is None:
                return f[rows] + y[rows]
            with np.errstate(all="ignore"):
                return f[rows] / w[rows] + y[rows]

        return self._same(self.model.versions[-1], self.full(x), traced)

    def _sample(self, version: Version) -> tuple[Sequence[object], slice]:
        """Arguments to compare on, and the rows of the data they stand for."""
        if not version.pointwise or self.size <= SAMPLE_ROWS:
            return self.arguments, slice(None)
        rows = slice(None, None, self.size // SAMPLE_ROWS)
        return tuple(a[rows] for a in self.arguments), rows  # type: ignore[index]

    def _traced_values(self, version: Version, arguments: Sequence[object], values: Vector) -> Vector:
        if version.pointwise:
            found = version.evaluate[0](values, arguments)[0]
            shape = np.broadcast_shapes(*[np.shape(a) for a in arguments])  # type: ignore[arg-type]
            return np.array(np.broadcast_to(found, shape))
        out = np.empty(version.size)
        for run, family in zip(version.evaluate, version.trace.families, strict=True):
            for rows, value in zip(family.rows, run(values, [c.extract(arguments) for c in family.columns]), strict=True):
                out[rows] = value
        return out

    def _same(
        self, version: Version, values: Vector, traced_at: Callable[[Sequence[object], slice], Vector]
    ) -> bool:
        """Compare the function with its traced values, on a sample of the data where that is enough."""
        name = getattr(self.model.function, "__name__", "the model")
        arguments, rows = self._sample(version)
        try:
            try:
                plain = as_real(self.model.call(arguments, values))
            except Exception:
                if rows == slice(None):
                    raise
                arguments, rows = self.arguments, slice(None)  # it may need all its data at once
                plain = as_real(self.model.call(arguments, values))
        except Exception as error:
            self.model.distrust(f"`{name}` raises {type(error).__name__} where its trace does not: {error}")
            return False
        traced = traced_at(arguments, rows)
        if self.spread and plain.size == 1:
            plain = np.full(traced.size, plain[0])
        if plain.size != traced.size:
            self.model.distrust(f"`{name}` gives {plain.size} values where its trace gives {traced.size}")
            return False
        if self.w is not None:  # a point of weight zero leaves no residual to compare
            seen = self.w[rows] != 0.0
            plain, traced = plain[seen], traced[seen]
        k = _core.first_difference(plain, traced)
        if k is None:
            return True
        self.model.distrust(
            f"`{name}` depends on something its arguments do not show: element {k} is {plain[k]:.6g}, "
            f"by its trace {traced[k]:.6g}"
        )
        return False

    def as_callback(self) -> CallbackProblem:
        """The same problem with the function called back."""
        return CallbackProblem(self.model, self.arguments, self.y, self.w, self.values, self.free)


def rounding_size(problem: TracedProblem | CallbackProblem) -> Vector | None:
    """|y| * w: what the subtraction of the data adds to the rounding error of a residual."""
    if problem.y is None:
        return None
    return np.abs(problem.y) if problem.w is None else np.abs(problem.y * problem.w)


Problem = TracedProblem | CallbackProblem
