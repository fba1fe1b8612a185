"""Camera models as plain NumPy functions: a point in the frame of the camera to the image, (..., 2).

All but `bal` look along positive z, with x to the right and y down, as OpenCV's do. Focal lengths and centers
are in pixels, distortions have no unit. To be combined with `rotations.rotate`:

>>> import numpy as np
>>> def reprojection(camera, point, observed):
...     return bal(camera[6:], rotate(camera[:3], point) + camera[3:6]) - observed
>>> camera = np.array([0.0, 0.0, 0.0, 0.0, 0.0, -4.0, 500.0, 0.0, 0.0])
>>> reprojection(camera, np.array([0.4, 0.2, 0.0]), np.array([50.0, 25.0])).tolist()
[0.0, 0.0]
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .rotations import rotate as rotate


def _normal(P: Any) -> tuple[Any, Any]:
    return P[..., 0] / P[..., 2], P[..., 1] / P[..., 2]


def bal(intrinsics: Any, P: Any) -> Any:
    """Focal length f and radial k1, k2, looking along *negative* z, the center of the image at (0, 0).

    ``f (1 + k1 r² + k2 r⁴) p`` with ``p = -(x, y)/z``: the camera of Agarwal et al. (2010).
    """
    x, y = _normal(P)
    r2 = x * x + y * y
    scale = -intrinsics[..., 0] * (1.0 + r2 * (intrinsics[..., 1] + intrinsics[..., 2] * r2))
    return np.stack([scale * x, scale * y], axis=-1)


def pinhole(intrinsics: Any, P: Any) -> Any:
    """Focal lengths and center ``fx, fy, cx, cy``, no distortion."""
    x, y = _normal(P)
    return _in_pixels(intrinsics, x, y)


def radial(intrinsics: Any, P: Any) -> Any:
    """One focal length, the center and two radial distortions, ``f, cx, cy, k1, k2`` (COLMAP's RADIAL)."""
    x, y = _normal(P)
    r2 = x * x + y * y
    scale = intrinsics[..., 0] * (1.0 + r2 * (intrinsics[..., 3] + intrinsics[..., 4] * r2))
    return np.stack([scale * x + intrinsics[..., 1], scale * y + intrinsics[..., 2]], axis=-1)


def opencv(intrinsics: Any, P: Any) -> Any:
    """``fx, fy, cx, cy, k1, k2, p1, p2, k3``: three radial and two tangential distortions (Brown 1966), with
    the signs of OpenCV's ``projectPoints``."""
    k1, k2, p1, p2, k3 = (intrinsics[..., j] for j in range(4, 9))
    x, y = _normal(P)
    r2 = x * x + y * y
    scale = 1.0 + r2 * (k1 + r2 * (k2 + r2 * k3))
    dx = 2.0 * p1 * x * y + p2 * (r2 + 2.0 * x * x)
    dy = p1 * (r2 + 2.0 * y * y) + 2.0 * p2 * x * y
    return _in_pixels(intrinsics, scale * x + dx, scale * y + dy)


def fisheye(intrinsics: Any, P: Any) -> Any:
    """``fx, fy, cx, cy, k1, k2, k3, k4``: the image grows with the angle from the axis, as
    ``θ (1 + k1 θ² + ...)`` (Kannala, Brandt 2006), like OpenCV's ``fisheye``. Points beside and behind the
    camera have an image, too."""
    k1, k2, k3, k4 = (intrinsics[..., j] for j in range(4, 8))
    square = P[..., 0] * P[..., 0] + P[..., 1] * P[..., 1]
    on_axis = square < 1e-16 * P[..., 2] * P[..., 2]
    r = np.sqrt(np.where(on_axis, 1.0, square))
    angle = np.where(on_axis, 0.0, np.arctan2(r, P[..., 2]))
    t2 = angle * angle
    far = angle * (1.0 + t2 * (k1 + t2 * (k2 + t2 * (k3 + t2 * k4)))) / r
    scale = np.where(on_axis, 1.0 / np.where(on_axis, P[..., 2], 1.0), far)
    return _in_pixels(intrinsics, scale * P[..., 0], scale * P[..., 1])


def _in_pixels(intrinsics: Any, x: Any, y: Any) -> Any:
    u = intrinsics[..., 0] * x + intrinsics[..., 2]
    v = intrinsics[..., 1] * y + intrinsics[..., 3]
    return np.stack([u, v], axis=-1)
