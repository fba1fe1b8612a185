"""From a traced family to programs: value, Jacobian, second derivative along a direction, Hessian."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..expr.derive import hessian, jacobian, second_directional
from ..expr.graph import Graph, Node, reachable
from ..expr.interpret import compile_numpy
from ..expr.tape import TapeSpec, derived_columns, in_core, lower
from ..expr.trace import Family, Guard

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

MAX_ENTRIES = 528
"""With more expressions than this (those of 32 parameters) the exact Hessian costs more than it saves."""
MAX_SWEEPS = 1500
"""One sweep per output over all that outputs share: a recurrence of many steps would take seconds."""


class Derivatives:
    """Expressions of one family, differentiated with respect to one choice of free parameters.

    ``hessian`` belongs to the pairs (j, l) of ``pairs``, for each output in turn; with ``n_weights`` it is
    that of the sum of the outputs, weighted by as many direction components.
    """

    def __init__(self, graph: Graph, family: Family, free: Sequence[int]) -> None:
        self.p = len(free)
        wrt = [graph.param(i) for i in free]
        direction = [graph.direction(j) for j in range(len(free))]
        self.value = list(family.outputs)
        self.jacobian = [d for row in jacobian(graph, self.value, wrt) for d in row]
        self.curvature = second_directional(graph, self.value, wrt, direction)
        self.pairs: list[tuple[int, int]] | None = None
        self.hessian: list[Node] = []
        # Several outputs of a single row are weighted by numbers: one Hessian, of the weighted sum, will do.
        self.n_weights = len(self.value) if len(self.value) > 1 and family.rows.shape[1] == 1 else 0
        outputs = [_weighted_sum(graph, self.value)] if self.n_weights else self.value
        if _newton_pays(outputs, len(free)):
            entries = [hessian(graph, output, wrt) for output in outputs]
            self.pairs = sorted(set().union(*entries))
            zero = graph.const(0.0)
            self.hessian = [entry.get(pair, zero) for entry in entries for pair in self.pairs]

    def all(self) -> list[Node]:
        return [*self.value, *self.jacobian, *self.curvature, *self.hessian]


def _weighted_sum(graph: Graph, outputs: Sequence[Node]) -> Node:
    """``sum_o direction[o] * outputs[o]``."""
    terms = [graph.mul(graph.direction(o), output) for o, output in enumerate(outputs)]
    return reduce(graph.add, terms)


def _newton_pays(outputs: Sequence[Node], p: int) -> bool:
    """Is the Hessian of moderate size beside the Jacobian?"""
    k = len(outputs)
    if k * p * (p + 1) // 2 > MAX_ENTRIES:
        return False
    return k * len(reachable(outputs)) <= MAX_SWEEPS


def core_tape(s: TapeSpec) -> Any:
    """A program as the core runs it."""
    return _core.Tape(
        s.n_params, s.constants, s.prologue, s.n_inputs, s.code, s.n_registers, s.outputs, s.guards
    )


class CorePrograms:
    """Tapes for the core; `derived` are data-only expressions to be worked out once, as further columns."""

    def __init__(
        self,
        graph: Graph,
        family: Family,
        d: Derivatives,
        n_params: int,
        guards: Sequence[Guard],
        derived: Sequence[Node],
    ) -> None:
        self.specs: list[TapeSpec] = []

        def tape(outputs: Sequence[Node], n_direction: int = 0, guards: Sequence[Guard] = ()) -> Any:
            s = lower(
                graph, outputs, n_params, n_direction, [(g.node, g.outcome) for g in guards],
                n_columns=len(family.columns), derived=derived,
            )  # fmt: skip
            self.specs.append(s)
            return core_tape(s)

        self.derive: Callable[..., list[Any]] | None = compile_numpy(derived) if derived else None
        self.value = tape(d.value, guards=guards)
        self.jacobian = tape([*d.value, *d.jacobian])
        self.k, self.p, self.pairs, self.n_weights = len(d.value), d.p, d.pairs, d.n_weights
        self._curvature = tape([*d.jacobian, *d.curvature], d.p)
        second = None if d.pairs is None else (tape(d.hessian, d.n_weights), d.pairs)
        self._hessian = None if second is None else second[0]
        self.native = _core.Programs(self.value, self.jacobian, self._curvature, second)

    def columns(self, columns: list[Vector]) -> list[Vector]:
        """The data columns with the derived ones behind them."""
        if self.derive is None:
            return columns
        n = columns[0].size
        return columns + [np.ascontiguousarray(np.broadcast_to(c, n)) for c in self.derive((), columns)]

    def curvature(self, values: Vector, columns: Sequence[Vector], v: Vector, n: int) -> Matrix:
        """Second derivative of each output along `v`, (k, n)."""
        run = self._curvature.run(np.concatenate([values, v]), columns, n)
        return np.asarray(run[self.k * self.p :])

    def hessian(self, values: Vector, columns: Sequence[Vector], weights: Matrix) -> Matrix:
        """Sum over outputs and rows of weight (k, n) times second derivative, (p, p)."""
        if not self.pairs or self._hessian is None:
            return np.zeros((self.p, self.p))
        if self.n_weights:
            sums = self._hessian.run(np.concatenate([values, weights[:, 0]]), columns, 1)[:, 0]
        else:
            terms = self._hessian.run(values, columns, weights.shape[1])
            sums = _over_rows(terms, self.k, weights)
        return _symmetric(self.p, self.pairs, sums)


class NumpyPrograms:
    """The same by NumPy and SciPy, for models with operations that have no kernel in the core."""

    native = derive = None

    def __init__(self, d: Derivatives) -> None:
        self.k, self.p, self.pairs, self.n_weights = len(d.value), d.p, d.pairs, d.n_weights
        self._value = compile_numpy(d.value)
        self._jacobian = compile_numpy(d.jacobian)
        self._curvature = compile_numpy(d.curvature)
        self._hessian = compile_numpy(d.hessian)

    def value(self, values: Vector, columns: Sequence[Vector], n: int) -> Matrix:
        return _table(self._value(values, columns), n)

    def jacobian(self, values: Vector, columns: Sequence[Vector], n: int) -> NDArray[np.float64]:
        return _table(self._jacobian(values, columns), n).reshape(self.k, self.p, n)

    def curvature(self, values: Vector, columns: Sequence[Vector], v: Vector, n: int) -> Matrix:
        return _table(self._curvature(values, columns, v), n)

    def hessian(self, values: Vector, columns: Sequence[Vector], weights: Matrix) -> Matrix:
        """Sum over outputs and rows of weight (k, n) times second derivative, (p, p)."""
        if not self.pairs:
            return np.zeros((self.p, self.p))
        if self.n_weights:
            sums = _table(self._hessian(values, columns, weights[:, 0]), 1)[:, 0]
        else:
            sums = _over_rows(_table(self._hessian(values, columns), weights.shape[1]), self.k, weights)
        return _symmetric(self.p, self.pairs, sums)


Programs = CorePrograms | NumpyPrograms


def make_programs(
    graph: Graph,
    family: Family,
    free: Sequence[int],
    n_params: int,
    guards: Sequence[Guard],
    hoist: bool,
    core: bool = True,
) -> Programs:
    """Programs for the core where every operation has a kernel there, else (or unless `core`) for NumPy."""
    d = Derivatives(graph, family, free)
    derived = derived_columns(d.all()) if hoist and core else []
    if core and in_core(d.all(), derived) is None:
        return CorePrograms(graph, family, d, n_params, guards, derived)
    return NumpyPrograms(d)


def guard_test(guards: Sequence[Guard]) -> Callable[[Vector], bool]:
    """Do all guards hold at these parameter values?"""
    run = compile_numpy([g.node for g in guards])
    outcomes = [g.outcome for g in guards]

    def holds(values: Vector) -> bool:
        found = run(values, ())
        return all(bool(value != 0.0) == outcome for value, outcome in zip(found, outcomes, strict=True))

    return holds


def _over_rows(terms: Matrix, k: int, weights: Matrix) -> Vector:
    """One sum for each pair from its second derivatives, k blocks of rows by pair."""
    return np.asarray(np.einsum("kqn,kn->q", terms.reshape(k, -1, weights.shape[1]), weights))


def _symmetric(p: int, pairs: Sequence[tuple[int, int]], sums: Vector) -> Matrix:
    total = np.zeros((p, p))
    for (j, l), s in zip(pairs, sums, strict=True):
        total[j, l] = total[l, j] = s
    return total


def _table(values: Sequence[Any], n: int) -> Matrix:
    """Rows of length n: uniform values are spread."""
    out = np.empty((len(values), n))
    for k, value in enumerate(values):
        out[k] = value
    return out
