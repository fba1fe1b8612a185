"""Curves that level off: logistic, Gompertz, Weibull, dose-response."""

from __future__ import annotations

from typing import Any

import numpy as np

from .grid import Vector, by_columns, inside, magnitudes, rates, scan, signed, sizes, tidy
from .row import Row, Values

LEAST = 1e-300
"""Stands for x = 0 where a logarithm of x is needed: ``expit(n*log(1e-300))`` is 0 for any usual n."""


def logistic3(x: Any, top: Any, midpoint: Any, slope: Any) -> Any:
    """Logistic curve from 0: ``top/(1 + exp(-slope*(x - midpoint)))``.

    top : upper level. midpoint : x at half of it. slope : steepness, negative for a falling curve.

    Start: the best of a grid of midpoints and slopes, the level by linear least squares. Source:
    Verhulst (1838).

    >>> float(logistic3(2.0, 6.0, 2.0, 1.5))
    3.0
    """
    from scipy.special import expit

    return top * expit(slope * (x - midpoint))


def start_logistic3(x: Vector, y: Vector) -> list[Values]:
    x, y = tidy(x, y)
    found = scan(y, lambda m, s: (logistic3(x, 1.0, m, s),), inside(x, 20), signed(rates(x, 14)))
    return [(a, m, s) for (m, s), (a,) in by_columns(found)]


def logistic4(x: Any, bottom: Any, top: Any, midpoint: Any, slope: Any) -> Any:
    """Logistic curve between two levels: ``bottom + (top - bottom)/(1 + exp(-slope*(x - midpoint)))``.

    bottom, top : the levels. midpoint : x halfway. slope : steepness, negative for a falling curve.
    For doses rather than their logarithms see `dose_response`.

    Start: the best of a grid of midpoints and slopes, the levels by linear least squares, top the higher
    one. Source: Verhulst (1838); Rodbard, Hutt (1974) for assays.

    >>> float(logistic4(2.0, 1.0, 6.0, 2.0, 1.5))
    3.5
    """
    from scipy.special import expit

    return bottom + (top - bottom) * expit(slope * (x - midpoint))


def start_logistic4(x: Vector, y: Vector) -> list[Values]:
    x, y = tidy(x, y)
    found = scan(y, lambda m, s: (1.0, logistic3(x, 1.0, m, s)), inside(x, 20), rates(x, 16))
    return [(c, c + a, m, s) if a >= 0 else (c + a, c, m, -s) for (m, s), (c, a) in by_columns(found)]


def logistic5(x: Any, bottom: Any, top: Any, midpoint: Any, slope: Any, asymmetry: Any) -> Any:
    """Logistic curve with asymmetry: ``bottom + (top - bottom)/(1 + exp(-slope*(x - midpoint)))**asymmetry``.

    bottom, top : the levels. midpoint : x halfway when asymmetry is 1. slope : steepness, negative for a
    falling curve. asymmetry : 1 is symmetric. Computed as ``exp(asymmetry*log_expit(...))``.

    Start: as for `logistic4`, with a grid of asymmetries; the best of each sign of the slope. Source:
    Richards (1959); Gottschalk, Dunn (2005).

    >>> float(logistic5(2.0, 1.0, 5.0, 2.0, 1.5, 2.0))
    2.0
    """
    from scipy.special import log_expit

    return bottom + (top - bottom) * np.exp(asymmetry * log_expit(slope * (x - midpoint)))


def start_logistic5(x: Vector, y: Vector) -> list[Values]:
    x, y = tidy(x, y, 100)
    asymmetries = np.array([0.2, 0.5, 1.0, 2.0, 5.0])
    found = []
    for slopes in (rates(x, 12), -rates(x, 12)):  # each sign of the slope has a minimum of its own
        found += scan(
            y, lambda m, s, b: (1.0, logistic5(x, 0.0, 1.0, m, s, b)), inside(x, 14), slopes, asymmetries
        )
    return [(c, c + a, m, s, b) for (m, s, b), (c, a) in by_columns(found)]


def gompertz(x: Any, top: Any, inflection: Any, rate: Any) -> Any:
    """Gompertz growth: ``top*exp(-exp(-rate*(x - inflection)))``.

    top : upper level. inflection : x of fastest growth, where 1/e of it is reached. rate : growth constant,
    negative for a falling curve.

    Start: the best of a grid of inflections and rates, the level by linear least squares. Source: Gompertz
    (1825); Winsor (1932).

    >>> round(float(gompertz(2.0, 3.0, 2.0, 0.7)), 6)
    1.103638
    """
    return top * np.exp(-np.exp(-rate * (x - inflection)))


