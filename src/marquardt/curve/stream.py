"""The fit of long data: from where a fit of a sample ended, over all rows, judged by all of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, ModelError, OptionError, Status
from ..options import Options
from ..problem.source import Read, Source
from ..problem.streamed import StreamProblem, can_stream
from ..problem.sums import Columns
from ..solve.minimize import minimize_streamed
from .columns import column, column_names
from .data import Data
from .goal import stop_at_once
from .long import (
    LONG,
    PART,
    SAMPLE,
    SEARCHED,
    NotLong,
    Sampler,
    arrays_of,
    length_of,
    sampled,
    says_name,
    spread_rows,
)
from .progress import ProgressLine, Told
from .result import FitResult
from .setup import Request, Setup
from .stream_result import LongFit

Vector = NDArray[np.float64]
Watch = Callable[[Any], Any] | None
Prepare = Callable[[Request], Setup]
Run = Callable[[Setup, Options | None, Watch], FitResult]

CERTIFIED = (Status.CONVERGED, Status.CONVERGED_AT_BOUND)


def fit_arrays(
    wanted: Request, prepare: Prepare, run: Run, options: Options | None, watch: Watch
) -> FitResult | None:
    """The fit of columns that are long; None where these are not, or cannot be read row by row."""
    n = length_of(wanted)
    if n is None or n < LONG:
        return None
    try:
        count = rows_to_start(options, n)
        setup, sampler, request = _setup(n, count, wanted, prepare)
        if is_searched(setup) and count < SEARCHED:
            setup, sampler, request = _setup(n, SEARCHED, wanted, prepare)
        if not is_streamed(setup):
            return None
        source = arrays_of(setup, request, sampler)
        whole = Data(source.arguments, setup.data.names, source.y, setup.data.y_name)
        return fit_rows(setup, source, whole, run, options, watch)
    except NotLong:
        return None


def _setup(n: int, count: int, wanted: Request, prepare: Prepare) -> tuple[Setup, Sampler, Request]:
    sampler = Sampler(n, count, wanted.missing)
    request = replace(sampled(wanted, sampler), missing="error")
    return prepare(request), sampler, replace(wanted, missing="error")


class Recorded(Mapping[str, Any]):
    """A table that knows which of its columns an array is."""

    def __init__(self, table: Any) -> None:
        self._arrays = {name: _filled(column(table, name)) for name in _numeric(table)}
        self._names = {id(a): name for name, a in self._arrays.items()}

    def __getitem__(self, name: str) -> Any:
        return self._arrays[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    def name_of(self, values: Any, what: str) -> str:
        """The column that an argument of the model is."""
        if id(values) not in self._names:
            raise DataError(f"{what} is not a column as it stands: in data read in blocks it must be one")
        return self._names[id(values)]


def _filled(values: Vector) -> Vector:
    """An array of its own, with 1 where a value is missing: those are looked for when all rows are read."""
    return np.where(np.isfinite(values), values, 1.0)


def _numeric(table: Any) -> list[str]:
    """The columns that hold numbers."""
    return [n for n in column_names(table) if np.asarray(table[n]).dtype.kind in "iubf"]


def refuse_for_blocks(**given: Any) -> None:
    """Raises OptionError for what needs all rows at once."""
    for name, value in given.items():
        if value is not None:
            raise OptionError(f"{name}= needs all rows at once: data in blocks are fitted without it")


def fit_table(
    wanted: Request, prepare: Prepare, run: Run, options: Options | None, watch: Watch
) -> FitResult:
    """The fit of a table that is not here as a whole; its columns go by name."""
    if wanted.x is not None and not isinstance(wanted.x, str | list | tuple):
        raise DataError("with data in blocks x is the name of a column, or several names")
    few = Recorded(wanted.data.head())
    setup = prepare(replace(wanted, data=few))
    columns = _columns(setup, few, wanted)
    if not is_streamed(setup):
        raise DataError(
            "sigma and weights that follow from the prediction need all rows at once: data in blocks are "
            "fitted without them"
        )
    most = rows_to_start(options, PART * SEARCHED)  # how many there are shows when they are read
    line = watch if isinstance(watch, ProgressLine) else None
    try:
        sample, source = wanted.data.open(columns, wanted.missing, most, line.read if line else None)
    except BaseException:
        if line:
            line.close()
        raise
    count = max(rows_to_start(options, source.n_rows), SEARCHED if is_searched(setup) else 0)
    setup = prepare(replace(wanted, data=Recorded(_thinned(sample, count)), missing="error"))
    setup.data.dropped = getattr(source, "dropped", 0)
    try:
        return fit_rows(setup, source, setup.data, run, options, watch)
    except NotLong as error:
        if error.__cause__ is not None:
            raise error.__cause__ from None
        raise ModelError(
            f"`{setup.title}` cannot be worked out row by row in the core, and not all rows are here at once"
        ) from None


def _thinned(sample: Mapping[str, Vector], count: int) -> Mapping[str, Vector]:
    """`count` rows of a sample, where it has at least twice as many."""
    n = len(next(iter(sample.values())))
    if n < 2 * count:
        return sample
    at = spread_rows(n, count)
    return {name: values[at] for name, values in sample.items()}


def _columns(setup: Setup, table: Recorded, wanted: Request) -> Columns:
    """The names of what the model's arguments, the response and the weights are."""
    names = zip(setup.data.arguments, setup.data.names, strict=True)
    arguments = tuple(table.name_of(a, f"the argument {n!r}") for a, n in names)
    y = table.name_of(setup.data.y, f"the response {setup.data.y_name!r}")
    given = wanted.sigma if wanted.weights is None else wanted.weights
    says = "factor" if given is None else "sigma" if wanted.weights is None else "squares"
    if isinstance(given, str) and given not in table:
        raise DataError(f"{says_name(says)}={given!r} must be a column, or a number, of data in blocks")
    return Columns(arguments, y, given if given is None or isinstance(given, str) else float(given), says)


