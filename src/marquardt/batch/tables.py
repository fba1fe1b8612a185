"""Tables in the kind they came: pandas, polars, pyarrow, mappings of columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..curve.columns import is_table
from ..errors import DataError

Array = NDArray[Any]


def kind_of(table: Any) -> str:
    """The library a table is of; "columns" for mappings and all else that has named columns.

    >>> kind_of({"x": [1, 2]})
    'columns'
    """
    library = type(table).__module__.split(".")[0]
    if library == "polars" and type(table).__name__ == "LazyFrame":
        raise DataError("a LazyFrame holds no data as yet: give lazy.collect()")
    if not is_table(table):
        raise DataError(
            f"a table is needed: pandas, polars, pyarrow or a mapping of columns, not {type(table).__name__}"
        )
    return library if library in _BUILD else "columns"


def like(table: Any, names: Sequence[str], first: Array, columns: Mapping[str, Array]) -> Any:
    """A table of the same kind: rows `first` of the columns `names` as they are there, then `columns`."""
    return _BUILD[kind_of(table)](table, list(names), first, columns)


def _pandas(table: Any, names: list[str], first: Array, columns: Mapping[str, Array]) -> Any:
    import pandas as pd  # type: ignore[import-untyped]

    labels = table[names].iloc[first].reset_index(drop=True)
    return pd.concat(
        [labels, pd.DataFrame({n: _words(c, pd.Categorical) for n, c in columns.items()})], axis=1
    )


def _polars(table: Any, names: list[str], first: Array, columns: Mapping[str, Array]) -> Any:
    import polars as pl

    def series(values: Array) -> Any:
        return pl.Series(values, dtype=pl.Categorical if values.dtype.kind == "U" else None)

    return table.select(names)[first].with_columns(**{n: series(c) for n, c in columns.items()})


def _pyarrow(table: Any, names: list[str], first: Array, columns: Mapping[str, Array]) -> Any:
    import pyarrow as pa  # type: ignore[import-untyped]

    found = pa.Table.from_batches([table]) if isinstance(table, pa.RecordBatch) else table
    found = found.select(names).take(pa.array(first))
    for name, values in columns.items():
        found = found.append_column(name, _words(pa.array(values), lambda v: v.dictionary_encode()))
    return found


def _columns(table: Any, names: list[str], first: Array, columns: Mapping[str, Array]) -> dict[str, Array]:
    return {name: np.asarray(table[name])[first] for name in names} | dict(columns)


def _words(values: Any, encode: Callable[[Any], Any]) -> Any:
    """A column of a few words takes less room as numbers of words."""
    text = values.dtype.kind == "U" if isinstance(values, np.ndarray) else str(values.type) == "string"
    return encode(values) if text else values


_BUILD: dict[str, Callable[[Any, list[str], Array, Mapping[str, Array]], Any]] = {
    "pandas": _pandas,
    "polars": _polars,
    "pyarrow": _pyarrow,
    "columns": _columns,
}
