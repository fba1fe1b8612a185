"""Pictures of many fits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import OptionError, suggestion
from .figure import CALM, INK, STOP, new_figure, short, tidy

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    ManyFits = Any  # of the room above

ACROSS = 4
"""Pictures side by side."""
RANGE = 1.0
"""Colors cover all but this percentage of the values at each end: one bad fit does not wash out the rest."""


def plot_map(many: ManyFits, names: Any = None) -> Figure:
    """Each parameter over the grid, failed fits crossed; of fits in a row its values, else a histogram."""
    chosen = list(many.names) if names is None else [names] if isinstance(names, str) else list(names)
    for name in chosen:
        if name not in many.params:
            raise OptionError(f"plot_map: no parameter {name!r}{suggestion(name, many.names)}")
    columns = min(ACROSS, len(chosen))
    rows = -(-len(chosen) // columns)
    figure = new_figure(3.4 * columns, 3.0 * rows)
    for k, name in enumerate(chosen):
        axes = figure.add_subplot(rows, columns, k + 1)
        axes.set_title(short(name, 30), color=INK)
        _draw(figure, axes, many.params[name], many.success)
    return figure


def _draw(figure: Figure, axes: Any, values: Any, success: Any) -> None:
    known = values[np.isfinite(values) & success]
    low, high = np.percentile(known, [RANGE, 100.0 - RANGE]) if known.size else (0.0, 1.0)
    if values.ndim == 2:
        axes.set_facecolor("#eeeeee")
        image = axes.imshow(values, vmin=low, vmax=high, interpolation="nearest", cmap="viridis")
        axes.set_xticks([])
        axes.set_yticks([])
        figure.colorbar(image, ax=axes, shrink=0.85)
        if 0 < np.count_nonzero(~success) < 0.2 * success.size:
            axes.plot(*np.argwhere(~success).T[::-1], "x", color=STOP, ms=3, mew=0.7, label="not certified")
        return
    if values.ndim == 1 and values.size <= 1000:
        at = np.arange(values.size)
        axes.plot(at[success], values[success], ".", color=CALM)
        axes.plot(at[~success], values[~success], "x", color=STOP, label="not certified")
        axes.set_xlabel("fit")
    else:
        inside = known[(known >= low) & (known <= high)]
        axes.hist(inside, bins=min(60, max(10, int(np.sqrt(inside.size)))), color=CALM)
        axes.set_ylabel("fits")
    tidy(axes)
