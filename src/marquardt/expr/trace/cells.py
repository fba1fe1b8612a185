"""Cells: how an array of any shape is held as few expressions.

Each axis is cut into segments; a cell is one expression for a block of elements (a product of segments). An
axis over data rows is one segment; an axis over parameters or components is cut into segments of length 1.
Within a cell, data leaves are aligned at the right with the block, so NumPy's broadcasting does the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from ..graph import Node
from .context import Context, ObjectArray, rebuild
from .leaves import Gather, Reshaped, Shape, Window, aligned, window

if TYPE_CHECKING:
    from .symbol import Symbol

Segments = tuple[tuple[int, ...], ...]
Change = Callable[[Node], Node]  # a data leaf to its replacement


def objects(shape: Shape, node: Any) -> ObjectArray:
    """An object array filled with one node."""
    out = np.empty(shape, dtype=object)
    out.fill(node)
    return out


def units(n: int) -> tuple[int, ...]:
    return (1,) * n


def blocks(segments: Segments) -> Iterator[tuple[tuple[int, ...], tuple[slice, ...]]]:
    """Each cell's index with the slices of the block that it covers."""
    per_axis = []
    for lengths in segments:
        start, axis = 0, []
        for i, length in enumerate(lengths):
            axis.append((i, slice(start, start + length)))
            start += length
        per_axis.append(axis)
    for cell in product(*per_axis):
        yield tuple(i for i, _ in cell), tuple(s for _, s in cell)


def block_shape(segments: Segments, cell: Sequence[int]) -> Shape:
    return tuple(lengths[i] for lengths, i in zip(segments, cell, strict=True))


def map_leaves(
    ctx: Context, nodes: ObjectArray, im: ObjectArray | None, change: Callable[[tuple[int, ...]], Change]
) -> None:
    """Replace in place the leaves of every cell; ``change(cell)`` gives the replacement rule of that cell."""
    for cell in np.ndindex(nodes.shape):
        memo: dict[Node, Node] = {}
        rule = change(cell)
        nodes[cell] = rebuild(ctx.graph, nodes[cell], rule, memo)
        if im is not None:
            im[cell] = rebuild(ctx.graph, im[cell], rule, memo)


# -- rules: what happens to a leaf ---------------------------------------------------------------------
def windowed(ctx: Context, ndim: int, key: tuple[Any, ...]) -> Change:
    """Leaves indexed by ints, slices and None (a block of ``ndim`` axes)."""
    cache: dict[Any, Node] = ctx.captured
    tag = (ndim, tuple((p.start, p.stop, p.step) if isinstance(p, slice) else p for p in key))

    def change(node: Node) -> Node:
        leaf = ctx.leaves[int(node.value)]
        found = cache.get((leaf.index, tag))
        if found is None:
            values = aligned(window(leaf.values, ndim, key))
            if values.shape == leaf.values.shape and values.size == leaf.values.size == _size(
                leaf.values, ndim, key
            ):
                found = node
            elif values.ndim == 0 and leaf.values.ndim == 1 and isinstance(key[-1], int):
                found = ctx.element(leaf.index, int(range(leaf.values.size)[key[-1]]))
            else:
                found = ctx.leaf(Window(leaf.recipe, ndim, key), values)
            cache[(leaf.index, tag)] = found
        return found

    return change


def _size(values: np.ndarray, ndim: int, key: tuple[Any, ...]) -> int:
    """Size of the result if the key keeps everything in order; -1 when a slice reverses or skips."""
    for part in key:
        if isinstance(part, slice) and (part.step not in (None, 1)):
            return -1
    return int(values.size)


def gathered(ctx: Context, shape: Shape, index: np.ndarray) -> Change:
    """Leaves broadcast to a block of ``shape``, then taken at flat positions ``index``."""
    cache: dict[Any, Node] = ctx.captured
    tag = (shape, index.shape, index.tobytes())

    def change(node: Node) -> Node:
        leaf = ctx.leaves[int(node.value)]
        found = cache.get((leaf.index, tag))
        if found is None:
            full = np.broadcast_to(leaf.values, shape)
            if index.ndim == 0 and leaf.values.size == full.size:
                found = ctx.element(leaf.index, int(index))
            elif leaf.values.size == 1:
                found = node if leaf.values.ndim == 0 else ctx.element(leaf.index, 0)
            else:
                found = ctx.leaf(Gather(leaf.recipe, shape, index), full.reshape(-1)[index])
            cache[(leaf.index, tag)] = found
        return found

    return change


