"""What of a problem is held: positions by name become masks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import ParameterError, suggestion

Held = Mapping[str, Sequence[int]]
"""Positions by the name of their family: ``{"camera": [0, 7]}``."""


def held_masks(
    held: Held | None, sizes: Mapping[str, tuple[int, int]]
) -> dict[str, NDArray[np.bool_] | None]:
    """A mask (n, width) for each family of `sizes`, or None where nothing of it is held.

    Raises ParameterError for a family or a position that is not there.
    """
    masks: dict[str, NDArray[np.bool_] | None] = dict.fromkeys(sizes)
    for name, positions in (held or {}).items():
        if name not in sizes:
            raise ParameterError(f"there is nothing called {name!r} to hold{suggestion(name, sizes)}")
        n, width = sizes[name]
        mask = np.zeros((n, width), dtype=bool)
        for position in positions:
            if not 0 <= position < n:
                raise ParameterError(f"{name} {position} cannot be held: there are {n}, counted from 0")
            mask[position] = True
        masks[name] = mask
    return masks
