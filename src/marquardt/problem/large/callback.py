"""Families whose function is called back with arrays of all items at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ModelError
from ...expr.interpret import compile_numpy
from ..callback import REJECTS
from .lowering import Programs
from .manifolds import Manifold

Values = NDArray[np.float64]
Slots = Sequence[tuple[int, NDArray[np.uint32]]]

STEP = 6e-6
"""The cube root of the rounding: what central differences lose to it and to the third derivative is least."""

DIFFERENT = 1e-3
"""A Jacobian that differs from differences by more, as part of its largest entry in that column, is wrong."""


class GraphCallback:
    """A traced family with an operation that the core has no kernel for: exact derivatives by NumPy.

    ``matrix`` (1 or n, rows, rows) multiplies residuals: weights and square roots of information.
    """

    def __init__(
        self, made: Programs, slots: Slots, columns: Sequence[Values], n: int, matrix: Values | None
    ) -> None:
        self.slots, self.columns, self.n, self.matrix = slots, columns, n, matrix
        self.rows = len(made.value)
        self.run_value, self.run_linear = compile_numpy(made.value), compile_numpy(made.linear)

    def value(self, values: Sequence[Values]) -> Values:
        return _whitened(self.matrix, self._run(self.run_value, values)[:, :, None])[:, :, 0]

    def linear(self, values: Sequence[Values]) -> tuple[Values, Values]:
        out = self._run(self.run_linear, values)
        residuals, slopes = out[:, : self.rows, None], out[:, self.rows :].reshape(self.n, self.rows, -1)
        return _whitened(self.matrix, residuals)[:, :, 0], _whitened(self.matrix, slopes)

    def _run(self, run: Callable[..., list[Any]], values: Sequence[Values]) -> Values:
        inputs = [c for position, index in self.slots for c in values[position][index].T]
        found = run((), [*inputs, *self.columns])
        return np.stack([np.broadcast_to(np.asarray(f, dtype=np.float64), self.n) for f in found], axis=1)


class FunctionCallback:
    """A function that could not be traced, with its own Jacobian or central differences along the tangents.

    ``matrix`` is as in `GraphCallback`.
    """

    def __init__(
        self,
        name: str,
        call: Callable[..., Any],
        jacobian: Callable[..., Any] | None,
        slots: Slots,
        manifolds: Sequence[Manifold],
        data: Sequence[Any],
        n: int,
        rows: int,
        matrix: Values | None,
    ) -> None:
        self.name, self.call, self.jacobian, self.slots = name, call, jacobian, slots
        self.manifolds, self.data, self.n, self.matrix = manifolds, data, n, matrix
        self.rows = rows

    def value(self, values: Sequence[Values]) -> Values:
        return _whitened(self.matrix, self.plain([values[p][i] for p, i in self.slots])[:, :, None])[:, :, 0]

    def linear(self, values: Sequence[Values]) -> tuple[Values, Values]:
        x = [values[p][i] for p, i in self.slots]
        slopes = self._differences(x) if self.jacobian is None else self._own(x)
        residuals = self.plain(x)[:, :, None]
        return _whitened(self.matrix, residuals)[:, :, 0], _whitened(self.matrix, slopes)

    def plain(self, x: Sequence[Values]) -> Values:
        """Residuals (n, rows) as the function gives them. Raises ModelError for another shape."""
        try:
            with np.errstate(all="ignore"):
                found = np.asarray(self.call(*[a.copy() for a in x], *self.data), dtype=np.float64)
        except REJECTS:
            return np.full((self.n, self.rows), np.nan)  # not here: the step is refused
        if found.size != self.n * self.rows or found.shape[:1] != (self.n,):
            raise ModelError(
                f"{self.name!r} is called with arrays of all {self.n} items at once and must return "
                f"({self.n}, {self.rows}), not {found.shape}"
            )
        return np.ascontiguousarray(found.reshape(self.n, self.rows))

    def _own(self, x: Sequence[Values]) -> Values:
        """The user's Jacobian by values, (n, rows, components of all slots), by the tangents."""
        assert self.jacobian is not None
        found = self.jacobian(*[a.copy() for a in x], *self.data)
        parts = found if isinstance(found, (tuple, list)) else [found]
        joined = np.concatenate([np.asarray(p, dtype=np.float64) for p in parts], axis=-1)
        widths = [a.shape[1] for a in x]
        if joined.shape != (self.n, self.rows, sum(widths)):
            raise ModelError(
                f"the Jacobian of {self.name!r} must have shape ({self.n}, {self.rows}, {sum(widths)}), the "
                f"derivatives by the components of {' + '.join(map(str, widths))} values, not {joined.shape}"
            )
        ends = np.cumsum(widths)[:-1]
        pieces = zip(np.split(joined, ends, axis=2), x, self.manifolds, strict=True)
        return np.concatenate([_by_tangent(piece, a, m) for piece, a, m in pieces], axis=2)

    def check(self, values: Sequence[Values]) -> None:
        """Compare the Jacobian given with differences. Raises ModelError that names the component."""
        if self.jacobian is None:
            return
        x = [values[p][i] for p, i in self.slots]
        own, found = self._own(x), self._differences(x)
        size = np.maximum(np.abs(own), np.abs(found)).max(axis=(0, 1))
        wrong = np.abs(own - found) > DIFFERENT * np.where(size > 0.0, size, 1.0)
        if wrong.any():
            item, row, column = (int(k) for k in np.argwhere(wrong)[0])
            given, expected = own[item, row, column], found[item, row, column]
            raise ModelError(
                f"the Jacobian of {self.name!r}, item {item}, residual {row}, is {given:.6g} by component "
                f"{column} of the steps of all slots, by differences {expected:.6g}"
            )

    def _differences(self, x: Sequence[Values]) -> Values:
        columns = []
        for k, manifold in enumerate(self.manifolds):
            for j, h in enumerate(_steps(x[k], manifold)):
                ends = []
                for sign in (1.0, -1.0):
                    d = np.zeros((self.n, manifold.tangent))
                    d[:, j] = sign * h
                    ends.append(self.plain([*x[:k], manifold.retract(x[k], d), *x[k + 1 :]]))
                columns.append((ends[0] - ends[1]) / (2.0 * h)[:, None])
        return np.stack(columns, axis=2)


def _whitened(matrix: Values | None, rows: Values) -> Values:
    return rows if matrix is None else np.asarray(matrix @ rows)


def _steps(x: Values, manifold: Manifold) -> list[Values]:
    """Steps for differences along each component of the tangent, (n,) each."""
    if not manifold.flat:
        return [np.full(len(x), STEP)] * manifold.tangent
    usual = np.abs(x).mean(axis=0)
    size = np.maximum(np.abs(x), np.where(usual > 0.0, 0.01 * usual, 1.0))
    return [STEP * s for s in size.T]


def _by_tangent(slopes: Values, x: Values, manifold: Manifold) -> Values:
    """Derivatives by values times those of the motion, which are found by differences."""
    if manifold.flat:
        return slopes
    columns = []
    for j in range(manifold.tangent):
        d = np.zeros((len(x), manifold.tangent))
        d[:, j] = STEP
        columns.append((manifold.retract(x, d) - manifold.retract(x, -d)) / (2.0 * STEP))
    return np.asarray(slopes @ np.stack(columns, axis=2))