def reshaped(ctx: Context, shape: Shape, axes: tuple[int, ...] | None, new: Shape) -> Change:
    """Leaves broadcast to a block of ``shape``, axes permuted, reshaped to ``new``."""
    cache: dict[Any, Node] = ctx.captured
    tag = ("reshape", shape, axes, new)

    def change(node: Node) -> Node:
        leaf = ctx.leaves[int(node.value)]
        found = cache.get((leaf.index, tag))
        if found is None:
            if leaf.values.size == 1:
                found = node if leaf.values.ndim == 0 else ctx.element(leaf.index, 0)
            else:
                full = np.broadcast_to(leaf.values, shape)
                values = np.reshape(full if axes is None else full.transpose(axes), new)
                found = ctx.leaf(Reshaped(leaf.recipe, shape, axes, new), values)
            cache[(leaf.index, tag)] = found
        return found

    return change


# -- alignment ----------------------------------------------------------------------------------------
def align(symbols: Sequence[Symbol]) -> tuple[Shape, Segments, list[Symbol]]:
    """Symbols cut along common segments, so that their cells broadcast like elements."""
    first = symbols[0]
    if all(s.shape == first.shape and s.segments == first.segments for s in symbols[1:]):
        return first.shape, first.segments, list(symbols)
    shape = np.broadcast_shapes(*[s.shape for s in symbols])
    segments: list[tuple[int, ...]] = []
    out = list(symbols)
    for axis in range(-len(shape), 0):
        length = shape[axis]
        if length == 1:
            segments.append((1,))
            continue
        cuts = {s.segments[axis] for s in out if len(s.shape) >= -axis and s.shape[axis] == length}
        if len(cuts) > 1:
            out = [coalesced(s, axis) if _has(s, axis, length) else s for s in out]
            cuts = {s.segments[axis] for s in out if _has(s, axis, length)}
        common = cuts.pop() if len(cuts) == 1 else _refine(cuts, length)
        out = [split(s, axis, common) if _has(s, axis, length) else s for s in out]
        segments.append(common)
    return shape, tuple(segments), out


def _has(symbol: Symbol, axis: int, length: int) -> bool:
    return len(symbol.shape) >= -axis and symbol.shape[axis] == length


def _refine(cuts: set[tuple[int, ...]], length: int) -> tuple[int, ...]:
    ends = sorted({int(e) for lengths in cuts for e in np.cumsum(lengths)})
    return tuple(int(n) for n in np.diff([0, *ends]))


def coalesced(symbol: Symbol, axis: int) -> Symbol:
    """The symbol with an unrolled axis merged to rows, when its elements have equal structure."""
    from .merge import merge_axis

    if len(symbol.segments[axis]) < 2:
        return symbol
    merged = merge_axis(symbol, axis)
    return symbol if merged is None else merged


def split(symbol: Symbol, axis: int, common: tuple[int, ...]) -> Symbol:
    """The symbol with one axis (negative) cut along finer segments."""
    old = symbol.segments[axis]
    if old == common:
        return symbol
    ndim = symbol.ndim
    axis += ndim
    pieces: list[tuple[int, slice, int]] = []  # old segment, slice within it, its length
    owner, start = 0, 0
    for length in common:
        if start == old[owner]:
            owner, start = owner + 1, 0
        pieces.append((owner, slice(start, start + length), old[owner]))
        start += length
    ctx = symbol.ctx
    take = [owner for owner, _, _ in pieces]
    nodes = np.take(symbol.nodes, take, axis=axis)
    im = None if symbol.im is None else np.take(symbol.im, take, axis=axis)

    def change(cell: tuple[int, ...]) -> Change:
        _, where, length = pieces[cell[axis]]
        if where == slice(0, length):
            return lambda node: node
        key: list[Any] = [slice(None)] * ndim
        key[axis] = where
        return windowed(ctx, ndim, tuple(key))

    map_leaves(ctx, nodes, im, change)
    segments = (*symbol.segments[:axis], common, *symbol.segments[axis + 1 :])
    return symbol.like(symbol.shape, segments, nodes, im)


