"""Charts of the page as plain data for plotly.js: dictionaries with ``data`` and ``layout``.

Coordinates are rounded to 6 significant digits, and long series thinned: a page stays small beside its
JavaScript.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .dance import FAR_MARK, GO_MARK, STOP_MARK, UNSEEN_MARK, Costs, costs, evaluations, steps_of, telling
from .figure import ACCENT, CALM, GO, INK, STOP
from .plot_trace import RHO_SHOWN
from .series import series

if TYPE_CHECKING:
    from ..curve.result import FitResult
    from ..solve.result import Result

Chart = dict[str, Any]

FONT = {"family": "system-ui, sans-serif", "size": 13, "color": INK}
MOST_POINTS, MOST_STEPS = 3000, 1500
ZERO = {"zeroline": True, "zerolinecolor": ACCENT}
LINE = {
    "zeroline": False,
    "showline": True,
    "linecolor": "#95a5a6",
    "gridcolor": "#ecf0f1",
    "ticks": "outside",
    "exponentformat": "power",
}


def numbers(values: Any, digits: int = 6) -> Any:
    """Nested lists of floats with so many significant digits; None for what is not finite.

    >>> numbers(np.array([[1.23456789, np.nan]]))
    [[1.23457, None]]
    """
    if isinstance(values, np.ndarray) and values.ndim > 1:
        return [numbers(row, digits) for row in values]
    return [float(f"{v:.{digits}g}") if np.isfinite(v) else None for v in np.asarray(values, float).tolist()]


def whole(values: Any) -> Any:
    """Nested lists of integers; None for what is not finite."""
    return [[int(v) if np.isfinite(v) else None for v in row] for row in values.tolist()]


def axis(title: str, **more: Any) -> dict[str, Any]:
    """A plain axis with its name."""
    return {**LINE, "title": {"text": escape(title)}, **more}


def layout(height: int, **more: Any) -> dict[str, Any]:
    """White, with room for names, legend above."""
    return {
        "font": FONT, "height": height, "paper_bgcolor": "white", "plot_bgcolor": "white",
        "margin": {"l": 80, "r": 25, "t": 40, "b": 55}, "hovermode": "closest",
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0}, **more,
    }  # fmt: skip


def line(x: Any, y: Any, name: str, color: str, **more: Any) -> Chart:
    """A line; ``mode`` and all else may be overruled."""
    style = {"color": color, "width": 2, **more.pop("line", {})}
    points = {"x": numbers(x), "y": numbers(y)}
    return {"type": "scatter", "mode": "lines", **points, "name": name, "line": style, **more}


def dots(x: Any, y: Any, name: str, color: str, symbol: str = "circle", size: int = 7, **more: Any) -> Chart:
    """Markers."""
    marker = {"color": color, "symbol": symbol, "size": size}
    points = {"x": numbers(x), "y": numbers(y)}
    return {"type": "scatter", "mode": "markers", **points, "name": name, "marker": marker, **more}


# ------------------------------------------------------------------------------------------------- the fit


def fit_chart(fit: FitResult, level: float = 0.95) -> Chart:
    """Data, curve and band above, residuals below; of complex data also the complex plane."""
    if fit.sample.observed.dtype.kind == "c":
        from .charts_complex import complex_chart

        return complex_chart(fit, level)
    shown = series(fit, level)
    pick, size = some(shown.y.size), 3 if shown.many else 7
    data = []
    if shown.lower is not None and shown.upper is not None:
        x = np.concatenate([shown.line_x, shown.line_x[::-1]])
        y = np.concatenate([shown.upper, shown.lower[::-1]])
        fill = {"fill": "toself", "fillcolor": "rgba(192,57,43,0.18)", "hoverinfo": "skip"}
        data.append(line(x, y, f"{100 * level:g} % confidence band", ACCENT, line={"width": 0}, **fill))
    points = dots(shown.x[pick], shown.y[pick], "data", INK, size=size)
    if shown.sigma is not None and not shown.many:
        bars = {"type": "data", "array": numbers(shown.sigma[pick]), "color": INK, "thickness": 1}
        points["error_y"] = bars
    wild = shown.outliers
    if wild.size:
        data.append(dots(shown.x[wild], shown.y[wild], "outliers", ACCENT, "circle-open", 13))
    data += [points, line(shown.line_x, shown.line_y, shown.line_name, ACCENT)]
    if shown.residuals.size == shown.x.size:
        left = dots(shown.x[pick], shown.residuals[pick], "residual", INK, size=size, showlegend=False)
        data.append({**left, "yaxis": "y2"})
    axes = {
        "xaxis": axis(shown.x_name, anchor="y2", type="log" if shown.log_x else "linear"),
        "yaxis": axis(shown.y_name, domain=[0.34, 1], range=numbers(shown.window())),
        "yaxis2": axis(shown.residual_name, domain=[0, 0.26], **ZERO),
    }
    return {"data": data, "layout": layout(520, **axes)}


def residual_chart(result: Result) -> Chart:
    """The residuals by their number, where there is no curve."""
    f = np.asarray(result.residuals)
    pick = some(f.size)
    axes = {"xaxis": axis("number of the residual"), "yaxis": axis("residual at the end", **ZERO)}
    return {"data": [dots(pick, f[pick], "residual", INK)], "layout": layout(300, showlegend=False, **axes)}


def some(count: int) -> NDArray[np.intp]:
    """Indices of at most MOST_POINTS evenly spaced points."""
    return np.unique(np.linspace(0, count - 1, min(count, MOST_POINTS)).astype(np.intp))


def correlation_chart(result: Result) -> Chart:
    """Correlation of the free parameters as a heat map."""
    c = np.asarray(result.correlation, dtype=float)
    names = [escape(name) for name in result.free_names]
    heat: Chart = {
        "type": "heatmap", "x": names, "y": names, "z": numbers(c, 4), "zmin": -1, "zmax": 1,
        "colorscale": [[0, "#2166ac"], [0.5, "#f7f7f7"], [1, "#b2182b"]], "xgap": 1, "ygap": 1,
        "colorbar": {"title": {"text": "correlation", "side": "right"}},
        "hovertemplate": "%{y} and %{x}: %{z:.4f}<extra></extra>",
    }  # fmt: skip
    if len(names) <= 12:
        heat["text"] = [[f"{v:.3f}" if np.isfinite(v) else "" for v in row] for row in c.tolist()]
        heat["texttemplate"] = "%{text}"
    side = int(np.clip(60 + 60 * len(names), 220, 620))
    plain = {"type": "category", "showgrid": False, "ticks": ""}
    axes = {"xaxis": plain, "yaxis": {**plain, "autorange": "reversed"}}
    margin = {"l": 90, "r": 20, "t": 30, "b": 40}
    return {"data": [heat], "layout": layout(side, width=side + 150, margin=margin, **axes)}


# ------------------------------------------------------------------------------------------------ the dance


def trace_chart(result: Result) -> Chart:
    """Cost, damping and radius, gain ratio over the trial steps."""
    every = steps_of(result)
    rows = telling(len(every), MOST_STEPS)
    trace, k, shown = every[rows], rows + 1.0, costs(every)
    control, stairs = _control(k, trace), {"shape": "hv"}
    data = [
        line(np.append(0, k), shown.best[np.append(0, rows + 1)], "best cost so far", INK, line=stairs),
        *_costs(k, rows, trace, shown, evaluations(every)[rows]),
        *control,
        *_gains(k, trace),
    ]
    names = ", ".join(d["name"].split()[-1] for d in control) or "no λ, no Δ"
    axes = {
        "xaxis": axis("trial step", anchor="y3"),
        "yaxis": axis("cost ½ Σ r²", domain=[0.58, 1], type="log" if shown.log else "linear"),
        "yaxis2": axis(names, domain=[0.29, 0.52], type="log", nticks=5),
        "yaxis3": axis("gain ratio ρ", domain=[0, 0.23], range=list(RHO_SHOWN), **ZERO),
    }
    return {"data": data, "layout": layout(620, **axes)}


_MARKS = {
    GO_MARK: (GO, "circle"), STOP_MARK: (STOP, "x"), FAR_MARK: (STOP, "triangle-up"),
    UNSEEN_MARK: (STOP, "triangle-down-open"),
}  # fmt: skip


def _costs(k: Any, rows: Any, trace: Any, shown: Costs, spent: Any) -> list[Chart]:
    """A mark for each trial at its cost; at the cost before, where it was refused without one."""
    said = zip(trace["verdict"].tolist(), spent.tolist(), strict=True)
    words = np.array([f"{escape(verdict)}, {n} evaluations so far" for verdict, n in said], dtype=object)
    out = []
    for name, (which, cost) in shown.marks.items():
        pick = which[rows]
        if pick.any():
            out.append(dots(k[pick], cost[rows][pick], name, *_MARKS[name], text=words[pick].tolist()))
    return out


def _gains(k: Any, trace: Any) -> list[Chart]:
    judged = np.asarray(trace["model"] != "polish")  # the gradient judged those
    go, rho = np.asarray(trace["accepted"]), np.clip(trace["gain_ratio"], *RHO_SHOWN)
    kinds = ((go, "ρ, accepted", GO, "circle"), (~go, "ρ, refused", STOP, "x"))
    return [
        dots(k[pick & judged], rho[pick & judged], name, color, symbol, yaxis="y3", showlegend=False)
        for pick, name, color, symbol in kinds
    ]


def _control(k: Any, trace: Any) -> list[Chart]:
    out = []
    for field, name, color in (("damping", "damping λ", ACCENT), ("radius", "radius Δ", CALM)):
        values = np.asarray(trace[field])
        known = np.isfinite(values) & (values > 0)
        if known.any():
            shown = np.where(known, values, np.nan)
            out.append(line(k, shown, name, color, mode="lines+markers", yaxis="y2"))
    return out
