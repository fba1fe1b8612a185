"""Number types and isinstance that know symbols."""

# mypy: disable-error-code="no-any-return"
from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

import numpy as np

from . import creation
from .creation import has_symbol
from .symbol import Symbol, current, lift
from .ufuncs import call


class TypeProxy:
    """A number type that passes symbols through; usable as a dtype and in isinstance."""

    def __init__(self, kind: type, convert: Callable[..., Any]) -> None:
        self.kind, self.convert = kind, convert
        self.__name__ = kind.__name__
        self.dtype: np.dtype[Any] = np.dtype(np.int64 if kind is int else kind)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.convert(*args, **kwargs) if has_symbol(args) else self.kind(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["kind"], name)

    def __eq__(self, other: object) -> bool:
        return other is self or other is self.kind

    def __hash__(self) -> int:
        return hash(self.kind)

    def __instancecheck__(self, value: Any) -> bool:
        return is_instance(value, self)

    def __or__(self, other: Any) -> Any:
        return (self, other)


def plain_dtype(dtype: Any) -> Any:
    return dtype.kind if isinstance(dtype, TypeProxy) else dtype


def number_type(kind: type) -> TypeProxy:
    return TypeProxy(kind, lambda x, *_: creation.astype(lift(current(), x), kind))


def _float(x: Any, *_: Any) -> Any:
    """float() keeps the expression: a bare number would lose the derivative."""
    if type(x) is Symbol:
        if x.size != 1 and not x.ctx.scalar_rows:
            raise TypeError("only length-1 arrays can be converted to Python scalars")
        if x.im is not None:
            raise TypeError("can't convert complex to float")
        return x if x.size != 1 or x.shape == () else x.reshape(())
    return lift(current(), x)


def _int(x: Any, *_: Any) -> Any:
    return x.__int__()


def _complex(re: Any = 0.0, im: Any = 0.0) -> Any:
    return call(
        "add", creation.astype(lift(current(), re), complex), call("multiply", 1j, lift(current(), im))
    )


FLOAT, INT, COMPLEX = TypeProxy(float, _float), TypeProxy(int, _int), TypeProxy(complex, _complex)


_REAL_TYPES = (float, np.floating, np.float64, np.number, np.generic, np.inexact)


def is_instance(value: Any, kinds: Any) -> bool:
    """A symbol is the array (or, without axes, the number) that it stands for."""
    options = _flat_types(kinds)
    if type(value) is not Symbol:
        return isinstance(value, options)
    if value.shape != () and not value.ctx.scalar_rows:
        return any(
            o in (np.ndarray, object) or getattr(o, "__name__", "") in ("Iterable", "Sequence", "Sized")
            for o in options
        )
    sample: Any = {"f": np.float64(0), "i": np.int64(0), "b": np.bool_(False), "c": np.complex128(0)}[
        value.kind
    ]
    return isinstance(sample, options)


def _flat_types(kinds: Any) -> tuple[Any, ...]:
    if isinstance(kinds, tuple):
        return tuple(o for k in kinds for o in _flat_types(k))
    if isinstance(kinds, types.UnionType):
        return tuple(o for k in kinds.__args__ for o in _flat_types(k))
    return (kinds.kind if isinstance(kinds, TypeProxy) else kinds,)
