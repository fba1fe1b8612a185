"""Waves: sine, damped sine."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .grid import Vector, by_columns, scan, scan_points, span, tidy
from .row import Row, Values

DIRECT = 256
"""Up to so many points every frequency is tried on the points themselves, beyond on an even grid by FFT."""
KEPT = 12


def sine(x: Any, amplitude: Any, frequency: Any, phase: Any, offset: Any) -> Any:
    """Sine: ``amplitude*sin(2*pi*frequency*x + phase) + offset``.

    amplitude : half the height. frequency : periods per unit of x. phase : radians at x = 0.
    offset : the mean.

    Start: the peak of the periodogram, the rest by linear least squares. Source: Lomb (1976), Scargle (1982)
    for uneven points.

    >>> float(sine(0.25, 3.0, 1.0, 0.0, 1.0))
    4.0
    """
    return amplitude * np.sin(2.0 * math.pi * frequency * x + phase) + offset


def start_sine(x: Vector, y: Vector) -> list[Values]:
    return [(a, f, p, c) for a, k, f, p, c in _waves(x, y, np.zeros(1))]


def damped_sine(x: Any, amplitude: Any, rate: Any, frequency: Any, phase: Any, offset: Any) -> Any:
    """Damped sine: ``amplitude*exp(-rate*x)*sin(2*pi*frequency*x + phase) + offset``.

    amplitude : of the envelope at x = 0. rate : its decay constant. frequency : periods per unit of x.
    phase : radians at x = 0. offset : value approached.

    Start: the highest peaks of the periodogram with a grid of rates, the rest by linear least squares.

    >>> float(damped_sine(0.25, 3.0, 0.0, 1.0, 0.0, 1.0))
    4.0
    """
    return amplitude * np.exp(-rate * x) * np.sin(2.0 * math.pi * frequency * x + phase) + offset


def start_damped_sine(x: Vector, y: Vector) -> list[Values]:
    return _waves(x, y, np.array([0.0, 0.7, 2.0, 5.0, 12.0, 30.0, -0.7, -2.0, -5.0]))


def _waves(x: Vector, y: Vector, decays: Vector) -> list[Values]:
    """Guesses (amplitude, rate, frequency, phase, offset); `decays` are rates times the span."""
    x, y = tidy(x, y, most=4096)
    u = x - x[0]
    coarse = _frequencies(u, y, decays)
    step = 0.25 / span(x)
    near = (coarse[:, None] + step * np.linspace(-0.75, 0.75, 7)).ravel()
    near = np.unique(near[near > 0])

    def parts(f: Vector, k: Vector) -> tuple[Any, ...]:
        envelope, angle = np.exp(-k * u), 2.0 * math.pi * f * u
        return envelope * np.sin(angle), envelope * np.cos(angle), 1.0

    found: list[Values] = []
    for (f, k), (s, c, offset) in by_columns(scan(y, parts, near, decays / span(x))):
        amplitude = math.hypot(s, c) * math.exp(min(k * float(x[0]), 600.0))
        phase = math.remainder(math.atan2(c, s) - 2.0 * math.pi * f * float(x[0]), 2.0 * math.pi)
        found.append((amplitude, k, f, phase, offset))
    return found


def _frequencies(u: Vector, y: Vector, decays: Vector) -> Vector:
    """Where the periodogram, plain and of the damped data, is highest."""
    length = span(u)
    if u.size <= DIRECT:
        grid = np.arange(1, 2 * u.size + 1) * (0.25 / length)

        def parts(f: Vector, k: Vector) -> tuple[Any, ...]:
            envelope, angle = np.exp(-k * u), 2.0 * math.pi * f * u
            return envelope * np.sin(angle), envelope * np.cos(angle), 1.0

        best = scan_points(y, parts, np.stack([grid, np.zeros(grid.size)], axis=1), KEPT)
        if decays.size > 1:
            best += scan_points(y, parts, np.stack([grid, np.full(grid.size, 4.0 / length)], axis=1), KEPT)
        return np.unique([f for (f, _), _ in by_columns(best)])
    count = u.size
    even = np.interp(np.linspace(0.0, length, count), u, y)
    power = np.abs(np.fft.rfft(even - even.mean(), 4 * count))
    best_bins = np.argsort(-power[1:], kind="stable")[:KEPT] + 1
    return np.unique(best_bins * ((count - 1) / (4.0 * count * length)))


ROWS = (
    Row(sine, start_sine, "amplitude*sin(2*pi*frequency*x + phase) + offset"),
    Row(
        damped_sine,
        start_damped_sine,
        "amplitude*exp(-rate*x)*sin(2*pi*frequency*x + phase) + offset",
    ),
)
