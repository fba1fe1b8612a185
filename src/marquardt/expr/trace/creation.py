"""Arrays made inside the function: buffers to write into, literals of symbols."""

# mypy: disable-error-code="no-any-return"
from __future__ import annotations

from typing import Any

import numpy as np

from .context import Context
from .leaves import Shape
from .symbol import Symbol, constant, current, lift, unrolled


def kind_of(dtype: Any) -> str:
    """Our kind for a dtype as users write it."""
    if dtype is None:
        return "f"
    code, size = np.dtype(dtype).kind, np.dtype(dtype).itemsize
    if (code == "f" and size < 8) or (code == "c" and size < 16):
        current().abort(str(np.dtype(dtype)))
    return {"b": "b", "i": "i", "u": "i", "f": "f", "c": "c", "O": "f"}[code]


def astype(symbol: Symbol, dtype: Any) -> Symbol:
    """The symbol with another dtype; floats become integers by truncation."""
    kind = kind_of(dtype)
    if kind == symbol.kind:
        return symbol
    from .ufuncs import call

    if kind == "b":
        return call("not_equal", symbol, 0)
    if kind == "i" and symbol.kind == "f":
        symbol = call("trunc", symbol)
    im = symbol.imag.nodes if kind == "c" else None
    return Symbol(symbol.ctx, symbol.shape, symbol.segments, symbol.nodes, im, kind)


def full(ctx: Context, shape: Any, value: Any, dtype: Any = None) -> Symbol:
    """A buffer filled with a number or a symbol."""
    from .shapes import broadcast_to

    form: Shape = (int(shape),) if np.ndim(shape) == 0 else tuple(int(n) for n in shape)
    if isinstance(value, (bool, int, float, complex, np.number)):
        kind = kind_of(dtype) if dtype is not None else np.asarray(value).dtype.kind
        return constant(ctx, value, form, kind)
    result = broadcast_to(lift(ctx, value), form)
    return copy(result if dtype is None else astype(result, dtype))


def copy(symbol: Symbol) -> Symbol:
    """A new array: writing to it leaves the old one alone."""
    fresh = symbol.like(
        symbol.shape, symbol.segments, symbol.nodes.copy(), None if symbol.im is None else symbol.im.copy()
    )
    fresh.mask = symbol.mask
    return fresh


def array(ctx: Context, value: Any, dtype: Any = None) -> Symbol:
    """``np.array`` of nested lists with symbols in them; a symbol is copied."""
    result = copy(value) if type(value) is Symbol else _nested(ctx, value)
    return result if dtype is None or dtype is object else astype(result, dtype)


def _nested(ctx: Context, value: Any) -> Symbol:
    from .shapes import stack

    if type(value) is Symbol:
        return value
    if isinstance(value, (list, tuple)) or type(value).__name__ in ("zip", "map", "generator", "dict_values"):
        items = list(value)
        if any(has_symbol(item) for item in items):
            parts = [_nested(ctx, item) for item in items]
            if all(p.shape == () and p.mask is None for p in parts):
                return elements(ctx, parts)
            return stack(parts)
        value = items
    return lift(ctx, np.asarray(value))


def elements(ctx: Context, parts: list[Symbol]) -> Symbol:
    """A 1-D array of 0-d symbols."""
    nodes = np.empty(len(parts), dtype=object)
    for i, p in enumerate(parts):
        nodes[i] = p.nodes[()]
    im = None
    if any(p.im is not None for p in parts):
        im = np.empty(len(parts), dtype=object)
        for i, p in enumerate(parts):
            im[i] = p.imag.nodes[()]
    return unrolled(ctx, nodes, im, max((p.kind for p in parts), key="bifc".index))


def has_symbol(value: Any, depth: int = 3) -> bool:
    """Whether a (nested) list or tuple holds a symbol."""
    if type(value) is Symbol:
        return True
    if depth and isinstance(value, (list, tuple)):
        return any(has_symbol(item, depth - 1) for item in value)
    if isinstance(value, np.ndarray) and value.dtype == object:
        return any(type(item) is Symbol for item in value.flat)
    return (
        depth > 0 and isinstance(value, dict) and any(has_symbol(item, depth - 1) for item in value.values())
    )
