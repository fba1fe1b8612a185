"""Least squares of many groups with parameters of their own and some shared: the arrow structure.

With own parameters first the Jacobian of group g is ``[A_g B_g]``, and the whole one an arrow: blocks A_g
along the diagonal, one border of columns B_g. QR of each group's rows eliminates its own parameters, what is
left of all groups is one small system in the shared ones (Golub, Plemmons 1980; Björck 1996, section 6.3).
Work and memory grow with the number of groups, not with its cube.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

EPS = float(np.finfo(float).eps)


@dataclass(frozen=True)
class Pair:
    """One number per parameter: `own` (G, k) and `shared` (s,)."""

    own: Array
    shared: Vector

    def __add__(self, other: Pair) -> Pair:
        return Pair(self.own + other.own, self.shared + other.shared)

    def __sub__(self, other: Pair) -> Pair:
        return Pair(self.own - other.own, self.shared - other.shared)

    def __mul__(self, other: Pair) -> Pair:
        return Pair(self.own * other.own, self.shared * other.shared)

    def __truediv__(self, other: Pair) -> Pair:
        return Pair(self.own / other.own, self.shared / other.shared)

    def __abs__(self) -> Pair:
        return Pair(np.abs(self.own), np.abs(self.shared))

    def maximum(self, other: Pair) -> Pair:
        return Pair(np.maximum(self.own, other.own), np.maximum(self.shared, other.shared))

    def clip(self, lower: Pair, upper: Pair) -> Pair:
        return Pair(np.clip(self.own, lower.own, upper.own), np.clip(self.shared, lower.shared, upper.shared))

    def where(self, mask: Flags, other: Pair) -> Pair:
        """These numbers where `mask` is true, elsewhere those of `other`."""
        return Pair(np.where(mask.own, self.own, other.own), np.where(mask.shared, self.shared, other.shared))

    @property
    def norm(self) -> float:
        return float(np.hypot(np.linalg.norm(self.own), np.linalg.norm(self.shared)))

    @property
    def largest(self) -> float:
        return float(max(np.max(self.own, initial=0.0), np.max(self.shared, initial=0.0)))

    @property
    def flat(self) -> Vector:
        """All of them: group after group, the shared ones last."""
        return np.concatenate([self.own.ravel(), self.shared])


@dataclass(frozen=True)
class Flags:
    """True or false per parameter, in the shapes of `Pair`."""

    own: Mask
    shared: Mask

    def __or__(self, other: Flags) -> Flags:
        return Flags(self.own | other.own, self.shared | other.shared)

    @property
    def any(self) -> bool:
        return bool(self.own.any() or self.shared.any())


@dataclass(frozen=True)
class Triangles:
    """[J f] of every group, folded: rows R and Q1'f over the columns (own, shared, f)."""

    rows: Array
    """Shape (G, k + s, k + s + 1)."""
    k: int

    @property
    def norms(self) -> Pair:
        """Lengths of the columns of J."""
        squares = np.einsum("gij,gij->gj", self.rows, self.rows)
        return Pair(np.sqrt(squares[:, : self.k]), np.sqrt(squares[:, self.k : -1].sum(axis=0)))

    def along(self, v: Pair) -> Array:
        """J v, as rows of the triangles, (G, k + s)."""
        own = np.einsum("gij,gj->gi", self.rows[:, :, : self.k], v.own)
        found: Array = own + self.rows[:, :, self.k : -1] @ v.shared
        return found

    def predicted(self, v: Pair) -> float:
        """Reduction of rss that the linear model predicts for the step v."""
        moved = self.along(v)
        return -float(2.0 * (self.rows[:, :, -1] * moved).sum() + (moved * moved).sum())


def triangle(rows: Array) -> Array:
    """The factors R of a stack of matrices."""
    found: Any = np.linalg.qr(rows, mode="r")
    return np.asarray(found)


def solved(a: Array, b: Array) -> Array:
    """Solutions of a stack of systems with one right side each."""
    found: Any = np.linalg.solve(a, b[..., None])[..., 0]
    return np.asarray(found)


