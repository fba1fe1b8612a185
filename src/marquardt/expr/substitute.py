"""Expressions put in the place of parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from .formula import Formula
from .formula_models import ModelCall
from .graph import Graph, Node, reachable, rebuilt
from .interpret import Program, compile_numpy
from .trace import Family, Guard, Trace

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Substitution:
    """Parameters as expressions of other ones, ``names``: ``nodes[i]`` for parameter i.

    Equal where the expressions are: what is made by one is remembered and serves again.
    """

    names: tuple[str, ...]
    key: tuple[object, ...]
    nodes: tuple[Node, ...]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Substitution) and (self.names, self.key) == (other.names, other.key)

    def __hash__(self) -> int:
        return hash((self.names, self.key))

    @classmethod
    def of(cls, names: tuple[str, ...], nodes: Sequence[Node]) -> Substitution:
        order = reachable(nodes)
        place = {node: k for k, node in enumerate(order)}
        parts = [(n.op, repr(n.value), tuple(place[a] for a in n.args)) for n in order]
        return cls(names, (*parts, tuple(place[n] for n in nodes)), tuple(nodes))

    @cached_property
    def _program(self) -> Program:
        return compile_numpy(self.nodes)

    def values(self, fitted: Vector) -> Vector:
        """The parameters (n,) at values of those in ``names``."""
        return np.array(self._program(fitted, ()), dtype=np.float64)

    def leaves(self, graph: Graph) -> list[Node]:
        """The expressions as nodes of `graph`."""
        return rebuilt(graph, self.nodes, [graph.param(i) for i in range(len(self.names))])


@lru_cache(maxsize=128)
def in_formula(formula: Formula, put: Substitution) -> Formula:
    """The formula as one of the parameters in ``put.names``."""
    graph = Graph()
    leaves = put.leaves(graph)
    calls = formula.calls
    parts = [(*call.variables, *call.parameters, call.node) for call in calls]
    made = iter(rebuilt(graph, [formula.node, *[node for part in parts for node in part]], leaves))
    node = next(made)
    again = tuple(
        ModelCall(
            call.name,
            tuple(next(made) for _ in call.variables),
            tuple(next(made) for _ in call.parameters),
            next(made),
            call.whole,
        )
        for call in calls
    )
    return replace(formula, graph=graph, node=node, param_names=put.names, calls=again)


def in_trace(trace: Trace, put: Substitution) -> Trace:
    """A traced function as one of the parameters in ``put.names``, guards included."""
    graph = Graph()
    leaves = put.leaves(graph)
    families = tuple(
        Family(tuple(rebuilt(graph, family.outputs, leaves)), family.columns, family.rows)
        for family in trace.families
    )
    tests = rebuilt(graph, [guard.node for guard in trace.guards], leaves)
    guards = tuple(Guard(n, g.outcome, g.where) for n, g in zip(tests, trace.guards, strict=True))
    return replace(trace, graph=graph, families=families, guards=guards, param_names=put.names)
