"""Sums, products, extremes and running sums: unrolled over components, over rows up to a limit."""

# mypy: disable-error-code="no-any-return"
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .cells import split, units
from .context import PARAM, Context, ObjectArray
from .leaves import Shape
from .symbol import Symbol, lift

_AXIS_ERROR: Any = getattr(np, "exceptions", np).AxisError  # NumPy 1.24 has it at the top
MAX_REDUCE = 500
"""Rows of a sum that depends on parameters: each is an expression of its own, to be differentiated."""

_REDUCERS = {
    "add": "add",
    "multiply": "mul",
    "minimum": "minimum",
    "maximum": "maximum",
    "logical_and": "and",
    "logical_or": "or",
}


def reduce_ufunc(ctx: Context, name: str, value: Any, kwargs: dict[str, Any]) -> Any:
    """``ufunc.reduce``, which NumPy's own sum, prod, min and max end in."""
    symbol = lift(ctx, value)
    axis, keep = kwargs.get("axis", 0), bool(kwargs.get("keepdims", False))
    if name not in _REDUCERS or kwargs.get("initial") not in (None, np._NoValue):
        ctx.abort(f"{name}.reduce")
    return fold(symbol, name, axis, keep)


def total(symbol: Any, axis: Any = None, keepdims: bool = False, **_: Any) -> Symbol:
    return fold(symbol, "add", axis, keepdims)


def fold(symbol: Symbol, name: str, axis: Any, keepdims: bool = False) -> Symbol:
    """Reduce along axes by a two-argument ufunc."""
    if symbol.mask is not None:
        symbol = _neutral(symbol, name)
    if symbol.kind == "b" and name in ("add", "multiply"):  # a sum of truths counts them
        symbol = Symbol(symbol.ctx, symbol.shape, symbol.segments, symbol.nodes, None, "i")
    axes = _axes(symbol, axis)
    if not symbol.depends & PARAM and any(symbol.shape[a] > len(symbol.segments[a]) for a in axes):
        return _frozen(symbol, name, axes, keepdims)
    for a in sorted(axes, reverse=True):
        symbol = _fold_axis(symbol, name, a)
        if keepdims:
            key: list[Any] = [slice(None)] * symbol.ndim
            key.insert(a, None)
            symbol = symbol[tuple(key)]
    return symbol


def _axes(symbol: Symbol, axis: Any) -> tuple[int, ...]:
    if axis is None:
        return tuple(range(symbol.ndim))
    axes = axis if isinstance(axis, tuple) else (axis,)
    for a in axes:
        if not -symbol.ndim <= a < symbol.ndim:
            raise _AXIS_ERROR(a, symbol.ndim)
    return tuple(int(a) % symbol.ndim for a in axes)


def _neutral(symbol: Symbol, name: str) -> Symbol:
    """A masked array with the rows left out made harmless for the reduction."""
    from .masks import choose

    assert symbol.mask is not None
    rest = {
        "add": 0.0,
        "multiply": 1.0,
        "minimum": np.inf,
        "maximum": -np.inf,
        "logical_and": 1.0,
        "logical_or": 0.0,
    }[name]
    full = symbol.like(symbol.shape, symbol.segments, symbol.nodes, symbol.im)
    return choose(symbol.mask, full, rest)


def _frozen(symbol: Symbol, name: str, axes: tuple[int, ...], keepdims: bool) -> Symbol:
    """Data alone: computed, the trace is then bound to these data."""
    value = getattr(np, name).reduce(np.asarray(symbol.frozen()), axis=axes, keepdims=keepdims)
    return lift(symbol.ctx, value)


def _fold_axis(symbol: Symbol, name: str, axis: int) -> Symbol:
    from .ufuncs import call

    n = symbol.shape[axis]
    lengths = symbol.segments[axis]
    uniform = name == "add" and len(lengths) == 1 and n > 1 and not _varies(symbol)
    if uniform:
        return call("multiply", _slab(symbol, axis, 0), float(n))
    if len(lengths) != n:
        if n > MAX_REDUCE:
            symbol.ctx.abort(f"a sum over {n} rows")
        symbol = split(symbol, axis - symbol.ndim, units(n))
    if n == 0:
        return lift(symbol.ctx, getattr(np, name).reduce(np.zeros(symbol.shape), axis=axis))
    parts = [_slab(symbol, axis, i) for i in range(n)]
    while len(parts) > 1 and n > 8:  # pairwise, as NumPy does: rounding grows slowly
        parts = [
            call(name, *parts[i : i + 2]) if i + 1 < len(parts) else parts[i] for i in range(0, len(parts), 2)
        ]
    result = parts[0]
    for part in parts[1:]:
        result = call(name, result, part)
    return result


def _varies(symbol: Symbol) -> bool:
    return bool(symbol.depends & 2)