class Arrow:
    """``[J D^-1; extra]`` factored: own parameters eliminated group by group, then the shared ones.

    With `damping` the extra rows are its square root, once per parameter. Without, they hold what the data
    do not determine: `held` parameters, and combinations whose singular value (columns scaled to length
    one) is below `threshold` times the largest.
    """

    def __init__(
        self,
        triangles: Triangles,
        d: Pair,
        damping: float,
        held: Flags,
        moved: Pair | None = None,
        threshold: float = 0.0,
    ) -> None:
        rows, k = triangles.rows, triangles.k
        self.k, self.s, self.held = k, rows.shape[1] - k, held
        scale = np.concatenate([d.own, np.broadcast_to(d.shared, (rows.shape[0], self.s))], axis=1)
        keep = ~np.concatenate([held.own, np.broadcast_to(held.shared, (rows.shape[0], self.s))], axis=1)
        columns = np.where(keep[:, None, :], rows[:, :, :-1] / scale[:, None, :], 0.0)
        z = rows[:, :, -1] if moved is None else rows[:, :, -1] + triangles.along(moved)
        self.null_own, self.null_shared = np.zeros((*held.own.shape, k)), np.zeros((self.s, 0))
        self.conditions: list[float] = [1.0]
        self._eliminate(columns, z, damping, threshold)
        self._border(damping, threshold)

    def _eliminate(self, columns: Array, z: Vector, damping: float, threshold: float) -> None:
        """QR of each group's rows."""
        k, s, n_groups = self.k, self.s, columns.shape[0]
        extra = np.zeros((n_groups, k, k))
        at = np.arange(k)
        if damping > 0.0:
            extra[:, at, at] = np.sqrt(damping)
        else:
            extra = extra + self._undetermined(columns[:, :, :k], self.held.own, threshold)
        extra[:, at, at] = np.where(self.held.own, 1.0, extra[:, at, at])
        below = np.zeros((n_groups, k, k + s + 1))
        below[:, :, :k] = extra
        folded = triangle(np.concatenate([np.dstack([columns, z]), below], axis=1))
        self.U, self.W = folded[:, :k, :k], folded[:, :k, k : k + s]
        self.b, self.rest = folded[:, :k, -1], folded[:, k : k + s, k:]

    def _undetermined(self, a: Array, held: Mask, threshold: float) -> Array:
        """Rows that hold the combinations of each group which the data do not tell."""
        norms = np.sqrt(np.einsum("gij,gij->gj", a, a))
        unit = np.where(norms > 0.0, norms, 1.0)
        _, sigma, vt = np.linalg.svd(a / unit[:, None, :])
        sigma = np.pad(sigma, ((0, 0), (0, a.shape[2] - sigma.shape[1])))
        largest = sigma.max(axis=1, keepdims=True, initial=0.0)
        null = sigma <= threshold * np.where(largest > 0.0, largest, 1.0)
        smallest = np.where(null, np.inf, sigma).min(axis=1, initial=np.inf)
        conditions = largest[:, 0] / smallest
        self.conditions.append(float(conditions[np.isfinite(conditions)].max(initial=1.0)))
        vectors = np.where(null[:, :, None], vt[:, : a.shape[2]], 0.0)
        self.null_own = np.where(held[:, None, :], 0.0, vectors)
        along = self.null_own / unit[:, None, :]
        lengths = np.sqrt((along * along).sum(axis=2, keepdims=True))
        along = along / np.where(lengths > 1e-300, lengths, 1.0)
        size = np.where(norms.max(axis=1, initial=0.0) > 0.0, norms.max(axis=1, initial=0.0), 1.0)
        found: Array = along * size[:, None, None]
        return found

    def _border(self, damping: float, threshold: float) -> None:
        """The system of the shared parameters."""
        s = self.s
        if s == 0:
            self.R, self.c = np.zeros((0, 0)), np.zeros(0)
            return
        rest = triangle(np.concatenate([self.rest.reshape(-1, s + 1), np.zeros((s, s + 1))]))
        extra = np.zeros((s, s + 1))
        if damping > 0.0:
            extra[:, :s] = np.sqrt(damping) * np.eye(s)
        else:
            columns = rest[:s, :s]
            # What the own parameters leave of a shared column must stand out of its own rounding errors.
            whole = np.sqrt((self.W**2).sum(axis=(0, 1)) + (columns**2).sum(axis=0))
            unit = np.where(whole > 0.0, whole, 1.0)
            _, sigma, vt = np.linalg.svd(columns / unit)
            null = sigma <= threshold
            kept = sigma[~null]
            self.conditions.append(1.0 / float(kept.min()) if kept.size else 1.0)
            vectors = np.where(self.held.shared, 0.0, vt[null])
            self.null_shared = vectors[np.abs(vectors).max(axis=1, initial=0.0) > 0.0].T
            along = vectors / unit
            lengths = np.linalg.norm(along, axis=1, keepdims=True)
            extra[: len(along), :s] = along / np.where(lengths > 0.0, lengths, 1.0) * unit.max()
        at = np.flatnonzero(self.held.shared)
        extra = np.concatenate([extra, np.eye(s, s + 1)[at]])
        folded = triangle(np.concatenate([rest, extra]))
        self.R, self.c = folded[:s, :s], folded[:s, s]

    @property
    def explained(self) -> float:
        """|Q1'f|: what a whole step would take away."""
        return float(np.hypot(np.linalg.norm(self.b), np.linalg.norm(self.c)))

    def step(self) -> Pair:
        """The minimizer, in scaled parameters."""
        shared = -solved(self.R, self.c) if self.s else self.c
        right = self.b + self.W @ shared
        return Pair(-solved(self.U, right), shared)

    def decay(self, t: Pair) -> float:
        """``t' (D^-1 J'J D^-1 + damping)^-1 t``: minus half the derivative of |t|² by the damping."""
        own = solved(self.U.transpose(0, 2, 1), t.own)
        left = t.shared - np.einsum("gij,gi->j", self.W, own)
        shared = solved(self.R.T, left) if self.s else left
        return Pair(own, shared).norm ** 2

    @property
    def n_null(self) -> int:
        """Combinations that the data do not determine."""
        own = int((np.abs(self.null_own).max(axis=2, initial=0.0) > 0.0).sum())
        return own + int(self.null_shared.shape[1])
