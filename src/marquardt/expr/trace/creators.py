"""Stand-ins for the NumPy functions that make arrays of what is no array yet."""

# mypy: disable-error-code="no-any-return"
from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from . import creation, functions, numpy_rows
from .captures import captured
from .creation import has_symbol
from .functions import FUNCTIONS
from .number_types import plain_dtype
from .symbol import Symbol, current, lift


class Vectorized:
    """np.vectorize: rows together when the function allows it, else point by point."""

    def __init__(self, function: Callable[..., Any], signature: Any = None, excluded: Any = None) -> None:
        self.function, self.signature = function, signature

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        from .paths import explore

        ctx = current()
        if self.signature is not None:
            ctx.abort("vectorize with a signature")
        if not has_symbol(args) and not has_symbol(kwargs):
            return np.vectorize(self.function)(*args, **kwargs)
        return explore(ctx, self.function, args, kwargs)


def _array(value: Any, dtype: Any = None, copy: Any = True, ndmin: int = 0, **_: Any) -> Any:
    ctx = current()
    if not has_symbol(value):
        if dtype is object or isinstance(value, str):
            return np.array(value, dtype=dtype)
        made = np.array(
            list(value) if type(value).__name__ in _LAZY else value, dtype=plain_dtype(dtype), ndmin=ndmin
        )
        if made.dtype == object:
            return creation.array(ctx, made.tolist(), plain_dtype(dtype))
        return captured(ctx, made) if made.dtype.kind in "fc" and made.ndim else made
    result = creation.array(ctx, value, plain_dtype(dtype))
    while result.ndim < ndmin:
        result = result[None]
    return result


_LAZY = ("generator", "zip", "map", "dict_values", "filter")


def _asarray(value: Any, dtype: Any = None, *_: Any, **__: Any) -> Any:
    if type(value) is Symbol:
        return value if dtype is None else creation.astype(value, plain_dtype(dtype))
    return _array(value, dtype)


def _buffer(value: float) -> Callable[..., Any]:
    def make(shape: Any, dtype: Any = None, *_: Any, **__: Any) -> Any:
        kind = plain_dtype(dtype)
        if kind is not None and np.dtype(kind).kind not in "biufc":
            return np.full(shape, value, dtype=kind)
        return creation.full(current(), shape, value, float if kind is None else kind)

    return make


def _like(value: float) -> Callable[..., Any]:
    def make(x: Any, dtype: Any = None, shape: Any = None, **_: Any) -> Any:
        x = x if type(x) is Symbol else np.asarray(creation.array(current(), x) if has_symbol(x) else x)
        return creation.full(
            current(), x.shape if shape is None else shape, value, plain_dtype(dtype) or x.dtype
        )

    return make


def _full(shape: Any, value: Any, dtype: Any = None, **_: Any) -> Any:
    return creation.full(current(), shape, value, plain_dtype(dtype))


def _full_like(x: Any, value: Any, dtype: Any = None, **_: Any) -> Any:
    shape = x.shape if hasattr(x, "shape") else np.shape(x)
    kind = plain_dtype(dtype) or getattr(x, "dtype", None)
    return creation.astype(creation.full(current(), shape, value), kind)


def _arange(*args: Any, **kwargs: Any) -> Any:
    plain = {k: plain_dtype(v) for k, v in kwargs.items()}
    if not has_symbol(args):
        made = np.arange(*args, **plain)
        return captured(current(), made) if made.dtype.kind == "f" else made
    start, stop, step = (0.0, args[0], 1.0) if len(args) == 1 else (*args, 1.0)[:3]
    n = math.ceil(lift(current(), (stop - start) / step))
    return start + step * np.arange(n)


def _linspace(*args: Any, **kwargs: Any) -> Any:
    if has_symbol(args[:2]):
        return numpy_rows.linspace(*args, **kwargs)
    made = np.linspace(*args, **kwargs)
    return captured(current(), made) if isinstance(made, np.ndarray) and made.ndim else made


def _fromiter(values: Any, dtype: Any = None, *_: Any, **__: Any) -> Any:
    return _array(list(values), dtype)


def concatenating(name: str) -> Callable[..., Any]:
    real = getattr(np, name)
    return lambda *args, **kwargs: (
        functions.dispatch(current(), real, args, kwargs) if has_symbol(args) else real(*args, **kwargs)
    )


def _frompyfunc(function: Any, *_: Any, **__: Any) -> Any:
    return Vectorized(function)


def _vectorize(pyfunc: Any = None, otypes: Any = None, signature: Any = None, **_: Any) -> Any:
    return _vectorize_later if pyfunc is None else Vectorized(pyfunc, signature)


def _vectorize_later(function: Any) -> Any:
    return Vectorized(function)


def _real_if_close(x: Any, *_: Any, **__: Any) -> Any:
    return x


class Poly1d:
    """np.poly1d with symbols for coefficients."""

    def __init__(self, coefficients: Any, *_: Any, **__: Any) -> None:
        self.coeffs = self.c = list(coefficients)

    def __call__(self, x: Any) -> Any:
        from .linear import polyval

        return polyval(self.c, x)


def _poly1d(coefficients: Any, *args: Any, **kwargs: Any) -> Any:
    if not has_symbol(coefficients) or args or kwargs:
        coefficients = coefficients if type(coefficients) is not Symbol else list(coefficients)
    return Poly1d(coefficients)


class Joined:
    """np.r_ and np.c_ with symbols among the pieces."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __getitem__(self, key: Any) -> Any:
        parts = key if isinstance(key, tuple) else (key,)
        if not has_symbol(parts):
            return getattr(np, self.name)[key]
        pieces = [getattr(np, self.name)[p] if isinstance(p, slice) else p for p in parts]
        arrays = [lift(current(), p) for p in pieces]
        if self.name == "c_":
            return FUNCTIONS["column_stack"](arrays)
        return FUNCTIONS["concatenate"]([FUNCTIONS["atleast_1d"](a) for a in arrays])


def _issubdtype(a: Any, b: Any) -> Any:
    return np.issubdtype(plain_dtype(a), plain_dtype(b))


def _zero(x: Any) -> Any:
    return lift(current(), x)


CREATORS: dict[str, Any] = {
    "zeros": _buffer(0.0),
    "ones": _buffer(1.0),
    "empty": _buffer(0.0),
    "full": _full,
    "full_like": _full_like,
    "zeros_like": _like(0.0),
    "ones_like": _like(1.0),
    "empty_like": _like(0.0),
    "array": _array,
    "asarray": _asarray,
    "asanyarray": _asarray,
    "ascontiguousarray": _asarray,
    "asfarray": _asarray,
    "asarray_chkfinite": _asarray,
    "fromiter": _fromiter,
    "require": _asarray,
    "arange": _arange,
    "linspace": _linspace,
    "vectorize": _vectorize,
    "frompyfunc": _frompyfunc,
    "r_": Joined("r_"),
    "c_": Joined("c_"),
    "poly1d": _poly1d,
    "real_if_close": _real_if_close,
    "issubdtype": _issubdtype,
}
