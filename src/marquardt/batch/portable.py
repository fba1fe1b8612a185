"""A traced model as plain tuples: what other processes are sent instead of the function."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelError
from ..expr.formula import Formula
from ..expr.graph import Graph, Node, reachable
from ..problem.model import compile_model, flat_names
from ..problem.traced import TracedProblem

Array = NDArray[Any]
Step = tuple[str, tuple[int, ...], float]


@dataclass(frozen=True, slots=True)
class Portable:
    """The expression of a model. In a process equal ones become the same `Formula`, compiled once."""

    title: str
    steps: tuple[Step, ...]
    """Operation, its arguments as numbers of earlier steps, the value of a leaf; the last is the model."""
    params: tuple[str, ...]
    data: tuple[str, ...]

    @classmethod
    def of(cls, title: str, node: Node, params: Sequence[str], data: Sequence[str]) -> Portable:
        """The expression `node` over these parameters and columns of data."""
        nodes = reachable([node])
        place = {n: k for k, n in enumerate(nodes)}
        steps = tuple((n.op, tuple(place[a] for a in n.args), n.value) for n in nodes)
        return cls(title, steps[: place[node] + 1], tuple(params), tuple(data))

    def formula(self) -> Formula:
        """The model as `fit_many` takes it."""
        return _formula(self)


@lru_cache(maxsize=64)
def _formula(model: Portable) -> Formula:
    graph = Graph()
    made: list[Node] = []
    leaves: dict[str, Callable[[Any], Node]] = {
        "const": graph.const,
        "param": graph.param,
        "data": graph.data,
    }
    for op, args, value in model.steps:
        made.append(leaves[op](value) if op in leaves else graph.raw(op, *[made[a] for a in args]))
    return Formula(model.title, graph, made[-1], model.params, model.data)


@dataclass(frozen=True, slots=True)
class Sent:
    """A model made portable for the points of one batch."""

    model: Portable
    columns: dict[str, Array]
    """Its columns of data, one number for each point."""
    argument_of: dict[str, int | None]
    """Which argument each column is; None: it is made from all points together."""

    @property
    def by_rows(self) -> bool:
        """Does a point of the model depend on its own values alone?"""
        return None not in self.argument_of.values()


def portable(
    function: Any,
    arguments: Sequence[Array],
    shapes: Mapping[str, tuple[int, ...]],
    values: Array,
    title: str,
    names: Sequence[str] | None = None,
) -> Sent:
    """Trace a model at these arguments and parameter values, once, for any number of processes.

    Raises ModelError, with the reason, where it has no single expression: branches, calls that are not
    followed.

    >>> def decay(t, a, b): return a * np.exp(-b * t)
    >>> sent = portable(decay, (np.arange(4.0),), {"a": (), "b": ()}, np.ones(2), "decay")
    >>> sent.model.formula().param_names, list(sent.columns)
    (('a', 'b'), ['column0'])
    """
    model = compile_model(function, arguments, shapes)
    problem = model.problem(arguments, None, None, values, tuple(range(values.size)))
    if not isinstance(problem, TracedProblem):
        raise ModelError(f"`{title}` cannot be traced: {model.reason}")
    version = problem.version(values)
    if version.trace.guards:
        raise ModelError(f"`{title}` takes branches that depend on its parameters")
    if not version.whole or len(version.trace.families[0].outputs) != 1 or version.trace.complex:
        raise ModelError(f"`{title}` has not the same expression at all points")
    (family,) = version.trace.families
    params = flat_names(shapes) if names is None else tuple(names)
    columns: dict[str, Array] = {}
    argument_of: dict[str, int | None] = {}
    rows = [row for a in arguments for row in np.atleast_2d(a)]
    for k, column in enumerate(family.columns):
        values_of = np.array(column.extract(arguments))
        name = next(n for n in (f"column{k}" + "_" * i for i in range(9)) if n not in params)
        same = None if version.trace.data_bound else _same(values_of, rows)
        columns[name], argument_of[name] = values_of, same
    if not columns:
        raise ModelError(f"`{title}` does not depend on its independent variables")
    return Sent(Portable.of(title, family.outputs[0], params, tuple(columns)), columns, argument_of)


def _same(values: Array, rows: Sequence[Array]) -> int | None:
    return next((k for k, row in enumerate(rows) if np.array_equal(values, row)), None)
