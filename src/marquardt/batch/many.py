"""One model, many fits: the driver that gives them to the engine chunk by chunk."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import Status
from .checkpoint import Checkpoint
from .chunks import chunk_of, not_for_fitting, points_of, some
from .engine import CODES, Ends, Engine, blank
from .job import Job, job_of
from .neighbours import from_neighbours
from .progress import Progress, Watch, watch_of
from .result import ManyFits
from .start import Starts

Array = NDArray[Any]

VALUES = 1 << 22
"""So many values a chunk has at most: 32 MB, small beside the data of long runs."""
MOST = 1 << 15
"""And so many fits: what an interruption loses."""


def fit_many(
    model: Any,
    x: Any,
    Y: Any,
    *,
    start: Any = None,
    bounds: Any = None,
    fixed: Any = None,
    sigma: Any = None,
    weights: Any = None,
    loss: Any = "linear",
    f_scale: float | None = None,
    family: str | None = None,
    trials: Any = None,
    mask: Any = None,
    precision: str = "double",
    covariance: bool = False,
    threads: int | None = None,
    progress: bool | Callable[[Progress], Any] | None = None,
    checkpoint: Any = None,
) -> ManyFits:
    """Fit one model to many sets of data: every pixel, every well, every spot.

    model : a plain NumPy function or a formula, as in `fit`; the left side of a formula is a name for `Y`.
    x : the independent variable, shaped like the points of one fit, (m,), and shared by all; or shaped like
        `Y`, for each fit its own. Several: a tuple for a function, ``{"x": ..., "y": ...}`` for a formula.
    Y : the data, points last: (fits, m), or with any number of dimensions before them, (rows, columns, m).
        NaN is missing. Integers and single precision are converted chunk by chunk, not as a whole.
    start : values by name or in order, a number for all fits or an array with one for each, NaN where none is
        known; without it each fit begins at the best of what some fits of the data, spread over all, end at.
        "neighbours", or ``{..., "neighbours": True}``: fits on a grid that fail, or stand out from those
        beside them, are tried again from where these ended.
    bounds : as in `fit`, for all fits. fixed : numbers, or arrays with one for each fit.
    sigma, weights : as in `fit`; a number, or by point (m,), by fit, or shaped like `Y`.
    loss, f_scale, family : as in `fit`. trials : with family="binomial", shaped like sigma.
    mask : True where a point counts; or by fit, True where it is made.
    precision : "double", or "single", which is faster and good for six digits.
    covariance : also keep the covariance matrices; the standard errors are there in any case.
    threads : None: all cores. The results are the same bits for any number.
    progress : None shows a line in a terminal; False nothing; a function is called with a `Progress`.
    checkpoint : the name of an ``.npz`` file. What is done is written there now and then, and a run with
        the same arguments goes on where that ended.

    Every fit ends with the status `fit` would give it. What goes wrong in one is its status, counted in
    the summary; what is wrong with the arguments is an error before any work. Ctrl-C ends the run: what
    is done is returned, the rest is NOT_DONE.

    Raises DataError, ParameterError, ModelError, FormulaError or OptionError, naming what is wrong.

    >>> t = np.linspace(0, 4, 9)
    >>> rates = np.array([0.5, 1.0, 2.0])
    >>> many = fit_many("a*exp(-b*t)", {"t": t}, 3 * np.exp(-rates[:, None] * t), start={"a": 1, "b": 1})
    >>> many.params["b"].round(6)
    array([0.5, 1. , 2. ])
    """
    neighbours, start = _neighbours(start)
    job = job_of(
        model, x, Y, start=start, bounds=bounds, fixed=fixed, sigma=sigma, weights=weights, loss=loss,
        f_scale=f_scale, family=family, trials=trials, mask=mask, precision=precision,
    )  # fmt: skip
    engine = Engine(
        job.setup.function, job.parameters, job.setup.data.arguments, loss=job.loss, family=job.family,
        precision=job.precision, threads=threads, covariance=covariance,
    )  # fmt: skip
    store = None if checkpoint is None else Checkpoint(checkpoint, job, covariance)
    ends = run(job, engine, watch_of(progress, len(job)), store)
    if neighbours:
        from_neighbours(job, engine, ends)
    if store is not None:
        store.write(ends, len(job))
    return ManyFits(job, ends, model)


def _neighbours(start: Any) -> tuple[bool, Any]:
    if isinstance(start, str) and start == "neighbours":
        return True, None
    if isinstance(start, dict) and "neighbours" in start:
        rest = {name: value for name, value in start.items() if name != "neighbours"}
        return bool(start["neighbours"]), rest or None
    return False, start


def run(job: Job, engine: Engine, watch: Watch, store: Checkpoint | None) -> Ends:
    """All fits, chunk by chunk; after Ctrl-C the rest is NOT_DONE."""
    k = len(job)
    ends = blank(k, engine.n_free, engine.covariance)
    begun = done = 0 if store is None else store.read(ends)
    size = max(1, min(MOST, VALUES // job.places.m))
    starts = Starts(job, engine)
    try:
        while done < k:
            rows = np.arange(done, min(done + size, k))
            ends.put(fit_rows(job, engine, rows, starts), rows)
            if (ends.status[rows] == CODES[Status.INTERRUPTED]).any():
                break
            done = int(rows[-1]) + 1
            if watch(done, done - begun):
                break
            if store is not None and store.due():
                store.write(ends, done)
    except KeyboardInterrupt:
        pass
    finally:
        watch.close()
    if store is not None and done < k:
        store.write(ends, done)
    return ends


def fit_rows(job: Job, engine: Engine, rows: Array, starts: Starts) -> Ends:
    """The ends of some of the fits, those that cannot be made with the status that says why."""
    chunk = chunk_of(job, rows)
    why = not_for_fitting(job, chunk)
    good = np.flatnonzero(why < 0)
    if good.size == len(rows):
        return starts.run(chunk)
    ends = blank(len(rows), engine.n_free, engine.covariance)
    ends.status[:], ends.n_points[:] = why, points_of(chunk)
    if good.size:
        ends.put(starts.run(some(chunk, good)), good)
    return ends
