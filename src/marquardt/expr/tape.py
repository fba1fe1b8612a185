"""A graph becomes a tape: a flat register program over blocks of points, run by the native core.

Slots are numbered ``[parameters | direction | constants | prologue results | data columns | registers]``.
Parameter-only work is done once per parameter vector in the prologue; the code per point is in topological
order, with fused multiply-add and registers reused as soon as their value is dead. A destination is never one
of its own sources.
"""

from __future__ import annotations

import importlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from marquardt.expr.graph import DATA, Graph, Node
from marquardt.expr.ops import OPS

Instructions = dict[Node, tuple[str, tuple[Node, ...]]]


@dataclass(frozen=True)
class TapeSpec:
    """What the core needs to run a tape; every instruction is ``(opcode, destination, a, b, c)`` over slots.

    ``n_params`` counts parameters and direction components; ``outputs`` are slots (scalar, input or
    register); a guard ``(slot, truth)`` names a scalar slot that must be non-zero (True) or zero (False)
    for the tape to be valid.
    """

    n_params: int
    constants: NDArray[np.float64]
    prologue: NDArray[np.uint32]
    n_inputs: int
    code: NDArray[np.uint32]
    n_registers: int
    outputs: NDArray[np.uint32]
    guards: list[tuple[int, bool]]


@lru_cache(maxsize=1)
def core_opcodes() -> Mapping[str, int]:
    """Operation name -> opcode, from the core's own table."""
    core: Any = importlib.import_module("marquardt._core")
    return {name: code for name, code, _ in core.opcodes()}


def derived_columns(outputs: Sequence[Node]) -> list[Node]:
    """The maximal data-only subexpressions of `outputs` that hold an expensive operation.

    Their values never change during a fit: evaluate them once (`interpret`) and pass them to `lower` as
    further data columns. Cheap ones are left in the tape, where they cost less than reading another column.
    """
    costly: dict[Node, bool] = {}
    found: dict[Node, None] = {}
    for node in _live(outputs, ()):
        if node.kind == DATA and node.args:
            costly[node] = OPS[node.op].expensive or any(costly.get(a, False) for a in node.args)
        else:
            found.update((a, None) for a in node.args if costly.get(a))
    found.update((out, None) for out in outputs if costly.get(out))
    return list(found)


def in_core(
    outputs: Sequence[Node], derived: Collection[Node] = (), opcodes: Collection[str] | None = None
) -> str | None:
    """The first operation in `outputs` that the core has no kernel for, or None."""
    known = core_opcodes() if opcodes is None else opcodes
    ends = set(derived)
    for node in _live(outputs, ends):
        if node.op not in known and node.args and node not in ends:
            return node.op
    return None


def lower(
    graph: Graph,
    outputs: Sequence[Node],
    n_params: int,
    n_direction: int = 0,
    guards: Iterable[tuple[Node, bool]] = (),
    *,
    n_columns: int | None = None,
    derived: Sequence[Node] = (),
    opcodes: Mapping[str, int] | None = None,
) -> TapeSpec:
    """The program that computes `outputs` from `n_params` parameters, `n_direction` direction components and
    data.

    Input columns are the data columns (`n_columns`; by default those in use) followed by the `derived` ones.
    """
    checks = list(guards)
    scalars = [*outputs, *(node for node, _ in checks)]
    live = _live(scalars, derived)
    slots = _Slots(n_params, n_direction, n_columns or 0, derived)
    instructions = {n: (n.op, n.args) for n in live if n.args and n.kind & DATA and n not in slots.of}
    uses = _count_uses(instructions, outputs)
    _share_reciprocals(graph, instructions, uses)
    _fuse(graph, instructions, uses)
    order = _schedule(instructions, outputs)
    uniform = [n for n in live if n.args and not n.kind & DATA]
    constants = {a: None for n in order for a in instructions[n][1] if a.op == "const"}
    slots.place([*(n for n in live if not n.args), *constants], uniform)
    codes = core_opcodes() if opcodes is None else opcodes
    prologue = [slots.encode(codes[n.op], n, n.args) for n in uniform]
    code = _allocate(order, instructions, outputs, slots, codes)
    return TapeSpec(
        n_params=n_params + n_direction,
        constants=np.array([n.value for n in slots.constants], dtype=np.float64),
        prologue=_table(prologue),
        n_inputs=slots.n_inputs,
        code=_table(code),
        n_registers=slots.n_registers,
        outputs=np.array([slots.of[n] for n in outputs], dtype=np.uint32),
        guards=[(slots.of[n], bool(truth)) for n, truth in checks],
    )


def _table(rows: Sequence[Sequence[int]]) -> NDArray[np.uint32]:
    return np.array(rows, dtype=np.uint32).reshape(len(rows), 5)


def _live(outputs: Iterable[Node], derived: Collection[Node]) -> list[Node]:
    """What `outputs` depend on, in topological order, looking no further than the derived columns."""
    seen, ends = set(outputs), set(derived)
    stack = [n for n in seen if n not in ends]
    while stack:
        for a in stack.pop().args:
            if a not in seen:
                seen.add(a)
                if a.args and a not in ends:
                    stack.append(a)
    return sorted(seen, key=lambda n: n.index)


