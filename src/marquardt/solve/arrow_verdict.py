"""Which parameters of many groups head for infinity."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .arrow import Arrow, Flags, Pair

if TYPE_CHECKING:
    from .arrow_minimize import Loop

Array = NDArray[np.float64]

GONE = 1e3
"""A parameter grew by more than this, and its effect fell by as much: it runs to infinity."""
FAR = 100.0
"""So many times as large as at the start: far, for parameters that run away together."""
GROWN = 10.0
WEAK = 1e-3
"""A combination that moves the residuals by less than this part of them, when its parameters double, hardly
matters."""
PART = 0.3
"""Less than this part of the largest in a combination is no member of it."""


def runaway(loop: Loop, factor: Arrow, certified: bool) -> Flags:
    """Parameters that grew without end while their effect vanished, alone or together with others."""
    found = alone(loop)
    if certified:
        return found | _undetermined(loop, factor)
    return found | together(loop)


def growth(loop: Loop) -> Pair:
    """How many times as large as at the start each parameter is."""
    return abs(loop.here.x) / loop.first


def alone(loop: Loop) -> Flags:
    """Single parameters whose effect vanished as they grew."""
    grown, effect = growth(loop), loop.here.norms * abs(loop.here.x)
    first = (loop.first_norms * loop.first).maximum(
        Pair(np.full_like(loop.first.own, 1e-300), np.full_like(loop.first.shared, 1e-300))
    )
    left = effect / first
    return Flags(
        (grown.own > GONE) & (left.own < 1.0 / GONE), (grown.shared > GONE) & (left.shared < 1.0 / GONE)
    )


def _undetermined(loop: Loop, factor: Arrow) -> Flags:
    """Members of combinations without effect, where one of them has run there from a start with effect."""
    grown = growth(loop)
    own = (np.abs(factor.null_own) >= PART).any(axis=1)
    shared = (np.abs(factor.null_shared) >= PART).any(axis=1)
    far = (own & (grown.own > GONE)).any(axis=1, keepdims=True)
    return Flags(own & far & (grown.own >= GROWN), shared & (grown.shared > GONE))


def together(loop: Loop) -> Flags:
    """Members of weak combinations within a group: one far from its start, the cost falling outwards."""
    here, grown = loop.here, growth(loop)
    k = here.x.own.shape[1]
    columns = here.triangles.rows[:, :, :k] * here.x.own[:, None, :]
    columns = np.where(here.active.own[:, None, :], 0.0, columns)
    _, sigma, vt = np.linalg.svd(columns, full_matrices=False)
    size = np.sqrt(np.add.reduceat(here.f * here.f, np.asarray(loop.problem.starts)))
    weights = np.abs(vt)
    members = weights >= PART * weights.max(axis=2, keepdims=True, initial=0.0)
    members &= ~here.active.own[:, None, :]
    with np.errstate(divide="ignore"):
        way = np.where(members, vt * np.maximum(np.log(grown.own), -30.0)[:, None, :], 0.0).sum(axis=2)
    slope = np.where(members, vt * (here.gradient.own * here.x.own)[:, None, :], 0.0).sum(axis=2)
    outwards = np.sign(way) * slope <= 0.0
    far = (members & (grown.own >= FAR)[:, None, :]).any(axis=2)
    runs = (sigma <= WEAK * size[:, None]) & outwards & far
    own = (members & runs[:, :, None]).any(axis=1) & (grown.own >= GROWN)
    return Flags(own, np.zeros(here.x.shared.shape, dtype=bool))
