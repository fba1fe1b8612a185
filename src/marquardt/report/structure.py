"""A picture of the structure of a large problem: which blocks of its system are not zero."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..problem.large.compiled import Compiled
from ..problem.large.structure import eliminated, reduced_pattern
from .figure import INK, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_CELLS = 600
"""Larger patterns are drawn with so many cells a side."""


def plot_structure(compiled: Compiled) -> Figure:
    """Blocks of the reduced system that are not zero, a row and a column for each variable that is left."""
    out = eliminated(compiled)
    pattern, ends = reduced_pattern(compiled, out)
    kept = [v.name for k, v in enumerate(compiled.variables) if k != out]
    figure = new_figure(5.5, 5.5)
    axes = figure.add_subplot()
    n = pattern.shape[0]
    if n <= MOST_CELLS:
        filled = pattern.toarray() != 0
    else:
        places, cells = pattern.tocoo(), np.arange(MOST_CELLS + 1) * n / MOST_CELLS
        filled = np.histogram2d(places.row, places.col, bins=(cells, cells))[0] > 0
    axes.imshow(filled, extent=(-0.5, n - 0.5, n - 0.5, -0.5), cmap="Blues", interpolation="nearest")
    for end in ends[1:-1]:
        axes.axhline(end - 0.5, color=INK, linewidth=0.8)
        axes.axvline(end - 0.5, color=INK, linewidth=0.8)
    middles = (ends[:-1] + ends[1:]) / 2.0
    axes.set_xticks(middles, kept)
    axes.set_yticks(middles, kept)
    percent = 100.0 * pattern.nnz / n**2
    without = "" if out is None else f", {compiled.variables[out].name!r} eliminated"
    axes.set_title(f"{n:,} variables{without}: {percent:.3g} % of the blocks are not zero", fontsize=10)
    return figure
