"""A world as a web page that works offline: 32-bit floats, drawn on a canvas by a script of its own."""

from __future__ import annotations

import base64
import json
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .world import Placed, World, camera_size, place

Array = NDArray[np.float64]
MOST_POINTS = 300_000
"""More are thinned out: a point is 36 bytes of the page."""
_HERE = Path(__file__)


def page(world: World) -> str:
    """The page. Raises DataError where there is nothing to show."""
    style, script = (_HERE.with_name(f"world.{kind}").read_text(encoding="utf-8") for kind in ("css", "js"))
    data = json.dumps(_data(world, place(world, MOST_POINTS)), allow_nan=False, separators=(",", ":"))
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


def _data(world: World, seen: Placed) -> dict[str, Any]:
    return {
        "points": [_floats(side) for side in seen.points],
        "cameras": [_floats(side) for side in seen.centers],
        "axes": [_floats(side) for side in seen.axes],
        "colors": _packed(seen.colors, np.uint8),
        "links": _packed(np.vstack([seen.chain, seen.closures]), np.dtype("<u4")),
        "chain": len(seen.chain),
        "yaw": seen.yaw,
        "pitch": 1.2 if seen.flat else 0.4,
        "camera_size": camera_size(seen.centers[1]),
        "camera_name": world.names[0],
        "point_name": world.names[1],
    }


def _floats(values: Array) -> str:
    with np.errstate(over="ignore"):
        return _packed(values, np.dtype("<f4"))


def _packed(values: Any, kind: Any) -> str:
    return base64.b64encode(np.ascontiguousarray(values, dtype=kind).tobytes()).decode()
