"""What a simulation returns: the data of many fits, and the truth behind them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Simulated:
    """Data of many fits with the parameters they were made from.

    x : the independent variable (m,), or a tuple of several. y : the data, (fits, m).
    truth : the parameters each fit was made from, (fits,) by name. start : common start values, or one of
    each fit. formula, model : the law as a formula and as a function of x and the parameters.
    sigma : the standard deviation of the noise where it is the same in all points, else None (counts).
    shape : of one fit's data as a picture, (m,) where it is none.
    """

    name: str
    formula: str
    model: Callable[..., Any]
    x: Array | tuple[Array, ...]
    y: Array
    truth: Mapping[str, Array]
    start: Mapping[str, Any]
    sigma: float | None = None
    shape: tuple[int, ...] = ()

    @property
    def images(self) -> Array:
        """The data of each fit in its shape: (fits, rows, columns) for spots; a view of `y`."""
        return self.y.reshape(len(self.y), *self.shape) if self.shape else self.y

    @property
    def mean(self) -> Array:
        """What the data scatter about: the model at the truth, (fits, m)."""
        x = self.x if isinstance(self.x, tuple) else (self.x,)
        return np.asarray(self.model(*x, **{name: values[:, None] for name, values in self.truth.items()}))

    def __len__(self) -> int:
        return len(self.y)

    def __repr__(self) -> str:
        names = ", ".join(self.truth)
        return f"Simulated({self.name!r}, {len(self.y)} fits of {self.y.shape[1]} points, parameters {names})"
