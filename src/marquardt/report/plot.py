"""The picture of a fit: data, curve, band, residuals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .figure import ACCENT, INK, new_figure, short, tidy
from .plot_complex import plot_complex
from .series import Series, series

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..curve.result import FitResult


def plot(fit: FitResult, level: float = 0.95) -> Figure:
    """Data with the curve and its confidence band above, residuals (data - model) below.

    With several independent variables: observed against predicted values. Complex data: the complex plane,
    and real and imaginary parts with their residuals.
    """
    if fit.sample.observed.dtype.kind == "c":
        return plot_complex(fit, level)
    figure = new_figure(7.0, 5.6)
    top, bottom = figure.subplots(2, 1, height_ratios=[3, 1], sharex=True)
    shown = series(fit, level)
    _points(top, shown)
    _mark(top, shown, shown.y)
    if shown.log_x:
        top.set_xscale("log")
    if shown.lower is not None and shown.upper is not None:
        band = f"{100 * level:g} % confidence band"
        top.fill_between(
            shown.line_x, shown.lower, shown.upper, color=ACCENT, alpha=0.2, linewidth=0, label=band
        )
        low, high = shown.window()
        top.set_ylim(max(low, top.get_ylim()[0]), min(high, top.get_ylim()[1]))
    top.plot(shown.line_x, shown.line_y, color=ACCENT, label=shown.line_name)
    _residuals(bottom, shown)
    top.set_ylabel(shown.y_name)
    bottom.set_xlabel(shown.x_name)
    top.set_title(short(fit.title), fontsize="medium")
    top.legend(frameon=False)
    tidy(top, bottom)
    return figure


def _marker(shown: Series) -> dict[str, Any]:
    return {"ms": 1 if shown.many else 4, "color": INK}


def _mark(axes: Any, shown: Series, values: Any) -> None:
    """Rings around the outliers."""
    pick = shown.outliers
    if pick.size:
        label = f"{pick.size} outlier{'s' * (pick.size > 1)}"
        axes.plot(shown.x[pick], values[pick], "o", ms=9, mfc="none", mec=ACCENT, mew=1.3, label=label)


def _points(axes: Any, shown: Series) -> None:
    if shown.sigma is not None and not shown.many:
        axes.errorbar(
            shown.x, shown.y, yerr=shown.sigma, fmt="o", ecolor=INK, elinewidth=0.8, label="data",
            **_marker(shown),
        )  # fmt: skip
        return
    axes.plot(
        shown.x, shown.y, "." if shown.many else "o", alpha=0.8, label="data", zorder=1, **_marker(shown)
    )


def _residuals(axes: Any, shown: Series) -> None:
    axes.axhline(0.0, color=ACCENT, linewidth=1)
    if shown.residuals.size == shown.x.size:
        axes.plot(shown.x, shown.residuals, "." if shown.many else "o", alpha=0.8, **_marker(shown))
        _mark(axes, shown, shown.residuals)
    axes.set_ylabel(shown.residual_name)
