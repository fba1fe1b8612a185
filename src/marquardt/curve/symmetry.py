"""One of several equal optima: interchangeable terms in a fixed order, free signs positive.

``a*exp(-b*x) + c*exp(-d*x)`` is the same with (a, b) and (c, d) exchanged, and a width enters a peak squared.
Which copy a search ends in is chance; the one with the fewest negative nonlinear parameters, then with
the smallest first ones, is returned. Only exact symmetries count: found by numbers, not by form.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]
Evaluate = Callable[[Matrix], Matrix]

MAX_NONLINEAR = 6
TOLERANCE = 1e-9


def canonical(evaluate: Evaluate, x: Vector, linear: Sequence[int], nonlinear: Sequence[int]) -> Vector:
    """The preferred copy of parameters `x` (n,); `evaluate` gives model values (S, rows) for (S, n)."""
    linear, nonlinear = list(linear), list(nonlinear)
    if not 0 < len(nonlinear) <= MAX_NONLINEAR:
        return x
    offset, basis = _parts(evaluate, x, linear)
    for _ in range(2 * MAX_NONLINEAR):
        better = _improve(evaluate, x, linear, nonlinear, offset, basis)
        if better is None:
            break
        x = better
        offset, basis = _parts(evaluate, x, linear)
    return x


def _improve(
    evaluate: Evaluate, x: Vector, linear: list[int], nonlinear: list[int], offset: Vector, basis: Matrix
) -> Vector | None:
    for changed in _changes(x, nonlinear):
        if _rank(changed[nonlinear]) >= _rank(x[nonlinear]):
            continue
        new_offset, new_basis = _parts(evaluate, changed, linear)
        matched = _match(offset, basis, new_offset, new_basis)
        if matched is not None:
            source, sign = matched
            changed[linear] = sign * x[linear][source]
            return changed
    return None


def _rank(values: Vector) -> tuple[int, tuple[float, ...]]:
    return int((values < 0).sum()), tuple(values.tolist())


def _changes(x: Vector, nonlinear: list[int]) -> Iterator[Vector]:
    """`x` with one sign changed, or with up to three pairs of nonlinear parameters exchanged."""
    for i in nonlinear:
        if x[i] < 0.0:
            changed = x.copy()
            changed[i] = -x[i]
            yield changed
    pairs = list(combinations(nonlinear, 2))
    for count in range(1, len(nonlinear) // 2 + 1):
        for chosen in combinations(pairs, count):
            left = [i for i, _ in chosen]
            right = [j for _, j in chosen]
            if len({*left, *right}) == 2 * count:
                changed = x.copy()
                changed[left], changed[right] = x[right], x[left]
                yield changed


def _parts(evaluate: Evaluate, x: Vector, linear: list[int]) -> tuple[Vector, Matrix]:
    """The model is ``offset + basis @ x[linear]``."""
    rows = np.tile(x, (len(linear) + 1, 1))
    rows[:, linear] = 0.0
    for k, j in enumerate(linear):
        rows[k + 1, j] = 1.0
    with np.errstate(all="ignore"):
        values = evaluate(rows)
    return values[0], (values[1:] - values[0]).T


def _match(
    offset: Vector, basis: Matrix, new_offset: Vector, new_basis: Matrix
) -> tuple[list[int], Vector] | None:
    """For each new basis column the old one it equals, and the sign; None when the models differ."""
    size = max(float(np.abs(offset).max(initial=0.0)), 1e-300)
    if not np.abs(new_offset - offset).max(initial=0.0) <= TOLERANCE * size:
        return None
    source: list[int] = []
    signs: list[float] = []
    for column in new_basis.T:
        found = _equal_column(basis, column, source)
        if found is None:
            return None
        source.append(found[0])
        signs.append(found[1])
    return source, np.array(signs)


def _equal_column(basis: Matrix, column: Vector, taken: list[int]) -> tuple[int, float] | None:
    for j in range(basis.shape[1]):
        size = TOLERANCE * float(np.abs(basis[:, j]).max(initial=0.0))
        for sign in (1.0, -1.0):
            if j not in taken and np.abs(column - sign * basis[:, j]).max(initial=0.0) <= size:
                return j, sign
    return None
