"""Fits in lanes of the core: plain least squares of a traced model without branches, as most batches are."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..errors import Status
from ..problem.model import compile_model
from ..problem.programs import CorePrograms
from ..problem.traced import TracedProblem

if TYPE_CHECKING:
    from .engine import Chunk, Ends, Engine

Array = NDArray[Any]

MOST = 20
"""Parameters of a fit in lanes at most."""


class Lanes:
    """The tape of a model, ready to be run over chunks."""

    def __init__(self, tape: Any, columns: list[Array], argument_of: tuple[int, ...] | None) -> None:
        self.tape, self.columns, self.argument_of = tape, columns, argument_of

    def run(self, engine: Engine, chunk: Chunk) -> Ends | None:
        """Ends of the fits certified in lanes, the others NOT_DONE; None: this chunk is not for lanes."""
        from .engine import CODES, blank

        columns = self._columns_of(chunk)
        if columns is None:
            return None
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
    own = tuple(version.argument_of) if -1 not in version.argument_of and programs.derive is None else None
    return Lanes(programs.jacobian, [np.ascontiguousarray(c) for c in columns], own)


def _rows(values: Array, dtype: Any = None) -> Array:
    return np.ascontiguousarray(values, dtype=dtype)
