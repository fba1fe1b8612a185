"""Large problems with known truth: streets and collections of photographs, pose graphs, false observations.

Everything comes with a start and the truth, and the same seed gives the same numbers. Synthetic scenes are
better conditioned than real ones: no points at infinity, no mistaken matches but those asked for.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from .. import geometry
from ..errors import OptionError
from .bal import BalProblem, blocks, reprojection
from .posegraph import PoseGraph

Matrix = NDArray[np.float64]
Index = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class BalScene:
    """A bundle adjustment problem from a start that is off, and the same from the truth."""

    start: BalProblem
    truth: BalProblem


@dataclass(frozen=True, eq=False)
class GraphScene:
    """A pose graph from its chained odometry, the true poses, and which edges are false."""

    start: PoseGraph
    truth: PoseGraph
    false: Index


def street(
    cameras: int = 150, observations: int = 100_000, *, noise: float = 0.5, drift: float = 1e-3, seed: int = 0
) -> BalScene:
    """A car on a ring road looks at the houses outside: a point is seen by neighbors only, a banded problem.

    Half the points are seen twice, the others up to 30 times. The start drifts: after n cameras it has turned
    by about ``drift √n`` radians, and closes the ring as one that was recognized would.

    >>> scene = street(20, 1000)
    >>> scene.start
    street-20: 20 cameras, 342 points, 1001 observations
    """
    rng = np.random.default_rng(seed)
    _check("street", cameras, observations)
    angle = 2 * np.pi * np.arange(cameras) / cameras
    radius = cameras / (2 * np.pi)  # a picture each meter
    wobble = 1 + 0.05 * np.sin(3 * angle)
    outward = np.column_stack([np.cos(angle), np.sin(angle), np.zeros(cameras)])
    places = radius * wobble[:, None] * outward + [0.0, 0.0, 2.0]
    truth = _cameras(rng, places + 0.05 * rng.normal(size=places.shape), outward, 0.05)
    tracks = _tracks(rng, observations, min(30, max(4, cameras // 8)))
    first = rng.integers(0, cameras, len(tracks))
    point = np.repeat(np.arange(len(tracks)), tracks)
    step = np.arange(len(point)) - np.repeat(np.cumsum(tracks) - tracks, tracks)
    camera = (first[point] + step) % cameras
    middle = angle[first] + np.pi * (tracks - 1) / cameras
    far = radius * (1 + 0.05 * np.sin(3 * middle)) + rng.uniform(0.7, 3, len(tracks)) * np.maximum(tracks, 7)
    points = np.column_stack([far * np.cos(middle), far * np.sin(middle), rng.uniform(0, 9, len(tracks))])
    scene = _seen(f"street-{cameras}", truth, points, camera, point, noise, rng)
    turned, moved = (_bridge(rng, cameras, s) for s in (drift, 20 * drift))
    return BalScene(_drifted(scene, first, turned, moved, rng), scene)


def collection(
    cameras: int = 150, observations: int = 100_000, *, noise: float = 0.5, off: float = 0.01, seed: int = 0
) -> BalScene:
    """Photographs of one monument from all sides: any two may share points, a dense problem.

    Some photographs see much more than others, and nearly half the points are seen twice. In the start every
    camera is off by ``off`` radians and by that part of its distance, every point by that part of its own.

    >>> scene = collection(20, 1000)
    >>> scene.start
    collection-20: 20 cameras, 267 points, 1000 observations
    """
    rng = np.random.default_rng(seed)
    _check("collection", cameras, observations)
    turn, height = rng.uniform(0, 2 * np.pi, cameras), rng.uniform(1, 12, cameras)
    far = rng.uniform(25, 60, cameras)
    places = np.column_stack([far * np.cos(turn), far * np.sin(turn), height])
    ahead = np.array([0.0, 0.0, 8.0]) - places
    truth = _cameras(rng, places, ahead / np.linalg.norm(ahead, axis=1, keepdims=True), 0.05)
    tracks = _tracks(rng, observations, min(60, cameras))
    point = np.repeat(np.arange(len(tracks)), tracks)
    camera, point = _drawn(rng, cameras, point, tracks)
    around, up = rng.uniform(0, 2 * np.pi, len(tracks)), rng.uniform(0, 16, len(tracks))
    width = 6 - 0.2 * up + rng.uniform(-0.5, 0.5, len(tracks))
    points = np.column_stack([width * np.cos(around), width * np.sin(around), up])
    scene = _seen(f"collection-{cameras}", truth, points, camera, point, noise, rng)
    w = truth[:, :3] + rng.normal(0, off, (cameras, 3))
    lost = places + rng.normal(0, off, (cameras, 3)) * far[:, None]
    start = truth.copy()
    start[:, :3], start[:, 3:6] = w, -geometry.rotate(w, lost)
    start[:, 6] *= 1 + rng.normal(0, off, cameras)
    return BalScene(scene.with_values(start, points + rng.normal(0, 10 * off, points.shape)), scene)


def spoiled(
    problem: BalProblem, part: float = 0.1, size: float = 100.0, seed: int = 0
) -> tuple[BalProblem, NDArray[np.bool_]]:
    """A part of the observations moved by up to `size` pixels either way; the problem, and which are false.

    >>> _, false = spoiled(street(20, 1000).start)
    >>> int(false.sum())
    100
    """
    if not 0 <= part <= 1 or not size > 0:
        raise OptionError(f"part = {part!r}, size = {size!r}: from 0 to 1, and above 0, are needed")
    rng = np.random.default_rng(seed)
    n = len(problem.observed)
    false = np.zeros(n, dtype=bool)
    false[rng.choice(n, int(part * n), replace=False)] = True
    observed = problem.observed.copy()
    observed[false] += rng.uniform(-size, size, (int(false.sum()), 2))
    return replace(problem, observed=observed), false


def sphere(
    rings: int = 50, poses: int = 50, *, noise: tuple[float, float] = (0.05, 0.02), seed: int = 0
) -> GraphScene:
    """A spiral around a sphere: each pose is measured from the one before and from the one a ring below.

    noise : standard deviations of translations and, in radians, of rotations.

    >>> sphere(4, 10).start
    sphere-40: 40 SE3 poses, 69 edges
    """
    rng = np.random.default_rng(seed)
    n = rings * poses
    turn = 2 * np.pi * np.arange(n) / poses
    height = np.pi * (np.arange(n) + 0.5) / n
    radius = n / (4 * np.pi)
    place = radius * np.column_stack(
        [np.sin(height) * np.cos(turn), np.sin(height) * np.sin(turn), np.cos(height)]
    )
    around, down = np.outer(turn, [0.0, 0, 1]), np.outer(height, [0.0, 1, 0])
    q = geometry.quaternion_product(geometry.quaternion_of(around), geometry.quaternion_of(down))
    truth = np.column_stack([place, q])
    edges = np.vstack([_neighbors(n, 1), _neighbors(n, poses)])
    i, j = edges.T
    back = geometry.inverse_quaternion(q[i])
    move = geometry.rotate_by_quaternion(back, place[j] - place[i]) + rng.normal(0, noise[0], (len(i), 3))
    turned = geometry.quaternion_product(
        geometry.quaternion_product(back, q[j]), geometry.quaternion_of(rng.normal(0, noise[1], (len(i), 3)))
    )
    # Errors count by half the angle, so its weight is four times that of the angle.
    weight = np.diag([noise[0] ** -2.0] * 3 + [4 * noise[1] ** -2.0] * 3)
    z, none = np.column_stack([move, turned]), np.zeros(0, dtype=np.intp)
    return _graph(f"sphere-{n}", "SE3", truth, edges, z, weight, none)


def manhattan(
    poses: int = 3500,
    closures: int = 2000,
    *,
    false: int = 0,
    noise: tuple[float, float] = (0.05, 0.01),
    seed: int = 0,
) -> GraphScene:
    """A walk along the blocks of a city, planar: it comes by places it knows, and mistakes some.

    closures : at most so many edges to places where it was before; false : edges between places that differ.

    >>> scene = manhattan(200, 50, false=5)
    >>> scene.start, len(scene.false)
    (manhattan-200: 200 SE2 poses, 238 edges, 5)
    """
    rng = np.random.default_rng(seed)
    corner = np.arange(poses) % 4 == 0
    heading = np.cumsum(np.where(corner, rng.integers(-1, 2, poses), 0)) * (np.pi / 2)
    steps = np.column_stack([np.cos(heading), np.sin(heading)])[:-1]
    place = np.vstack([[0.0, 0.0], np.cumsum(steps, axis=0)])
    truth = np.column_stack([place, np.arctan2(np.sin(heading), np.cos(heading))])
    again = _meetings(rng, np.rint(place).astype(np.intp), closures)
    wrong = np.sort(rng.integers(0, poses, (20 * false, 2)), axis=1)
    far = np.abs(place[wrong[:, 0]] - place[wrong[:, 1]]).sum(axis=1) > 5
    wrong = wrong[far][:false]
    edges = np.vstack([_neighbors(poses, 1), again, wrong]).astype(np.intp)
    ends = edges.copy()
    first = len(edges) - len(wrong)
    ends[first:, 1] = ends[first:, 0]  # what a mistaken place looks like: the one where the walk is
    z = _between(truth[ends[:, 0]], truth[ends[:, 1]])
    z += rng.normal(0, [noise[0], noise[0], noise[1]], z.shape)
    weight = np.diag([noise[0] ** -2.0, noise[0] ** -2.0, noise[1] ** -2.0])
    return _graph(f"manhattan-{poses}", "SE2", truth, edges, z, weight, np.arange(first, len(edges)))


# ---------------------------------------------------------------------------------------------- photographs


def _check(name: str, cameras: int, observations: int) -> None:
    if cameras < 3 or observations < 10 * cameras:
        raise OptionError(
            f"{name}: {cameras} cameras, {observations} observations: 3, and ten for each, are needed"
        )


def _tracks(rng: Generator, observations: int, longest: int) -> Index:
    """By how many cameras each point is seen: half of them by two, about 3.6 on average."""
    n = observations // 2
    longer = 3 + rng.geometric(0.31, n) - 1
    tracks = np.minimum(np.where(rng.random(n) < 0.47, 2, longer), longest).astype(np.intp)
    return np.asarray(tracks[: int(np.searchsorted(np.cumsum(tracks), observations)) + 1])


def _drawn(rng: Generator, cameras: int, point: Index, tracks: Index) -> tuple[Index, Index]:
    """A camera for each observation, popular ones more often, no point twice in one."""
    popular = np.cumsum(rng.gamma(1.5, 1.0, cameras) + 0.3)
    camera = np.minimum(np.searchsorted(popular, rng.random(len(point)) * popular[-1]), cameras - 1)
    for _ in range(50):
        order = np.lexsort((camera, point))
        twice = order[1:][(np.diff(point[order]) == 0) & (np.diff(camera[order]) == 0)]
        if not len(twice):
            break
        camera[twice] = rng.integers(0, cameras, len(twice))
    keep = np.ones(len(point), dtype=bool)
    keep[twice] = False
    return camera[keep], point[keep]


def _cameras(rng: Generator, places: Matrix, ahead: Matrix, shake: float) -> Matrix:
    """Upright cameras in places that look ahead, about; of 500 to 900 pixels focal length."""
    back = -ahead
    right = np.cross([0.0, 0.0, 1.0], back)
    right /= np.linalg.norm(right, axis=1, keepdims=True)
    R = np.stack([right, np.cross(back, right), back], axis=1)
    n = len(places)
    shaken = geometry.quaternion_of(rng.normal(0, shake, (n, 3)))
    q = geometry.quaternion_product(shaken, geometry.quaternion_of_matrix(R))
    w = geometry.rotation_vector_of(q)
    lens = np.column_stack([rng.uniform(500, 900, n), rng.normal(-0.02, 0.01, n), rng.normal(0, 0.002, n)])
    return np.column_stack([w, -geometry.rotate(w, places), lens])


def _seen(
    name: str, cameras: Matrix, points: Matrix, camera: Index, point: Index, noise: float, rng: Generator
) -> BalProblem:
    """The problem as files have it: observations by point, then by camera."""
    order = np.lexsort((camera, point))
    camera, point = camera[order], point[order]
    seen = rng.normal(0, noise, (len(camera), 2))
    for rows in blocks(len(camera)):
        seen[rows] = reprojection(cameras[camera[rows]], points[point[rows]], seen[rows])
    return BalProblem(name, cameras, points, camera, point, seen)


def _bridge(rng: Generator, n: int, step: float) -> Matrix:
    """A random walk (n, 3) that ends where it began."""
    walk = np.cumsum(rng.normal(0, step, (n, 3)), axis=0)
    return walk - np.outer(np.arange(1, n + 1) / n, walk[-1])


def _drifted(scene: BalProblem, owner: Index, turned: Matrix, moved: Matrix, rng: Generator) -> BalProblem:
    """Each camera turned and moved, and each point with the first camera that saw it, about."""
    cameras = scene.cameras.copy()
    q = geometry.quaternion_product(geometry.quaternion_of(cameras[:, :3]), geometry.quaternion_of(turned))
    centers = scene.poses()[0]
    cameras[:, :3] = geometry.rotation_vector_of(q)
    cameras[:, 3:6] = -geometry.rotate(cameras[:, :3], centers + moved)
    cameras[:, 6] *= 1 + rng.normal(0, 0.005, len(cameras))
    arm = scene.points - centers[owner]
    points = centers[owner] + moved[owner] + geometry.rotate(-turned[owner], arm)
    return scene.with_values(cameras, points + rng.normal(0, 0.1, points.shape))


# ---------------------------------------------------------------------------------------------- pose graphs


def _neighbors(n: int, apart: int) -> Index:
    return np.column_stack([np.arange(n - apart), np.arange(apart, n)])


def _meetings(rng: Generator, cells: Index, most: int) -> Index:
    """Pairs of poses in one place, the later one not soon after, some of them."""
    key = (cells[:, 0] - cells[:, 0].min()) * (np.ptp(cells[:, 1]) + 1) + cells[:, 1] - cells[:, 1].min()
    order = np.argsort(key, kind="stable")
    pairs = np.column_stack([order[:-1], order[1:]])[np.diff(key[order]) == 0]
    pairs = pairs[pairs[:, 1] - pairs[:, 0] > 10]
    return np.asarray(rng.permutation(pairs)[:most])


def _between(a: Matrix, b: Matrix) -> Matrix:
    """Planar poses b in the frames of poses a."""
    c, s, d = np.cos(a[:, 2]), np.sin(a[:, 2]), b - a
    turn = np.arctan2(np.sin(d[:, 2]), np.cos(d[:, 2]))
    return np.column_stack([c * d[:, 0] + s * d[:, 1], c * d[:, 1] - s * d[:, 0], turn])


def _graph(
    name: str, kind: str, truth: Matrix, edges: Index, z: Matrix, weight: Any, false: Index
) -> GraphScene:
    n = len(truth)
    information = np.tile(weight, (len(edges), 1, 1))
    graph = PoseGraph(name, kind, np.arange(n), truth, edges, z, information, np.zeros(0, dtype=np.intp))
    return GraphScene(graph.with_poses(_chained(kind, truth[0], z[: n - 1])), graph, false)


def _chained(kind: str, first: Matrix, steps: Matrix) -> Matrix:
    """Where the odometry alone leads."""
    poses = [first]
    for z in steps:
        x = poses[-1]
        if kind == "SE2":
            c, s, turn = np.cos(x[2]), np.sin(x[2]), x[2] + z[2]
            angle = np.arctan2(np.sin(turn), np.cos(turn))
            poses.append(np.array([x[0] + c * z[0] - s * z[1], x[1] + s * z[0] + c * z[1], angle]))
        else:
            q = geometry.quaternion_product(x[3:], z[3:])
            place = x[:3] + geometry.rotate_by_quaternion(x[3:], z[:3])
            poses.append(np.concatenate([place, q / np.linalg.norm(q)]))
    return np.array(poses)
