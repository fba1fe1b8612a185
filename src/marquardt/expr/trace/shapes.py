"""Functions that only move elements: reshape, transpose, stack, take, ..."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .cells import Segments, map_leaves, rearrange, reshaped
from .leaves import Shape
from .symbol import Symbol


def positions_of(symbols: Sequence[Symbol]) -> list[np.ndarray]:
    """Arrays of flat positions, one per symbol, counted through."""
    out, start = [], 0
    for s in symbols:
        out.append(np.arange(start, start + s.size).reshape(s.shape))
        start += s.size
    return out


def move(function: Callable[[list[np.ndarray]], np.ndarray], symbols: Sequence[Symbol]) -> Symbol:
    """Apply a function that only moves elements; a scattered result waits until it is used."""
    positions = np.asarray(function(positions_of(symbols)))
    first = symbols[0]
    if len(symbols) == 1 and first.pending is None and positions.size > 32 and _scatters(first, positions):
        lazy = Symbol.__new__(Symbol)
        lazy.ctx, lazy.shape, lazy.kind, lazy.mask = first.ctx, positions.shape, first.kind, None
        lazy.owner, lazy._views = None, None
        lazy.pending = (first, positions)
        return lazy
    return rearrange(symbols, positions)


def _scatters(symbol: Symbol, positions: np.ndarray) -> bool:
    """Whether rows would be torn into single elements (as by ``np.column_stack((u, v)).ravel()``)."""
    from .cells import _cuts, cell_map

    if symbol.nodes.size == 1 or symbol.nodes.size > positions.size // 8:
        return False
    owner = cell_map(symbol.segments)[0][positions]
    return int(np.prod([len(_cuts(owner, axis)) for axis in range(owner.ndim)])) > positions.size // 2


def transpose(symbol: Symbol, axes: Sequence[int] | None = None) -> Symbol:
    """Permute axes; rows stay rows."""
    n = symbol.ndim
    order = tuple(range(n))[::-1] if axes is None else tuple(a % n for a in axes)
    if order == tuple(range(n)):
        return symbol
    segments = tuple(symbol.segments[a] for a in order)
    nodes = symbol.nodes.transpose(order).copy()
    im = None if symbol.im is None else symbol.im.transpose(order).copy()

    def change(cell: tuple[int, ...]) -> Any:
        block = tuple(segments[a][i] for a, i in enumerate(cell))
        old = tuple(block[order.index(a)] for a in range(n))
        return reshaped(symbol.ctx, old, order, block)

    map_leaves(symbol.ctx, nodes, im, change)
    return symbol.like(tuple(symbol.shape[a] for a in order), segments, nodes, im)


def reshape(symbol: Symbol, shape: Any, order: str = "C") -> Symbol:
    """Reshape; one block of rows stays one block."""
    if isinstance(shape, (int, np.integer)):
        shape = (int(shape),)
    new = tuple(int(n) for n in shape)
    if -1 in new:
        rest = -int(np.prod(new)) or 1
        new = tuple(symbol.size // rest if n == -1 else n for n in new)
    if int(np.prod(new)) != symbol.size:
        raise ValueError(f"cannot reshape array of size {symbol.size} into shape {new}")
    if new == symbol.shape:
        return symbol
    if order == "F":
        return move(lambda p: p[0].reshape(new, order="F"), [symbol])
    if symbol.pending is None and all(len(lengths) <= 1 for lengths in symbol.segments):
        nodes = symbol.nodes.reshape((1,) * len(new)).copy()
        im = None if symbol.im is None else symbol.im.reshape(nodes.shape).copy()
        map_leaves(symbol.ctx, nodes, im, lambda cell: reshaped(symbol.ctx, symbol.shape, None, new))
        return symbol.like(new, tuple((n,) for n in new), nodes, im)
    return move(lambda p: p[0].reshape(new), [symbol])


def ravel(symbol: Symbol, order: str = "C") -> Symbol:
    return symbol if symbol.ndim == 1 else reshape(symbol, (symbol.size,), order)


def concatenate(symbols: Sequence[Symbol], axis: int | None = 0) -> Symbol:
    """Blocks one after the other: each keeps its own expressions."""
    from .masks import join_masked

    if any(s.mask is not None for s in symbols):
        return join_masked(symbols)
    symbols = [s for s in symbols if s.size] or list(symbols[:1])
    if axis is None:
        symbols, axis = [ravel(s) for s in symbols], 0
    ndim = symbols[0].ndim
    axis %= ndim
    others = {tuple(lengths for a, lengths in enumerate(s.segments) if a != axis) for s in symbols}
    if len(others) > 1:
        shifted = axis
        return rearrange(symbols, np.concatenate(positions_of(symbols), axis=shifted))
    np.concatenate([np.empty(s.shape, dtype=bool) for s in symbols], axis=axis)  # NumPy's own errors
    segments = list(symbols[0].segments)
    segments[axis] = tuple(n for s in symbols for n in s.segments[axis])
    shape = list(symbols[0].shape)
    shape[axis] = sum(s.shape[axis] for s in symbols)
    nodes = np.concatenate([s.nodes for s in symbols], axis=axis)
    im = None
    if any(s.im is not None for s in symbols):
        im = np.concatenate([s.imag.nodes if s.im is None else s.im for s in symbols], axis=axis)
    kind = max((s.kind for s in symbols), key="bifc".index)
    return Symbol(symbols[0].ctx, tuple(shape), tuple(segments), nodes, im, kind)


def stack(symbols: Sequence[Symbol], axis: int = 0) -> Symbol:
    ndim = symbols[0].ndim + 1
    key: list[Any] = [slice(None)] * symbols[0].ndim
    key.insert(axis % ndim, None)
    if len({s.shape for s in symbols}) > 1:
        raise ValueError("all input arrays must have the same shape")
    return concatenate([s[tuple(key)] for s in symbols], axis % ndim)


def broadcast_to(symbol: Symbol, shape: Shape) -> Symbol:
    """Repeat along new and length-1 axes: leaves need not change."""
    np.broadcast_to(np.empty(symbol.shape, dtype=bool), shape)  # NumPy's own errors
    extra = len(shape) - symbol.ndim
    if not extra and shape == symbol.shape:
        return symbol
    segments: Segments = tuple(
        symbol.segments[a - extra] if a >= extra and symbol.shape[a - extra] == n else (n,)
        for a, n in enumerate(shape)
    )
    nodes = symbol.nodes.reshape((1,) * extra + symbol.nodes.shape)
    im = None if symbol.im is None else symbol.im.reshape(nodes.shape)
    return symbol.like(tuple(shape), segments, nodes, im)
