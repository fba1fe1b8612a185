"""Arguments and parameters as the function expects them, made of symbols."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .cells import Segments, blocks, units
from .context import Context, ObjectArray
from .leaves import Argument, Recipe, Window, plain_array
from .symbol import Symbol, unrolled, wrap

SMALL = 16


def argument(ctx: Context, value: Any, path: tuple[Any, ...]) -> Any:
    """An argument with its arrays and floats replaced by data symbols; anything else stays plain."""
    if isinstance(value, (float, np.floating)):
        node = ctx.leaf(Argument(path), np.asarray(value, dtype=np.float64))
        return wrap(ctx, node)
    if type(value) in (tuple, list):
        if value and all(isinstance(v, (int, float)) for v in value):
            return value
        return type(value)(argument(ctx, v, (*path, (k,))) for k, v in enumerate(value))
    if isinstance(value, dict):
        return {k: argument(ctx, v, (*path, (k,))) for k, v in value.items()}
    if hasattr(value, "columns") and hasattr(value, "iloc"):
        return Frame(ctx, value, path)
    found = plain_array(value) if isinstance(value, np.ndarray) else None
    if found is None and hasattr(value, "to_numpy"):
        found = value.to_numpy()
    if found is None or found.dtype.kind not in "biufc":
        return value
    return data(ctx, found, path)


def data(ctx: Context, value: Any, path: tuple[Any, ...]) -> Symbol:
    """A data array: its longest axis and every long axis are rows, short ones are unrolled."""
    shape = value.shape
    longest = max(shape, default=0)
    row_axes = [n > SMALL or n == 1 for n in shape]
    if shape and not any(r and n > 1 for r, n in zip(row_axes, shape, strict=True)):
        row_axes[len(shape) - 1 - shape[::-1].index(longest)] = True
    ctx.row_lengths.update(n for r, n in zip(row_axes, shape, strict=True) if r and n > 1)
    segments: Segments = tuple((n,) if rows else units(n) for rows, n in zip(row_axes, shape, strict=True))
    kind = {"u": "i"}.get(value.dtype.kind, value.dtype.kind)
    if kind == "c":
        parts = [(np.real(value), (*path, "real")), (np.imag(value), (*path, "imag"))]
    else:
        parts = [(np.asarray(value, dtype=np.float64), path)]
    nodes = [_leaves(ctx, part, segments, where) for part, where in parts]
    return Symbol(ctx, shape, segments, nodes[0], nodes[1] if kind == "c" else None, kind)


def _leaves(ctx: Context, part: Any, segments: Segments, path: tuple[Any, ...]) -> ObjectArray:
    counts = tuple(len(lengths) for lengths in segments)
    nodes = np.empty(counts, dtype=object)
    for cell, where in blocks(segments):
        recipe: Recipe = Argument(path)
        if nodes.size > 1:
            recipe = Window(recipe, part.ndim, where)
        nodes[cell] = ctx.leaf(recipe, np.asarray(part[where], dtype=np.float64))
    return nodes


class Frame(Mapping[str, Any]):
    """A table given as an argument: its columns are data symbols."""

    def __init__(self, ctx: Context, table: Any, path: tuple[Any, ...]) -> None:
        self._ctx, self._table, self._path = ctx, table, path
        self._made: dict[Any, Any] = {}

    def __getitem__(self, key: Any) -> Any:
        if key not in self._made:
            self._made[key] = argument(self._ctx, self._table[key], (*self._path, (key,)))
        return self._made[key]

    def __iter__(self) -> Any:
        return iter(self._table.columns)

    def __len__(self) -> int:
        return len(self._table)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if name in self._table.columns:
            return self[name]
        return getattr(self._table, name)


def parameter(ctx: Context, name: str, value: Any, names: list[str]) -> Any:
    """A parameter as symbols: a scalar, an array of scalars, or a mapping of either."""
    if hasattr(value, "valuesdict"):
        return Parameters({k: parameter(ctx, k, float(v), names) for k, v in value.valuesdict().items()})
    if isinstance(value, Mapping):
        return {k: parameter(ctx, str(k), v, names) for k, v in value.items()}
    found = np.asarray(value, dtype=np.float64)
    nodes = np.empty(found.shape, dtype=object)
    for index in np.ndindex(found.shape):
        nodes[index] = ctx.graph.param(len(names))
        names.append(f"{name}[{','.join(map(str, index))}]" if index else name)
        ctx.params.append(float(found[index]))
    return wrap(ctx, nodes.item()) if found.shape == () else unrolled(ctx, nodes)


class Parameters(dict[str, Any]):
    """What lmfit-style code expects: ``p["a"].value``, ``p["a"]`` in arithmetic, ``p.valuesdict()``."""

    def valuesdict(self) -> dict[str, Any]:
        return dict(self)


__all__ = ["Frame", "Parameters", "argument", "parameter"]
