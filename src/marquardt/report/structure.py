"""A picture of the structure of a large problem: which blocks of its system are not zero."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..problem.large.compiled import Compiled
from ..problem.large.structure import eliminated, reduced_pattern
from .figure import CALM, INK, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_CELLS = 600
"""Larger patterns are drawn as densities of so many cells a side."""


def plot_structure(compiled: Compiled) -> Figure:
    """Blocks of the reduced system that are not zero, a row and a column for each variable that is left."""
    out = eliminated(compiled)
    pattern, ends = reduced_pattern(compiled, out)
    kept = [v.name for k, v in enumerate(compiled.variables) if k != out]
    figure = new_figure(5.5, 5.5)
    axes = figure.add_subplot()
    n = pattern.shape[0]
    coordinates = pattern.tocoo()
    if n <= MOST_CELLS:
        side = min(max(0.5, 300.0 / n), 12.0)
        axes.plot(coordinates.col, coordinates.row, "s", color=CALM, markersize=side, markeredgewidth=0)
    else:
        cells = np.arange(MOST_CELLS + 1) * n / MOST_CELLS
        density, _, _ = np.histogram2d(coordinates.row, coordinates.col, bins=(cells, cells))
        axes.imshow(density > 0, extent=(-0.5, n - 0.5, n - 0.5, -0.5), cmap="Blues", interpolation="nearest")
    axes.set_xlim(-0.5, n - 0.5)
    axes.set_ylim(n - 0.5, -0.5)
    axes.set_aspect("equal")
    for end in ends[1:-1]:
        axes.axhline(end - 0.5, color=INK, linewidth=0.8)
        axes.axvline(end - 0.5, color=INK, linewidth=0.8)
    middles = (ends[:-1] + ends[1:]) / 2.0
    axes.set_xticks(middles, kept)
    axes.set_yticks(middles, kept)
    filled = 100.0 * pattern.nnz / max(n, 1) ** 2
    without = "" if out is None else f", {compiled.variables[out].name!r} eliminated"
    axes.set_title(f"{n:,} variables{without}: {filled:.3g} % of the blocks are not zero", fontsize=10)
    return figure
