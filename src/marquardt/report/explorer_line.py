"""The explorer of a problem with one parameter: the cost curve, and the parabola each step believes in."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .charts import Chart, axis, dots, line, numbers
from .dance import moves
from .explorer_map import FAR, POINT, REGION
from .figure import ACCENT, CALM, GO, STOP
from .landscape import Landscape, cost_at, section

if TYPE_CHECKING:
    from ..solve.result import Result

Vector = NDArray[np.float64]

FINE = 121


def still(result: Result, scene: Landscape) -> list[Chart]:
    """What every frame shows: the cost curve and the end."""
    cost = np.array([scene.end_cost])
    return [line(scene.axes[0], scene.cost, "cost", ACCENT), dots(scene.end, cost, "end", GO, "star", 14)]


def moving(result: Result, scene: Landscape, row: int) -> tuple[list[Chart], Chart]:
    """The parts of one step on both sides, and the limits of the close-up."""
    g, r = result.trace.geometry(row), result.trace[row]
    x, p, R, z, here = float(g.x[0]), float(g.p[0]), float(g.R[0, 0]), float(g.z[0]), float(r["cost"])
    sprint = abs(float(moves(g.R, g.z, g.D).gauss_newton[0]))
    reach = 1.3 * max(abs(p), sprint if sprint < FAR * abs(p) else 0.0, 1e-15 * abs(x), 1e-300)
    v = np.linspace(-reach, reach, FINE)
    cost = section(partial(cost_at, result._outcome.problem), np.asarray(g.x), (0,), (x + v,))
    mark = (GO, "circle") if r["accepted"] else (STOP, "x")
    tried = [float(r["trial_cost"])]
    left = [
        dots([x], [here], "current point", "white", marker=POINT),
        dots([x + p], tried, "trial", *mark, 10),
    ]
    right = [
        line(v, cost, "cost", ACCENT, showlegend=False),
        line(
            v,
            here + z * R * v + 0.5 * (R * v) ** 2,
            "what Gauss-Newton believes",
            CALM,
            line={"dash": "dash"},
        ),
        _region(g.radius / float(g.D[0]), cost, here),
        dots([0.0], [here], "current point", "white", marker=POINT, showlegend=False),
        dots([p], tried, "trial", *mark, 10, showlegend=False),
    ]
    limits = {"xaxis2": {"range": numbers([-reach, reach])}}
    return [*left, *({**part, "xaxis": "x2", "yaxis": "y2"} for part in right)], limits


def _region(radius: float, cost: Vector, here: float) -> Chart:
    """The trust region between two upright lines; nothing where it has no end."""
    known = np.append(cost[np.isfinite(cost)], here)
    low, high = float(known.min()), float(known.max())
    y = [low, high, np.nan, low, high]
    return line(
        [-radius, -radius, np.nan, radius, radius], y, "trust region |D v| ≤ Δ", REGION, hoverinfo="skip"
    )


def axes(scene: Landscape) -> Chart:
    """The four axes: the curve left, the close-up right."""
    name = scene.labels[0]
    return {
        "xaxis": axis(name, domain=[0, 0.45], range=numbers(scene.axes[0][[0, -1]])),
        "yaxis": axis("cost ½ Σ r²"),
        "xaxis2": axis(f"step in {name}", domain=[0.56, 1], anchor="y2"),
        "yaxis2": axis("cost ½ Σ r²", anchor="x2"),
    }
