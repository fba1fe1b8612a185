"""Fits on a grid that fail or stand out are tried again from where those beside them ended."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from ..errors import Status
from .chunks import chunk_of
from .engine import CODES, Ends, Engine
from .job import Job
from .start import SUCCESS, broken_off

Array = NDArray[Any]

OUTLIER = 4.0
"""A fit stands out whose cost is so many times the median of those beside it, or that differs from their
median by more than so many times their spread in some parameter."""
CHANCE = 1e-3
"""And one whose cost is so many times that of the best beside it as chance makes it this seldom (an F test):
where a region of wrong minima begins, most of those beside a fit are wrong as well."""
TOGETHER = 1 << 22
"""Values of the data of fits that are tried at once: 32 MB."""
LOOKED_AT = 1 << 16
"""Fits that are held beside their neighbors at once."""
NEVER = (Status.NO_POINTS, Status.TOO_FEW_POINTS, Status.CONSTANT, Status.BAD_DATA, Status.NOT_DONE)
"""Fits in these states are left alone."""


def from_neighbours(job: Job, engine: Engine, ends: Ends) -> bool:
    """Change the ends of fits for which a better one is found; a lower cost is better, certified first.

    Good ends travel by one fit a round, as far as they are better. False where Ctrl-C came: what was found
    until then is kept.
    """
    try:
        return _rounds(job, engine, ends)
    except KeyboardInterrupt:
        return False


def _rounds(job: Job, engine: Engine, ends: Ends) -> bool:
    grid = Grid(job.places.grid or (1,))
    tried: dict[int, set[bytes]] = {}
    looked = np.arange(len(job))
    while looked.size:
        changed = []
        for first in range(0, looked.size, LOOKED_AT):
            rows = looked[first : first + LOOKED_AT]
            near = grid.beside(rows)
            wanted = Wanted.of(ends, rows, near)
            left = wanted.stand_out
            for starts in (wanted.middle, wanted.best):
                at = np.flatnonzero(left & np.isfinite(starts).all(axis=1))
                at = np.array([k for k in at.tolist() if _is_new(tried, rows[k], starts[k])], dtype=np.intp)
                better = _try(job, engine, ends, rows[at], starts[at])
                if better is None:
                    return False
                left[at[better]] = False
                changed.append(rows[at[better]])
        near = grid.beside(np.concatenate(changed))
        looked = np.unique(near[near >= 0])
    return True


def _is_new(tried: dict[int, set[bytes]], row: int, start: Array) -> bool:
    """Was this fit not yet tried from there? From now on it was."""
    known, key = tried.setdefault(int(row), set()), start.tobytes()
    if key in known:
        return False
    known.add(key)
    return True


def _try(job: Job, engine: Engine, ends: Ends, rows: Array, starts: Array) -> Array | None:
    """Fits once more: the positions in `rows` of those that ended better, which are written; None: Ctrl-C."""
    found = []
    size = max(1, TOGETHER // job.places.m)
    for first in range(0, len(rows), size):
        some = slice(first, first + size)
        chunk = chunk_of(job, rows[some])
        again = engine.run(replace(chunk, start=np.clip(starts[some], chunk.lower, chunk.upper)))
        if broken_off(again):
            return None
        before, after = SUCCESS[ends.status[rows[some]]], SUCCESS[again.status]
        cost = ends.cost[rows[some]]
        with np.errstate(invalid="ignore"):
            lower = (again.cost < cost * (1.0 - 1e-9)) | ~np.isfinite(cost)
        better = np.flatnonzero((after & ~before) | ((after == before) & lower))
        ends.put(again.some(better), rows[some][better])
        found.append(first + better)
    return np.concatenate(found) if found else np.empty(0, dtype=np.intp)


class Grid:
    """Which fits lie beside one another."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = np.array(shape)
        self.steps = np.array([step for step in product((-1, 0, 1), repeat=len(shape)) if any(step)])

    def beside(self, rows: Array) -> Array:
        """The numbers of the fits beside each, diagonally too, (k, 3^d - 1); -1 beyond the edge."""
        at = np.stack(np.unravel_index(rows, tuple(self.shape)), axis=-1)[:, None] + self.steps
        inside = np.all((at >= 0) & (at < self.shape), axis=-1)
        number = np.ravel_multi_index(tuple(np.moveaxis(at, -1, 0)), tuple(self.shape), mode="clip")
        return np.where(inside, number, -1)


@dataclass(frozen=True)
class Wanted:
    """Which fits are to be tried again, and from where."""

    stand_out: Array
    """(k,) bool."""
    middle: Array
    """The median of the good ends beside each, (k, p); NaN where there is none."""
    best: Array
    """The end of the best beside each."""

    @staticmethod
    def of(ends: Ends, rows: Array, near: Array) -> Wanted:
        """`near`: the fits beside each of `rows`, -1 for none."""
        status, x, stderr = ends.status[rows], ends.x[rows], ends.stderr[rows]
        usable = (near >= 0) & SUCCESS[ends.status[near]]
        with np.errstate(all="ignore"):
            dof = (ends.n_points - ends.rank).astype(np.float64)
            beside = np.where(usable[..., None], ends.x[near], np.nan)
            middle = _median(beside)
            spread = 1.4826 * _median(np.abs(beside - middle[:, None]))
            wide = np.maximum(spread, np.where(np.isfinite(stderr), stderr, 0.0))
            scaled = np.where(usable, ends.cost[near] / dof[near], np.inf)
            lowest = scaled.argmin(axis=1)[:, None]
            best = np.take_along_axis(near, lowest, axis=1)[:, 0]
            own, low = ends.cost[rows] / dof[rows], np.take_along_axis(scaled, lowest, axis=1)[:, 0]
            costs = _median(np.where(usable, ends.cost[near], np.nan)[..., None])[:, 0]
            odd = (ends.cost[rows] > OUTLIER * costs) | (np.abs(x - middle) > OUTLIER * wide).any(axis=1)
            odd |= special.fdtrc(dof[rows], dof[best], own / low) < CHANCE
        stand_out = (~SUCCESS[status] | odd) & ~np.isin(status, [CODES[s] for s in NEVER])
        return Wanted(stand_out, middle, np.where(usable.any(axis=1)[:, None], ends.x[best], np.nan))


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
