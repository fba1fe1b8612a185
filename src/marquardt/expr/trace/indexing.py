"""Reading and writing elements: integers, slices, fancy indices and masks."""

# mypy: disable-error-code="no-any-return"
from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np

from ..graph import DATA
from .cells import map_leaves, rearrange, units, windowed
from .masks import MaskIndex, assign, select_rows
from .shapes import broadcast_to, concatenate, move, positions_of
from .symbol import Symbol, lift, unroll


def get(symbol: Symbol, key: Any) -> Any:
    """``symbol[key]``."""
    if isinstance(key, str):
        raise IndexError(
            "only integers, slices (`:`), ellipsis (`...`), numpy.newaxis (`None`) are valid indices"
        )
    mask = mask_of(symbol, key)
    if mask is not None:
        return select_rows(symbol, mask)
    key = _plain(key)
    if symbol.mask is not None:
        if key == (slice(None),) or key == (Ellipsis,):
            return symbol
        symbol = unmasked(symbol)
    if _basic(key):
        view = read(symbol, key)
        if view.shape:
            symbol.watch(view, key)
        return view
    return move(lambda p: p[0][key], [symbol])


def unmasked(symbol: Symbol) -> Symbol:
    """The elements that a mask selects now; only for a mask of data alone."""
    assert symbol.mask is not None
    mask = symbol.mask.frozen()
    if mask is None:
        symbol.ctx.abort("an element of a masked array")
    full = symbol.like(symbol.shape, symbol.segments, symbol.nodes, symbol.im)
    return move(lambda p: p[0][mask], [full])


def mask_of(symbol: Symbol, key: Any) -> Symbol | None:
    """The boolean symbol that a key stands for, if it does."""
    if isinstance(key, tuple) and len(key) == 1:
        key = key[0]
    if isinstance(key, MaskIndex):
        return key.mask
    return (
        key if type(key) is Symbol and key.kind == "b" and key.shape == symbol.shape and key.shape else None
    )


def _plain(key: Any) -> tuple[Any, ...]:
    """The key as a tuple of plain indices; symbols become guarded integers or (data alone) arrays."""
    parts = key if isinstance(key, tuple) else (key,)
    return tuple(_part(part) for part in parts)


def _part(part: Any) -> Any:
    if type(part) is Symbol:
        if part.shape == () and part.kind == "i":
            return int(part)
        value = part.frozen()
        if value is None:
            part.ctx.abort("an index that depends on parameters")
        return value
    if isinstance(part, slice):
        bounds = (part.start, part.stop, part.step)
        return slice(*[int(b) if isinstance(b, (Symbol, np.integer)) else b for b in bounds])
    if isinstance(part, list) and any(type(p) is Symbol for p in part):
        return [int(p) for p in part]
    return int(part) if isinstance(part, np.integer) else part


def _basic(key: tuple[Any, ...]) -> bool:
    return all(
        p is None or p is Ellipsis or (isinstance(p, (slice, int)) and not isinstance(p, bool)) for p in key
    )


def _expanded(key: tuple[Any, ...], ndim: int) -> tuple[Any, ...]:
    used = sum(p is not None and p is not Ellipsis for p in key)
    if used > ndim:
        raise IndexError(f"too many indices for array: array is {ndim}-dimensional, but {used} were indexed")
    fill = [slice(None)] * (ndim - used)
    if Ellipsis in key:
        at = key.index(Ellipsis)
        return (*key[:at], *fill, *key[at + 1 :])
    return (*key, *fill)


def read(symbol: Symbol, key: tuple[Any, ...]) -> Symbol:
    """Basic indexing without remembering the view."""
    if symbol.nodes.shape == symbol.shape and symbol.im is None:
        elements = _elements(symbol, key)
        if elements is not None:
            return elements
    key = _expanded(key, symbol.ndim)
    picks: list[list[tuple[int, Any]] | None] = []  # per part: (segment, part within it), None for a new axis
    axis = 0
    for part in key:
        if part is None:
            picks.append(None)
            continue
        found = _picks(symbol.segments[axis], symbol.shape[axis], part, axis)
        if found is None:
            return rearrange([symbol], positions_of([symbol])[0][key])
        picks.append(found)
        axis += 1
    return _windowed(symbol, key, picks)


