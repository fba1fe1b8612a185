"""One call of a plain function with small arrays of symbols: the expressions of one item."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from types import FunctionType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import Untraceable
from ...expr.graph import Graph, Node
from ...expr.trace import trace_elements
from ...expr.trace.fingerprint import Fingerprint

Vector = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ItemTrace:
    """A function of small arrays as expressions: ``outputs`` in the flat order of its result.

    Data leaf k is component k of all arguments, one after the other. ``lowered`` is what was made of it.
    """

    graph: Graph
    outputs: tuple[Node, ...]
    shape: tuple[int, ...]
    fingerprint: Fingerprint
    lowered: dict[Hashable, Any] = field(default_factory=dict)


def trace_item(
    function: Callable[..., Any], arguments: Sequence[Any], order: Sequence[int] | None = None
) -> ItemTrace:
    """Trace ``function(*arguments)`` with symbols for the arguments at the places `order`, by default all.

    Data leaves count their components in that order; other arguments are settings and stay as they are.
    Raises Untraceable, also where a branch depends on the values: it would have to be another for each item.
    """
    order = range(len(arguments)) if order is None else order
    names = _names(function, len(arguments))
    if names is None:
        names, function = [f"argument_{k}" for k in range(len(arguments))], _by_name(function, len(arguments))
    settings = {names[k]: a for k, a in enumerate(arguments) if k not in order}
    found = trace_elements(function, {names[k]: arguments[k] for k in order}, settings)
    if found.asked:
        raise BranchesOnValues(found.asked[0])
    if found.complex:
        raise Untraceable("a complex result", None, getattr(function, "__name__", "the function"))
    return ItemTrace(found.graph, found.outputs, found.shape, found.fingerprint)


def _by_name(function: Callable[..., Any], n: int) -> Callable[..., Any]:
    """A function of n positional arguments, called by name."""

    def named(**given: Any) -> Any:
        return function(*[given[f"argument_{k}"] for k in range(n)])

    return named


class BranchesOnValues(Untraceable):
    """A branch that is another for each item."""

    def __init__(self, where: str) -> None:
        super().__init__(where)
        self.args = (f"{where} needs values, which differ from item to item; np.where can be traced",)


def _names(function: Any, n: int) -> list[str] | None:
    """Names of the first n parameters; None where they cannot be given by name."""
    if isinstance(function, FunctionType) and not function.__dict__:  # no wrapper that stands for another
        code = function.__code__
        if n <= code.co_argcount and not code.co_posonlyargcount:
            return list(code.co_varnames[:n])  # a signature takes 0.2 ms to ask for the first time
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return None
    if len(parameters) < n or any(p.kind is not p.POSITIONAL_OR_KEYWORD for p in parameters[:n]):
        return None
    return [p.name for p in parameters[:n]]
