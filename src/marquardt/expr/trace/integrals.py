# mypy: disable-error-code="no-any-return"
"""Integrals of sampled functions (scipy.integrate) and edits of arrays that NumPy writes in place."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import shapes
from .reduce import cumulative, diff, total
from .symbol import Symbol, current, lift
from .ufuncs import call


def cumulative_trapezoid(y: Any, x: Any = None, dx: float = 1.0, axis: int = -1, initial: Any = None) -> Any:
    y = lift(current(), y)
    if y.ndim != 1:
        y.ctx.abort("cumulative_trapezoid")
    width = dx if x is None else diff(lift(y.ctx, x))
    result = cumulative((y[1:] + y[:-1]) * width * 0.5, 0, "add")
    return result if initial is None else shapes.concatenate([lift(y.ctx, [float(initial)]), result])


def simpson(y: Any, x: Any = None, *, dx: float = 1.0, axis: int = -1) -> Any:
    """Simpson's rule for an odd number of samples, equally spaced or not."""
    y = lift(current(), y)
    n = y.shape[axis]
    if axis % y.ndim != y.ndim - 1 or n % 2 == 0:
        y.ctx.abort("simpson")
    if x is None:
        h0 = h1 = lift(y.ctx, float(dx))
    else:
        steps = diff(lift(y.ctx, x))
        h0, h1 = steps[..., ::2], steps[..., 1::2]
    both, ratio = h0 + h1, h0 / h1
    first, middle, last = y[..., :-2:2], y[..., 1:-1:2], y[..., 2::2]
    terms = first * (2.0 - 1.0 / ratio) + middle * both * both / (h0 * h1) + last * (2.0 - ratio)
    return total(both / 6.0 * terms, -1)


def insert(array: Any, where: Any, values: Any, axis: Any = None) -> Any:
    ctx = current()
    array, values = lift(ctx, array), lift(ctx, values)
    if array.ndim != 1:
        ctx.abort("insert")
    values = shapes.ravel(values)
    index = np.insert(np.arange(array.size), where, array.size + np.arange(values.size))
    return shapes.move(lambda p: np.concatenate(p)[index], [array, values])


def pad(array: Symbol, width: Any, mode: str = "constant", constant_values: Any = 0.0, **_: Any) -> Any:
    """Elements move; a constant is one more element that they can come from."""
    ctx = array.ctx
    index = np.arange(array.size).reshape(array.shape)
    if mode != "constant":
        return shapes.move(lambda p: np.pad(p[0], width, mode=mode), [array])  # type: ignore[call-overload]
    fill = shapes.reshape(lift(ctx, constant_values), (1,))
    index = np.pad(index, width, mode="constant", constant_values=array.size)
    return shapes.move(lambda p: np.concatenate([q.reshape(-1) for q in p])[index], [array, fill])


def unwrap(phase: Symbol, discont: Any = None, axis: int = -1, *, period: float = 2 * np.pi) -> Any:
    """Jumps of more than half a period taken out; the jumps themselves are steps of no slope."""
    if phase.ndim != 1 or discont is not None:
        phase.ctx.abort("unwrap")
    jumps = cumulative(call("rint", diff(phase) / period), 0, "add")
    return shapes.concatenate([phase[:1], phase[1:] - period * jumps])


SCIPY: dict[str, Any] = {
    "cumulative_trapezoid": cumulative_trapezoid,
    "cumtrapz": cumulative_trapezoid,
    "simpson": simpson,
    "simps": simpson,
}
NUMPY: dict[str, Any] = {"insert": insert, "pad": pad, "unwrap": unwrap}
