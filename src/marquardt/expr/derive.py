"""Exact derivatives of a graph, as nodes of the same graph.

Derivatives are sparse: what is structurally zero is never built. A *choice* (``select``, ``minimum``,
``maximum``) is differentiated branch by branch, ``select(c, a, b)' = select(c, a', b')``, in both modes:
reverse sweeps stop at a choice and multiply its finished row, so an infinite or NaN slope in the branch not
taken never meets a zero factor.
"""

from __future__ import annotations

from collections.abc import Sequence

from marquardt.expr.graph import Graph, Node, reachable
from marquardt.expr.ops import FLAT, OPS

Row = dict[int, Node]
_CHOICES = frozenset(name for name, op in OPS.items() if op.choice is not None)


def jacobian(graph: Graph, outputs: Sequence[Node], wrt: Sequence[Node]) -> list[list[Node]]:
    """Partial derivatives ``[[d output / d w for w in wrt] for output in outputs]``.

    Forward or reverse accumulation, whichever touches fewer nodes.
    """
    sweep = _Sweep(graph, outputs, wrt)
    rows = sweep.forward(outputs) if sweep.forward_is_shorter(outputs) else sweep.reverse(outputs)
    zero = graph.const(0.0)
    return [[row.get(j, zero) for j in range(len(wrt))] for row in rows]


def jacobian_at(
    graph: Graph, outputs: Sequence[Node], wrt: Sequence[Node], at: Sequence[float]
) -> list[list[Node]]:
    """The same where the leaves `wrt` are the numbers `at`.

    The numbers are put in on the way: what is zero there is never built. A motion holds all powers of its
    step, and at rest only the first is left.
    """
    given = {w: graph.const(v) for w, v in zip(wrt, at, strict=True)}
    rows: dict[Node, Row] = {w: {j: graph.const(1.0)} for j, w in enumerate(wrt)}
    value: dict[Node, Node] = {}
    for node in reachable(outputs):
        if not node.args:
            value[node] = given.get(node, node)
            continue
        args = [value[a] for a in node.args]
        out = value[node] = graph.apply(node.op, *args)
        row = _chain(graph, node.op, out, args, [rows.get(a) for a in node.args])
        rows[node] = {j: slope for j, slope in row.items() if not _is_zero(slope)}
    zero = graph.const(0.0)
    return [[rows.get(out, {}).get(j, zero) for j in range(len(wrt))] for out in outputs]


def hessian(graph: Graph, output: Node, wrt: Sequence[Node]) -> dict[tuple[int, int], Node]:
    """Second derivatives ``{(j, l): d2 output / d wrt[j] d wrt[l]}``, j >= l, without the structural
    zeros."""
    gradient = _Sweep(graph, [output], wrt).reverse([output])[0]
    columns = sorted(gradient)
    slopes = [gradient[j] for j in columns]
    rows = _Sweep(graph, slopes, wrt).reverse(slopes, below=columns)
    return {
        (j, l): row[l]
        for j, row in zip(columns, rows, strict=True)
        for l in sorted(row)
        if not _is_zero(row[l])
    }


def directional(
    graph: Graph, outputs: Sequence[Node], wrt: Sequence[Node], direction: Sequence[Node]
) -> list[Node]:
    """Derivatives along `direction`: ``sum_j direction[j] * d output / d wrt[j]``, in one forward sweep."""
    tangents: dict[Node, Node] = {}
    for w, v in zip(wrt, direction, strict=True):
        if not _is_zero(v):
            tangents[w] = v
    seeds = frozenset(wrt)
    for node in reachable(outputs):
        if node.args and node not in seeds and any(a in tangents for a in node.args):
            tangent = _tangent(graph, node, tangents)
            if tangent is not None:
                tangents[node] = tangent
    zero = graph.const(0.0)
    return [tangents.get(out, zero) for out in outputs]


def second_directional(
    graph: Graph, outputs: Sequence[Node], wrt: Sequence[Node], direction: Sequence[Node]
) -> list[Node]:
    """Second derivatives along a constant `direction` v: ``d2/dt2 output(wrt + t v)`` at t = 0."""
    return directional(graph, directional(graph, outputs, wrt, direction), wrt, direction)


def _tangent(g: Graph, node: Node, tangents: dict[Node, Node]) -> Node | None:
    """Derivative of one node from the derivatives of its arguments, by its row of the table."""
    op = node.op
    if op in FLAT:
        return None
    if op in _CHOICES:
        a, b = node.args[-2:]
        if a not in tangents and b not in tangents:
            return None
        zero = g.const(0.0)
        return g.select(_condition(g, op, node.args), tangents.get(a, zero), tangents.get(b, zero))
    total: Node | None = None
    for a, partial in zip(node.args, OPS[op].partials, strict=True):
        tangent = tangents.get(a)
        if tangent is not None:
            slope = partial(g, node, *node.args)
            if slope is not None and not _is_zero(slope):
                term = g.apply("mul", slope, tangent)
                total = term if total is None else g.apply("add", total, term)
    return total


def _condition(g: Graph, op: str, args: Sequence[Node]) -> Node:
    choice = OPS[op].choice
    assert choice is not None
    return choice(g, *args)


