"""Models called by name in a formula: a plain function becomes a part of the formula's graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

from ..errors import ModelError
from .graph import Graph, Node, rebuilt


class NamedModel(Protocol):
    """A function of `n_x` variables and then parameters."""

    @property
    def name(self) -> str: ...

    @property
    def function(self) -> Callable[..., Any]: ...

    @property
    def n_x(self) -> int: ...

    @property
    def arguments(self) -> tuple[str, ...]:
        """Names of the variables and the parameters, in order."""


Models = Mapping[str, NamedModel]
"""Models by name; it must be hashable, as formulas are remembered."""


@dataclass(frozen=True)
class ModelCall:
    """A model in a formula: what stands for its variables and parameters, and the value."""

    name: str
    variables: tuple[Node, ...]
    parameters: tuple[Node, ...]
    node: Node
    whole: bool = False
    """Nothing stands beside it."""


def instance(graph: Graph, model: NamedModel, arguments: Sequence[Node]) -> Node:
    """The value of `model` at `arguments`, nodes of `graph`."""
    return rebuilt(graph, [_traced(model.function, model.arguments)], arguments)[0]


@lru_cache(maxsize=256)
def _traced(function: Callable[..., Any], arguments: tuple[str, ...]) -> Node:
    """The function as one expression in which variables, too, are parameters."""
    from .trace import trace

    found = trace(function, (), {name: 0.5 + 0.125 * k for k, name in enumerate(arguments)}, {})
    if found.guards or len(found.families) != 1 or len(found.families[0].outputs) != 1:
        raise ModelError(f"`{arguments}` is not one expression: it cannot stand in a formula")
    return found.families[0].outputs[0]
