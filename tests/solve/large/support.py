"""Problems made by hand in the form of a compiled problem, with derivatives by differences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

import marquardt as mq
from marquardt import geometry, manifolds
from marquardt.problem.large import compiled as large


@dataclass(eq=False)
class Variables:
    name: str
    values: Any
    manifold: Any
    frozen: Any = None
    lower: Any = None
    upper: Any = None

    def __post_init__(self):
        self.values = np.array(self.values, dtype=float)
        if self.frozen is None:
            self.frozen = np.zeros((len(self.values), self.manifold.tangent), dtype=bool)

    @property
    def n(self):
        return len(self.values)


class Called:
    """Residuals of all items, and their derivatives by the tangents by central differences."""

    def __init__(self, function, slots, data, variables):
        self.function, self.slots, self.data, self.variables = function, slots, data, variables

    def value(self, values):
        return self.function(*[values[p][i] for p, i in self.slots], *self.data)

    def linear(self, values):
        x = [values[p][i] for p, i in self.slots]
        columns = []
        for k, (p, _) in enumerate(self.slots):
            manifold = self.variables[p].manifold
            for j in range(manifold.tangent):
                step = np.zeros((len(x[k]), manifold.tangent))
                size = np.abs(x[k][:, j]) if manifold.ambient == manifold.tangent else 1.0
                step[:, j] = h = 1e-6 * np.maximum(0.01, size)
                ends = [[*x[:k], manifold.retract(x[k], s * step), *x[k + 1 :]] for s in (1.0, -1.0)]
                up, down = (self.function(*end, *self.data) for end in ends)
                columns.append((up - down) / np.reshape(2.0 * h, (-1, 1)))
        return self.function(*x, *self.data), np.stack(columns, axis=-1)


@dataclass(eq=False)
class Family:
    name: str
    n: int
    rows: int
    slots: Any
    callback: Any
    loss: Any = None
    columns: Any = ()
    value: Any = None
    linear: Any = None
    derivative: str = "given"
    sigma_known: bool = False


@dataclass(eq=False)
class Compiled:
    variables: list
    families: list
    with_values = large.Compiled.with_values

    def retract(self, values, deltas):
        return [v.manifold.retract(x, d) for v, x, d in zip(self.variables, values, deltas, strict=True)]


def family(name, variables, function, slots, *data, loss=None):
    """`slots`: name of the variables and index of each item."""
    names = [v.name for v in variables]
    slots = tuple((names.index(n), np.asarray(i, dtype=np.uint32)) for n, i in slots)
    called = Called(function, slots, data, variables)
    rows = called.value([v.values for v in variables]).shape[1]
    return Family(name, len(slots[0][1]), rows, slots, called, loss)


# ---------------------------------------------------------------------------------------- bundle adjustment


def reprojection(camera, point, observed):
    """Of one observation or of many."""
    seen = geometry.rotate(camera[..., :3], point) + camera[..., 3:6]
    return geometry.bal(camera[..., 6:], seen) - observed


def scene(seed=0, n_cameras=5, n_points=40, noise=0.3, away=0.02):
    """Cameras on an arc before a cloud: true cameras, true points, the compiled problem."""
    rng = np.random.default_rng(seed)
    points = rng.uniform(-1, 1, (n_points, 3))
    cameras = np.zeros((n_cameras, 9))
    cameras[:, 1] = np.linspace(-0.5, 0.5, n_cameras)
    cameras[:, :3] += 0.05 * rng.standard_normal((n_cameras, 3))
    cameras[:, 5], cameras[:, 6], cameras[:, 7] = -5.0, 500.0, 0.01
    i, j = np.nonzero(rng.random((n_cameras, n_points)) < 0.8)
    observed = reprojection(cameras[i], points[j], 0.0) + noise * rng.standard_normal((i.size, 2))
    scale = np.array([1, 1, 1, 1, 1, 1, 100, 0.1, 0.1])
    start = cameras + away * scale * rng.standard_normal(cameras.shape)
    variables = [
        Variables("camera", start, manifolds.Euclidean(9)),
        Variables("point", points + away * rng.standard_normal(points.shape), manifolds.Euclidean(3)),
    ]
    seen = family("observations", variables, reprojection, [("camera", i), ("point", j)], observed)
    return cameras, points, Compiled(variables, [seen])


# ------------------------------------------------------------------------------------------------ pose graphs


def turned(angle, v):
    c, s = np.cos(angle), np.sin(angle)
    return np.stack([c * v[..., 0] - s * v[..., 1], s * v[..., 0] + c * v[..., 1]], axis=-1)


def between(a, b, z, sigma=1.0):
    """Pose b in the frame of pose a, beside what was measured; planar."""
    t = turned(-z[..., 2], turned(-a[..., 2], b[..., :2] - a[..., :2]) - z[..., :2])
    angle = b[..., 2] - a[..., 2] - z[..., 2]
    return np.concatenate([t, np.arctan2(np.sin(angle), np.cos(angle))[..., None]], axis=-1) / sigma


def grid(seed=0, n=6, noise=0.02, false=0.0, fixed=True):
    """A walk to and fro over a square with closures: true poses, which are false, the compiled problem."""
    rng = np.random.default_rng(seed)
    cells = [(i, j if i % 2 == 0 else n - 1 - j) for i in range(n) for j in range(n)]
    poses = np.column_stack([np.array(cells, dtype=float), rng.uniform(-0.3, 0.3, n * n)])
    at = {cell: k for k, cell in enumerate(cells)}
    pairs = [(at[i, j], at[i + 1, j]) for i in range(n - 1) for j in range(n)]
    closures = np.array([p for p in pairs if p[1] - p[0] > 1])
    steps = np.column_stack([np.arange(n * n - 1), np.arange(1, n * n)])

    def measured(e):
        exact = between(poses[e[:, 0]], poses[e[:, 1]], np.zeros(3))
        return exact + noise * rng.standard_normal(exact.shape)

    odometry, loops = measured(steps), measured(closures)
    wrong = rng.permutation(len(loops))[: round(false * len(loops))]
    loops[wrong] += rng.uniform(2, 5, (wrong.size, 3)) * rng.choice([-1, 1], (wrong.size, 3))
    start = [poses[0]]
    for z in odometry:
        start.append(np.append(start[-1][:2] + turned(start[-1][2], z[:2]), start[-1][2] + z[2]))
    variables = [Variables("pose", start, manifolds.Euclidean(3))]
    variables[0].frozen[0] = fixed
    families = [
        family(
            "odometry", variables, between, [("pose", steps[:, 0]), ("pose", steps[:, 1])], odometry, noise
        ),
        family(
            "closure", variables, between, [("pose", closures[:, 0]), ("pose", closures[:, 1])], loops, noise
        ),
    ]
    return poses, wrong, Compiled(variables, families)


def curve(x, y, start, loss=None, **more):
    """A curve ``a exp(-b x) + c`` as a large problem: one variable of three numbers."""
    variables = [Variables("p", [start], manifolds.Euclidean(3), **more)]

    def residual(p, x, y):
        return (p[:, 0] * np.exp(-p[:, 1] * x) + p[:, 2] - y)[:, None]

    return Compiled(
        variables, [family("data", variables, residual, [("p", np.zeros(x.size))], x, y, loss=loss)]
    )


def grid_again(compiled, truth, seed, noise=0.02):
    """The same graph with other noise, started at the truth."""
    rng = np.random.default_rng(1000 + seed)
    variables = [Variables("pose", truth, manifolds.Euclidean(3), compiled.variables[0].frozen)]
    families = []
    for f in compiled.families:
        (_, i), (_, j) = f.slots
        exact = between(truth[i], truth[j], np.zeros(3))
        z = exact + noise * rng.standard_normal(exact.shape)
        families.append(family(f.name, variables, between, [("pose", i), ("pose", j)], z, noise))
    return Compiled(variables, families)


def seen_from(a, b, z):
    """Pose b in the frame of pose a, beside what was measured; spatial."""
    back, undo = geometry.inverse_quaternion(a[3:]), geometry.inverse_quaternion(z[3:])
    t = geometry.rotate_by_quaternion(undo, geometry.rotate_by_quaternion(back, b[:3] - a[:3]) - z[:3])
    q = geometry.quaternion_product(undo, geometry.quaternion_product(back, b[3:]))
    return np.concatenate([t, q[:3] * np.where(q[3] < 0.0, -1.0, 1.0)])


def spatial(seed=0, n=12, noise=0.01, away=0.1):
    """A ring of spatial poses with chords, all measured, as a `Problem`."""
    rng = np.random.default_rng(seed)
    angle = np.linspace(0.0, 2.0 * np.pi, n, endpoint=False)
    w = np.stack([0.2 * np.sin(angle), 0.2 * np.cos(angle), angle], axis=1)
    ring = np.stack([np.cos(angle), np.sin(angle), 0.1 * angle], axis=1)
    truth = np.hstack([ring, geometry.quaternion_of(w)])
    i = np.concatenate([np.arange(n), np.arange(n)])
    j = np.concatenate([(np.arange(n) + 1) % n, (np.arange(n) + 3) % n])
    a, b = truth[i], truth[j]
    back = geometry.inverse_quaternion(a[:, 3:])
    t = geometry.rotate_by_quaternion(back, b[:, :3] - a[:, :3]) + noise * rng.standard_normal((i.size, 3))
    turn = geometry.quaternion_of(noise * rng.standard_normal((i.size, 3)))
    q = geometry.quaternion_product(geometry.quaternion_product(back, b[:, 3:]), turn)
    start = manifolds.SE3.retract(truth, away * rng.standard_normal((n, 6)))
    problem = mq.Problem()
    pose = problem.variables("pose", start, manifold="SE3")
    whitening = np.eye(6) / noise * np.array([1, 1, 1, 2, 2, 2])[:, None]
    problem.residuals(seen_from, pose[i], pose[j], np.hstack([t, q]), sqrt_information=whitening, name="edge")
    return problem
