"""Weights and square roots of information, multiplied into programs that are lowered already.

Which entries of W are zero, a number or a column differs from data to data. As the last instructions of a
program, not as part of its expressions, they leave trace, derivatives and lowering as they are.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

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
    k, old, tail = len(whitening.entries), spec.outputs.tolist(), _Tail(spec)
    t = len(old) // k - 1
    left, new = Counter(old), []
    for column in (old[:k], *(old[k + j :: t] for j in range(t))):
        new.append([tail.product(row, column) for row in whitening.entries])
        left.subtract(column)
        kept = {slot for made in new for slot in made}
        tail.free += [slot for slot in set(column) - kept if not left[slot] and slot >= tail.first_register]
    return tail.finished([*new[0], *(column[i] for i in range(k) for column in new[1:])], whitening.n_columns)


COLUMN = 1 << 31
"""Until all are numbered, slots from here on are the columns of W, and those below zero new constants."""


class _Tail:
    """Instructions to come behind those of a program."""

    def __init__(self, spec: TapeSpec) -> None:
        self.spec = spec
        self.constants: list[float] = spec.constants.tolist()
        self.first_register = spec.n_params + len(self.constants) + len(spec.prologue) + spec.n_inputs
        self.n_registers = spec.n_registers
        registers = range(self.first_register, self.first_register + spec.n_registers)
        self.free = sorted(set(registers) - set(spec.outputs.tolist()))
        self.code: list[tuple[int, ...]] = []

    def product(self, row: Entries, column: list[int]) -> int:
        """The slot of a row of W times a column of outputs."""
        zero = self.constant(0.0)
        terms = [(w, slot) for w, slot in zip(row, column, strict=True) if w is not None and slot != zero]
        if not terms:
            return zero
        if len(terms) == 1 and terms[0][0] == 1.0 and isinstance(terms[0][0], float):
            return terms[0][1]
        codes = core_opcodes()
        made: list[int] = []
        for w, slot in terms:
            factor = self.constant(w) if isinstance(w, float) else COLUMN + w
            op, operands = ("fma", (factor, slot, made[-1])) if made else ("mul", (factor, slot, 0))
            made.append(self.free.pop() if self.free else self.new_register())
            self.code.append((codes[op], made[-1], *operands))
        self.free += made[:-1]
        return made[-1]

    def constant(self, value: float) -> int:
        """The slot of a number."""
        if value not in self.constants:
            self.constants.append(value)
        k, known = self.constants.index(value), len(self.spec.constants)
        return self.spec.n_params + k if k < known else known - k - 1

    def new_register(self) -> int:
        self.n_registers += 1
        return self.first_register + self.n_registers - 1

    def finished(self, outputs: list[int], n_columns: int) -> TapeSpec:
        """The program with its tail and other outputs."""
        s, more = self.spec, len(self.constants) - len(self.spec.constants)

        def numbered(slots: NDArray[np.int64]) -> NDArray[np.uint32]:
            behind = s.n_params + len(s.constants)
            places = [slots < 0, slots >= COLUMN, slots >= self.first_register, slots >= behind]
            numbers = [
                behind - slots - 1, self.first_register + more + slots - COLUMN, slots + more + n_columns,
                slots + more,
            ]  # fmt: skip
            return np.select(places, numbers, slots).astype(np.uint32)

        def rows(code: NDArray[np.int64]) -> NDArray[np.uint32]:
            return np.column_stack([code[:, :1].astype(np.uint32), numbered(code[:, 1:])])

        tail = np.array(self.code, dtype=np.int64).reshape(-1, 5)
        return replace(
            s,
            constants=np.array(self.constants),
            prologue=rows(s.prologue.astype(np.int64)),
            n_inputs=s.n_inputs + n_columns,
            code=rows(np.concatenate([s.code.astype(np.int64), tail])),
            n_registers=self.n_registers,
            outputs=numbered(np.array(outputs, dtype=np.int64)),
        )
