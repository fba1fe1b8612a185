"""Operations cell by cell: symbols are aligned, and each cell's nodes become one node (or a pair)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..graph import Node
from .cells import align, objects
from .context import ObjectArray
from .symbol import Symbol

Row = Callable[..., Symbol]


def cellwise(symbols: Sequence[Symbol], function: Callable[..., Node], kind: str) -> Symbol:
    """A new symbol with ``function`` applied to the real nodes of matching cells."""
    shape, segments, aligned = align(symbols)
    arrays = [s.nodes for s in aligned]
    out = _apply(function, arrays, len(shape))
    return _masked(Symbol(symbols[0].ctx, shape, segments, out, None, kind), symbols)


def _apply(function: Callable[..., Any], arrays: Sequence[ObjectArray], ndim: int) -> ObjectArray:
    if all(a.size == 1 for a in arrays):
        return objects((1,) * ndim, function(*[a.flat[0] for a in arrays]))
    cells = np.broadcast(*arrays)
    out = np.empty(cells.shape, dtype=object)
    out.reshape(-1)[:] = [function(*cell) for cell in cells]
    return out


def pairwise(symbols: Sequence[Symbol], function: Callable[..., tuple[Node, Node]]) -> Symbol:
    """A new complex symbol: ``function`` takes and returns (re, im) pairs of nodes."""
    shape, segments, aligned = align(symbols)
    zero = symbols[0].ctx.graph.const(0.0)
    arrays: list[ObjectArray] = []
    for s in aligned:
        arrays += [s.nodes, objects(s.nodes.shape, zero) if s.im is None else s.im]

    def pairs(*flat: Node) -> _Pair:
        return _Pair(function(*zip(flat[::2], flat[1::2], strict=True)))

    both = _apply(pairs, arrays, len(shape))
    re, im = np.empty(both.shape, dtype=object), np.empty(both.shape, dtype=object)
    for cell in np.ndindex(both.shape):
        re[cell], im[cell] = both[cell].nodes
    return _masked(Symbol(symbols[0].ctx, shape, segments, re, im, "c"), symbols)


class _Pair:
    """Two nodes as one object: NumPy would unpack a tuple."""

    __slots__ = ("nodes",)

    def __init__(self, nodes: tuple[Node, Node]) -> None:
        self.nodes = nodes


def _masked(result: Symbol, symbols: Sequence[Symbol]) -> Symbol:
    masks = [s.mask for s in symbols if s.mask is not None]
    if masks:
        from .masks import same_mask

        result.mask = same_mask(masks, symbols)
    return result


def promoted(symbols: Sequence[Symbol]) -> str:
    """The kind of an arithmetic result; booleans count as integers."""
    order = "bifc"
    return order[max(1, *(order.index(s.kind) for s in symbols))] if symbols else "f"
