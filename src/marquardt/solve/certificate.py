"""The numbers that prove, or disprove, that an end point is a minimum."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Certificate:
    """Numbers that prove (or disprove) that the end point is a minimum."""

    offset: float
    """Relative offset (Bates, Watts 1981): distance to the minimum over the statistical uncertainty."""
    tolerance: float
    """What `offset` was compared with."""
    scaled_gradient: float
    """Largest gradient component in units of its own rounding error."""
    rank: int
    condition: float
    """Condition number of the Jacobian with columns scaled to length one."""
    active: tuple[str, ...]
    """Parameters held at a bound."""
