"""Nine problems of Moré, Garbow and Hillstrom within bounds that matter, and their bounded minima.

Bounds after D. M. Gay (1984), A trust-region approach to linearly constrained optimization, in: Numerical
Analysis, Lecture Notes in Mathematics 1066, 72-105. At every minimum some bound is active
but at that of the Gaussian; at that of Beale the active bound has a multiplier of 0.

>>> from marquardt.datasets import mgh_bounded
>>> wood = mgh_bounded.load("wood")
>>> wood.upper, wood.start(10)
(array([  0.,  10., 100., 100.]), array([-30., -10., -30., -10.]))
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import DataError, suggestion
from . import mgh
from .mgh import Vector

SOURCE = "Gay (1984), A trust-region approach to linearly constrained optimization, LNM 1066, 72-105"


@dataclass(frozen=True, eq=False, repr=False)
class BoundedProblem:
    """Residuals of an MGH problem, the box from `lower` to `upper`, and `rss`, the least sum of squares."""

    name: str
    title: str
    residuals: Callable[[Any], Any]
    standard_start: Vector
    lower: Vector
    upper: Vector
    rss: float
    source: str = SOURCE

    @property
    def n(self) -> int:
        return len(self.standard_start)

    def start(self, factor: float = 1) -> Vector:
        """The standard start times `factor`, clipped into the box."""
        return np.clip(factor * self.standard_start, self.lower, self.upper)

    def solved(self, rss: float) -> bool:
        """True when `rss` is the least sum of squares, to 1e-6 of itself or 1e-14 absolutely.

        >>> load("brown_badly_scaled").solved(784.0001), load("brown_badly_scaled").solved(784.01)
        (True, False)
        """
        return rss <= self.rss * (1.0 + mgh.CLOSE) + mgh.NOTHING

    def __repr__(self) -> str:
        return f"BoundedProblem({self.name!r}, n={self.n})"


def names() -> tuple[str, ...]:
    """The names of the nine problems, those of `mgh`."""
    return tuple(_ROWS)


def load(name: str) -> BoundedProblem:
    """One problem by name; DataError names the nine where there is none of that name."""
    if name not in _ROWS:
        raise DataError(f"there is no bounded MGH problem {name!r}{suggestion(name, _ROWS)}")
    free, (lower, upper, rss) = mgh.load(name), _ROWS[name]
    box = np.array(lower, dtype=np.float64), np.array(upper, dtype=np.float64)
    return BoundedProblem(name, free.title, free.residuals, free.start, *box, rss)


def problems() -> tuple[BoundedProblem, ...]:
    """All nine.

    >>> len(problems())
    9
    """
    return tuple(map(load, _ROWS))


_ROWS: dict[str, tuple[list[float], list[float], float]] = {
    "powell_badly_scaled": ([0, 1], [1, 9], 1.51259367244e-10),
    "brown_badly_scaled": ([0, 3e-5], [1e6, 100], 783.999999295),
    "beale": ([0.6, 0.5], [10, 100], 0.0),
    "helical_valley": ([-100, -1, -1], [0.8, 1, 1], 0.990422120961),
    "gaussian": ([0.398, 1, -0.5], [4.2, 2, 0.1], 1.12793276962e-8),
    "box": ([0, 5, 0], [2, 9.5, 20], 1.14348180264e-4),
    "wood": ([-100] * 4, [0, 10, 100, 100], 1.55670080044),
    "brown_dennis": ([-10, 0, -100, -20], [100, 15, 0, 0.2], 88860.4797675),
    "biggs_exp6": ([0, 0, 0, 1, 0, 0], [2, 8, 1, 7, 5, 5], 5.32098659078e-4),
}
