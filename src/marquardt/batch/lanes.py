"""Fits in lanes of the core: squares or likelihoods of a traced model without branches, as most are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..curve.parameters import Parameters
from ..errors import Status
from ..expr.derive import jacobian
from ..expr.graph import Graph, Node
from ..expr.interpret import compile_numpy
from ..expr.quick import with_one_expit, with_quick_powers
from ..expr.tape import derived_columns, in_core, lower
from .grid import Separable, find_grids, on_whole_grid, separable
from .traced import TracedBatch, batch_of, family_of, threads_of

if TYPE_CHECKING:
    from .engine import Chunk, Ends, Engine

Array = NDArray[Any]

MOST = 20
"""Parameters of a fit in lanes at most."""


def run_lanes(
    engine: Engine, traced: TracedBatch, quick: Quick | None, grid: Separable | None, chunk: Chunk, ends: Ends
) -> Ends | None:
    """`ends`, where those of the fits certified in lanes are written, the others NOT_DONE; None: this chunk
    is not for lanes."""
    from .chunks import some
    from .engine import room

    columns, tape = traced.columns_of(chunk), traced.programs.jacobian
    if columns is None or not for_lanes(engine) or not traced.takes(engine, chunk):
        return None
    if quick is not None and all(c.ndim == 1 for c in chunk.x):
        columns, tape = quick
    whole = None if grid is None else on_whole_grid(chunk)
    if grid is None or whole is None or not whole.any():
        return _made(engine, chunk, ends, columns, tape)
    if whole.all():
        return _made(engine, replace(chunk, mask=None), ends, columns, tape, grid)
    # How a fit is made depends on its own points only, not on those of the others in its chunk.
    for at, way in ((np.flatnonzero(whole), grid), (np.flatnonzero(~whole), None)):
        part = some(chunk, at)
        part = part if way is None else replace(part, mask=None)
        found = _made(engine, part, room(len(at), engine.n_free, engine.covariance), columns, tape, way)
        if found is None:
            return None
        ends.put(found, at)
    return ends


def for_lanes(engine: Engine) -> bool:
    """Squares or a likelihood of few parameters?"""
    return engine.loss is None and engine.n_free <= MOST


def _made(
    engine: Engine,
    chunk: Chunk,
    ends: Ends,
    columns: list[Array],
    tape: Any,
    grid: Separable | None = None,
) -> Ends | None:
    from .chunks import rows_of, some
    from .engine import CODES, room

    native = None if grid is None else grid.native()
    single = engine.precision == "single"
    if not _fill(engine, chunk, ends, columns, tape, native, single):
        return None
    if single:  # what it cannot tell double precision may
        doubtful = np.flatnonzero(ends.status == CODES[Status.NOT_DONE])
        if doubtful.size:
            again = room(doubtful.size, engine.n_free, engine.covariance)
            columns = [rows_of(c, doubtful) for c in columns]
            if _fill(engine, some(chunk, doubtful), again, columns, tape, native, False):
                for name in ("nfev", "njev"):
                    getattr(again, name)[:] += getattr(ends, name)[doubtful]
                ends.put(again, doubtful)
    return ends


def _fill(
    engine: Engine, chunk: Chunk, ends: Ends, columns: list[Array], tape: Any, native: Any, single: bool
) -> bool:
    from .engine import CODES

    batch, family, threads = batch_of(engine, chunk, columns), family_of(engine), threads_of(engine)
    return _core.fit_lanes(tape, batch, family, threads, ends, CODES[Status.NOT_DONE], single, native)


def grid_form(traced: TracedBatch, p: Parameters, arguments: Sequence[Array]) -> Separable | None:
    """The model as sums of products, where the data that all fits share are a grid."""
    (family,) = traced.version.trace.families
    data = [np.ascontiguousarray(c.extract(arguments), dtype=np.float64) for c in family.columns]
    if not find_grids(data):
        return None
    graph, (output,) = traced.version.trace.graph, family.outputs
    (slopes,) = jacobian(graph, [output], [graph.param(i) for i in p.free])
    start = p.provisional()
    nearby = [start * (1.0 + part * np.cos(np.arange(start.size))) for part in (0.0, 0.1, -0.07)]
    return separable(graph, [output, *slopes], data, len(p.names), [values.tolist() for values in nearby])


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
    every = with_one_expit(graph, [*value, *[d for row in jacobian(graph, value, wrt) for d in row]])
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
