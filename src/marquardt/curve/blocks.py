"""``mq.blocks``: data that are read block by block, at every pass again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, suggestion
from ..problem.source import NOTHING, Read, Rows, ahead, first_bad, moments
from ..problem.sums import Columns, as_series
from .long import LongTable, check_weights
from .readers import Reader, Table, column_of, names_of, reader_of

Vector = NDArray[np.float64]
Array = NDArray[Any]

HEAD = 1000
"""Rows that are looked at to begin with."""


def blocks(source: Any, *, rows: int | None = None) -> Blocks:
    """Data larger than memory, as ``fit(model, data=blocks(...))`` takes them: read again at every pass.

    source : where tables with named columns come from, one of

        - a path, pattern or list of paths of Parquet files, or a directory of them (read by pyarrow);
        - columns that can be sliced, by name: a mapping of memory maps, Zarr arrays, HDF5 data sets or dask
          arrays, a Zarr or HDF5 group, a structured array, a DataFrame;
        - a dask DataFrame, an Arrow table or data set;
        - a function without arguments that makes an iterator of tables, called at every pass;
        - anything else that can be iterated again: a list, an object with ``__iter__``.

        A table is a mapping of arrays, a DataFrame, a structured array or an Arrow batch. Columns may be of
        any number type; other columns than those of the model may be there, and are not read where the
        source lets one choose.
    rows : rows of a block, where the source leaves that open; None: about a million.

    The next block is read in a second thread while one is worked on. All passes must give the same blocks.
    Raises DataError for what can be read only once, or is no table; FileError for a file that is not there.

    >>> import numpy as np
    >>> import marquardt as mq
    >>> def tables():
    ...     for k in range(4):
    ...         t = np.linspace(k, k + 1, 1000)
    ...         yield {"t": t, "y": 3 * np.exp(-0.5 * t)}
    >>> fit = mq.fit("y ~ a*exp(-b*t)", data=mq.blocks(tables), start={"a": 1, "b": 1})
    >>> fit.n_points, round(fit.params["b"].value, 6)
    (4000, 0.5)
    """
    if rows is not None and (isinstance(rows, bool) or not isinstance(rows, int) or rows < 1):
        raise DataError(f"rows = {rows!r}: a positive integer is needed, or None")
    return Blocks(reader_of(source, rows))


class Blocks(LongTable):
    """Tables from a reader; see `blocks`. Iterating gives them, from the first."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader

    def __iter__(self) -> Iterator[Table]:
        return self.reader(None)

    @cached_property
    def _first(self) -> dict[str, Array]:
        """Numbers in the first rows."""
        for table in self.reader(None):
            columns = {name: column_of(table, name)[:HEAD] for name in names_of(table)}
            found = {n: c for n, c in columns.items() if c.dtype.kind in "iubf" and c.ndim == 1}
            if any(c.size for c in found.values()):
                return found
        raise DataError("there are no data: the blocks hold no row of numbers")

    def head(self) -> Mapping[str, Array]:
        """The first rows, a mapping of arrays."""
        return self._first

    def open(
        self, columns: Columns, missing: str, count: int, seen: Callable[[int], None] | None = None
    ) -> tuple[dict[str, Vector], Read]:
        """Read all once: lengths, what is not finite, a sample of about `count` rows, mean and spread."""
        if missing not in ("error", "drop"):
            raise DataError(
                f"missing={missing!r} is unknown: 'error' names the first bad row, 'drop' drops and counts"
            )
        scan = Scan(columns, missing, count)
        for k, table in enumerate(ahead(lambda: self.reader(columns.names))):
            read = scan.look(k, table)
            if seen is not None:
                seen(read)
        return scan.sample(), scan.source(self.reader)


