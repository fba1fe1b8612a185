"""One trace of a model, with the programs made from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..expr.formula import Formula
from ..expr.graph import reachable
from ..expr.interpret import compile_numpy
from ..expr.separable import linear_parameters
from ..expr.trace import Column, Family, Fingerprint, Trace
from ..expr.trace.leaves import Argument
from ..expr.trace.record import form_of
from .programs import Programs, guard_test, make_programs

if TYPE_CHECKING:
    from .traced import TracedProblem

Vector = NDArray[np.float64]

HOIST_ROWS = 256
"""Below this many rows, working out data-only expressions once costs more in NumPy calls than it saves."""
HOIST_MEMORY = 64_000_000
"""Bytes that such columns may take at most."""


class Version:
    """One trace of a model with the programs made from it, kept for every choice of free parameters."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.holds_at = guard_test(trace.guards) if trace.guards else _always
        first = trace.families[0]
        rows = np.arange(int(np.prod(trace.shape))).reshape(1, -1)
        self.whole = len(trace.families) == 1 and np.array_equal(first.rows, rows)
        """One expression for all points, in their order."""
        self.argument_of = [_argument(c, trace.shape) for c in first.columns]
        self.pointwise = self.whole and len(trace.shape) == 1 and -1 not in (self.argument_of or [-1])
        """Each point depends on its own row of the arguments only: any sample of them will do."""
        self.size = sum(f.rows.size for f in trace.families)
        self._programs: dict[tuple[tuple[int, ...], bool, bool], list[Programs]] = {}
        self._linear: dict[tuple[tuple[int, ...], tuple[int, ...]], tuple[int, ...]] = {}

    def of_length(self, arguments: Sequence[Any]) -> Version | None:
        """The same trace for arguments of another length, its programs shared; None where points depend on
        one another or the trace on the data."""
        shape = common_shape(arguments)
        if not self.pointwise or self.trace.data_bound or len(shape) != 1:
            return None
        rows = np.arange(shape[0]).reshape(1, -1)
        families = tuple(
            replace(f, columns=tuple(replace(c, shape=shape) for c in f.columns), rows=rows)
            for f in self.trace.families
        )
        form = tuple(map(form_of, arguments)) if self.trace.form else ()
        other = Version(replace(self.trace, families=families, shape=shape, form=form))
        other._programs, other._linear = self._programs, self._linear
        return other

    def is_current(self, arguments: Sequence[Any]) -> bool:
        """Are code, closure and globals still what was traced, and the data where their values were used?"""
        t = self.trace
        return t.fingerprint.unchanged() and (not t.data_bound or t.fits(arguments))

    def programs(self, free: tuple[int, ...], n_rows: int, core: bool = True) -> list[Programs]:
        """Programs of each family, for these free parameters; those of NumPy unless `core`."""
        hoist = HOIST_ROWS <= n_rows <= HOIST_MEMORY // 8
        made = self._programs.get((free, hoist, core))
        if made is None:
            t = self.trace
            n_params = len(t.param_names)
            made = [make_programs(t.graph, f, free, n_params, t.guards, hoist, core) for f in t.families]
            self._programs[free, hoist, core] = made
        return made

    def linear(self, problem: TracedProblem, kept: tuple[int, ...]) -> tuple[int, ...]:
        """Positions, among the free parameters of `problem`, of those in which its residuals are affine.

        Those at the positions `kept` are left out. Read off the graph, and verified once in numbers.
        """
        key = problem.free, kept
        found = self._linear.get(key)
        if found is None:
            found = self._linear[key] = self._find_linear(problem, kept)
        return found

    def _find_linear(self, problem: TracedProblem, kept: tuple[int, ...]) -> tuple[int, ...]:
        outputs = [node for family in self.trace.families for node in family.outputs]
        candidates = {i for k, i in enumerate(problem.free) if k not in kept}
        linear = linear_parameters(outputs, among=candidates)
        positions = tuple(k for k, i in enumerate(problem.free) if i in linear)
        return positions if positions and is_affine(problem, positions) else ()

    @cached_property
    def order(self) -> NDArray[np.intp] | None:
        """Position in the data of each residual in the order of the families; None when they are the same."""
        return None if self.whole else np.concatenate([np.ravel(f.rows) for f in self.trace.families])

    @cached_property
    def unused(self) -> frozenset[int]:
        """Parameters that no output depends on."""
        outputs = [node for family in self.trace.families for node in family.outputs]
        used = {int(node.value) for node in reachable(outputs) if node.op == "param"}
        return frozenset(range(len(self.trace.param_names))) - used

    @cached_property
    def evaluate(self) -> Any:
        """The families' values by NumPy, one run per family."""
        return [compile_numpy(f.outputs) for f in self.trace.families]


def is_affine(problem: TracedProblem, positions: tuple[int, ...]) -> bool:
    """Are the residuals, in numbers, affine in the free parameters at `positions`?

    At the middle of two points they are the mean of the two, but for rounding errors.
    """
    ends = [problem.values[list(problem.free)] for _ in range(2)]
    for end, factor in zip(ends, (0.75, 1.5), strict=True):
        for k, i in enumerate(positions):
            end[i] = end[i] * factor + factor * (1.0 + 0.1 * k)
    first, last, middle = (problem.residuals(x) for x in (*ends, (ends[0] + ends[1]) / 2))
    with np.errstate(all="ignore"):
        gap = np.abs(first + last - 2.0 * middle)
        size = np.abs(first) + np.abs(last) + np.abs(middle)
    finite = np.isfinite(gap)
    return bool((gap[finite] <= 1e-9 * size.max(initial=0.0, where=finite)).all())


def _always(values: Vector) -> bool:
    return True


def _argument(column: Column, shape: tuple[int, ...]) -> int:
    """Number of the argument that a column is, as it stands; -1 if it is made from one."""
    recipe = column.recipe
    if isinstance(recipe, Argument) and len(recipe.path) == 1 and column.shape == shape:
        return int(recipe.path[0])
    return -1


class FormulaTrace(Trace):
    """A formula as if it had been traced: nothing about it can change but the shape of the data."""

    def fits(self, arguments: Sequence[Any]) -> bool:
        return common_shape(arguments) == self.shape


def formula_trace(formula: Formula, arguments: Sequence[Any]) -> Trace:
    """One family, one column per data name."""
    shape = common_shape(arguments)
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


def common_shape(arguments: Sequence[Any]) -> tuple[int, ...]:
    return np.broadcast_shapes(*[np.shape(a) for a in arguments])
