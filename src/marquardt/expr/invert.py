"""An expression solved for one of its parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from .derive import jacobian
from .graph import Graph, Node, reachable, rebuilt
from .interval import EVERYTHING, Interval, holds_zero, interval, meet
from .separable import interactions


class NotSolvable(Exception):
    """The expression cannot be solved; the message says why, as a clause."""


def solve_for(graph: Graph, node: Node, i: int, target: int, box: Mapping[int, Interval]) -> Node:
    """The value of parameter i at which `node` equals parameter number `target`.

    Operations are undone from the outside in, where the parameter occurs once; an expression in which it
    occurs several times is solved where it is affine in it, or a power of it. `box` says where the
    parameters lie, that of `target` where the expression is to lie: it decides between two roots, and
    whether a division is safe.

    >>> g = Graph()
    >>> ratio = g.div(g.param(0), g.param(1))
    >>> solve_for(g, ratio, 0, 2, {2: (1.0, 10.0)}) is g.mul(g.param(1), g.param(2))
    True

    Raises NotSolvable.
    """
    unknown, goal = graph.param(i), graph.param(target)
    aim = interval(goal, box)
    while node is not unknown:
        aim = meet(aim, interval(node, box))
        inside = [k for k, a in enumerate(node.args) if unknown in reachable([a])]
        if len(inside) != 1:
            power = _power(graph, node, unknown)
            if power is not None:
                return _undo_power(graph, goal, aim, *power, box, i)
            return _affine(graph, node, i, goal, aim, box)
        k = inside[0]
        undo = _UNDO.get(node.op)
        if undo is None:
            raise NotSolvable(f"`{node.op}` cannot be undone")
        goal = undo(graph, goal, aim, k, node.args, [interval(a, box) for a in node.args])
        node = node.args[k]
        aim = interval(goal, box)
    return goal


def _affine(graph: Graph, node: Node, i: int, goal: Node, aim: Interval, box: Mapping[int, Interval]) -> Node:
    """``(goal - node at 0) / slope``."""
    if interactions([node])[i] >> i & 1:
        raise NotSolvable("it occurs more than once, and not as a factor of a sum")
    slope = jacobian(graph, [node], [graph.param(i)])[0][0]
    n = 1 + max(int(leaf.value) for leaf in reachable([node]) if leaf.op == "param")
    leaves = [graph.param(j) if j != i else graph.const(0.0) for j in range(n)]
    rest = rebuilt(graph, [node], leaves)[0]
    if holds_zero(interval(slope, box)) or (slope.op == "const" and slope.value == 0.0):
        raise NotSolvable("its factor may be zero")
    return graph.div(graph.sub(goal, rest), slope)


def _power(g: Graph, node: Node, unknown: Node) -> tuple[Node, float] | None:
    """``(c, n)`` where `node` is ``c * unknown**n``; the graph writes ``p**3`` as a product."""
    if node is unknown:
        return g.const(1.0), 1.0
    if unknown not in reachable([node]):
        return node, 0.0
    if node.op not in ("mul", "div", "square", "sqrt", "recip"):
        return None
    parts = [_power(g, a, unknown) for a in node.args]
    if any(part is None for part in parts):
        return None
    known = [part for part in parts if part is not None]
    factor = g.apply(node.op, *[c for c, _ in known])
    first, last = known[0][1], known[-1][1]
    powers = {
        "mul": first + last,
        "div": first - last,
        "square": 2 * first,
        "sqrt": first / 2,
        "recip": -first,
    }
    return factor, powers[node.op]


def _undo_power(
    g: Graph, goal: Node, aim: Interval, factor: Node, n: float, box: Mapping[int, Interval], i: int
) -> Node:
    if n == 0.0 or (holds_zero(interval(factor, box)) and holds_zero(aim)):
        raise NotSolvable("its factor may be zero: give that a bound at 0" if n else "it cancels")
    return _root(g, g.div(goal, factor), n, box.get(i, EVERYTHING))


def tidy(graph: Graph, node: Node) -> Node:
    """`node` without the parameters that cancel, where it is a sum of multiples or a product of powers.

    >>> g = Graph()
    >>> a, b = g.param(0), g.param(1)
    >>> tidy(g, g.sub(b, g.add(a, b))) is g.neg(a)
    True
    """
    leaves = [leaf for leaf in reachable([node]) if leaf.op == "param"]
    if not leaves:
        return node
    slopes = jacobian(graph, [node], leaves)[0]
    if all(slope.op == "const" for slope in slopes):
        if all(slope.value for slope in slopes):
            return node
        zeros = [graph.const(0.0)] * (1 + max(int(leaf.value) for leaf in leaves))
        total = rebuilt(graph, [node], zeros)[0]
        for leaf, slope in zip(leaves, slopes, strict=True):
            total = graph.add(total, graph.mul(slope, leaf)) if slope.value else total
        return total
    rest, powers = node, []
    for leaf in leaves:
        part = _power(graph, rest, leaf)
        if part is None:
            return node
        rest = part[0]
        powers.append(part[1])
    if all(powers):
        return node
    for leaf, n in zip(leaves, powers, strict=True):
        rest = graph.mul(rest, graph.apply("pow", leaf, graph.const(n))) if n else rest
    return rest


Undo = Callable[[Graph, Node, Interval, int, tuple[Node, ...], list[Interval]], Node]


def _by(op: str) -> Undo:
    return lambda g, goal, aim, k, args, at: g.apply(op, goal)


def _undo_mul(
    g: Graph, goal: Node, aim: Interval, k: int, args: tuple[Node, ...], at: list[Interval]
) -> Node:
    if holds_zero(at[1 - k]) and holds_zero(aim):
        raise NotSolvable("its factor may be zero: give that a bound at 0")
    return g.div(goal, args[1 - k])


def _undo_div(
    g: Graph, goal: Node, aim: Interval, k: int, args: tuple[Node, ...], at: list[Interval]
) -> Node:
    if k == 0:
        return g.mul(goal, args[1])
    if holds_zero(aim):
        raise NotSolvable("it is a divisor, and the quotient may be zero")
    return g.div(args[0], goal)


def _undo_recip(
    g: Graph, goal: Node, aim: Interval, k: int, args: tuple[Node, ...], at: list[Interval]
) -> Node:
    if holds_zero(aim):
        raise NotSolvable("it is a divisor, and the quotient may be zero")
    return g.apply("recip", goal)


def _undo_square(
    g: Graph, goal: Node, aim: Interval, k: int, args: tuple[Node, ...], at: list[Interval]
) -> Node:
    return _root(g, goal, 2.0, at[0])


def _undo_pow(
    g: Graph, goal: Node, aim: Interval, k: int, args: tuple[Node, ...], at: list[Interval]
) -> Node:
    other = args[1 - k]
    if other.op != "const":
        raise NotSolvable("it is in a power with another parameter")
    if k == 1:
        if other.value <= 0.0 or other.value == 1.0:
            raise NotSolvable(f"the base {other.value:g} gives no logarithm")
        return g.div(g.apply("log", goal), g.apply("log", other))
    return _root(g, goal, other.value, at[0])


def _root(g: Graph, goal: Node, n: float, where: Interval) -> Node:
    """The solution of ``x**n = goal`` of the sign that x has."""
    if n.is_integer() and holds_zero(where):
        raise NotSolvable("a power of it has several roots: give it a bound at 0")
    negative = n.is_integer() and where[1] <= 0.0
    size = g.neg(goal) if negative and n % 2 else goal
    root = g.apply("sqrt", size) if n == 2.0 else g.apply("pow", size, g.const(1.0 / n))
    return g.neg(root) if negative else root


_UNDO: dict[str, Undo] = {
    "add": lambda g, goal, aim, k, args, at: g.sub(goal, args[1 - k]),
    "sub": lambda g, goal, aim, k, args, at: g.sub(args[0], goal) if k else g.add(goal, args[1]),
    "neg": _by("neg"),
    "mul": _undo_mul,
    "div": _undo_div,
    "recip": _undo_recip,
    "square": _undo_square,
    "pow": _undo_pow,
    "sqrt": _by("square"),
    "exp": _by("log"),
    "log": _by("exp"),
    "expm1": _by("log1p"),
    "log1p": _by("expm1"),
    "exp2": _by("log2"),
    "log2": _by("exp2"),
    "log10": lambda g, goal, aim, k, args, at: g.apply("pow", g.const(10.0), goal),
    "sinh": _by("arcsinh"),
    "arcsinh": _by("sinh"),
    "tanh": _by("arctanh"),
    "arctanh": _by("tanh"),
    "cbrt": lambda g, goal, aim, k, args, at: g.mul(goal, g.apply("square", goal)),
    "expit": lambda g, goal, aim, k, args, at: g.sub(g.apply("log", goal), g.apply("log1p", g.neg(goal))),
}
