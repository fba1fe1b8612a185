"""Expressions as immutable, hash-consed nodes: equal expressions of one graph are the same object.

A node is one float64 per data point. Its ``kind`` says what it depends on; a node without the ``DATA`` bit is
*uniform*: it has one value for all points and is computed once per parameter vector.
Indices grow with creation, and arguments exist before their users, so sorting by ``index`` is a topological
order.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from marquardt.expr.ops import OPS
from marquardt.expr.simplify import RULES

PARAM, DATA = 1, 2
LEAVES = frozenset({"const", "param", "data", "direction"})
_COMMUTATIVE = frozenset({"add", "mul", "hypot", "eq", "ne", "and", "or", "beta", "betaln"})


class Node:
    """One operation or leaf; made by a `Graph` only, compared by identity.

    ``op`` is ``"const"``, ``"param"``, ``"data"``, ``"direction"`` or a name in `OPS`; ``value`` is the
    number of a constant or the index of a leaf; ``kind`` is a bit mask of ``PARAM`` and ``DATA``.
    """

    __slots__ = ("args", "index", "kind", "op", "value")

    def __init__(self, op: str, args: tuple[Node, ...], value: float, kind: int, index: int) -> None:
        self.op, self.args, self.value, self.kind, self.index = op, args, value, kind, index

    def __repr__(self) -> str:
        if self.op == "const":
            return f"{self.value:g}"
        if not self.args:
            return f"{self.op}{self.value}"
        inside = ", ".join(repr(a) if not a.args else f"#{a.index}" for a in self.args)
        return f"#{self.index}={self.op}({inside})"


class Graph:
    """The table of all nodes built so far; ``apply`` is the only way in.

    >>> g = Graph()
    >>> g.mul(g.param(0), g.data(0)) is g.mul(g.data(0), g.param(0))
    True
    """

    __slots__ = ("_count", "_table")

    def __init__(self) -> None:
        self._table: dict[object, Node] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def const(self, v: float) -> Node:
        """The constant `v`; NaN and the two zeros are kept apart."""
        v = float(v)
        key: object = v
        if v != v or v == 0.0:
            key = "nan" if v != v else ("-0" if math.copysign(1.0, v) < 0 else "0")
        found = self._table.get(key)
        return found if found is not None else self._leaf(key, "const", v, 0)

    def param(self, i: int) -> Node:
        """Scalar parameter number `i`."""
        return self._table.get(("param", i)) or self._leaf(("param", i), "param", i, PARAM)

    def data(self, k: int) -> Node:
        """Data column number `k`."""
        return self._table.get(("data", k)) or self._leaf(("data", k), "data", k, DATA)

    def direction(self, i: int) -> Node:
        """Component `i` of a direction in parameter space, itself not differentiated."""
        return self._table.get(("direction", i)) or self._leaf(("direction", i), "direction", i, PARAM)

    def apply(self, op: str, *args: Node) -> Node:
        """The node ``op(*args)``: constants folded, rewritten by the rules of `simplify`, made once."""
        key = (op, *args)
        node = self._table.get(key)
        if node is not None:
            return node
        node = self._rewritten(op, args)
        self._table[key] = node
        return node

    def raw(self, op: str, *args: Node) -> Node:
        """``op(*args)`` without rewriting: how a rule states its result."""
        key = (op, *args)
        node = self._table.get(key)
        if node is None:
            kind = 0
            for a in args:
                kind |= a.kind
            node = self._table[key] = Node(op, args, 0, kind, self._count)
            self._count += 1
        return node

    def _leaf(self, key: object, op: str, value: float, kind: int) -> Node:
        node = self._table[key] = Node(op, (), value, kind, self._count)
        self._count += 1
        return node

    def _rewritten(self, op: str, args: tuple[Node, ...]) -> Node:
        for a in args:
            if a.op != "const":
                break
        else:
            return self.const(OPS[op].fold(*[a.value for a in args]))
        rules = RULES.get(op)
        if rules is not None:
            for rule in rules:
                node = rule(self, *args)
                if node is not None:
                    return node
        elif op not in OPS:
            raise KeyError(f"no operation named {op!r}")
        if op in _COMMUTATIVE and args[0].index > args[1].index:
            args = (args[1], args[0])
        return self.raw(op, *args)

    def add(self, a: Node, b: Node) -> Node:
        """``a + b``."""
        return self.apply("add", a, b)

    def sub(self, a: Node, b: Node) -> Node:
        """``a - b``."""
        return self.apply("sub", a, b)

    def mul(self, a: Node, b: Node) -> Node:
        """``a * b``."""
        return self.apply("mul", a, b)

    def div(self, a: Node, b: Node) -> Node:
        """``a / b``."""
        return self.apply("div", a, b)

    def neg(self, a: Node) -> Node:
        """``-a``."""
        return self.apply("neg", a)

    def scale(self, c: float, a: Node) -> Node:
        """``c * a`` with a number `c`."""
        return self.apply("mul", self.const(c), a)

    def shift(self, c: float, a: Node) -> Node:
        """``c + a`` with a number `c`."""
        return self.apply("add", self.const(c), a)

    def select(self, condition: Node, a: Node, b: Node) -> Node:
        """`a` where the condition is not 0, else `b`."""
        return self.apply("select", condition, a, b)


def reachable(outputs: Iterable[Node]) -> list[Node]:
    """Every node that `outputs` depend on, themselves included, arguments before users."""
    seen = set(outputs)
    stack = list(seen)
    while stack:
        for a in stack.pop().args:
            if a not in seen:
                seen.add(a)
                stack.append(a)
    return sorted(seen, key=_index)


def rebuilt(
    graph: Graph,
    outputs: Iterable[Node],
    params: Sequence[Node],
    data: Sequence[Node] | Mapping[int, Node] = (),
) -> list[Node]:
    """`outputs` once more in `graph`, with ``params[i]`` for parameter i.

    ``data[k]`` stands for column k, which stays itself where `data` is empty.
    """
    wanted = list(outputs)
    made: dict[Node, Node] = {}
    for node in reachable(wanted):
        if node.op == "param":
            made[node] = params[int(node.value)]
        elif node.op == "const":
            made[node] = graph.const(node.value)
        elif node.op == "data":
            made[node] = data[int(node.value)] if data else graph.data(int(node.value))
        else:
            made[node] = graph.apply(node.op, *[made[a] for a in node.args])
    return [made[node] for node in wanted]


def _index(node: Node) -> int:
    return node.index
