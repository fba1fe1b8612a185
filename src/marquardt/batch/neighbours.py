"""Fits on a grid that fail or stand out are tried again from where those beside them ended."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import Status
from .chunks import chunk_of
from .engine import CODES, Ends, Engine
from .job import Job
from .start import SUCCESS, broken_off

Array = NDArray[Any]

ROUNDS = 10
"""So far good solutions travel over a patch of failed fits, by one fit a round."""
OUTLIER = 4.0
"""A fit stands out whose cost is so many times the median of those beside it, or that differs from their
median by more than so many times their spread in some parameter."""
NOT_TRIED = np.array(
    [s in (Status.NO_POINTS, Status.TOO_FEW_POINTS, Status.CONSTANT, Status.BAD_DATA) for s in Status]
)


def from_neighbours(job: Job, engine: Engine, ends: Ends) -> bool:
    """Change the ends of fits for which a better one is found; a lower cost is better, certified first.

    False where Ctrl-C came: what was found until then is kept.
    """
    try:
        return _rounds(job, engine, ends)
    except KeyboardInterrupt:
        return False


def _rounds(job: Job, engine: Engine, ends: Ends) -> bool:
    beside = _beside(job.places.grid or (1,))
    tried: dict[int, bytes] = {}
    for _ in range(ROUNDS):
        rows, starts = _again(ends, beside, tried)
        if not rows.size:
            return True
        chunk = chunk_of(job, rows)
        chunk = replace(chunk, start=np.clip(starts, chunk.lower, chunk.upper))
        again = engine.run(chunk)
        if broken_off(again):
            return False
        before = SUCCESS[ends.status[rows]]
        after = SUCCESS[again.status]
        with np.errstate(invalid="ignore"):
            lower = (again.cost < ends.cost[rows] * (1.0 - 1e-9)) | ~np.isfinite(ends.cost[rows])
        better = np.flatnonzero((after & ~before) | ((after == before) & lower))
        if not better.size:
            return True
        ends.put(again.some(better), rows[better])
    return True


def _beside(grid: tuple[int, ...]) -> Array:
    """The numbers of the fits beside each, (k, 3^d - 1); -1 beyond the edge."""
    places = np.indices(grid).reshape(len(grid), -1)
    columns = []
    for step in product((-1, 0, 1), repeat=len(grid)):
        if any(step):
            at = places + np.array(step)[:, None]
            inside = np.all((at >= 0) & (at < np.array(grid)[:, None]), axis=0)
            number = np.ravel_multi_index(tuple(np.clip(at, 0, np.array(grid)[:, None] - 1)), grid)
            columns.append(np.where(inside, number, -1))
    return np.stack(columns, axis=1)


def _again(ends: Ends, beside: Array, tried: dict[int, bytes]) -> tuple[Array, Array]:
    """Which fits are tried again, and from where: the median of the good solutions beside them."""
    good = SUCCESS[ends.status]
    usable = (beside >= 0) & good[beside]
    with np.errstate(all="ignore"):
        near = np.where(usable[..., None], ends.x[beside], np.nan)
        middle = _median(near)
        spread = 1.4826 * _median(np.abs(near - middle[:, None]))
        cost = _median(np.where(usable, ends.cost[beside], np.nan)[..., None])[:, 0]
        wide = np.maximum(spread, np.where(np.isfinite(ends.stderr), ends.stderr, 0.0))
        odd = (ends.cost > OUTLIER * cost) | (np.abs(ends.x - middle) > OUTLIER * wide).any(axis=1)
    wanted = (~good | odd) & ~NOT_TRIED[ends.status] & np.isfinite(middle).all(axis=1)
    wanted &= ends.status != CODES[Status.NOT_DONE]
    rows = [k for k in np.flatnonzero(wanted).tolist() if tried.get(k) != middle[k].tobytes()]
    tried.update((k, middle[k].tobytes()) for k in rows)
    at = np.array(rows, dtype=np.intp)
    return at, middle[at]


def _median(values: Array) -> Array:
    """Along the second axis; NaN where all are, without a warning."""
    ordered = np.sort(values, axis=1)
    count = np.count_nonzero(~np.isnan(values), axis=1)
    low, high = np.maximum(count - 1, 0) // 2, count // 2
    pair = [
        np.take_along_axis(ordered, np.minimum(at, values.shape[1] - 1)[:, None], axis=1)[:, 0]
        for at in (low, high)
    ]
    return np.asarray(0.5 * (pair[0] + pair[1]))
