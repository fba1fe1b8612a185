"""A certificate as a table: each number with what it means."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ..solve.certificate import ZERO
from .sentences import align

if TYPE_CHECKING:
    from ..solve.certificate import Certificate


FLAT = 1e-14
"""An eigenvalue of the scaled Hessian below this is zero to rounding."""


def text(c: Certificate) -> str:
    """Every number with its meaning, then digits and distances to bounds by parameter."""
    n = len(c.digits)
    zero = _beside(c.scaled_gradient <= ZERO, f"{ZERO:g}")
    numbers = [
        ["relative offset", f"{c.offset:.1e}", _beside(c.offset <= c.tolerance, f"{c.tolerance:.1e}")],
        ["largest gradient", f"{c.scaled_gradient:.1f}", f"rounding errors, {zero}"],
        ["rank", str(c.rank), f"of {n} parameter{'s' if n != 1 else ''}"],
        ["condition", f"{c.condition:.2g}", "of the Jacobian with columns scaled to length one"],
        ["smallest eigenvalue", _number(c.smallest_eigenvalue), _curvature(c)],
        ["contraction", _number(c.contraction), _contraction(c.contraction)],
    ]
    return "\n".join([*align(numbers), "", *align(_parameters(c))])


def _parameters(c: Certificate) -> list[list[str]]:
    """Digits and distances by parameter."""
    distances = c.distances
    bounded = any(math.isfinite(d) for pair in distances.values() for d in pair)
    sides = ["above lower bound", "below upper bound"] if bounded else []
    rows = [["parameter", "correct digits", *sides, ""]]
    for name, value in c.digits.items():
        cells = [_distance(d) for d in distances[name]] if bounded else []
        rows.append([name, f"{value:.1f}", *cells, "held at its bound" if name in c.active else ""])
    return rows


def _beside(holds: bool, limit: str) -> str:
    return f"{'<=' if holds else '>'} {limit}"


def _number(value: float) -> str:
    return "unknown" if math.isnan(value) else f"{value:.2g}"


def _curvature(c: Certificate) -> str:
    value = c.smallest_eigenvalue
    if math.isnan(value):
        return "of the Hessian: second derivatives are not known"
    kind = "flat" if abs(value) <= FLAT else "a strict minimum" if value > 0 else "not a minimum"
    return f"of the Hessian in the same scale: {kind}"


def _contraction(value: float) -> str:
    if math.isnan(value):
        return "of Gauss-Newton: second derivatives are not known"
    return "of Gauss-Newton: " + (
        "each step leaves this part of the error" if value < 1 else "its steps run away from here"
    )


def _distance(value: float) -> str:
    return "-" if math.isinf(value) else f"{value:.3g}"