# -- rearrangement --------------------------------------------------------------------------------------
def cell_map(segments: Segments) -> tuple[np.ndarray, np.ndarray]:
    """For every element (flat): the flat index of its cell, and its flat position within the block."""
    counts = tuple(len(lengths) for lengths in segments)
    shape = tuple(sum(lengths) for lengths in segments)
    cell = np.zeros(shape, dtype=np.intp)
    local = np.zeros(shape, dtype=np.intp)
    for axis, lengths in enumerate(segments):
        reach = np.asarray(lengths, dtype=np.intp)
        index = np.repeat(np.arange(len(lengths)), reach)
        inside = np.arange(shape[axis]) - np.repeat(np.cumsum(reach) - reach, reach)
        form = [1] * len(shape)
        form[axis] = -1
        cell = cell * counts[axis] + index.reshape(form)
        local = local * reach[index].reshape(form) + inside.reshape(form)
    return cell.reshape(-1), local.reshape(-1)


def rearrange(symbols: Sequence[Symbol], positions: np.ndarray) -> Symbol:
    """Elements at flat ``positions`` of the symbols, laid end to end (an integer array of the new shape).

    Any function that only moves elements is this one: it is applied to arrays of positions.
    """
    first = symbols[0]
    shape = positions.shape
    owner, local, cells = _owners(symbols, positions)
    segments = tuple(_cuts(owner, axis) for axis in range(len(shape)))
    counts = tuple(len(lengths) for lengths in segments)
    if prod(counts) > 200_000:
        first.ctx.abort("an array operation that mixes this many rows")
    nodes = np.empty(counts, dtype=object)
    im = np.empty(counts, dtype=object) if any(s.im is not None for s in symbols) else None
    for index, where in blocks(segments):
        block = local[where]
        source, cell = cells[int(owner[where].flat[0])] if block.size else cells[0]
        rule = gathered(first.ctx, block_shape(source.segments, cell), _squeeze(block))
        memo: dict[Node, Node] = {}
        nodes[index] = rebuild(first.ctx.graph, source.nodes[cell], rule, memo)
        if im is not None:
            other = first.ctx.graph.const(0.0) if source.im is None else source.im[cell]
            im[index] = rebuild(first.ctx.graph, other, rule, memo)
    result = first.like(shape, segments, nodes, im)
    result.kind = max((s.kind for s in symbols), key="bifc".index)
    return result


def _owners(
    symbols: Sequence[Symbol], positions: np.ndarray
) -> tuple[np.ndarray, np.ndarray, list[tuple[Symbol, tuple[int, ...]]]]:
    """For each position its cell and the place within the cell's block; and the list of cells."""
    cells = [(s, cell) for s in symbols for cell in np.ndindex(s.nodes.shape)]
    if len(cells) == 1:
        return np.zeros(positions.shape, dtype=np.intp), positions, cells
    owners, locals_, count = [], [], 0
    for s in symbols:
        cell_of, inside = cell_map(s.segments)
        owners.append(cell_of + count)
        locals_.append(inside)
        count += s.nodes.size
    return np.concatenate(owners)[positions], np.concatenate(locals_)[positions], cells


def _squeeze(block: np.ndarray) -> np.ndarray:
    while block.ndim and block.shape[0] == 1:
        block = block[0]
    return block


def _cuts(owner: np.ndarray, axis: int) -> tuple[int, ...]:
    """Segments of an axis such that the owning cell changes only between them."""
    n = owner.shape[axis]
    if n == 0:
        return ()
    change = np.diff(owner, axis=axis) != 0
    others = tuple(a for a in range(owner.ndim) if a != axis)
    ends = np.flatnonzero(change.any(axis=others)) + 1
    return tuple(int(length) for length in np.diff(np.concatenate(([0], ends, [n]))))
