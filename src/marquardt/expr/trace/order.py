# mypy: disable-error-code="no-any-return"
"""Order operations: the order found now is kept, under a guard that it stays so."""

from __future__ import annotations

from typing import Any

import numpy as np

from .context import PARAM
from .symbol import MAX_UNROLL, Symbol, lift, unroll
from .ufuncs import call

MAX_ORDERED = 300


def _hold(symbol: Symbol, name: str, smaller: Any, larger: Any) -> None:
    """Guard that elements at ``smaller`` stay at most those at ``larger``."""
    ctx = symbol.ctx
    if symbol.size > min(MAX_ORDERED, MAX_UNROLL):
        ctx.abort(name)
    nodes = unroll(symbol).nodes.reshape(-1)
    apply, together = ctx.graph.apply, ctx.graph.const(1.0)
    for i, j in zip(np.atleast_1d(smaller), np.atleast_1d(larger), strict=True):
        condition = ctx.bake(apply("le", nodes[i], nodes[j]))
        if condition.kind & PARAM:
            together = condition if together.op == "const" else apply("and", together, condition)
    ctx.truth(together, name)


def extreme(symbol: Symbol, axis: Any, name: str) -> Any:
    """argmin and argmax."""
    found = symbol.frozen()
    if found is not None:
        return getattr(np, name)(found, axis=axis)
    if symbol.ndim > 1 or symbol.mask is not None:
        symbol.ctx.abort(name)
    best = int(getattr(np, name)(symbol.concrete()))
    others, this = np.arange(symbol.size), np.full(symbol.size, best)
    _hold(symbol, name, *((this, others) if name == "argmin" else (others, this)))
    return best


def argsort(symbol: Symbol, axis: Any = -1) -> Any:
    found = symbol.frozen()
    if found is not None:
        return np.argsort(found, axis=axis)
    if symbol.ndim != 1 or symbol.mask is not None:
        symbol.ctx.abort("argsort")
    order = np.argsort(symbol.concrete(), kind="stable")
    _hold(symbol, "argsort", order[:-1], order[1:])
    return order


def sort(symbol: Symbol, axis: Any = -1) -> Symbol:
    found = symbol.frozen()
    if found is not None:
        return lift(symbol.ctx, np.sort(found, axis=axis))
    return symbol[argsort(symbol, axis)]


def searchsorted(table: Any, value: Any, side: Any = "left", sorter: Any = None) -> Any:
    """The place of a parameter among sorted data, guarded by its neighbors."""
    ctx = value.ctx if type(value) is Symbol else table.ctx
    table, value = lift(ctx, table), lift(ctx, value)
    sorted_values, wanted = table.frozen(), value.frozen()
    if sorted_values is not None and wanted is not None:
        return np.searchsorted(sorted_values, wanted, side)
    if sorted_values is None or value.size != 1 or sorter is not None:
        ctx.abort("searchsorted")
    place = int(np.searchsorted(sorted_values, value.concrete().item(), side))
    below, above = ("less", "less_equal") if side == "left" else ("less_equal", "less")
    if place > 0:
        bool(call(below, float(sorted_values[place - 1]), value))
    if place < len(sorted_values):
        bool(call(above, value, float(sorted_values[place])))
    return place
