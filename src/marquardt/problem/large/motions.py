"""How values on a manifold move by steps: by the core, or by the function itself."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import Untraceable
from ...expr.tape import TapeSpec, in_core, lower
from ..programs import core_tape
from .manifolds import Manifold
from .shipped import shipped_motion
from .tangents import ambient, traced_motion

Values = NDArray[np.float64]


class TapeMotion:
    """``retract`` of many values by the core."""

    def __init__(self, manifold: Manifold) -> None:
        self.manifold = manifold
        self.tape: Any = core_tape(shipped_motion(manifold) or _traced(manifold))

    def __call__(self, x: Values, d: Values) -> Values:
        columns = [np.ascontiguousarray(c) for c in (*x.T, *d.T)]
        return self.manifold.project(np.ascontiguousarray(self.tape.run(np.empty(0), columns, len(x)).T))


class PlainMotion:
    """``retract`` as it was written."""

    def __init__(self, manifold: Manifold) -> None:
        self.manifold = manifold

    def __call__(self, x: Values, d: Values) -> Values:
        if self.manifold.flat:
            return x + d
        moved = np.asarray(self.manifold.retract(x, d), dtype=np.float64)
        return np.ascontiguousarray(self.manifold.project(moved))


@lru_cache(maxsize=64)
def motion_of(manifold: Manifold) -> TapeMotion | PlainMotion:
    """How values on a manifold move: by the core where its ``retract`` can be traced."""
    if manifold.flat:
        return PlainMotion(manifold)
    try:
        return TapeMotion(manifold)
    except Untraceable:
        return PlainMotion(manifold)


def _traced(manifold: Manifold) -> TapeSpec:
    """The program of ``retract``. Raises Untraceable."""
    motion = traced_motion(manifold)
    if (missing := in_core(motion.value)) is not None:
        raise Untraceable(missing, None, "retract")
    return lower(motion.graph, motion.value, 0, n_columns=ambient(manifold) + manifold.tangent)
