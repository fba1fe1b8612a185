"""Separate fits of the groups of one table, all at once: a table of estimates."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..curve.columns import column
from ..curve.data import Data
from ..curve.partition import Partition, names_of, partition
from ..curve.setup import Request, Setup, from_function
from ..curve.setup_formula import from_formula
from ..errors import DataError, FileError, OptionError, Status
from ..expr.formula import Formula
from ..report.many import words
from .buckets import Block, blocks
from .engine import STATUSES
from .many import fit_many
from .own import by_group
from .refused import refuse
from .result import ManyFits
from .tables import kind_of, like

Array = NDArray[Any]


def fit_groups(
    data: Any,
    model: Any,
    by: Any,
    *,
    y: str | None = None,
    x: Any = None,
    start: Any = None,
    bounds: Any = None,
    fixed: Any = None,
    sigma: Any = None,
    weights: Any = None,
    loss: Any = "linear",
    f_scale: float | None = None,
    family: str | None = None,
    trials: Any = None,
    missing: str = "drop",
    precision: str = "double",
    threads: int | None = None,
    progress: Any = None,
    checkpoint: Any = None,
    **others: Any,
) -> Any:
    """Fit each group of rows of a table by itself; returns a table of the same kind, one row per group.

    data : a table: pandas, polars, pyarrow, or any mapping of columns (then a dict comes back).
    model : a formula of its columns, or a function with `y`, the name of the response; its arguments named
        like columns, or the columns `x`, are the independent variables.
    by : a column of labels, several, or an array of labels (then called "group").
    start : values for all groups; by group, ``{"Km": {"A": 1.5, "B": 2}}``; or a table with the columns `by`
        and one for each parameter, such as an earlier result. A group for which none is known finds its own.
    bounds, sigma, weights, loss, f_scale, family, trials : as in `fit`; sigma, weights and trials may be
        columns.
    fixed : as in `fit`, or by group like `start`, then for every group.
    missing : "drop" leaves out rows without label or with a missing value; "error" names the first.
    precision, threads, progress : as in `fit_many`.
    checkpoint : a folder, made where there is none. What is done is kept there, in a file for groups of about
        as many rows, and a run with the same arguments goes on where that ended, whatever ended it.

    The columns of the result: those of `by` as they are in the data, for each parameter its estimate and
    "... stderr", then "status" (`Status` in lower case), "points" that counted, and "reduced_chi2". Groups
    come in the order in which they appear. What goes wrong in one is its status; its numbers are NaN.

    ``fit(..., by=)`` instead gives a whole `FitResult` of every group, and takes all options of `fit`.

    Raises DataError, ParameterError, ModelError, FormulaError or OptionError before any work.

    >>> t = np.tile(np.linspace(0, 4, 9), 2)
    >>> plate = np.repeat(["A", "B"], 9)
    >>> y = np.where(plate == "A", 3, 5) * np.exp(-0.5 * t)
    >>> found = fit_groups({"t": t, "y": y, "plate": plate}, "y ~ a*exp(-b*t)", by="plate")
    >>> list(found), found["a"].round(6).tolist()
    (['plate', 'a', 'a stderr', 'b', 'b stderr', 'status', 'points', 'reduced_chi2'], [3.0, 5.0])
    """
    if others:
        refuse("fit_groups", others, OPTIONS)
    kind_of(data)
    folder = _folder(checkpoint)
    tried = np.asarray(column(data, trials) if isinstance(trials, str) else trials)
    setup = _prepare(model, Request(x, y, data, None, bounds, None, sigma, weights, missing, None, None))
    parameters, n_rows = setup.parameters.names, setup.data.y.size + setup.data.dropped
    found = partition(by, data, n_rows, "by", missing)
    names = names_of(by, data, n_rows, "by")
    own = {o: by_group(v, o, names, found, parameters) for o, v in (("start", start), ("fixed", fixed))}
    rows = slice(None) if setup.data.rows is None else setup.data.rows
    kept = found if setup.data.rows is None else found.of_rows(setup.data.rows)
    table = _Estimates(found.first.size, parameters, names or ("group",))
    options = {
        "bounds": bounds, "loss": loss, "f_scale": f_scale, "family": family, "precision": precision,
        "threads": threads,
    }  # fmt: skip
    stop = _Stop(progress)
    for block in blocks(*kept.order()):
        told: dict[str, Any] = {
            o: {n: _some(v, block.groups) for n, v in given.items()} or None for o, given in own.items()
        }
        if trials is not None:
            told["trials"] = tried if tried.ndim == 0 else block.take(tried[rows])
        if folder is not None:
            told["checkpoint"] = folder / f"{block.rows.shape[1]}-rows.npz"
        many = _fit(model, setup, block, told | _weighting(setup.data, block) | options | stop.option)
        table.fill(block.groups, many)
        if many.interrupted or stop.asked:
            break
    if names is None:
        return like(data, [], found.first[:0], {"group": np.asarray(found.labels)} | table.finished(kept))
    return like(data, names, found.first, table.finished(kept))


OPTIONS = tuple(fit_groups.__kwdefaults__ or ())


def _folder(given: Any) -> Path | None:
    if given is None:
        return None
    folder = Path(given)
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        why = "it is a file" if folder.is_file() else error.strerror
        raise FileError(f"checkpoint {folder} cannot be made a folder: {why}") from None
    return folder


def _prepare(model: Any, given: Request) -> Setup:
    """The whole table made ready, which finds what is wrong with columns and parameters."""
    setup = from_formula(model, given) if isinstance(model, str | Formula) else from_function(model, given)
    data = setup.data
    if data.whitening is not None:
        raise OptionError("sigma= as a covariance matrix cannot be had with fit_groups: use fit(..., by=)")
    if data.of_prediction is not None:
        raise OptionError("sigma= and weights= that follow the prediction need fit(..., by=)")
    if data.y.dtype.kind == "c":
        raise DataError(f"{data.y_name!r} is complex: use fit(..., by=)")
    if data.y.ndim != 1 or not all(isinstance(a, np.ndarray) and a.ndim == 1 for a in data.arguments):
        raise DataError("fit_groups needs one response and one value of each variable for each row")
    return setup


def _fit(model: Any, setup: Setup, block: Block, options: dict[str, Any]) -> ManyFits:
    """The groups of one block as one batch. Where all have the same x, it is given once."""
    x = [block.take(argument) for argument in setup.data.arguments]
    if block.mask is None and all((column == column[0]).all() for column in x):
        x = [column[0] for column in x]
    where: Any = x[0] if len(x) == 1 else tuple(x)
    if isinstance(setup.function, Formula):
        model = replace(setup.function, response=None)  # the data are told
        where = dict(zip(setup.data.names, x, strict=True))
    return fit_many(model, where, block.take(setup.data.y), mask=block.mask, **options)


def _weighting(data: Data, block: Block) -> dict[str, Array]:
    if data.sigma is not None:
        return {"sigma": block.take(data.sigma)}
    return {} if data.w is None else {"weights": block.take(data.w**2)}


def _some(values: Any, groups: Array) -> Any:
    return values[groups] if isinstance(values, np.ndarray) else values


class _Stop:
    """Notices when the caller's function of progress asks to stop, which ends the blocks to come too."""

    def __init__(self, progress: Any) -> None:
        self.progress, self.asked = progress, False
        self.option = {"progress": self.tell if callable(progress) else progress}

    def tell(self, state: Any) -> bool:
        self.asked = self.progress(state) is True
        return self.asked


