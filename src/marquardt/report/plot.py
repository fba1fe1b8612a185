"""Pictures of a fit. Figures are made without pyplot: no backend is needed, the caller owns them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import MarquardtError, MissingPackageError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..curve.result import FitResult

_CURVE, _DATA = "#c0392b", "#34495e"
_MANY = 2000
"""Above this many points markers become dots and error bars are left out."""


def plot(fit: FitResult, level: float = 0.95) -> Figure:
    """Data with the curve and its confidence band above, residuals (data - model) below.

    With several independent variables: observed against predicted values.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingPackageError("plots need matplotlib: pip install matplotlib") from None
    figure = Figure(figsize=(7.0, 5.6), layout="constrained")
    top, bottom = figure.subplots(2, 1, height_ratios=[3, 1], sharex=True)
    y = fit.observed
    if y.dtype.kind == "c" or y.ndim != 1:
        y = np.concatenate([y.real.ravel(), y.imag.ravel()]) if y.dtype.kind == "c" else y.ravel()
    x, name = fit.single_x
    if x is not None and x.size == y.size:
        _draw_curve(fit, top, x, y, level)
    else:
        x, name = _draw_predicted(fit, top, y), f"predicted {fit.response_name}"
    _draw_residuals(fit, bottom, x)
    bottom.set_xlabel(name)
    top.set_ylabel(fit.response_name if fit.single_x[0] is not None else f"observed {fit.response_name}")
    top.set_title(fit.title if len(fit.title) <= 70 else fit.title[:67] + "...", fontsize="medium")
    top.legend(frameon=False)
    for axes in (top, bottom):
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def _draw_curve(fit: FitResult, axes: Any, x: NDArray[Any], y: NDArray[Any], level: float) -> None:
    _points(fit, axes, x, y, "data")
    grid = np.linspace(x.min(), x.max(), 400)
    if np.all(x > 0) and x.max() > 1e3 * x.min():
        grid = np.geomspace(x.min(), x.max(), 400)
        axes.set_xscale("log")
    try:
        curve = np.broadcast_to(fit.predict(grid), grid.shape)
        lower, upper = fit.band(grid, level)
    except (MarquardtError, ArithmeticError, ValueError, TypeError, IndexError):
        # The model holds for the data it was given only (captured arrays): show it there.
        order = np.argsort(x, kind="stable")
        axes.plot(x[order], fit.predict().ravel()[order], color=_CURVE, label="fit")
        return
    if np.isfinite(lower).all() and np.isfinite(upper).all():
        band = f"{100 * level:g} % confidence band"
        axes.fill_between(grid, lower, upper, color=_CURVE, alpha=0.2, linewidth=0, label=band)
        _keep_to_data(axes, y, curve)
    axes.plot(grid, curve, color=_CURVE, label="fit")


def _keep_to_data(axes: Any, y: NDArray[Any], curve: NDArray[Any]) -> None:
    """A band that runs away must not flatten data and curve."""
    finite = np.concatenate([y[np.isfinite(y)], curve[np.isfinite(curve)]])
    margin = 0.25 * (np.ptp(finite) or 1.0)
    low, high = axes.get_ylim()
    axes.set_ylim(max(low, finite.min() - margin), min(high, finite.max() + margin))


def _draw_predicted(fit: FitResult, axes: Any, y: NDArray[Any]) -> NDArray[Any]:
    predicted = np.asarray(fit.predict())
    if predicted.dtype.kind == "c":
        predicted = np.concatenate([predicted.real.ravel(), predicted.imag.ravel()])
    predicted = np.broadcast_to(predicted.ravel(), y.shape)
    _points(fit, axes, predicted, y, "data")
    ends = [min(predicted.min(), y.min()), max(predicted.max(), y.max())]
    axes.plot(ends, ends, color=_CURVE, label="observed = predicted")
    return predicted


def _points(fit: FitResult, axes: Any, x: NDArray[Any], y: NDArray[Any], label: str | None) -> None:
    sigma = fit.sigma
    if sigma is not None and y.size <= _MANY and sigma.size == y.size:
        axes.errorbar(x, y, yerr=sigma, fmt="o", ms=4, color=_DATA, ecolor=_DATA, elinewidth=0.8, label=label)
        return
    few = y.size <= _MANY
    axes.plot(x, y, "o" if few else ".", ms=4 if few else 1, color=_DATA, alpha=0.8, label=label, zorder=1)


def _draw_residuals(fit: FitResult, axes: Any, x: NDArray[Any]) -> None:
    axes.axhline(0.0, color=_CURVE, linewidth=1)
    weighted = fit.sigma is not None
    shown = -fit.residuals
    few = shown.size <= _MANY
    if shown.size == x.size:
        axes.plot(x, shown, "o" if few else ".", ms=4 if few else 1, color=_DATA, alpha=0.8)
    axes.set_ylabel("residual / sigma" if weighted else "weighted residual" if fit.weighted else "residual")
