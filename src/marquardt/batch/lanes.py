"""Fits in lanes of the core: plain least squares of a traced model without branches, as most batches are."""

from __future__ import annotations

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
from .traced import TracedBatch, batch_of, threads_of

if TYPE_CHECKING:
    from .engine import Chunk, Ends, Engine

Array = NDArray[Any]

MOST = 20
"""Parameters of a fit in lanes at most."""


def run_lanes(engine: Engine, traced: TracedBatch, quick: Quick | None, chunk: Chunk) -> Ends | None:
    """Ends of the fits certified in lanes, the others NOT_DONE; None: this chunk is not for lanes."""
    from .engine import CODES, Ends

    columns, tape = traced.columns_of(chunk), traced.programs.jacobian
    for_lanes = engine.loss is None and engine.family is None and engine.n_free <= MOST
    if columns is None or not for_lanes or not traced.takes(engine, chunk):
        return None
    if quick is not None and all(c.ndim == 1 for c in chunk.x):
        columns, tape = quick
    batch = batch_of(engine, chunk, columns)
    single = engine.precision == "single"
    found = _core.fit_lanes(tape, batch, threads_of(engine), engine.covariance, single)
    if found is None:
        return None
    x, cost, converged, nfev, n_points, variance, covariance = found
    k, p = x.shape
    status = np.where(converged, CODES[Status.CONVERGED], CODES[Status.NOT_DONE]).astype(np.int8)
    return Ends(
        x=x, cost=cost, status=status, nfev=nfev, njev=nfev.copy(), covariance=covariance,
        unscaled_variance=variance, rss=2.0 * cost, n_points=n_points,
        rank=np.full(k, p, dtype=np.int16), by_qr=np.zeros(k, dtype=bool),
    )  # fmt: skip


Quick = tuple[list[Array], Any]
"""Columns and a tape over them."""


def quick_form(traced: TracedBatch, p: Parameters, arguments: Sequence[Array]) -> Quick | None:
    """The model with powers as exponentials, and what depends on the data alone worked out once, for fits
    that share x; None where that is not finite, as the logarithm of a dose of zero."""
    (family,) = traced.version.trace.families
    data = [c.extract(arguments) for c in family.columns]
    graph: Graph = traced.version.trace.graph
    value: list[Node] = with_quick_powers(graph, family.outputs)
    wrt = [graph.param(i) for i in p.free]
    every = [*value, *[d for row in jacobian(graph, value, wrt) for d in row]]
    derived = derived_columns(every)
    if in_core(every, derived) is not None:
        return None
    n = data[0].size if data else 0
    made = compile_numpy(derived)((), data) if derived else []
    columns = [np.ascontiguousarray(np.broadcast_to(c, n), dtype=np.float64) for c in (*data, *made)]
    if not all(np.isfinite(c).all() for c in columns):
        return None
    s = lower(graph, every, len(p.names), 0, [], n_columns=len(data), derived=derived)
    tape = _core.Tape(
        s.n_params, s.constants, s.prologue, s.n_inputs, s.code, s.n_registers, s.outputs, s.guards
    )
    return columns, tape