def _elements(symbol: Symbol, key: tuple[Any, ...]) -> Symbol | None:
    """Elements of an array with a cell for each, as NumPy picks them; None where cells hold data, whose
    leaves are cut too. The components of one item are such an array, and most of a trace is picking them."""
    picked = symbol.nodes[key]
    nodes = np.array(picked, dtype=object)  # not a view: symbols are written to in place
    if any(node.kind & DATA for node in nodes.flat):
        return None
    return symbol.like(nodes.shape, tuple(units(n) for n in nodes.shape), nodes, None)


def _picks(lengths: tuple[int, ...], n: int, part: Any, axis: int) -> list[tuple[int, Any]] | None:
    if isinstance(part, int):
        if not -n <= part < n:
            raise IndexError(f"index {part} is out of bounds for axis {axis} with size {n}")
        part %= n
        if len(lengths) == n:
            return [(part, 0)]
        for segment, length in enumerate(lengths):
            if part < length:
                return [(segment, part)]
            part -= length
    start, stop, step = part.indices(n)
    if len(lengths) == n:
        return [(i, slice(None)) for i in range(start, stop, step)]
    if len(lengths) == 1:
        return [(0, slice(None) if (start, stop, step) == (0, n, 1) else part)]
    if step != 1:
        return None
    found, low = [], 0
    for segment, length in enumerate(lengths):
        first, last = max(start - low, 0), min(stop - low, length)
        if first < last:
            found.append((segment, slice(None) if (first, last) == (0, length) else slice(first, last)))
        low += length
    return found


def _windowed(symbol: Symbol, key: tuple[Any, ...], picks: list[list[tuple[int, Any]] | None]) -> Symbol:
    kept = [k for k, part in enumerate(key) if not isinstance(part, int)]
    sizes = [1 if picks[k] is None else len(picks[k] or ()) for k in kept]
    nodes = np.empty(tuple(sizes), dtype=object)
    im = None if symbol.im is None else np.empty(tuple(sizes), dtype=object)
    rules = np.empty(tuple(sizes), dtype=object)
    options = [[(None, None)] if p is None else p for p in picks]
    lengths: list[list[int]] = [[1] * size for size in sizes]
    for choice in product(*[list(enumerate(option)) for option in options]):
        cell = tuple(segment for _, (segment, _) in choice if segment is not None)
        where = tuple(choice[k][0] for k in kept)
        nodes[where] = symbol.nodes[cell]
        if im is not None and symbol.im is not None:
            im[where] = symbol.im[cell]
        local = tuple(part for _, (_, part) in choice)
        rules[where] = (
            None if all(p == slice(None) for p in local) else windowed(symbol.ctx, symbol.ndim, local)
        )
        axis = 0
        for k, (i, (segment, part)) in enumerate(choice):
            if segment is None:
                continue
            if k in kept:
                full = symbol.segments[axis][segment]
                lengths[kept.index(k)][i] = len(range(*part.indices(full)))
            axis += 1
    map_leaves(symbol.ctx, nodes, im, lambda where: rules[where] or _unchanged)
    segments = tuple(tuple(axis) for axis in lengths)
    return symbol.like(tuple(sum(axis) for axis in segments), segments, nodes, im)


def _unchanged(node: Any) -> Any:
    return node


# -- writing -----------------------------------------------------------------------------------------
def put(symbol: Symbol, key: Any, value: Any) -> None:
    """``symbol[key] = value``."""
    ctx = symbol.ctx
    value = lift(ctx, value)
    value = _cast(value, symbol)
    mask = mask_of(symbol, key)
    if mask is None and isinstance(key, np.ndarray) and key.dtype == bool and key.shape == symbol.shape:
        mask = lift(ctx, key)
    if mask is not None:
        symbol.replace(assign(symbol, mask, value))
        return
    if value.mask is not None:
        value = unmasked(value)
    key = _plain(key)
    if _basic(key):
        full = _expanded(key, symbol.ndim)
        if not any(p is None for p in full):
            _put_basic(symbol, full, value)
            return
    _put_anywhere(symbol, key, value)


