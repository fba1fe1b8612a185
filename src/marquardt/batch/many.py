"""One model, many fits: the driver that gives them to the engine chunk by chunk."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import Status
from ..options import Options
from .checkpoint import Checkpoint, checkpoint_of
from .chunks import chunk_of, not_for_fitting, points_of, some
from .engine import CODES, Ends, Engine, blank, room
from .job import Job, job_of
from .neighbours import from_neighbours
from .progress import Progress, Watch, watch_of
from .refused import refuse
from .result import ManyFits
from .start import UNFINISHED, Starts, broken_off

Array = NDArray[Any]

VALUES = 1 << 22
"""So many values a chunk has at most: 32 MB, small beside the data of long runs."""
MOST = 1 << 16
"""And so many fits."""
FEW = 256
"""So many has the first chunk of fits that are not made in lanes: they may take milliseconds each."""
SECONDS = 0.5
"""So long a chunk takes where so many fits take longer: what an interruption loses, how often progress is
told."""


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
    **others: Any,
) -> ManyFits:
    """Fit one model to many sets of data: every pixel, every well, every spot.

    model : a plain NumPy function or a formula, as in `fit`; the left side of a formula is a name for `Y`.
    x : the independent variable, shaped like the points of one fit, (m,), and shared by all; or shaped like
        `Y`, for each fit its own. Several: a tuple for a function, ``{"x": ..., "y": ...}`` for a formula.
    Y : the data, points last: (fits, m), or with any number of dimensions before them, (rows, columns, m).
        NaN is missing. Integers and single precision are converted chunk by chunk, not as a whole.
    start : values by name or in order, a number for all fits or an array with one for each, NaN where none is
        known; or an array (fits, parameters). Without it each fit begins at the best of what some fits of the
        data, spread over all, end at. "search": each is searched for its start like a single one, slowly.
        "neighbours", or ``{..., "neighbours": True}``: fits on a grid that fail, or stand out from those
        beside them, are tried again from where these ended.
    bounds : as in `fit`, each a number or an array with one for each fit. fixed : likewise.
    sigma, weights : as in `fit`; a number, or by point (m,), by fit, or shaped like `Y`.
    loss, f_scale, family : as in `fit`. trials : with family="binomial", shaped like sigma.
    mask : True where a point counts; or by fit, True where it is made.
    precision : "double", or "single": up to twice as fast, with estimates within a hundredth of their
        standard errors of those in double precision. Fits that single precision cannot tell, with a noise
        below 3e-5 of the data, standard errors below 2e-5 of the value or parameters that nearly depend on
        each other, are made in double precision. Data in single precision are read as they are by either.
    covariance : also keep the covariance matrices; the standard errors are there in any case.
    threads : None: all cores. The results are the same bits for any number.
    progress : None shows a line in a terminal; False nothing; a function is called with a `Progress`.
    checkpoint : a name that ends in ``.npz`` or ``.zarr``. What is done is written there chunk by chunk, and
        a run with the same arguments goes on where that ended, whatever ended it.

    Options of `fit` that many fits do not have, ``ties, prior, method``, are refused with what to do instead.

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
    began = time.perf_counter()
    if others:
        refuse("fit_many", others, OPTIONS)
    threads = Options(threads=threads).threads  # which checks it
    neighbours, start = _neighbours(start)
    job = job_of(
        model, x, Y, start=start, bounds=bounds, fixed=fixed, sigma=sigma, weights=weights, loss=loss,
        f_scale=f_scale, family=family, trials=trials, mask=mask, precision=precision,
    )  # fmt: skip
    engine = Engine(
        job.setup.function, job.parameters, job.setup.data.arguments, loss=job.loss, family=job.family,
        scaled=job.scaled, precision=job.precision, threads=threads, covariance=covariance,
    )  # fmt: skip
    store = checkpoint_of(checkpoint, job, covariance, neighbours)
    ends = room(len(job), engine.n_free, covariance)
    done = 0 if store is None else store.read(ends)
    if store is None or not store.finished:
        done = run(job, engine, ends, done, watch_of(progress, len(job)), store)
        whole = done == len(job)
        if neighbours and whole:
            if store is not None:
                store.write(ends, done)  # what neighbors improve is found again from here
            whole = from_neighbours(job, engine, ends)
            if not whole:
                warnings.warn("Ctrl-C ended the tries from neighbors", RuntimeWarning, stacklevel=2)
        if store is not None and (whole or not neighbours or done < len(job)):
            store.write(ends, done, finished=whole)
    if done < len(job):
        tell_broken_off(ends, done if store is not None else None)
    return ManyFits.of(job, ends, time.perf_counter() - began, engine.remark)


