"""A residual function with its extra arguments, sorted into data and what a trace depends on."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import FunctionType
from typing import Any

import numpy as np

from ..errors import ModelError


@dataclass(frozen=True)
class Bound:
    """``fun(x, *extra)`` where numbers and arrays of `extra` are data, and the rest is fixed.

    Equal for the same function and the same fixed values, so that what was traced once is found again.
    """

    fun: Callable[..., Any]
    fixed: tuple[tuple[int, type, Any], ...]
    """Position among the extra arguments, type and value of each that is no data."""

    @property
    def __name__(self) -> str:
        return title_of(self.fun)

    def __call__(self, x: Any, *data: Any, **options: Any) -> Any:
        extra = list(data)
        for position, _, value in self.fixed:
            extra.insert(position, value)
        return self.fun(x, *extra, **options)


@dataclass(frozen=True)
class Residuals:
    """What is called for the residuals: ``call(x, *data, **options)``."""

    call: Callable[..., Any]
    name: str
    """Of the argument of `call` that takes x."""
    data: tuple[Any, ...]
    options: Mapping[str, Any]
    title: str
    args: tuple[Any, ...]
    lasting: bool
    """Can what was traced serve again? Not where an extra argument is an object that may have changed."""

    def like(self, other: Callable[..., Any]) -> Callable[[Any], Any]:
        """Another function of x with the same extra arguments."""
        return lambda x: other(x, *self.args, **self.options)


def residual_function(
    fun: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any] | None
) -> Residuals:
    """Join `fun` with its extra arguments.

    Raises ModelError where `fun` is no function.
    """
    if not callable(fun):
        raise ModelError(f"fun must be a function that returns residuals, not {type(fun).__name__}")
    if not isinstance(args, tuple):
        args = tuple(args) if isinstance(args, list) else (args,)
    title = title_of(fun)
    data = tuple(a for a in args if is_data(a))
    fixed = tuple((k, type(a), a) for k, a in enumerate(args) if not is_data(a))
    options = kwargs or {}
    lasting = all([_is_lasting(v) for v in (*(v for _, _, v in fixed), *options.values())])
    name = None if fixed else _first_argument(fun)
    if name is None:
        return Residuals(Bound(fun, fixed), "x", data, options, title, args, lasting)
    return Residuals(fun, name, data, options, title, args, lasting)


def title_of(fun: Callable[..., Any]) -> str:
    return str(getattr(fun, "__name__", None) or type(fun).__name__)


def is_data(value: Any) -> bool:
    """May a trace take this for data? Its numbers are then read anew at every call."""
    if isinstance(value, np.ndarray):
        return value.dtype.kind in "biufc"
    return isinstance(value, float | np.floating) or hasattr(value, "to_numpy")


_PLAIN = (int, float, complex, str, bytes, type, FunctionType, np.ufunc)


def _is_lasting(value: Any) -> bool:
    """A value that cannot change, or a function, whose surroundings a trace watches."""
    if isinstance(value, tuple):
        return all(_is_lasting(v) for v in value)
    return value is None or isinstance(
        value, int | float | str | bytes | complex | type | FunctionType | np.ufunc
    )


def _first_argument(fun: Callable[..., Any]) -> str | None:
    """The name by which x can be passed; None where it has none."""
    code = getattr(fun, "__code__", None)
    if code is not None and not hasattr(fun, "__wrapped__") and not inspect.ismethod(fun):
        plain = code.co_argcount and not code.co_posonlyargcount and not code.co_flags & inspect.CO_VARARGS
        return code.co_varnames[0] if plain else None
    try:
        first = next(iter(inspect.signature(fun).parameters.values()), None)
    except (TypeError, ValueError):
        return None
    return first.name if first is not None and first.kind is first.POSITIONAL_OR_KEYWORD else None
