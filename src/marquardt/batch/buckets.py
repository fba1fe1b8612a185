"""Groups of any length as a few rectangular blocks, padded to the longest of similar ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Rows = NDArray[np.intp]

GROWTH = 1.25
"""The longest group of a block has at most so many times the points of the shortest: the padding costs less
than a quarter, where one block for all would cost as much as the longest group times their number."""
LEAST = 2
"""And up to so many points more, so that short groups do not each have a block of their own."""


@dataclass(frozen=True, slots=True)
class Block:
    """Groups of similar length, one a row."""

    groups: Rows
    """Their numbers."""
    rows: Rows
    """(groups, points): rows of the table; where the padding is, the group's first row again."""
    mask: NDArray[np.bool_] | None
    """False where the padding is; None: all lengths are equal."""

    def take(self, column: Array) -> Array:
        """A column by group, (groups, points)."""
        return column[self.rows]


def blocks(rows: Rows, counts: Rows) -> Iterator[Block]:
    """`rows` are those of group 0, then of group 1, and so on; `counts` how many each has.

    Groups without rows are in no block.

    >>> [(b.groups.tolist(), b.rows.tolist()) for b in blocks(np.arange(9), np.array([1, 0, 6, 2]))]
    [([0, 3], [[0, 0], [7, 8]]), ([2], [[1, 2, 3, 4, 5, 6]])]
    """
    begins = np.cumsum(counts) - counts
    by_length = np.argsort(counts, kind="stable")
    lengths = counts[by_length]
    at = int(np.searchsorted(lengths, 1))
    while at < lengths.size:
        longest = max(GROWTH * int(lengths[at]), int(lengths[at]) + LEAST)
        end = int(np.searchsorted(lengths, longest, side="right"))
        yield _block(np.sort(by_length[at:end]), rows, begins, counts)
        at = end


def _block(groups: Rows, rows: Rows, begins: Rows, counts: Rows) -> Block:
    place = np.arange(int(counts[groups].max()))
    mask = place < counts[groups, None]
    at = begins[groups, None] + np.where(mask, place, 0)
    return Block(groups, rows[at], None if mask.all() else mask)