def _slab(symbol: Symbol, axis: int, i: int) -> Symbol:
    """One element along an unrolled axis (or a uniform one)."""
    keep: Shape = tuple(n for a, n in enumerate(symbol.shape) if a != axis)
    segments = tuple(s for a, s in enumerate(symbol.segments) if a != axis)

    def cut(nodes: ObjectArray | None) -> ObjectArray | None:
        if nodes is None:
            return None
        out = np.empty(tuple(len(s) for s in segments), dtype=object)
        out[...] = np.take(nodes, i, axis=axis)
        return out

    nodes = cut(symbol.nodes)
    assert nodes is not None
    result = symbol.like(keep, segments, nodes, cut(symbol.im))
    return _dropped(result, symbol, axis) if axis < symbol.ndim - 1 or axis == symbol.ndim - 1 else result


def _dropped(result: Symbol, symbol: Symbol, axis: int) -> Symbol:
    """Leaves lose the axis too."""
    from .cells import map_leaves, windowed

    if not result.depends & 2:
        return result
    key: list[Any] = [slice(None)] * symbol.ndim
    key[axis] = 0
    rule = windowed(symbol.ctx, symbol.ndim, tuple(key))
    map_leaves(symbol.ctx, result.nodes, result.im, lambda cell: rule)
    return result


def mean(symbol: Symbol, axis: Any = None, keepdims: bool = False, **_: Any) -> Symbol:
    from .masks import count
    from .ufuncs import call

    if symbol.mask is not None:
        return call("divide", total(symbol, axis), count(symbol))
    axes = _axes(symbol, axis)
    n = int(np.prod([symbol.shape[a] for a in axes]))
    return call("divide", total(symbol, axis, keepdims), float(n))


def variance(symbol: Symbol, axis: Any = None, ddof: int = 0, keepdims: bool = False, **_: Any) -> Symbol:
    from .ufuncs import call

    axes = _axes(symbol, axis)
    n = int(np.prod([symbol.shape[a] for a in axes]))
    away = call("subtract", symbol, mean(symbol, axes, keepdims=True))
    return call("divide", total(call("square", away), axes, keepdims), float(n - ddof))


def deviation(symbol: Symbol, axis: Any = None, ddof: int = 0, **rest: Any) -> Symbol:
    from .ufuncs import call

    return call("sqrt", variance(symbol, axis, ddof, **rest))


def cumulative(symbol: Symbol, axis: Any, op: str) -> Symbol:
    """Running sum or product."""
    from .shapes import ravel, stack
    from .ufuncs import call

    if axis is None:
        symbol, axis = ravel(symbol), 0
    axis %= symbol.ndim
    name = {"add": "add", "mul": "multiply"}[op]
    if symbol.kind == "b":
        symbol = Symbol(symbol.ctx, symbol.shape, symbol.segments, symbol.nodes, None, "i")
    if not symbol.depends & PARAM:
        return lift(symbol.ctx, getattr(np, name).accumulate(np.asarray(symbol.frozen()), axis=axis))
    n = symbol.shape[axis]
    if n > 100:
        symbol.ctx.abort(f"a running sum over {n} rows")
    symbol = split(symbol, axis - symbol.ndim, units(n))
    parts = [_slab(symbol, axis, 0)]
    for i in range(1, n):
        parts.append(call(name, parts[-1], _slab(symbol, axis, i)))
    return stack(parts, axis)


def trapezoid(y: Any, x: Any = None, dx: float = 1.0, axis: int = -1) -> Symbol:
    from .ufuncs import call

    ctx = next(s.ctx for s in (y, x, dx) if type(s) is Symbol)
    y = lift(ctx, y)
    axis %= y.ndim
    low, high = _ends(axis)
    pairs = call("add", y[high], y[low])
    if x is None:
        width: Any = dx
    else:
        x = lift(ctx, x)
        width = x[1:] - x[:-1] if x.ndim == 1 else x[high] - x[low]
        if x.ndim == 1 and axis != y.ndim - 1:
            spread = (slice(None), *[None] * (y.ndim - 1 - axis))
            width = width[spread]
    return total(call("multiply", call("multiply", pairs, width), 0.5), axis)


def _ends(axis: int) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    lead = (slice(None),) * axis
    return (*lead, slice(None, -1)), (*lead, slice(1, None))


def diff(symbol: Symbol, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None) -> Symbol:
    from .shapes import concatenate
    from .ufuncs import call

    ends = [lift(symbol.ctx, e) for e in (prepend, append) if e is not None and e is not np._NoValue]
    if ends:
        if symbol.ndim != 1:
            symbol.ctx.abort("diff")
        ends = [e[None] if e.ndim == 0 else e for e in ends]
        first = prepend is not None and prepend is not np._NoValue
        symbol = concatenate([ends[0], symbol, *ends[1:]] if first else [symbol, *ends])
    low, high = _ends(axis % symbol.ndim)
    for _i in range(n):
        symbol = call("subtract", symbol[high], symbol[low])
    return symbol


Reducer = Callable[..., Symbol]
