"""Manifolds: where variables live whose components are not free, and how they move.

A manifold is two plain NumPy functions over the last axis: ``retract(x, d)`` moves x, (..., ambient), by a
tangent d, (..., tangent), and ``local(x, y)`` is the tangent that leads from x to y. Rotations move in their
own frame: ``q * exp(d)``. Poses hold the translation first, then the quaternion (x, y, z, w), as in g2o.

>>> import numpy as np
>>> x = np.array([1.0, 2.0, np.pi / 2])
>>> SE2.retract(x, np.array([0.5, 0.0, 0.0])).round(12).tolist()[:2]
[1.0, 2.5]
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ParameterError, suggestion
from ...geometry.rotations import (
    cos_ratio,
    inverse_quaternion,
    quaternion_of,
    quaternion_product,
    rotate_by_quaternion,
    rotation_vector_of,
    sin_ratio,
)

Move = Callable[[Any, Any], Any]
Values = NDArray[np.float64]


@dataclass(frozen=True)
class Manifold:
    """A manifold by its own functions: ``Manifold(retract, local, tangent)``.

    ``retract(x, 0) == x`` and ``local(x, retract(x, d)) == d`` for small d. Written over the last axis
    (``x[..., 0]``), they serve one point and many, and are traced where they can be.

    >>> circle = Manifold(lambda x, d: x + d, lambda x, y: y - x, tangent=1, name="angle")
    >>> circle.tangent
    1
    """

    retract: Move
    local: Move
    tangent: int
    """Components of a step."""
    ambient: int | None = None
    """Components of a value; None: as many as the values given have."""
    name: str = "own manifold"
    units: tuple[tuple[int, int], ...] = ()
    """Which components, first and behind the last, are vectors of length 1: they are kept so."""
    angles: tuple[int, ...] = ()
    """Which components are angles: they are kept within pi of zero."""
    positive: tuple[int, ...] = ()
    """Which components must be above 0."""
    flat: bool = field(default=False, kw_only=True)
    """Is a step simply added?"""

    def project(self, x: Values) -> Values:
        """Values brought back to the manifold where rounding has led away from it."""
        if not self.units and not self.angles:
            return x
        x = np.array(x, dtype=np.float64)
        for first, end in self.units:
            part = x[..., first:end]
            part /= np.sqrt((part * part).sum(axis=-1, keepdims=True))
        for k in self.angles:
            x[..., k] = wrapped(x[..., k])
        return x

    def sized(self, ambient: int) -> Manifold:
        """The same for values of so many components. Raises ParameterError where they do not fit."""
        if self.ambient is None:
            return replace(self, ambient=ambient)
        if self.ambient != ambient:
            raise ParameterError(
                f"{self.name} needs values of {self.ambient} components, these have {ambient}"
            )
        return self


def wrapped(angle: Any) -> Any:
    """The same angle within pi of zero; one that is stays as it is."""
    inside = np.abs(angle) <= np.pi
    if inside.all():
        return angle
    turns = np.round(np.asarray(angle) / (2.0 * np.pi))
    return np.where(inside, angle, angle - 2.0 * np.pi * turns)


def _smaller_turn(angle: Any) -> Any:
    return np.where(np.abs(angle) <= np.pi, angle, np.arctan2(np.sin(angle), np.cos(angle)))


# --------------------------------------------------------------------------------------------- flat ones


@lru_cache(maxsize=64)
def Euclidean(n: int) -> Manifold:
    """n free numbers: a step is added."""
    return Manifold(lambda x, d: x + d, lambda x, y: y - x, n, n, f"Euclidean({n})", flat=True)


SO2 = Manifold(
    lambda x, d: x + d, lambda x, y: _smaller_turn(y - x), 1, 1, "SO2", angles=(0,),
)  # fmt: skip
"""Rotations of the plane: the angle."""


# --------------------------------------------------------------------------------------------- rotations


def _turned_on(q: Any, d: Any) -> Any:
    return quaternion_product(q, quaternion_of(d))


def _turn_between(p: Any, q: Any) -> Any:
    return rotation_vector_of(quaternion_product(inverse_quaternion(p), q))


SO3 = Manifold(_turned_on, _turn_between, 3, 4, "SO3", units=((0, 4),))
"""Rotations of space as quaternions (x, y, z, w) of length 1: ``q exp(d)``."""


def _vector_turned_on(w: Any, d: Any) -> Any:
    return rotation_vector_of(_turned_on(quaternion_of(w), d))


def _vector_turn_between(v: Any, w: Any) -> Any:
    return _turn_between(quaternion_of(v), quaternion_of(w))


RotationVector = Manifold(_vector_turned_on, _vector_turn_between, 3, 3, "RotationVector")
"""Rotations of space as rotation vectors: ``log(exp(w) exp(d))``, an angle of at most pi.

