"""Sentences about a fit: how it ended, with both numbers, and names in prose."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import Status
from ..solve.certificate import ZERO

if TYPE_CHECKING:
    from ..solve.result import Result


def message(fit: Result) -> str:
    """The status as a sentence with both numbers of the comparison that decided."""
    if fit.status is Status.INTERRUPTED:
        return f"interrupted after {fit.nfev} evaluations at cost {fit.cost:.6g}: the best point is returned"
    return f"{_ending(fit)}: {fit.defect or _comparison(fit)}"


def _ending(fit: Result) -> str:
    if fit.status is Status.CONVERGED_AT_BOUND:
        at = [
            f"{p.name!r} at its {'lower' if p.at_bound < 0 else 'upper'} bound {p.value:g}"
            for p in fit.params.values()
            if p.at_bound
        ]
        return f"converged with {join(at)}"
    if fit.status is Status.NOT_UNIQUE:
        groups = null_groups(fit)
        names = [name for group in groups for name in group]
        if names:
            return f"converged, but the data do not determine {join([repr(n) for n in dict.fromkeys(names)])}"
    if fit.status is Status.MAX_EVALUATIONS:
        return f"evaluation limit reached after {fit.nfev} evaluations"
    return str(fit.status.value)


def _comparison(fit: Result) -> str:
    c = fit.certificate
    if c.offset <= c.tolerance:
        return f"relative offset {c.offset:.1e} <= tolerance {c.tolerance:.1e}"
    if c.scaled_gradient <= ZERO:
        return f"gradient zero to rounding, {c.scaled_gradient:.1f} <= {ZERO:g} rounding errors"
    return f"relative offset {c.offset:.1e} > tolerance {c.tolerance:.1e}"


def null_groups(fit: Result) -> list[tuple[str, ...]]:
    """For each direction along which the model does not change, the parameters that take part in it.

    Several such directions are turned so that each involves as few parameters as possible.
    """
    vectors = np.array(fit.undetermined_directions, dtype=float)
    if vectors.size == 0:
        return []
    vectors = _echelon(vectors)
    groups = []
    for v in vectors:
        size = np.abs(v)
        members = np.flatnonzero(size > 0.05 * size.max())
        groups.append(tuple(fit.free_names[j] for j in members))
    return groups


def _echelon(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Reduce rows by Gauss-Jordan elimination with complete pivoting: the same space, sparser vectors."""
    rows = vectors.copy()
    for k in range(len(rows)):
        block = np.abs(rows[k:])
        i, j = np.unravel_index(int(np.argmax(block)), block.shape)
        if block[i, j] < 1e-8:
            return np.asarray(rows[:k])
        rows[[k, k + i]] = rows[[k + i, k]]
        rows[k] /= rows[k, j]
        for other in range(len(rows)):
            if other != k:
                rows[other] -= rows[other, j] * rows[k]
    return np.asarray(rows)


def join(parts: Sequence[str]) -> str:
    """A list in prose.

    >>> join(["a", "b", "c"])
    'a, b and c'
    """
    return ", ".join(parts[:-1]) + " and " + parts[-1] if len(parts) > 1 else "".join(parts)


def align(rows: list[list[str]]) -> list[str]:
    """Columns of equal width: the first and the last flush left, the others flush right."""
    last = len(rows[0]) - 1
    widths = [max(len(cells[k]) for cells in rows) for k in range(last + 1)]
    lines = []
    for cells in rows:
        padded = [
            c.ljust(w) if k in (0, last) else c.rjust(w)
            for k, (c, w) in enumerate(zip(cells, widths, strict=True))
        ]
        lines.append("  ".join(padded).rstrip())
    return lines
