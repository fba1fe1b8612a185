"""Fits in lanes of the core: plain least squares of a traced model without branches, as most batches are."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..curve.parameters import Parameters
from ..errors import Status
from ..expr.derive import jacobian
from ..expr.graph import Graph, Node
from ..expr.interpret import compile_numpy
from ..expr.quick import with_quick_powers
from ..expr.tape import derived_columns, in_core, lower
from ..problem.model import compile_model
from ..problem.programs import CorePrograms
from ..problem.traced import TracedProblem

if TYPE_CHECKING:
    from .engine import Chunk, Ends, Engine

Array = NDArray[Any]

MOST = 20
"""Parameters of a fit in lanes at most."""


class Lanes:
    """The tape of a model with its columns, where all fits share x, ready to be run over chunks.

    ``argument_of`` says which argument each column is, where fits may have an x of their own; else `plain`
    serves these.
    """

    def __init__(
        self,
        tape: Any,
        columns: list[Array],
        argument_of: tuple[int, ...] | None,
        plain: Lanes | None = None,
    ) -> None:
        self.tape, self.columns, self.argument_of, self.plain = tape, columns, argument_of, plain

    def run(self, engine: Engine, chunk: Chunk) -> Ends | None:
        """Ends of the fits certified in lanes, the others NOT_DONE; None: this chunk is not for lanes."""
        from .engine import CODES, blank

        columns = self._columns_of(chunk)
        if columns is None:
            return None if self.plain is None else self.plain.run(engine, chunk)
        k, p = len(chunk), engine.n_free
        y = chunk.y if chunk.y.dtype == np.float32 else np.asarray(chunk.y, dtype=np.float64)
        found = _core.fit_lanes(
            self.tape, columns, engine.parameters.provisional(), list(engine.parameters.free), _rows(y),
            None if chunk.weights is None else _rows(chunk.weights, np.float64),
            None if chunk.mask is None else _rows(chunk.mask, np.bool_),
            None if chunk.fixed is None else _rows(chunk.fixed, np.float64),
            _rows(chunk.start, np.float64), _rows(chunk.lower, np.float64), _rows(chunk.upper, np.float64),
            engine.threads or os.cpu_count() or 1, engine.covariance,
        )  # fmt: skip
        if found is None:
            return None
        x, cost, converged, nfev, n_points, variance, covariance = found
        ends = blank(0, p, False)
        status = np.where(converged, CODES[Status.CONVERGED], CODES[Status.NOT_DONE]).astype(np.int8)
        return type(ends)(
            x=x, cost=cost, status=status, nfev=nfev, njev=nfev, covariance=covariance,
            unscaled_variance=variance, rss=2.0 * cost, n_points=n_points,
            rank=np.full(k, p, dtype=np.int16), by_qr=np.zeros(k, dtype=bool),
        )  # fmt: skip

    def _columns_of(self, chunk: Chunk) -> list[Array] | None:
        if all(c.ndim == 1 for c in chunk.x):
            return self.columns
        if self.argument_of is None:
            return None
        return [_rows(chunk.x[k], np.float64) for k in self.argument_of]


def lanes_of(engine: Engine) -> Lanes | None:
    """The model of an engine for lanes; None where its fits are made otherwise."""
    p = engine.parameters
    if engine.loss is not None or engine.family is not None or not 0 < len(p.free) <= MOST:
        return None
    start = p.provisional()
    model = compile_model(engine.model, engine.arguments, p.shapes)
    problem = model.problem(engine.arguments, None, None, start, p.free)
    if not isinstance(problem, TracedProblem):
        return None
    version = problem.version(start[list(p.free)])
    if version.trace.guards or not version.whole or len(version.trace.families[0].outputs) != 1:
        return None
    ((programs, columns, _),) = problem.families(version)
    if not isinstance(programs, CorePrograms):
        return None
    columns = [np.ascontiguousarray(c) for c in columns]
    own = tuple(version.argument_of) if -1 not in version.argument_of and programs.derive is None else None
    plain = Lanes(programs.jacobian, columns, own)
    family = version.trace.families[0]
    data = [c.extract(engine.arguments) for c in family.columns]
    return _quick(version.trace.graph, family.outputs, p, data, plain)


def _quick(graph: Graph, outputs: Sequence[Node], p: Parameters, data: list[Array], plain: Lanes) -> Lanes:
    """The same with powers as exponentials, and what depends on the data alone worked out once."""
    value = with_quick_powers(graph, outputs)
    wrt = [graph.param(i) for i in p.free]
    every = [*value, *[d for row in jacobian(graph, value, wrt) for d in row]]
    derived = derived_columns(every)
    if in_core(every, derived) is not None:
        return plain
    n = data[0].size if data else 0
    made = compile_numpy(derived)((), data) if derived else []
    columns = [np.ascontiguousarray(np.broadcast_to(c, n), dtype=np.float64) for c in (*data, *made)]
    if not all(np.isfinite(c).all() for c in columns):
        return plain  # the logarithm of a dose of zero
    s = lower(graph, every, len(p.names), 0, [], n_columns=len(data), derived=derived)
    tape = _core.Tape(
        s.n_params, s.constants, s.prologue, s.n_inputs, s.code, s.n_registers, s.outputs, s.guards
    )
    own = plain.argument_of if not derived and value == list(outputs) else None
    return Lanes(tape, columns, own, plain)


def _rows(values: Array, dtype: Any = None) -> Array:
    return np.ascontiguousarray(values, dtype=dtype)
