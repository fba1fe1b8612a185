"""Clouds of points as PLY files (Turk 1994), which MeshLab, CloudCompare and Blender open."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError

_HEADER = """\
ply
format binary_little_endian 1.0
element vertex {count}
property double x
property double y
property double z
property uchar red
property uchar green
property uchar blue
end_header
"""
_VERTEX = np.dtype([("place", "<f8", 3), ("color", "u1", 3)])


def write_ply(path: str | Path, points: Any, colors: Any = (200, 200, 200)) -> None:
    """Write points (n, 3) with colors (n, 3), red, green and blue from 0 to 255, or one for all.

    Binary, with all digits. Points that are not finite are left out.

    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile(suffix=".ply") as file:
    ...     write_ply(file.name, [[0.0, 0.0, 1.0]], colors=(255, 0, 0))
    ...     content = file.read()
    >>> content[:3], len(content.split(b"end_header\\n")[1])
    (b'ply', 27)
    """
    place = np.asarray(points, dtype=np.float64)
    if place.ndim != 2 or place.shape[1] != 3:
        raise DataError(f"points are (n, 3), not {place.shape}")
    color = np.asarray(colors)
    if color.shape not in ((3,), place.shape) or (color < 0).any() or (color > 255).any():
        raise DataError(f"colors are (3,) or {place.shape}, from 0 to 255, not {color.shape}")
    vertices = np.empty(len(place), _VERTEX)
    vertices["place"], vertices["color"] = place, color
    vertices = vertices[np.isfinite(place).all(axis=1)]
    with open(path, "wb") as file:
        file.write(_HEADER.format(count=len(vertices)).encode())
        file.write(vertices.tobytes())
