"""Values that differ between groups, as the caller tells them: by label, or in a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..curve.columns import column_names, is_table, numbers
from ..curve.parameters import is_mapping
from ..curve.partition import Label, Partition, partition
from ..errors import ParameterError, suggestion

Array = NDArray[Any]


def by_group(
    given: Any, option: str, names: tuple[str, ...] | None, groups: Partition, parameters: tuple[str, ...]
) -> dict[str, Any]:
    """Values by parameter: one for all groups, or an array with one for each; NaN where none is told.

    Raises ParameterError naming the parameter or the group.
    """
    if given is None:
        return {}
    if names is not None and is_table(given) and set(names) <= {*column_names(given)}:
        return _from_table(given, option, names, groups, parameters)
    if not is_mapping(given):
        return dict(zip(parameters, np.asarray(given, dtype=float).tolist(), strict=False))
    found = {}
    for name, value in given.items():
        if isinstance(value, Mapping):
            found[str(name)] = _from_labels(value, option, str(name), groups)
        else:
            found[str(name)] = value
    return found


def _from_table(
    table: Any, option: str, names: tuple[str, ...], groups: Partition, parameters: tuple[str, ...]
) -> dict[str, Any]:
    """The rows of a table with the columns of the labels, in the order of the groups."""
    length = len(np.asarray(table[names[0]]))
    labels = partition(list(names), table, length, option, "error")
    if labels.first.size < length:
        raise ParameterError(f"{option}: the table has more than one row of a group, by {', '.join(names)}")
    row = {label: k for k, label in enumerate(labels.labels)}
    at = np.array([row.get(label, length) for label in groups.labels])
    known = [name for name in column_names(table) if name in parameters]
    if not known:
        raise ParameterError(f"{option}: the table has no column of a parameter ({', '.join(parameters)})")
    return {name: np.append(numbers(np.asarray(table[name]), name), np.nan)[at] for name in known}


def _from_labels(by_label: Mapping[Label, Any], option: str, name: str, groups: Partition) -> Array:
    labels = groups.labels
    known = set(labels)
    for label in by_label:
        if label not in known:
            near = suggestion(str(label), [str(k) for k in labels[:1000]])
            raise ParameterError(f"{option}: {name!r} has a group {label!r}{near}")
    return numbers([by_label.get(label, np.nan) for label in labels], name)
