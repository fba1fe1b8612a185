"""Waves: sine, damped sine."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .grid import Vector, by_columns, scan, span, tidy
from .row import Row, Values

DIRECT = 256
"""Up to so many points every frequency is fitted, with more the periodogram tells."""
KEPT = 12


def sine(x: Any, amplitude: Any, frequency: Any, phase: Any, offset: Any) -> Any:
    """Sine: ``amplitude*sin(2*pi*frequency*x + phase) + offset``.

    amplitude : half the height. frequency : periods per unit of x. phase : radians at x = 0.
    offset : the mean.

    Start: the peak of the periodogram up to half the mean rate of sampling, the rest by linear least
    squares. Source: Lomb (1976), Scargle (1982)
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

    Start: the highest peaks of the periodogram, as for `sine`, with a grid of rates, the rest by linear least
    squares.

    >>> float(damped_sine(0.25, 3.0, 0.0, 1.0, 0.0, 1.0))
    4.0
    """
    return amplitude * np.exp(-rate * x) * np.sin(2.0 * math.pi * frequency * x + phase) + offset


def start_damped_sine(x: Vector, y: Vector) -> list[Values]:
    return _waves(x, y, np.array([0.0, 0.7, 2.0, 5.0, 12.0, 30.0, -0.7, -2.0, -5.0]))


def _waves(x: Vector, y: Vector, decays: Vector) -> list[Values]:
    """Guesses (amplitude, rate, frequency, phase, offset); `decays` are rates times the span."""
    x, y = tidy(x, y, most=2048)
    u, step = x - x[0], 0.0625 / span(x)
    coarse = _frequencies(u, y, decays)
    fine = np.unique(np.rint((coarse[:, None] / step + np.arange(-3, 4)).ravel())) * step

    def parts(f: Vector, k: Vector) -> tuple[Any, ...]:
        envelope, angle = np.exp(-k * u), 2.0 * math.pi * f * u
        return envelope * np.sin(angle), envelope * np.cos(angle), 1.0

    few = np.unique([0.0, np.median(np.abs(decays))])
    near = [p[0] for p, _ in scan(y, parts, fine[fine > 0], few / span(x), count=8)]
    found: list[Values] = []
    for (f, k), (s, c, offset) in by_columns(scan(y, parts, np.unique(near), decays / span(x))):
        amplitude = math.hypot(s, c) * math.exp(min(k * float(x[0]), 600.0))
        phase = math.remainder(math.atan2(c, s) - 2.0 * math.pi * f * float(x[0]), 2.0 * math.pi)
        found.append((amplitude, k, f, phase, offset))
    return found


def _frequencies(u: Vector, y: Vector, decays: Vector) -> Vector:
    """Where the periodogram is highest; of few points also that of damped waves."""
    n, length = u.size, span(u)
    grid: Vector = np.arange(1.0, 2 * n + 1) * (0.25 / length)
    if n > DIRECT:
        power = _periodogram(u, y - y.mean(), grid)
        return grid[np.argsort(-power, kind="stable")[:KEPT]]

    def parts(f: Vector, k: Vector) -> tuple[Any, ...]:
        envelope, angle = np.exp(-k * u), 2.0 * math.pi * f * u
        return envelope * np.sin(angle), envelope * np.cos(angle), 1.0

    best = []
    for k in (0.0, 4.0 / length)[: decays.size]:
        best += scan(y, parts, grid, np.array([k]), count=KEPT)
    return np.unique([p[0] for p, _ in best])


def _periodogram(u: Vector, y: Vector, grid: Vector) -> Vector:
    """``|Σ y exp(2πifu)|²`` at the frequencies of `grid`; by FFT where the points are even."""
    n = u.size
    if np.ptp(np.diff(u)) <= 1e-3 * span(u) / (n - 1):
        # The grid has steps of a quarter of a period in the span: that of a transform of 4 (n - 1) points.
        return np.asarray(np.abs(np.fft.rfft(y, 4 * (n - 1)))[1 : grid.size + 1] ** 2)
    parts = np.array_split(grid, max(1, grid.size * n // 2**18))
    return np.concatenate([np.abs(np.exp(-2j * math.pi * f[:, None] * u) @ y) ** 2 for f in parts])


ROWS = (
    Row(sine, start_sine, "amplitude*sin(2*pi*frequency*x + phase) + offset"),
    Row(
        damped_sine,
        start_damped_sine,
        "amplitude*exp(-rate*x)*sin(2*pi*frequency*x + phase) + offset",
    ),
)
