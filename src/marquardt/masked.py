"""NumPy's masked arrays, told without loading `numpy.ma`: 7 ms of a first fit, for what is seldom there."""

from __future__ import annotations

import sys
from typing import Any


def is_masked_array(value: object) -> bool:
    """Is it a `numpy.ma.MaskedArray`, `numpy.ma.masked` among them?

    >>> is_masked_array([1.0, 2.0])
    False
    """
    loaded: Any = sys.modules.get("numpy.ma")  # who made a masked array has loaded it
    return loaded is not None and isinstance(value, loaded.MaskedArray)
