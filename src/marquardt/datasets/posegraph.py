"""Pose graphs in the text format of g2o (Kümmerle et al., ICRA 2011): planar (SE2) and spatial (SE3).

An edge measures pose j in the frame of pose i. Its information matrix, the inverse covariance, is written as
the upper triangle row by row, translation first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .. import geometry
from ..errors import FileError
from ..geometry.chordal import anchors
from .held import Held, held_masks
from .text import first_repeat, integers, numbers, parse, quaternion_lengths, read_text

if TYPE_CHECKING:
    from ..problem.large.problem import Problem
    from ..report.world import World

Matrix = NDArray[np.float64]
Index = NDArray[np.intp]


@dataclass(frozen=True)
class _Kind:
    vertex: str
    edge: str
    n_pose: int
    n_tangent: int
    error: Callable[[Any, Any, Any], Any]


def planar_error(first: Any, second: Any, measured: Any) -> Any:
    """Of a planar edge, (..., 3): ``R_z' (R_i' (t_j - t_i) - t_z)`` and the angle, from -pi to pi."""
    move = _turned_back(second[..., :2] - first[..., :2], first[..., 2]) - measured[..., :2]
    turn = second[..., 2] - first[..., 2] - measured[..., 2]
    angle = np.arctan2(np.sin(turn), np.cos(turn))
    return np.concatenate([_turned_back(move, measured[..., 2]), angle[..., None]], axis=-1)


def _turned_back(v: Any, angle: Any) -> Any:
    c, s = np.cos(angle), np.sin(angle)
    return np.stack([c * v[..., 0] + s * v[..., 1], c * v[..., 1] - s * v[..., 0]], axis=-1)


def spatial_error(first: Any, second: Any, measured: Any) -> Any:
    """Of a spatial edge, (..., 6): ``R_z' (R_i' (t_j - t_i) - t_z)`` and the vector part of
    ``q_z^-1 q_i^-1 q_j``, its scalar not below 0: sine of half the angle times the axis, as in g2o."""
    back, undone = geometry.inverse_quaternion(first[..., 3:]), geometry.inverse_quaternion(measured[..., 3:])
    move = geometry.rotate_by_quaternion(back, second[..., :3] - first[..., :3]) - measured[..., :3]
    turn = geometry.quaternion_product(undone, geometry.quaternion_product(back, second[..., 3:]))
    side = np.where(turn[..., 3] < 0.0, -1.0, 1.0)[..., None]
    return np.concatenate([geometry.rotate_by_quaternion(undone, move), side * turn[..., :3]], axis=-1)


_KINDS = {
    "SE2": _Kind("VERTEX_SE2", "EDGE_SE2", 3, 3, planar_error),
    "SE3": _Kind("VERTEX_SE3:QUAT", "EDGE_SE3:QUAT", 7, 6, spatial_error),
}


@dataclass(frozen=True, eq=False, repr=False)
class PoseGraph:
    """Poses, and measurements of one in the frame of another.

    A planar pose is ``x, y, theta``, a spatial one ``x, y, z, qx, qy, qz, qw`` with a quaternion of length 1.
    """

    name: str
    kind: str
    """"SE2" or "SE3"."""
    ids: Index
    """(n,) what the file calls the poses"""
    poses: Matrix
    """(n, 3) or (n, 7)"""
    edges: Index
    """(k, 2): positions of pose i and pose j"""
    measurements: Matrix
    """(k, 3) or (k, 7)"""
    information: NDArray[np.float64]
    """(k, 3, 3) or (k, 6, 6)"""
    fixed: Index
    """Positions of the poses that a line ``FIX`` holds."""

    def __repr__(self) -> str:
        return f"{self.name}: {len(self.poses)} {self.kind} poses, {len(self.edges)} edges"

    def with_poses(self, poses: Matrix) -> PoseGraph:
        """The same measurements with other poses."""
        return replace(self, poses=poses)

    def residuals(self) -> Matrix:
        """(k, 3) or (k, 6) errors of the edges, translation first; see `planar_error`, `spatial_error`."""
        i, j = self.edges.T
        return np.asarray(_KINDS[self.kind].error(self.poses[i], self.poses[j], self.measurements))

    def distances(self) -> Matrix:
        """(k,) how many standard deviations each edge is off: ``sqrt(e' information e)``."""
        e = self.residuals()
        return np.asarray(np.sqrt(np.maximum(np.einsum("ka,kab,kb->k", e, self.information, e), 0.0)))

    def anchors(self) -> NDArray[np.bool_]:
        """(n,) the poses that are held: those fixed, and the first one of each part without any.

        Raises DataError for a pose without an edge.
        """
        return anchors(len(self.poses), self.edges, self.fixed)

    @property
    def closures(self) -> NDArray[np.bool_]:
        """(k,) the edges that do not lead from a pose to the next one: places that were recognized."""
        return np.asarray(np.abs(self.edges[:, 0] - self.edges[:, 1]) > 1)

    def problem(self, loss: Any = None, fixed: Held | None = None, closures: bool = False) -> Problem:
        """The problem to solve: family "pose", residuals "edge".

        fixed : what is held where it is, ``{"pose": [0]}``, besides `anchors`.
        closures : make residuals "closure" of the edges that are; the loss then concerns only them. False
            ones are found by ``mq.solve(problem, robust=mq.GNC(families=["closure"]))``; where the way itself
            is doubted, too, it is torn instead.
        """
        from ..problem.large.problem import Problem

        kind = _KINDS[self.kind]
        mask = held_masks(fixed, {"pose": (len(self.poses), kind.n_tangent)})["pose"]
        anchored = np.repeat(self.anchors()[:, None], kind.n_tangent, axis=1)
        problem = Problem()
        pose = problem.variables(
            "pose", self.poses, manifold=self.kind, fixed=anchored if mask is None else anchored | mask
        )
        root = whitening(self.information)
        parts: dict[str, Any] = {"edge": slice(None)}  # a mask would copy all there is
        if closures:
            parts = {"edge": ~self.closures, "closure": self.closures}
        for name, of in parts.items():
            if len(self.edges[of]):
                ends = pose[self.edges[of, 0]], pose[self.edges[of, 1]]
                own = None if closures and name == "edge" else loss
                seen = *ends, self.measurements[of]
                problem.residuals(kind.error, *seen, sqrt_information=root[of], loss=own, name=name)
        return problem

    def with_result(self, result: Any) -> PoseGraph:
        """The same measurements with the poses of a solution."""
        return self.with_poses(np.asarray(result["pose"]))

    def places(self) -> Matrix:
        """(n, 3) where the poses are; planar ones at height zero."""
        if self.kind == "SE3":
            return self.poses[:, :3]
        return np.column_stack([self.poses[:, :2], np.zeros(len(self.poses))])

    def world(self, before: PoseGraph | None = None, facts: Mapping[str, str] | None = None) -> World:
        """The way and its closures as a page or a picture; `before` is the same graph as it was.

        ``graph.world(start).to_html("way.html")``, ``graph.world(start).plot()``.
        """
        from ..report.world import World

        points = (before or self).places(), self.places()
        return World(self.name, points, links=self.edges, facts=facts or {}, names=("", "pose"))

    def write(self, path: str | Path) -> None:
        """Write the graph as text, with all digits."""
        kind = _KINDS[self.kind]
        upper = np.triu_indices(kind.n_tangent)
        ends = self.ids[self.edges].tolist()
        with open(path, "w", encoding="ascii") as file:
            for name, pose in zip(self.ids.tolist(), self.poses.tolist(), strict=True):
                file.write(f"{kind.vertex} {name} {_words(pose)}\n")
            file.writelines(f"FIX {name}\n" for name in self.ids[self.fixed].tolist())
            triangles = self.information[:, upper[0], upper[1]].tolist()
            for (i, j), z, omega in zip(ends, self.measurements.tolist(), triangles, strict=True):
                file.write(f"{kind.edge} {i} {j} {_words(z)} {_words(omega)}\n")


def whitening(information: Matrix) -> Matrix:
    """Upper triangular matrices (k, t, t) with ``W'W`` the information; where that is singular, any."""
    root = _upper_roots(information)
    if np.isfinite(root).all():
        return root
    values, vectors = np.linalg.eigh(information)
    roots = np.sqrt(np.maximum(values, 0.0))
    return np.asarray(roots[:, :, None] * np.swapaxes(vectors, 1, 2))


def _upper_roots(matrices: Matrix) -> Matrix:
    """Cholesky's factors of all at once; not finite where a matrix is not positive definite.

    LAPACK is called for each of them: 0.25 ms for the edges of intel, entry by entry it takes 0.06.
    """
    t = matrices.shape[1]
    roots = np.zeros((t, t, len(matrices)))
    with np.errstate(invalid="ignore", divide="ignore"):
        for i in range(t):
            for j in range(i, t):
                entry = matrices[:, i, j]
                for above in range(i):
                    entry = entry - roots[above, i] * roots[above, j]
                roots[i, j] = np.sqrt(entry) if j == i else entry / roots[i, i]
    return np.asarray(roots.transpose(2, 0, 1))


def _words(values: Iterable[float]) -> str:
    return " ".join(map(repr, values))


def read_g2o(path: str | Path) -> PoseGraph:
    """Read a g2o file, plain, gzip or bzip2; FileError names file and line where it is malformed.

    Lines with other tags than poses, edges and ``FIX``, such as sensor parameters, are refused by name.
    Several edges may join two poses, as long as they differ; an edge from a pose to itself, one that is
    there twice, and an information matrix that is zero or has a negative eigenvalue are refused.

    >>> import tempfile
    >>> text = "VERTEX_SE2 0 0 0 0\\nVERTEX_SE2 7 1 0 0\\nEDGE_SE2 0 7 1 0 0.1 4 0 0 4 0 9\\n"
    >>> with tempfile.NamedTemporaryFile("w", suffix=".g2o") as file:
    ...     _ = file.write(text), file.flush()
    ...     graph = read_g2o(file.name)
    >>> graph.edges.tolist(), graph.information[0].diagonal().tolist()
    ([[0, 1]], [4.0, 4.0, 9.0])
    """
    return parse_g2o(read_text(path), str(path))


def is_g2o(text: str) -> bool:
    """True when `text` begins like a g2o file."""
    first = next((line for line in text[:4000].splitlines() if line.strip() and line[0] != "#"), "")
    return first.split(" ")[0] in {
        "FIX",
        *(k.vertex for k in _KINDS.values()),
        *(k.edge for k in _KINDS.values()),
    }


def parse_g2o(text: str, origin: str) -> PoseGraph:
    """Read the text of a file; `origin` is named in errors."""
    rows, lines = _by_tag(text, origin)
    name = next((n for n, k in _KINDS.items() if k.vertex in rows), None)
    if name is None:
        raise FileError(f"{origin} holds no poses: no line begins with VERTEX_SE2 or VERTEX_SE3:QUAT")
    kind = _KINDS[name]
    others = [tag for n, k in _KINDS.items() if n != name for tag in (k.vertex, k.edge) if tag in rows]
    if others:
        raise FileError(f"{origin}, line {lines[others[0]][0]}: {others[0]} in a graph of {name} poses")
    n, t = kind.n_pose, kind.n_tangent
    vertices = _table(rows, lines, kind.vertex, 1 + n, origin)
    edges = _table(rows, lines, kind.edge, 2 + n + t * (t + 1) // 2, origin)
    held = _table(rows, lines, "FIX", 1, origin)
    ids = _ids(vertices[:, 0], lines[kind.vertex], origin)
    information = np.zeros((len(edges), t, t))
    i, j = np.triu_indices(t)
    information[:, i, j] = information[:, j, i] = edges[:, 2 + n :]
    _refuse_edges(edges, information, lines.get(kind.edge, []), origin)
    return PoseGraph(
        name=Path(origin).name.split(".")[0],
        kind=name,
        ids=ids,
        poses=_normal(vertices[:, 1:], lines[kind.vertex], origin),
        edges=_positions(edges[:, :2], ids, lines.get(kind.edge, []), origin),
        measurements=_normal(edges[:, 2 : 2 + n], lines.get(kind.edge, []), origin),
        information=information,
        fixed=_positions(held, ids, lines.get("FIX", []), origin)[:, 0],
    )


def _by_tag(text: str, origin: str) -> tuple[dict[str, list[str]], dict[str, list[int]]]:
    """The rest of each line, and its number, by the word it begins with."""
    known = {"FIX", *(k.vertex for k in _KINDS.values()), *(k.edge for k in _KINDS.values())}
    rows: dict[str, list[str]] = {}
    lines: dict[str, list[int]] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        tag, _, rest = line.strip().partition(" ")
        if not tag or tag.startswith("#"):
            continue
        if tag not in known:
            raise FileError(
                f"{origin}, line {number}: `{tag}` is not known; known are {', '.join(sorted(known))}"
            )
        rows.setdefault(tag, []).append(rest)
        lines.setdefault(tag, []).append(number)
    return rows, lines


def _table(
    rows: dict[str, list[str]], lines: dict[str, list[int]], tag: str, width: int, origin: str
) -> Matrix:
    """The numbers behind one tag, (k, width)."""
    texts = rows.get(tag, [])
    values = numbers("\n".join(texts))
    even = all(len(text.split()) == width for text in texts)
    if values is not None and even and np.isfinite(values).all():
        return values.reshape(len(texts), width)
    for text, line in zip(texts, lines[tag], strict=True):
        found = [parse(word, origin, line) for word in text.split()]
        if len(found) != width:
            raise FileError(f"{origin}, line {line}: {tag} has {width} numbers, here are {len(found)}")
        if not np.isfinite(found).all():
            raise FileError(f"{origin}, line {line}: a number is not finite")
    raise AssertionError("unreachable: some line is at fault")


def _ids(values: Matrix, lines: list[int], origin: str) -> Index:
    ids = integers(values)
    for wrong, what in ((ids != values, "is not a whole number"), (_repeated(ids), "is there twice")):
        if wrong.any():
            k = int(np.argmax(wrong))
            raise FileError(f"{origin}, line {lines[k]}: pose {values[k]:g} {what}")
    return ids


def _repeated(ids: Index) -> NDArray[np.bool_]:
    """True at each value that was there before."""
    again = np.ones(ids.size, dtype=bool)
    again[np.unique(ids, return_index=True)[1]] = False
    return again


def _refuse_edges(edges: Matrix, information: Matrix, lines: list[int], origin: str) -> None:
    """Edges that say nothing, say it twice, or weigh an error negatively."""
    if not lines:
        return
    lowest, largest = np.linalg.eigvalsh(information)[:, 0], np.abs(information).max(axis=(1, 2))
    for wrong, what in (
        (edges[:, 0] == edges[:, 1], "joins a pose with itself"),
        (largest == 0.0, "has an information matrix of zeros: it says nothing; leave it out"),
        # Files round their numbers: a matrix of rank below its size may come out below zero by that much.
        (lowest < -1e-6 * largest, "has an information matrix with a negative eigenvalue"),
    ):
        if wrong.any():
            k = int(np.argmax(wrong))
            raise FileError(
                f"{origin}, line {lines[k]}: the edge from {edges[k, 0]:g} to {edges[k, 1]:g} {what}"
            )
    if (found := first_repeat(edges)) is not None:
        earlier, later = found
        raise FileError(
            f"{origin}, line {lines[later]}: the edge from {edges[later, 0]:g} to {edges[later, 1]:g} is "
            f"that of line {lines[earlier]}, with the same numbers; leave one out"
        )


def _positions(values: Matrix, ids: Index, lines: list[int], origin: str) -> Index:
    """Positions of the poses named."""
    order = np.argsort(ids)
    place = np.minimum(np.searchsorted(ids[order], values), ids.size - 1)
    found = order[place]
    wrong = ids[found] != values
    if wrong.any():
        k, c = (int(i) for i in np.argwhere(wrong)[0])
        raise FileError(f"{origin}, line {lines[k]}: there is no pose {values[k, c]:g}")
    return np.asarray(found, dtype=np.intp)


def _normal(poses: Matrix, lines: list[int], origin: str) -> Matrix:
    """Poses with quaternions of length 1: files round them to six digits."""
    out: Matrix = poses.copy()
    if poses.shape[1] == 7:
        out[:, 3:] /= quaternion_lengths(poses[:, 3:], lines, origin)[:, None]
    return out
