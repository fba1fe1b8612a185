"""Array methods and attributes of a symbol, and what pandas users expect of a column."""

# mypy: disable-error-code="no-any-return"
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from . import creation, linear, order, reduce, shapes
from .symbol import Symbol, lift
from .ufuncs import call


def clip(x: Any, low: Any = None, high: Any = None, **_: Any) -> Any:
    low = _.get("min", low)
    high = _.get("max", high)
    if low is not None:
        x = call("maximum", x, low)
    return x if high is None else call("minimum", x, high)


def _reshape(x: Symbol, *shape: Any, order: str = "C") -> Symbol:
    return x.lend(shapes.reshape(x, shape[0] if len(shape) == 1 else shape, order))


def _transpose(x: Symbol, *axes: Any) -> Symbol:
    return shapes.transpose(x, (axes[0] if len(axes) == 1 and isinstance(axes[0], tuple) else axes) or None)


def _fill(x: Symbol, value: Any) -> None:
    x[...] = value


def _item(x: Symbol, *index: Any) -> Any:
    return (
        shapes.reshape(x, ())[()] if not index else shapes.ravel(x)[index[0]] if len(index) == 1 else x[index]
    )


def _tolist(x: Symbol) -> Any:
    return x if x.shape == () else [_tolist(row) for row in x]


def squeeze(x: Symbol, axis: Any = None) -> Symbol:
    axes = (
        [a for a, n in enumerate(x.shape) if n == 1]
        if axis is None
        else [a % x.ndim for a in np.atleast_1d(axis)]
    )
    return x[tuple(0 if a in axes else slice(None) for a in range(x.ndim))] if axes else x


def take(x: Symbol, index: Any, axis: Any = None, **_: Any) -> Symbol:
    return shapes.move(lambda p: np.take(p[0], np.asarray(index), axis), [x])


def _any(x: Symbol, axis: Any = None, keepdims: bool = False, **_: Any) -> Symbol:
    return reduce.fold(call("not_equal", x, 0), "logical_or", axis, keepdims)


def _all(x: Symbol, axis: Any = None, keepdims: bool = False, **_: Any) -> Symbol:
    return reduce.fold(call("not_equal", x, 0), "logical_and", axis, keepdims)


def _extreme(name: str) -> Callable[..., Symbol]:
    def method(x: Symbol, axis: Any = None, keepdims: bool = False, **_: Any) -> Symbol:
        return reduce.fold(x, name, axis, keepdims)

    return method


def _product(x: Symbol, axis: Any = None, keepdims: bool = False, **_: Any) -> Symbol:
    return reduce.fold(x, "multiply", axis, keepdims)


def _nonzero(x: Symbol) -> Any:
    from .numpy_rows import nonzero

    return nonzero(x)


def _view(x: Symbol, dtype: Any = None, *_: Any) -> Symbol:
    """A complex array seen as pairs of floats; other views share the memory of the same dtype."""
    kind = x.kind if dtype is None else creation.kind_of(dtype)
    if x.kind == "c" and kind == "f":
        pairs = shapes.stack([x.real, x.imag], -1)
        return shapes.reshape(pairs, (*x.shape[:-1], 2 * x.shape[-1]))
    if kind != x.kind:
        x.ctx.abort("view")
    return x


METHODS: dict[str, Callable[..., Any]] = {
    "sum": reduce.total,
    "prod": _product,
    "mean": reduce.mean,
    "std": reduce.deviation,
    "var": reduce.variance,
    "min": _extreme("minimum"),
    "max": _extreme("maximum"),
    "any": _any,
    "all": _all,
    "cumsum": lambda x, axis=None, **_: reduce.cumulative(x, axis, "add"),
    "cumprod": lambda x, axis=None, **_: reduce.cumulative(x, axis, "mul"),
    "dot": linear.dot,
    "reshape": _reshape,
    "ravel": lambda x, order="C": x.lend(shapes.ravel(x, order)),
    "flatten": lambda x, order="C": creation.copy(shapes.ravel(x, order)),
    "transpose": _transpose,
    "swapaxes": lambda x, a, b: _swap(x, a, b),
    "squeeze": squeeze,
    "argmin": lambda x, axis=None, **_: order.extreme(x, axis, "argmin"),
    "argmax": lambda x, axis=None, **_: order.extreme(x, axis, "argmax"),
    "argsort": lambda x, axis=-1, **_: order.argsort(x, axis),
    "sort": lambda x, axis=-1, **_: x.replace(order.sort(x, axis)),
    "searchsorted": lambda x, v, side="left", **_: order.searchsorted(x, v, side),
    "copy": lambda x, *_, **__: creation.copy(x),
    "astype": lambda x, dtype, **_: creation.copy(creation.astype(x, dtype)),
    "view": _view,
    "clip": clip,
    "round": lambda x, decimals=0, **_: call("rint", x * 10.0**decimals) / 10.0**decimals,
    "conj": lambda x: call("conjugate", x),
    "conjugate": lambda x: call("conjugate", x),
    "fill": _fill,
    "item": _item,
    "tolist": _tolist,
    "to_list": _tolist,
    "take": take,
    "repeat": lambda x, n, axis=None: shapes.move(lambda p: np.repeat(p[0], n, axis), [x]),
    "nonzero": _nonzero,
    "diagonal": lambda x, *a: shapes.move(lambda p: np.diagonal(p[0], *a), [x]),
    "to_numpy": lambda x, *_, **__: x,
    "exp": lambda x: call("exp", x),
    "sqrt": lambda x: call("sqrt", x),
    "log": lambda x: call("log", x),
    "sin": lambda x: call("sin", x),
    "cos": lambda x: call("cos", x),
    "pow": lambda x, n: call("power", x, n),
    "abs": lambda x: call("absolute", x),
    "is_integer": lambda x: call("equal", call("rint", x), x),
}
_FROZEN = {"ptp", "tobytes", "unique", "iloc", "loc", "index"}


def _swap(x: Symbol, a: int, b: int) -> Symbol:
    order = list(range(x.ndim))
    order[a], order[b] = order[b], order[a]
    return shapes.transpose(x, order)


def attribute(x: Symbol, name: str) -> Any:
    """What ``Symbol`` does not define itself."""
    method = METHODS.get(name)
    if method is not None:
        return lambda *args, **kwargs: method(x, *args, **kwargs)
    if name in ("values", "array", "value"):
        return x
    if name == "flat":
        return x.lend(shapes.ravel(x))
    if name == "nbytes":
        return 8 * x.size
    if name == "itemsize":
        return 8
    if name in _FROZEN:
        return _frozen(x, name)
    raise AttributeError(f"'numpy.ndarray' object has no attribute '{name}'")


def _frozen(x: Symbol, name: str) -> Any:
    """Order operations: on data alone computed, on parameters not expressible."""
    value = x.frozen()
    if value is None:
        x.ctx.abort(name)
    if name in ("iloc", "loc"):
        return x
    found = getattr(np.asarray(value), name)
    if not callable(found):
        return found

    def method(*args: Any, **kwargs: Any) -> Any:
        plain = [a.frozen() if type(a) is Symbol else a for a in args]
        if any(a is None and type(b) is Symbol for a, b in zip(plain, args, strict=True)):
            x.ctx.abort(name)
        return found(*plain, **kwargs)

    return method


__all__ = ["METHODS", "attribute", "clip", "lift"]
