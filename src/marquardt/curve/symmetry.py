"""One of several equal optima: interchangeable terms in a fixed order, free signs positive.

``a*exp(-b*x) + c*exp(-d*x)`` is the same with (a, b) and (c, d) exchanged, and a width enters a peak squared.
Which copy a search ends in is chance; the one with the fewest negative nonlinear parameters, then with
the smallest first ones (frequencies in the place of periods), is returned. Only exact symmetries count: found
by numbers, not by form.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]
Evaluate = Callable[[Matrix], Matrix]

MAX_NONLINEAR = 6
TOLERANCE = 1e-9


def canonical(
    evaluate: Evaluate, x: Vector, linear: Sequence[int], nonlinear: Sequence[int],
    periods: Collection[int] = (), phases: Collection[int] = (), box: tuple[Vector, Vector] | None = None,
) -> Vector:  # fmt: skip
    """The preferred copy of parameters `x` (n,); `evaluate` gives model values (S, rows) for (S, n).

    `periods` are compared as frequencies, `phases` moved between -π and π, with positive amplitudes; what
    leaves the `box` (lower and upper bounds) is no copy.
    """
    linear, nonlinear = list(linear), list(nonlinear)
    if not 0 < len(nonlinear) <= MAX_NONLINEAR:
        return x
    offset, basis = _parts(evaluate, x, linear)
    order = _Order(nonlinear, periods, phases, box)
    for _ in range(2 * MAX_NONLINEAR):
        better = _improve(evaluate, x, linear, order, offset, basis)
        if better is None:
            break
        x = better
        offset, basis = _parts(evaluate, x, linear)
    for j in order.phases:
        x = _positive(evaluate, x, linear, order, j)
    return x


def _positive(evaluate: Evaluate, x: Vector, linear: list[int], order: _Order, phase: int) -> Vector:
    """Half a turn of a phase where that leaves fewer negative amplitudes."""
    changed = x.copy()
    changed[phase] += np.pi if x[phase] <= 0.0 else -np.pi
    matched = _match(*_parts(evaluate, x, linear), *_parts(evaluate, changed, linear))
    if matched is None:
        return x
    changed[linear] = matched[1] * x[linear][matched[0]]
    fewer = (changed[linear] < 0.0).sum() < (x[linear] < 0.0).sum()
    return changed if fewer and order.allows(changed) else x


class _Order:
    """Which copies are preferred: few negative nonlinear parameters, then small ones."""

    def __init__(
        self, nonlinear: list[int], periods: Collection[int], phases: Collection[int],
        box: tuple[Vector, Vector] | None,
    ) -> None:  # fmt: skip
        self.nonlinear, self.box = nonlinear, box
        self.phases = [j for j in nonlinear if j in phases]
        self.inverse = np.array([j in periods for j in nonlinear], dtype=bool)
        self.signed = [j for j in nonlinear if j not in phases]

    def __call__(self, x: Vector) -> tuple[bool, int, tuple[float, ...]]:
        values = x[self.nonlinear]
        with np.errstate(divide="ignore"):
            compared = np.where(self.inverse, 1.0 / values, values)
        wound = bool(np.abs(x[self.phases]).max(initial=0.0) > np.pi * (1.0 + TOLERANCE))
        return wound, int((x[self.signed] < 0).sum()), tuple(compared.tolist())

    def allows(self, x: Vector) -> bool:
        return self.box is None or bool(((x >= self.box[0]) & (x <= self.box[1])).all())

    def changes(self, x: Vector) -> Iterator[Vector]:
        """`x` with phases unwound, a sign changed, or up to three pairs of parameters exchanged."""
        if self.phases:
            unwound = x.copy()
            unwound[self.phases] = np.remainder(x[self.phases] + np.pi, 2.0 * np.pi) - np.pi
            yield unwound
        for i in self.signed:
            if x[i] < 0.0:
                for together in ([i], *([i, j] for j in self.phases)):
                    changed = x.copy()
                    changed[together] = -x[together]
                    yield changed
        yield from _exchanges(x, self.nonlinear)


def _improve(
    evaluate: Evaluate, x: Vector, linear: list[int], order: _Order, offset: Vector, basis: Matrix
) -> Vector | None:
    for changed in order.changes(x):
        if order(changed) >= order(x):
            continue
        new_offset, new_basis = _parts(evaluate, changed, linear)
        matched = _match(offset, basis, new_offset, new_basis)
        if matched is not None:
            source, sign = matched
            changed[linear] = sign * x[linear][source]
            if order.allows(changed):
                return changed
    return None


def _exchanges(x: Vector, nonlinear: list[int]) -> Iterator[Vector]:
    """`x` with up to three pairs of nonlinear parameters exchanged."""
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
