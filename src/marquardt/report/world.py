"""A world before and after a solution: points, cameras, the poses of a graph and what links them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = NDArray[np.float64]
Pair = tuple[Array, Array]
_RAMP = [[58.0, 100, 196], [30, 150, 178], [86, 170, 95], [216, 172, 60], [222, 110, 80]]


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

    def to_html(self, path: str | Path) -> None:
        """Write the world as a page to turn around, in one file that works offline."""
        from .world_page import page

        Path(path).write_text(page(self), encoding="utf-8")

    def plot(
        self,
        titles: tuple[str, str] = ("before", "after"),
        elevation: float = 25.0,
        azimuth: float | None = None,
    ) -> Figure:
        """The world before and after as two pictures. Raises MissingPackageError without matplotlib.

        titles : what stands above them.
        elevation, azimuth : from where it is seen, in degrees; by default from behind the cameras.
        """
        from .plot_world import plot_world

        return plot_world(self, titles, elevation, azimuth)


@dataclass(frozen=True, eq=False)
class Placed:
    """A world ready to be seen: around zero, of size one, z upwards; points that are not finite left out."""

    points: Pair
    centers: Pair
    axes: Pair
    colors: NDArray[np.uint8]
    chain: NDArray[np.intp]
    """(k, 2) links of neighbors: the way"""
    closures: NDArray[np.intp]
    """(k, 2) all other links"""
    yaw: float
    """From where it is seen at first: the direction around z, in radians, behind the cameras"""
    flat: bool
    """All points at one height"""


def place(world: World, most: int) -> Placed:
    """The world as it is seen, with at most so many points, evenly thinned.

    Raises DataError where there is nothing to show.
    """
    shown = _thinned(world, most)
    points = tuple(np.asarray(side, dtype=np.float64)[shown] for side in world.points)
    turn, flat = _upright(world, points[1])
    middle, radius = _frame(points[1], world.centers[1], world.links is not None)

    def own(pair: Sequence[Array]) -> Pair:
        first, last = ((side - middle) @ turn.T / radius for side in pair)
        return first, last

    first, last = (np.einsum("ab,nbc->nac", turn, side) for side in world.axes)
    links = np.zeros((0, 2), dtype=np.intp) if world.links is None else world.links
    near = np.abs(np.diff(links, axis=1)[:, 0]) == 1
    seen = own(points)
    along = seen[1][:, 2] if world.links is None else np.arange(len(points[1]), dtype=float)
    sight = last[:, :, 2].mean(axis=0) if len(last) else np.zeros(3)
    return Placed(
        points=seen,
        centers=own(world.centers),
        axes=(first, last),
        colors=_colors(along) if world.colors is None else world.colors[shown],
        chain=links[near],
        closures=links[~near],
        yaw=float(np.arctan2(-sight[1], -sight[0])) if np.hypot(*sight[:2]) > 0.2 else -1.1,
        flat=flat,
    )


def _thinned(world: World, most: int) -> NDArray[np.intp]:
    """Which points are shown: the finite ones, every k-th of too many; all where they are linked."""
    points = np.asarray(world.points[1])
    if world.links is not None:
        return np.arange(len(points))
    finite = np.flatnonzero(np.isfinite(points).all(axis=1))
    return finite[:: -(-len(finite) // most) or 1]


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


def _colors(values: Array) -> NDArray[np.uint8]:
    """From blue to red, at home on light and on dark."""
    known = values[np.isfinite(values)]
    low, high = np.percentile(known, [2, 98]) if known.size else (0.0, 1.0)
    part = np.clip((np.nan_to_num(values) - low) / ((high - low) or 1.0), 0.0, 1.0) * (len(_RAMP) - 1)
    mixed = [np.interp(part, np.arange(len(_RAMP)), np.array(_RAMP)[:, c]) for c in range(3)]
    return np.stack(mixed, axis=-1).astype(np.uint8)


def camera_size(centers: Array) -> float:
    """So that neighbors do not hide each other."""
    if len(centers) < 2:
        return 0.06
    apart = np.linalg.norm(np.diff(centers, axis=0), axis=1)
    return float(np.clip(0.7 * np.median(apart), 0.01, 0.08))
