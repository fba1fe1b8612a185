"""The numbers of a sparse Jacobian: from the caller, or from differences of groups of columns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from ...errors import ModelError
from ...problem.differences import EPS
from .structure import Structure, Vector, compressed


class Derivative(Protocol):
    """A sparse Jacobian."""

    structure: Structure
    words: str
    """How it is made."""
    n_calls: int
    """Evaluations of the residuals for differences."""

    def values(self, x: Vector, f: Vector) -> Vector | None:
        """Its numbers at x, row by row; None where the structure has changed: it is then another."""


class Given:
    """The caller's ``jac(x)``, sparse."""

    words = "given (jac=, sparse), compared with a difference of fun at the start"
    n_calls = 0

    def __init__(self, jac: Callable[[Vector], Any], x: Vector, m: int) -> None:
        self.jac, self.shape = jac, (m, x.size)
        self.kept = x.copy(), self._matrix(x)
        """The last x, and J there."""
        self.structure = Structure.of(self.kept[1])

    def values(self, x: Vector, f: Vector) -> Vector | None:
        if not np.array_equal(self.kept[0], x):
            self.kept = x.copy(), self._matrix(x)
        structure = Structure.of(self.kept[1])
        if not self.structure.same(structure):
            self.structure = structure
            return None
        return np.asarray(self.kept[1].data, dtype=np.float64)

    def _matrix(self, x: Vector) -> Any:
        return compressed(self.jac(x.copy()), "the Jacobian that jac returns", self.shape)

    def check(
        self, residuals: Callable[[Vector], Vector], x: Vector, f: Vector, box: tuple[Vector, Vector]
    ) -> None:
        """Compare J with a difference along an irregular direction, inside the bounds.

        Raises ModelError that names the residual where they differ most.
        """
        step = EPS ** (1 / 3) * np.random.default_rng(0).uniform(0.5, 1.0, x.size)
        step *= np.where(x == 0.0, 1.0, np.abs(x))
        up, down = np.minimum(x + step, box[1]), np.maximum(x - step, box[0])
        self.n_calls += 2
        found = (residuals(up) - residuals(down)) / EPS ** (1 / 3)
        J, v = self.kept[1], (up - down) / EPS ** (1 / 3)
        said, size = J @ v, abs(J) @ np.abs(v) + np.abs(f)
        with np.errstate(invalid="ignore", divide="ignore"):
            off = np.abs(found - said) / np.maximum(size, np.abs(found))
        if not np.isfinite(found).all() or not (off > WRONG).any():
            return
        i = int(np.nanargmax(off))
        raise ModelError(
            f"jac is wrong at the start: along one direction residual {i} changes by {found[i]:.6g}, and by "
            f"the Jacobian by {said[i]:.6g}; correct row {i} of it, or give jac_sparsity= and leave jac out"
        )


WRONG = 1e-3
"""A slope is wrong that differs by more than this part of the sizes that make it up."""


class Grouped:
    """Differences, with one evaluation (forward) or two (central) for each group of columns."""

    def __init__(
        self,
        residuals: Callable[[Vector], Vector],
        structure: Structure,
        lower: Vector,
        upper: Vector,
        central: bool = True,
        step: Any = None,
    ) -> None:
        self.residuals, self.structure, self.lower, self.upper = residuals, structure, lower, upper
        self.central, self.largest, self.n_calls = central, np.zeros(structure.n), 0
        self.step = (EPS ** (1 / 3) if central else EPS**0.5) if step is None else step
        n_groups = int(structure.groups.max(initial=-1)) + 1
        kind = "central" if central else "forward"
        self.words = f"finite differences: {kind}, {n_groups} groups of columns (jac_sparsity=)"
        self.members = [np.flatnonzero(structure.groups == g) for g in range(n_groups)]
        of_number = structure.groups[structure.columns]
        self.numbers = [np.flatnonzero(of_number == g) for g in range(n_groups)]

    def values(self, x: Vector, f: Vector) -> Vector:
        """Columns that start at zero are stepped as if they were 1."""
        self.largest = np.maximum(self.largest, np.abs(x))
        size = np.where(self.largest > 0.0, np.maximum(np.abs(x), 1e-3 * self.largest), 1.0)
        step = self.step * size
        up, down = self._ends(x, step)
        found = np.empty(self.structure.columns.size)
        for members, numbers in zip(self.members, self.numbers, strict=True):
            rows, columns = self.structure.rows[numbers], self.structure.columns[numbers]
            high, low = (self._at(x, f, members, to) for to in (up, down))
            found[numbers] = (high[rows] - low[rows]) / (up[columns] - down[columns])
        return found

    def _ends(self, x: Vector, step: Vector) -> tuple[Vector, Vector]:
        """Where each parameter is stepped to, inside the bounds."""
        if self.central:
            return np.minimum(x + step, self.upper), np.maximum(x - step, self.lower)
        there = np.where(x >= 0.0, x + step, x - step)
        outside = (there > self.upper) | (there < self.lower)
        there = np.clip(np.where(outside, 2.0 * x - there, there), self.lower, self.upper)
        return np.where(there == x, x + step, there), x

    def _at(self, x: Vector, f: Vector, members: Any, to: Vector) -> Vector:
        if to is x:
            return f
        self.n_calls += 1
        moved = x.copy()
        moved[members] = to[members]
        return self.residuals(moved)
