"""Small pictures of many groups."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import DataError
from .figure import ACCENT, INK, new_figure, short, tidy
from .groups import label_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..curve.groups_by import FitTable
    from ..curve.groups_result import GroupFit

POINTS = 200
"""Points of a curve."""


def plot_table(table: FitTable, most: int) -> Figure:
    """One picture per group that has a fit."""
    labels = list(table)[:most]
    if not labels:
        raise DataError("no group has a fit that could be drawn")

    def draw(axes: Any, label: Any) -> None:
        fit = table[label]
        x, name = fit.single_x
        curve(axes, x, fit.observed, fit.predict, name, fit.response_name)

    return multiples(labels, draw, f"{len(table.labels)} groups by {table.name}")


def multiples(labels: Sequence[Any], draw: Callable[[Any, Any], None], title: str) -> Figure:
    """A grid of small pictures, one per label."""
    columns = min(len(labels), 4 if len(labels) <= 12 else 6)
    rows = math.ceil(len(labels) / columns)
    figure = new_figure(2.4 * columns + 0.6, 1.9 * rows + 0.6)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, label in zip(grid, labels, strict=False):
        draw(axes, label)
        axes.set_title(short(label_text(label), 30), fontsize="small")
        axes.tick_params(labelsize="x-small")
        tidy(axes)
    for axes in grid[len(labels) :]:
        axes.set_axis_off()
    figure.suptitle(title, fontsize="medium")
    return figure


def curve(axes: Any, x: Any, y: Any, predict: Callable[..., Any], x_name: str, y_name: str) -> None:
    """Data and curve over one independent variable; with several, observed over predicted."""
    if x is None or x.size != y.size or y.dtype.kind == "c":
        found = np.asarray(predict())
        pair = (found.real, y.real)
        axes.plot(*pair, "o", ms=3, color=INK)
        axes.axline((float(pair[1].min()), float(pair[1].min())), slope=1.0, color=ACCENT)
        axes.set_xlabel("predicted", fontsize="x-small")
        return
    line = np.linspace(float(x.min()), float(x.max()), POINTS)
    axes.plot(x, y, "o", ms=3, color=INK)
    axes.plot(line, predict(line), color=ACCENT)
    axes.set_xlabel(x_name, fontsize="x-small")
    axes.set_ylabel(y_name, fontsize="x-small")


def plot_shared(fit: GroupFit, most: int) -> Figure:
    """One picture per group of one fit."""

    def draw(axes: Any, label: Any) -> None:
        data = fit.of_data(label)
        x = data.arguments[0] if len(data.arguments) == 1 and np.ndim(data.arguments[0]) == 1 else None
        curve(axes, x, data.y, lambda *a: fit.predict(*a, group=label), data.names[0], data.y_name)

    shared = ", ".join(str(p) for p in fit.shared.values())
    return multiples(fit.labels[:most], draw, f"{short(fit.title, 40)}; {shared}")
