"""What is known about the end of a large problem: is it stationary, and what is not determined?"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .point import Mask, Matrix, Point
from .rules import UNDAMPED

FIRST, MOST = 12, 96
"""So many vectors look for directions without effect; twice as many again while all of them find one."""
DAMPING = 1e-9
"""Each round shrinks a direction of eigenvalue m beside one without effect by DAMPING / (m + DAMPING)."""
ROUNDS = 3
NULL = 1e-14
"""A direction has no effect if ``|J v|² <= NULL |D v|²``."""
LOCAL = 0.9
"""A unit direction without effect belongs to a variable alone if this part of its square is there."""


@dataclass(frozen=True, eq=False)
class NullSpace:
    """Directions along which no residual changes; ``vectors`` (n, k) over all tangents, in units of D."""

    vectors: Matrix
    scale: Matrix
    """D, (n,)"""
    idle: Mask
    """(n,) components that no residual depends on."""
    held: Mask
    """(n,) components that are fixed or at a bound."""
    shapes: tuple[tuple[int, int], ...]
    """Number of variables and of their tangents, family by family."""

    @cached_property
    def local(self) -> list[tuple[int, int, int]]:
        """Variables that such directions move alone: family, index, and the number of directions."""
        found = []
        first = 0
        for family, (n, t) in enumerate(self.shapes):
            N = self.vectors[first : first + n * t].reshape(n, t, -1)
            parts = np.linalg.eigvalsh(N @ N.transpose(0, 2, 1)) if N.size else np.zeros((n, t))
            alone = (parts > LOCAL).sum(axis=1) + self.idle[first : first + n * t].reshape(n, t).sum(axis=1)
            found += [(family, int(i), int(alone[i])) for i in np.flatnonzero(alone)]
            first += n * t
        return found


class SolveCertificate:
    """The numbers behind a verdict, worked out when they are asked for at the end point."""

    def __init__(self, point: Point) -> None:
        self._point = point

    # ------------------------------------------------------------------------------------------- stationary

    @property
    def gradient(self) -> float:
        """The largest cosine of a column of J with the residuals, ``|g_j| / (|J_j| |f|)``."""
        return self._point.cosine

    @cached_property
    def remaining(self) -> float:
        """The part of the cost that a whole Gauss-Newton step would still gain, by its own prediction."""
        point = self._point.linearized()
        if point.cost <= 0.0 or not point.task.system.factorize(UNDAMPED, point.frozen, True):
            return 0.0 if point.cost <= 0.0 else float("nan")
        return float(point.task.system.step()[1] / point.cost)

    # ------------------------------------------------------------------------------------------ what is free

    @cached_property
    def null_space(self) -> NullSpace:
        """Directions without effect, by inverse iteration on random vectors with a fixed seed."""
        return null_space(self._point)

    @property
    def n_free(self) -> int:
        """Components of the variables that may move."""
        return int(np.count_nonzero(~self.null_space.held))

    @property
    def rank(self) -> int:
        """Directions that the residuals determine, of ``n_free``."""
        return int(self.n_free - self.nullity)

    @property
    def nullity(self) -> int:
        """Directions without effect."""
        space = self.null_space
        return int(space.vectors.shape[1] + np.count_nonzero(space.idle))

    @cached_property
    def unobservable(self) -> tuple[str, ...]:
        """Variables that the residuals leave free by themselves, as ``point[1207]``."""
        variables = self._point.task.compiled.variables
        return tuple(f"{variables[family].name}[{i}]" for family, i, _ in self.null_space.local)

    @property
    def gauge_freedom(self) -> int:
        """Directions without effect that belong to all variables together, such as moving the whole scene."""
        return int(self.nullity - sum(count for _, _, count in self.null_space.local))

    @cached_property
    def sentences(self) -> tuple[str, ...]:
        """What is not determined, in words."""
        said = [_gauge_sentence(self._point, self.gauge_freedom)] if self.gauge_freedom else []
        names = self.unobservable
        if names:
            more = f" and {len(names) - 8} more" if len(names) > 8 else ""
            said.append(
                f"not determined by the residuals: {', '.join(names[:8])}{more}; add observations, a prior, "
                "or fix them"
            )
        return tuple(said)

    def to_dict(self) -> dict[str, Any]:
        """All numbers by name."""
        return {
            "gradient": self.gradient, "remaining": self.remaining, "n_free": self.n_free, "rank": self.rank,
            "gauge_freedom": self.gauge_freedom, "unobservable": list(self.unobservable),
        }  # fmt: skip

    def __repr__(self) -> str:
        lines = [
            f"largest gradient cosine  {self.gradient:.1e}",
            f"still to gain            {self.remaining:.1e} of the cost, by a whole Gauss-Newton step",
            f"rank                     {self.rank} of {self.n_free}",
        ]
        return "\n".join([*lines, *self.sentences])


def null_space(point: Point) -> NullSpace:
    """Directions v with ``|J v|² <= NULL |D v|²``, by inverse iteration with ``J'J + DAMPING D²``."""
    system = point.linearized().task.system
    diagonal = _joined(system.diagonal())
    none = np.zeros(diagonal.size, dtype=bool)
    held = none if point.frozen is None else _joined(point.frozen).astype(bool)
    idle = (diagonal == 0.0) & ~held
    scale = np.sqrt(np.where(diagonal > 0.0, diagonal, 1.0))
    still = held | idle
    shapes = tuple((len(g), g.shape[1]) for g in point.gradient)
    empty = NullSpace(np.zeros((diagonal.size, 0)), scale, idle, held, shapes)
    n = int(np.count_nonzero(~still))
    if not n or not system.factorize(DAMPING, _split(still, point), True):
        return empty
    count, vectors = min(FIRST, n), empty.vectors
    while True:
        vectors = _lowest(point, scale, still, count)
        ratios = np.array([float(system.curvature(_split(v / scale, point))) for v in vectors.T])
        found = ratios <= NULL
        if not found.all() or count >= min(n, MOST):
            return replace(empty, vectors=vectors[:, found])
        count = min(n, 2 * count)


