"""How many digits of a result are right."""

from __future__ import annotations

import math
from collections.abc import Mapping


def correct_digits(value: float, reference: float, cap: float = 11.0) -> float:
    """Log relative error ``-log10(|value - reference|/|reference|)``, within 0 and `cap`; 0 if not finite.

    For a reference of 0 it is ``-log10|value|``. NIST prints 11 digits, hence the cap.

    >>> round(correct_digits(238.9421, 238.94212918), 1)
    6.9
    """
    if not math.isfinite(value):
        return 0.0
    error = abs(value - reference) / (abs(reference) or 1.0)
    return cap if error == 0 else min(max(-math.log10(error), 0.0), cap)


def fewest_digits(values: Mapping[str, float], references: Mapping[str, float], cap: float = 11.0) -> float:
    """The digits of the worst value: a fit is as good as its worst parameter."""
    return min(correct_digits(values[name], reference, cap) for name, reference in references.items())
