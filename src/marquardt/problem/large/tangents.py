"""How values on a manifold move: ``retract(x, d)`` as expressions, and its derivative by the step d at rest.

Derivatives of the library's own motions are read from a file: to trace and differentiate that of a pose in
space takes 2.9 ms in a new process, to read it 0.1. `shipped` writes and compares these files.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import Untraceable
from ...expr.derive import jacobian_at
from ...expr.graph import Graph, Node, reachable
from .manifolds import SE2, SE3, SO3, Manifold
from .tracing import trace_item

Values = NDArray[np.float64]
Slopes = tuple[tuple[Node, ...], ...]
"""Component by component, the derivatives by the components of a step; data leaves are x."""

FOLDER = Path(__file__).parent / "programs"
MOTIONS = {m.name: m for m in (SE2, SE3, SO3)}
"""Manifolds whose motions are shipped."""


@dataclass(frozen=True, eq=False)
class Motion:
    """``retract(x, d)``, and its derivative by d at d = 0: data leaves are x, then d."""

    graph: Graph
    value: tuple[Node, ...]
    slopes: Slopes


@lru_cache(maxsize=64)
def tangents(manifold: Manifold) -> Slopes:
    """The derivative of the motion by its step, at rest. Raises Untraceable."""
    if is_shipped(manifold):
        return slopes_of(tangents_path(manifold).read_text(encoding="ascii"))
    return traced_motion(manifold).slopes


@lru_cache(maxsize=64)
def traced_motion(manifold: Manifold) -> Motion:
    """The motion of a manifold as expressions. Raises Untraceable."""
    a, t = ambient(manifold), manifold.tangent
    traced = trace_item(manifold.retract, (example(manifold), np.zeros(t)))
    if len(traced.outputs) != a:
        raise Untraceable(f"a result of {len(traced.outputs)} components, not {a}", None, "retract")
    graph = traced.graph
    rows = jacobian_at(graph, traced.outputs, [graph.data(a + j) for j in range(t)], [0.0] * t)
    return Motion(graph, traced.outputs, tuple(map(tuple, rows)))


def ambient(manifold: Manifold) -> int:
    """Components of a value."""
    assert manifold.ambient is not None
    return manifold.ambient


def example(manifold: Manifold) -> Values:
    """A point of the manifold to trace at: it decides nothing."""
    x = np.linspace(0.3, 0.7, ambient(manifold))
    return manifold.project(x)


# ------------------------------------------------------------------------------------------------------ files


def is_shipped(manifold: Manifold) -> bool:
    """Is this one of the library's own, not another of its name?"""
    return MOTIONS.get(manifold.name) == manifold


def tangents_path(manifold: Manifold) -> Path:
    """Where the derivative of the motion is."""
    return FOLDER / f"{manifold.name}.tangents.txt"


def text_of(slopes: Slopes) -> str:
    """One node on a line, ``operation arguments`` by their lines, or a leaf and its number; then the rows."""
    nodes = reachable(node for row in slopes for node in row)
    line = {node: str(k) for k, node in enumerate(nodes)}
    lines = [f"{n.op} {' '.join(line[a] for a in n.args) if n.args else repr(n.value)}" for n in nodes]
    return "\n".join([*lines, "", *(" ".join(line[node] for node in row) for row in slopes), ""])


def slopes_of(text: str) -> Slopes:
    """What `text_of` wrote."""
    head, _, rows = text.partition("\n\n")
    graph, nodes = Graph(), list[Node]()
    for op, *words in map(str.split, head.split("\n")):
        if op == "const":
            nodes.append(graph.const(float(words[0])))
        elif op == "data":
            nodes.append(graph.data(int(words[0])))
        else:
            nodes.append(graph.apply(op, *[nodes[int(word)] for word in words]))
    return tuple(tuple(nodes[int(word)] for word in row.split()) for row in rows.strip("\n").split("\n"))
