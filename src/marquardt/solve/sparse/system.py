"""Residuals of a vector x, their sparse Jacobian and damped steps: what the loop of large problems drives."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ... import _core
from ...problem.losses import Loss
from .derivative import Derivative
from .structure import Vector

Arrays = list[NDArray[np.float64]]


class SparseSystem:
    """The system of one family of numbers x, (n, 1), whose residuals are ``fun(x)``."""

    def __init__(
        self, residuals: Callable[[Vector], Vector], derivative: Derivative, loss: Loss | None
    ) -> None:
        self.residuals, self.derivative, self.loss = residuals, derivative, loss
        self.normal: Any = None
        self._analyze()
        self._last: tuple[bytes, Vector] | None = None
        self.values: Vector = np.empty(0)
        """The numbers of J where it was last evaluated, before the loss."""
        self.n_jacobians = 0
        self.floor = 1.0
        self._at: bytes | None = None

    def _analyze(self) -> None:
        s = self.derivative.structure
        self.normal = _core.Normal(s.n, s.starts, s.columns, os.cpu_count() or 1)

    def f(self, x: Vector) -> Vector:
        """The residuals; those of the last x are remembered."""
        key = x.tobytes()
        if self._last is None or self._last[0] != key:
            self._last = key, self.residuals(x.copy())
        return self._last[1]

    def cost(self, values: Arrays) -> float:
        f = self.f(values[0].ravel())
        with np.errstate(over="ignore", invalid="ignore"):
            cost = 0.5 * float(f @ f) if self.loss is None else self.loss.cost(f)
        return cost if math.isfinite(cost) else math.nan

    def not_finite(self, values: Arrays) -> tuple[int, int] | None:
        bad = np.flatnonzero(~np.isfinite(self.f(values[0].ravel())))
        return (0, int(bad[0])) if bad.size else None

    def squared_norms(self, values: Arrays, family: int) -> Vector:
        return self.f(values[0].ravel()) ** 2

    def set_weights(self, family: int, weights: Vector | None) -> None:
        if weights is not None:
            raise NotImplementedError("residuals of a function have no weights")

    def set_floor(self, floor: float) -> None:
        self.floor = floor

    def linearize(self, values: Arrays) -> float:
        x = values[0].ravel()
        f = self.f(x)
        if self._at != x.tobytes():  # else only the model of the loss is another
            self.values, self._at = self._jacobian(x, f), x.tobytes()
        J = self.values
        if self.loss is not None:
            # rows times r and residuals over r: J'J is the model of the loss, J'f its gradient
            model = np.maximum(self.loss.curvatures(f)[0], self.floor * self.loss.weights(f))
            root = np.sqrt(model)
            J = J * root[self.derivative.structure.rows]
            f = np.divide(self.loss.slopes(f), root, out=np.zeros_like(f), where=root > 0.0)
        self.normal.linearize(np.ascontiguousarray(J), np.ascontiguousarray(f))
        return self.cost(values)

    def _jacobian(self, x: Vector, f: Vector) -> Vector:
        """The numbers of J at x."""
        self.n_jacobians += 1
        found = self.derivative.values(x, f)
        if found is None:  # other places than before
            self._analyze()
            found = self.derivative.values(x, f)
            assert found is not None
        return found

    def gradient(self) -> Arrays:
        return [self.normal.gradient()]

    def diagonal(self) -> Arrays:
        return [self.normal.diagonal()]

    def curvature(self, deltas: Arrays) -> float:
        return float(self.normal.curvature(np.ascontiguousarray(deltas[0]).ravel()))

    def factorize(
        self, lam: float, frozen: Sequence[NDArray[np.bool_]] | None = None, exactly: bool = False
    ) -> bool:
        held = None if frozen is None else np.ascontiguousarray(frozen[0]).ravel()
        return bool(self.normal.factorize(lam, held))

    def step(self) -> tuple[Arrays, float, int]:
        p, predicted = self.normal.step()
        return [p.reshape(-1, 1)], float(predicted), 0

    def solve(self, rhs: Arrays) -> Arrays:
        return [self.normal.solve(np.ascontiguousarray(rhs[0]).ravel()).reshape(-1, 1)]

    def info(self) -> dict[str, Any]:
        return dict(self.normal.info())


@dataclass(frozen=True)
class Numbers:
    """x as one family of variables, as the loop of large problems knows them."""

    values: NDArray[np.float64]
    lower: NDArray[np.float64] | None
    upper: NDArray[np.float64] | None
    name: str = "x"

    @property
    def frozen(self) -> NDArray[np.bool_]:
        return np.zeros(self.values.shape, dtype=bool)

    @property
    def manifold(self) -> Numbers:
        return self

    tangent = 1
    ambient = 1


@dataclass(frozen=True)
class Whole:
    """One family of residuals of x: all of them."""

    n: int
    name: str
    slots: tuple[Any, ...] = ()
    rows: int = 1
    loss: Loss | None = None


@dataclass(frozen=True, eq=False)
class Unconnected:
    """What a compiled problem tells the loop: variables, families, and how a step is taken."""

    variables: tuple[Numbers, ...]
    families: tuple[Whole, ...]

    def retract(self, values: Arrays, deltas: Arrays) -> Arrays:
        return [x + d for x, d in zip(values, deltas, strict=True)]
