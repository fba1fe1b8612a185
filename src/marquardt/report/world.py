"""A world before and after a solution, as one web page to turn around: points, cameras, linked poses.

The page works offline: the data are inside as 32-bit floats, and a script of its own draws them on a canvas.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError

Array = NDArray[np.float64]
MOST_POINTS = 300_000
"""More are thinned out evenly: 27 bytes of the page are one point."""
_RAMP = [[58.0, 100, 196], [30, 150, 178], [86, 170, 95], [216, 172, 60], [222, 110, 80]]
_HERE = Path(__file__)


@dataclass(frozen=True, eq=False)
class World:
    """What is shown, each thing before and after."""

    title: str
    points: tuple[Array, Array]
    """(m, 3); or the places of poses"""
    centers: tuple[Array, Array] = (np.zeros((0, 3)), np.zeros((0, 3)))
    """(n, 3) of the cameras"""
    axes: tuple[Array, Array] = (np.zeros((0, 3, 3)), np.zeros((0, 3, 3)))
    """(n, 3, 3) columns: where a camera's right, its down, and its line of sight point in the world"""
    colors: NDArray[np.uint8] | None = None
    """(m, 3) of the points; by height where there are none"""
    links: NDArray[np.intp] | None = None
    """(k, 2) points that are joined; those of neighbors are the trajectory"""
    up: Array | None = None
    """(3,) by default where most cameras have their upper side"""
    facts: Mapping[str, str] = field(default_factory=dict)
    """What stands in the corner"""
    names: Sequence[str] = ("camera", "point")
    """What a camera and a point are called"""


def page(world: World) -> str:
    """The page. Raises DataError where there is nothing to show."""
    style, script = (_HERE.with_suffix(kind).read_text(encoding="utf-8") for kind in (".css", ".js"))
    data = json.dumps(_data(world), allow_nan=False, separators=(",", ":"))
    facts = "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in world.facts.items())
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>{escape(world.title)}</title><style>{style}</style></head><body>"
        "<canvas id='canvas' tabindex='0' aria-label='the world in three dimensions'></canvas>"
        f"<div id='facts' class='panel'><h1>{escape(world.title)}</h1><dl>{facts}</dl></div>{_CONTROLS}"
        f"<script id='world' type='application/json'>{data.replace('<', chr(92) + 'u003c')}</script>"
        f"<script>{script}</script></body></html>\n"
    )


_CONTROLS = """
<div id='help'>drag: turn · shift or right drag: move · wheel: zoom<br>
double click: center · space: before and after</div>
<div id='bar' class='panel'>
<button id='before'>before</button>
<input id='time' type='range' min='0' max='1' step='0.01' value='1' aria-label='from before to after'>
<button id='after'>after</button>
<label><input id='ghost' type='checkbox'>both</label>
<label><input id='points' type='checkbox'>points</label>
<label><input id='cameras' type='checkbox'>cameras</label>
<label><input id='links' type='checkbox'>links</label>
<label>size <input id='size' type='range' min='1' max='6' step='0.5' value='2'></label>
<label><input id='spin' type='checkbox'>spin</label>
<button id='reset'>reset</button>
<button id='theme' title='light or dark'>theme</button> <button id='save'>save PNG</button>
</div><div id='label' class='panel'></div>
"""


