"""Separable product structure, found on a graph: sums over k of ``c_k(p) * u_k(x; p) * v_k(y; p)``.

On a grid of n by m points such a model needs n + m values of its exponentials instead of n*m, and the sums
over all points that a fit needs are products of sums along one axis. ``exp(A(x) + B(y))`` becomes
``exp(A) * exp(B)``, products are distributed over sums of several axes, quotients and powers over products.
An expression of one axis stays as it is: ``x - x0`` is one factor, not two.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from .graph import DATA, Graph, Node, reachable
from .interpret import interpret
from .ops import OPS

Vector = NDArray[np.float64]
Factor = tuple[tuple[Node, int], ...]
Term = tuple[Factor, ...]
Terms = dict[Term, Node]

MAX_TERMS = 48
"""More products than this save nothing beside the plain evaluation."""
CANCELLATION = 1e3
"""Products may be so many times larger than their sum: three digits are lost at most."""
ROUNDING = 1e-11


@dataclass(frozen=True)
class Product:
    """Expressions as sums of products of factors along one axis each.

    ``factors[a]`` are the distinct factors of axis a, ``monomials[k][a]`` the position of that of product k,
    and ``outputs[o]`` the products of which output o is made, each with its parameter-only coefficient.
    """

    factors: tuple[tuple[Node, ...], ...]
    monomials: tuple[tuple[int, ...], ...]
    outputs: tuple[tuple[tuple[int, Node], ...], ...]

    @property
    def n_axes(self) -> int:
        return len(self.factors)


def decompose(graph: Graph, outputs: Sequence[Node], axis_of: Sequence[int]) -> Product | None:
    """`outputs` as sums of products of one-axis factors, or None where that is not found or not small.

    ``axis_of[k]`` is the axis along which data column k varies.

    >>> g = Graph()
    >>> x, y = g.data(0), g.data(1)
    >>> found = decompose(g, [g.apply("exp", g.add(x, y))], [0, 1])
    >>> found.factors, found.monomials
    (((#5=exp(data0),), (#6=exp(data1),)), ((0, 0),))
    """
    search = _Search(graph, axis_of)
    for node in reachable(outputs):
        search.visit(node)
    found = [search.sum_of(out) for out in outputs]
    if any(terms is None for terms in found):
        return None
    return _collected(graph, [terms for terms in found if terms is not None], search.n_axes)


def _collected(graph: Graph, found: Sequence[Terms], n_axes: int) -> Product | None:
    """Terms numbered: every factor of an axis once, every product once."""
    places: list[dict[Factor, int]] = [{} for _ in range(n_axes)]
    products: dict[tuple[int, ...], int] = {}
    outputs = []
    for terms in found:
        row = []
        for term, coefficient in terms.items():
            key = tuple(place.setdefault(f, len(place)) for place, f in zip(places, term, strict=True))
            row.append((products.setdefault(key, len(products)), coefficient))
        outputs.append(tuple(row))
    if len(products) > MAX_TERMS:
        return None
    factors = tuple(tuple(_written(graph, factor) for factor in place) for place in places)
    return Product(factors, tuple(products), tuple(outputs))


class _Search:
    """Terms of every node, arguments before users; None where a node is no sum of products."""

    def __init__(self, graph: Graph, axis_of: Sequence[int]) -> None:
        self.graph, self.axis_of = graph, axis_of
        self.n_axes = 1 + max(axis_of, default=-1)
        self.axes: dict[Node, int] = {}
        self.terms: dict[Node, Terms | None] = {}
        self.unit: Term = ((),) * self.n_axes

    def visit(self, node: Node) -> None:
        """Work out the axes and the terms of a node whose arguments have been visited."""
        axes = 0
        for a in node.args:
            axes |= self.axes[a]
        self.axes[node] = 1 << self.axis_of[int(node.value)] if node.op == "data" else axes
        self.terms[node] = self._terms(node)

    def sum_of(self, node: Node) -> Terms | None:
        """The terms of an output: a sum is taken apart here even where it is one of a single axis."""
        if node.op in ("add", "sub") and node.kind & DATA:
            a, b = [self.sum_of(arg) for arg in node.args]
            return self._added(a, b if node.op == "add" else self._negative(b))
        return self.terms[node]

    def _terms(self, node: Node) -> Terms | None:
        if node.op == "const" and node.value == 0.0:
            return {}
        if not node.kind & DATA:
            return {self.unit: node}
        rule = _RULES.get(node.op)
        axes = self.axes[node]
        if not axes & (axes - 1) and (rule is None or node.op not in _WITHIN):
            return self._atom(node)
        return None if rule is None else rule(self, *node.args)

    def _atom(self, node: Node) -> Terms:
        axis = self.axes[node].bit_length() - 1
        return {tuple(((node, 1),) if a == axis else () for a in range(self.n_axes)): self.graph.const(1.0)}

    def _made(self, op: str, *args: Node) -> Node:
        """A new node of one axis, known from now on."""
        node = self.graph.apply(op, *args)
        for n in reachable([node]):
            if n not in self.axes:
                self.visit(n)
        return node

    def _added(self, a: Terms | None, b: Terms | None) -> Terms | None:
        if a is None or b is None:
            return None
        total = dict(a)
        for term, coefficient in b.items():
            total[term] = self.graph.add(total[term], coefficient) if term in total else coefficient
        return total if len(total) <= MAX_TERMS else None

    def _negative(self, a: Terms | None) -> Terms | None:
        return None if a is None else {term: self.graph.neg(c) for term, c in a.items()}

    def add(self, a: Node, b: Node) -> Terms | None:
        return self._added(self.terms[a], self.terms[b])

    def sub(self, a: Node, b: Node) -> Terms | None:
        return self._added(self.terms[a], self._negative(self.terms[b]))

    def neg(self, a: Node) -> Terms | None:
        return self._negative(self.terms[a])

    def mul(self, a: Node, b: Node) -> Terms | None:
        return self._multiplied(self.terms[a], self.terms[b])

    def square(self, a: Node) -> Terms | None:
        return self.mul(a, a)

    def _multiplied(self, a: Terms | None, b: Terms | None) -> Terms | None:
        if a is None or b is None or len(a) * len(b) > MAX_TERMS:
            return None
        total: Terms | None = {}
        for s, c in a.items():
            for t, d in b.items():
                term = tuple(_joined(f, h) for f, h in zip(s, t, strict=True))
                total = self._added(total, {term: self.graph.mul(c, d)})
        return total

    def div(self, a: Node, b: Node) -> Terms | None:
        return self._multiplied(self.terms[a], self.recip(b))

    def recip(self, a: Node) -> Terms | None:
        """1/(c u v) = 1/c * 1/u * 1/v, as negative powers: u/u^2 is 1/u."""
        terms = self.terms[a]
        if terms is None or len(terms) != 1:
            return None
        ((term, coefficient),) = terms.items()
        inverse = tuple(tuple((node, -power) for node, power in factor) for factor in term)
        return {inverse: self.graph.apply("recip", coefficient)}

    def abs(self, a: Node) -> Terms | None:
        return self._each(a, "abs")

    def sqrt(self, a: Node) -> Terms | None:
        return self._each(a, "sqrt") if self._is_positive(a) else None

    def pow(self, a: Node, p: Node) -> Terms | None:
        """(c u v)^p = c^p u^p v^p where all are positive; c^(A(x) + B(y)) = c^A * c^B."""
        if not p.kind & DATA:
            return self._each(a, "pow", p) if self._is_positive(a) else None
        return None if a.kind & DATA else self._of_sum(p, lambda z: self._made("pow", a, z))

    def _each(self, a: Node, op: str, *more: Node) -> Terms | None:
        """An operation that goes over a product: taken of every factor."""
        terms = self.terms[a]
        if terms is None or len(terms) != 1:
            return None
        ((term, coefficient),) = terms.items()
        # Of the whole power: the root of v^2 is |v|, not the square of the root of v.
        made = tuple(
            _ordered(
                (self._made(op, _written(self.graph, ((node, abs(n)),)), *more), n // abs(n)) for node, n in f
            )
            for f in term
        )
        return {made: self.graph.apply(op, coefficient, *more)}

    def _is_positive(self, a: Node) -> bool:
        """Is the node a single product of factors and a coefficient that cannot be negative?"""
        terms = self.terms[a]
        if terms is None or len(terms) != 1:
            return False
        ((term, coefficient),) = terms.items()
        atoms = [node for factor in term for node, power in factor if power % 2]
        return _never_negative(coefficient) and all(map(_never_negative, atoms))

    def exp(self, a: Node) -> Terms | None:
        return self._of_sum(a, lambda z: self._made("exp", z))

    def exp2(self, a: Node) -> Terms | None:
        return self._of_sum(a, lambda z: self._made("exp2", z))

    def _of_sum(self, a: Node, power: Callable[[Node], Node]) -> Terms | None:
        """Product over the axes of the power of that part of the sum `a`."""
        parts = self._by_axis(a)
        if parts is None:
            return None
        total: Terms | None = {self.unit: self.graph.const(1.0)}
        for part in parts:
            if part is not None:
                total = self._multiplied(total, self.terms[power(part)])
        return total

    def _by_axis(self, a: Node) -> list[Node | None] | None:
        """The parts of a sum by axis, behind them the one without any; None: some belong to two axes."""
        terms = self.terms[a]
        if terms is None:
            return None
        g = self.graph
        parts: list[Node | None] = [None] * (self.n_axes + 1)
        for term, coefficient in terms.items():
            found = [k for k, factor in enumerate(term) if factor]
            if len(found) > 1:
                return None
            axis = found[0] if found else self.n_axes
            value = g.mul(coefficient, _written(g, term[axis])) if found else coefficient
            before = parts[axis]
            parts[axis] = value if before is None else g.add(before, value)
        return parts

    def sin(self, a: Node) -> Terms | None:
        return self._turned(a, 1)

    def cos(self, a: Node) -> Terms | None:
        return self._turned(a, 0)

    def _turned(self, a: Node, wanted: int) -> Terms | None:
        """Cosine (0) or sine (1) of a sum over the axes, by the addition theorems."""
        parts = self._by_axis(a)
        if parts is None:
            return None
        total: list[Terms | None] = [{self.unit: self.graph.const(1.0)}, {}]
        for part in parts:
            if part is not None:
                cos, sin = [self.terms[self._made(op, part)] for op in ("cos", "sin")]
                c, s = total
                both = self._multiplied(s, sin)
                total = [
                    self._added(self._multiplied(c, cos), self._negative(both)),
                    self._added(self._multiplied(s, cos), self._multiplied(c, sin)),
                ]
        return total[wanted]


_NAMES = (
    "add",
    "sub",
    "neg",
    "mul",
    "square",
    "div",
    "recip",
    "abs",
    "sqrt",
    "pow",
    "exp",
    "exp2",
    "sin",
    "cos",
)
_RULES: dict[str, Callable[..., Terms | None]] = {name: getattr(_Search, name) for name in _NAMES}
_WITHIN = frozenset({"mul", "neg", "square", "div", "recip"})
"""Operations that are taken apart within one axis too, so that factors are shared."""


def _joined(a: Factor, b: Factor) -> Factor:
    """The product of two factors of one axis: powers of nodes, in the order of the graph."""
    if not a or not b:
        return a or b
    powers = dict(a)
    for node, power in b:
        powers[node] = powers.get(node, 0) + power
    return _ordered((node, power) for node, power in powers.items() if power)


def _ordered(powers: Iterable[tuple[Node, int]]) -> Factor:
    return tuple(sorted(powers, key=lambda pair: pair[0].index))


def _written(g: Graph, factor: Factor) -> Node:
    """A factor as one node, 1 where it is empty."""
    bases = [(node if power > 0 else g.apply("recip", node), abs(power)) for node, power in factor]
    powers = [g.apply("pow", base, g.const(float(power))) for base, power in bases]
    return reduce(g.mul, powers) if powers else g.const(1.0)


def _never_negative(node: Node) -> bool:
    if node.op == "const":
        return node.value >= 0.0
    if node.op in ("exp", "exp2", "square", "abs", "sqrt", "hypot", "cosh", "expit", "ndtr"):
        return True
    if node.op in ("add", "mul", "div", "recip"):
        return all(map(_never_negative, node.args))
    return False


def agrees(
    product: Product, outputs: Sequence[Node], params: Iterable[Sequence[float]], columns: Sequence[Vector]
) -> bool:
    """Are the sums of products what `outputs` are, to rounding, at these `params` and rows of the `columns`?

    False also where the products are much larger than their sum: then digits are lost.
    """
    for values in params:
        plain = interpret(outputs, values, columns)
        factors = [interpret(row, values, columns) for row in product.factors]
        with np.errstate(all="ignore"):
            made = [reduce(np.multiply, map(_pick, factors, key)) for key in product.monomials]
            for expected, row in zip(plain, product.outputs, strict=True):
                coefficients = interpret([c for _, c in row], values, ())
                terms = [np.atleast_1d(c * made[k]) for (k, _), c in zip(row, coefficients, strict=True)]
                if not _is_sum(np.atleast_1d(expected), terms):
                    return False
    return True


def _pick(values: Sequence[Vector], k: int) -> Vector:
    return values[k]


def _is_sum(expected: Vector, terms: Sequence[Vector]) -> bool:
    total = sum(terms, np.zeros(1))
    size = sum((np.abs(t) for t in terms), np.zeros(1))
    if not (np.isfinite(expected).all() and np.isfinite(size).all()):
        return False
    close = np.all(np.abs(total - expected) <= ROUNDING * size.max())
    return bool(close and size.max() <= CANCELLATION * np.abs(expected).max())


def work(nodes: Sequence[Node]) -> float:
    """About how many multiplications evaluating `nodes` takes at one point; parameter-only work is free."""
    cost = 0.0
    for node in reachable(nodes):
        if node.args and node.kind & DATA:
            cost += 12.0 if OPS[node.op].expensive else 4.0 if node.op in ("div", "recip", "sqrt") else 1.0
    return cost
