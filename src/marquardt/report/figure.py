"""What all matplotlib pictures share. Figures are made without pyplot: no backend, the caller owns them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import MissingPackageError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK, ACCENT, GO, STOP, CALM = "#34495e", "#c0392b", "#1e8449", "#c0392b", "#2471a3"
"""Data and text; the fitted curve; accepted; refused; everything in between."""


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, sizes in inches. Raises MissingPackageError without matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingPackageError("plots need matplotlib: pip install matplotlib") from None
    return Figure(figsize=(width, height), layout="constrained")


def tidy(*many: Any) -> None:
    """Axes without the frame's upper and right line."""
    for axes in many:
        axes.spines[["top", "right"]].set_visible(False)


def short(title: str, most: int = 70) -> str:
    """A title that fits above a picture.

    >>> short("y ~ a*exp(-b*x)", 10)
    'y ~ a*e...'
    """
    return title if len(title) <= most else title[: most - 3] + "..."
