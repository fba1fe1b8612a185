"""Peaks: Gaussian, Lorentzian, Voigt, pseudo-Voigt. They carry no baseline: ``"y ~ gaussian(x) + c0"``."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .grid import MOST, Vector, by_columns, inside, scan, sizes, spacing, span, tidy
from .row import Row, Values

HALF = math.sqrt(2 * math.log(2))
"""Half the full width at half maximum of a Gaussian, in standard deviations."""


def gaussian(x: Any, height: Any, center: Any, width: Any) -> Any:
    """Gaussian peak: ``height*exp(-(x - center)**2/(2*width**2))``.

    height : value at the center (negative: a dip). center : its place. width : standard deviation.

    Start: the best of a grid of centers (the highest points, and places spread over the data) and widths
    between spacing and span, height by linear least squares. Source: Gauss (1809).

    >>> float(gaussian(1.0, 3.0, 1.0, 0.5))
    3.0
    """
    return height * np.exp(-0.5 * ((x - center) / width) ** 2)


def lorentzian(x: Any, height: Any, center: Any, width: Any) -> Any:
    """Lorentzian (Cauchy) peak: ``height/(1 + ((x - center)/width)**2)``.

    height : value at the center (negative: a dip). center : its place. width : half width at half maximum.

    Start: as for `gaussian`. Source: Lorentz (1916).

    >>> float(lorentzian(1.5, 3.0, 1.0, 0.5))
    1.5
    """
    return height / (1.0 + ((x - center) / width) ** 2)


def voigt(x: Any, area: Any, center: Any, sigma: Any, gamma: Any) -> Any:
    """Voigt peak: a Gaussian convolved with a Lorentzian, ``area*voigt_profile(x - center, sigma, gamma)``.

    area : integral. center : its place. sigma : standard deviation of the Gaussian part.
    gamma : half width at half maximum of the Lorentzian part.

    Start: the best Gaussian's center and width, then the best of a grid of the two parts. Source: Voigt
    (1912); by the Faddeeva function, as in SciPy.

    >>> round(float(voigt(0.0, 1.0, 0.0, 1.0, 0.0)), 6)
    0.398942
    """
    from scipy.special import voigt_profile

    return area * voigt_profile(x - center, sigma, gamma)


def pseudo_voigt(x: Any, height: Any, center: Any, width: Any, fraction: Any) -> Any:
    """Pseudo-Voigt peak: a Lorentzian and a Gaussian of the same width added up.

    ``height*(fraction/(1 + u**2) + (1 - fraction)*exp(-log(2)*u**2))``, ``u = (x - center)/width``

    height : value at the center. center : its place. width : half width at half maximum of both parts.
    fraction : 1 is Lorentzian, 0 Gaussian.

    Start: the best Lorentzian's center and width, then for some fractions the best of a grid of places and
    widths near them. Source: Wertheim, Butler, West, Buchanan (1974).

    >>> float(pseudo_voigt(1.5, 3.0, 1.0, 0.5, 0.3))
    1.5
    """
    u = ((x - center) / width) ** 2
    return height * (fraction / (1.0 + u) + (1.0 - fraction) * np.exp(-math.log(2.0) * u))


def centers(x: Vector, y: Vector, count: int = 24) -> Vector:
    """Where a peak may be: the points with the largest absolute values, and places spread over the data."""
    largest = x[np.argsort(-np.abs(y), kind="stable")[:count]]
    return np.unique(np.concatenate([largest, inside(x, count)]))


def widths(x: Vector, count: int = 14) -> Vector:
    return sizes(0.4 * spacing(x), span(x), count)


def around(x: Vector, y: Vector, center: float, width: float) -> tuple[Vector, Vector]:
    """The points near a peak that was found among averages of neighbors; all where none were averaged."""
    if x.size <= MOST:
        return tidy(x, y)
    reach = max(5.0 * width, 4.0 * float(np.ptp(x)) / MOST)
    near = np.abs(x - center) <= reach
    return tidy(x[near], y[near])


def _start_of(shape: Callable[..., Any]) -> Callable[[Vector, Vector], list[Values]]:
    def start(x: Vector, y: Vector) -> list[Values]:
        values: list[Values] = []
        u, v = tidy(x, y)
        for _ in range(1 if x.size <= MOST else 2):  # the second time among all points near the first peak
            found = scan(v, lambda c, w: (shape(u, 1.0, c, w),), centers(u, v), widths(u))  # noqa: B023
            values = [(h, c, w) for (c, w), (h,) in by_columns(found)] + values
            if values:
                u, v = around(x, y, values[0][1], values[0][2])
        return values

    return start


start_gaussian, start_lorentzian = _start_of(gaussian), _start_of(lorentzian)


def start_pseudo_voigt(x: Vector, y: Vector) -> list[Values]:
    found: list[Values] = []
    for _, center, width in start_lorentzian(x, y)[:1]:
        u, v = around(x, y, center, width)
        places, sizes_near = center + width * np.linspace(-0.5, 0.5, 5), width * sizes(0.5, 3.0, 8)
        for fraction in (0.5, 0.1, 0.9):
            best = scan(v, lambda c, w, u=u, f=fraction: (pseudo_voigt(u, 1.0, c, w, f),), places, sizes_near)
            found += [(h, c, w, fraction) for (c, w), (h,) in by_columns(best)]
    return found


def start_voigt(x: Vector, y: Vector) -> list[Values]:
    found: list[Values] = []
    for _, center, width in start_gaussian(x, y)[:1]:
        u, v = around(x, y, center, width)
        places, near = center + width * np.linspace(-0.5, 0.5, 3), width * sizes(0.1, 1.5, 8)
        best = scan(v, lambda c, s, g, u=u: (voigt(u, 1.0, c, s, g),), places, near, near)
        found += [(a, c, s, g) for (c, s, g), (a,) in by_columns(best)]
    return found


ROWS = (
    Row(gaussian, start_gaussian, "height*exp(-(x - center)^2/(2*width^2))"),
    Row(lorentzian, start_lorentzian, "height/(1 + ((x - center)/width)^2)"),
    Row(voigt, start_voigt, "area*voigt_profile(x - center, sigma, gamma)"),
    Row(
        pseudo_voigt,
        start_pseudo_voigt,
        "height*(fraction/(1 + ((x - center)/width)^2) + (1 - fraction)*exp(-log(2)*((x - center)/width)^2))",
    ),
)