def _count_uses(instructions: Instructions, outputs: Iterable[Node]) -> dict[Node, int]:
    uses = dict.fromkeys(instructions, 0)
    for _, args in instructions.values():
        for a in args:
            if a in uses:
                uses[a] += 1
    for out in outputs:
        if out in uses:
            uses[out] += 1
    return uses


def _share_reciprocals(g: Graph, instructions: Instructions, uses: dict[Node, int]) -> None:
    """a/b -> a*(1/b) where 1/b is computed anyway, and a*(1/b) -> a/b where it is not used again."""
    for node, (op, args) in instructions.items():
        if op == "div":
            inverse = g.apply("recip", args[1])
            if inverse.op == "recip" and inverse in uses and uses[inverse] > 0:
                instructions[node] = ("mul", (args[0], inverse))
                uses[inverse] += 1
        elif op == "mul":
            for a, r in (args, args[::-1]):
                if r.op == "recip" and uses.get(r) == 1:
                    instructions[node] = ("div", (a, r.args[0]))
                    uses[r] = 0
                    break


def _fuse(g: Graph, instructions: Instructions, uses: dict[Node, int]) -> None:
    """A product used once, by a sum, a difference or a change of sign, becomes part of a fused
    multiply-add."""
    for node, (op, args) in instructions.items():
        if op == "neg":
            factors = _factors(args[0], instructions, uses)
            if factors is not None:
                instructions[node] = ("fnma", (*factors, g.const(0.0)))
        elif op == "add" or op == "sub":
            a, b = args
            factors = _factors(a, instructions, uses)
            if factors is not None:
                instructions[node] = ("fma" if op == "add" else "fms", (*factors, b))
                continue
            factors = _factors(b, instructions, uses)
            if factors is not None:
                instructions[node] = ("fma" if op == "add" else "fnma", (*factors, a))


def _factors(node: Node, instructions: Instructions, uses: dict[Node, int]) -> tuple[Node, Node] | None:
    """The two factors of a product that is used once."""
    if uses.get(node) != 1:
        return None
    op, args = instructions[node]
    if op == "mul":
        return args[0], args[1]
    return (args[0], args[0]) if op == "square" else None


def _schedule(instructions: Instructions, outputs: Sequence[Node]) -> list[Node]:
    """Instructions in depth-first order from the outputs: values are used soon after they are made."""
    order: dict[Node, None] = {}
    stack = [out for out in reversed(outputs) if out in instructions]
    while stack:
        node = stack[-1]
        if node in order:
            stack.pop()
            continue
        missing = [a for a in instructions[node][1] if a in instructions and a not in order]
        if missing:
            stack.extend(missing)
        else:
            order[node] = None
            stack.pop()
    return list(order)


def _allocate(
    order: Sequence[Node],
    instructions: Instructions,
    outputs: Sequence[Node],
    slots: _Slots,
    codes: Mapping[str, int],
) -> list[tuple[int, ...]]:
    """Registers by liveness: one is free again after the last use of its value; outputs stay to the end."""
    last = {a: t for t, node in enumerate(order) for a in instructions[node][1] if a in instructions}
    for out in outputs:
        last.pop(out, None)
    free: list[int] = []
    code = []
    for t, node in enumerate(order):
        op, args = instructions[node]
        # Taken before the sources are released: a destination is never one of its own sources.
        slots.of[node] = free.pop() if free else slots.new_register()
        code.append(slots.encode(codes[op], node, args))
        free.extend(slots.of[a] for a in dict.fromkeys(args) if last.get(a) == t)
    return code


class _Slots:
    """The numbering of slots: ``of[node]`` once its place is known."""

    def __init__(self, n_params: int, n_direction: int, n_columns: int, derived: Sequence[Node]) -> None:
        self.of: dict[Node, int] = dict.fromkeys(derived, 0)
        self.n_params, self.n_direction, self.n_columns = n_params, n_direction, n_columns
        self.derived = derived
        self.constants: list[Node] = []
        self.n_inputs = self.n_registers = self.first_register = 0

    def place(self, leaves: Sequence[Node], uniform: Sequence[Node]) -> None:
        """Number scalars and inputs; registers follow."""
        of = self.of
        first_constant = self.n_params + self.n_direction
        for n in leaves:
            if n.op == "param":
                of[n] = int(n.value)
            elif n.op == "direction":
                of[n] = self.n_params + int(n.value)
            elif n.op == "const" and n not in of:
                of[n] = first_constant + len(self.constants)
                self.constants.append(n)
            elif n.op == "data":
                self.n_columns = max(self.n_columns, int(n.value) + 1)
        first_input = first_constant + len(self.constants) + len(uniform)
        of.update((n, first_input - len(uniform) + k) for k, n in enumerate(uniform))
        of.update((n, first_input + int(n.value)) for n in leaves if n.op == "data")
        of.update((n, first_input + self.n_columns + k) for k, n in enumerate(self.derived))
        self.n_inputs = self.n_columns + len(self.derived)
        self.first_register = first_input + self.n_inputs

    def new_register(self) -> int:
        self.n_registers += 1
        return self.first_register + self.n_registers - 1

    def encode(self, opcode: int, node: Node, args: Sequence[Node]) -> tuple[int, ...]:
        """One instruction; unused operands are slot 0."""
        operands = [self.of[a] for a in args]
        return (opcode, self.of[node], *operands, *(0,) * (3 - len(operands)))
