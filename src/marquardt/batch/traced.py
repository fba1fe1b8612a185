"""The traced model of a batch, and its chunks as the core takes them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..problem.likelihood import Likelihood
from ..problem.model import compile_model
from ..problem.programs import CorePrograms
from ..problem.traced import TracedProblem
from ..problem.version import Version

if TYPE_CHECKING:
    from .engine import Chunk, Engine

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Batch:
    """The arrays of a job: of one dimension they belong to all fits, of two they have a row for each."""

    columns: list[Array]
    values: Array
    free: list[int]
    y: Array
    weights: Array | None
    mask: Array | None
    held: Array | None
    start: Array
    lower: Array
    upper: Array
    scaled: bool


@dataclass(frozen=True, slots=True)
class TracedBatch:
    """A model that the core can run over any number of fits."""

    version: Version
    programs: CorePrograms
    columns: list[Array]
    """Its columns where all fits share x."""
    argument_of: tuple[int, ...] | None
    """Which argument each column is; None: they are made from the arguments, which all fits must share."""
    linear: tuple[int, ...]
    """Free parameters that may be projected out."""

    def columns_of(self, chunk: Chunk) -> list[Array] | None:
        """The columns of a chunk; None where its fits have an x of their own which these are made from."""
        if all(c.ndim == 1 for c in chunk.x):
            return self.columns
        if self.argument_of is None:
            return None
        return [rows(chunk.x[k], np.float64) for k in self.argument_of]

    def takes(self, engine: Engine, chunk: Chunk) -> bool:
        """Are points left out of a fit without meaning for the others? Not where the function may look at all
        its arguments, which are then shorter."""
        shortened = chunk.mask is not None and all(a.ndim == 1 for a in engine.arguments)
        return self.version.pointwise or not shortened


def traced_batch(engine: Engine) -> TracedBatch | None:
    """The model of an engine, traced once; None where the core cannot run it alone: branches, callbacks."""
    p = engine.parameters
    start = p.provisional()
    model = compile_model(engine.model, engine.arguments, p.shapes)
    problem = model.problem(engine.arguments, None, None, start, p.free)
    if not isinstance(problem, TracedProblem) or not p.free:
        return None
    version = problem.version(start[list(p.free)])
    if version.trace.guards or not version.whole or len(version.trace.families[0].outputs) != 1:
        return None
    ((programs, columns, _),) = problem.families(version)
    if not isinstance(programs, CorePrograms):
        return None
    problem.project()
    own = tuple(version.argument_of) if -1 not in version.argument_of and programs.derive is None else None
    columns = [rows(c, np.float64) for c in columns]
    return TracedBatch(version, programs, columns, own, problem.linear)


def batch_of(engine: Engine, chunk: Chunk, columns: list[Array]) -> Batch:
    """A chunk over these columns of the model."""
    single = chunk.y.dtype == np.float32
    return Batch(
        columns=columns,
        values=engine.parameters.provisional(),
        free=list(engine.parameters.free),
        y=rows(chunk.y, np.float32 if single else np.float64),
        weights=None if chunk.weights is None else rows(chunk.weights, np.float64),
        mask=None if chunk.mask is None else rows(chunk.mask, np.bool_),
        held=None if chunk.fixed is None else rows(chunk.fixed, np.float64),
        start=rows(chunk.start, np.float64),
        lower=rows(chunk.lower, np.float64),
        upper=rows(chunk.upper, np.float64),
        scaled=engine.scaled,
    )


def family_of(engine: Engine) -> tuple[Any, ...] | None:
    """The likelihood of counts, as the core takes it."""
    return None if engine.family is None else Likelihood(engine.family, np.zeros(0)).native()


def threads_of(engine: Engine) -> int:
    return engine.threads or os.cpu_count() or 1


def rows(values: Array, dtype: Any) -> Array:
    """Contiguous, aligned, in this precision; the same array where it is so already."""
    return np.require(values, dtype=dtype, requirements=("C", "A"))
