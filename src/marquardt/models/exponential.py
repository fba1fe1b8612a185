"""Exponentials: decay, rise, sums of two and three, stretched."""

from __future__ import annotations

from typing import Any

import numpy as np

from .grid import (
    Vector,
    by_columns,
    combinations,
    rates,
    scan,
    scan_points,
    signed,
    sizes,
    spacing,
    span,
    tidy,
)
from .row import Row, Values

APART = 4.0
"""Ratio of rates that are well apart."""


def exponential_decay(x: Any, amplitude: Any, rate: Any, offset: Any) -> Any:
    """Exponential decay to an offset: ``amplitude*exp(-rate*x) + offset``.

    amplitude : value above the offset at x = 0 (negative: below).
    rate : decay constant, 1/lifetime; negative for growth.
    offset : value approached.

    Start: the best of a grid of rates between 1/span and 1/spacing, both signs, amplitude and offset by
    linear least squares. The model is Newton's law of cooling, first-order kinetics, radioactive decay.

    >>> float(exponential_decay(0.0, 3.0, 0.5, 1.0))
    4.0
    """
    return amplitude * np.exp(-rate * x) + offset


def start_decay(x: Vector, y: Vector) -> list[Values]:
    x, y = tidy(x, y)
    u, scales = (x - x[0]), signed(rates(x, 40))
    found = scan(y, lambda k: (np.exp(-k * u), 1.0), scales)
    return [(a * np.exp(k * x[0]), k, c) for (k,), (a, c) in by_columns(found)]


def exponential_rise(x: Any, amplitude: Any, rate: Any, offset: Any) -> Any:
    """Exponential rise from an offset: ``amplitude*(1 - exp(-rate*x)) + offset``, by expm1.

    amplitude : total rise. rate : 1/time constant. offset : value at x = 0.

    Start: as for `exponential_decay`. With offset 0 the equation of von Bertalanffy (1938) and of a
    charging capacitor.

    >>> float(exponential_rise(0.0, 3.0, 0.5, 1.0))
    1.0
    """
    return offset - amplitude * np.expm1(-rate * x)


def start_rise(x: Vector, y: Vector) -> list[Values]:
    return [(-a, k, a + c) for a, k, c in start_decay(x, y)]


def biexponential(x: Any, amplitude1: Any, rate1: Any, amplitude2: Any, rate2: Any, offset: Any) -> Any:
    """Two exponential decays and an offset.

    ``amplitude1*exp(-rate1*x) + amplitude2*exp(-rate2*x) + offset``

    amplitude1, rate1 : the faster term. amplitude2, rate2 : the slower one. offset : value approached.

    Start: the best pair of a grid of rates, the rest by linear least squares (Golub, Pereyra 1973).

    >>> float(biexponential(0.0, 3.0, 2.0, 1.0, 0.5, 0.25))
    4.25
    """
    return amplitude1 * np.exp(-rate1 * x) + amplitude2 * np.exp(-rate2 * x) + offset


def start_biexponential(x: Vector, y: Vector) -> list[Values]:
    return _sum_of_decays(x, y, 2, 24)


def triexponential(
    x: Any, amplitude1: Any, rate1: Any, amplitude2: Any, rate2: Any, amplitude3: Any, rate3: Any, offset: Any
) -> Any:
    """Three exponential decays and an offset.

    ``amplitude1*exp(-rate1*x) + amplitude2*exp(-rate2*x) + amplitude3*exp(-rate3*x) + offset``

    amplitude1, rate1 to amplitude3, rate3 : the terms, fastest first. offset : value approached.

    Start: the best triple of a grid of rates, the rest by linear least squares. Data seldom determine
    three rates: Lanczos (1956) shows two decimals that cannot tell three exponentials from two.

    >>> float(triexponential(0.0, 3.0, 5.0, 2.0, 1.0, 1.0, 0.2, 0.5))
    6.5
    """
    return (
        amplitude1 * np.exp(-rate1 * x)
        + amplitude2 * np.exp(-rate2 * x)
        + amplitude3 * np.exp(-rate3 * x)
        + offset
    )


def start_triexponential(x: Vector, y: Vector) -> list[Values]:
    return _sum_of_decays(x, y, 3, 14)


def _sum_of_decays(x: Vector, y: Vector, terms: int, count: int) -> list[Values]:
    """The best choice of rates, fastest first, from a grid of `count` (negative ones for growth).

    After it the best of those that are well apart: close ones cancel, which noise likes.
    """
    x, y = tidy(x, y, 100)
    u = x - x[0]
    growth = -sizes(0.1 / span(x), 20.0 / span(x), count)
    points = np.concatenate([combinations(k, terms) for k in (rates(x, count)[::-1], growth)])
    apart = points[(points[:, :-1] / points[:, 1:] > APART).all(axis=1) & (points[:, -1] > 0)]
    values: list[Values] = []
    found = [
        *scan_points(y, lambda *k: (*(np.exp(-r * u) for r in k), 1.0), points),
        *scan_points(y, lambda *k: (*(np.exp(-r * u) for r in k), 1.0), apart),
    ]
    for nonlinear, (*amplitudes, offset) in by_columns(found):
        pairs = [(a * np.exp(k * x[0]), k) for a, k in zip(amplitudes, nonlinear, strict=True)]
        values.append((*(v for pair in pairs for v in pair), offset))
    return values


def stretched_exponential(x: Any, amplitude: Any, scale: Any, exponent: Any, offset: Any) -> Any:
    """Stretched exponential: ``amplitude*exp(-(x/scale)**exponent) + offset`` for x >= 0.

    amplitude : value above the offset at x = 0. scale : x where 1/e of it is left.
    exponent : 1 is an exponential, below 1 stretched, above 1 compressed. offset : value approached.

    Start: the best of a grid of scales and exponents, the rest by linear least squares. Source:
    Kohlrausch (1854); Williams, Watts (1970).

    >>> float(stretched_exponential(0.0, 3.0, 2.0, 0.5, 1.0))
    4.0
    """
    return amplitude * np.exp(-((x / scale) ** exponent)) + offset


def start_stretched(x: Vector, y: Vector) -> list[Values]:
    x, y = tidy(x, y)
    if x[0] < 0.0:
        return []
    scales = sizes(spacing(x) / 10, 10 * span(x), 30)
    found = scan(y, lambda s, b: (np.exp(-((x / s) ** b)), 1.0), scales, sizes(0.2, 5.0, 16), count=1)
    return [(a, s, b, c) for (s, b), (a, c) in by_columns(found)]


ROWS = (
    Row(exponential_decay, start_decay, "amplitude*exp(-rate*x) + offset"),
    Row(exponential_rise, start_rise, "amplitude*(1 - exp(-rate*x)) + offset"),
    Row(biexponential, start_biexponential, "amplitude1*exp(-rate1*x) + amplitude2*exp(-rate2*x) + offset"),
    Row(
        triexponential,
        start_triexponential,
        "amplitude1*exp(-rate1*x) + amplitude2*exp(-rate2*x) + amplitude3*exp(-rate3*x) + offset",
    ),
    Row(stretched_exponential, start_stretched, "amplitude*exp(-(x/scale)^exponent) + offset"),
)
