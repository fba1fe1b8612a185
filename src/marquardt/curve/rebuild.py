"""New values of the independent variables, for predictions, in the form a model takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import DataError
from .columns import column, column_names, is_table, numbers
from .data import convert

Arguments = tuple[tuple[Any, ...], tuple[int, ...]]
"""Arguments of the model, and the shape of its prediction."""
Rebuild = Callable[[Any], Arguments]


class ForFunction:
    """Positional arguments of a function."""

    __slots__ = ("independent",)

    def __init__(self, independent: tuple[str, ...]) -> None:
        self.independent = independent

    def __call__(self, x: Any) -> Arguments:
        count = len(self.independent)
        if is_table(x):
            have = column_names(x)
            arguments: tuple[Any, ...]
            if all(n in have for n in self.independent):
                arguments = tuple(column(x, n) for n in self.independent)
            else:
                arguments = ({n: column(x, n) for n in have},)
        elif count > 1:
            arguments = _several(x, self.independent)
        else:
            arguments = (convert(x, self.independent[0]),) if count else ()
        return _broadcast(arguments)


class ForFormula:
    """Columns of a formula, by name."""

    __slots__ = ("names",)

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names

    def __call__(self, x: Any) -> Arguments:
        if is_table(x):
            return _broadcast(tuple(column(x, n) for n in self.names))
        if len(self.names) == 1:
            return _broadcast((numbers(x, self.names[0]),))
        return _broadcast(_several(x, self.names))


def _several(x: Any, names: tuple[str, ...]) -> tuple[Any, ...]:
    if not hasattr(x, "__len__") or len(x) != len(names):
        raise DataError(f"{len(names)} independent variables are needed: a tuple ({', '.join(names)})")
    return tuple(convert(a, n) for a, n in zip(x, names, strict=True))


def _broadcast(arguments: tuple[Any, ...]) -> Arguments:
    """Arguments as arrays of at least one dimension, and the shape of the prediction."""
    if not all(isinstance(a, np.ndarray) for a in arguments):
        flat = arguments[0] if arguments else ()
        parts = (
            list(flat.values()) if isinstance(flat, dict) else list(flat) if isinstance(flat, tuple) else []
        )
        return arguments, np.shape(parts[0]) if parts else ()
    shape = np.broadcast_shapes(*[a.shape for a in arguments])
    if len(arguments) == 1 and arguments[0].ndim == 2:
        return arguments, (-1,)  # rows of a (k, N) array: the model says how long
    return tuple(np.ascontiguousarray(np.broadcast_to(a, shape or (1,))).ravel() for a in arguments), shape
