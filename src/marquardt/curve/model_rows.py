"""A traced model on some rows of the data, evaluated for many parameter vectors at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..expr.interpret import interpret
from .candidates import Candidates
from .data import Data
from .parameters import Parameters
from .ranges import Ranges, ranges

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

MAX_ROWS = 256
"""Rows used to judge a candidate: more would not change which are promising."""


@dataclass
class ModelRows:
    """Per family of the trace: output nodes, columns, response (k, rows) and weights (k, rows)."""

    blocks: list[tuple[Sequence[Any], list[Vector], Matrix, Matrix | None]]

    @classmethod
    def of(cls, trace: Any, data: Data, most: int = MAX_ROWS) -> ModelRows:
        y, w = data.flat()
        blocks = []
        for family in trace.families:
            rows = np.asarray(family.rows).reshape(len(family.outputs), -1)
            if rows.size == 1 < y.size and len(trace.families) == 1:  # one value for all points
                columns = [c.extract(data.arguments) for c in family.columns]
                blocks.append((family.outputs, columns, y[None], None if w is None else w[None]))
                continue
            pick = _some(rows.shape[1], most)
            columns = [np.asarray(c.extract(data.arguments))[pick] for c in family.columns]
            rows = rows[:, pick]
            blocks.append((family.outputs, columns, y[rows], None if w is None else w[rows]))
        return cls(blocks)

    @property
    def outputs(self) -> list[Any]:
        return [node for nodes, *_ in self.blocks for node in nodes]

    def ranges(self, n_params: int) -> Ranges:
        """Ranges read from the family with the most rows."""
        nodes, columns, y, _ = max(self.blocks, key=lambda block: block[2].size)
        return ranges(nodes, columns, y, n_params)

    def project(
        self, drawn: Matrix, linear: Sequence[int], parameters: Parameters, robust: bool = False
    ) -> tuple[Vector, Matrix]:
        """Cost of each row of `drawn` (S, n) with its linear parameters at their best; the completed rows.

        The sum of squares, or if `robust` that of absolute residuals.
        """
        full = drawn.copy()
        costs = np.empty(len(full))
        n_rows = sum(block[2].size for block in self.blocks)
        step = max(1, 2**19 // (n_rows * (len(linear) + 1)))
        candidates = Candidates(self.evaluate, self.response(), self.weights(), robust)
        for begin in range(0, len(full), step):
            part = full[begin : begin + step]
            costs[begin : begin + step] = candidates.complete(part, linear, parameters)
        return costs, full

    def evaluate(self, params: Matrix) -> Matrix:
        """Model values (S, rows) for parameter vectors (S, n)."""
        leaves = [params[:, j : j + 1] for j in range(params.shape[1])]
        out = []
        for nodes, columns, y, _ in self.blocks:
            for value in interpret(nodes, leaves, [c[None, :] for c in columns]):
                out.append(np.broadcast_to(value, (len(params), y.shape[1])))
        return np.concatenate(out, axis=1)

    def response(self) -> Vector:
        return np.concatenate([y.ravel() for _, _, y, _ in self.blocks])

    def weights(self) -> Vector | None:
        parts = [w.ravel() for _, _, _, w in self.blocks if w is not None]
        return np.concatenate(parts) if parts else None


def _some(n: int, most: int) -> NDArray[np.intp] | slice:
    """At most `most` of `n` rows: one of each stretch, at random places, lest fast oscillations alias."""
    if n <= most:
        return slice(None)
    inside = np.random.default_rng(0).random(most)
    return np.asarray((np.arange(most) + inside) * (n / most)).astype(np.intp)
