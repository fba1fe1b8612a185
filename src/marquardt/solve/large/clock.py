"""Where the time goes: a system whose calls are timed by phase."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any, Protocol
from weakref import ref

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
Mask = NDArray[np.bool_]
Arrays = list[Matrix]


PHASES = {
    "cost": "residuals", "linearize": "linearize", "factorize": "factorize", "step": "solve",
    "solve": "solve", "curvature": "solve",
}  # fmt: skip
"""Method of a system -> phase."""


class System(Protocol):
    """Residuals, J and damped steps; `ReferenceSystem` explains each, the core has them all."""

    def cost(self, values: Arrays) -> float: ...
    def not_finite(self, values: Arrays) -> tuple[int, int] | None: ...
    def squared_norms(self, values: Arrays, family: int) -> Matrix: ...
    def set_weights(self, family: int, weights: Matrix | None) -> None: ...
    def set_floor(self, floor: float) -> None: ...
    def linearize(self, values: Arrays) -> float: ...
    def gradient(self) -> Arrays: ...
    def diagonal(self) -> Arrays: ...
    def factorize(self, lam: float, frozen: Sequence[Mask] | None = None, exactly: bool = False) -> bool: ...
    def step(self) -> tuple[Arrays, float, int]: ...
    def solve(self, rhs: Arrays) -> Arrays: ...
    def curvature(self, deltas: Arrays) -> float: ...
    def inverse_diagonal(self, family: int) -> Matrix | None: ...
    def info(self) -> dict[str, Any]: ...


def _nowhere() -> None:
    return None


class TimedSystem:
    """A system with ``seconds`` by phase and the number of ``calls`` of each method."""

    def __init__(self, system: Any) -> None:
        self.system: System = system
        self._at: Any = _nowhere
        self._factor_of: Any = _nowhere
        self.weights: dict[int, Matrix | None] = {}
        self.seconds = dict.fromkeys(PHASES.values(), 0.0)
        self.calls = dict.fromkeys(PHASES, 0)
        for name, phase in PHASES.items():
            setattr(self, name, self._timed(name, phase))

    # Weak: a system is kept for the next solution of the same structure, and a point knows its problem, which
    # would then never be freed.
    @property
    def at(self) -> Any:
        """The point at which J was last evaluated."""
        return self._at()

    @at.setter
    def at(self, point: Any) -> None:
        self._at = ref(point)

    @property
    def factor_of(self) -> Any:
        """Who factorized last; None: a step."""
        return self._factor_of()

    @factor_of.setter
    def factor_of(self, owner: Any) -> None:
        self._factor_of = ref(owner)

    def set_weights(self, family: int, weights: Matrix | None) -> None:
        """As the system's; they are remembered."""
        self.system.set_weights(family, weights)
        self.weights[family] = weights

    def plain_squares(self, values: Arrays, family: int) -> Matrix:
        """|r_i|² of one family as if it had no weights, (n,)."""
        weights = self.weights.get(family)
        if weights is not None:
            self.system.set_weights(family, None)
        squares = np.asarray(self.system.squared_norms(values, family))
        if weights is not None:
            self.system.set_weights(family, weights)
        return squares

    def __getattr__(self, name: str) -> Any:
        return getattr(self.system, name)

    def _timed(self, name: str, phase: str) -> Callable[..., Any]:
        method, seconds, calls = getattr(self.system, name), self.seconds, self.calls
        this: Any = ref(self)

        def run(*args: Any) -> Any:
            begin = perf_counter()
            try:
                return method(*args)
            finally:
                seconds[phase] += perf_counter() - begin
                calls[name] += 1
                if name == "factorize":
                    this()._factor_of = _nowhere

        return run
