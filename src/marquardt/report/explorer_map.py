"""The explorer over two parameters.

Left the map: contours of the cost, the way so far, the region and the step. Right the step under the lens:
the cost around the point, the hiker's and the sprinter's step, the curve δ(λ) between them, the trust
region, the step taken or refused. The lens measures lengths as the method does, by D: there a region is
round. With more than two parameters the lens holds the others at the current point, and steps and region
are seen as their shadow on the two shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .charts import Chart, axis, dots, line, numbers, whole
from .dance import Moves, moves, path, ring, telling
from .figure import GO, INK, STOP
from .landscape import Landscape, cost_at, lighter, section
from .plot_landscape import levels

if TYPE_CHECKING:
    from ..solve.result import Result

Vector = NDArray[np.float64]

LENS, WAY_POINTS = 25, 60
"""Points along each side of the close-up, and of the way so far."""
FAR = 3.0
"""A sprinter's step longer than so many times all else leaves the picture."""
SEA = [[0, "#1f4e79"], [0.25, "#4f86b8"], [0.6, "#a9c9e4"], [1, "#f2f7fb"]]
SPRINTER, HIKER, BETWEEN, REGION, WAY = "#8e44ad", "#d35400", "#111111", "#17a589", "#f39c12"
POINT = {"color": "white", "size": 10, "line": {"color": INK, "width": 2}}
_CONTOUR = {
    "type": "contour", "colorscale": SEA, "showscale": False, "hoverinfo": "skip",
    "line": {"width": 0.6, "color": "white"},
}  # fmt: skip


@dataclass(frozen=True)
class Lens:
    """One step under the lens: all in steps from the point, in the two parameters shown."""

    point: Vector
    """All free parameters."""
    step: Vector
    moves: Moves
    D: Vector
    radius: float
    """Of the region: the method's own, or |D p| where λ alone rules; NaN where neither does."""
    own: bool
    reach: float
    """Half the side of the close-up, in units of ``D v``."""

    @property
    def half(self) -> Vector:
        return self.reach / self.D


def still(result: Result, scene: Landscape) -> list[Chart]:
    """What every frame shows: contours, the whole way, the end."""
    i, j = scene.index
    way = path(result.trace)
    steps = levels(scene)
    height = np.log10(np.maximum(scene.excess, 10 ** (steps[0] - 1)))
    low, high = float(steps[0]), float(steps[-1])
    bands = {"start": low, "end": high, "size": float(steps[1] - steps[0])}
    x, y = (numbers(side) for side in scene.axes)
    contour = {
        **_CONTOUR,
        "x": x,
        "y": y,
        "z": numbers(height, 4),
        "contours": bands,
        "zmin": low,
        "zmax": high,
    }
    faint = line(way[:, i], way[:, j], "the whole way", WAY, opacity=0.55, line={"width": 1})
    end = dots(scene.end[[i]], scene.end[[j]], "end", GO, "star", 14)
    end["marker"]["line"] = {"color": "white", "width": 1}
    return [contour, faint, end]


def moving(result: Result, scene: Landscape, row: int) -> tuple[list[Chart], Chart]:
    """The parts of one step on both sides, and the limits of the close-up."""
    lens = look(result.trace, scene.index, row)
    limits = {
        f"{name}axis2": {"range": numbers(np.array([-h, h]))} for name, h in zip("xy", lens.half, strict=True)
    }
    near = _under_lens(result, scene, row, lens)
    return [*_on_map(result, scene, row, lens), *({**p, "xaxis": "x2", "yaxis": "y2"} for p in near)], limits


def axes(scene: Landscape) -> Chart:
    """The four axes."""
    x, y = scene.labels
    left, upright = (numbers(side[[0, -1]]) for side in scene.axes)
    return {
        "xaxis": axis(x, domain=[0, 0.46], range=left),
        "yaxis": axis(y, range=upright),
        "xaxis2": axis(f"step in {x}", domain=[0.55, 1], anchor="y2"),
        "yaxis2": axis(f"step in {y}", anchor="x2"),
    }


