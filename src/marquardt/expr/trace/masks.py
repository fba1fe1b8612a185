"""Boolean masks that depend on parameters: arrays stay full-length, assignment becomes a choice per row."""

# mypy: disable-error-code="no-any-return"
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .context import PARAM
from .symbol import Symbol, lift


class MaskIndex:
    """What ``np.where(mask)[0]`` and ``np.nonzero(mask)[0]`` stand for."""

    def __init__(self, mask: Symbol) -> None:
        self.mask = mask

    def __len__(self) -> int:
        return int(count(self.mask))

    @property
    def size(self) -> Symbol:
        return count(self.mask)

    def __getitem__(self, key: Any) -> Any:
        """The first or last place, guarded: those before (after) it stay outside the mask."""
        ctx = self.mask.ctx
        found = np.flatnonzero(self.mask.concrete())
        if not self.mask.depends & PARAM:
            ctx.data_bound = True
            return found[key]
        if key not in (0, -1) or self.mask.size > 500:
            ctx.abort("where")
        place = int(found[key])
        outside = self.mask[:place] if key == 0 else self.mask[place + 1 :]
        for element, outcome in [*((e, False) for e in outside), (self.mask[place], True)]:
            assert bool(element) is outcome
        return place


def choose(condition: Symbol, yes: Any, no: Any) -> Symbol:
    """``np.where(condition, yes, no)``."""
    from .cellwise import cellwise, pairwise, promoted
    from .ufuncs import call

    ctx = condition.ctx
    yes, no = lift(ctx, yes), lift(ctx, no)
    if condition.kind != "b":
        condition = call("not_equal", condition, 0)
    apply = ctx.graph.apply
    if yes.im is not None or no.im is not None:
        return pairwise(
            (condition, yes, no),
            lambda c, a, b: (apply("select", c[0], a[0], b[0]), apply("select", c[0], a[1], b[1])),
        )
    kind = "b" if yes.kind == no.kind == "b" else promoted((yes, no))
    return cellwise((condition, yes, no), lambda c, a, b: apply("select", c, a, b), kind)


def count(mask: Symbol) -> Symbol:
    """How many elements a mask selects."""
    from .reduce import total

    if mask.mask is not None:
        mask = mask.mask
    return total(mask, None)


def select_rows(symbol: Symbol, mask: Symbol) -> Symbol:
    """``x[m]``: all rows, marked with the mask, when the mask depends on parameters."""
    from .shapes import move

    if not mask.depends & PARAM:
        concrete = np.asarray(mask.frozen())
        return move(lambda p: p[0][concrete], [symbol])
    full = symbol.like(symbol.shape, symbol.segments, symbol.nodes, symbol.im)
    full.mask = mask
    return full


def same_mask(masks: Sequence[Symbol], operands: Sequence[Symbol]) -> Symbol:
    """The common mask of operands; anything row-shaped without it cannot be matched."""
    first = masks[0]
    for mask in masks[1:]:
        if not equal(first, mask):
            first.ctx.abort("arrays of different masks combined")
    for s in operands:
        if s.mask is None and s.size > 1:
            first.ctx.abort("a masked array combined with another array")
    return first


def equal(a: Symbol, b: Symbol) -> bool:
    return a is b or (a.segments == b.segments and bool(np.all(np.equal(a.nodes, b.nodes))))


def assign(symbol: Symbol, mask: Symbol, value: Symbol) -> Symbol:
    """``y[m] = v`` as a new array."""
    ctx = symbol.ctx
    if value.mask is not None:
        if not equal(value.mask, mask):
            ctx.abort("an assignment through a different mask")
        full = value.like(value.shape, value.segments, value.nodes, value.im)
        return choose(mask, full, symbol)
    if value.size == 1:
        from .shapes import reshape

        return choose(mask, reshape(value, ()), symbol)
    if mask.depends & PARAM:
        ctx.abort("an assignment of an array through a mask that depends on parameters")
    concrete = np.asarray(mask.frozen())
    return choose(lift(ctx, concrete), _scattered(value, concrete), symbol)


def _scattered(value: Symbol, mask: Any) -> Symbol:
    """Values at the rows of the mask; other rows repeat a neighbor, so that they are harmless."""
    from .shapes import move

    if int(mask.sum()) != value.size:
        raise ValueError(
            f"cannot assign {value.size} input values to the {int(mask.sum())} output values of the mask"
        )
    index = np.maximum(np.cumsum(mask.reshape(-1)) - 1, 0).reshape(mask.shape)
    return move(lambda p: p[0].reshape(-1)[index], [value])


def join_masked(symbols: Sequence[Symbol]) -> Symbol:
    """``np.concatenate((f(x[x < t]), g(x[x >= t])))``: a choice per row if the pieces are in order."""
    ctx = symbols[0].ctx
    masks = []
    for s in symbols:
        if s.mask is None:
            ctx.abort("a masked array joined with another array")
        masks.append(s.mask)
    order = np.concatenate([np.flatnonzero(mask.concrete()) for mask in masks])
    if not np.array_equal(order, np.arange(masks[0].size)):
        ctx.abort("masked arrays joined out of order")
    full = [s.like(s.shape, s.segments, s.nodes, s.im) for s in symbols]
    result = full[-1]
    for mask, piece in zip(masks[-2::-1], full[-2::-1], strict=True):
        result = choose(mask, piece, result)
    ctx.data_bound = True
    return result
