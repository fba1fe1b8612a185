"""The structure of a problem: what can be eliminated, what residuals do not determine, what is apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .compiled import Compiled, Family, Outline

Counts = NDArray[np.intp]


def separable(compiled: Compiled | Outline) -> list[int]:
    """Positions of the variables of which no residual joins two: their part of J'J is block diagonal."""
    joined = set()
    for family in compiled.families:
        positions = [position for position, _ in family.slots]
        joined |= {p for p in positions if positions.count(p) > 1}
    return [k for k in range(len(compiled.variables)) if k not in joined]


def eliminated(compiled: Compiled | Outline) -> int | None:
    """Position of the variables that the Schur complement takes out; None: none, or nothing would be left.

    Of those whose part of J'J is block diagonal the ones with most free numbers: what is left is smallest.
    """
    able = separable(compiled)
    free = [int((~v.frozen).sum()) for v in compiled.variables]
    if not able or sum(n > 0 for n in free) < 2:
        return None
    best = max(able, key=free.__getitem__)
    return best if free[best] else None


@dataclass(frozen=True, eq=False)
class Determined:
    """What residuals say about the variables of one family, (n,) each."""

    name: str
    rows: Counts
    """Residuals that each variable is in."""
    items: Counts
    """Items of residuals that each variable is in."""
    free: Counts
    """Components of its steps that are not fixed."""

    @cached_property
    def unused(self) -> Counts:
        """Free variables in no residual."""
        return np.flatnonzero((self.rows == 0) & (self.free > 0))

    @cached_property
    def weak(self) -> Counts:
        """Variables in fewer residuals than they have free components."""
        return np.flatnonzero((self.rows > 0) & (self.rows < self.free))


def determined(compiled: Compiled) -> list[Determined]:
    """How many residuals each variable is in, family by family."""
    found = []
    for k, v in enumerate(compiled.variables):
        rows, items = np.zeros(v.n, np.intp), np.zeros(v.n, np.intp)
        for family in compiled.families:
            seen = _seen(family, k)
            if seen:
                # A variable that an item takes twice is in it once.
                own = seen[0] if len(seen) == 1 else _once(seen, family.n, v.n)
                count = np.bincount(own, minlength=v.n)
                items += count
                rows += family.rows * count
        found.append(Determined(v.name, rows, items, (~v.frozen).sum(axis=1)))
    return found


def _seen(family: Family, position: int) -> list[NDArray[Any]]:
    return [index for p, index in family.slots if p == position]


def _once(seen: Sequence[NDArray[Any]], n_items: int, n: int) -> NDArray[Any]:
    pairs = np.concatenate([np.arange(n_items) * n + index for index in seen])
    return np.asarray(np.unique(pairs) % n)


def parts(compiled: Compiled) -> tuple[int, list[NDArray[Any]]]:
    """How many parts share no residual, and to which each variable belongs; those in no residual to -1."""
    from scipy import sparse
    from scipy.sparse.csgraph import connected_components

    ends = np.cumsum([0, *(v.n for v in compiled.variables)])
    size = int(ends[-1])
    rows, columns = [np.empty(0, np.intp)], [np.empty(0, np.intp)]
    used = np.zeros(size, dtype=bool)
    for family in compiled.families:
        places = [ends[p] + index.astype(np.intp) for p, index in family.slots]
        for place in places:
            used[place] = True
        for place in places[1:]:
            rows.append(places[0])
            columns.append(place)
    pairs = np.concatenate(rows), np.concatenate(columns)
    graph = sparse.coo_matrix((np.ones(pairs[0].size, np.int8), pairs), shape=(size, size))
    _, label = connected_components(graph, directed=False)
    label = np.where(used, label, -1)
    names, renumbered = np.unique(label[used], return_inverse=True)
    label[used] = renumbered
    return names.size, [np.asarray(part) for part in np.split(label, ends[1:-1])]


def reduced_pattern(compiled: Compiled, without: int | None) -> tuple[Any, Counts]:
    """Which blocks of the reduced system are not zero, as a sparse matrix, and where its families begin."""
    from scipy import sparse

    kept = [k for k in range(len(compiled.variables)) if k != without]
    ends = np.cumsum([0, *(compiled.variables[k].n for k in kept)])
    first = {k: int(a) for k, a in zip(kept, ends, strict=False)}
    size = int(ends[-1])
    n_out = 0 if without is None else compiled.variables[without].n
    total = sparse.identity(size, dtype=np.float32, format="csr")
    through: Any = sparse.csr_matrix(([], ([], [])), shape=(size, n_out), dtype=np.float32)
    for family in compiled.families:
        places = [(first[p] + index.astype(np.intp)) for p, index in family.slots if p != without]
        if not places:
            continue
        ones = np.ones(family.n * len(places), np.float32)
        to = np.concatenate(places), np.tile(np.arange(family.n), len(places))
        joins = sparse.csr_matrix((ones, to), shape=(size, family.n))
        total = total + joins @ joins.T
        own = [] if without is None else _seen(family, without)
        if own:
            picks = np.ones(family.n, np.float32), (np.arange(family.n), own[0])
            through = through + joins @ sparse.csr_matrix(picks, shape=(family.n, n_out))
    total = total + through @ through.T
    return total, ends
