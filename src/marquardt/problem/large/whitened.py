"""Weights and square roots of information, multiplied into programs that are lowered already.

Which entries of W are zero, a number or a column differs from data to data. As the last instructions of a
program, not as part of its expressions, they leave trace, derivatives and lowering as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...expr.tape import TapeSpec, core_opcodes

Entries = tuple[float | int | None, ...]


@dataclass(frozen=True)
class Whitening:
    """What multiplies the residuals of an item: a constant (k, k) matrix, or columns for its entries.

    ``entries[i][j]`` is a number, the index of a column behind those of the data, or None for zero.
    """

    entries: tuple[Entries, ...]
    n_columns: int


def whitened(spec: TapeSpec, whitening: Whitening) -> TapeSpec:
    """The program of ``W r``, or of ``W r`` and ``W J``, from that of r, or of r and J row by row."""
    k, tail = len(whitening.entries), _Tail(spec)
    old = tail.outputs
    t = len(old) // k - 1
    columns = [old[:k], *(old[k + j :: t] for j in range(t))]
    last = {slot: at for at, column in enumerate(columns) for slot in column}
    kept: set[int] = set()
    new = []
    for at, column in enumerate(columns):
        new.append([tail.product(row, column) for row in whitening.entries])
        kept.update(new[-1])
        spent = dict.fromkeys(slot for slot in column if last[slot] == at and slot >= tail.first_register)
        tail.free += [slot for slot in spent if slot not in kept]
    return tail.finished([*new[0], *(column[i] for i in range(k) for column in new[1:])], whitening.n_columns)


class _Tail:
    """Instructions to come behind those of a program; slots of their own are numbered on until the end."""

    def __init__(self, spec: TapeSpec) -> None:
        self.spec, self.outputs = spec, spec.outputs.tolist()
        self.behind = spec.n_params + len(spec.constants)
        self.first_register = self.behind + len(spec.prologue) + spec.n_inputs
        self.end = self.first_register + spec.n_registers
        self.free = sorted(set(range(self.first_register, self.end)) - set(self.outputs))
        self.new: list[tuple[str, Any]] = []
        self.constants = dict(zip(spec.constants.tolist(), range(spec.n_params, self.behind), strict=True))
        self.columns: dict[int, int] = {}
        self.code: list[int] = []

    def product(self, row: Entries, column: list[int]) -> int:
        """The slot of a row of W times a column of outputs."""
        zero = self.factor(0.0)
        terms = [(w, slot) for w, slot in zip(row, column, strict=True) if w is not None and slot != zero]
        if not terms:
            return zero
        if len(terms) == 1 and terms[0][0] == 1.0 and isinstance(terms[0][0], float):
            return terms[0][1]
        codes = core_opcodes()
        made: list[int] = []
        for w, slot in terms:
            op, operands = ("fma", (slot, made[-1])) if made else ("mul", (slot, 0))
            made.append(self.free.pop() if self.free else self.slot("register", None))
            self.code += (codes[op], made[-1], self.factor(w), *operands)
        self.free += made[:-1]
        return made[-1]

    def factor(self, w: float | int) -> int:
        """The slot of a number, or of a column of W."""
        known: dict[Any, int] = self.constants if isinstance(w, float) else self.columns
        if w not in known:
            known[w] = self.slot("constant" if isinstance(w, float) else "column", w)
        return known[w]

    def slot(self, kind: str, what: Any) -> int:
        self.new.append((kind, what))
        return self.end + len(self.new) - 1

    def finished(self, outputs: list[int], n_columns: int) -> TapeSpec:
        """The program with its tail and other outputs: constants, inputs and registers in their order."""
        s = self.spec
        constants = [what for kind, what in self.new if kind == "constant"]
        more, n_registers = len(constants), s.n_registers
        last = self.first_register + more
        place = [*range(self.behind), *range(self.behind + more, last)]
        place += range(last + n_columns, last + n_columns + n_registers)
        for kind, what in self.new:
            if kind == "constant":
                place.append(self.behind + constants.index(what))
            elif kind == "column":
                place.append(last + what)
            else:
                place.append(last + n_columns + n_registers)
                n_registers += 1
        numbers = np.array(place, dtype=np.uint32)
        code = np.concatenate([s.code, np.array(self.code, dtype=np.uint32).reshape(-1, 5)])
        code[:, 1:] = numbers[code[:, 1:]]
        prologue = s.prologue.copy()
        prologue[:, 1:] = numbers[prologue[:, 1:]]
        return TapeSpec(
            s.n_params, np.concatenate([s.constants, constants]), prologue, s.n_inputs + n_columns, code,
            n_registers, numbers[outputs], s.guards,
        )  # fmt: skip
