"""Other parameters that give the same curve, and are no copies with terms exchanged or signs changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import Status
from .goal import Goal
from .multistart import SAME_COST

Vector = NDArray[np.float64]

SAME_PLACE = 1e-3
"""Parameters that differ by less than this part of them are the same."""
MOST = 4
"""Rivals that are looked at."""


def near(a: Vector, b: Vector) -> bool:
    """Are these the same parameters?"""
    return bool(np.allclose(a, b, rtol=SAME_PLACE, atol=0.0))


def rivals(
    best: Any, places: Sequence[tuple[Vector, int]], goal: Goal, label: Callable[[Vector], Vector],
    rounding: float,
) -> list[tuple[Any, int]]:  # fmt: skip
    """Finished outcomes from `places` (and how many starts led there) that are as good as `best`.

    None where parameters are not determined: then a whole line is as good. `label` gives the preferred copy,
    `rounding` is what rounding may add to a cost.
    """
    if not best.status.success or best.status is Status.NOT_UNIQUE:
        return []
    known = [label(np.array(best.x))]
    found: list[tuple[Any, int]] = []
    highest = best.cost * (1.0 + SAME_COST) + rounding
    for x, hits in places:
        if len(found) == MOST or any(_copies(label(x), other) for other in known):
            continue
        end = goal.finish(x)
        at = label(np.array(end.x))
        known.append(label(x))
        as_low = end.cost <= highest and end.status is best.status
        if as_low and not any(_copies(at, other) for other in known[:-1]):
            found.append((end, hits))
            known.append(at)
    return found


def _copies(a: Vector, b: Vector) -> bool:
    """The same, or the same numbers in another order and with other signs."""
    return near(a, b) or near(np.sort(np.abs(a)), np.sort(np.abs(b)))
