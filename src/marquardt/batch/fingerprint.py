"""What tells one run of many fits from another: a digest of each thing that was given, by name."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..problem.model import compile_model
from .places import Columns, Rows

if TYPE_CHECKING:
    from .job import Job

Array = NDArray[Any]

WHOLE = 1 << 27
"""Arrays of up to so many bytes are read in full; of larger ones `SAMPLED` values, evenly spread."""
SAMPLED = 1 << 16


def fingerprint(job: Job, covariance: bool, neighbours: bool) -> dict[str, str]:
    """By name, in the order in which differences are told."""
    p = job.parameters
    told = {
        "model": [job.setup.title, p.names, _values(job)],
        "shape of the data": job.places,
        "data": job.y,
        "x": job.x,
        "fixed parameters": [
            p.free,
            p.values[[i for i in range(len(p.names)) if i not in p.free]],
            job.fixed,
        ],
        "start": [job.start, neighbours, job.search],
        "bounds": job.box,
        "sigma or weights": [job.known_sigma, job.weights],
        "trials": job.trials,
        "mask": job.mask,
        "loss": [job.loss_given, None if job.loss is None else job.loss.f_scale],
        "family": job.family,
        "precision": job.precision,
        "covariance": covariance,
    }
    return {name: _digest(value) for name, value in told.items()}


def _values(job: Job) -> list[str]:
    """What the model gives at two points: functions of one name may differ."""
    p, arguments = job.parameters, job.setup.data.arguments
    model = compile_model(job.setup.function, arguments, p.shapes)
    found = []
    for value in (1.0, 1.25):
        try:
            values = model.call(arguments, np.full(len(p.names), value))
        except Exception:
            continue
        found.append(" ".join(f"{v:.6g}" for v in np.ravel(values)[:64]))
    return found


def _digest(told: Any) -> str:
    digest = hashlib.sha256()
    _add(digest, told)
    return digest.hexdigest()[:16]


def _add(digest: Any, told: Any) -> None:
    if isinstance(told, Rows):
        _add(digest, [told.shape, str(told.dtype), told.sample(SAMPLED)])
    elif isinstance(told, Columns):
        _add(digest, told.parts)
    elif isinstance(told, tuple | list):
        for part in told:
            _add(digest, part)
    elif isinstance(told, np.ndarray):
        digest.update(f"{told.shape}{told.dtype}".encode())
        if told.nbytes > WHOLE:
            at = np.unravel_index(np.linspace(0, told.size - 1, SAMPLED).astype(np.int64), told.shape)
            told = told[at]
        digest.update(np.ascontiguousarray(told).data)
    else:
        digest.update(f"{told!r};".encode())
