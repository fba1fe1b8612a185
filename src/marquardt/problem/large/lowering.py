"""From the expressions of one item to the programs of a family: residuals, and derivatives by the tangents.

With r(x) and the motion ``y(d) = retract(x, d)``, the derivative by the tangent is that of ``r(y(d))`` at
d = 0: ``dr/dx · dy/dd``. Both factors are exact, by the rules of the graph; dy/dd is sparse.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ...expr.derive import jacobian
from ...expr.graph import Graph, Node, reachable, rebuilt
from ...expr.tape import in_core
from .manifolds import Manifold
from .program import Made, program
from .tangents import Slopes, ambient, tangents
from .tracing import ItemTrace

Row = list[Node]


@dataclass(frozen=True, eq=False)
class Programs:
    """Expressions of a family over its inputs, and which of the data columns they hold."""

    graph: Graph
    value: tuple[Node, ...]
    linear: tuple[Node, ...]
    n_inputs: int
    used: tuple[int, ...]
    known: dict[tuple[bool, ...], Made] = field(default_factory=dict)

    @property
    def missing(self) -> str | None:
        """An operation without a kernel in the core."""
        return in_core(self.linear)

    def made(self, widths: tuple[int, ...], repaid: tuple[bool, ...]) -> Made:
        """Residuals, and residuals with derivatives, of slots of so many components, some of them with
        tables."""
        if repaid not in self.known:
            both = [program(self.graph, o, widths, self.n_inputs, repaid) for o in (self.value, self.linear)]
            self.known[repaid] = Made(self.used, *both)
        return self.known[repaid]


def programs(trace: ItemTrace, manifolds: Sequence[Manifold]) -> Programs:
    """The programs of a family whose first arguments are values on these manifolds, in the order of inputs.

    Raises Untraceable where a manifold's own functions cannot be traced.
    """
    key = tuple(manifolds)
    if key not in trace.lowered:
        trace.lowered[key] = _programs(trace, manifolds)
    found: Programs = trace.lowered[key]
    return found


def _programs(trace: ItemTrace, manifolds: Sequence[Manifold]) -> Programs:
    n_values = sum(ambient(m) for m in manifolds)
    graph = Graph()
    used = sorted(
        int(n.value) for n in reachable(trace.outputs) if n.op == "data" and int(n.value) >= n_values
    )
    places = {k: k for k in range(n_values)} | {k: n_values + i for i, k in enumerate(used)}
    last = max(places, default=-1)
    leaves = [graph.data(places.get(k, 0)) for k in range(last + 1)]
    value = rebuilt(graph, trace.outputs, (), leaves or [graph.const(0.0)])
    x = [graph.data(k) for k in range(n_values)]
    slopes = _by_tangents(graph, jacobian(graph, value, x), x, manifolds)
    linear = [*value, *(d for row in slopes for d in row)]
    return Programs(graph, tuple(value), tuple(linear), len(places), tuple(k - n_values for k in used))


def _by_tangents(graph: Graph, rows: list[Row], x: Row, manifolds: Sequence[Manifold]) -> list[Row]:
    """Derivatives by values to derivatives by tangents, slot by slot."""
    out: list[Row] = [[] for _ in rows]
    at = 0
    for manifold in manifolds:
        end = at + ambient(manifold)
        if manifold.flat:
            for row, found in zip(out, rows, strict=True):
                row += found[at:end]
        else:
            slopes = _moved(graph, tangents(manifold), x[at:end])
            for row, found in zip(out, rows, strict=True):
                row += _product(graph, found[at:end], slopes, manifold.tangent)
        at = end
    return out


def _product(graph: Graph, row: Row, slopes: list[Row], tangent: int) -> Row:
    out = []
    for j in range(tangent):
        total = graph.const(0.0)
        for a, slope in zip(row, slopes, strict=True):
            if not (_is_zero(a) or _is_zero(slope[j])):
                total = graph.add(total, graph.mul(a, slope[j]))
        out.append(total)
    return out


def _moved(graph: Graph, slopes: Slopes, x: Row) -> list[Row]:
    """The derivative of the motion at x, in another graph."""
    t = len(slopes[0])
    flat = rebuilt(graph, [entry for row in slopes for entry in row], (), x)
    return [flat[i * t : (i + 1) * t] for i in range(len(slopes))]


def _is_zero(node: Node) -> bool:
    return node.op == "const" and node.value == 0.0
