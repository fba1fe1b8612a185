"""Separate fits of the groups of one table."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..errors import DataError, MarquardtError, Status
from .groups import (
    Group,
    Many,
    Parts,
    Task,
    begin_at,
    checked,
    group_name,
    groups_of,
    per_group,
    rows_given,
    share_trace,
)  # fmt: skip
from .partition import Label
from .result import FitResult
from .setup import Request, Setup

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class FitTable(Mapping[Any, FitResult]):
    """Separate fits by group: a mapping from labels to results.

    A group that could not be fitted has no result: ``errors`` tells why, and so do the table and the
    KeyError. After Ctrl-C the groups that were not reached are ``left``.
    """

    def __init__(
        self,
        name: str,
        fits: dict[Label, FitResult],
        errors: dict[Label, Exception],
        left: tuple[Label, ...] = (),
        order: tuple[Label, ...] = (),
    ) -> None:
        self.name, self.errors, self.left = name, errors, left
        """``errors``: what went wrong, by label."""
        self._fits = fits
        self.labels = order or (*fits, *errors, *left)
        """All groups, in the order of the data."""

    def __getitem__(self, label: Any) -> FitResult:
        found = self._fits.get(label)
        if found is not None:
            return found
        if label in self.errors:
            raise KeyError(f"group {label!r} has no fit: {self.errors[label]}")
        if label in self.left:
            raise KeyError(f"group {label!r} was not reached before the interruption")
        shown = ", ".join(map(str, self.labels[:20]))
        raise KeyError(f"no group {label!r}; there are: {shown}{', ...' * (len(self.labels) > 20)}")

    def __iter__(self) -> Iterator[Any]:
        return (label for label in self.labels if label in self._fits)

    def __len__(self) -> int:
        return len(self._fits)

    @property
    def success(self) -> bool:
        """Did every group end at a certified minimum?"""
        return len(self._fits) == len(self.labels) and all(f.success for f in self._fits.values())

    @property
    def interrupted(self) -> bool:
        """Was Ctrl-C pressed, or did the callback stop the fits?"""
        return bool(self.left) or any(f.status is Status.INTERRUPTED for f in self._fits.values())

    def status(self, label: Any) -> str:
        """How a group ended, in words: its status, or its error."""
        if label in self._fits:
            return self._fits[label].status.value
        if label in self.errors:
            error = self.errors[label]
            return f"{type(error).__name__}: {error}"
        return "not reached"

    def to_pandas(self) -> Any:
        """One row per group: estimates, standard errors, goodness, status, error."""
        from ..report.groups import table_frame

        return table_frame(self)

    def to_dict(self) -> dict[str, Any]:
        """All groups with what `FitResult.to_dict` tells of each, ready for JSON."""
        from ..report.groups import table_record

        return table_record(self)

    def __str__(self) -> str:
        from ..report.groups import table_text

        return table_text(self)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from ..report.groups import table_html

        return table_html(self)

    def plot(self, most: int = 24) -> Figure:
        """Data and curve of each group in a small picture, of the first `most` groups."""
        from ..report.groups_plot import plot_table

        return plot_table(self, most)


def fit_by(many: Many, wanted: Request, task: Task) -> FitTable:
    """One fit for each group; what fails in one is noted and the others go on."""
    start, own = per_group(wanted.start)
    setup = task.prepare(replace(wanted, start=start, missing="drop"))
    n = rows_given(setup)
    groups = groups_of(many.by, wanted.data, n, "by", wanted.missing)
    checked(own, groups)
    parts = Parts(setup, n)
    fits: dict[Label, FitResult] = {}
    errors: dict[Label, Exception] = {}
    said = Said(task.watch, len(groups))
    for k, group in enumerate(groups):
        try:
            begun = begin_at(setup, own, group.label)
            fits[group.label] = _one(begun, parts, group, wanted.missing, task, said.of(k))
        except KeyboardInterrupt:
            break
        except (MarquardtError, ArithmeticError, ValueError, TypeError) as error:
            errors[group.label] = error
            continue
        if fits[group.label].status is Status.INTERRUPTED:
            break
    said.close()
    order = tuple(g.label for g in groups)
    left = tuple(label for label in order if label not in fits and label not in errors)
    return FitTable(group_name(many.by), fits, errors, left, order)


def _one(setup: Setup, parts: Parts, group: Group, missing: str, task: Task, watch: Any) -> FitResult:
    lost = parts.dropped(group)
    if lost.size and missing != "drop":
        raise DataError(
            f"row {lost[0]} has a value that is missing or not finite, counting from 0; "
            "remove it, or say missing='drop'"
        )
    data = parts.data(group)
    if data.y.size == 0:
        raise DataError("no row is left: every row has a value that is missing or not finite")
    share_trace(setup, data)
    result: FitResult = task.run(replace(setup, data=data), task.options, watch)
    return result


SILENT_SECONDS = 2.0
BETWEEN_SECONDS = 0.2


class Said:
    """Progress over all groups: what the caller's function or the line in the terminal gets to see."""

    def __init__(self, watch: Any, n: int) -> None:
        self.watch, self.n = watch, n
        self.line = getattr(watch, "stream", None)
        self.next_time = time.monotonic() + SILENT_SECONDS
        self.width = 0

    def of(self, k: int) -> Any:
        """What watches group number `k`: its fit reports only to a function of the caller."""
        if self.line is None:
            return self.watch
        now = time.monotonic()
        if now >= self.next_time:
            self.next_time = now + BETWEEN_SECONDS
            line = f"fitting: group {k + 1} of {self.n} (Ctrl-C keeps what is done)"
            self.line.write("\r" + line.ljust(self.width))
            self.line.flush()
            self.width = len(line)
        return None

    def close(self) -> None:
        """Wipe the line, if there is one."""
        if self.width and self.line is not None:
            self.line.write("\r" + " " * self.width + "\r")
            self.line.flush()
