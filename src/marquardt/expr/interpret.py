"""The reference interpreter: nodes evaluated by NumPy and SciPy, the oracle of tests and of the native tape.

It also runs, at NumPy's speed, the models whose operations have no kernel in the core.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from marquardt.expr.graph import LEAVES, Node, reachable
from marquardt.expr.ops import OPS

Program = Callable[..., list[Any]]


def interpret(
    outputs: Sequence[Node], params: Sequence[Any], columns: Sequence[Any], direction: Sequence[Any] = ()
) -> list[Any]:
    """Values of `outputs`, by NumPy's broadcasting: a uniform output is a number, others are arrays.

    ``params[i]``, ``columns[k]`` and ``direction[i]`` are the values of the leaves. Parameters of shape (S,
    1) against columns of shape (N,) give (S, N): many parameter vectors at once.
    """
    return compile_numpy(outputs)(params, columns, direction)


def compile_numpy(outputs: Sequence[Node]) -> Program:
    """A function ``run(params, columns, direction=())`` that evaluates `outputs` again and again.

    Temporary arrays are dropped after their last use, so memory stays near the number of live values.
    """
    order = reachable(outputs)
    place = {node: k for k, node in enumerate(order)}
    constants = [(place[n], n.value) for n in order if n.op == "const"]
    leaves = [(place[n], n.op, int(n.value)) for n in order if n.op in LEAVES and n.op != "const"]
    steps = [
        (OPS[n.op].value, place[n], tuple(place[a] for a in n.args)) for n in order if n.op not in LEAVES
    ]
    dead = _last_uses(steps, {place[n] for n in outputs})
    wanted = [place[n] for n in outputs]

    def run(params: Sequence[Any], columns: Sequence[Any], direction: Sequence[Any] = ()) -> list[Any]:
        values: list[Any] = [None] * len(order)
        sources = {"param": params, "data": columns, "direction": direction}
        for k, v in constants:
            values[k] = v
        for k, op, i in leaves:
            values[k] = sources[op][i]
        with np.errstate(all="ignore"):
            for (value, k, args), done in zip(steps, dead, strict=True):
                values[k] = value(*[values[a] for a in args])
                for a in done:
                    values[a] = None
        return [values[k] for k in wanted]

    return run


def _last_uses(
    steps: Sequence[tuple[Callable[..., Any], int, tuple[int, ...]]], kept: set[int]
) -> list[tuple[int, ...]]:
    """For each step, the places that no later step and no output needs."""
    seen = set(kept)
    dead: list[tuple[int, ...]] = []
    for _, _, args in reversed(steps):
        last = {a for a in args if a not in seen}
        seen |= last
        dead.append(tuple(last))
    return dead[::-1]
