"""Many fits, fits of groups and one giant fit of data in dask: arrays, DataFrames, partitions.

Nothing here schedules anything: dask does, with threads, processes or a cluster. What its tasks hold is the
expression of the model, not the function.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..curve.fit import fit as fit_one
from ..curve.parameters import is_mapping
from ..curve.result import FitResult
from ..errors import DataError, OptionError
from .chunked import Slots, fit_block, plan_of
from .partitions import Partitions, package

TYPES = {"status": np.int8, "points": np.int32, "nfev": np.int32}


def fit_many(
    model: Any,
    x: Any,
    Y: Any,
    *,
    threads: int = 1,
    covariance: bool = False,
    allow_pickle: bool = False,
    **options: Any,
) -> dict[str, Any]:
    """`marquardt.fit_many` for a dask array: a task for each of its chunks, nothing worked out until asked.

    model, x, Y, options : as in `marquardt.fit_many`; the points are the last axis of `Y`, and become one
        chunk. What differs between fits may be dask arrays too. Without start values every chunk finds its
        own. Progress is shown by dask; there is no checkpoint.
    threads : of each task; dask runs several at once.
    allow_pickle : send a function that has no single expression (branches, calls that are not followed) as
        it is. Without it, such a function is an error.

    Returns arrays of dask by name, shaped like the fits: each parameter, "a", its standard error,
    "a_stderr", and "status", "points", "cost", "reduced_chi2", "nfev", "covariance" if asked for;
    ``dask.compute(found)`` works out all of them in one pass.

    Raises DataError, ParameterError, ModelError or FormulaError, before any work where that can be told.

    >>> import dask.array
    >>> t = np.linspace(0, 4, 9)
    >>> cube = dask.array.from_array(3 * np.exp(-np.array([[0.5], [1.0]]) * t), chunks=(1, 9))
    >>> found = fit_many("a*exp(-b*t)", {"t": t}, cube, start={"a": 1, "b": 1})
    >>> found["b"].compute().round(6)
    array([0.5, 1. ])
    """
    package()
    import dask.array

    da: Any = dask.array

    if not isinstance(Y, da.Array):
        raise DataError(f"Y is a {type(Y).__name__}, not a dask array: use marquardt.fit_many")
    if Y.ndim < 2:
        raise DataError("Y has one dimension, one set of data: use marquardt.fit")
    if Y.dtype.kind not in "biuf":
        raise DataError(f"the data are of type {Y.dtype}, not real numbers")
    if options.get("checkpoint") is not None:
        raise OptionError("checkpoint= is for one process: write found arrays chunk by chunk, to_zarr()")
    options = {n: v for n, v in options.items() if n not in ("progress", "checkpoint")}  # dask shows its own
    Y = Y.rechunk({Y.ndim - 1: -1})
    slots = Slots(Y)
    x = slots.variables(x)
    options = {name: slots.option(name, value) for name, value in options.items()}
    plan = plan_of(model, x, Y, options | {"threads": threads}, covariance, allow_pickle)
    packed = da.map_blocks(
        fit_block, Y, *slots.arrays, plan=plan, dtype=np.float64, chunks=(*Y.chunks[:-1], (plan.size,)),
        meta=np.empty((0,) * Y.ndim), name=None,
    )  # fmt: skip
    found = {n: packed[..., k].astype(TYPES.get(n, np.float64)) for k, n in enumerate(plan.outputs)}
    if covariance:
        p = len(plan.free)
        found["covariance"] = packed[..., len(plan.outputs) :].reshape((*Y.shape[:-1], p, p))
    return found


def free_names(found: Mapping[str, Any], fixed: Any) -> tuple[str, ...]:
    """The parameters of the covariance matrices, in their order."""
    held = {str(n) for n in fixed} if is_mapping(fixed) else set()
    return tuple(n.removesuffix("_stderr") for n in found if n.endswith("_stderr") and n[:-7] not in held)


# ------------------------------------------------------------------------------------------ fits of groups


def fit_groups(
    data: Any, model: Any, by: Any, *, shuffle: bool = True, threads: int = 1, **options: Any
) -> Any:
    """`marquardt.fit_groups` for a dask DataFrame: fits of the groups of each partition, one row per group.

    by : a column of labels, or several. model : a formula, or a function that can be pickled.
    shuffle : bring the rows of a group together first; False where each group lies in one partition.
    threads : of each task. options : as in `marquardt.fit_groups`.

    Returns a dask DataFrame with the columns of `marquardt.fit_groups`.

    >>> import dask.dataframe, pandas
    >>> t = np.tile(np.linspace(0, 4, 9), 2)
    >>> frame = pandas.DataFrame({"t": t, "y": 3 * np.exp(-0.5 * t), "plate": np.repeat([1, 2], 9)})
    >>> parts = dask.dataframe.from_pandas(frame, npartitions=2)
    >>> found = fit_groups(parts, "y ~ a*exp(-b*t)", by="plate", start={"a": 1, "b": 1}).compute()
    >>> found["b"].round(6).tolist()
    [0.5, 0.5]
    """
    package()
    if not hasattr(data, "map_partitions"):
        raise DataError(f"data is a {type(data).__name__}, not a dask DataFrame: use marquardt.fit_groups")
    by = [by] if isinstance(by, str) else list(by)
    if options.pop("checkpoint", None) is not None:
        raise OptionError("checkpoint= is for one process: write the partitions found, to_parquet()")
    options["threads"] = threads
    sample = data._meta_nonempty
    numbers = {
        c: np.arange(1.0, len(sample) + 1) for c in sample if c not in by and sample[c].dtype.kind in "iuf"
    }
    meta = _groups(sample.assign(**numbers), model, by, options, None).iloc[:0]
    rows = data.shuffle(on=by) if shuffle and data.npartitions > 1 else data
    return rows.map_partitions(_groups, model, by, options, meta, meta=meta)


def _groups(frame: Any, model: Any, by: list[str], options: dict[str, Any], meta: Any) -> Any:
    from .groups import fit_groups as run

    if meta is not None and not len(frame):
        return meta
    return run(frame, model, by, **{"progress": False, **options})


# ------------------------------------------------------------------------------------------- one giant fit


def fit(model: Any, x: Any = None, y: Any = None, *, data: Any, **options: Any) -> FitResult:
    """`marquardt.fit` of a dask DataFrame, or of a mapping of dask arrays: one fit, however many rows.

    Every iteration is one pass over the partitions: each gives the triangular factor R of [J f] and a few
    sums, which are combined in a tree, two at a time, always the same two (Demmel, Grigori, Hoemmen, Langou
    2012). A first pass counts rows, draws a sample, which is fitted first, and looks for missing values.
    ``data.persist()`` before keeps the partitions in the memory of the workers.

    model, x, y, options : as in `marquardt.fit` with ``data=mq.blocks(...)``.

    >>> import dask.array
    >>> t = dask.array.linspace(0, 4, 3000, chunks=1000)
    >>> table = {"t": t, "y": 3 * dask.array.exp(-0.5 * t)}
    >>> found = fit("y ~ a*exp(-b*t)", data=table, start=[1, 1])
    >>> found.n_points, round(found.params["b"].value, 6)
    (3000, 0.5)
    """
    found = fit_one(model, x, y, data=Partitions.of(data), **options)
    return found  # type: ignore[no-any-return]
