"""Covariance of the variables of a large problem, block by block.

The matrix is ``s² H⁺`` with H = J'J over the tangents. Where directions without effect are left (a gauge), H⁺
is the pseudo-inverse in unknowns scaled by D, D² = diag H, so that it does not depend on units and the best
known variables hold the frame: ``H⁺ = P G P'``. G inverts H with as many components pinned as there are such
directions, and P = I - N W' takes out what lies along them, N = D^-1 V, W = D V with orthonormal V (Triggs et
al. 2000, section 9).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError, ParameterError
from .point import Mask, Matrix, Point
from .verdict import NullSpace, _joined, _split


class Covariances:
    """Blocks of ``H⁺`` at a point."""

    def __init__(self, point: Point, space: NullSpace) -> None:
        self.point, self.space = point, space
        sizes = [g.size for g in point.gradient]
        self.first = np.cumsum([0, *sizes])
        self.names = [v.name for v in point.task.compiled.variables]

    @cached_property
    def pinned(self) -> Mask:
        """(n,) what is held so that the rest is determined: by pivoted elimination on the null vectors."""
        from scipy.linalg import qr

        pinned = self.space.held | self.space.idle
        N = self.space.vectors
        if N.shape[1]:
            order = qr(N.T, mode="r", pivoting=True)[1]
            pinned[order[: N.shape[1]]] = True
        return pinned

    @cached_property
    def lost(self) -> set[tuple[int, int]]:
        """Variables that the residuals do not determine: family and index."""
        return {(family, index) for family, index, _ in self.space.local}

    def block(self, a: tuple[int, int], b: tuple[int, int]) -> Matrix:
        """``H⁺`` between variable ``a[1]`` of family ``a[0]`` and another, (t_a, t_b)."""
        if {a, b} & self.lost:
            return self._unknown(a, b)
        rows, columns = self._components(*a), self._components(*b)
        if len(columns) > len(rows):
            return np.asarray(self.block(b, a).T)
        return np.stack([self.column(int(j))[rows] for j in columns], axis=1)

    def column(self, j: int) -> Matrix:
        """Column j of ``H⁺`` over all tangents."""
        self._factorize()
        V, D = self.space.vectors, self.space.scale
        unit = np.zeros(D.size)
        unit[j] = 0.0 if self.space.held[j] else 1.0
        unit -= D * (V @ (V[j] * unit[j] / D[j]))
        scaled = D * _joined(self.point.task.system.solve(_split(unit, self.point)))
        return np.asarray((scaled - V @ (V.T @ scaled)) / D)

    def _unknown(self, a: tuple[int, int], b: tuple[int, int]) -> Matrix:
        """Infinite variances, and covariances that have no value."""
        shape = self.space.shapes[a[0]][1], self.space.shapes[b[0]][1]
        block = np.full(shape, np.nan)
        if a == b:
            np.fill_diagonal(block, np.inf)
        return block

    def _factorize(self) -> None:
        system = self.point.task.system
        if system.at is self.point and system.factor_of is self:
            return
        self.point.linearized()
        if not system.factorize(0.0, _split(self.pinned, self.point), True):
            raise DataError(
                "the covariance does not exist: J'J is singular beyond the directions that "
                "result.certificate names"
            )
        system.factor_of = self

    def _components(self, family: int, index: int) -> NDArray[np.intp]:
        t = self.point.gradient[family].shape[1]
        return np.asarray(np.arange(t) + int(self.first[family]) + t * index, dtype=np.intp)

    def place(self, name: str, index: int) -> tuple[int, int]:
        """Position of a family and index of a variable in it. Raises ParameterError."""
        if name not in self.names:
            raise ParameterError(
                f"there are no variables {name!r}; there are {', '.join(map(repr, self.names))}"
            )
        family = self.names.index(name)
        n = len(self.point.values[family])
        if not -n <= index < n:
            raise ParameterError(f"{name}[{index}]: there are {n}, from 0 to {n - 1}")
        return family, index % n

    def all(self, name: str, indices: Sequence[int] | None) -> Matrix:
        """Blocks of several variables with themselves, (n, t, t); None: of all, by blocks of the inverse."""
        family = self.place(name, 0)[0]
        if indices is None:
            self._factorize()
            found = self.point.task.system.inverse_diagonal(family)
            if found is not None:
                return self._free(family, found)
        chosen = range(len(self.point.values[family])) if indices is None else indices
        places = [self.place(name, int(i)) for i in chosen]
        return np.stack([self.block(p, p) for p in places])

    def _free(self, family: int, inverse: Matrix) -> Matrix:
        """The blocks of ``P G P' = G - N M' - M N' + N (W'M) N'``, M = G W, from those of G."""
        V, D = self.space.vectors, self.space.scale[:, None]
        solved = [self.point.task.system.solve(_split(w, self.point)) for w in (D * V).T]
        if solved:
            M = np.stack([_joined(x) for x in solved], axis=1)
            n, t = self.space.shapes[family]
            rows = slice(int(self.first[family]), int(self.first[family + 1]))
            mine, theirs = (V / D)[rows].reshape(n, t, -1), M[rows].reshape(n, t, -1)
            crossed = mine @ theirs.transpose(0, 2, 1)
            middle = mine @ ((D * V).T @ M) @ mine.transpose(0, 2, 1)
            inverse = inverse - crossed - crossed.transpose(0, 2, 1) + middle
        for variable in (i for k, i in self.lost if k == family):
            inverse[variable] = self._unknown((family, variable), (family, variable))
        return inverse