def start_gompertz(x: Vector, y: Vector) -> list[Values]:
    x, y = tidy(x, y)
    found = scan(y, lambda m, k: (gompertz(x, 1.0, m, k),), inside(x, 20), signed(rates(x, 16)))
    return [(a, m, k) for (m, k), (a,) in by_columns(found)]


def weibull(x: Any, bottom: Any, top: Any, scale: Any, shape: Any) -> Any:
    """Weibull growth: ``bottom + (top - bottom)*(1 - exp(-(x/scale)**shape))`` for x >= 0, by expm1.

    bottom : value at 0. top : value approached. scale : x where 1 - 1/e of the way is done.
    shape : 1 is exponential, above 1 sigmoid.

    Start: the best of a grid of scales and shapes, the levels by linear least squares. Source: Weibull
    (1951).

    >>> float(weibull(0.0, 1.0, 6.0, 2.0, 1.5))
    1.0
    """
    return bottom - (top - bottom) * np.expm1(-((x / scale) ** shape))


def start_weibull(x: Vector, y: Vector) -> list[Values]:
    x, y = tidy(x, y)
    if x[0] < 0.0:
        return []
    shapes = sizes(0.3, 20.0, 16)
    found = scan(y, lambda s, b: (1.0, weibull(x, 0.0, 1.0, s, b)), magnitudes(x, 40), shapes)
    return [(c, c + a, s, b) for (s, b), (c, a) in by_columns(found)]


def hill(x: Any, top: Any, half: Any, exponent: Any) -> Any:
    """Hill equation: ``top*x**exponent/(half**exponent + x**exponent)`` for x >= 0, half > 0.

    top : saturation. half : x at half of it. exponent : Hill coefficient, above 1 for cooperative binding.
    Computed as ``expit(exponent*log(x/half))``, which cannot overflow.

    Start: the best of a grid of halves and exponents, the level by linear least squares. Source: Hill
    (1910).

    >>> round(float(hill(2.0, 6.0, 2.0, 1.5)), 12)
    3.0
    """
    from scipy.special import expit

    return top * expit(exponent * (np.log(np.maximum(x, LEAST)) - np.log(half)))


def start_hill(x: Vector, y: Vector) -> list[Values]:
    x, y = tidy(x, y)
    if x[0] < 0.0:
        return []
    found = scan(y, lambda k, n: (hill(x, 1.0, k, n),), magnitudes(x, 40), signed(sizes(0.2, 20.0, 16)))
    return [(a, k, n) for (k, n), (a,) in by_columns(found)]


def dose_response(x: Any, bottom: Any, top: Any, half: Any, exponent: Any) -> Any:
    """Dose-response, logistic in log x: ``bottom + (top - bottom)/(1 + (half/x)**exponent)``.

    bottom, top : the levels. half : EC50 or IC50, the dose halfway, > 0. exponent : Hill slope, negative for
    a falling curve. x : the dose, >= 0.

    Start: the best of a grid of halves and exponents, the levels by linear least squares, top the higher
    one. Source: Hill (1910); DeLean, Munson, Rodbard (1978).

    >>> round(float(dose_response(2.0, 1.0, 6.0, 2.0, 1.5)), 12)
    3.5
    """
    from scipy.special import expit

    return bottom + (top - bottom) * expit(exponent * (np.log(np.maximum(x, LEAST)) - np.log(half)))


def start_dose_response(x: Vector, y: Vector) -> list[Values]:
    x, y = tidy(x, y)
    if x[0] < 0.0:
        return []
    found = scan(y, lambda k, n: (1.0, hill(x, 1.0, k, n)), magnitudes(x, 40), sizes(0.2, 20.0, 16))
    return [(c, c + a, k, n) if a >= 0 else (c + a, c, k, -n) for (k, n), (c, a) in by_columns(found)]


ROWS = (
    Row(logistic3, start_logistic3, "top/(1 + exp(-slope*(x - midpoint)))"),
    Row(logistic4, start_logistic4, "bottom + (top - bottom)/(1 + exp(-slope*(x - midpoint)))"),
    Row(logistic5, start_logistic5, "bottom + (top - bottom)/(1 + exp(-slope*(x - midpoint)))^asymmetry"),
    Row(gompertz, start_gompertz, "top*exp(-exp(-rate*(x - inflection)))"),
    Row(weibull, start_weibull, "bottom + (top - bottom)*(1 - exp(-(x/scale)^shape))"),
    Row(hill, start_hill, "top*x^exponent/(half^exponent + x^exponent)"),
    Row(dose_response, start_dose_response, "bottom + (top - bottom)/(1 + (half/x)^exponent)"),
)
