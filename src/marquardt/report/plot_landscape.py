"""Contours of the cost over two parameters, with the way the method took through them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .dance import path, refused
from .figure import ACCENT, GO, INK, STOP, new_figure, short, tidy
from .landscape import Landscape, cost_at, landscape

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..solve.result import Result

LEVELS = 14
DEPTH = 6.0
"""At most so many decades above the minimum are drawn."""


def plot_landscape(
    result: Result, a: str | None = None, b: str | None = None, others: str = "fixed"
) -> Figure:
    """Where the method walked: contours of the cost, the accepted points, the refused trials."""
    scene = landscape(result, a, b, others)
    figure = new_figure(7.0, 5.6)
    axes = figure.subplots()
    trace = result.trace
    way, stops = scene.end[None, :], np.empty((0, scene.end.size))
    if len(trace):
        way, stops = path(trace), refused(trace)
    if len(scene.index) == 1:
        _curve(axes, result, scene, way, stops)
    else:
        contours(figure, axes, scene)
        i, j = scene.index
        _walk(axes, way[:, i], way[:, j], stops[:, i], stops[:, j])
        axes.set_ylabel(scene.labels[1])
        axes.set_ylim(*scene.axes[1][[0, -1]])
    axes.set_xlim(*scene.axes[0][[0, -1]])
    axes.set_xlabel(scene.labels[0])
    title = short(f"The landscape of {result.title}")
    axes.set_title(f"{title}\n({scene.others})" if scene.others else title, fontsize="medium")
    handles = axes.get_legend_handles_labels()[0]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False)
    tidy(axes)
    return figure


def levels(scene: Landscape) -> NDArray[np.float64]:
    """Evenly spaced levels of log10 (cost - lowest cost), from near the minimum to the highest cost shown."""
    heights = scene.excess[np.isfinite(scene.excess) & (scene.excess > 0)]
    if heights.size == 0:
        return np.array([0.0, 1.0])
    top = np.log10(np.quantile(heights, 0.85))
    bottom = max(np.log10(heights.min()), top - DEPTH)
    return np.linspace(bottom, max(top, bottom + 1e-3), LEVELS)


def contours(figure: Figure, axes: Any, scene: Landscape) -> None:
    """Filled contours with their scale; gray where the model refuses."""
    steps = levels(scene)
    with np.errstate(divide="ignore"):
        height = np.log10(np.maximum(scene.excess, 10 ** (steps[0] - 1)))
    height = np.ma.masked_invalid(height)
    filled = axes.contourf(*scene.axes, height, levels=steps, cmap="Blues_r", extend="both", alpha=0.85)
    axes.contour(*scene.axes, height, levels=steps, colors="white", linewidths=0.5, linestyles="solid")
    axes.set_facecolor("#dddddd")  # where the model refuses
    bar = figure.colorbar(filled, ax=axes, pad=0.02)
    bar.set_label("log10 (cost - lowest cost)")
    bar.set_ticks(list(steps[::2]), labels=[f"{v:.1f}" for v in steps[::2]])


def _walk(axes: Any, x: Any, y: Any, x_stop: Any, y_stop: Any) -> None:
    few = x.size <= 200
    axes.plot(x, y, "o-" if few else "-", ms=4, lw=1.2, color="#f39c12", mec=INK, mew=0.5, label="accepted")
    if x_stop.size:
        axes.plot(x_stop, y_stop, "x", ms=6, color=STOP, label="refused")
    axes.plot(x[:1], y[:1], "s", ms=8, color="white", mec=INK, label="start")
    axes.plot(x[-1:], y[-1:], "*", ms=13, color=GO, mec="white", mew=0.7, label="end")


def _curve(axes: Any, result: Result, scene: Landscape, way: Any, stops: Any) -> None:
    """One parameter: the cost itself."""
    problem = result._outcome.problem
    heights = [np.array([cost_at(problem, x) for x in points]) for points in (way, stops)]
    axes.plot(scene.axes[0], scene.cost, color=ACCENT, lw=1.2, label="cost")
    _walk(axes, way[:, 0], heights[0], stops[:, 0], heights[1])
    axes.set_ylabel("cost ½ Σ r²")
