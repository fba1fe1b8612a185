"""Fits one by one, by the minimizer of the core: the slow way, and what all others must equal."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, Status
from ..options import Options
from ..problem.likelihood import Likelihood
from ..problem.model import compile_model
from ..problem.traced import TracedProblem
from ..solve.minimize import minimize
from ..solve.robust import minimize_robust
from ..stats import Covariance, sandwich, unscaled_covariance

if TYPE_CHECKING:
    from .engine import Chunk, Ends, Engine

Array = NDArray[Any]
Vector = NDArray[np.float64]


def run_one_by_one(engine: Engine, chunk: Chunk, which: Array | None = None) -> Ends:
    """The fits of a chunk, or those at the positions `which`, one after the other."""
    from .engine import CODES, blank

    rows = np.arange(len(chunk)) if which is None else which
    ends = blank(len(rows), engine.n_free, engine.covariance)
    try:
        for k, i in enumerate(rows.tolist()):
            status = _fit_into(ends, k, engine, chunk, i)
            ends.status[k] = CODES[status]
            if status is Status.INTERRUPTED:
                break
    except KeyboardInterrupt:
        pass  # the others are NOT_DONE
    return ends


def _fit_into(ends: Ends, k: int, engine: Engine, chunk: Chunk, i: int) -> Status:
    """Fit number `i` of the chunk, its end written to row `k`."""
    from .engine import reduced_chi2

    try:
        outcome, n_points = fit_one(engine, chunk, i)
    except DataError:
        return Status.BAD_START
    if not np.isfinite(outcome.cost):
        return Status.BAD_START
    unscaled = _covariance(outcome)
    ends.x[k], ends.cost[k], ends.rss[k] = outcome.x, outcome.cost, _rss(outcome)
    ends.nfev[k], ends.njev[k], ends.n_points[k] = outcome.nfev, outcome.njev, n_points
    ends.rank[k] = unscaled.rank + int(np.count_nonzero(unscaled.held))
    scale = reduced_chi2(ends.rss[k], n_points, ends.rank[k]) if engine.scaled else 1.0
    with np.errstate(invalid="ignore"):
        covariance = unscaled.matrix * scale
        ends.stderr[k] = np.sqrt(np.diag(covariance))
    ends.by_qr[k] = True
    if ends.covariance is not None:
        ends.covariance[k] = covariance
    return outcome.status  # type: ignore[no-any-return]


def fit_one(engine: Engine, chunk: Chunk, i: int) -> tuple[Any, int]:
    """The outcome of one fit of a chunk, and how many points counted."""
    arguments, y, w = _data(engine, chunk, i)
    p = engine.parameters
    values = np.array(p.values)
    free = list(p.free)
    values[free] = row(chunk.start, i)
    if chunk.fixed is not None:
        values[[j for j in range(values.size) if j not in p.free]] = chunk.fixed[i]
    box = np.array(row(chunk.lower, i)), np.array(row(chunk.upper, i))
    model = compile_model(engine.model, arguments, p.shapes)
    options = replace(engine.options or Options(), threads=1, trace=False)
    n_points = y.size if w is None else int(np.count_nonzero(w))
    if engine.family is not None:
        problem = model.problem(arguments, y, None, values, p.free)
        likely = problem.with_loss(Likelihood(engine.family, y, w))
        return minimize(likely, values[free], *box, options), n_points
    problem = model.problem(arguments, y, w, values, p.free)
    if engine.loss is not None:
        plan = replace(engine.loss, counted=None if w is None else w > 0.0)
        return minimize_robust(problem, plan, values[free], *box, options), n_points
    if isinstance(problem, TracedProblem):
        problem.project(tuple(np.flatnonzero(np.isfinite(box[0]) | np.isfinite(box[1])).tolist()))
    return minimize(problem, values[free], *box, options), n_points


def _data(engine: Engine, chunk: Chunk, i: int) -> tuple[tuple[Array, ...], Vector, Vector | None]:
    """Arguments, response and weights of one fit; points that do not count are left out, or have weight zero
    where the model needs its arguments whole."""
    columns = [np.ascontiguousarray(row(c, i), dtype=np.float64) for c in chunk.x]
    y = np.ascontiguousarray(chunk.y[i], dtype=np.float64)
    w = None if chunk.weights is None else np.ascontiguousarray(row(chunk.weights, i), dtype=np.float64)
    mask = None if chunk.mask is None else chunk.mask[i]
    if mask is not None and mask.all():
        mask = None
    if mask is not None and all(a.ndim == 1 and a.size == y.size for a in engine.arguments):
        return tuple(c[mask] for c in columns), y[mask], None if w is None else w[mask]
    if mask is not None:
        y, w = np.where(mask, y, 0.0), np.where(mask, 1.0 if w is None else w, 0.0)
    shaped = zip(columns, engine.arguments, strict=True)
    return tuple(c.reshape(a.shape) for c, a in shaped), y, w


def row(values: Array, i: int) -> Array:
    """What belongs to fit `i`: its row, or what all share."""
    return values if values.ndim == 1 else values[i]


def _covariance(outcome: Any) -> Covariance:
    loss = outcome.problem.loss
    return unscaled_covariance(outcome) if loss is None or isinstance(loss, Likelihood) else sandwich(outcome)


def _rss(outcome: Any) -> float:
    loss = outcome.problem.loss
    if loss is None:
        return 2.0 * float(outcome.cost)
    f = np.asarray(outcome.f)
    return float(((loss.pearson(f) if isinstance(loss, Likelihood) else f) ** 2).sum())
