"""Laws of physics and chemistry: powers, Arrhenius, Antoine."""

from __future__ import annotations

from typing import Any

import numpy as np

from .grid import Vector, by_columns, scan, signed, sizes, span, tidy
from .row import Row, Values

R = 8.31446261815324
"""Gas constant in J/(mol K): exact since 2019."""


def power_law(x: Any, scale: Any, exponent: Any) -> Any:
    """Power law: ``scale*x**exponent`` for x > 0 (or x >= 0 where the exponent is positive).

    scale : value at x = 1. exponent : slope in a plot of the logarithms.

    Start: regression of the logarithms, weighted by y², and a grid of exponents; the better one, scale by
    linear least squares.

    >>> float(power_law(4.0, 3.0, 0.5))
    6.0
    """
    return scale * x**exponent


def start_power_law(x: Vector, y: Vector) -> list[Values]:
    x, y = tidy(x, y)
    if x[0] < 0.0 or x[-1] <= 0.0:
        return []
    unit = x[-1]
    grid = np.append(signed(sizes(0.05, 12.0, 40)), _slope_of_logs(np.log(np.maximum(x / unit, 1e-300)), y))
    found = scan(y, lambda b: ((x / unit) ** b,), grid)
    return [(a * unit**-b, b) for (b,), (a,) in by_columns(found)]


def _slope_of_logs(u: Vector, y: Vector) -> float:
    """Slope of ``log|y|`` against `u`, over the y of the prevailing sign, weighted by ``y**2``; 0: none."""
    sign = 1.0 if y.sum() >= 0 else -1.0
    good = (sign * y > 0) & (u > -600.0)
    if np.unique(u[good]).size < 2:
        return 0.0
    v = np.log(sign * y[good])
    weight = np.exp(v - v.max())
    basis = np.stack([weight, weight * u[good]], axis=1)
    return float(np.linalg.lstsq(basis, weight * (v - v.max()), rcond=None)[0][1])


def arrhenius(T: Any, A: Any, Ea: Any) -> Any:
    """Arrhenius law: ``A*exp(-Ea/(8.31446261815324*T))``.

    T : temperature in kelvin. A : value at infinite temperature. Ea : activation energy in J/mol.

    Start: regression of log y on 1/T, weighted by y², and a grid of energies; the better one, A by linear
    least squares. Source: Arrhenius (1889).

    >>> round(float(arrhenius(300.0, 1e10, 5e4)), 6)
    19.696844
    """
    return A * np.exp(-Ea / (R * T))


def start_arrhenius(T: Vector, y: Vector) -> list[Values]:
    T, y = tidy(T, y)
    if T[0] <= 0.0:
        return []
    u = T[-1] / T - 1.0
    grid = np.append(signed(sizes(0.05, 300.0, 60)), -_slope_of_logs(u, y))
    found = scan(y, lambda e: (np.exp(-e * u),), grid)
    return [(a * np.exp(min(e, 600.0)), e * R * T[-1]) for (e,), (a,) in by_columns(found)]


def antoine(T: Any, A: Any, B: Any, C: Any) -> Any:
    """Antoine's vapor pressure: ``10**(A - B/(C + T))``.

    T : temperature. A, B, C : Antoine's constants, in the units of T and of the pressure that is fitted.

    Start: the best of a grid of C, with A and B by linear regression of log10 y, weighted by y². Source:
    Antoine (1888).

    >>> round(float(antoine(100.0, 8.07131, 1730.63, 233.426)), 1)
    760.1
    """
    return 10.0 ** (A - B / (C + T))


def start_antoine(T: Vector, y: Vector) -> list[Values]:
    T, y = tidy(T, y)
    good = y > 1e-6 * y.max()
    if good.sum() < 3:
        return []
    T, v = T[good], np.log10(y[good])
    weight = 10.0 ** (v - v.max())
    grid = sizes(0.02, 200.0, 60) * span(T) - T[0]
    found = scan(
        v * weight, lambda c: (weight, -weight / (c + T)), np.append(grid, 0.0 if T[0] > 0 else grid[-1])
    )
    return [(a, b, c) for (c,), (a, b) in by_columns(found)]


ROWS = (
    Row(power_law, start_power_law, "scale*x^exponent"),
    Row(arrhenius, start_arrhenius, f"A*exp(-Ea/({R}*T))"),
    Row(antoine, start_antoine, "10^(A - B/(C + T))"),
)