def look(trace: Any, pair: tuple[int, ...], row: int) -> Lens:
    """The geometry of one step, seen in the two parameters shown."""
    g, two = trace.geometry(row), list(pair)
    every = moves(g.R, g.z, g.D)
    seen = Moves(every.gauss_newton[two], every.cauchy[two], every.curve[:, two])
    D = np.where(np.isfinite(g.D) & (g.D > 0), g.D, 1.0)[two]
    step = np.nan_to_num(np.asarray(g.p, dtype=float))[two]
    own = bool(np.isfinite(g.radius) and g.radius > 0)
    implied = float(trace["step"][row]) if np.isfinite(g.damping) and g.damping > 0 else np.nan
    radius = g.radius if own else implied
    near, sprint = (
        max(float(np.linalg.norm(D * v)) for v in (step, seen.cauchy)),
        float(np.linalg.norm(D * seen.gauss_newton)),
    )
    for other in (radius, sprint):
        if np.isfinite(other) and other < FAR * near:
            near = max(near, other)
    return Lens(np.asarray(g.x, dtype=float), step, seen, D, radius, own, 1.2 * max(near, 1e-300))


def _on_map(result: Result, scene: Landscape, row: int, lens: Lens) -> list[Chart]:
    i, j = scene.index
    way = np.vstack([path(result.trace[:row]), lens.point]) if row else lens.point[None, :]
    way = way[telling(len(way), WAY_POINTS)]
    at = lens.point[[i, j]]
    edge, tried = ring(at, lens.radius, lens.D), np.array([at, at + lens.step])
    color = GO if result.trace["accepted"][row] else STOP
    return [
        line(way[:, i], way[:, j], "the way so far", WAY, mode="lines+markers", marker={"size": 5}),
        line(edge[:, 0], edge[:, 1], "region", REGION, showlegend=False, hoverinfo="skip"),
        line(tried[:, 0], tried[:, 1], "step", color, showlegend=False, line={"width": 3}),
        dots(at[:1], at[1:], "current point", "white", marker=POINT),
    ]


def _under_lens(result: Result, scene: Landscape, row: int, lens: Lens) -> list[Chart]:
    go = bool(result.trace["accepted"][row])
    edge, curve = ring(np.zeros(2), lens.radius, lens.D), lens.moves.curve
    region = "trust region |D v| ≤ Δ" if lens.own else "region that λ stands for"
    dash = {"dash": "solid" if lens.own else "dash"}
    return [
        _close_up(result, scene, lens),
        line(
            edge[:, 0],
            edge[:, 1],
            region,
            REGION,
            line=dash,
            hoverinfo="skip",
            visible=bool(np.isfinite(lens.radius)),
        ),
        line(curve[:, 0], curve[:, 1], "δ(λ) between them", BETWEEN, line={"dash": "dash"}),
        _arrow(lens.moves.cauchy, "hiker (steepest descent)", HIKER),
        _arrow(lens.moves.gauss_newton, "sprinter (Gauss-Newton)", SPRINTER),
        _arrow(lens.step, "step taken" if go else "step refused", GO if go else STOP, 4),
        dots([0.0], [0.0], "current point", "white", marker=POINT, showlegend=False),
    ]


def _arrow(v: Vector, name: str, color: str, width: int = 2) -> Chart:
    head = {"symbol": ["circle", "arrow"], "size": [0.1, 13], "angleref": "previous", "color": color}
    x, y = ([0.0, float(end)] for end in v)
    return line(x, y, name, color, mode="lines+markers", marker=head, line={"width": width})


def _close_up(result: Result, scene: Landscape, lens: Lens) -> Chart:
    """The cost around the point: square roots of its excess, which for a parabola are evenly spaced rings."""
    offsets = [np.linspace(-h, h, LENS) for h in lens.half]
    sides = tuple(lens.point[i] + o for i, o in zip(scene.index, offsets, strict=True))
    cost = section(partial(cost_at, lighter(result._outcome.problem)[0]), lens.point, scene.index, sides)
    known = cost[np.isfinite(cost)]
    above = cost - known.min(initial=np.inf if known.size else 0.0)
    here = float(np.nan_to_num(above[LENS // 2, LENS // 2]))
    top = max(4 * here, float(np.median(above[np.isfinite(above)])) if known.size else 0.0) or 1.0
    height = np.rint(1000 * np.sqrt(np.clip(above / top, 0.0, 1.0)))  # whole numbers are short
    x, y = (numbers(side) for side in offsets)
    bands = {"start": 60, "end": 980, "size": 80}
    return {**_CONTOUR, "x": x, "y": y, "z": whole(height), "contours": bands, "zmin": 0, "zmax": 1000}
