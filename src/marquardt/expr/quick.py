"""Powers as exponentials of logarithms: quicker, and good to some ulp more than the kernel of ``pow``.

``(x/c)^h`` becomes ``exp(h (log x - log c))``: the logarithm of data is a column, that of a parameter is
worked out once for all points, and all derivatives share the one exponential that is left. Where a base is
not positive the result is NaN or infinite: only those may use it who look for that.
"""

from __future__ import annotations

from collections.abc import Sequence

from .graph import DATA, PARAM, Graph, Node, reachable


def with_quick_powers(graph: Graph, outputs: Sequence[Node]) -> list[Node]:
    """`outputs` with powers of variable exponents as exponentials; the same nodes where there are none.

    >>> g = Graph()
    >>> (quick,) = with_quick_powers(g, [g.apply("pow", g.data(0), g.param(0))])
    >>> quick.op
    'exp'
    """
    made: dict[Node, Node] = {}
    for node in reachable(outputs):
        args = [made[a] for a in node.args]
        if node.op == "pow" and args[1].op != "const":
            made[node] = graph.apply("exp", graph.mul(args[1], _log(graph, args[0])))
        elif node.op == "log":
            made[node] = _log(graph, args[0])
        else:
            made[node] = graph.apply(node.op, *args) if args else node
    return [made[node] for node in outputs]


def with_one_expit(graph: Graph, outputs: Sequence[Node]) -> list[Node]:
    """`outputs` where of expit(z) and expit(-z), as the derivative has them, one is 1 less the other.

    Near 1 the other is then known to 1e-16, not to 1e-16 of itself: enough for sums over points of which some
    are elsewhere.

    >>> g = Graph()
    >>> z = g.param(0)
    >>> both = [g.apply("expit", z), g.apply("expit", g.neg(z))]
    >>> [node.op for node in with_one_expit(g, both)]
    ['expit', 'sub']
    """
    made: dict[Node, Node] = {}
    kept: set[Node] = set()
    for node in reachable(outputs):
        args = [made[a] for a in node.args]
        made[node] = graph.apply(node.op, *args) if args else node
        if node.op == "expit":
            other = graph.apply("expit", graph.neg(args[0]))
            if other in kept:
                made[node] = graph.sub(graph.const(1.0), other)
            else:
                kept.add(made[node])
    return [made[node] for node in outputs]


def _log(graph: Graph, a: Node) -> Node:
    """The logarithm, apart for data and parameters."""
    apart = {arg.kind for arg in a.args} == {DATA, PARAM}
    if apart and a.op in ("mul", "div"):
        first, second = (graph.apply("log", arg) for arg in a.args)
        return graph.add(first, second) if a.op == "mul" else graph.sub(first, second)
    return graph.apply("log", a)
