"""What NumPy's functions that are not ufuncs do with symbols."""

# mypy: disable-error-code="no-any-return"
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import creation, order, reduce, shapes
from .cellwise import cellwise
from .context import Context
from .masks import MaskIndex, choose
from .methods import METHODS
from .symbol import Symbol, current, lift
from .ufuncs import call


def where(condition: Any, *branches: Any) -> Any:
    if not branches:
        return nonzero(condition)
    ctx = context_of((condition, *branches))
    return choose(lift(ctx, condition), *branches)


def nonzero(condition: Symbol) -> Any:
    """Indices of a mask: kept as the mask itself while it depends on parameters or data."""
    if condition.kind != "b":
        condition = call("not_equal", condition, 0)
    if condition.ndim != 1:
        found = condition.frozen()
        if found is None:
            condition.ctx.abort("where with a mask of several axes")
        return np.nonzero(found)
    return (MaskIndex(condition),)


def select(conditions: Any, choices: Any, default: Any = 0) -> Any:
    ctx = context_of((*conditions, *choices, default))
    result: Any = lift(ctx, default)
    for condition, choice in zip(reversed(list(conditions)), reversed(list(choices)), strict=True):
        result = choose(lift(ctx, condition), choice, result)
    return result


def piecewise(x: Any, conditions: Any, functions: Any, *args: Any, **kwargs: Any) -> Any:
    """Later conditions win; one more function than conditions is the default."""
    ctx = context_of(
        (x, *(conditions if isinstance(conditions, (list, tuple)) else [conditions]), *functions, *args)
    )
    x = lift(ctx, x)
    if type(conditions) is Symbol and conditions.ndim == x.ndim:
        conditions = [conditions]
    conditions = [lift(ctx, c) for c in conditions]
    pieces = [f(x, *args, **kwargs) if callable(f) else f for f in functions]
    result: Any = lift(ctx, 0.0)
    if len(pieces) == len(conditions) + 1:
        result = pieces.pop()
    for condition, piece in zip(conditions, pieces, strict=True):
        result = choose(condition, piece, result)
    return shapes.broadcast_to(result, x.shape) if result.shape != x.shape else result


def interp(x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None) -> Any:
    """Piecewise linear; the nodes must not depend on parameters, values and points may."""
    ctx = context_of((x, xp, fp))
    nodes = lift(ctx, xp).frozen()
    if nodes is None or period is not None or len(nodes) > 200:
        ctx.abort("interp")
    values = lift(ctx, fp)
    x = lift(ctx, x)
    n = len(nodes)
    result: Any = values[n - 1] if right is None else right
    for k in range(n - 2, -1, -1):
        slope = (values[k + 1] - values[k]) / (nodes[k + 1] - nodes[k])
        result = choose(x < nodes[k + 1], slope * (x - nodes[k]) + values[k], result)
    result = choose(x == nodes[n - 1], values[n - 1], result) if right is not None else result
    return choose(x < nodes[0], values[0] if left is None else left, result)


