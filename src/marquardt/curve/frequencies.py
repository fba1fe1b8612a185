"""Parameters that are frequencies, periods or phases, and the frequencies that the data contain.

In ``sin(g(x, θ))`` a parameter is an angular frequency when g changes by ``u(x)`` for each unit of it,
whatever the other parameters are: ``u`` is x in ``sin(w*x + p)``, ``2πx`` in ``sin(2*pi*f*x)``. A period is
the same in 1/θ, a phase has a ``u`` of 1. The periodogram of the response over u tells where to look (Lomb
1976).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..expr.graph import DATA, PARAM, Node, reachable
from ..expr.interpret import compile_numpy

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

PERIODIC = frozenset({"sin", "cos", "tan"})
SEVERAL = 6
"""Peaks of the spectrum that are kept."""
MOST = 4096
"""Frequencies looked at."""


@dataclass(frozen=True)
class Frequency:
    """A parameter as an angular frequency over `u`, or its inverse; peaks of the spectrum, highest first."""

    inverse: bool
    peaks: Vector
    amplitudes: Vector
    resolution: float
    """``2π/span``: peaks closer to each other are not told apart."""
    highest: float
    """Half the mean rate of sampling."""
    even: bool
    """Is u evenly spaced? Then no higher frequency can be told from a lower one."""


def frequencies(
    outputs: Sequence[Node], columns: Sequence[Vector], y: Matrix, n_params: int
) -> tuple[dict[int, Frequency], frozenset[int]]:
    """Which parameters (by index) are frequencies, and which are phases; `y` is (outputs, rows)."""
    found: dict[int, Frequency] = {}
    phases: set[int] = set()
    for node in reachable(outputs):
        if node.op in PERIODIC and node.args[0].kind & PARAM and node.args[0].kind & DATA:
            for i in _parameters(node.args[0]):
                unit = None if i in found else _unit(node.args[0], i, columns, n_params)
                if unit is None:
                    continue
                if np.ptp(unit[0]) > 0.0:
                    found[i] = _spectrum(*unit, y)
                elif not unit[1] and abs(unit[0][0] - 1.0) < 1e-9:
                    phases.add(i)
    return found, frozenset(phases)


def _parameters(node: Node) -> list[int]:
    return sorted({int(n.value) for n in reachable([node]) if n.op == "param"})


def _unit(node: Node, i: int, columns: Sequence[Vector], n_params: int) -> tuple[Vector, bool] | None:
    """``u`` of parameter `i` within `node`, and whether 1/θ is the frequency; None where neither is."""
    steps = np.array([1.0, 2.0, 3.0, 1.0, 2.0, 3.0])
    others = np.repeat(0.5 + np.random.default_rng(1).random((2, n_params)), 3, axis=0)  # two settings
    run = compile_numpy([node])
    for inverse in (False, True):
        table = others.copy()
        table[:, i] = 1.0 / steps if inverse else steps
        values = run([table[:, j : j + 1] for j in range(n_params)], [c[None, :] for c in columns])[0]
        if np.ndim(values) != 2 or not np.isfinite(values).all():
            continue
        moved = np.diff(values.reshape(2, 3, -1), axis=1).reshape(4, -1)
        rounding = 1e-9 * float(np.abs(values).max())
        if np.ptp(moved[0]) <= rounding:  # a phase changes all alike
            moved = np.repeat(moved.mean(axis=1, keepdims=True), moved.shape[1], axis=1)
        elif np.ptp(moved - moved[0], axis=1).max() <= rounding:
            moved = moved - moved.mean(axis=1, keepdims=True)
        if np.abs(moved - moved[0]).max() <= rounding:
            return moved[0], inverse
    return None


def _spectrum(u: Vector, inverse: bool, y: Matrix) -> Frequency:
    span = float(np.ptp(u))
    highest = np.pi * len(u) / span
    count = min(MOST, 4 * len(u))
    grid = highest * (np.arange(count) + 1.0) / count
    level = np.column_stack([np.ones(len(u)), u / span])
    rest = y.T - level @ np.linalg.lstsq(level, y.T, rcond=None)[0]
    rest = rest / (float(np.abs(rest).max()) or 1.0)
    power = np.concatenate(
        [_power(part, u, rest) for part in np.array_split(grid, 1 + count * len(u) // 2**19)]
    )
    inside = np.flatnonzero(np.diff(np.sign(np.diff(np.concatenate([[0.0], power, [0.0]])))) < 0)
    best = inside[np.argsort(-power[inside], kind="stable")[:SEVERAL]]
    gaps = np.diff(np.sort(u))
    even = bool(np.ptp(gaps) <= 1e-6 * gaps.max())
    return Frequency(inverse, grid[best], np.sqrt(power[best]), 2.0 * np.pi / span, float(highest), even)


def _power(grid: Vector, u: Vector, rest: Matrix) -> Vector:
    phase = np.outer(grid, u)
    return np.asarray(((np.cos(phase) @ rest) ** 2 + (np.sin(phase) @ rest) ** 2).sum(axis=1))
