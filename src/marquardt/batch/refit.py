"""One of many fits once more, with all that a single fit tells."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..curve.fit import fit
from ..curve.result import FitResult
from ..errors import DataError
from ..expr.formula import Formula
from .chunks import chunk_of
from .engine import Chunk
from .job import Job

Array = NDArray[Any]


def refit(job: Job, k: int, end: Array) -> FitResult:
    """Fit number k as `fit` makes it; `end` are all its parameters."""
    chunk = chunk_of(job, slice(k, k + 1))
    keep = slice(None) if chunk.mask is None else chunk.mask[0]
    x = [np.ascontiguousarray(_row(part)[keep]) for part in chunk.x]
    if not x or not len(x[0]):
        raise DataError(f"fit {job.places.index(k)} has no points: all are missing or masked")
    p, free = job.parameters, list(job.parameters.free)
    start = _row(chunk.start)
    known = bool(np.isfinite(start).all()) and not job.search
    start = start if known else end[free]
    held = [i for i in range(len(p.names)) if i not in free]
    values = p.values[held] if chunk.fixed is None else chunk.fixed[0]
    low, high = _row(chunk.lower), _row(chunk.upper)
    bounds = {p.names[i]: (float(low[n]), float(high[n])) for n, i in enumerate(free)}
    setup = job.setup
    y = np.asarray(chunk.y[0], dtype=np.float64)[keep]
    if job.trials is not None and chunk.weights is not None:  # proportions, there
        y = y * _row(chunk.weights)[keep]
    formula = isinstance(setup.function, Formula)
    where: Any = dict(zip(setup.data.names, x, strict=True)) if formula else x[0] if len(x) == 1 else tuple(x)
    found: FitResult = fit(
        setup.function,
        where,
        y,
        start={p.names[i]: float(start[n]) for n, i in enumerate(free) if np.isfinite(start[n])} or None,
        fixed={p.names[i]: float(v) for i, v in zip(held, values, strict=True)} or None,
        bounds={name: pair for name, pair in bounds.items() if np.isfinite(pair).any()} or None,
        **_weighting(job, chunk, keep),
    )
    return found


def _row(values: Array) -> Array:
    return values if values.ndim == 1 else values[0]


def _weighting(job: Job, chunk: Chunk, keep: Any) -> dict[str, Any]:
    given: dict[str, Any] = {"family": job.family} if job.family else {}
    if job.loss is not None:
        given |= {"loss": job.loss_given, "f_scale": job.loss.f_scale}
    if chunk.weights is None:
        return given
    w = _row(chunk.weights)[keep]
    if job.family is not None:
        return given | {"trials" if job.trials is not None else "weights": w}
    return given | ({"sigma": 1.0 / w} if job.known_sigma else {"weights": w**2})
