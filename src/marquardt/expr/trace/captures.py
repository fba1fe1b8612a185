"""Concrete arrays that a function holds, as symbols."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..graph import Node
from .cells import Segments, blocks, units
from .context import Context
from .symbol import Symbol, constant


def captured(ctx: Context, value: Any) -> Symbol:
    """A concrete array: axes as long as the data's rows (or long) stay rows, others are unrolled."""
    kind = {"u": "i"}.get(value.dtype.kind, value.dtype.kind)
    if value.size == 1:
        return constant(ctx, value.item(), value.shape, kind)
    segments = tuple((n,) if _is_rows(ctx, n, value) else units(n) for n in value.shape)
    return leaves_of(ctx, value, segments, kind, ctx.capture)


def _is_rows(ctx: Context, n: int, value: Any) -> bool:
    return n in ctx.row_lengths or n > 16 or (n == 1)


def leaves_of(ctx: Context, value: Any, segments: Segments, kind: str, leaf: Callable[[Any], Node]) -> Symbol:
    """A symbol whose cells are leaves (or constants for single elements) of a concrete array."""
    counts = tuple(len(lengths) for lengths in segments)
    parts = [np.real(value), np.imag(value)] if kind == "c" else [value]
    out = []
    for part in parts:
        nodes = np.empty(counts, dtype=object)
        for cell, where in blocks(segments):
            block = part[where]
            nodes[cell] = ctx.graph.const(float(block.item())) if block.size == 1 else leaf(block)
        out.append(nodes)
    return Symbol(ctx, value.shape, segments, out[0], out[1] if kind == "c" else None, kind)