class Scan:
    """The first pass over all blocks, of which the first begins with row number `first`."""

    def __init__(self, columns: Columns, missing: str, count: int, first: int = 0) -> None:
        self.columns, self.missing, self.first = columns, missing, first
        self.sampler = Strides(columns.names, count)
        self.lengths: list[int] = []
        self.given = 0
        self.moments = NOTHING

    def look(self, k: int, table: Table) -> int:
        """Check block number k, and take a sample of it; returns how many rows it has."""
        arrays = picked(table, self.columns.names, k)
        n = next(iter(arrays.values())).size
        bad = first_bad(list(arrays.items())) if n else None
        if bad is not None and self.missing == "error":
            name, row, _ = bad
            raise DataError(
                f"column {name!r} is missing or not finite in row {self.first + self.given + row} (row "
                f"{row} of block {k}), counting from 0; remove it, or say missing='drop'"
            )
        if bad is not None:
            arrays = complete(arrays)
        rows = as_rows(self.columns, arrays)
        if rows.weights is not None:
            self._check_weights(rows.weights, k)
        self.sampler.take(arrays, rows.y.size)
        self.moments = self.moments.add(moments(rows, self.columns.says))
        self.lengths.append(int(rows.y.size))
        self.given += n
        return n

    def _check_weights(self, weights: Array, k: int) -> None:
        try:
            check_weights(weights, self.columns.says, self.first + self.given)
        except DataError as error:
            raise DataError(f"{error} (in block {k})") from None

    def sample(self) -> dict[str, Vector]:
        """A sample of the columns."""
        if not sum(self.lengths):
            raise DataError("no row is left: every row has a value that is missing or not finite")
        if self.columns.says == "squares" and self.moments.n_points == 0:
            raise DataError("all weights are zero: no point is left to fit")
        return self.sampler.sample()

    def source(self, reader: Reader) -> Read:
        """The rows as passes read them."""
        columns, drops = self.columns, self.given > sum(self.lengths)

        def read() -> Iterator[Rows]:
            for k, table in enumerate(reader(columns.names)):
                arrays = picked(table, columns.names, k)
                yield as_rows(columns, complete(arrays) if drops else arrays)

        dropped = self.given - sum(self.lengths)
        return Read(read, tuple(self.lengths), columns.says, self.moments, dropped)


def picked(table: Table, names: Sequence[str], k: int) -> dict[str, Array]:
    """The columns of block number k. Raises DataError where one is missing, or of another length."""
    known, found = names_of(table), {}
    for name in names:
        if name not in known:
            raise DataError(f"block {k} has no column {name!r}{suggestion(name, tuple(known))}")
        values = column_of(table, name)
        if values.ndim != 1 or values.dtype.kind not in "iubf":
            raise DataError(f"column {name!r} of block {k} does not hold numbers, one per row")
        found[name] = as_series(values)
    first = names[0]
    for name, values in found.items():
        if values.size != found[first].size:
            raise DataError(
                f"lengths differ in block {k}: {name!r} has {values.size} values, {first!r} "
                f"{found[first].size}"
            )
    return found


def complete(arrays: Mapping[str, Array]) -> dict[str, Array]:
    """The rows in which every value is finite."""
    keep = np.logical_and.reduce([np.isfinite(v) for v in arrays.values()])
    return {name: v[keep] for name, v in arrays.items()}


def as_rows(columns: Columns, arrays: Mapping[str, Array]) -> Rows:
    """A block as the model takes it."""
    y, given = arrays[columns.y], columns.weights
    weights = None
    if given is not None:
        weights = arrays[given] if isinstance(given, str) else np.broadcast_to(np.float64(given), y.shape)
    return Rows(tuple(arrays[n] for n in columns.arguments), y, weights)


class Strides:
    """A sample spread over rows whose number is not known: one of every `step`, the step doubled when needed.

    Which of them is drawn at random (always the same ones): every k-th row would alias an oscillation.
    """

    def __init__(self, names: Sequence[str], count: int) -> None:
        self.count, self.step, self.random = count, 1, np.random.default_rng(0)
        self.kept: dict[str, list[Vector]] = {name: [] for name in names}
        self.size = 0

    def take(self, arrays: Mapping[str, Array], n: int) -> None:
        """Rows of the next block."""
        at = np.arange(0, n, self.step)
        if self.step > 1:
            at = np.minimum(at + self.random.integers(0, self.step, at.size), n - 1)
        for name, kept in self.kept.items():
            kept.append(np.array(arrays[name][at], dtype=np.float64))
        self.size += at.size
        while self.size >= 2 * self.count:
            self._thin()

    def _thin(self) -> None:
        """Of each two rows keep one."""
        half = self.size // 2
        at = 2 * np.arange(half) + self.random.integers(0, 2, half)
        self.kept = {name: [np.concatenate(kept)[at]] for name, kept in self.kept.items()}
        self.size, self.step = half, 2 * self.step

    def sample(self) -> dict[str, Vector]:
        """The rows kept, in their order."""
        return {name: np.concatenate(kept) for name, kept in self.kept.items()}
