"""From the function's result to families: rows of equal structure with their columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..graph import Graph, Node, rebuilt
from .cells import _owners, block_shape, blocks, gathered, split, units
from .context import Context, rebuild, used_leaves
from .leaves import Captured, Column, Pieces, Shape
from .merge import assemble, merge_slots, outline, skeleton
from .record import Family
from .symbol import Symbol


@dataclass(slots=True)
class _Block:
    """One expression for a block of rows, its data leaves still those of the trace."""

    roots: list[Node]
    shape: Shape
    rows: list[NDArray[np.intp]]  # per root
    columns: dict[Node, Column]


def families(ctx: Context, symbol: Symbol, graph: Graph) -> tuple[Family, ...]:
    """The families of a result, rebuilt in a fresh graph."""
    pieces = _pieces(symbol)
    if symbol.kind == "c":
        shifted = [
            _Block([p.roots[k]], p.shape, [p.rows[0] + k * symbol.size], {}) for k in (0, 1) for p in pieces
        ]
        pieces = shifted
    singles = [p for p in pieces if prod(p.shape) == 1]
    merged = _merge_singles(ctx, singles) + [_with_columns(ctx, p) for p in pieces if prod(p.shape) > 1]
    merged = _share(_merge_rows(ctx, merged))
    return tuple(_finish(graph, block) for block in merged)


def elements(ctx: Context, symbol: Symbol, graph: Graph) -> list[Node]:
    """The expression of each element in a fresh graph, parameters become data leaves, data constants."""
    for axis in range(-symbol.ndim, 0):
        symbol = split(symbol, axis, units(symbol.shape[axis]))
    roots = list(symbol.nodes.flat)
    constants = {k: graph.const(ctx.leaves[k].values.item()) for k in used_leaves(roots)}
    return rebuilt(graph, roots, [graph.data(k) for k in range(len(ctx.params))], constants)


def _pieces(symbol: Symbol) -> list[_Block]:
    ctx = symbol.ctx
    if symbol.pending is not None:
        return _scattered(ctx, *symbol.pending)
    index = np.arange(symbol.size).reshape(symbol.shape)
    out = []
    for cell, where in blocks(symbol.segments):
        rows = index[where]
        if rows.size:
            roots = [symbol.nodes[cell]] + ([] if symbol.im is None else [symbol.im[cell]])
            out.append(_Block(roots, rows.shape, [rows.reshape(-1)], {}))
    return out


def _scattered(ctx: Context, base: Symbol, positions: NDArray[np.intp]) -> list[_Block]:
    """Cells of a rearranged array: each keeps its rows, wherever they went."""
    owner, local, cells = _owners([base], positions.reshape(-1))
    out = []
    for k, (source, cell) in enumerate(cells):
        rows = np.flatnonzero(owner == k)
        if not rows.size:
            continue
        roots = [source.nodes[cell]] + ([] if source.im is None else [source.im[cell]])
        shape = block_shape(source.segments, cell)
        if not np.array_equal(local[rows], np.arange(prod(shape))):
            memo: dict[Node, Node] = {}
            rule = gathered(ctx, shape, local[rows])
            roots = [rebuild(ctx.graph, root, rule, memo) for root in roots]
            shape = (rows.size,)
        out.append(_Block(roots, shape, [rows], {}))
    return out


MAX_ELEMENTS = 16


def _with_columns(ctx: Context, block: _Block) -> _Block:
    used = used_leaves(block.roots)
    if len(used) > MAX_ELEMENTS and prod(block.shape) > 1:
        # A sum over rows inside every row: single elements become constants, computed once for all rows.
        memo: dict[Node, Node] = {}

        def element(node: Node) -> Node:
            values = ctx.leaves[int(node.value)].values
            if values.ndim:
                return node
            ctx.data_bound = True
            return ctx.graph.const(float(values))

        block.roots = [rebuild(ctx.graph, root, element, memo) for root in block.roots]
        used = used_leaves(block.roots)
    for index in used:
        block.columns[ctx.graph.data(index)] = Column(ctx.leaves[index].recipe, block.shape)
    return block


def _merge_singles(ctx: Context, singles: Sequence[_Block]) -> list[_Block]:
    """Elements of equal structure become rows."""
    groups: dict[Any, list[tuple[list[Node], _Block]]] = {}
    out = []
    for piece, alone in zip(singles, _alone(singles), strict=True):
        if alone:
            out.append(_with_columns(ctx, _Block(piece.roots, (1,), piece.rows[:1], {})))
            continue
        key, slots = skeleton(piece.roots)
        groups.setdefault(key, []).append((slots, piece))
    for key, members in groups.items():
        rows = np.array([int(piece.rows[0][0]) for _, piece in members])
        slots = merge_slots(ctx, [slots for slots, _ in members]) if len(members) > 1 else members[0][0]
        roots = assemble(ctx.graph, key, slots, len(members[0][1].roots))
        out.append(_with_columns(ctx, _Block(roots, (len(members),), [rows], {})))
    return out


def _alone(found: Sequence[_Block]) -> list[bool]:
    """Which blocks have a structure that no other has."""
    known: dict[Node, int] = {}
    outlines = [tuple([outline(root, known) for root in block.roots]) for block in found]
    counts = Counter(outlines)
    return [counts[o] == 1 for o in outlines]


def _merge_rows(ctx: Context, blocks_: Sequence[_Block]) -> list[_Block]:
    """Blocks of equal structure over different data follow one another in one family."""
    groups: dict[Any, list[tuple[list[Node], _Block]]] = {}
    out = []
    for block, alone in zip(blocks_, _alone(blocks_), strict=True):
        if alone:
            out.append(block)
            continue
        key, slots = skeleton(block.roots)
        groups.setdefault(key, []).append((slots, block))
    for key, members in groups.items():
        if len(members) == 1 or _overlap([b for _, b in members]):
            out += [b for _, b in members]
            continue
        columns: dict[Node, Column] = {}
        slots = [
            _joined(ctx, column, members, columns) for column in zip(*[s for s, _ in members], strict=True)
        ]
        roots = assemble(ctx.graph, key, slots)
        rows = np.concatenate([b.rows[0] for _, b in members])
        out.append(_Block(roots, (rows.size,), [rows], columns))
    return out


def _overlap(members: Sequence[_Block]) -> bool:
    """Blocks over the same data rather share a family with several outputs."""
    if any(len(b.roots) > 1 for b in members):
        return True
    seen: set[Node] = set()
    for b in members:
        if seen & b.columns.keys():
            return True
        seen |= b.columns.keys()
    return False


def _joined(ctx: Context, column: tuple[Node, ...], members: Any, columns: dict[Node, Column]) -> Node:
    first = column[0]
    if first.op == "const" and all(node is first for node in column):
        return first
    sources = []
    for node, (_, block) in zip(column, members, strict=True):
        recipe = (
            Captured(np.asarray(node.value)) if node.op == "const" else ctx.leaves[int(node.value)].recipe
        )
        sources.append((recipe, block.shape))
    size = sum(prod(shape) for _, shape in sources)
    for node, known in columns.items():
        if isinstance(known.recipe, Pieces) and _same_sources(known.recipe.sources, sources):
            return node
    node = ctx.leaf(Pieces(tuple(sources)), np.zeros(2))
    columns[node] = Column(Pieces(tuple(sources)), (size,))
    return node


def _same_sources(a: Any, b: Any) -> bool:
    return len(a) == len(b) and all(x[0] is y[0] and x[1] == y[1] for x, y in zip(a, b, strict=True))


def _share(found: Sequence[_Block]) -> list[_Block]:
    """Blocks over the same rows of the same data become one family with several outputs."""
    out: list[_Block] = []
    for block in found:
        for other in out:
            # Single elements of different structure (a recurrence) also share: each step is computed once.
            alone = prod(other.shape) == prod(block.shape) == 1
            same = other.columns.keys() & block.columns.keys()
            alike = other.shape == block.shape and all(other.columns[n] == block.columns[n] for n in same)
            if alone or (same and alike):
                other.roots += block.roots
                other.rows += block.rows
                other.columns.update(block.columns)
                break
        else:
            out.append(block)
    return out


def _finish(graph: Graph, block: _Block) -> Family:
    """Copy into the output graph, data leaves numbered by column."""
    columns: list[Column] = []
    numbers: dict[Node, Node] = {}

    def leaf(node: Node) -> Node:
        if node not in numbers:
            numbers[node] = graph.data(len(columns))
            columns.append(block.columns[node])
        return numbers[node]

    memo: dict[Node, Node] = {}
    outputs = tuple(transplant(graph, root, leaf, memo) for root in block.roots)
    return Family(outputs, tuple(columns), np.vstack(block.rows))


def transplant(graph: Graph, root: Node, leaf: Any, memo: dict[Node, Node]) -> Node:
    """Copy an expression into another graph."""
    stack = [root]
    while stack:
        top = stack[-1]
        if top in memo:
            stack.pop()
            continue
        if top.args:
            missing = [arg for arg in top.args if arg not in memo]
            if missing:
                stack.extend(reversed(missing))
                continue
            memo[top] = graph.apply(top.op, *[memo[arg] for arg in top.args])
        elif top.op == "const":
            memo[top] = graph.const(top.value)
        elif top.op == "data":
            memo[top] = leaf(top)
        else:
            memo[top] = graph.param(int(top.value))
        stack.pop()
    return memo[root]