class _Estimates:
    """The columns of the result, filled block by block."""

    def __init__(self, n: int, parameters: tuple[str, ...], labels: tuple[str, ...]) -> None:
        self.parameters = parameters
        numbers_of = [name for p in parameters for name in (p, f"{p} stderr")]
        self.columns: dict[str, Array] = {name: np.full(n, np.nan) for name in numbers_of}
        self.columns["status"] = np.full(n, words(Status.NOT_DONE), dtype=f"U{LONGEST}")
        self.columns["points"] = np.zeros(n, dtype=np.int64)
        self.columns["reduced_chi2"] = np.full(n, np.nan)
        clash = next(
            (name for name in (*labels, *parameters) if name in RESERVED or name.endswith(" stderr")), None
        )
        if clash is not None:
            raise DataError(
                f"{clash!r} is the name of a column of the result: rename that column or parameter"
            )

    def fill(self, at: Array, many: ManyFits) -> None:
        for name in self.parameters:
            self.columns[name][at] = many.params[name]
            self.columns[f"{name} stderr"][at] = many.stderr[name]
        self.columns["status"][at] = WORDS[many.status]
        self.columns["points"][at] = many.n_points
        self.columns["reduced_chi2"][at] = many.reduced_chi2

    def finished(self, kept: Partition) -> dict[str, Array]:
        """The columns; groups that have no row were in no block."""
        empty = np.bincount(kept.code + 1, minlength=kept.first.size + 1)[1:] == 0
        self.columns["status"][empty] = words(Status.NO_POINTS)
        return self.columns


WORDS = np.array([words(status) for status in STATUSES])
LONGEST = max(map(len, WORDS.tolist()))
RESERVED = ("status", "points", "reduced_chi2")