def rows_to_start(options: Options | None, n: int) -> int:
    """How many of n rows the sample has."""
    wanted = (None if options is None else options.sample) or SAMPLE
    return max(wanted, min(n // PART, SEARCHED))


def is_searched(setup: Setup) -> bool:
    """Are start values to be found?"""
    return setup.parameters.any_unknown() or setup.starts is not None


def is_streamed(setup: Setup) -> bool:
    """Is it a fit whose verdict needs nothing but sums over the rows?"""
    data = setup.data
    return setup.penalty is None and data.of_prediction is None and data.whitening is None


def fit_rows(
    setup: Setup, source: Source, whole: Data, run: Run, options: Options | None, watch: Watch
) -> FitResult:
    """The fit of all rows of a source; `setup` is made of a sample of them.

    Raises NotLong where the model cannot be worked out row by row, or not on the sample.
    """
    try:
        heard = is_searched(setup) and not isinstance(watch, ProgressLine)
        first = run(setup, options, watch if heard else None)
    except (DataError, ModelError) as error:
        raise NotLong from error
    part = first._outcome.problem
    if not can_stream(part):
        raise NotLong
    free = setup.parameters.free_index
    problem = StreamProblem(part, _told(source, watch))
    line = isinstance(watch, ProgressLine)
    told = watch if watch is None or line else Told(watch, source.n_rows)
    near = first.status in CERTIFIED
    stopped = first.status is Status.INTERRUPTED
    begin = setup.parameters.values[free]
    wanted = options is None or options.sample is not None
    known = (near and wanted) or stopped or bool(np.isnan(begin).any())
    x0 = first._outcome.x if known else begin
    box = setup.parameters.lower[free], setup.parameters.upper[free]
    try:
        outcome = minimize_streamed(
            problem, x0, *box, options, stop_at_once if stopped else told, near and known
        )
    finally:
        if isinstance(watch, ProgressLine):
            watch.close()
    if not math.isfinite(outcome.cost):
        refuse_rows(problem, x0, setup, "at the start" if not known else "where a fit of a sample ended")
    search = first.search_counted if is_searched(setup) else None
    return LongFit(
        source, first, outcome, first._model, setup.parameters, whole, setup.title, search, setup.rebuild
    )


def _told(source: Source, watch: Watch) -> Source:
    """The source, telling a line in the terminal what is read."""
    if not isinstance(watch, ProgressLine):
        return source
    watch.goes_over(source.n_rows)
    return replace(source, observe=watch.read) if isinstance(source, Read) else source


def refuse_rows(problem: StreamProblem, x: Vector, setup: Setup, where: str) -> None:
    """Name the first row in which the model is not finite, with the parameter values."""
    row = 0
    for model, rows in problem.each(x, lambda made, *block: made.value.run(*block)[0]):
        values = np.broadcast_to(model, rows.y.shape)
        bad = ~np.isfinite(values)
        if bad.any():
            k = int(np.argmax(bad))
            named = zip(setup.parameters.names, problem.part.full(x).tolist(), strict=True)
            at = ", ".join(f"{n} = {v:g}" for n, v in named)
            alone = len(rows.arguments) == 1
            place = f" ({setup.data.names[0]} = {float(rows.arguments[0][k]):g})" if alone else ""
            raise DataError(
                f"the model is {values[k]} in row {row + k}{place} {where}, {at}: choose another start"
            )
        row += rows.y.size