def _chain(g: Graph, op: str, out: Node, args: Sequence[Node], rows: Sequence[Row | None]) -> Row:
    """The derivatives of ``out = op(*args)`` from those of its arguments."""
    if op in FLAT:
        return {}
    if op in _CHOICES:
        return _choose(g, _condition(g, op, args), rows[-2] or {}, rows[-1] or {})
    total = Row()
    for row, partial in zip(rows, OPS[op].partials, strict=True):
        slope = partial(g, out, *args) if row else None
        if not row or slope is None or _is_zero(slope):
            continue
        for j, tangent in row.items():
            term = g.apply("mul", slope, tangent)
            total[j] = g.apply("add", total[j], term) if j in total else term
    return total


def _choose(g: Graph, condition: Node, first: Row, second: Row) -> Row:
    zero = g.const(0.0)
    wanted = sorted(first.keys() | second.keys())
    return {j: g.select(condition, first.get(j, zero), second.get(j, zero)) for j in wanted}


def _is_zero(node: Node) -> bool:
    return node.op == "const" and node.value == 0.0


class _Sweep:
    """What every accumulation over one set of outputs needs: the active nodes in order, and their dependence.

    ``depends[node]`` is a bit mask of the positions in `wrt` that the node depends on differentiably.
    """

    def __init__(self, graph: Graph, outputs: Sequence[Node], wrt: Sequence[Node]) -> None:
        self.graph = graph
        self.wrt = wrt
        self.position = {w: j for j, w in enumerate(wrt)}
        self.depends: dict[Node, int] = {}
        self.active: list[Node] = []
        self.choices: dict[Node, Row] = {}
        depends, position = self.depends, self.position
        for node in reachable(outputs):
            if node in position:
                mask = 1 << position[node]
            elif not node.args or node.op in FLAT:
                continue
            else:
                mask = 0
                for a in node.args[-2:] if node.op in _CHOICES else node.args:
                    mask |= depends.get(a, 0)
            if mask:
                depends[node] = mask
                self.active.append(node)

    def forward_is_shorter(self, outputs: Sequence[Node]) -> bool:
        """Compare the numbers of (node, parameter) and (output, node) pairs that an accumulation would
        visit."""
        if len(outputs) == 1:
            return False
        uses = dict.fromkeys(self.active, 0)
        for k, out in enumerate(outputs):
            if out in uses:
                uses[out] |= 1 << k
        for node in reversed(self.active):
            for a in node.args:
                if a in uses:
                    uses[a] |= uses[node]
        return sum(m.bit_count() for m in self.depends.values()) < sum(m.bit_count() for m in uses.values())

    def forward(self, outputs: Sequence[Node]) -> list[Row]:
        """Rows by sparse forward accumulation: each node carries the derivatives it has."""
        rows: dict[Node, Row] = {}
        for node in self.active:
            if node in self.position:
                rows[node] = {self.position[node]: self.graph.const(1.0)}
            else:
                rows[node] = _chain(self.graph, node.op, node, node.args, [rows.get(a) for a in node.args])
        return [rows.get(out, {}) for out in outputs]

    def reverse(self, outputs: Sequence[Node], below: Sequence[int] | None = None) -> list[Row]:
        """Rows by reverse accumulation; with `below`, row k only up to and including column below[k]."""
        for node in self.active:
            if node.op in _CHOICES and node not in self.position:
                condition = _condition(self.graph, node.op, node.args)
                self.choices[node] = _choose(
                    self.graph, condition, *[self._row(a, -1) for a in node.args[-2:]]
                )
        limits = [-1] * len(outputs) if below is None else [(2 << j) - 1 for j in below]
        return [self._row(out, limit) for out, limit in zip(outputs, limits, strict=True)]

    def _row(self, out: Node, limit: int) -> Row:
        """One reverse sweep from `out` over the columns in the bit mask `limit`."""
        g, depends, position = self.graph, self.depends, self.position
        if not depends.get(out, 0) & limit:
            return {}
        adjoints: dict[Node, Node] = {out: g.const(1.0)}
        row: Row = {}
        for node in reversed(self.active):
            adjoint = adjoints.get(node)
            if adjoint is None or not depends[node] & limit:
                continue
            if node in position:
                row[position[node]] = adjoint
            elif node in self.choices:
                for j, slope in self.choices[node].items():
                    self._accumulate(adjoints, self.wrt[j], g.apply("mul", adjoint, slope))
            else:
                self._pull(node, adjoint, adjoints)
        return {j: node for j, node in row.items() if limit >> j & 1}

    def _pull(self, node: Node, adjoint: Node, adjoints: dict[Node, Node]) -> None:
        """Hand the adjoint of a node to its arguments."""
        g, op, args = self.graph, node.op, node.args
        if op == "add":
            terms = [(a, adjoint) for a in args if a in self.depends]
        else:
            terms = []
            for a, partial in zip(args, OPS[op].partials, strict=True):
                if a in self.depends:
                    slope = partial(g, node, *args)
                    if slope is not None and not _is_zero(slope):
                        terms.append((a, g.apply("mul", adjoint, slope)))
        for a, term in terms:
            self._accumulate(adjoints, a, term)

    def _accumulate(self, adjoints: dict[Node, Node], node: Node, term: Node) -> None:
        before = adjoints.get(node)
        adjoints[node] = term if before is None else self.graph.apply("add", before, term)