def _data(world: World) -> dict[str, Any]:
    shown = _thinned(world)
    points = tuple(np.asarray(side, dtype=np.float64)[shown] for side in world.points)
    turn, flat = _upright(world, points[1])
    middle, radius = _frame(points[1], world.centers[1], world.links is not None)

    def own(x: Array) -> Array:
        return np.asarray((x - middle) @ turn.T / radius)

    axes = [np.einsum("ab,nbc->nac", turn, side) for side in world.axes]
    heights = own(points[1])[:, 2]
    chain = 0
    links = np.zeros((0, 2), dtype=np.intp) if world.links is None else world.links
    if len(links):
        near = np.abs(np.diff(links, axis=1)[:, 0]) == 1
        links, chain = np.vstack([links[near], links[~near]]), int(near.sum())
        heights = np.arange(len(heights), dtype=float)  # along the way
    sight = axes[1][:, :, 2].mean(axis=0) if len(axes[1]) else np.zeros(3)
    yaw = float(np.arctan2(-sight[1], -sight[0])) if np.hypot(*sight[:2]) > 0.2 else -1.1
    return {
        "points": [_floats(own(side)) for side in points],
        "cameras": [_floats(own(side)) for side in world.centers],
        "axes": [_floats(side) for side in axes],
        "colors": _packed(_colors(heights) if world.colors is None else world.colors[shown], np.uint8),
        "links": _packed(links, np.dtype("<u4")),
        "chain": chain,
        "yaw": yaw,
        "pitch": 1.2 if flat else 0.4,
        "camera_size": _camera_size(own(world.centers[1])),
        "camera_name": world.names[0],
        "point_name": world.names[1],
    }


def _thinned(world: World) -> NDArray[np.intp]:
    """Which points are shown: the finite ones, every k-th of too many; all where they are linked."""
    points = np.asarray(world.points[1])
    if world.links is not None:
        return np.arange(len(points))
    finite = np.flatnonzero(np.isfinite(points).all(axis=1))
    return finite[:: -(-len(finite) // MOST_POINTS) or 1]


def _upright(world: World, points: Array) -> tuple[Array, bool]:
    """The rotation that turns `up` to z, and whether the world is flat."""
    flat = bool(len(points) and (points[:, 2] == points[0, 2]).all())
    up = world.up
    if up is None and len(world.axes[1]):
        up = -world.axes[1][:, :, 1].mean(axis=0)
    if up is None or flat or not np.linalg.norm(up) > 0.1:
        return np.eye(3), flat
    z = up / np.linalg.norm(up)
    x = np.cross(np.eye(3)[int(np.argmin(np.abs(z)))], z)
    x /= np.linalg.norm(x)
    return np.stack([x, np.cross(z, x), z]), flat


def _frame(points: Array, centers: Array, way: bool) -> tuple[Array, float]:
    """Middle and size of what is seen at first: between points and cameras, without the points far out."""
    sides = [side[np.isfinite(side).all(axis=1)] for side in (points, centers)]
    sides = [side for side in sides if len(side)]
    if not sides:
        raise DataError("there is nothing to show: no point and no camera is finite")
    middle = np.mean([np.median(side, axis=0) for side in sides], axis=0)
    # Of a cloud a few points lie far out; of a way none is left out.
    part = 99 if way else 85
    radius = max(float(np.percentile(np.linalg.norm(side - middle, axis=1), part)) for side in sides)
    return middle, radius or 1.0


def _camera_size(centers: Array) -> float:
    """So that neighbors do not hide each other."""
    if len(centers) < 2:
        return 0.06
    apart = np.linalg.norm(np.diff(centers, axis=0), axis=1)
    return float(np.clip(0.7 * np.median(apart), 0.01, 0.08))


def _colors(values: Array) -> NDArray[np.uint8]:
    """From blue to red, at home on light and on dark."""
    known = values[np.isfinite(values)]
    low, high = np.percentile(known, [2, 98]) if known.size else (0.0, 1.0)
    part = np.clip((np.nan_to_num(values) - low) / ((high - low) or 1.0), 0.0, 1.0) * (len(_RAMP) - 1)
    mixed = [np.interp(part, np.arange(len(_RAMP)), np.array(_RAMP)[:, c]) for c in range(3)]
    return np.stack(mixed, axis=-1).astype(np.uint8)


def _floats(values: Array) -> str:
    with np.errstate(over="ignore"):
        return _packed(values, np.dtype("<f4"))


def _packed(values: Any, kind: Any) -> str:
    return base64.b64encode(np.ascontiguousarray(values, dtype=kind).tobytes()).decode()
