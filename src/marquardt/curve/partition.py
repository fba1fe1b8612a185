"""Which rows of a table belong to which group."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, suggestion
from .columns import column_names

Label = Hashable
Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Labels:
    """Labels of all rows from columns that are not in the table."""

    names: Sequence[str]
    columns: Sequence[Sequence[Label]]


@dataclass(frozen=True, slots=True)
class Partition:
    """Groups in the order in which they appear."""

    columns: Sequence[NDArray[Any]]
    """The columns that hold the labels."""
    code: Rows
    """The number of the group of each row; -1: the row has no label."""
    first: Rows
    """The first row of each group."""

    @property
    def labels(self) -> list[Label]:
        """The label of each group; of several columns a tuple."""
        parts = [values[self.first].tolist() for values in self.columns]
        return parts[0] if len(parts) == 1 else list(zip(*parts, strict=True))

    def order(self) -> tuple[Rows, Rows]:
        """All rows that have a label, group by group, each group's in their order; and how many each has."""
        counts = np.bincount(self.code + 1, minlength=self.first.size + 1)
        rows = np.argsort(self.code, kind="stable")
        return rows[counts[0] :], counts[1:]

    def of_rows(self, kept: Rows) -> Partition:
        """The same groups of some of the rows, which count from 0 then; some may have no row left."""
        return Partition(self.columns, self.code[kept], self.first)

    def rows(self) -> list[Rows]:
        """The rows of each group."""
        rows, counts = self.order()
        return np.split(rows, np.cumsum(counts[:-1]))


def partition(by: Any, table: Any, n_rows: int, option: str, missing: str) -> Partition:
    """Group the rows by the labels of a column, by tuples of several, or by the array given.

    A list of text is names of columns where a table has all of them, and labels elsewhere. A row without
    label is an error that names it, or left out with ``missing="drop"``.

    >>> partition([7, 5, 7, 7], None, 4, "by", "error").rows()
    [array([0, 2, 3]), array([1])]
    """
    columns = _columns(by, table, n_rows, option)
    for values in columns:
        if len(values) != n_rows:
            raise DataError(f"{option} has {len(values)} labels where the data have {n_rows} rows")
    found = _coded(columns)
    if missing != "drop" and (lost := np.flatnonzero(found.code < 0)).size:
        raise DataError(f"{option}: row {lost[0]} has no label, counting from 0; or say missing='drop'")
    if not found.first.size:
        raise DataError(f"{option}: no row has a label")
    return found


def are_columns(by: Any) -> bool:
    return isinstance(by, list | tuple) and len(by) > 0 and all(isinstance(b, str) for b in by)


def names_of(by: Any, table: Any, n_rows: int, option: str) -> tuple[str, ...] | None:
    """The columns that `by` names; None where it holds the labels themselves."""
    known = () if table is None else column_names(table)
    names = (by,) if isinstance(by, str) else tuple(by) if are_columns(by) else None
    if names is None or not (
        isinstance(by, str) or (known and len(names) != n_rows) or set(names) <= {*known}
    ):
        return None
    if table is None:
        raise DataError(f"{option}={by!r} names a column, but no table was given (data=...)")
    for name in names:
        if name not in known:
            raise DataError(f"{option}: the data have no column {name!r}{suggestion(name, known)}")
    return names


def _columns(by: Any, table: Any, n_rows: int, option: str) -> list[NDArray[Any]]:
    if isinstance(by, Labels):
        columns = [np.empty(len(values), dtype=object) for values in by.columns]
        for array, values in zip(columns, by.columns, strict=True):
            array[:] = values
        return columns
    names = names_of(by, table, n_rows, option)
    columns = [np.asarray(by)] if names is None else [np.asarray(table[name]) for name in names]
    for array in columns:
        if array.ndim != 1:
            raise DataError(f"labels of groups must be one per row, not an array of shape {array.shape}")
    return columns


def _coded(columns: Sequence[NDArray[Any]]) -> Partition:
    """Numbers for labels. Equal labels mostly follow each other: only where one changes is it looked up."""
    begins = _changes(columns)
    code = _numbers(columns[0][begins])
    for values in columns[1:]:
        other = _numbers(values[begins])
        both = code * (other.max(initial=0) + 1) + other
        code = _dense(np.where((code < 0) | (other < 0), -1, both))
    known = np.flatnonzero(code >= 0)
    _, at, inverse = np.unique(code[known], return_index=True, return_inverse=True)
    rank = np.empty(at.size, dtype=np.intp)  # of each number, in the order in which they appear
    by_appearance = np.argsort(at)
    rank[by_appearance] = np.arange(at.size)
    code[known] = rank[inverse]
    lengths = np.diff(begins, append=len(columns[0]))
    return Partition(columns, np.repeat(code, lengths), begins[known[at[by_appearance]]])


def _numbers(values: NDArray[Any]) -> Rows:
    """Equal labels as equal numbers; -1: no label."""
    if values.dtype.kind != "O":
        unique, inverse = np.unique(values, return_inverse=True)
        missing = (unique == "") if unique.dtype.kind == "U" else unique != unique
        return np.where(missing[inverse], -1, inverse)
    seen: dict[Label, int] = {}
    code = np.empty(values.size, dtype=np.intp)
    for row, label in enumerate(values.tolist()):
        number = seen.get(label)
        if number is None:
            number = seen.setdefault(label, -1 if is_missing(label) else len(seen))
        code[row] = number
    return code


def _dense(code: Rows) -> Rows:
    """The same numbers without gaps, so that products of them cannot overflow."""
    unique, inverse = np.unique(code, return_inverse=True)
    return inverse - int(unique[0] < 0)


def _changes(columns: Sequence[NDArray[Any]]) -> Rows:
    """The first row, and every row whose label is not that of the row before."""
    n_rows = len(columns[0])
    new = np.ones(n_rows, dtype=bool)
    new[1:] = False
    for values in columns:
        try:
            new[1:] |= values[1:] != values[:-1]
        except (TypeError, ValueError):  # labels that do not compare, such as pandas.NA
            return np.arange(n_rows)
    return np.flatnonzero(new)


def is_missing(label: Label) -> bool:
    """Is it None, NaN, NaT, NA, an empty text, or a tuple that holds such?"""
    if isinstance(label, tuple):
        return any(is_missing(part) for part in label)
    if label is None or type(label).__name__ in ("NAType", "NaTType") or label == "":
        return True
    return bool(label != label)
