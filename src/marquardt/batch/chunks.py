"""Chunks of a job as the engine takes them, and fits that cannot be made."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import Status
from .engine import CODES, Chunk
from .job import Job
from .places import Columns

Array = NDArray[Any]


def chunk_of(job: Job, at: Array | slice, look: bool = True) -> Chunk:
    """Some of the fits, in full: missing values are masked, where one is to look for them, and trials divided
    by."""
    y = job.y[at]
    y = y if y.dtype == np.float32 else np.asarray(y, dtype=np.float64)
    weights = None if job.weights is None else rows_of(job.weights, at)
    counts = _counted(job, at, y, weights) if look else None
    if job.trials is not None:
        n = rows_of(job.trials, at)
        y = y / n
        weights = n if weights is None else n * weights
    if weights is not None and weights.shape[-1] != y.shape[1]:
        shape = y.shape if weights.ndim == 2 else y.shape[1:]
        weights = np.broadcast_to(weights, shape)
    if weights is not None and weights.ndim == 2 and counts is not None:
        weights = np.where(counts, weights, 0.0)
    lower, upper = (rows_of(side, at) for side in job.box)
    return Chunk(
        x=tuple(rows_of(part, at) for part in job.x),
        y=y if counts is None else np.where(counts, y, y.dtype.type(0)),
        weights=None if weights is None else np.ascontiguousarray(weights),
        mask=counts,
        start=rows_of(job.start, at),
        lower=lower,
        upper=upper,
        fixed=None if job.fixed is None else job.fixed[at],
    )


def _counted(job: Job, at: Array | slice, y: Array, weights: Array | None) -> Array | None:
    """True where a point counts; None: all do, and are finite."""
    finite = all_finite(y)
    if job.mask is None and weights is None and finite:
        return None
    counts: Array = ~np.isnan(y)
    if job.mask is not None:
        counts &= rows_of(job.mask, at)
    if weights is not None:
        counts &= weights > 0.0
    return None if finite and counts.all() else counts


def all_finite(y: Array) -> bool:
    """Told by their sum where that is finite: one pass, which makes no array as large."""
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(y.sum())) or bool(np.isfinite(y).all())


def rows_of(values: Array | Columns, at: Any) -> Array:
    """The rows of some fits, or what all share."""
    return values[at] if isinstance(values, Columns) or values.ndim == 2 else values


def some(chunk: Chunk, at: Array) -> Chunk:
    """Some fits of a chunk."""
    if len(at) == len(chunk):
        return chunk
    mask = None if chunk.mask is None else chunk.mask[at]
    return replace(
        chunk,
        x=tuple(rows_of(part, at) for part in chunk.x),
        y=chunk.y[at],
        weights=None if chunk.weights is None else rows_of(chunk.weights, at),
        mask=None if mask is None or mask.all() else mask,
        start=rows_of(chunk.start, at),
        lower=rows_of(chunk.lower, at),
        upper=rows_of(chunk.upper, at),
        fixed=None if chunk.fixed is None else chunk.fixed[at],
    )


def points_of(chunk: Chunk) -> Array:
    """How many points count, (k,)."""
    if chunk.mask is None:
        return np.full(len(chunk), chunk.y.shape[1])
    return np.asarray(np.count_nonzero(chunk.mask, axis=1))


def not_for_fitting(job: Job, chunk: Chunk) -> Array | None:
    """The status of the fits that cannot be made, as a code, -1 of those that can; None: all can."""
    p = len(job.parameters.free)
    constant = _constant(chunk) if p > 1 else np.empty(0, dtype=np.intp)
    plain = chunk.mask is None and job.trials is None and job.family is None
    if plain and not constant.size and chunk.y.shape[1] >= max(p, 1):
        return None
    n = points_of(chunk)
    why = np.full(len(chunk), -1, dtype=np.int8)
    why[constant] = CODES[Status.CONSTANT]
    if chunk.mask is not None or job.trials is not None:
        why[~np.isfinite(chunk.y).all(axis=1)] = CODES[Status.BAD_DATA]
    if job.family is not None:
        bad = (chunk.y < 0.0) | (chunk.y > 1.0) if job.family == "binomial" else chunk.y < 0.0
        why[bad.any(axis=1)] = CODES[Status.BAD_DATA]
    why[n < p] = CODES[Status.TOO_FEW_POINTS]
    why[n == 0] = CODES[Status.NO_POINTS]
    return why


def _constant(chunk: Chunk) -> Array:
    """Positions of fits all of whose values are equal: the ends are compared first, as that alone tells most
    of them."""
    y = chunk.y
    if chunk.mask is None:
        maybe = np.flatnonzero(y[:, 0] == y[:, -1])
        counts = np.ones((maybe.size, y.shape[1]), dtype=bool)
    else:
        maybe = np.flatnonzero((y[:, 0] == y[:, -1]) | ~(chunk.mask[:, 0] & chunk.mask[:, -1]))
        counts = chunk.mask[maybe]
    high = np.where(counts, y[maybe], -np.inf).max(axis=1, initial=-np.inf)
    low = np.where(counts, y[maybe], np.inf).min(axis=1, initial=np.inf)
    return np.asarray(maybe[high == low])
