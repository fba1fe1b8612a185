"""The state of one trace: its graph, data leaves, guards, and values of nodes at the current parameters."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from ..graph import Graph, Node
from .leaves import Captured, Floats, Gather, Leaf, Recipe, aligned

PARAM, DATA = 1, 2
MAX_NODES = 400_000
MAX_GRAPH = 40_000
"""Operations of a trace: beyond, half a second has gone by, and a fit by differences would have ended."""


class Abort(BaseException):
    """Tracing stops here. Not an Exception: a `try` of the user's function must not swallow it."""

    def __init__(self, construct: str) -> None:
        super().__init__(construct)
        self.construct = construct


@dataclass(frozen=True, slots=True)
class Guard:
    """The trace holds only where ``node`` (uniform, value 0 or 1) has this ``outcome``.

    ``where`` says which line of the function asked: "`if` on line 3 of `f`".
    """

    node: Node
    outcome: bool
    where: str


class Context:
    """Everything one trace shares."""

    def __init__(self) -> None:
        self.graph = Graph()
        self.leaves: list[Leaf] = []
        self.guards: dict[Node, Guard] = {}
        self.params: list[float] = []
        self.values: dict[Node, Any] = {}
        self.data_bound = False
        self.aborted: Abort | None = None
        self.row_lengths: set[int] = set()
        self.captured: dict[Any, Any] = {}
        self.elements: dict[tuple[int, int], Node] = {}
        self.decide: Callable[[Node], bool] | None = None
        self.overlay: Any = None
        self.scalar_rows = False  # inside np.vectorize: rows stand for one scalar

    def abort(self, construct: str) -> NoReturn:
        """Give up: `construct` cannot become part of an expression."""
        self.aborted = Abort(construct)
        raise self.aborted

    # -- data ---------------------------------------------------------------------------------------
    def leaf(self, recipe: Recipe, values: Floats) -> Node:
        """The node of a new data leaf; leading axes of length 1 are dropped (alignment is at the right)."""
        if len(self.leaves) > MAX_NODES:
            self.abort("a loop over this many points")
        leaf = Leaf(len(self.leaves), recipe, aligned(values))
        self.leaves.append(leaf)
        return self.graph.data(leaf.index)

    def capture(self, values: Floats) -> Node:
        """A leaf for a concrete array; equal contents share one leaf."""
        values = np.asarray(values, dtype=np.float64)
        key = (values.shape, values.tobytes())
        node = self.captured.get(key)
        if node is None:
            values = values.copy()
            node = self.captured[key] = self.leaf(Captured(values), values)
        return node

    def element(self, index: int, position: int) -> Node:
        """The scalar leaf holding one element of leaf ``index`` (flattened)."""
        node = self.elements.get((index, position))
        if node is None:
            leaf = self.leaves[index]
            where = np.array(position)
            value = np.asarray(leaf.values.reshape(-1)[position])
            node = self.leaf(Gather(leaf.recipe, leaf.values.shape, where), value)
            self.leaves[int(node.value)].parent = (leaf, position)
            self.elements[(index, position)] = node
        return node

    # -- expressions --------------------------------------------------------------------------------
    def rebuild(
        self, roots: Iterable[Node], leaf: Callable[[Node], Node], memo: dict[Node, Node] | None = None
    ) -> list[Node]:
        """Copies of the expressions with each data leaf replaced by ``leaf(node)``."""
        memo = {} if memo is None else memo
        return [rebuild(self.graph, root, leaf, memo) for root in roots]

    def evaluate(self, node: Node) -> Any:
        """The value of a node at the current parameters (and rows)."""
        from ..ops import OPS

        values, stack = self.values, [node]
        while stack:
            top = stack[-1]
            if top in values:
                stack.pop()
                continue
            if top.op == "const":
                values[top] = np.float64(top.value)
            elif top.op == "param":
                values[top] = np.float64(self.params[int(top.value)])
            elif top.op == "data":
                values[top] = self.leaves[int(top.value)].values
            else:
                missing = [arg for arg in top.args if arg not in values]
                if missing:
                    stack.extend(missing)
                    continue
                with np.errstate(all="ignore"):
                    values[top] = OPS[top.op].value(*[values[arg] for arg in top.args])
            stack.pop()
        return values[node]

    def bake(self, node: Node) -> Node:
        """The node with each data leaf replaced by its value: the trace then holds for these data only."""
        if not node.kind & DATA:
            return node
        self.data_bound = True
        constant = self.graph.const
        return self.rebuild([node], lambda n: constant(float(self.leaves[int(n.value)].values.item())))[0]

    def truth(self, node: Node, where: str) -> bool:
        """The truth of a uniform condition, recorded as a guard when it depends on parameters."""
        if self.decide is not None and node.kind & DATA:
            return self.decide(node)
        node = self.bake(node)
        outcome = bool(self.evaluate(node))
        if node.kind & PARAM and node not in self.guards:
            from .places import here

            self.guards[node] = Guard(node, outcome, here(where))
        return outcome


def rebuild(graph: Graph, root: Node, leaf: Callable[[Node], Node], memo: dict[Node, Node]) -> Node:
    """Copy one expression within its graph; parts without data are shared."""
    if not root.kind & DATA:
        return root
    stack = [root]
    while stack:
        top = stack[-1]
        if top in memo:
            stack.pop()
            continue
        if top.op == "data":
            memo[top] = leaf(top)
        else:
            missing = [arg for arg in top.args if arg.kind & DATA and arg not in memo]
            if missing:
                stack.extend(missing)
                continue
            memo[top] = graph.apply(top.op, *[memo.get(arg, arg) for arg in top.args])
        stack.pop()
    return memo[root]


def used_leaves(roots: Iterable[Node]) -> list[int]:
    """Indices of the data leaves that expressions contain, in order of first use."""
    found: dict[int, None] = {}
    seen: set[Node] = set()
    stack = list(roots)
    while stack:
        node = stack.pop()
        if node in seen or not node.kind & DATA:
            continue
        seen.add(node)
        if node.op == "data":
            found[int(node.value)] = None
        else:
            stack.extend(reversed(node.args))
    return list(found)


class _State(threading.local):
    current: Context | None = None


STATE = _State()
ObjectArray = NDArray[Any]
