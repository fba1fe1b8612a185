"""Where fits and points lie in arrays of any shape: those of the fits first, those of the points last."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, ParameterError
from ..masked import is_masked_array

Array = NDArray[Any]
Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Places:
    """Data of shape ``grid + points``."""

    grid: Shape
    points: Shape

    @classmethod
    def of(cls, variables: Sequence[Shape], data: Shape) -> Places:
        """Shared variables have the shape of the points; those of each fit the shape of the data.

        >>> Places.of([(32,)], (100, 100, 32))
        Places(grid=(100, 100), points=(32,))
        """
        shared = [shape for shape in variables if shape != data or len(data) == 1]
        points = shared[0] if shared else data[-1:]
        split = len(data) - len(points)
        if any(shape != points for shape in shared) or not points or data[split:] != points or split < 0:
            told = ", ".join(map(str, dict.fromkeys(variables)))
            raise DataError(
                f"shapes do not fit: x has {told}, the data {data}. Points come last: x is shaped like the "
                "last dimensions of the data, shared by all fits, or like all of them"
            )
        return cls(data[:split], points)

    @property
    def k(self) -> int:
        """The number of fits."""
        return math.prod(self.grid)

    @property
    def m(self) -> int:
        """The number of points of each."""
        return math.prod(self.points)

    def index(self, k: int) -> Any:
        """The place of fit number k on the grid: a number, or a tuple."""
        place = tuple(int(i) for i in np.unravel_index(int(k), self.grid or (1,)))
        return place[0] if len(place) == 1 else place

    def number(self, index: Any) -> int:
        """The number of the fit at a place; IndexError where there is none."""
        place = index if isinstance(index, tuple) else (index,)
        grid = self.grid or (1,)
        if len(place) != len(grid) or any(not -n <= i < n for i, n in zip(place, grid, strict=True)):
            raise IndexError(f"there is no fit {index!r}: they are arranged as {grid}")
        wrapped = tuple(int(i) % n for i, n in zip(place, grid, strict=True))
        return int(np.ravel_multi_index(wrapped, grid))

    def variable(self, values: Array) -> Array:
        """An independent variable as (m,) or (k, m)."""
        return values.reshape(-1) if values.shape == self.points else values.reshape(self.k, self.m)

    def of_one(self, values: Array) -> Array:
        """The variable of the first fit, (m,)."""
        found = self.variable(values)
        return found if found.ndim == 1 else np.ascontiguousarray(found[0])

    def beside(self, given: Any, name: str, truth: bool = False) -> Array:
        """Weights, a mask and the like: for all, by point, by fit, or for every point of every fit."""
        if is_masked_array(given) and given.mask.any():
            raise DataError(f"{name} is a masked array: a point is left out by mask=, or by NaN in the data")
        values = np.asarray(given)
        if values.dtype.kind not in "biuf":
            raise DataError(f"{name} is of type {values.dtype}, not real numbers")
        if values.shape == self.grid + self.points:
            values = values.reshape(self.k, self.m)
        elif values.shape == self.points or values.ndim == 0:
            values = values.reshape(-1)
        elif values.shape in (self.grid, self.grid + (1,) * len(self.points)):
            values = values.reshape(self.k, 1)
        else:
            raise DataError(
                f"{name} has the shape {values.shape}; it may be a number, {self.points} (by point), "
                f"{self.grid} (by fit), or {self.grid + self.points}"
            )
        return values.astype(bool) if truth else np.asarray(values, dtype=np.float64)

    def told(self, at: Any, shape: Shape) -> str:
        """Where an entry of an array made by `beside` stands, in words."""
        words = []
        if len(shape) == 2:
            words.append(f"fit {self.index(int(at[0]))}")
        if shape[-1] == self.m and self.m > 1:
            words.append(f"point {int(at[-1])}")
        return f" in {', '.join(words)}" if words else ""

    def table(self, y: Array) -> Any:
        """The data with one row for each fit: a view, or where that is none, rows on demand."""
        flat = y.view()
        try:
            flat.shape = (self.k, self.m)  # unlike reshape it does not copy
        except AttributeError:
            return Rows(y, self)
        return flat

    def rows(self, values: Array, name: str) -> Array:
        """One row for each fit, (k, any)."""
        if values.shape[:-1] not in (self.grid, (self.k,)):
            raise ParameterError(
                f"{name} has the shape {values.shape}: of each fit that is {(*self.grid, 'parameters')}"
            )
        return values.reshape(self.k, -1)


class Columns:
    """A table with a row for each fit. Its columns are arrays (k,) of the caller or numbers; rows are put
    together when they are asked for. (As a whole that took 3 to 5 % of the time of a million small fits.)"""

    def __init__(self, parts: Sequence[Array | float], k: int) -> None:
        self.parts, self.k = list(parts), k

    def of(self, which: Sequence[int]) -> Columns:
        """Some of the columns."""
        return Columns([self.parts[i] for i in which], self.k)

    def __getitem__(self, at: Array | slice) -> Array:
        k = len(range(*at.indices(self.k))) if isinstance(at, slice) else len(at)
        rows = np.empty((k, len(self.parts)))
        for to, part in zip(rows.T, self.parts, strict=True):
            to[:] = part[at] if isinstance(part, np.ndarray) else part
        return rows


class Rows:
    """Data whose memory is in another order, (k, m): copied row by row when they are asked for."""

    def __init__(self, y: Array, places: Places) -> None:
        self.y, self.places = y, places
        self.dtype, self.shape, self.size, self.nbytes = y.dtype, (places.k, places.m), y.size, y.nbytes

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, at: Any) -> Array:
        k, m = self.shape
        rows = np.arange(k)[at] if isinstance(at, slice) else np.asarray(at)
        return np.asarray(self.y[np.unravel_index(rows, self.places.grid)].reshape(-1, m))

    def sample(self, count: int) -> Array:
        """So many values, evenly spread."""
        at = np.linspace(0, self.size - 1, min(count, self.size)).astype(np.int64)
        return np.asarray(self.y[np.unravel_index(at, self.y.shape)])
