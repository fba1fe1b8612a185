"""Many fits in readable NumPy and double precision: what the fits of the core are judged by."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Law = Callable[..., tuple[Array, tuple[Array, ...]]]
"""``law(*x, p) -> (value, derivatives)``, each (fits, points) for p of (parameters, fits, 1)."""


def spot(x: Array, y: Array, p: Array) -> tuple[Array, tuple[Array, ...]]:
    a, x0, y0, s, b = p
    dx, dy = x - x0, y - y0
    q = dx**2 + dy**2
    e = np.exp(-q / (2.0 * s**2))
    ae = a * e
    return ae + b, (e, ae * dx / s**2, ae * dy / s**2, ae * q / s**3, np.ones_like(e))


def decay(t: Array, p: Array) -> tuple[Array, tuple[Array, ...]]:
    a, tau, b = p
    e = np.exp(-t / tau)
    return a * e + b, (e, a * e * t / tau**2, np.ones_like(e))


def dose(x: Array, p: Array) -> tuple[Array, tuple[Array, ...]]:
    bottom, top, half, exponent = p
    u = np.log(x) - np.log(half)
    g = 1.0 / (1.0 + np.exp(-exponent * u))
    h = (top - bottom) * g * (1.0 - g)
    return bottom + (top - bottom) * g, (1.0 - g, g, -h * exponent / half, h * u)


LAWS: dict[str, Law] = {"spots": spot, "small_spots": spot, "decays": decay, "dose_response": dose}


def cost(law: Law, x: tuple[Array, ...], y: Array, p: Array, block: int = 4000) -> Array:
    """Half the sum of squares of each fit at p, (fits, parameters); inf where it is not finite."""
    found = np.empty(len(p))
    with np.errstate(all="ignore"):
        for i in range(0, len(p), block):
            rows = slice(i, min(i + block, len(p)))
            r = law(*x, p[rows].T[:, :, None].astype(np.float64))[0] - y[rows]
            found[rows] = 0.5 * np.einsum("ij,ij->i", r, r)
    return np.where(np.isfinite(found), found, np.inf)


def minimize(
    law: Law, x: tuple[Array, ...], y: Array, start: Array, block: int = 2000
) -> tuple[Array, Array, Array]:
    """Marquardt (1963) on every row of y from `start` (fits, parameters): minima, costs and ``(J'J)^-1``.

    Goes on until no step lowers the cost by 1e-14 of itself.
    """
    parts = [
        _minimize(law, x, y[i : i + block].astype(np.float64), start[i : i + block].astype(np.float64))
        for i in range(0, len(y), block)
    ]
    at, costs, inverse = zip(*parts, strict=True)
    return np.concatenate(at), np.concatenate(costs), np.concatenate(inverse)


def _minimize(law: Law, x: tuple[Array, ...], y: Array, at: Array) -> tuple[Array, Array, Array]:
    lam = np.full(len(at), 1e-3)
    costs, normal, gradient = _sums(law, x, y, at)
    diagonal, going = np.arange(at.shape[1]), np.arange(len(at))
    for _ in range(200):
        damped = normal[going].copy()
        damped[:, diagonal, diagonal] *= 1.0 + lam[going, None]
        to = at[going] - _solve(damped, gradient[going])
        there, normal_there, gradient_there = _sums(law, x, y[going], to)
        gain = 1.0 - there / costs[going]
        better = gain > 0.0
        moved = going[better]
        at[moved], costs[moved] = to[better], there[better]
        normal[moved], gradient[moved] = normal_there[better], gradient_there[better]
        lam[going] *= np.where(better, 0.1, 10.0)
        going = going[(np.abs(gain) > 1e-14) & (lam[going] < 1e10)]
        if not going.size:
            break
    return at, costs, _inverse(normal)


def _sums(law: Law, x: tuple[Array, ...], y: Array, at: Array) -> tuple[Array, Array, Array]:
    with np.errstate(all="ignore"):
        value, derivatives = law(*x, at.T[:, :, None])
        r = value - y
        j = np.stack(derivatives, axis=2)
        costs = 0.5 * np.einsum("ij,ij->i", r, r)
        transposed = j.transpose(0, 2, 1)
        normal, gradient = transposed @ j, (transposed @ r[:, :, None])[:, :, 0]
    return np.where(np.isfinite(costs), costs, np.inf), normal, gradient


def _inverse(normal: Array) -> Array:
    """Inverses, by way of columns of length one; nan where parameters are not determined."""
    lengths = np.sqrt(np.einsum("kii->ki", normal))
    scale = lengths[:, :, None] * lengths[:, None, :]
    with np.errstate(all="ignore"):
        scaled = normal / scale
        lost = ~(np.linalg.det(scaled) > 1e-14)
        scaled[lost] = np.eye(normal.shape[1])
        inverse = np.linalg.inv(scaled) / scale
    inverse[lost] = np.nan
    return inverse


def _solve(matrices: Array, vectors: Array) -> Array:
    return np.linalg.solve(matrices, vectors[:, :, None])[:, :, 0]
