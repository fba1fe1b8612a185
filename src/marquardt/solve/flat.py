"""Flat directions: what the residuals do determine where they do not determine every parameter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

TAKES_PART = 0.05
"""A parameter takes part in a direction from this part of the largest component on."""
MOVE = 0.05
"""How far to go along a direction, as a part of the parameters, to see whether it stays flat."""
SAME = 1e-6
"""The residuals are unchanged below this part of what one parameter of the direction does alone."""


@dataclass(frozen=True)
class Flat:
    """Parameters that can be changed together without changing the residuals."""

    names: tuple[str, ...]
    directions: Matrix
    """Shape (k, len(names)): changes of the parameters, each of k flat directions scaled to at most 1 %
    of a parameter (to 0.01 where that is zero)."""
    formula: str = ""
    """The one combination that is determined, where it was found: ``a*b``, ``a + 2*b``, ``a*exp(b)``."""
    value: float = float("nan")
    """Of `formula` at the end point."""


def flat_groups(outcome: Any, names: Sequence[str], vectors: Matrix) -> tuple[Flat, ...]:
    """Groups of parameters that `vectors` (k, p), flat directions in column-scaled parameters, connect."""
    if not len(vectors):
        return ()
    rows = echelon(np.asarray(vectors, dtype=float))
    members = np.abs(rows) > TAKES_PART * np.abs(rows).max(axis=1, keepdims=True)
    lengths = np.sqrt((np.asarray(outcome.R) ** 2).sum(axis=0))
    x = np.asarray(outcome.x)
    groups = []
    for chosen in _connected(members):
        who: list[int] = np.flatnonzero(members[chosen].any(axis=0)).tolist()
        d = rows[chosen][:, who] / np.where(lengths[who] > 0.0, lengths[who], 1.0)
        d *= 0.01 / np.abs(d / np.where(x[who] != 0.0, x[who], 1.0)).max(axis=1, keepdims=True)
        found = None
        if len(who) - len(chosen) == 1:
            found = _combination(outcome, [names[j] for j in who], who, d, lengths)
        groups.append(Flat(tuple(names[j] for j in who), d, *(found or ())))
    return tuple(sorted(groups, key=lambda group: list(names).index(group.names[0])))


def echelon(vectors: Matrix) -> Matrix:
    """Reduce rows by Gauss-Jordan elimination with complete pivoting: the same space, sparser vectors."""
    rows = vectors.copy()
    for k in range(len(rows)):
        block = np.abs(rows[k:])
        i, j = np.unravel_index(int(np.argmax(block)), block.shape)
        if block[i, j] < 1e-8:
            return np.asarray(rows[:k])
        rows[[k, k + i]] = rows[[k + i, k]]
        rows[k] /= rows[k, j]
        for other in range(len(rows)):
            if other != k:
                rows[other] -= rows[other, j] * rows[k]
    return np.asarray(rows)


def _connected(members: NDArray[np.bool_]) -> list[list[int]]:
    """Rows that share members, directly or through others."""
    groups: list[list[int]] = []
    for i, row in enumerate(members):
        touches = [bool((members[g].any(axis=0) & row).any()) for g in groups]
        joined = sorted([i, *(k for g, t in zip(groups, touches, strict=True) if t for k in g)])
        groups = [*(g for g, t in zip(groups, touches, strict=True) if not t), joined]
    return groups


# ---------------------------------------------------------------------------------------------- combinations


def _combination(
    outcome: Any, names: list[str], who: list[int], d: Matrix, lengths: Vector
) -> tuple[str, float] | None:
    """The function of the parameters `who` that stays the same along the directions `d` (k, k + 1).

    In the right coordinates, logarithms for some parameters, it is linear: the weights are orthogonal to the
    directions. Whether coordinates are right shows when the residuals stay the same far along them.
    """
    x = np.asarray(outcome.x)
    for logs in _coordinates(x[who]):
        scale = np.where(logs, x[who], 1.0)
        t = d / scale  # directions in these coordinates
        weights = np.linalg.svd(t)[2][-1]
        if np.abs(weights).min() < 1e-3 * np.abs(weights).max():
            continue
        if all(_stays_flat(outcome, who, row, logs, lengths) for row in t):
            weights = _simple(weights)
            return _formula(names, weights, logs), _value(x[who], weights, logs)
    return None


def _coordinates(x: Vector) -> Iterator[NDArray[np.bool_]]:
    """All logarithms, all plain, and for two parameters the mixed ones."""
    kinds = [(True,) * x.size, (False,) * x.size]
    kinds += [k for k in product((True, False), repeat=x.size) if k not in kinds and x.size == 2]
    for kind in kinds:
        logs = np.array(kind)
        if (x[logs] != 0.0).all():
            yield logs


def _stays_flat(outcome: Any, who: list[int], t: Vector, logs: NDArray[np.bool_], lengths: Vector) -> bool:
    """Do the residuals stay the same `MOVE` along `t`, to both sides?"""
    x, problem = np.asarray(outcome.x), outcome.problem
    f = np.asarray(outcome.f)[: problem.size]
    for part in (MOVE, -MOVE):
        s = part / 0.01 * t
        near = x.copy()
        near[who] = np.where(logs, x[who] * np.exp(np.where(logs, s, 0.0)), x[who] + s)
        try:
            with np.errstate(all="ignore"):
                change = float(np.linalg.norm(problem.residuals(near) - f))
        except Exception:  # the function may refuse that point
            return False
        alone = float((lengths[who] * np.abs(near - x)[who]).max())
        if not change <= SAME * alone:
            return False
    return True


def _simple(weights: Vector) -> Vector:
    """Scaled to small whole numbers where they are those, else so that the first is 1."""
    for k in range(1, 7):
        whole = k * weights / np.abs(weights).min()
        if np.abs(whole - np.round(whole)).max() < 1e-4 and np.abs(whole).max() < 20:
            weights = np.round(whole)
            break
    else:
        weights = weights / weights[0]
    return weights if weights[0] > 0 else -weights


def _value(x: Vector, weights: Vector, logs: NDArray[np.bool_]) -> float:
    plain = float(weights[~logs] @ x[~logs])
    if not logs.any():
        return plain
    with np.errstate(all="ignore"):
        return float(np.prod(x[logs] ** weights[logs]) * np.exp(plain))


def _formula(names: Sequence[str], weights: Vector, logs: NDArray[np.bool_]) -> str:
    """``a**2*b/c`` of the logarithmic ones, ``a + 2*b`` of the plain ones, ``a*exp(2*b)`` of both.

    >>> _formula(["a", "b", "c"], np.array([2.0, 1.0, -1.0]), np.array([True, True, True]))
    'a**2*b/c'
    >>> _formula(["a", "b"], np.array([1.0, -2.5]), np.array([False, False]))
    'a - 2.5*b'
    >>> _formula(["a", "b"], np.array([1.0, 2.0]), np.array([True, False]))
    'a*exp(2*b)'
    """
    triples = list(zip(names, weights.tolist(), logs.tolist(), strict=True))
    total = _sum([(n, w) for n, w, log in triples if not log])
    if not logs.any():
        return total
    above = [n if w == 1 else f"{n}**{w:.4g}" for n, w, log in triples if log and w > 0]
    below = [n if w == -1 else f"{n}**{-w:.4g}" for n, w, log in triples if log and w < 0]
    if total:
        above.append(f"exp({total})")
    return "*".join(above or ["1"]) + "".join("/" + b for b in below)


def _sum(terms: Sequence[tuple[str, float]]) -> str:
    out = ""
    for name, weight in terms:
        size = name if abs(weight) == 1 else f"{abs(weight):.4g}*{name}"
        sign = "-" if weight < 0 else "+"
        out += f" {sign} {size}" if out else size if weight > 0 else f"-{size}"
    return out
