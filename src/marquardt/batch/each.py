"""Fits one by one in the threads of the core, on the dense QR path of a single fit."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..errors import Status
from ..options import Options
from ..solve.minimize import native_options
from ..stats import covariance
from .traced import TracedBatch, batch_of, family_of, threads_of

if TYPE_CHECKING:
    from .engine import Chunk, Ends, Engine

Array = NDArray[Any]

_BEFORE_IT = -2
"""What the core says of a fit where Ctrl-C came before it."""


def run_each(engine: Engine, traced: TracedBatch, chunk: Chunk, which: Array) -> Ends | None:
    """The fits of a chunk at the positions `which`; None where they are not for the core alone."""
    columns = traced.columns_of(chunk)
    if columns is None or not traced.takes(engine, chunk):
        return None
    options = replace(engine.options or Options(), threads=1, trace=False)
    if engine.loss is not None and options.method != "auto":
        return None
    family, squares = family_of(engine), engine.loss is None and engine.family is None
    linear = traced.linear if squares and options.method == "auto" and options.projection else ()
    found = _core.fit_each(
        traced.programs.native, batch_of(engine, chunk, columns), which, family, _plan(engine), list(linear),
        native_options(options, True), threads_of(engine),
    )  # fmt: skip
    return _ends(engine, found)


def _plan(engine: Engine) -> tuple[Any, ...] | None:
    """The loss and how its scale is found, as the core takes it."""
    plan = engine.loss
    if plan is None:
        return None
    row = plan.loss.row
    return plan.loss.native(), row.tuning, row.redescends, plan.f_scale, plan.unit_noise


def _ends(engine: Engine, found: dict[str, Array]) -> Ends:
    from .engine import CODES, Ends, blank, reduced_chi2

    p = engine.n_free
    status, cost, inverse = found["status"].copy(), found["cost"], found["inverse"]
    known = status >= 0
    status[~known] = np.where(status[~known] == _BEFORE_IT, CODES[Status.NOT_DONE], CODES[Status.BAD_START])
    status[known & ~np.isfinite(cost)] = CODES[Status.BAD_START]
    rank = found["rank"] + np.count_nonzero(found["active"], axis=1).astype(np.int16)
    bad = (status == CODES[Status.BAD_START]) | (status == CODES[Status.NOT_DONE])
    for i in np.flatnonzero(~bad & np.isnan(inverse).any(axis=(1, 2))):
        held, R, inner = found["active"][i] != 0, found["factor"][i, :p, :p], found["inner"]
        unscaled = covariance(R, held, int(found["rank"][i]) if inner is None else None)
        inverse[i], rank[i] = unscaled.matrix, unscaled.rank + np.count_nonzero(held)
        if inner is not None:
            within = unscaled.space @ inner[i] @ unscaled.space
            lost = np.isnan(within).any()
            inverse[i] = np.where(np.isfinite(unscaled.matrix) | lost, within, unscaled.matrix)
    with np.errstate(invalid="ignore", over="ignore"):
        if engine.scaled:
            inverse *= reduced_chi2(found["rss"], found["n_points"], rank)[:, None, None]
        stderr = np.sqrt(np.diagonal(inverse, axis1=1, axis2=2))
    ends = Ends(
        x=found["x"], cost=cost, status=status, nfev=found["nfev"], njev=found["njev"],
        covariance=inverse if engine.covariance else None, stderr=stderr, rss=found["rss"],
        n_points=found["n_points"], rank=rank, by_qr=~bad,
    )  # fmt: skip
    if bad.any():
        nothing = blank(int(bad.sum()), p, engine.covariance)
        nothing.status[:] = status[bad]
        ends.put(nothing, bad)
    return ends