def _lowest(point: Point, scale: Matrix, still: Mask, count: int) -> Matrix:
    """Orthonormal vectors (n, count), in units of D, that J changes least, the least first."""
    system = point.task.system
    vectors = np.random.default_rng(0).standard_normal((scale.size, count))
    vectors[still] = 0.0
    for _ in range(ROUNDS):
        Q = np.linalg.qr(vectors)[0]
        images = [system.solve(_split(scale * q, point)) for q in Q.T]
        vectors = np.stack([scale * _joined(x) for x in images], axis=1)
    T = Q.T @ vectors
    _, rotation = np.linalg.eigh(0.5 * (T + T.T))
    return np.asarray(np.linalg.qr(vectors @ rotation[:, ::-1])[0])


def _joined(parts: Any) -> NDArray[Any]:
    return np.concatenate([np.asarray(a).ravel() for a in parts])


def _split(row: NDArray[Any], point: Point) -> list[NDArray[Any]]:
    """A row of all tangents, family by family."""
    shapes = [g.shape for g in point.gradient]
    ends = np.cumsum([n * t for n, t in shapes])[:-1]
    pieces = np.split(row, ends)
    return [np.ascontiguousarray(p).reshape(s) for p, s in zip(pieces, shapes, strict=True)]


def _gauge_sentence(point: Point, freedom: int) -> str:
    """How many directions move everything at once, and whether that is as it should be."""
    kind, each = _gauge_of(point)
    parts = n_parts(point.task.compiled)
    said = f"gauge freedom of {freedom}"
    if kind and freedom == each and parts == 1:
        return f"{said}: as expected for {kind}"
    if kind and parts > 1 and freedom == each * parts:
        return f"{said}: {parts} parts that no residual joins, each with {each} as expected for {kind}"
    if kind and freedom < each:
        return f"{said}: what is fixed leaves {freedom} of the {each} of {kind}"
    return f"{said}: so many ways to move the variables together change no residual"


def _gauge_of(point: Point) -> tuple[str, int]:
    """The kind of problem by its variables, and the freedom that its scene has as a whole."""
    variables, eliminated = point.task.compiled.variables, point.task.eliminated
    tangents = [v.manifold.tangent for v in variables]
    if eliminated is not None and tangents[eliminated] == 3 and len(variables) > 1:
        return "bundle adjustment", 7
    if len(variables) == 1 and tangents[0] in (3, 6):
        return "a pose graph", tangents[0]
    return "", 0


def n_parts(compiled: Any) -> int:
    """Parts of the problem that no residual joins; variables without residuals do not count."""
    from scipy import sparse
    from scipy.sparse.csgraph import connected_components

    ends = np.cumsum([0, *(len(v.values) for v in compiled.variables)])
    used = np.zeros(int(ends[-1]), dtype=bool)
    rows, columns = [], []
    for family in compiled.families:
        at = [ends[position] + np.asarray(index, dtype=np.int64) for position, index in family.slots]
        for one in at:
            used[one] = True
            rows.append(at[0])
            columns.append(one)
    if not rows:
        return 0
    i, j = np.concatenate(rows), np.concatenate(columns)
    graph = sparse.coo_matrix((np.ones(i.size), (i, j)), shape=(used.size, used.size))
    label = connected_components(graph, directed=False)[1]
    return int(np.unique(label[used]).size)