def _cast(value: Symbol, symbol: Symbol) -> Symbol:
    if symbol.kind == "i" and value.kind == "f":
        from .ufuncs import call

        return call("trunc", value)
    if value.im is not None and symbol.kind != "c":
        return value.real
    return value


def _put_basic(symbol: Symbol, key: tuple[Any, ...], value: Symbol) -> None:
    if all(p == slice(None) for p in key):
        fresh = broadcast_to(_fit(value, symbol.shape), symbol.shape)
        if symbol.kind == "c" and fresh.im is None:
            fresh = Symbol(fresh.ctx, fresh.shape, fresh.segments, fresh.nodes, fresh.imag.nodes, "c")
        symbol.replace(_owned(fresh))
        return
    if all(isinstance(p, int) for p in key) and value.size == 1:
        _put_element(symbol, tuple(p % n for p, n in zip(key, symbol.shape, strict=True)), value)
        return
    partial = [a for a, p in enumerate(key) if p != slice(None)]
    if len(partial) == 1:
        axis = partial[0]
        part, n = key[axis], symbol.shape[axis]
        if isinstance(part, int):
            if not -n <= part < n:
                raise IndexError(f"index {part} is out of bounds for axis {axis} with size {n}")
            part = slice(part % n, part % n + 1)
            value = _with_axis(value, symbol, axis)
        start, stop, step = part.indices(n)
        if step == 1:
            _put_slab(symbol, axis, start, max(start, stop), value)
            return
    _put_anywhere(symbol, key, value)


def _with_axis(value: Symbol, symbol: Symbol, axis: int) -> Symbol:
    after = symbol.ndim - axis - 1
    if value.ndim < after:
        return value
    where: list[Any] = [slice(None)] * value.ndim
    where.insert(value.ndim - after, None)
    return read(value, tuple(where))


def _fit(value: Symbol, shape: tuple[int, ...]) -> Symbol:
    """NumPy drops leading axes of length 1 of an assigned value."""
    while value.ndim > len(shape) and value.shape[0] == 1:
        value = read(value, (0,))
    return value


def _owned(symbol: Symbol) -> Symbol:
    im = None if symbol.im is None else symbol.im.copy()
    return symbol.like(symbol.shape, symbol.segments, symbol.nodes.copy(), im)


def _put_element(symbol: Symbol, key: tuple[int, ...], value: Symbol) -> None:
    """One element; the array is unrolled at the first such write, later ones are in place."""
    for p, n in zip(key, symbol.shape, strict=True):
        if p >= n:
            raise IndexError(f"index {p} is out of bounds for axis with size {n}")
    loose = unroll(symbol)
    if loose is not symbol:
        loose = _owned(loose)
        symbol.segments, symbol.nodes, symbol.im = loose.segments, loose.nodes, loose.im
    symbol.nodes[key] = value.nodes.flat[0]
    if symbol.im is not None:
        symbol.im[key] = value.imag.nodes.flat[0]
    symbol.replace(symbol)


def _put_slab(symbol: Symbol, axis: int, start: int, stop: int, value: Symbol) -> None:
    shape = (*symbol.shape[:axis], stop - start, *symbol.shape[axis + 1 :])
    lead = (slice(None),) * axis
    middle = broadcast_to(_fit(value, shape), shape)
    parts = []
    if start > 0:
        parts.append(read(symbol, (*lead, slice(0, start))))
    if stop > start:
        parts.append(middle)
    if stop < symbol.shape[axis]:
        parts.append(read(symbol, (*lead, slice(stop, None))))
    joined = concatenate(parts, axis)
    if symbol.kind == "c" and joined.im is None:
        joined = Symbol(joined.ctx, joined.shape, joined.segments, joined.nodes, joined.imag.nodes, "c")
    symbol.replace(_owned(joined))


def _put_anywhere(symbol: Symbol, key: tuple[Any, ...], value: Symbol) -> None:
    """Any other index: elements of the old array and of the value, woven together."""
    index = np.arange(symbol.size).reshape(symbol.shape)
    shape = index[key].shape
    value = broadcast_to(_fit(value, shape), shape)
    index[key] = symbol.size + np.arange(value.size).reshape(shape)
    symbol.replace(rearrange([symbol, value], index))
