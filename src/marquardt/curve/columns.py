"""Numbers from whatever holds them: arrays, lists, Series, tables, masked arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, suggestion
from ..masked import is_masked_array

Array = NDArray[Any]


def is_table(data: object) -> bool:
    """Does `data` hold named columns (a mapping, a DataFrame, a structured array)?"""
    if isinstance(data, Mapping):
        return True
    if isinstance(data, np.ndarray):
        return data.dtype.names is not None
    return hasattr(data, "columns") and hasattr(data, "__getitem__")


def units(data: Any) -> Mapping[str, str]:
    """Units by name where the table tells them: ``data.units``, or ``data.attrs["units"]`` as in pandas.

    >>> from marquardt.datasets import michaelis_menten
    >>> units(michaelis_menten())["S"]
    'ppm'
    """
    attributes = getattr(data, "attrs", None)
    known = attributes.get("units") if isinstance(attributes, Mapping) else getattr(data, "units", None)
    return {str(name): str(unit) for name, unit in known.items()} if isinstance(known, Mapping) else {}


def column_names(data: Any) -> tuple[str, ...]:
    """Names of the columns of a table, in order."""
    if isinstance(data, np.ndarray) and data.dtype.names is not None:
        return tuple(data.dtype.names)
    if hasattr(data, "column_names"):  # pyarrow, whose `columns` are the columns themselves
        return tuple(data.column_names)
    names = data.columns if hasattr(data, "columns") else data.keys()
    return tuple(str(name) for name in names)


def column(data: Any, name: str) -> Array:
    """One column of a table as numbers; a missing name is an error that suggests near ones."""
    names = column_names(data)
    if name not in names:
        raise DataError(f"the data have no column {name!r}{suggestion(name, names)}")
    try:
        values = data[name]
    except KeyError:  # the column's own label is not a string
        label = next(c for c in (data.columns if hasattr(data, "columns") else data) if str(c) == name)
        values = data[label]
    return numbers(values, name)


def numbers(values: Any, name: str) -> Array:
    """`values` as a float64 (or complex) array; what is missing becomes NaN, what is text is an error.

    >>> numbers([1, None, 3], "x")
    array([ 1., nan,  3.])
    """
    if type(values) is np.ndarray and values.dtype == np.float64:
        return values
    if is_masked_array(values):
        kind = complex if values.dtype.kind == "c" else float
        return np.ma.filled(values.astype(kind), np.nan)
    array = np.asarray(values)
    if array.dtype.kind in "biuf":
        return array.astype(np.float64)
    if array.dtype.kind == "c":
        return array.astype(np.complex128)
    if array.dtype.kind in "mM":
        raise DataError(
            f"column {name!r} holds dates or durations: give numbers, such as seconds from the first"
        )
    one_by_one = values if isinstance(values, list | tuple) and array.ndim == 1 else array.ravel()
    flat = [_number(v, name, row) for row, v in enumerate(one_by_one)]
    return np.array(flat, dtype=np.float64).reshape(array.shape)


def _number(value: object, name: str, row: int) -> float:
    if value is None or type(value).__name__ in ("NAType", "NaTType") or is_masked_array(value):
        return float("nan")
    if isinstance(value, str | bytes):
        raise DataError(f"column {name!r} holds text in row {row}: {value!r} is not a number")
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise DataError(
            f"column {name!r} holds a {type(value).__name__} in row {row}, not a number "
            "(rows of different length?)"
        ) from None