def isclose(a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Any:
    near = call("less_equal", abs(a - b), atol + rtol * abs(b))
    return call("logical_and", near, call("isfinite", lift(near.ctx, b)))


def convolve(a: Any, v: Any, mode: str = "full") -> Any:
    """By its definition, when one operand is short enough to unroll."""
    ctx = context_of((a, v))
    a, v = lift(ctx, a), lift(ctx, v)
    n, m = a.size, v.size
    if m > n:
        a, v, n, m = v, a, m, n
    if m > 60 or n > 2000:
        ctx.abort("convolve")
    start, stop = {"full": (0, n + m - 1), "same": ((m - 1) // 2, (m - 1) // 2 + n), "valid": (m - 1, n)}[
        mode
    ]
    total: Any = None
    for k in range(m):
        index = np.arange(start, stop) - k
        inside = (index >= 0) & (index < n)
        shifted = a[np.clip(index, 0, n - 1)]
        term = shifted * v[k] if inside.all() else shifted * v[k] * inside.astype(float)
        total = term if total is None else total + term
    return total


def gradient(f: Symbol, *spacing: Any, **_: Any) -> Any:
    if f.ndim != 1 or len(spacing) > 1:
        f.ctx.abort("gradient")
    h: Any = spacing[0] if spacing else 1.0
    if np.ndim(h) or (type(h) is Symbol and h.ndim):
        a, b = h[1:-1] - h[:-2], h[2:] - h[1:-1]
        inner = (a * a * f[2:] + (b * b - a * a) * f[1:-1] - b * b * f[:-2]) / (a * b * (a + b))
        first, last = (f[1] - f[0]) / (h[1] - h[0]), (f[-1] - f[-2]) / (h[-1] - h[-2])
    else:
        inner = (f[2:] - f[:-2]) / (2.0 * h)
        first, last = (f[1] - f[0]) / h, (f[-1] - f[-2]) / h
    return shapes.concatenate([shapes.reshape(first, (1,)), inner, shapes.reshape(last, (1,))])


def copyto(target: Symbol, source: Any, casting: str = "same_kind", where: Any = True) -> None:
    if type(target) is not Symbol:
        current().abort("copyto")
    target[...] = source if where is True else choose(lift(target.ctx, where), source, target)


def putmask(target: Symbol, mask: Any, values: Any) -> None:
    """np.putmask and np.place with one value."""
    if np.ndim(values) and np.size(values) != 1:
        target.ctx.abort("putmask")
    target[...] = choose(lift(target.ctx, mask), values, target)


def average(x: Any, axis: Any = None, weights: Any = None, **_: Any) -> Any:
    if weights is None:
        return reduce.mean(x, axis)
    ctx = context_of((x, weights))
    x, weights = lift(ctx, x), lift(ctx, weights)
    return reduce.total(x * weights, axis) / reduce.total(weights, axis if weights.ndim == x.ndim else None)


def linspace(start: Any, stop: Any, num: Any = 50, endpoint: bool = True, **_: Any) -> Any:
    steps = np.linspace(0.0, 1.0, int(num), endpoint=endpoint)
    steps = steps.reshape(-1, *[1] * max(np.ndim(start), np.ndim(stop)))  # arrays of ends: steps come first
    return start + (stop - start) * steps


def broadcast_arrays(*arrays: Any, **_: Any) -> Any:
    ctx = context_of(arrays)
    symbols = [lift(ctx, a) for a in arrays]
    shape = np.broadcast_shapes(*[s.shape for s in symbols])
    return tuple(shapes.broadcast_to(s, shape) for s in symbols)


def meshgrid(*arrays: Any, indexing: str = "xy", **_: Any) -> Any:
    ctx = context_of(arrays)
    symbols = [lift(ctx, a) for a in arrays]
    n = len(symbols)
    order = [1, 0, *range(2, n)] if indexing == "xy" and n > 1 else list(range(n))
    spread = []
    for k, s in enumerate(symbols):
        key: list[Any] = [None] * n
        key[order[k]] = slice(None)
        spread.append(shapes.ravel(s)[tuple(key)])
    return list(broadcast_arrays(*spread))


def atleast(n: int) -> Callable[..., Any]:
    def function(*arrays: Any) -> Any:
        ctx = context_of(arrays)
        out = []
        for a in arrays:
            s = lift(ctx, a)
            if s.ndim < n:
                s = shapes.reshape(s, (1,) * n) if s.ndim == 0 else s[None, :] if n == 2 else s
            out.append(s)
        return out[0] if len(out) == 1 else out

    return function


def nan_to_num(
    x: Symbol, copy: bool = True, nan: float = 0.0, posinf: Any = None, neginf: Any = None
) -> Symbol:
    big = np.finfo(float).max
    fixed = choose(call("isnan", x), nan, x)
    fixed = choose(call("equal", x, np.inf), big if posinf is None else posinf, fixed)
    fixed = choose(call("equal", x, -np.inf), -big if neginf is None else neginf, fixed)
    if not copy:
        x[...] = fixed
        return x
    return fixed


def stacked(arrays: Any, axis: int, n: int = 0) -> Any:
    symbols = symbols_of(arrays, n)
    return shapes.concatenate(symbols, axis)


def symbols_of(arrays: Any, n: int = 0) -> list[Symbol]:
    items = list(arrays)
    ctx = context_of(items)
    symbols = [lift(ctx, a) for a in items]
    return [atleast(n)(s) if n else s for s in symbols]


def hstack(arrays: Any, **_: Any) -> Any:
    symbols = symbols_of(arrays, 1)
    return shapes.concatenate(symbols, 0 if symbols[0].ndim == 1 else 1)


def column_stack(arrays: Any) -> Any:
    return shapes.concatenate([s[:, None] if s.ndim == 1 else s for s in symbols_of(arrays, 1)], 1)


def expand(x: Symbol, axis: Any) -> Symbol:
    axes = axis if isinstance(axis, tuple) else (axis,)
    ndim = x.ndim + len(axes)
    new = {a % ndim for a in axes}
    return x[tuple(None if a in new else slice(None) for a in range(ndim))]


def concatenate(arrays: Any, axis: Any = 0, **_: Any) -> Any:
    return shapes.concatenate(symbols_of(arrays), axis)


def filled_like(value: float) -> Callable[..., Any]:
    def function(
        x: Symbol, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None, **_: Any
    ) -> Any:
        return creation.full(
            x.ctx, x.shape if shape is None else shape, value, x.dtype if dtype is None else dtype
        )

    return function


def full_like(x: Any, value: Any, dtype: Any = None, **_: Any) -> Any:
    ctx = context_of((x, value))
    result = creation.full(ctx, np.shape(x) if type(x) is not Symbol else x.shape, value)
    return creation.astype(result, dtype if dtype is not None else x.dtype)


def moving(function: Callable[..., Any]) -> Callable[..., Any]:
    """Functions that only move elements of their first argument."""

    def moved(x: Symbol, *args: Any, **kwargs: Any) -> Any:
        return shapes.move(lambda p: function(p[0], *args, **kwargs), [x])

    return moved


def method_named(name: str) -> Callable[..., Any]:
    return lambda x, *args, out=None, **kwargs: METHODS[name](x, *args, **kwargs)


def finite_in(part: float) -> Callable[..., Any]:
    return lambda x, *a, **k: METHODS["sum" if part == 0 else "prod"](
        choose(call("isnan", x), part, x), *a, **k
    )


def split_at(x: Symbol, parts: Any, axis: int = 0) -> Any:
    pieces = np.array_split(np.arange(x.shape[axis]), parts)
    lead = (slice(None),) * (axis % x.ndim)
    keys = [(*lead, slice(int(p[0]), int(p[-1]) + 1)) for p in pieces]
    return [x[key] for key in keys]


def append(x: Any, values: Any, axis: Any = None) -> Any:
    symbols = symbols_of([x, values])
    return shapes.concatenate([shapes.ravel(s) if axis is None else s for s in symbols], axis or 0)


def median(x: Symbol, axis: Any = None, **_: Any) -> Any:
    if axis is not None and x.ndim > 1:
        x.ctx.abort("median")
    ranked = order.sort(shapes.ravel(x))
    n = x.size
    return ranked[n // 2] if n % 2 else 0.5 * (ranked[n // 2 - 1] + ranked[n // 2])


def sinc(x: Symbol) -> Symbol:
    return cellwise((x,), lambda node: x.ctx.graph.apply("sinc", node), "f")


def context_of(values: Sequence[Any]) -> Context:
    for value in values:
        if type(value) is Symbol:
            return value.ctx
        if isinstance(value, (list, tuple)) and value:
            for item in value:
                if type(item) is Symbol:
                    return item.ctx
    return current()
