"""Data leaves: where a column of numbers comes from, and how to fetch it again from other arguments.

A recipe is a small immutable tree: an argument or a captured array at the bottom, slices, takes and reshapes
above. Replaying it on new arguments gives the same column of the new data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...masked import is_masked_array

Shape = tuple[int, ...]
Floats = NDArray[np.float64]


def plain_array(value: Any) -> Any:
    """A masked array without its mask; anything else as it is."""
    return np.ma.getdata(value) if is_masked_array(value) else value


@dataclass(frozen=True, slots=True)
class Argument:
    """An array found in the arguments: ``path`` holds the argument's index, then keys or "real" / "imag"."""

    path: tuple[Any, ...]

    def array(self, arguments: Sequence[Any]) -> Floats:
        found = arguments[self.path[0]]
        for step in self.path[1:]:
            found = getattr(np.asarray(found), step) if step in ("real", "imag") else found[step[0]]
        return np.asarray(plain_array(found), dtype=np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Captured:
    """An array that the function brought along (closure, global, constant), or computed from data alone."""

    values: Floats

    def array(self, arguments: Sequence[Any]) -> Floats:
        return self.values


@dataclass(frozen=True, slots=True)
class Window:
    """Basic indexing of a source, first broadcast against length-1 axes to ``ndim`` axes."""

    source: Recipe
    ndim: int
    key: tuple[Any, ...]

    def array(self, arguments: Sequence[Any]) -> Floats:
        return window(fetch(self.source, arguments), self.ndim, self.key)


@dataclass(frozen=True, slots=True, eq=False)
class Gather:
    """Elements ``index`` of a source broadcast to ``shape`` and flattened."""

    source: Recipe
    shape: Shape
    index: NDArray[np.intp]

    def array(self, arguments: Sequence[Any]) -> Floats:
        return np.broadcast_to(fetch(self.source, arguments), self.shape).reshape(-1)[self.index]


@dataclass(frozen=True, slots=True)
class Reshaped:
    """A source broadcast to ``shape``, its axes permuted, then reshaped to ``new``."""

    source: Recipe
    shape: Shape
    axes: tuple[int, ...] | None
    new: Shape

    def array(self, arguments: Sequence[Any]) -> Floats:
        full = np.broadcast_to(fetch(self.source, arguments), self.shape)
        return np.reshape(full if self.axes is None else full.transpose(self.axes), self.new)


@dataclass(frozen=True, slots=True, eq=False)
class Pieces:
    """Several columns one after the other."""

    sources: tuple[tuple[Recipe, Shape], ...]

    def array(self, arguments: Sequence[Any]) -> Floats:
        return np.concatenate([flat(fetch(source, arguments), shape) for source, shape in self.sources])


Recipe = Argument | Captured | Window | Gather | Reshaped | Pieces


def fetch(recipe: Recipe, arguments: Sequence[Any]) -> Floats:
    """The array of a recipe, aligned at the right: leading axes of length 1 dropped."""
    return aligned(recipe.array(arguments))


def aligned(values: Floats) -> Floats:
    while values.ndim and values.shape[0] == 1:
        values = values[0]
    return values


def window(array: Floats, ndim: int, key: tuple[Any, ...]) -> Floats:
    """Index ``array`` (padded to ``ndim`` axes) by ints, slices, None; length-1 axes stay broadcast."""
    array = array.reshape((1,) * (ndim - array.ndim) + array.shape)
    full: list[Any] = []
    axis = 0
    for part in key:
        if part is None:
            full.append(None)
            continue
        if array.shape[axis] == 1:
            part = slice(None) if isinstance(part, slice) else 0
        full.append(part)
        axis += 1
    found: Floats = array[tuple(full)]
    return found


def flat(array: Floats, shape: Shape) -> Floats:
    """``array`` broadcast to ``shape`` as a contiguous float64 vector, without a copy when possible."""
    if array.shape != shape:
        array = np.broadcast_to(array, shape)
    return np.ascontiguousarray(array, dtype=np.float64).reshape(-1)


class Leaf:
    """A data leaf of the graph being traced: an array aligned at the right with the rows it feeds."""

    __slots__ = ("_values", "index", "parent", "recipe")

    def __init__(self, index: int, recipe: Recipe, values: Floats) -> None:
        self.index, self.recipe, self._values = index, recipe, values
        self.parent: tuple[Leaf, int] | None = None  # set for one element of a flat leaf

    @property
    def values(self) -> Floats:
        return self._values


@dataclass(frozen=True, slots=True)
class Column:
    """One input column of a family: ``extract(arguments)`` gives its ``n_rows`` numbers."""

    recipe: Recipe
    shape: Shape

    @property
    def n_rows(self) -> int:
        return prod(self.shape)

    def extract(self, arguments: Sequence[Any]) -> Floats:
        """The column of these arguments as a contiguous float64 vector."""
        return flat(fetch(self.recipe, arguments), self.shape)
