"""Bounds on expressions: each expression becomes a parameter, in the place of one of its own.

``a - b >= 0`` is a bound on the new parameter ``a - b``, with ``a = (a - b) + b`` in the model: the minimizer
knows bounds on parameters only. An expression of a single parameter moves that one's bounds instead.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import ParameterError
from ..expr.graph import Graph, Node, reachable, rebuilt
from ..expr.interpret import interpret
from ..expr.interval import EVERYTHING, Interval, interval, meet
from ..expr.invert import NotSolvable, solve_for, tidy
from ..expr.separable import interactions

Vector = NDArray[np.float64]

ROUNDING = 1e-12
"""A bound is kept, or a value within it, up to this part of its size."""
_OWN_BOUNDS = "it has bounds of its own"


@dataclass(frozen=True)
class Limit:
    """An expression of parameters and its bounds."""

    text: str
    node: Node
    lower: float
    upper: float


@dataclass(frozen=True)
class Bounded:
    """A bounded expression in a fit: `node` by the parameters that are fitted.

    ``place`` is the position of the one that carries its bounds; -1 where they follow from others.
    """

    text: str
    node: Node
    lower: float
    upper: float
    place: int


@dataclass(frozen=True)
class Leaves:
    """The parameters that limits speak of, ties resolved."""

    names: tuple[str, ...]
    values: Vector
    """NaN where there is no start value."""
    lower: Vector
    upper: Vector
    free: NDArray[np.bool_]
    kept: frozenset[int]
    """Those that must stay, as they have a prior."""

    def box(self) -> dict[int, Interval]:
        """Where each may be; a fixed one is where it is."""
        return {
            i: (float(self.lower[i]), float(self.upper[i]))
            if self.free[i]
            else (float(self.values[i]), float(self.values[i]))
            for i in range(len(self.names))
        }


@dataclass(frozen=True)
class Arranged:
    """Limit k is parameter ``len(leaves.names) + k`` where it stands in the place of another one."""

    box: dict[int, Interval]
    solved: dict[int, Node]
    """Parameters that left, by those that stayed or came."""
    carriers: tuple[int, ...]
    """For each limit the parameter that carries it, -1 where it follows from others."""


def arrange_limits(graph: Graph, leaves: Leaves, limits: Sequence[Limit]) -> Arranged:
    """Find a parameter for each limit to take the place of.

    Raises ParameterError, which says for each of them why it cannot leave.
    """
    search = _Search(graph, leaves, limits)
    found = next(search.complete(0, leaves.box(), {}, ()), None)
    if found is None:
        raise ParameterError(search.refusal())
    return found


class _Search:
    def __init__(self, graph: Graph, leaves: Leaves, limits: Sequence[Limit]) -> None:
        self.graph, self.leaves, self.limits, self.n = graph, leaves, limits, len(leaves.names)
        self.reasons: dict[str, dict[str, str]] = {}

    def complete(
        self, k: int, box: dict[int, Interval], solved: dict[int, Node], carriers: tuple[int, ...]
    ) -> Iterator[Arranged]:
        """All ways to place the limits from number k on."""
        if k == len(self.limits):
            if self._keeps_bounds(box, solved):
                yield Arranged(box, solved, carriers)
            return
        limit = self.limits[k]
        node = self._reduced(limit.node, solved)
        wanted = limit.lower, limit.upper
        possible = interval(node, box)
        if _within(possible, wanted):
            yield from self.complete(k + 1, box, solved, (*carriers, -1))
            return
        both = meet(possible, wanted)
        if both[0] > both[1]:
            raise ParameterError(
                f"the bounds of {limit.text!r} cannot be kept: by the other bounds and fixed values it lies "
                f"in [{possible[0]:g}, {possible[1]:g}]"
            )
        moving = [i for i in leaves_of(node) if i >= self.n or self.leaves.free[i]]
        if len(moving) == 1:
            yield from self._narrow(k, node, moving[0], both, box, solved, carriers)
            return
        target = self.n + k
        for i in self._order(node, [i for i in moving if i < self.n]):
            inside = {**box, target: both}
            try:
                value = solve_for(self.graph, node, i, target, inside)
            except NotSolvable as problem:
                self._remember(limit, i, str(problem))
                continue
            again = {j: self._put(one, i, value) for j, one in solved.items()}
            again[i] = value
            yield from self.complete(k + 1, inside, again, (*carriers, target))
        if not any(i < self.n for i in moving):
            self._remember(limit, moving[0], "the other bounds on expressions leave no parameter for it")

    def _narrow(
        self, k: int, node: Node, i: int, both: Interval, box: dict[int, Interval],
        solved: dict[int, Node], carriers: tuple[int, ...],
    ) -> Iterator[Arranged]:  # fmt: skip
        """An expression of one parameter: its bounds are bounds of that."""
        limit, target = self.limits[k], self.n + k
        try:
            value = solve_for(self.graph, node, i, target, {**box, target: both})
        except NotSolvable as problem:
            self._remember(limit, i, str(problem))
            return
        mine = meet(box[i], interval(value, {**box, target: both}))
        if mine[0] > mine[1]:
            raise ParameterError(
                f"the bounds of {limit.text!r} and those of {self._name(i)!r} leave nothing in common"
            )
        yield from self.complete(k + 1, {**box, i: mine}, solved, (*carriers, i))

    def _order(self, node: Node, candidates: list[int]) -> list[int]:
        """Those first that cost nothing: without start of their own, linear, without bounds."""
        leaves, partners = self.leaves, interactions([node])
        unknown = [i for i in leaves_of(node) if i < self.n and math.isnan(leaves.values[i])]

        def cost(i: int) -> tuple[bool, bool, int]:
            loses_start = bool(unknown) and i not in unknown
            return loses_start, bool(partners[i] >> i & 1), i

        for i in candidates:
            if i in leaves.kept:
                self._remember_all(i, "it has a prior or a ridge")
        return sorted((i for i in candidates if i not in leaves.kept), key=cost)

    def _keeps_bounds(self, box: dict[int, Interval], solved: dict[int, Node]) -> bool:
        """Do those that left stay within bounds of their own?"""
        for i, node in solved.items():
            own = float(self.leaves.lower[i]), float(self.leaves.upper[i])
            if own != EVERYTHING and not _within(interval(node, box), own):
                self._remember_all(i, f"{_OWN_BOUNDS}, {_shown(own)}")
                return False
        return True

    def _reduced(self, node: Node, solved: Mapping[int, Node]) -> Node:
        for i, value in solved.items():
            node = self._put(node, i, value)
        return tidy(self.graph, node)

    def _put(self, node: Node, i: int, value: Node) -> Node:
        """`value` in the place of parameter i."""
        count = self.n + len(self.limits)
        leaves = [self.graph.param(j) if j != i else value for j in range(count)]
        return rebuilt(self.graph, [node], leaves)[0]

    def _name(self, i: int) -> str:
        return self.leaves.names[i] if i < self.n else self.limits[i - self.n].text

    def _remember(self, limit: Limit, i: int, why: str) -> None:
        self.reasons.setdefault(limit.text, {}).setdefault(self._name(i), why)

    def _remember_all(self, i: int, why: str) -> None:
        for limit in self.limits:
            if i in leaves_of(limit.node):
                self._remember(limit, i, why)

    def refusal(self) -> str:
        """Why the first limit that failed cannot be had."""
        text = next((limit.text for limit in self.limits if limit.text in self.reasons), "")
        reasons = self.reasons.get(text, {})
        whys = "; ".join(f"{name!r}: {why}" for name, why in reasons.items())
        bounded = [name for name, why in reasons.items() if why.startswith(_OWN_BOUNDS)]
        advice = f". Leave out those of {bounded[-1]!r}, for example" if bounded else ""
        return (
            f"the bounds of {text!r} cannot be kept: the expression must take the place of one of its "
            f"parameters, and none can leave ({whys}){advice}"
        )


def leaves_of(node: Node) -> list[int]:
    """The parameters in an expression, by number."""
    return sorted(int(leaf.value) for leaf in reachable([node]) if leaf.op == "param")


def _within(a: Interval, b: Interval) -> bool:
    slack = [ROUNDING * abs(v) if math.isfinite(v) else 0.0 for v in b]
    return b[0] - slack[0] <= a[0] and a[1] <= b[1] + slack[1]


def _shown(pair: Interval) -> str:
    return f"[{pair[0]:g}, {pair[1]:g}]"


def start_of(limit: Limit, values: Vector) -> float:
    """The value of an expression at the start values, moved onto a bound that it misses by rounding.

    Raises ParameterError where it is outside.
    """
    with np.errstate(all="ignore"):
        value = float(interpret((limit.node,), values.tolist(), ())[0])
    if math.isnan(value):
        return value
    inside = min(max(value, limit.lower), limit.upper)
    sizes = [abs(value), *(abs(float(values[i])) for i in leaves_of(limit.node))]
    if abs(inside - value) > ROUNDING * max(sizes):
        raise ParameterError(
            f"start {value:g} of {limit.text!r} is outside its bounds {_shown((limit.lower, limit.upper))}"
        )
    return inside