OPTIONS = tuple(fit_many.__kwdefaults__ or ())


def _neighbours(start: Any) -> tuple[bool, Any]:
    if isinstance(start, str) and start == "neighbours":
        return True, None
    if isinstance(start, dict) and "neighbours" in start:
        rest = {name: value for name, value in start.items() if name != "neighbours"}
        return bool(start["neighbours"]), rest or None
    return False, start


def run(job: Job, engine: Engine, ends: Ends, done: int, watch: Watch, store: Checkpoint | None) -> int:
    """The fits from number `done` on, chunk by chunk; how many are done, where Ctrl-C comes not all."""
    k, before, written = len(job), done, done
    most = max(1, min(MOST, VALUES // job.places.m))
    try:
        starts = Starts(job, engine)
        size = most if engine.in_lanes and not job.search else min(FEW, most)
        while done < k:
            began = time.perf_counter()
            rows = slice(done, min(done + size, k))
            into = ends.some(rows)
            found = fit_rows(job, engine, rows, starts, into)
            if found is not into:
                ends.put(found, rows)
            written = rows.stop
            if broken_off(found):
                break
            done = rows.stop
            if watch(done, done - before):
                break
            if store is not None and store.due():
                store.write(ends, done)
            pace = SECONDS / max(time.perf_counter() - began, 1e-9)
            size = max(1, min(most, int(size * min(pace, 8.0))))
    except KeyboardInterrupt:
        pass  # the chunk it came in is half written
    finally:
        watch.close()
    if written < k:
        ends.put(blank(k - written, engine.n_free, engine.covariance), slice(written, k))
    return done


def fit_rows(job: Job, engine: Engine, rows: slice, starts: Starts, into: Ends) -> Ends:
    """The ends of some of the fits, in the arrays of `into` or new ones.

    Lanes leave in doubt what has missing, infinite or constant values. So nobody looks for these beforehand,
    which took 8 % of the time of 100,000 fits of 225 points, on a grid 21 %: only what is in doubt is.
    """
    if not job.is_plain:
        return fit_looked_at(job, engine, rows, starts, into)
    chunk = chunk_of(job, rows, look=False)
    found = engine.run_in_lanes(chunk, into) if starts.are_known(chunk) else None
    if found is None:
        return fit_looked_at(job, engine, rows, starts, into)
    doubtful = np.flatnonzero(found.status == CODES[Status.NOT_DONE])
    if doubtful.size:
        found.put(fit_looked_at(job, engine, rows.start + doubtful, starts), doubtful)
    return found


def fit_looked_at(
    job: Job, engine: Engine, rows: Array | slice, starts: Starts, into: Ends | None = None
) -> Ends:
    """The ends of some of the fits; those that cannot be made with the status that says why."""
    chunk = chunk_of(job, rows)
    why = not_for_fitting(job, chunk)
    if why is None:
        return starts.run(chunk, into)
    good = np.flatnonzero(why < 0)
    if good.size == len(why):
        return starts.run(chunk, into)
    ends = blank(len(why), engine.n_free, engine.covariance)
    ends.status[:], ends.n_points[:] = why, points_of(chunk)
    if good.size:
        ends.put(starts.run(some(chunk, good)), good)
    return ends


def tell_broken_off(ends: Ends, stored: int | None) -> None:
    """How many fits are done, or `stored` in a checkpoint."""
    k, made = len(ends.status), np.count_nonzero(~np.isin(ends.status, UNFINISHED))
    if stored is None:
        told = f"{made:,} of {k:,} fits are done; give checkpoint= to go on where a run ended"
    else:
        told = f"{stored:,} of {k:,} fits are in the checkpoint; run again to go on from there"
    warnings.warn(f"the run ended early: {told}", RuntimeWarning, stacklevel=3)
