"""The explorer of the dance: one picture per trial step and a slider; plain data for plotly.js.

Left the whole landscape with the way so far, right one step under the lens. How they are drawn for two
parameters is told in `explorer_map`, for one in `explorer_line`.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from . import explorer_line, explorer_map
from .charts import Chart, layout
from .dance import steps_of, telling
from .figure import GO, STOP
from .landscape import landscape

if TYPE_CHECKING:
    from ..solve.result import Result

MOST_FRAMES = 100
MAP = 61
"""Points along each side of the map."""
_AT_ONCE = {"mode": "immediate", "transition": {"duration": 0}, "frame": {"duration": 0, "redraw": True}}
_PLAY = {"fromcurrent": True, "transition": {"duration": 0}, "frame": {"duration": 700, "redraw": True}}


def explorer(result: Result, a: str | None = None, b: str | None = None) -> Chart:
    """The chart with its frames, over the free parameters `a` and `b`: by default the most correlated two.

    Raises DataError without a step to show, ParameterError for an unknown name.
    """
    trace = steps_of(result)
    scene = landscape(result, a, b, count=MAP)
    view: Any = explorer_map if len(scene.index) == 2 else explorer_line
    still = view.still(result, scene)
    frames = [
        _frame(view.moving(result, scene, int(row)), trace, int(row), len(still))
        for row in telling(len(trace), MOST_FRAMES)
    ]
    axes = view.axes(scene)
    for name, first in frames[0]["layout"].items():
        axes[name] = {**axes.get(name, {}), **first}
    return {
        "data": [*still, *frames[0]["data"]],
        "layout": layout(
            700, sliders=[_slider(frames)], updatemenus=[_buttons()],
            margin={"l": 80, "r": 25, "t": 135, "b": 40}, **axes,
        ),
        "frames": frames,
    }  # fmt: skip


def _frame(moving: tuple[list[Chart], Chart], trace: Any, row: int, first: int) -> Chart:
    data, axes = moving
    place = {"x": 0.01, "xanchor": "left", "y": 0.975, "yanchor": "top", "font": {"size": 14}}
    title = {"text": caption(trace, row), **place}
    traces = list(range(first, first + len(data)))
    return {"name": str(row + 1), "data": data, "traces": traces, "layout": {"title": title, **axes}}


def _slider(frames: list[Chart]) -> Chart:
    steps = [{"label": f["name"], "method": "animate", "args": [[f["name"]], _AT_ONCE]} for f in frames]
    current = {"prefix": "trial step ", "font": {"size": 14}}
    place = {"x": 0.17, "len": 0.83, "y": -0.08, "pad": {"t": 25, "b": 5}}
    return {"active": 0, "steps": steps, "currentvalue": current, **place}


def _buttons() -> Chart:
    buttons = [
        {"label": "▶ play", "method": "animate", "args": [None, _PLAY]},
        {"label": "❚❚ pause", "method": "animate", "args": [[None], _AT_ONCE]},
    ]
    place = {"x": 0, "xanchor": "left", "y": -0.155, "yanchor": "top"}
    return {"type": "buttons", "direction": "left", "showactive": False, "buttons": buttons, **place}


def caption(trace: Any, row: int) -> str:
    """What the step did, in two lines."""
    r = trace[row]
    verdict = f"<b style='color:{GO}'>go</b>"
    if not r["accepted"]:
        verdict = f"<b style='color:{STOP}'>stop</b>: {escape(str(r['verdict']))}"
    numbers = (("λ", "damping"), ("Δ", "radius"), ("|D p|", "step"), ("ρ", "gain_ratio"))
    facts = [f"{name} = {float(r[field]):.3g}" for name, field in numbers if np.isfinite(r[field])]
    if not np.isfinite(r["radius"]) and r["damping"] == 0:  # a method without either
        facts = facts[1:]
    cost = f"cost {float(r['cost']):.6g}"
    if np.isfinite(r["trial_cost"]):
        cost += f" → {float(r['trial_cost']):.6g}"
    place = f"Step {row + 1} of {len(trace)}, Jacobian {int(r['iteration'])}"
    return f"{place}, {escape(str(r['model']))} model: {verdict}<br>{'   '.join([*facts, cost])}"
