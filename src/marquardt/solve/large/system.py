"""The core's `System` of a compiled problem: arrays in the shapes of the families, callbacks called."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import _core
from .clock import Arrays, Mask, Matrix

NONE = np.empty(0)


def analyze(
    outline: Any, eliminated: int | None = None, solver: str = "auto", threads: int | None = None
) -> _core.Structure:
    """Begin to analyze the structure of a compiled problem, or of the `Outline` of one that is not yet, in a
    thread of the core; ``threads`` None: all."""
    slots = [
        [(position, np.ascontiguousarray(index, dtype=np.uint32)) for position, index in family.slots]
        for family in outline.families
    ]
    return _core.Structure(_sizes(outline), slots, eliminated, solver, threads or os.cpu_count() or 1)


def make_system(
    compiled: Any,
    eliminated: int | None = None,
    solver: str = "auto",
    threads: int | None = None,
    structure: _core.Structure | None = None,
) -> CoreSystem:
    """The system of a compiled problem, its structure analyzed here where it is not given."""
    return CoreSystem(compiled, structure or analyze(compiled, eliminated, solver, threads))


class CoreSystem:
    """What `ReferenceSystem` explains, by the core."""

    def __init__(self, compiled: Any, structure: _core.Structure) -> None:
        self.shapes = [(n, t) for n, _, t in _sizes(compiled)]
        self.n_families = len(compiled.families)
        self.callbacks = [(k, f.callback) for k, f in enumerate(compiled.families) if f.callback is not None]
        self.core = _core.System(structure, [_family(f) for f in compiled.families])

    def cost(self, values: Arrays) -> float:
        self._give(values)
        return float(self.core.cost(_flat(values)))

    def not_finite(self, values: Arrays) -> tuple[int, int] | None:
        for k in range(self.n_families):
            bad = ~np.isfinite(self.squared_norms(values, k))
            if bad.any():
                return k, int(np.argmax(bad))
        return None

    def squared_norms(self, values: Arrays, family: int) -> Matrix:
        self._give(values)
        return np.asarray(self.core.squared_norms(_flat(values), family))

    def set_weights(self, family: int, weights: Matrix | None) -> None:
        self.core.set_weights(family, weights)

    def set_floor(self, floor: float) -> None:
        self.core.set_floor(floor)

    def linearize(self, values: Arrays) -> float:
        for k, callback in self.callbacks:
            residuals, jacobian = _flat(callback.linear(values))
            self.core.give(k, residuals, jacobian)
        return float(self.core.linearize(_flat(values)))

    def gradient(self) -> Arrays:
        return self._shaped(self.core.gradient())

    def diagonal(self) -> Arrays:
        return self._shaped(self.core.diagonal())

    def curvature(self, deltas: Arrays) -> float:
        return float(self.core.curvature(_flat(deltas)))

    def factorize(self, lam: float, frozen: Sequence[Mask] | None = None, exactly: bool = False) -> bool:
        flat = None if frozen is None else [np.ascontiguousarray(f).ravel() for f in frozen]
        return bool(self.core.factorize(lam, flat, exactly))

    def step(self) -> tuple[Arrays, float, int]:
        deltas, predicted, inner = self.core.step()
        return self._shaped(deltas), float(predicted), int(inner)

    def solve(self, rhs: Arrays) -> Arrays:
        return self._shaped(self.core.solve(_flat(rhs)))

    def inverse_diagonal(self, family: int) -> Matrix | None:
        blocks = self.core.inverse_diagonal(family)
        n, t = self.shapes[family]
        return None if blocks is None else np.asarray(blocks).reshape(n, t, t)

    def info(self) -> dict[str, Any]:
        return dict(self.core.info())

    def _shaped(self, parts: Sequence[Matrix]) -> Arrays:
        return [np.asarray(p).reshape(shape) for p, shape in zip(parts, self.shapes, strict=True)]

    def _give(self, values: Arrays) -> None:
        """Let the core know the residuals of functions that are called back."""
        for k, callback in self.callbacks:
            self.core.give(k, _flat([callback.value(values)])[0], NONE)


def _sizes(outline: Any) -> list[tuple[int, int, int]]:
    return [(len(v.values), v.manifold.ambient, v.manifold.tangent) for v in outline.variables]


def _family(family: Any) -> tuple[Any, ...]:
    columns = [np.ascontiguousarray(column, dtype=np.float64) for column in family.columns]
    programs = None
    if family.callback is None:
        programs = family.value.native(), family.linear.native()
    return family.rows, columns if programs else [], programs, family.loss


def _flat(arrays: Sequence[NDArray[Any]]) -> Arrays:
    return [np.ascontiguousarray(a, dtype=np.float64).ravel() for a in arrays]
