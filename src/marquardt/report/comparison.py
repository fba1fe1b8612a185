"""Several methods from one start: table, picture of cost against evaluations, page."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .charts import Chart, axis, layout, line
from .dance import best_cost, evaluations, telling
from .explorer import explorer
from .figure import new_figure, short, tidy
from .landscape import chosen
from .page import dance, document, section
from .sentences import align

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..curve.compare import Comparison, Run
    from ..solve.result import Result

HEADER = ["method", "ended", "cost", "residuals", "Jacobians", "evaluations", ""]
COLORS = ("#111111", "#c0392b", "#1e8449", "#8e44ad", "#d35400", "#17a589", "#b7950b", "#2471a3")
FLOOR, EPS = 1e-32, 2.2e-16
"""Costs above the lowest by less than this part of the start, or of the lowest, are drawn as such a part."""
ARRIVED = 1e-6
"""A cost that is the lowest to this part of it, or of the way down from the start, is the lowest."""
MOST = 600


def row(run: Run, comparison: Comparison) -> list[str]:
    """Cells of one method."""
    r = run.result
    if r is None:
        return [run.name, "error", "-", "-", "-", "-", run.error.splitlines()[0]]
    ended = r.status.name.lower().replace("_", " ")
    other = "" if arrived(r, comparison) or not r.success else "at another minimum"
    return [run.name, ended, f"{r.cost:.7g}", str(r.nfev), str(r.njev), str(r.nfev + r.njev), other]


def arrived(result: Result, comparison: Comparison) -> bool:
    """Certified, and at the lowest cost that any method found."""
    return result.success and at_lowest(result, comparison)


def at_lowest(result: Result, comparison: Comparison) -> bool:
    """As low as any method came, certified or not."""
    lowest = comparison.lowest
    down = abs(float(result.trace["cost"][0]) - lowest) if len(result.trace) else 0.0
    return result.cost - lowest <= ARRIVED * max(lowest, 1e-6 * down)


def text(comparison: Comparison) -> str:
    """The title and one line per method."""
    rows = [row(run, comparison) for run in comparison.runs]
    return "\n".join([comparison.title, *align([HEADER, *rows])])


def fragment(comparison: Comparison) -> str:
    """The table as HTML."""
    from .html import STYLE

    head = "".join(f"<th>{escape(cell)}</th>" for cell in HEADER)
    rows = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row(run, comparison)) + "</tr>"
        for run in comparison.runs
    )
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
    return f"<style>{STYLE}</style><div class='mq'><pre>{escape(comparison.title)}</pre>{table}</div>"


def curves(comparison: Comparison) -> dict[str, tuple[NDArray[Any], NDArray[Any]]]:
    """By method: evaluations, and the best cost so far above the lowest of all."""
    out = {}
    for name, result in comparison.results.items():
        trace = result.trace
        total = result.nfev + result.njev
        spent, cost = np.array([total]), np.array([result.cost])
        if len(trace):
            rows = telling(len(trace), MOST)
            spent = np.append(2, evaluations(trace)[rows])
            cost = np.append(trace["cost"][0], best_cost(trace)[rows])
            if total > spent[-1]:  # other attempts, and looks around the end
                spent, cost = np.append(spent, total), np.append(cost, cost[-1])
        floor = max(FLOOR * float(cost[0]), EPS * comparison.lowest, 1e-300)
        out[name] = spent, np.maximum(cost - comparison.lowest, floor)
    return out


def plot(comparison: Comparison) -> Figure:
    """One line per method, logarithmic both ways: the sprinter's dozen beside the hiker's thousands."""
    figure = new_figure(7.5, 4.8)
    axes = figure.subplots()
    for k, (name, (spent, cost)) in enumerate(curves(comparison).items()):
        color, result = COLORS[k % len(COLORS)], comparison.results[name]
        axes.step(spent, cost, where="post", color=color, lw=1.5, label=name)
        mark = "*" if arrived(result, comparison) else "X"
        axes.plot(spent[-1:], cost[-1:], mark, ms=11 if mark == "*" else 8, color=color, mec="white", mew=0.7)
    axes.plot([], [], "*", color="#7f8c8d", ms=11, label="arrived")
    axes.plot([], [], "X", color="#7f8c8d", ms=8, label="did not arrive")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("evaluations of residuals and Jacobians")
    axes.set_ylabel("best cost so far, above the lowest found")
    axes.set_title(short(comparison.title), fontsize="medium")
    figure.legend(loc="outside right upper", frameon=False)
    tidy(axes)
    return figure


def chart(comparison: Comparison) -> Chart:
    """The same for the page."""
    data = []
    for k, (name, (spent, cost)) in enumerate(curves(comparison).items()):
        color = COLORS[k % len(COLORS)]
        data.append(line(spent, cost, escape(name), color, line={"shape": "hv"}))
        mark = "star" if arrived(comparison.results[name], comparison) else "x"
        end = {"mode": "markers", "showlegend": False, "marker": {"symbol": mark, "size": 11, "color": color}}
        data.append(line(spent[-1:], cost[-1:], escape(name), color, **end))
    axes = {
        "xaxis": axis("evaluations of residuals and Jacobians", type="log"),
        "yaxis": axis("best cost so far, above the lowest found", type="log"),
    }
    return {"data": data, "layout": layout(480, **axes)}


_STARS = "A star ends the line of a method that arrived at the lowest cost, a cross one that did not."


def page(comparison: Comparison, a: str | None = None, b: str | None = None) -> str:
    """Table, chart and the explorer of every method, all over the same parameters."""
    parts = [f"<h1>{escape(comparison.title)}</h1>", fragment(comparison)]
    parts.append(section("Cost against evaluations", chart(comparison), "comparison", f"<p>{_STARS}</p>"))
    center = best(comparison)
    pair = [] if center is None else [center.free_names[i] for i in chosen(center, a, b)]
    for k, (name, result) in enumerate(walks(comparison).items()):
        title = f"The dance of {name}: {result.status.name.lower().replace('_', ' ')}"
        parts.append(dance(result, explorer(result, *pair), f"m{k}-explorer", title, words=k == 0))
    return document(comparison.title, parts)


def walks(comparison: Comparison) -> dict[str, Result]:
    """The methods that took a step at least."""
    return {name: r for name, r in comparison.results.items() if len(r.trace)}


def best(comparison: Comparison) -> Result | None:
    """Of the methods that took a step one that arrived, or else the one that came lowest."""
    return min(walks(comparison).values(), key=lambda r: (not arrived(r, comparison), r.cost), default=None)
