"""Errors of observations and edges in words: percentiles, and the worst by index."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Index = NDArray[np.intp]
PERCENTILES = (50, 90, 99)


def error_line(name: str, far: Vector, unit: str) -> str:
    """``reprojection error: median 0.42, 90 % 1.3, 99 % 3.1, largest 12 pixels; rms 0.8``.

    >>> error_line("edge error", np.array([1.0, 1.0, 4.0]), "sd")
    'edge error: median 1, 90 % 3.4, 99 % 3.94, largest 4 sd; rms 2.45'
    """
    if not far.size:
        return f"{name}: none"
    median, *others = np.percentile(far, PERCENTILES)
    parts = [f"median {median:.3g}"]
    parts += [f"{p} % {value:.3g}" for p, value in zip(PERCENTILES[1:], others, strict=True)]
    rms = float(np.sqrt(np.mean(far**2)))
    return f"{name}: {', '.join(parts)}, largest {far.max():.3g} {unit}; rms {rms:.3g}"


def worst_line(
    name: str, far: Vector, index: Index, n: int, label: Callable[[int], str] = str, count: int = 5
) -> str:
    """``worst cameras: 12 (rms 1.6 in 840), ...``: by the root of the mean square of their errors.

    >>> worst_line("cameras", np.array([1.0, 3.0, 2.0]), np.array([0, 1, 0]), 2)
    'worst cameras: 1 (rms 3 in 1), 0 (rms 1.58 in 2)'
    """
    seen = np.bincount(index, minlength=n)
    rms = np.sqrt(np.bincount(index, weights=far**2, minlength=n) / np.maximum(seen, 1))
    order = np.argsort(-rms, kind="stable")[:count]
    return f"worst {name}: " + _listed([f"{label(int(k))} (rms {rms[k]:.3g} in {seen[k]})" for k in order])


def largest_line(name: str, far: Vector, label: Callable[[int], str], count: int = 5) -> str:
    """``worst edges: 17-203 (8.1), ...``, by their own error."""
    order = np.argsort(-far, kind="stable")[:count]
    return f"worst {name}: " + _listed([f"{label(int(k))} ({far[k]:.3g})" for k in order])


def _listed(parts: Sequence[str]) -> str:
    return ", ".join(parts) or "none"
