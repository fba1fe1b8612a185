"""All built-in models: one table, looked up by name or by function."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ..errors import ModelError, suggestion
from . import exponential, kinetics, laws, peaks, sigmoid, waves
from .row import Row
from .sized import SIZED

ROWS: dict[str, Row] = {
    row.name: row for file in (exponential, peaks, sigmoid, kinetics, laws, waves) for row in file.ROWS
}


def row_named(name: str) -> Row | None:
    """The model called `name`, such as ``logistic4`` or ``polynomial3``; None where there is none."""
    if name in ROWS:
        return ROWS[name]
    for sized in SIZED:
        row = sized.row(name)
        if row is not None:
            return row
    return None


def row_of(function: object) -> Row | None:
    """The model that `function` is; None for any other function."""
    row = row_named(str(getattr(function, "__name__", "")))
    return row if row is not None and row.function is function else None


def get(name: str) -> Callable[..., Any]:
    """The function of the model called `name`; ModelError where there is none.

    >>> get("gaussian2").__name__
    'gaussian2'
    """
    row = row_named(name)
    if row is None:
        names = (*ROWS, *[sized.name for sized in SIZED])
        raise ModelError(f"there is no model {name!r}{suggestion(name, names)}; mq.models.list() shows all")
    return row.function


class Models(Mapping[str, Row]):
    """All models by name, in the form that formulas take them; of any size, only the usual are listed."""

    def __getitem__(self, name: str) -> Row:
        row = row_named(name)
        if row is None:
            raise KeyError(name)
        return row

    def __iter__(self) -> Iterator[str]:
        return iter((*ROWS, *[sized.name.replace("M", "2").replace("N", "2") for sized in SIZED]))

    def __len__(self) -> int:
        return len(ROWS) + len(SIZED)

    __hash__ = object.__hash__


MODELS = Models()


class Listing(tuple[str, ...]):
    """Names of models; prints as a table with formulas."""

    __slots__ = ()

    def __str__(self) -> str:
        return "\n".join(_lines(name) for name in self)

    __repr__ = __str__


def _lines(name: str) -> str:
    """A model in three lines: how it is called, its formula, what it is."""
    row = ROWS.get(name)
    if row is not None:
        variables, formula, about = ", ".join(row.arguments[: row.n_x]), row.formula, row.about
    else:
        sized = next(s for s in SIZED if s.name == name)
        variables, formula, about = "x", sized.formula, sized.about
    return f"{name}({variables})\n    {formula}\n    {about}"


def listing() -> Listing:
    """The names of all built-in models; printed, a table with their formulas.

    >>> "logistic4" in listing()
    True
    """
    return Listing((*ROWS, *[sized.name for sized in SIZED]))
