"""The picture of a fit to complex data: the complex plane, and both parts with their residuals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .figure import ACCENT, CALM, INK, new_figure, short, tidy
from .series_complex import Part, Plane, plane

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..curve.result import FitResult

COLORS = (INK, CALM)
"""Of the real and the imaginary part."""


def plot_complex(fit: FitResult, level: float = 0.95) -> Figure:
    """The complex plane to the left; to the right real and imaginary part over x, and their residuals.

    Where the imaginary parts are negative throughout, as those of impedances, the plane has ``-Im`` upward.
    """
    shown = plane(fit, level)
    figure = new_figure(10.0, 5.4)
    grid = figure.add_gridspec(2, 2, height_ratios=[3, 1])
    whole, top = figure.add_subplot(grid[:, 0]), figure.add_subplot(grid[0, 1])
    bottom = figure.add_subplot(grid[1, 1], sharex=top)
    _plane(whole, shown)
    for part, color in zip(shown.parts(), COLORS, strict=True):
        _part(top, shown, part, color)
        bottom.plot(shown.x, part.residuals, _dot(shown), color=color, alpha=0.8, ms=_size(shown))
        _mark(bottom, shown, shown.x, part.residuals)
    bottom.axhline(0.0, color=ACCENT, linewidth=1, zorder=0)
    if shown.log_x:
        top.set_xscale("log")
    top.tick_params(labelbottom=False)
    top.set_ylabel(shown.z_name)
    bottom.set_xlabel(shown.x_name)
    bottom.set_ylabel(shown.residual_name)
    top.legend(frameon=False)
    figure.suptitle(short(fit.title), fontsize="medium")
    tidy(whole, top, bottom)
    return figure


def _plane(axes: Any, shown: Plane) -> None:
    re, im = shown.z.real, shown.imaginary(shown.z)
    if shown.sigma is not None and not shown.many:
        bars = {"xerr": shown.sigma.real, "yerr": shown.sigma.imag}
        axes.errorbar(re, im, **bars, fmt="o", color=INK, ecolor=INK, elinewidth=0.8, ms=4, label="data")
    else:
        axes.plot(re, im, _dot(shown), color=INK, alpha=0.8, ms=_size(shown), label="data", zorder=1)
    axes.plot(shown.line.real, shown.imaginary(shown.line), color=ACCENT, label="fit")
    pick = shown.outliers
    if pick.size:
        _mark(axes, shown, re, im, f"{pick.size} outlier{'s' * (pick.size > 1)}")
    axes.set_aspect("equal", adjustable="datalim")
    axes.set_xlabel(shown.names[0])
    axes.set_ylabel(shown.names[1])
    axes.legend(frameon=False)


def _part(axes: Any, shown: Plane, part: Part, color: str) -> None:
    if part.sigma is not None and not shown.many:
        axes.errorbar(
            shown.x, part.data, yerr=part.sigma, fmt="o", color=color, elinewidth=0.8, ms=4, label=part.name
        )
    else:
        axes.plot(shown.x, part.data, _dot(shown), color=color, alpha=0.8, ms=_size(shown), label=part.name)
    if part.lower is not None and part.upper is not None:
        axes.fill_between(shown.line_x, part.lower, part.upper, color=ACCENT, alpha=0.2, linewidth=0)
    axes.plot(shown.line_x, part.line, color=ACCENT)
    _mark(axes, shown, shown.x, part.data)


def _mark(axes: Any, shown: Plane, x: Any, y: Any, label: str | None = None) -> None:
    """Rings around the outliers."""
    pick = shown.outliers
    if pick.size:
        axes.plot(x[pick], y[pick], "o", ms=9, mfc="none", mec=ACCENT, mew=1.3, label=label)


def _dot(shown: Plane) -> str:
    return "." if shown.many else "o"


def _size(shown: Plane) -> float:
    return 1.0 if shown.many else 4.0
