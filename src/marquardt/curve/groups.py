"""Many sets of data in one table: which rows belong to which group, and what holds for one group alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, OptionError, ParameterError, suggestion
from ..options import Options
from ..problem.model import compile_model, lend
from .data import Data, rows_of
from .parameters import is_mapping
from .partition import Label, Labels, are_columns, partition
from .setup import Request, Setup

Prepare = Callable[[Request], Setup]
Run = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Many:
    """What the caller says about groups."""

    by: Any = None
    group: Any = None
    shared: Any = None


@dataclass(frozen=True, slots=True)
class Task:
    """How the groups of one call are fitted."""

    prepare: Prepare
    run: Run
    options: Options | None
    watch: Callable[[Any], Any] | None
    counts: bool = False
    """Is the cost a deviance of counts?"""


@dataclass(frozen=True, slots=True)
class Group:
    """One group: its label, and its rows counted in what was given."""

    label: Label
    rows: NDArray[np.intp]


def group_name(by: Any) -> str:
    """What labels are called in tables: the column, or the columns.

    >>> group_name("plate"), group_name(["plate", "dose"]), group_name([1, 1, 2])
    ('plate', 'plate, dose', 'group')
    """
    if isinstance(by, str):
        return by
    if isinstance(by, Labels):
        return ", ".join(by.names)
    return ", ".join(by) if are_columns(by) else "group"


def groups_of(by: Any, table: Any, n_rows: int, option: str, missing: str) -> list[Group]:
    """The groups in the order in which they appear, each with its rows in their order."""
    found = partition(by, table, n_rows, option, missing)
    return [Group(label, rows) for label, rows in zip(found.labels, found.rows(), strict=True)]


def per_group(start: Any) -> tuple[Any, dict[str, Mapping[Label, float]]]:
    """`start` without the values given group by group, and these: ``{"Vmax": {"A": 1, "B": 2}}``."""
    if start is None or not is_mapping(start):
        return start, {}
    own = {str(n): v for n, v in start.items() if isinstance(v, Mapping)}
    rest = {n: v for n, v in start.items() if not isinstance(v, Mapping)}
    return (rest or None), own


def begin_at(setup: Setup, own: Mapping[str, Mapping[Label, float]], label: Label) -> Setup:
    """The setup with the start values of one group."""
    if not own:
        return setup
    parameters = setup.parameters
    values = parameters.values.copy()
    for name, by_label in own.items():
        if name not in parameters.names:
            raise ParameterError(f"start: no parameter {name!r}{suggestion(name, parameters.names)}")
        if label not in by_label:
            continue
        k = parameters.names.index(name)
        value = start_value(by_label[label], name, label)
        if not parameters.lower[k] <= value <= parameters.upper[k]:
            raise ParameterError(
                f"start: {name!r} of group {label!r} is {value:g}, outside its bounds "
                f"[{parameters.lower[k]:g}, {parameters.upper[k]:g}]"
            )
        values[k] = value
    return replace(setup, parameters=replace(parameters, values=values))


def start_value(given: Any, name: str, label: Label) -> float:
    """A start value of one group as a number. Raises ParameterError where it is none."""
    try:
        value = float(given)
    except (TypeError, ValueError):
        value = math.nan
    if not math.isfinite(value):
        raise ParameterError(f"start: {name!r} of group {label!r} is {given!r}, not a finite number")
    return value


def checked(own: Mapping[str, Mapping[Label, float]], groups: Sequence[Group]) -> None:
    """Start values for groups that there are not are a mistake."""
    labels = {g.label for g in groups}
    for name, by_label in own.items():
        for label in by_label:
            if label not in labels:
                known = [str(g.label) for g in groups]
                raise ParameterError(f"start: {name!r} has a group {label!r}{suggestion(str(label), known)}")


class Parts:
    """The data of a setup, group by group."""

    def __init__(self, setup: Setup, n_rows: int) -> None:
        data = setup.data
        if data.whitening is not None:
            raise OptionError("sigma= as a covariance matrix cannot be had with by= or group=")
        if data.y.ndim != 1 or data.y.size + data.dropped != n_rows:
            raise DataError("by= and group= need one response for each row")
        self.setup = setup
        self.place = np.full(n_rows, -1, dtype=np.intp)
        kept = np.arange(n_rows) if data.rows is None else data.rows
        self.place[kept] = np.arange(kept.size)

    def dropped(self, group: Group) -> NDArray[np.intp]:
        """Rows of a group that have missing values."""
        return group.rows[self.place[group.rows] < 0]

    def data(self, group: Group) -> Data:
        """The data of one group."""
        at = self.place[group.rows]
        lost = int((at < 0).sum())
        at = at[at >= 0]
        part = rows_of(self.setup.data, at)
        return replace(part, rows=group.rows[self.place[group.rows] >= 0], dropped=lost)


def rows_given(setup: Setup) -> int:
    return int(setup.data.y.size + setup.data.dropped)


def share_trace(setup: Setup, data: Data) -> None:
    """Let the trace made for the whole table serve the data of one group, whatever their number."""
    parameters = setup.parameters
    values = parameters.provisional()
    model = compile_model(setup.function, setup.data.arguments, parameters.shapes)
    if model.reason is None and not model.versions:
        model.problem(setup.data.arguments, None, None, values, parameters.free)
    lend(model, data.arguments, values, parameters.free)
