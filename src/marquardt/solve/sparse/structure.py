"""Where a sparse Jacobian has numbers, and which of its columns can be differenced together."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import OptionError

Vector = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Structure:
    """Compressed rows of a Jacobian (m, n): row i has the columns ``columns[starts[i]:starts[i + 1]]``."""

    n: int
    starts: Indices
    columns: Indices

    @classmethod
    def of(cls, matrix: Any) -> Structure:
        """Of a matrix in SciPy's compressed rows, sorted and without doubles."""
        starts, columns = matrix.indptr.astype(np.int64), matrix.indices.astype(np.int64)
        return cls(matrix.shape[1], starts, columns)

    @property
    def m(self) -> int:
        return self.starts.size - 1

    @cached_property
    def rows(self) -> Indices:
        """The row of each number."""
        return np.repeat(np.arange(self.m), np.diff(self.starts))

    @cached_property
    def groups(self) -> Indices:
        """A group for each column, such that no row has two columns of a group (Curtis, Powell & Reid 1974).

        >>> Structure(4, np.array([0, 2, 4, 6]), np.array([0, 1, 1, 2, 2, 3])).groups
        array([0, 1, 0, 1])
        """
        order = np.argsort(self.columns, kind="stable")
        rows = self.rows[order].tolist()
        ends = np.cumsum(np.bincount(self.columns, minlength=self.n)).tolist()
        taken = [0] * self.m  # by row: the groups it has, as bits
        groups, start = np.zeros(self.n, dtype=np.int64), 0
        for j, end in enumerate(ends):
            mine = rows[start:end]
            here = 0
            for i in mine:
                here |= taken[i]
            free = ~here & (here + 1)  # the lowest bit that is not taken
            for i in mine:
                taken[i] |= free
            groups[j], start = free.bit_length() - 1, end
        return groups

    def same(self, other: Structure) -> bool:
        return np.array_equal(self.starts, other.starts) and np.array_equal(self.columns, other.columns)

    def matrix(self, values: Vector) -> Any:
        """The numbers as a SciPy array in compressed rows, (m, n)."""
        from scipy.sparse import csr_array

        return csr_array((values, self.columns, self.starts), shape=(self.m, self.n))


def compressed(given: Any, name: str, shape: tuple[int, int]) -> Any:
    """A sparse or dense matrix in compressed rows, sorted and without doubles.

    Raises OptionError where it has another shape, saying which was given.
    """
    from scipy.sparse import csr_array

    matrix = csr_array(given, copy=True)
    if matrix.shape != shape:
        raise OptionError(
            f"{name} has shape {matrix.shape}: {shape[0]} residuals of {shape[1]} parameters need {shape}"
        )
    matrix.sum_duplicates()
    return matrix
