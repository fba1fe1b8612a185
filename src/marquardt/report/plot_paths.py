"""The ways of several methods over one landscape."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import DataError
from .comparison import COLORS, arrived, best, walks
from .dance import path, telling
from .figure import INK, new_figure, short, tidy
from .landscape import landscape
from .plot_landscape import contours

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..curve.compare import Comparison

FEW, MOST = 60, 2000
"""Above so many points a way is drawn thin; of more than so many, some are left out."""


def plot_paths(comparison: Comparison, a: str | None = None, b: str | None = None) -> Figure:
    """Contours of the cost around the way of the best method, and the ways of all.

    Raises DataError where no method took a step, or where there is one parameter only.
    """
    walked, center = walks(comparison), best(comparison)
    if center is None or len(center.free_names) < 2:
        raise DataError("a landscape with ways needs two parameters and a method that took a step")
    ways = {name: path(result.trace) for name, result in walked.items()}
    scene = landscape(center, a, b, more=np.vstack([way[telling(len(way), FEW)] for way in ways.values()]))
    figure = new_figure(7.5, 5.6)
    axes = figure.subplots()
    contours(figure, axes, scene)
    i, j = scene.index
    for k, name in enumerate(comparison.results):
        if name not in ways:
            continue
        way, color = ways[name], COLORS[k % len(COLORS)]
        line: dict[str, Any] = {"ms": 3.5, "lw": 1.4, "zorder": 3}
        if len(way) > FEW:
            line = {"ms": 0, "lw": 0.8, "alpha": 0.8}
        shown = way[telling(len(way), MOST)]
        axes.plot(shown[:, i], shown[:, j], "o-", color=color, label=name, **line)
        mark, size = ("*", 13) if arrived(walked[name], comparison) else ("X", 9)
        axes.plot(way[-1:, i], way[-1:, j], mark, ms=size, color=color, mec="white", mew=0.8, zorder=4)
    start = np.asarray(center.trace.points)[0]
    axes.plot(start[[i]], start[[j]], "s", ms=8, color="white", mec=INK, label="start")
    axes.set_xlim(*scene.axes[0][[0, -1]])
    axes.set_ylim(*scene.axes[1][[0, -1]])
    axes.set_xlabel(scene.labels[0])
    axes.set_ylabel(scene.labels[1])
    title = short(comparison.title)
    axes.set_title(f"{title}\n({scene.others})" if scene.others else title, fontsize="medium")
    handles = axes.get_legend_handles_labels()[0]
    figure.legend(handles=handles, loc="outside lower center", ncols=4, frameon=False)
    tidy(axes)
    return figure
