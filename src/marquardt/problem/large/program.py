"""Work that needs one variable only is done once per variable, not once per residual.

A camera is seen in hundreds of residuals: the sine of its angle, and all that follows from its rotation
alone, is the same in each. What the expressions of an item need of one slot only becomes columns of a table,
one row per variable, made by a program of its own; the program of the items reads them as inputs. The
residuals of bundle adjustment with their derivatives are 291 instructions an item without tables, 157 with
them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...expr.graph import Graph, Node, reachable
from ...expr.ops import OPS
from ...expr.tape import TapeSpec, lower
from ..programs import core_tape
from .whitened import Whitening, whitened

Values = NDArray[np.float64]

REPAID = 4
"""Residuals per variable from which a table is made."""
COLUMN = 6
"""Reading a column costs as much as so many plain operations, which a column must save."""
EXPENSIVE = 15
"""A sine, a square root, a division take as long as so many plain operations."""


@dataclass(frozen=True, eq=False)
class Program:
    """A program over the items of a family.

    Its inputs are, slot by slot, what ``tables`` makes of a variable's components, or those components where
    there is no table; then the data columns.
    """

    spec: TapeSpec
    tables: tuple[TapeSpec | None, ...]

    def whitened(self, whitening: Whitening | None) -> Program:
        """Of residuals times a matrix, whose columns come behind those of the data."""
        return self if whitening is None else replace(self, spec=whitened(self.spec, whitening))

    def native(self) -> tuple[Any, list[Any]]:
        """The tapes of the core."""
        return core_tape(self.spec), [None if t is None else core_tape(t) for t in self.tables]

    def run(
        self, values: Sequence[Values], slots: Sequence[tuple[int, Any]], data: Sequence[Values]
    ) -> Values:
        """The outputs of all items, (n, outputs)."""
        tape, tables = self.native()
        inputs: list[Values] = []
        for (position, index), table in zip(slots, tables, strict=True):
            columns = [np.ascontiguousarray(c) for c in values[position].T]
            if table is not None:
                columns = list(table.run(np.empty(0), columns, len(values[position])))
            inputs += [np.ascontiguousarray(c[index]) for c in columns]
        n = len(slots[0][1])
        return np.ascontiguousarray(tape.run(np.empty(0), [*inputs, *data], n).T)


@dataclass(frozen=True, eq=False)
class Made:
    """The programs of a family without weights: residuals, and residuals with their derivatives.

    ``used`` are the data columns that they read, counted over all data.
    """

    used: tuple[int, ...]
    value: Program
    linear: Program

    @property
    def rows(self) -> int:
        return len(self.value.spec.outputs)


def program(
    graph: Graph, outputs: Sequence[Node], widths: Sequence[int], n_inputs: int, repaid: Sequence[bool]
) -> Program:
    """The program of `outputs` over `n_inputs` columns, those of slot k `widths[k]` of them in a row.

    With tables for the slots that are `repaid`.
    """
    first = 0
    tables: list[TapeSpec | None] = []
    replaced: dict[Node, int] = {}
    place: dict[int, int] = {}
    n = 0
    for width, wanted in zip(widths, repaid, strict=True):
        own = range(first, first + width)
        made = table_nodes(outputs, own) if wanted else []
        if made:
            kept = _leaves_beside(outputs, made, own)
            columns = [*(graph.data(k) for k in kept), *made]
            leaves = {k: i for i, k in enumerate(own)}
            tables.append(_lowered(columns, leaves, {}, width))
            place |= {k: n + i for i, k in enumerate(kept)}
            replaced |= {node: n + len(kept) + i for i, node in enumerate(made)}
            n += len(columns)
        else:
            tables.append(None)
            place |= {k: n + i for i, k in enumerate(own)}
            n += width
        first += width
    if not replaced:  # every leaf is where it was
        return Program(lower(graph, outputs, 0, n_columns=n_inputs), tuple(tables))
    place |= {k: n + i for i, k in enumerate(range(first, n_inputs))}
    n += n_inputs - first
    return Program(_lowered(outputs, place, replaced, n), tuple(tables))


def table_nodes(outputs: Sequence[Node], own: range) -> list[Node]:
    """What the outputs need of one slot's components alone, where that is worth a column."""
    order = reachable(outputs)
    inside: set[Node] = set()
    for node in order:
        component = node.op == "data" and int(node.value) in own
        made = any(a in inside for a in node.args) and all(a in inside or a.op == "const" for a in node.args)
        if component or made:
            inside.add(node)
    ends = dict.fromkeys(out for out in outputs if out in inside and out.args)
    for node in order:
        if node not in inside:
            ends.update((a, None) for a in node.args if a in inside and a.args)
    columns = sorted(ends, key=lambda node: node.index)
    # From the first on: a column that is little work from the components and from other columns is no column.
    chosen: dict[Node, None] = {}
    for node in columns:
        if _work(node, chosen) > COLUMN:
            chosen[node] = None
    return list(chosen)


def _work(node: Node, known: dict[Node, None]) -> int:
    """Plain operations from leaves and known nodes."""
    total, stack, seen = 0, [node], {node}
    while stack:
        top = stack.pop()
        total += EXPENSIVE if OPS[top.op].expensive or top.op in ("div", "sqrt", "recip") else 1
        for a in top.args:
            if a.args and a not in seen and a not in known:
                seen.add(a)
                stack.append(a)
    return total


def _leaves_beside(outputs: Sequence[Node], made: Sequence[Node], own: range) -> list[int]:
    """Components of a slot that are read beside the columns made."""
    seen, stack = set(made), [out for out in outputs if out not in made]
    found: set[int] = set()
    while stack:
        node = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        if node.op == "data" and int(node.value) in own:
            found.add(int(node.value))
        stack.extend(node.args)
    return sorted(found)


def _lowered(outputs: Sequence[Node], place: dict[int, int], replaced: dict[Node, int], n: int) -> TapeSpec:
    """Outputs over other columns: leaf k at ``place[k]``, whole nodes at ``replaced``."""
    graph = Graph()
    made: dict[Node, Node] = {node: graph.data(k) for node, k in replaced.items()}
    stack = list(outputs)
    while stack:
        node = stack[-1]
        missing = [a for a in node.args if a not in made] if node not in made else []
        if missing:
            stack.extend(missing)
            continue
        stack.pop()
        if node in made:
            continue
        if node.op == "data":
            made[node] = graph.data(place[int(node.value)])
        elif node.op == "const":
            made[node] = graph.const(node.value)
        else:
            made[node] = graph.raw(node.op, *[made[a] for a in node.args])  # simplified already
    return lower(graph, [made[out] for out in outputs], 0, n_columns=n)
