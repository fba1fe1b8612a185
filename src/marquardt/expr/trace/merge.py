"""Rows recognized: expressions of equal structure become one expression over columns (anti-unification).

A loop over points, `np.vectorize` or a list of expressions unrolls into one expression per element. Where
these differ only in constants and data elements, the differing places become data columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..graph import Graph, Node
from .context import Context
from .leaves import Argument, Captured, Gather, Pieces, Shape

if TYPE_CHECKING:
    from .symbol import Symbol

COMMUTATIVE = frozenset({"add", "mul", "hypot", "eq", "ne", "and", "or", "beta", "betaln"})
Skeleton = tuple[Any, ...]


def skeleton(roots: Sequence[Node]) -> tuple[Skeleton, list[Node]]:
    """The structure of expressions with every constant and data leaf cut out, and these leaves in order."""
    names: dict[Node, int] = {}
    key: list[Any] = []
    slots: list[Node] = []
    for root in roots:
        stack = [root]
        while stack:
            top = stack[-1]
            if top in names or not top.args:
                stack.pop()
                continue
            missing = [arg for arg in top.args if arg.args and arg not in names]
            if missing:
                stack.extend(reversed(missing))
                continue
            stack.pop()
            names[top] = len(names)
            args = sorted(top.args, key=_rank) if top.op in COMMUTATIVE else top.args
            key.append((top.op, *[_code(arg, names, slots) for arg in args]))
        key.append(_code(root, names, slots))
    return tuple(key), slots


def outline(root: Node, known: dict[Node, int]) -> int:
    """A number that expressions of equal skeleton share; `known` keeps those of all parts.

    A skeleton takes the whole expression's size in time, this only that of its new parts: in a recurrence,
    where each element contains the one before, that is the difference of n**2 to n.
    """
    stack = [root]
    while stack:
        top = stack[-1]
        if top in known:
            stack.pop()
            continue
        if not top.args:
            known[top] = 0 if top.op in ("const", "data") else hash((top.op, top.value))
        else:
            missing = [arg for arg in top.args if arg not in known]
            if missing:
                stack.extend(missing)
                continue
            args = [known[arg] for arg in top.args]
            known[top] = hash((top.op, *(sorted(args) if top.op in COMMUTATIVE else args)))
        stack.pop()
    return known[root]


def _rank(node: Node) -> tuple[int, float]:
    """An order of commuting arguments that does not depend on when a constant was first seen."""
    if node.args:
        return 1, 0.0
    return {"param": 0, "direction": 0, "const": 2, "data": 3}[
        node.op
    ], node.value if node.op == "param" else 0.0


def _code(node: Node, names: dict[Node, int], slots: list[Node]) -> Any:
    if node.args:
        return names[node]
    if node.op in ("const", "data"):
        slots.append(node)
        return "slot"
    return (node.op, node.value)


def assemble(graph: Graph, key: Skeleton, slots: Sequence[Node], n_roots: int = 1) -> list[Node]:
    """The expressions of a skeleton with its slots filled."""
    built: list[Node] = []
    roots: list[Node] = []
    fill = iter(slots)

    def leaf(code: Any) -> Node:
        if isinstance(code, int):
            return built[code]
        if code == "slot":
            return next(fill)
        return graph.param(code[1]) if code[0] == "param" else graph.direction(code[1])

    for entry in key:
        if isinstance(entry, tuple) and entry[0] not in ("param", "direction"):
            built.append(graph.apply(entry[0], *[leaf(code) for code in entry[1:]]))
        else:
            roots.append(leaf(entry))
    assert len(roots) == n_roots
    return roots


def merge_slots(ctx: Context, members: Sequence[Sequence[Node]]) -> list[Node]:
    """One node per slot for members that are single elements: a shared leaf, or a column of their values."""
    merged: dict[tuple[Node, ...], Node] = {}
    out = []
    for column in zip(*members, strict=True):
        found = merged.get(column)
        if found is None:
            found = merged[column] = _column(ctx, column)
        out.append(found)
    return out


def _column(ctx: Context, column: tuple[Node, ...]) -> Node:
    first = column[0]
    if all(node is first for node in column):
        return first
    if all(node.op == "const" for node in column):
        return ctx.capture(np.array([node.value for node in column]))
    leaves = [ctx.leaves[int(node.value)] if node.op == "data" else None for node in column]
    parents = {leaf.parent[0].index if leaf is not None and leaf.parent else -1 for leaf in leaves}
    values = np.array(
        [
            float(leaf.values) if leaf is not None else node.value
            for leaf, node in zip(leaves, column, strict=True)
        ]
    )
    if len(parents) == 1 and -1 not in parents:
        parent = ctx.leaves[parents.pop()]
        index = np.array([leaf.parent[1] for leaf in leaves if leaf is not None and leaf.parent])
        if parent.values.ndim == 1 and np.array_equal(index, np.arange(parent.values.size)):
            return ctx.graph.data(parent.index)
        return ctx.leaf(Gather(parent.recipe, parent.values.shape, index), values)
    one: Shape = (1,)
    sources = tuple(
        (leaf.recipe if leaf is not None else Captured(np.array([node.value])), one)
        for leaf, node in zip(leaves, column, strict=True)
    )
    return ctx.leaf(Pieces(sources), values)


def merge_axis(symbol: Symbol, axis: int) -> Symbol | None:
    """Make an unrolled axis one segment of rows if all its elements have equal structure, else None."""
    ctx = symbol.ctx
    axis %= symbol.ndim
    if any(len(lengths) != n for lengths, n in zip(symbol.segments, symbol.shape, strict=True)):
        return None  # cells of more than one element: their leaves are arrays already
    nodes = np.moveaxis(symbol.nodes, axis, -1)
    im = None if symbol.im is None else np.moveaxis(symbol.im, axis, -1)
    out = np.empty((*nodes.shape[:-1], 1), dtype=object)
    out_im = None if im is None else np.empty(out.shape, dtype=object)
    for index in np.ndindex(nodes.shape[:-1]):
        roots = [
            [node] if im is None else [node, other]
            for node, other in zip(nodes[index], nodes[index] if im is None else im[index], strict=True)
        ]
        merged = merge_elements(ctx, roots)
        if merged is None:
            return None
        place = (*index, 0)
        out[place] = merged[0]
        if out_im is not None:
            out_im[place] = merged[1]
    form = [1] * symbol.ndim
    nodes = np.moveaxis(out, -1, axis)
    im = None if out_im is None else np.moveaxis(out_im, -1, axis)
    segments = (*symbol.segments[:axis], (symbol.shape[axis],), *symbol.segments[axis + 1 :])
    if axis != symbol.ndim - 1:
        form[axis] = symbol.shape[axis]
        return _aligned(symbol, segments, nodes, im, tuple(form[axis:]))
    return symbol.like(symbol.shape, segments, nodes, im)


def _aligned(symbol: Symbol, segments: Any, nodes: Any, im: Any, form: Shape) -> Symbol:
    """Turn merged columns (n,) into (n, 1, ..) so that they lie along their axis."""
    from .cells import map_leaves, reshaped

    ctx, n = symbol.ctx, form[0]
    turn = reshaped(ctx, (n,), None, form)

    def change(node: Node) -> Node:
        return node if ctx.leaves[int(node.value)].values.ndim == 0 else turn(node)

    map_leaves(ctx, nodes, im, lambda cell: change)
    return symbol.like(symbol.shape, segments, nodes, im)


def merge_elements(ctx: Context, roots: Sequence[Sequence[Node]]) -> list[Node] | None:
    """One expression (per root) over rows for the elements' expressions, if their structure is equal."""
    key, slots = skeleton(roots[0])
    members = [slots]
    for element in roots[1:]:
        other, slots = skeleton(element)
        if other != key:
            return None
        members.append(slots)
    return assemble(ctx.graph, key, merge_slots(ctx, members), len(roots[0]))


__all__ = ["Argument", "assemble", "merge_axis", "merge_elements", "outline", "skeleton"]
