"""The dance step by step: cost, damping or radius, gain ratio."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .dance import FAR_MARK, GO_MARK, STOP_MARK, UNSEEN_MARK, costs, steps_of
from .figure import ACCENT, CALM, GO, INK, STOP, new_figure, short, tidy

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..solve.result import Result

RHO_SHOWN = (-1.0, 3.0)
"""Gain ratios beyond are drawn at the edge, as arrowheads: at the end of a fit they are mostly rounding."""
_MANY = 200
"""Above this many steps lines lose their markers."""


def plot_trace(result: Result) -> Figure:
    """Three panels over the trial steps: cost, damping λ and radius Δ where there are such, gain ratio ρ."""
    figure = new_figure(7.0, 6.4)
    trace = steps_of(result)
    k = np.arange(1, len(trace) + 1)
    top, middle, bottom = figure.subplots(3, 1, sharex=True, height_ratios=[3, 2, 2])
    size = 4.0 if k.size <= _MANY else 1.0
    _cost(top, k, trace, size)
    _control(middle, k, trace, size)
    _gain(bottom, k, trace, size)
    bottom.set_xlabel("trial step")
    top.set_title(short(f"The dance: {result.title}"), fontsize="medium")
    bottom.xaxis.get_major_locator().set_params(integer=True)
    tidy(top, middle, bottom)
    return figure


_MARKS = {GO_MARK: ("o", GO, GO), STOP_MARK: ("x", STOP, STOP), FAR_MARK: ("^", STOP, STOP),
          UNSEEN_MARK: ("v", STOP, "none")}  # fmt: skip


def _cost(axes: Any, k: Any, trace: Any, size: float) -> None:
    shown = costs(trace)
    axes.step(np.append(0, k), shown.best, where="post", color=INK, lw=1.2, label="best cost so far")
    for name, (which, cost) in shown.marks.items():
        mark, color, face = _MARKS[name]
        if which.any():
            larger = size + 2 * (name != GO_MARK)
            axes.plot(k[which], cost[which], mark, ms=larger, color=color, mfc=face, label=name)
    if shown.log:
        axes.set_yscale("log")
    axes.set_ylabel("cost ½ Σ r²")
    axes.legend(frameon=False, loc="upper right", fontsize="small")


def _control(axes: Any, k: Any, trace: Any, size: float) -> None:
    """λ on the left, Δ on the right, each on a log scale; a method without either says so."""
    damping, radius = np.asarray(trace["damping"]), np.asarray(trace["radius"])
    damped, round_ = np.isfinite(damping) & (damping > 0), np.isfinite(radius) & (radius > 0)
    if damped.any():
        axes.semilogy(k, np.where(damped, damping, np.nan), "o-", ms=size, lw=1, color=ACCENT)
        axes.set_ylabel("damping λ", color=ACCENT)
    if round_.any():
        other = axes.twinx() if damped.any() else axes
        other.semilogy(k, np.where(round_, radius, np.nan), "s-", ms=size, lw=1, color=CALM)
        other.set_ylabel("radius Δ", color=CALM)
        other.spines["top"].set_visible(False)
    if not damped.any() and not round_.any():
        axes.text(0.5, 0.5, "no damping and no radius", ha="center", va="center", transform=axes.transAxes)
        axes.set_yticks([])


def _gain(axes: Any, k: Any, trace: Any, size: float) -> None:
    low, high = RHO_SHOWN
    go = np.asarray(trace["accepted"])
    rho = np.where(trace["model"] == "polish", np.nan, trace["gain_ratio"])  # the gradient judged those
    for level, style in ((0.0, "-"), (1.0, "--")):
        axes.axhline(level, color="#95a5a6", lw=0.8, ls=style)
    for chosen, color, mark in ((go, GO, "o"), (~go, STOP, "x")):
        inside = chosen & (rho >= low) & (rho <= high)
        axes.plot(k[inside], rho[inside], mark, ms=size + (mark == "x") * 2, color=color)
        for beyond, edge, head in ((rho < low, low, "v"), (rho > high, high, "^")):
            out = chosen & beyond
            axes.plot(k[out], np.full(out.sum(), edge), head, ms=size + 1, color=color, clip_on=False)
    axes.set_ylim(low, high)
    axes.set_ylabel("gain ratio ρ")
