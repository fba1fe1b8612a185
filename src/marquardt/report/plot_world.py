"""A world as a picture: before beside after, seen from where its page first sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .figure import ACCENT, CALM, INK, new_figure
from .world import Array, Placed, World, camera_size, place

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_POINTS = 20_000
_CORNERS = np.array([[-0.8, -0.6, 1.0], [0.8, -0.6, 1.0], [0.8, 0.6, 1.0], [-0.8, 0.6, 1.0]])


def plot_world(
    world: World, titles: tuple[str, str], elevation: float = 25.0, azimuth: float | None = None
) -> Figure:
    """Points, cameras and links, before on the left and after on the right; flat worlds from above."""
    seen = place(world, MOST_POINTS)
    figure = new_figure(10.0, 4.4)
    turn = np.degrees(seen.yaw) if azimuth is None else azimuth
    for k, title in enumerate(titles):
        three = {} if seen.flat else {"projection": "3d"}
        axes = figure.add_subplot(1, 2, k + 1, **three)
        (_draw_flat if seen.flat else _draw)(axes, seen, k)
        axes.set_title(title)
        axes.set_axis_off()
        if seen.flat:
            axes.set_aspect("equal")
        else:
            _look(axes, elevation, turn, *((1.1, 1.0) if len(seen.chain) else (0.95, 0.6)))
    return figure


def _look(axes: Any, elevation: float, azimuth: float, size: float, height: float) -> None:
    axes.view_init(elevation, azimuth)
    for limits, part in ((axes.set_xlim, 1.0), (axes.set_ylim, 1.0), (axes.set_zlim, height)):
        limits(-size * part, size * part)
    axes.set_box_aspect((1, 1, height), zoom=1.5)


def _draw(axes: Any, seen: Placed, k: int) -> None:
    from mpl_toolkits.mplot3d.art3d import Line3DCollection  # type: ignore[import-untyped]

    points = seen.points[k]
    near = (np.abs(points) < 1.6).all(axis=1)  # matplotlib does not clip: others would lie over the titles
    way = bool(len(seen.chain))
    if not way:
        size = float(np.clip(6000 / max(len(points), 1), 0.4, 6))
        axes.scatter(*points[near].T, s=size, c=seen.colors[near] / 255.0, linewidths=0, depthshade=False)
    for links, color, width in ((seen.closures, ACCENT, 0.3), (seen.chain, CALM, 0.7)):
        if len(links):
            axes.add_collection3d(Line3DCollection(points[links], colors=color, linewidths=width))
    if len(seen.centers[k]):
        lines = _frusta(seen.centers[k], seen.axes[k], camera_size(seen.centers[1]))
        axes.add_collection3d(Line3DCollection(lines, colors=ACCENT, linewidths=0.5))


def _frusta(centers: Array, axes: Array, size: float) -> Array:
    """The eight edges of each camera's pyramid, (8 n, 2, 3)."""
    corners = centers[:, None] + size * np.einsum("nab,cb->nca", axes, _CORNERS)
    rays = np.stack([np.broadcast_to(centers[:, None], corners.shape), corners], axis=2)
    sides = np.stack([corners, np.roll(corners, -1, axis=1)], axis=2)
    return np.concatenate([rays, sides], axis=1).reshape(-1, 2, 3)


def _draw_flat(axes: Any, seen: Placed, k: int) -> None:
    from matplotlib.collections import LineCollection

    points = seen.points[k][:, :2]
    for links, color, width in ((seen.closures, ACCENT, 0.4), (seen.chain, CALM, 0.8)):
        axes.add_collection(LineCollection(list(points[links]), colors=color, linewidths=width))
    if not len(seen.chain):
        axes.scatter(*points.T, s=2, color=INK, linewidths=0)
    axes.autoscale()
