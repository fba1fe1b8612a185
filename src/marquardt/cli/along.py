"""What fits of a stack run along: its dimensions told apart, the values of the independent variables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, FileError, FormulaError, OptionError
from ..expr.formula import Formula, parse
from ..models.table import MODELS
from .stack import Stack, is_stack, read_stack
from .table import read_table

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Layout:
    """A stack as fits: `data` has the points last, flat; `x` their independent variables by name."""

    data: Array
    x: dict[str, Array]
    dims: tuple[str, ...]
    """Of the fits: names of the dimensions that are left."""
    coords: dict[str, Array]
    order: tuple[int, ...]
    """The dimensions of the stack, those of the fits first."""
    stack: Stack

    @property
    def grid(self) -> tuple[int, ...]:
        """How many fits there are along each dimension that is left."""
        return self.data.shape[:-1]

    def beside(self, option: str, text: str, *shapes: tuple[int, ...]) -> Array:
        """An array from a variable of the file, or from another file: as the stack or one of `shapes`."""
        stack = self.stack
        if text in stack.others:
            found = np.asarray(stack.others[text])
        elif Path(text).exists() and is_stack(text):
            found = read_stack(text).values
        else:
            others = f" ({', '.join(stack.others)})" if stack.others else ""
            raise OptionError(
                f"{option} {text}: no such variable of {stack.origin}{others}, and no such file"
            )
        if found.shape == stack.values.shape:
            return np.transpose(found, self.order).reshape(self.data.shape)
        if found.shape not in shapes:
            known = " or ".join(map(str, (stack.values.shape, *shapes)))
            raise DataError(f"{option} {text}: its shape is {found.shape}, where {stack.label} needs {known}")
        return found


def lay_out(stack: Stack, along: Sequence[str], given: Sequence[str]) -> Layout:
    """Dimensions `along` which fits run go last; the others number the fits.

    along : ``NAME`` or ``NAME=DIMENSION``. given : ``NAME=VALUES``, see `values_of`.
    """
    names, axes = _axes(stack, along)
    grid = [k for k in range(stack.values.ndim) if k not in axes]
    sizes = [stack.values.shape[k] for k in axes]
    texts = dict(_pair(text, "--x", "t=0:12.5") for text in given)
    x = {}
    for place, (name, axis) in enumerate(zip(names, axes, strict=True)):
        values = _own(stack, name, axis) if name not in texts else None
        values = values_of(texts.pop(name), name, sizes[place], stack) if values is None else values
        shape = [1] * len(axes)
        shape[place] = sizes[place]
        x[name] = np.ascontiguousarray(np.broadcast_to(values.reshape(shape), sizes)).ravel()
    for name, text in texts.items():
        x[name] = values_of(text, name, int(np.prod(sizes)), stack)
    order = (*grid, *axes)
    data = np.transpose(stack.values, order)
    dims = tuple(stack.dims[k] if stack.dims else f"dim_{k}" for k in grid)
    coords = {d: stack.coords[d] for d in dims if d in stack.coords}
    return Layout(data.reshape(*data.shape[: len(grid)], -1), x, dims, coords, order, stack)


def _axes(stack: Stack, along: Sequence[str]) -> tuple[list[str], list[int]]:
    texts = [part.strip() for text in along for part in text.split(",") if part.strip()]
    if not texts:
        raise OptionError(
            f"--along is needed: the dimension that fits run along; {stack.label} has {stack.layout}, "
            f"so write --along {stack.dims[-1] if stack.dims else 't=0'}"
        )
    names, axes = [], []
    for text in texts:
        name, equals, dimension = (part.strip() for part in text.partition("="))
        if (
            not equals
            and name not in stack.dims
            and len(texts) == 1
            and (default := _default(stack)) is not None
        ):
            names.append(name)
            axes.append(default)
            continue
        names.append(name)
        axes.append(stack.axis(dimension or name, "--along"))
    twice = next((k for k, axis in enumerate(axes) if axis in axes[:k] or names[k] in names[:k]), None)
    if twice is not None:
        raise OptionError(f"--along {','.join(texts)}: `{texts[twice]}` is named twice")
    return names, axes


def _default(stack: Stack) -> int | None:
    """Pages of pictures come first; where there are two dimensions, each row is a fit."""
    if stack.pages:
        return 0
    return 1 if stack.values.ndim == 2 and not stack.dims else None


def _own(stack: Stack, name: str, axis: int) -> Array | None:
    """The coordinate of the file, or 0, 1, 2, ..."""
    dimension = stack.dims[axis] if stack.dims else name
    found = stack.coords.get(dimension)
    if found is None and name in stack.others and np.shape(stack.others[name]) == (stack.values.shape[axis],):
        found = np.asarray(stack.others[name])
    if found is None:
        return np.arange(stack.values.shape[axis], dtype=np.float64)
    if found.dtype.kind in "mM":
        since = found - found[0]
        return np.asarray(since / np.timedelta64(1, "s"), dtype=np.float64)
    if found.dtype.kind not in "iuf":
        raise DataError(
            f"{stack.label}: the coordinate `{dimension}` holds {found.dtype}; say --x {name}=0:1"
        )
    return found.astype(np.float64)


def values_of(text: str, name: str, size: int, stack: Stack) -> Array:
    """``FIRST:LAST`` evenly, a variable of the file, or a file with one number for each point."""
    first, colon, last = text.partition(":")
    if colon:
        try:
            return np.linspace(float(first), float(last), size)
        except ValueError:
            pass
    if text in stack.others:
        found = np.asarray(stack.others[text])
    elif not Path(text).exists():
        raise OptionError(
            f"--x {name}={text}: write FIRST:LAST, a file, or a variable of {stack.origin}"
            + (f" ({', '.join(stack.others)})" if stack.others else "")
        )
    elif is_stack(text):
        found = read_stack(text).values
    else:
        table = read_table(text)
        columns = [n for n in table if n == name] or list(table)
        if len(columns) != 1:
            raise FileError(f"--x {name}={text}: which column? None is called `{name}`: {', '.join(table)}")
        found = table[columns[0]]
    if found.size != size or found.dtype.kind not in "iuf":
        raise DataError(f"--x {name}={text}: {found.size} values where {stack.label} has {size} points a fit")
    return np.asarray(found, dtype=np.float64).ravel()


def _pair(text: str, option: str, example: str) -> tuple[str, str]:
    name, equals, value = (part.strip() for part in text.partition("="))
    if not (name and equals and value):
        raise OptionError(f"{option} {text}: write name=value, as in {option} {example}")
    return name, value


def model_of(text: str, layout: Layout, stack: Stack) -> Formula:
    """The right side of a formula, its columns among the variables that fits run along.

    The left side, if there is one, is a name for the data.
    """
    left, tilde, right = text.partition("~")
    if tilde and not left.strip().isidentifier():
        raise FormulaError(
            f"`{left.strip()}`: the left side is a name for the data of {stack.label}; what is fitted is the "
            "data as they are: transform them beforehand"
        )
    formula = parse(right if tilde else text, tuple(layout.x), MODELS)
    known = ", ".join(layout.x)
    if not formula.data_names:
        raise FormulaError(f"the model `{formula.text}` does not use {known}, which fits run along (--along)")
    if not formula.param_names:
        raise FormulaError(
            f"the model `{formula.text}` has no parameter: all its names are variables ({known})"
        )
    return formula
