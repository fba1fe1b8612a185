"""Expressions of parameters as the caller writes them: read, not yet arranged."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from numbers import Real
from typing import Any

from ..errors import FormulaError, ParameterError
from ..expr.formula import parse
from ..expr.graph import Graph, Node, rebuilt
from .parameters import is_mapping

_COMPONENT = re.compile(r"([^\W\d]\w*)\s*\[\s*(\d+(?:\s*,\s*\d+)*)\s*\]")


@dataclass(frozen=True)
class Read:
    """An expression as it was read: its leaves are parameters ``names``, by number."""

    text: str
    graph: Graph
    node: Node
    names: tuple[str, ...]

    def at(self, graph: Graph, leaf: Callable[[str], Node]) -> Node:
        """The same in another graph, with the leaves found by name."""
        return rebuilt(graph, [self.node], [leaf(name) for name in self.names])[0]


def read(text: Any, what: str) -> Read:
    """Read an expression of parameters; components are written ``p[0]``.

    >>> read("2*p[0] + dx", "tie").names
    ('dx', 'p[0]')
    """
    if isinstance(text, Real) and not isinstance(text, bool):
        graph = Graph()
        return Read(f"{float(text):g}", graph, graph.const(float(text)), ())
    if not isinstance(text, str) or "~" in text:
        raise ParameterError(f"{what} is {text!r}: an expression such as '2*a' is needed")
    components: list[str] = []

    def quoted(found: re.Match[str]) -> str:
        components.append(found[1] + "[" + re.sub(r"\s", "", found[2]) + "]")
        return f"`{components[-1]}`"

    try:
        formula = parse(_COMPONENT.sub(quoted, text), tuple(dict.fromkeys(components)))
    except FormulaError as problem:
        raise FormulaError(f"{what}: {problem}") from None
    graph = Graph()
    count = len(formula.param_names)
    columns = [graph.param(count + k) for k in range(len(formula.data_names))]
    node = rebuilt(graph, [formula.node], [graph.param(i) for i in range(count)], columns)[0]
    return Read(text.strip(), graph, node, (*formula.param_names, *formula.data_names))


def read_ties(ties: Any) -> dict[str, Read]:
    """The expression by tied parameter."""
    if ties is None:
        return {}
    if not is_mapping(ties):
        raise ParameterError(f"ties = {ties!r}: a mapping is needed, as in {{'w2': '2*w1'}}")
    return {str(name): read(text, f"the tie of {name!r}") for name, text in ties.items()}


def names_in(ties: Any, bounds: Any) -> frozenset[str]:
    """Names in ties and bounded expressions: an argument with a default that stands there is a parameter."""
    found = {name for target, tie in read_ties(ties).items() for name in (target, *tie.names)}
    if is_mapping(bounds):
        for label, _ in bounds.items():
            if not _is_name(str(label)):
                found.update(read(str(label), f"bounds of {label!r}").names)
    return frozenset(name.split("[")[0] for name in found)


def _is_name(label: str) -> bool:
    """A parameter, or a component of one."""
    return label.isidentifier() or _COMPONENT.fullmatch(label) is not None


def bounded_expressions(bounds: Any, names: Collection[str]) -> dict[str, tuple[Read, Any]]:
    """Those keys of `bounds` that are no names of parameters, each with its pair."""
    if not is_mapping(bounds):
        return {}
    labels = {str(label): pair for label, pair in bounds.items() if str(label) not in names}
    return {
        label: (read(label, f"bounds of {label!r}"), pair)
        for label, pair in labels.items()
        if not _is_name(label)
    }
