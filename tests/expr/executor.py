"""A tape run by NumPy, one instruction at a time: checks the lowering without the native core."""

from __future__ import annotations

import numpy as np

from marquardt.expr.ops import OPS

FUSED = {
    "fma": lambda a, b, c: a * b + c,
    "fms": lambda a, b, c: a * b - c,
    "fnma": lambda a, b, c: c - a * b,
}
NAMES = [*OPS, *FUSED]
OPCODES = {name: code for code, name in enumerate(NAMES)}
ARITY = {**{name: op.arity for name, op in OPS.items()}, **dict.fromkeys(FUSED, 3)}
VALUES = {**{name: op.value for name, op in OPS.items()}, **FUSED}


def _checked(row, slots):
    """The sources of an instruction: all written before, none of them the destination."""
    name = NAMES[row[0]]
    sources = [int(s) for s in row[2 : 2 + ARITY[name]]]
    assert int(row[1]) not in sources
    assert not any(row[2 + ARITY[name] :])
    assert all(slots[s] is not None for s in sources)
    return name, [slots[s] for s in sources]


def run(spec, params, columns):
    """Outputs of a `TapeSpec`, and whether each guard holds."""
    slots = [*params, *spec.constants, *[None] * len(spec.prologue), *columns, *[None] * spec.n_registers]
    assert len(params) == spec.n_params and len(columns) == spec.n_inputs
    first = spec.n_params + len(spec.constants)
    with np.errstate(all="ignore"):
        for k, row in enumerate(spec.prologue):
            assert row[1] == first + k and max(row[2:]) < first + k
            name, values = _checked(row, slots)
            slots[first + k] = float(VALUES[name](*values))
        inputs_end = first + len(spec.prologue) + len(columns)
        for row in spec.code:
            assert row[1] >= inputs_end
            name, values = _checked(row, slots)
            slots[row[1]] = VALUES[name](*values)
    return [slots[o] for o in spec.outputs], [bool(slots[s]) == bool(t) for s, t in spec.guards]
