"""Where many fits begin: at values given, or at the best of what a few of them end at."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..curve.data import Data
from ..curve.fit import run_one
from ..errors import MarquardtError, Status
from ..expr.separable import linear_parameters
from ..problem.model import compile_model
from ..problem.traced import TracedProblem
from .chunks import all_finite, chunk_of, points_of, some
from .engine import CODES, Chunk, Ends, Engine
from .job import Job

Array = NDArray[Any]

PILOTS = 16
"""Fits that are searched for starts like a single fit."""
LOOKED_AT = 400
"""Fits among which these are chosen, by how much their data vary."""
TRIED = 3
"""Starts a fit that fails is given, best first."""


class Starts:
    """Runs chunks of a job from the start given, or from starts found."""

    def __init__(self, job: Job, engine: Engine) -> None:
        self.job, self.engine = job, engine

    def are_known(self, chunk: Chunk) -> bool:
        """Are the starts of all fits of a chunk given?"""
        return not self.job.search and all_finite(chunk.start)

    def run(self, chunk: Chunk, into: Ends | None = None) -> Ends:
        """The ends of the fits of a chunk, in the arrays of `into` or new ones; those that fail are tried
        again from other starts, if these were found rather than given."""
        if self.are_known(chunk):
            return self.descend(chunk, into)
        guesses = self.guesses(chunk)
        if self.job.search:
            guesses = [self.searched(chunk, guesses[0]), *guesses]
        ends = self.descend(replace(chunk, start=guesses[0]), into)
        for start in guesses[1:]:
            failed = np.flatnonzero(~SUCCESS[ends.status])
            if not failed.size or broken_off(ends):
                break
            again = self.descend(some(replace(chunk, start=start), failed))
            with np.errstate(invalid="ignore"):
                worse = ~SUCCESS[again.status] & ~(again.cost < ends.cost[failed])
            better = np.flatnonzero(~worse)
            ends.put(again.some(better), failed[better])
        return ends

    def searched(self, chunk: Chunk, other: Array) -> Array:
        """Where each fit ends that is searched for its start like a single one; the `other` start where that
        leads nowhere."""
        free, found = list(self.engine.parameters.free), np.array(other)
        for i in range(len(chunk)):
            values = _search(self.job, some(chunk, np.array([i])))
            if values is not None:
                found[i] = np.clip(values[free], _row(chunk.lower, i), _row(chunk.upper, i))
        return found

    def descend(self, chunk: Chunk, into: Ends | None = None) -> Ends:
        """The fits from their start; of counts by way of weighted least squares where it is no mean."""
        ends = self.engine.run(chunk, into)
        if self.job.family is None:
            return ends
        bad = np.flatnonzero(ends.status == CODES[Status.BAD_START])
        if bad.size:
            part = some(chunk, bad)
            n = 1.0 if part.weights is None else part.weights
            p = (n * part.y + 0.5) / (n + 1.0)
            poisson = self.job.family == "poisson"
            w = np.sqrt(n / np.maximum(part.y, 1.0) if poisson else n / (p * (1.0 - p)))
            near = self.squares.run(replace(part, weights=np.ascontiguousarray(w)))
            usable = np.flatnonzero(np.isfinite(near.x).all(axis=1))
            again = self.engine.run(some(replace(part, start=near.x), usable))
            ends.put(again, bad[usable])
        return ends

    @cached_property
    def squares(self) -> Engine:
        """The same model by least squares."""
        e = self.engine
        return Engine(e.model, e.parameters, e.arguments, threads=e.threads)

    # ---------------------------------------------------------------------------------------- starts found

    def guesses(self, chunk: Chunk) -> list[Array]:
        """Starts for each fit, best first: (k, p) each. The parameters that are linear are solved for."""
        found = [self.scored(chunk, values) for values in self.candidates]
        costs = np.stack([cost for cost, _ in found], axis=1)
        order = np.argsort(costs, axis=1, kind="stable")
        starts = np.stack([start for _, start in found], axis=1)
        known = np.isfinite(chunk.start)
        result = []
        for place in range(min(TRIED, len(found))):
            best = np.take_along_axis(starts, order[:, place, None, None], axis=1)[:, 0]
            start = np.where(known, chunk.start, best)
            result.append(np.clip(start, chunk.lower, chunk.upper))
        return result

    def scored(self, chunk: Chunk, values: Array) -> tuple[Array, Array]:
        """Half the sum of squares (k,) at a candidate, and the candidate (k, p) with its linear parameters
        solved for in every fit."""
        free = list(self.engine.parameters.free)
        base, columns = self.model_at(chunk, values)
        w2 = np.ones(chunk.y.shape) if chunk.mask is None else chunk.mask.astype(np.float64)
        if chunk.weights is not None:
            w2 = w2 * (chunk.weights if self.job.family else chunk.weights**2)
        start = np.tile(values[free], (len(chunk), 1))
        r = np.asarray(chunk.y, dtype=np.float64) - base
        if columns is not None:
            gram = np.einsum("km,kmi,kmj->kij", w2, columns, columns, optimize=True)
            right = np.einsum("km,km,kmi->ki", w2, r, columns, optimize=True)
            ridge = (
                1e-12 * np.trace(gram, axis1=1, axis2=2)[:, None, None] * np.eye(columns.shape[-1]) + 1e-300
            )
            solved = np.linalg.solve(gram + ridge, right[..., None])[..., 0]
            r = r - np.einsum("kmi,ki->km", columns, solved, optimize=True)
            start[:, [free.index(i) for i in self.linear]] = solved
        costs = 0.5 * np.einsum("km,km,km->k", w2, r, r, optimize=True)
        return np.where(np.isfinite(costs), costs, np.inf), start

    def model_at(self, chunk: Chunk, values: Array) -> tuple[Array, Array | None]:
        """The model without its linear part, (1 or k, m), and the columns of that, (1 or k, m, l)."""
        k = len(chunk) if any(part.ndim == 2 for part in chunk.x) else 1
        arguments = [np.broadcast_to(part, (k, chunk.y.shape[1])).ravel() for part in chunk.x]
        plain = np.array(values)
        plain[self.linear] = 0.0
        base = self.compiled.call(arguments, plain).reshape(k, -1)
        if not self.linear:
            return base, None
        columns = []
        for i in self.linear:
            unit = plain.copy()
            unit[i] = 1.0
            columns.append(self.compiled.call(arguments, unit).reshape(k, -1) - base)
        stacked = np.stack(columns, axis=-1)
        return base, np.broadcast_to(stacked, (len(chunk), *stacked.shape[1:]))

    @cached_property
    def compiled(self) -> Any:
        return compile_model(self.engine.model, self.engine.arguments, self.engine.parameters.shapes)

    @cached_property
    def linear(self) -> list[int]:
        """Parameters without start and bounds in which the model is linear."""
        p = self.engine.parameters
        start = p.provisional()
        problem = self.compiled.problem(self.engine.arguments, None, None, start, p.free)
        if not isinstance(problem, TracedProblem):
            return []
        unknown = {i for n, i in enumerate(p.free) if not all_finite(self.job.start_of(n))}
        outputs = [o for f in problem.version(start[list(p.free)]).trace.families for o in f.outputs]
        unbounded = {i for i in unknown if p.lower[i] == -np.inf and p.upper[i] == np.inf}
        return [i for i in linear_parameters(outputs, among=unbounded)]

    @cached_property
    def candidates(self) -> list[Array]:
        """Where the pilots end."""
        found = []
        for k in self.pilots():
            chunk = chunk_of(self.job, np.array([k]))
            values = _search(self.job, chunk)
            if values is not None:
                found.append(values)
        return found or [self.engine.parameters.provisional()]

    def pilots(self) -> list[int]:
        """Fits spread over the job, among those whose data vary, which empty pixels do not."""
        k = len(self.job)
        looked = np.unique(np.linspace(0, k - 1, min(k, LOOKED_AT)).astype(int))
        spread = np.full(looked.size, -1.0)
        for place, number in enumerate(looked):
            chunk = chunk_of(self.job, np.array([number]))
            if points_of(chunk)[0] >= max(self.engine.n_free, 1):
                y = chunk.y[0] if chunk.mask is None else chunk.y[0][chunk.mask[0]]
                spread[place] = y.std()
        ranked = looked[np.argsort(-spread, kind="stable")][: np.count_nonzero(spread > 0.0)]
        chosen = np.unique(np.linspace(0, max(ranked.size - 1, 0), min(PILOTS, ranked.size)).astype(int))
        return [int(number) for number in ranked[chosen]]


def _search(job: Job, chunk: Chunk) -> Array | None:
    """All parameters of one fit, found like those of any single fit, by least squares."""
    setup = job.setup
    keep = slice(None) if chunk.mask is None else chunk.mask[0]
    arguments = tuple(np.ascontiguousarray((x if x.ndim == 1 else x[0])[keep]) for x in chunk.x)
    w = chunk.weights
    if w is not None:
        w = np.ascontiguousarray((w if w.ndim == 1 else w[0])[keep])
        w = np.sqrt(w) if job.family else w
    parameters = replace(setup.parameters, values=setup.parameters.values.copy())
    parameters.values[list(parameters.free)] = chunk.start if chunk.start.ndim == 1 else chunk.start[0]
    y = np.ascontiguousarray(chunk.y[0][keep], dtype=np.float64)
    data = Data(arguments, setup.data.names, y, w=w)
    try:
        found = run_one(replace(setup, data=data, parameters=parameters), None, None)
    except (MarquardtError, ArithmeticError, ValueError):
        return None
    return np.asarray(found.x) if np.isfinite(found.x).all() else None


SUCCESS = np.array([status.success for status in Status])
UNFINISHED = np.array([CODES[Status.INTERRUPTED], CODES[Status.NOT_DONE]])
"""Codes of the fits in which, or before which, Ctrl-C came."""


def _row(values: Array, i: int) -> Array:
    return values if values.ndim == 1 else values[i]


def broken_off(ends: Ends) -> bool:
    """Did Ctrl-C come?"""
    return bool(np.isin(ends.status, UNFINISHED).any())
