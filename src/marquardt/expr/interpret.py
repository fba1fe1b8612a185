"""The reference interpreter: nodes evaluated by NumPy and SciPy, the oracle of tests and of the native tape.

It also runs, at NumPy's speed, the models whose operations have no kernel in the core.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from marquardt.expr.graph import LEAVES, Node, reachable
from marquardt.expr.ops import OPS, PARTS

Program = Callable[..., list[Any]]
Step = tuple[Callable[..., Any], int, tuple[int, ...]]


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
    steps, size = _steps(order, place)
    dead = _last_uses(steps, {place[n] for n in outputs})
    wanted = [place[n] for n in outputs]

    def run(params: Sequence[Any], columns: Sequence[Any], direction: Sequence[Any] = ()) -> list[Any]:
        values: list[Any] = [None] * size
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


def _steps(order: Sequence[Node], place: dict[Node, int]) -> tuple[list[Step], int]:
    """Functions, destinations and sources, and the number of places; real and imaginary parts share their
    whole."""
    steps: list[Step] = []
    wholes: dict[object, int] = {}
    size = len(order)
    for node in order:
        if node.op in LEAVES:
            continue
        args = tuple(place[a] for a in node.args)
        if node.op not in PARTS:
            steps.append((OPS[node.op].value, place[node], args))
            continue
        whole, part = PARTS[node.op]
        if (whole, args) not in wholes:
            wholes[whole, args] = size
            steps.append((whole, size, args))
            size += 1
        steps.append((part, place[node], (wholes[whole, args],)))
    return steps, size


def _last_uses(steps: Sequence[Step], kept: set[int]) -> list[tuple[int, ...]]:
    """For each step, the places that no later step and no output needs."""
    seen = set(kept)
    dead: list[tuple[int, ...]] = []
    for _, _, args in reversed(steps):
        last = {a for a in args if a not in seen}
        seen |= last
        dead.append(tuple(last))
    return dead[::-1]
