"""Rotations as plain NumPy functions: traced and differentiated exactly, or called with arrays.

A rotation vector w turns by the angle |w| about its own direction; a quaternion is ``(x, y, z, w)``, its
scalar last, of length 1. The last axis holds the components, so that one call serves one rotation or many.
"""

from __future__ import annotations

from typing import Any

import numpy as np

_SERIES = 1.0
"""Squared angles below this are served by series: beyond, neither closed form nor its slope loses digits."""


def _polynomial(z: Any, first: int) -> Any:
    """``Σ (-z)^k / (2k + first)!``, exact to rounding for ``0 <= z < 1``."""
    total: Any = 0.0
    for k in range(8, 0, -1):
        total = (1.0 + total) * (-z / ((2 * k + first) * (2 * k + first - 1)))
    return (1.0 + total) / (1.0 if first < 2 else 2.0 if first == 2 else 6.0)


def sin_ratio(z: Any) -> Any:
    """``sin √z / √z``, smooth at 0 (a Stumpff function); z is a squared angle, not below 0."""
    far = np.where(z < _SERIES, 1.0, z)
    angle = np.sqrt(far)
    return np.where(z < _SERIES, _polynomial(z, 1), np.sin(angle) / angle)


def cos_ratio(z: Any) -> Any:
    """``(1 - cos √z) / z``, smooth at 0 (a Stumpff function)."""
    far = np.where(z < _SERIES, 1.0, z)
    half = np.sin(0.5 * np.sqrt(far))
    return np.where(z < _SERIES, _polynomial(z, 2), 2.0 * half * half / far)


def cross(a: Any, b: Any) -> Any:
    """The cross product over the last axis."""
    a0, a1, a2 = a[..., 0], a[..., 1], a[..., 2]
    b0, b1, b2 = b[..., 0], b[..., 1], b[..., 2]
    return np.stack([a1 * b2 - a2 * b1, a2 * b0 - a0 * b2, a0 * b1 - a1 * b0], axis=-1)


def rotate(w: Any, point: Any) -> Any:
    """A point turned by a rotation vector: ``X + S w×X + C w×(w×X)`` (Rodrigues 1840), (..., 3).

    S and C are `sin_ratio` and `cos_ratio` of |w|², so that no rotation, and one by a tiny angle, is as exact
    as any, its derivatives included.

    >>> rotate(np.array([0.0, 0.0, np.pi / 2]), np.array([1.0, 0.0, 0.0])).round(15)
    array([0., 1., 0.])
    """
    z = w[..., 0] * w[..., 0] + w[..., 1] * w[..., 1] + w[..., 2] * w[..., 2]
    turned = cross(w, point)
    return point + sin_ratio(z)[..., None] * turned + cos_ratio(z)[..., None] * cross(w, turned)


def rotate_by_quaternion(q: Any, point: Any) -> Any:
    """A point turned by a quaternion (x, y, z, w) of length 1, (..., 3): ``X + 2 v×(v×X + w X)``."""
    v, w = q[..., :3], q[..., 3][..., None]
    return point + 2.0 * cross(v, cross(v, point) + w * point)


def quaternion_product(p: Any, q: Any) -> Any:
    """The quaternion that turns by q first, then by p (Hamilton's product), (..., 4)."""
    a, b = p[..., :3], q[..., :3]
    s, t = p[..., 3][..., None], q[..., 3][..., None]
    scalar = p[..., 3] * q[..., 3] - (a[..., 0] * b[..., 0] + a[..., 1] * b[..., 1] + a[..., 2] * b[..., 2])
    return np.concatenate([s * b + t * a + cross(a, b), scalar[..., None]], axis=-1)


def inverse_quaternion(q: Any) -> Any:
    """The quaternion that turns back."""
    return np.concatenate([-q[..., :3], q[..., 3:]], axis=-1)


def quaternion_of(w: Any) -> Any:
    """The quaternion of a rotation vector, (..., 4): ``(w sin(θ/2)/θ, cos(θ/2))``, smooth at 0."""
    z = 0.25 * (w[..., 0] * w[..., 0] + w[..., 1] * w[..., 1] + w[..., 2] * w[..., 2])
    scalar = 1.0 - z * cos_ratio(z)
    return np.concatenate([0.5 * sin_ratio(z)[..., None] * w, scalar[..., None]], axis=-1)


def rotation_vector_of(q: Any) -> Any:
    """The rotation vector of a quaternion of length 1, (..., 3), of an angle of at most pi.

    ``q`` and ``-q`` are the same rotation. The angle is ``2 arctan2(|v|, w)``, exact for all of them.
    """
    s = np.where(q[..., 3] < 0.0, -1.0, 1.0)
    v, w = q[..., :3] * s[..., None], q[..., 3] * s
    square = v[..., 0] * v[..., 0] + v[..., 1] * v[..., 1] + v[..., 2] * v[..., 2]
    tiny = square < 1e-8  # beside it arctan(t)/t = 1 - t²/3 is exact to 3e-17
    length = np.sqrt(np.where(tiny, 1.0, square))
    near = (1.0 - square / (3.0 * w * w)) / np.where(tiny, w, 1.0)
    return 2.0 * np.where(tiny, near, np.arctan2(length, w) / length)[..., None] * v


def matrix_of(w: Any) -> Any:
    """The rotation matrix of a rotation vector, (..., 3, 3)."""
    columns = [rotate(w, np.broadcast_to(np.eye(3)[k], np.shape(w))) for k in range(3)]
    return np.stack(columns, axis=-1)


def quaternion_of_matrix(R: Any) -> Any:
    """The quaternion of a rotation matrix (..., 3, 3), of numbers only, with a scalar of at least 0.

    By its largest component (Shepperd 1978).
    """
    R = np.asarray(R, dtype=np.float64)
    d = np.stack([R[..., 0, 0], R[..., 1, 1], R[..., 2, 2]], axis=-1)
    trace = d.sum(axis=-1)
    squares = np.concatenate([1.0 + 2.0 * d - trace[..., None], 1.0 + trace[..., None]], axis=-1)
    a = [R[..., 2, 1] - R[..., 1, 2], R[..., 0, 2] - R[..., 2, 0], R[..., 1, 0] - R[..., 0, 1]]
    b = [R[..., 1, 2] + R[..., 2, 1], R[..., 0, 2] + R[..., 2, 0], R[..., 0, 1] + R[..., 1, 0]]
    rows = [
        [squares[..., 0], b[2], b[1], a[0]],
        [b[2], squares[..., 1], b[0], a[1]],
        [b[1], b[0], squares[..., 2], a[2]],
        [a[0], a[1], a[2], squares[..., 3]],
    ]
    all_rows = np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)
    best = squares.argmax(axis=-1)[..., None, None]
    q = np.take_along_axis(all_rows, best, axis=-2)[..., 0, :]
    q = q / np.linalg.norm(q, axis=-1, keepdims=True)
    return np.where(q[..., 3:] < 0.0, -q, q)