As three free numbers they do as well where no angle comes near 2 pi; here a step means the same at any angle.
"""


# ------------------------------------------------------------------------------------------------- poses


def _plane_turned(angle: Any, v: Any) -> Any:
    c, s = np.cos(angle), np.sin(angle)
    return np.stack([c * v[..., 0] - s * v[..., 1], s * v[..., 0] + c * v[..., 1]], axis=-1)


def _plane_moved(x: Any, d: Any) -> Any:
    t = x[..., :2] + _plane_turned(x[..., 2], d[..., :2])
    return np.concatenate([t, x[..., 2:] + d[..., 2:]], axis=-1)


def _plane_between(x: Any, y: Any) -> Any:
    t = _plane_turned(-x[..., 2], y[..., :2] - x[..., :2])
    return np.concatenate([t, _smaller_turn(y[..., 2:] - x[..., 2:])], axis=-1)


SE2 = Manifold(_plane_moved, _plane_between, 3, 3, "SE2", angles=(2,))
"""Poses in the plane, (x, y, angle): the step is made in their own frame, ``t + R(angle) d``."""


def _moved(x: Any, d: Any) -> Any:
    t = x[..., :3] + rotate_by_quaternion(x[..., 3:7], d[..., :3])
    return np.concatenate([t, _turned_on(x[..., 3:7], d[..., 3:6])], axis=-1)


def _between(x: Any, y: Any) -> Any:
    t = rotate_by_quaternion(inverse_quaternion(x[..., 3:7]), y[..., :3] - x[..., :3])
    return np.concatenate([t, _turn_between(x[..., 3:7], y[..., 3:7])], axis=-1)


SE3 = Manifold(_moved, _between, 6, 7, "SE3", units=((3, 7),))
"""Poses in space, (x, y, z, qx, qy, qz, qw): ``t + R d[:3]``, ``q exp(d[3:])``, the order of g2o files."""


def _scaled(x: Any, d: Any) -> Any:
    return np.concatenate([_moved(x[..., :7], d[..., :6]), x[..., 7:] * np.exp(d[..., 6:])], axis=-1)


def _scaled_between(x: Any, y: Any) -> Any:
    return np.concatenate([_between(x[..., :7], y[..., :7]), np.log(y[..., 7:] / x[..., 7:])], axis=-1)


Sim3 = Manifold(_scaled, _scaled_between, 7, 8, "Sim3", units=((3, 7),), positive=(7,))
"""Similarities, (x, y, z, qx, qy, qz, qw, scale): a pose, and ``scale exp(d[6])``."""


# ------------------------------------------------------------------------------------------------ sphere


def _mirror(x: Any) -> tuple[Any, Any, Any]:
    """The vector x + s e_n, of which the mirror takes -s e_n to x; s; and ``1 + |x_n|``."""
    last = x[..., -1]
    s = np.where(last < 0.0, -1.0, 1.0)
    mirror = np.concatenate([x[..., :-1], (last + s)[..., None]], axis=-1)
    return mirror, s[..., None], (1.0 + np.abs(last))[..., None]


def _sum(x: Any) -> Any:
    total = x[..., 0]
    for k in range(1, x.shape[-1]):
        total = total + x[..., k]
    return total[..., None]


def _along(x: Any, d: Any) -> Any:
    """``cos|d| x + sin|d|/|d| B d``; the columns of B are an orthonormal basis across x, by a mirror."""
    mirror, s, size = _mirror(x)
    zero = np.zeros_like(x[..., :1])
    part = _sum(mirror[..., :-1] * d) / size
    across = -s * (np.concatenate([d, zero], axis=-1) - mirror * part)
    z = _sum(d * d)
    return (1.0 - z * cos_ratio(z)) * x + sin_ratio(z) * across


def _along_between(x: Any, y: Any) -> Any:
    mirror, s, size = _mirror(x)
    across = -s * (y[..., :-1] - mirror[..., :-1] * (_sum(mirror * y) / size))
    square = _sum(across * across)
    cosine = _sum(x * y)
    near = (square < 1e-8) & (cosine > 0.0)
    sine = np.sqrt(np.where(near | (square == 0.0), 1.0, square))
    # Beside x the angle over its sine is 1 + sine²/6, exact to 1e-17.
    ratio = np.where(near, 1.0 + square / 6.0, np.arctan2(sine, cosine) / sine)
    return ratio * across


def Sphere(n: int) -> Manifold:
    """Vectors of n components and length 1: a step goes along a great circle (n = 3: directions)."""
    if n < 2:
        raise ParameterError(f"a sphere needs vectors of at least 2 components, not of {n}")
    return Manifold(_along, _along_between, n - 1, n, f"Sphere({n})", units=((0, n),))


# ----------------------------------------------------------------------------------------------- product


@lru_cache(maxsize=64)
def Product(*parts: Manifold | str) -> Manifold:
    """Several manifolds side by side: values and steps are those of the parts, one after the other.

    >>> Product(SE3, Euclidean(3)).tangent
    9
    """
    known = [_named(p) if isinstance(p, str) else p for p in parts]
    sizes = [p.ambient for p in known if p.ambient is not None]
    if len(sizes) < len(known):
        raise ParameterError("the parts of a product need a size: give Manifold(..., ambient=n)")
    a = np.cumsum([0, *sizes]).tolist()
    t = np.cumsum([0, *(p.tangent for p in known)]).tolist()
    places = [(p, slice(a[k], a[k + 1]), slice(t[k], t[k + 1])) for k, p in enumerate(known)]

    def retract(x: Any, d: Any) -> Any:
        return np.concatenate([p.retract(x[..., at], d[..., by]) for p, at, by in places], axis=-1)

    def local(x: Any, y: Any) -> Any:
        return np.concatenate([p.local(x[..., at], y[..., at]) for p, at, _ in places], axis=-1)

    return Manifold(
        retract, local, t[-1], a[-1], f"Product({', '.join(p.name for p in known)})",
        tuple((i + o, j + o) for p, o in zip(known, a, strict=False) for i, j in p.units),
        tuple(k + o for p, o in zip(known, a, strict=False) for k in p.angles),
        tuple(k + o for p, o in zip(known, a, strict=False) for k in p.positive),
        flat=all(p.flat for p in known),
    )  # fmt: skip


_FIXED = {m.name: m for m in (SO2, SO3, RotationVector, SE2, SE3, Sim3)}
NAMES = (*_FIXED, "Sphere", "Euclidean")


def _named(name: str, ambient: int | None = None) -> Manifold:
    if name in _FIXED:
        return _FIXED[name]
    if name not in NAMES:
        raise ParameterError(f"there is no manifold {name!r}{suggestion(name, NAMES)}")
    if ambient is None:
        raise ParameterError(f"{name!r} does not say of how many components: write {name}(n)")
    return Sphere(ambient) if name == "Sphere" else Euclidean(ambient)


def manifold_of(given: Manifold | str | None, ambient: int) -> Manifold:
    """The manifold that was meant, for values of so many components. Raises ParameterError."""
    if given is None:
        return Euclidean(ambient)
    if isinstance(given, str):
        given = _named(given, ambient)
    if not isinstance(given, Manifold):
        raise ParameterError(
            f"manifold = {given!r} is none: give mq.manifolds.SE3 or another, its name, "
            "or mq.Manifold(retract, local, tangent)"
        )
    return given.sized(ambient)


__all__ = [
    "SE2",
    "SE3",
    "SO2",
    "SO3",
    "Euclidean",
    "Manifold",
    "Product",
    "RotationVector",
    "Sim3",
    "Sphere",
]
