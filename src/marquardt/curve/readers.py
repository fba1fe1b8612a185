"""Ways to read a table block by block, again from the first whenever that is asked for."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from glob import glob
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError, FileError, MissingPackageError

Table = Any
"""Named columns: a mapping of arrays, a DataFrame, a structured array, an Arrow table or batch."""
Reader = Callable[[Sequence[str] | None], Iterator[Table]]
"""``reader(columns)`` yields the blocks from the first; of these columns (None: all), or of more."""

ROWS = 1 << 20
"""Rows of a block where nobody says how many."""


def reader_of(source: Any, rows: int | None) -> Reader:
    """The reader of whatever holds the data. Raises DataError for what cannot be read again."""
    for fits, make in KINDS:
        if fits(source):
            return make(source, rows)
    raise DataError(
        f"a {type(source).__name__} is nothing that blocks can be read from: give Parquet files, columns "
        "that can be sliced, a function that makes an iterator of tables, or a list of tables"
    )


# ------------------------------------------------------------------------------------------------- files


def _is_path(source: Any) -> bool:
    if isinstance(source, list | tuple) and source:
        return all(isinstance(s, str | os.PathLike) for s in source)
    return isinstance(source, str | os.PathLike)


def _files(source: Any, rows: int | None) -> Reader:
    given = [source] if isinstance(source, str | os.PathLike) else source
    paths = [path for one in given for path in _expanded(os.fspath(one))]
    odd = [p for p in paths if not p.endswith((".parquet", ".parq", ".pq"))]
    if odd:
        raise FileError(
            f"{odd[0]!r} is no Parquet file: give a function that opens it and yields tables, "
            "as mq.blocks(lambda: pandas.read_csv(path, chunksize=10**6))"
        )
    return lambda columns: (table for path in paths for table in _parquet(path, columns, rows or ROWS))


def _expanded(path: str) -> list[str]:
    """A file, the Parquet files of a directory, or those a pattern names; in order."""
    if os.path.isdir(path):
        found = sorted(str(p) for p in Path(path).rglob("*.parquet"))
    else:
        found = sorted(glob(path)) if any(c in path for c in "*?[") else [path]
    if not found or not all(os.path.exists(p) for p in found):
        raise FileError(f"{path!r}: there is no such file")
    return found


def _parquet(path: str, columns: Sequence[str] | None, rows: int) -> Iterator[Table]:
    try:
        from pyarrow import ArrowInvalid  # type: ignore[import-untyped]
        from pyarrow.parquet import ParquetFile  # type: ignore[import-untyped]
    except ImportError:
        raise MissingPackageError(
            "Parquet files are read by pyarrow: pip install 'marquardt[files]'"
        ) from None
    try:
        with ParquetFile(path) as file:
            known = file.schema_arrow.names
            wanted = None if columns is None else [c for c in columns if c in known]
            yield from file.iter_batches(batch_size=rows, columns=wanted, use_threads=False)
    except ArrowInvalid as error:
        raise FileError(f"{path!r} cannot be read as Parquet: {error}") from None


# ---------------------------------------------------------------------------------------------- in slices


def _is_group(source: Any) -> bool:
    """Named columns: a mapping, an HDF5 or Zarr group, a DataFrame, a structured array."""
    if isinstance(source, np.ndarray):
        return source.dtype.names is not None
    named = hasattr(source, "keys") or hasattr(source, "columns")
    return named and hasattr(source, "__getitem__") and not hasattr(source, "npartitions")


def _slices(source: Any, rows: int | None) -> Reader:
    columns = {name: source[name] for name in _names(source)}
    series = {name: c for name, c in columns.items() if len(getattr(c, "shape", (0, 0))) == 1}
    if not series:
        raise DataError("none of the columns is a one-dimensional array")
    sizes = {name: int(c.shape[0]) for name, c in series.items()}
    n = max(sizes.values())
    step = rows or _chunk(series.values())

    def read(wanted: Sequence[str] | None) -> Iterator[Table]:
        names = [name for name in series if wanted is None or name in wanted]
        short = [name for name in names if sizes[name] != n]
        if short and wanted is not None:
            raise DataError(f"lengths differ: {short[0]!r} has {sizes[short[0]]} values, others {n}")
        for start in range(0, n, step):
            yield {
                name: np.asarray(series[name][start : start + step]) for name in names if name not in short
            }

    return read


def _names(source: Any) -> list[str]:
    if isinstance(source, np.ndarray):
        return list(source.dtype.names or ())
    return [str(name) for name in (source.columns if hasattr(source, "columns") else source.keys())]


def _chunk(series: Iterable[Any]) -> int:
    """About a million rows, whole chunks of the first column that is stored in chunks."""
    for column in series:
        chunks = getattr(column, "chunks", None)
        first = chunks[0] if chunks else None
        size = first[0] if isinstance(first, tuple) else first  # dask lists them all
        if size:
            return int(size) * max(1, round(ROWS / int(size)))
    return ROWS


# ----------------------------------------------------------------------------------------- one by one


def _is_partitioned(source: Any) -> bool:
    return hasattr(source, "npartitions") and hasattr(source, "partitions")


def _partitions(source: Any, rows: int | None) -> Reader:
    def read(columns: Sequence[str] | None) -> Iterator[Table]:
        part = source if columns is None else source[[c for c in source.columns if c in columns]]
        return (part.partitions[k].compute(scheduler="synchronous") for k in range(source.npartitions))

    return read


def _has_batches(source: Any) -> bool:
    return hasattr(source, "to_batches") and hasattr(source, "schema")


def _batches(source: Any, rows: int | None) -> Reader:
    """An Arrow table or data set."""

    def read(columns: Sequence[str] | None) -> Iterator[Table]:
        names = [n for n in source.schema.names if columns is None or n in columns]
        if hasattr(source, "select"):
            return iter(source.select(names).to_batches(max_chunksize=rows or ROWS))
        return iter(source.to_batches(columns=names, batch_size=rows or ROWS))

    return read


def _made(source: Callable[[], Iterable[Table]], rows: int | None) -> Reader:
    return lambda columns: iter(source())


def _is_iterable(source: Any) -> bool:
    return hasattr(source, "__iter__") and not isinstance(source, str | bytes)


def _iterated(source: Iterable[Table], rows: int | None) -> Reader:
    if iter(source) is source:
        raise DataError(
            f"a {type(source).__name__} can be read once only, and a fit reads its data several times: give "
            "a function that makes it, as mq.blocks(lambda: read(...))"
        )
    return lambda columns: iter(source)


KINDS: tuple[tuple[Callable[[Any], bool], Callable[[Any, int | None], Reader]], ...] = (
    (_is_path, _files),
    (_is_partitioned, _partitions),
    (_has_batches, _batches),
    (_is_group, _slices),
    (callable, _made),
    (_is_iterable, _iterated),
)
"""The first that fits is taken."""


def _is_arrow(table: Table) -> bool:
    return hasattr(table, "schema") and hasattr(table, "column") and hasattr(table, "num_rows")


def names_of(table: Table) -> list[str]:
    """The names of the columns of a block. Raises DataError where it has none."""
    if isinstance(table, Mapping):
        return [str(n) for n in table]
    if _is_arrow(table):
        return [str(n) for n in table.schema.names]
    if not _is_group(table):
        raise DataError(
            f"a block must be a table with named columns (a mapping of arrays, a DataFrame), not a "
            f"{type(table).__name__}"
        )
    return _names(table)


def column_of(table: Table, name: str) -> Any:
    """One column of a block as an array, without a copy where that can be had."""
    if _is_arrow(table):
        return table.column(name).to_numpy(zero_copy_only=False)
    return np.asarray(table[name])
