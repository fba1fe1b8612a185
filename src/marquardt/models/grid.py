"""The common part of the start rules: nonlinear parameters on a grid, linear ones by least squares.

A rule names the few nonlinear parameters of its model, the values worth trying (in units read off the
data, so that a change of units changes nothing), and the functions that are added up. `scan` solves the
linear least squares problem at every point of the grid and gives the best ones (Golub, Pereyra 1973, on a
grid).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

MOST = 200
"""Points a rule looks at; more are averaged in groups of neighbors."""


def tidy(x: ArrayLike, y: ArrayLike, most: int = MOST) -> tuple[Vector, Vector]:
    """Sorted by x, repeated x averaged, at most `most` points.

    >>> tidy([2, 1, 1], [5, 1, 3])
    (array([1., 2.]), array([2., 5.]))
    """
    x, y = np.ravel(np.asarray(x, dtype=np.float64)), np.ravel(np.asarray(y, dtype=np.float64))
    places, group = np.unique(x, return_inverse=True)
    group = group.ravel()
    y = np.bincount(group, y) / np.bincount(group)
    if places.size <= most:
        return places, y
    edges = np.linspace(0, places.size, most + 1).astype(np.intp)
    counts = np.diff(edges)
    return np.add.reduceat(places, edges[:-1]) / counts, np.add.reduceat(y, edges[:-1]) / counts


def thin(most: int, *columns: ArrayLike) -> tuple[Vector, ...]:
    """At most `most` rows of several columns, evenly spread."""
    flat = [np.ravel(np.asarray(c, dtype=np.float64)) for c in columns]
    if flat[0].size > most:
        pick = np.linspace(0, flat[0].size - 1, most).astype(np.intp)
        flat = [c[pick] for c in flat]
    return tuple(flat)


def span(x: Vector) -> float:
    """Length of the range of sorted `x`, 1 where it has none."""
    return float(x[-1] - x[0]) or 1.0


def spacing(x: Vector) -> float:
    """The least distance of sorted `x`, no less than a 2000th of their range."""
    gaps = np.diff(x)
    return max(float(gaps.min()) if gaps.size else 0.0, span(x) / 2000)


def sizes(low: float, high: float, count: int) -> Vector:
    """Values from `low` to `high`, evenly spread on a logarithmic scale."""
    return np.geomspace(low, high, count)


def rates(x: Vector, count: int) -> Vector:
    """Rates that show in the data: from a tenth of the span to twice the spacing."""
    return sizes(0.1 / span(x), 2.0 / spacing(x), count)


def signed(values: Vector) -> Vector:
    """The values, and their negatives."""
    return np.concatenate([values, -values])


def inside(x: Vector, count: int) -> Vector:
    """Places within the range of `x`: evenly spread, and quantiles of the points."""
    even = np.linspace(x[0], x[-1], count)
    return np.unique(np.concatenate([even, np.quantile(x, np.linspace(0, 1, count))]))


def magnitudes(x: Vector, count: int) -> Vector:
    """Sizes from a tenth of the smallest positive of `x` to ten times the largest."""
    positive = np.abs(x[x != 0.0])
    if not positive.size:
        return np.ones(1)
    return sizes(max(positive.min(), 1e-6 * positive.max()) / 10, positive.max() * 10, count)


def scan(
    y: Vector, columns: Callable[..., tuple[ArrayLike, ...]], *grids: Vector, count: int = 1
) -> list[tuple[Vector, Vector]]:
    """The best points of a grid: ``(nonlinear parameters, linear coefficients)``, lowest rss first.

    `columns` takes one (G, 1) array per grid and gives the functions whose sum is fitted, each of a shape
    that broadcasts to (G, len(y)). Points where they are not finite are left out.

    >>> x = np.arange(5.0)
    >>> [(k, a)] = scan(3 * np.exp(-0.5 * x), lambda k: (np.exp(-k * x),), np.array([0.1, 0.5, 2.0]))
    >>> k, a.round(9)
    (array([0.5]), array([3.]))
    """
    mesh = np.stack([g.ravel() for g in np.meshgrid(*grids, indexing="ij")], axis=1)
    return scan_points(y, columns, mesh, count)


def scan_points(
    y: Vector, columns: Callable[..., tuple[ArrayLike, ...]], points: Matrix, count: int = 1
) -> list[tuple[Vector, Vector]]:
    """`scan` over given points (G, d) instead of a full grid."""
    with np.errstate(all="ignore"):
        parts = columns(*points.T[:, :, None])
        basis = np.stack([np.broadcast_to(p, (len(points), y.size)) for p in parts], axis=2)
        coefficients, rss = project(basis, y)
    order = np.argsort(rss, kind="stable")[:count]
    return [(points[k], coefficients[k]) for k in order if np.isfinite(rss[k])]


def project(basis: NDArray[np.float64], y: Vector) -> tuple[Matrix, Vector]:
    """Linear least squares for each of G bases (G, m, k): coefficients (G, k), and rss (G,) in units of y.

    A basis that is not finite has rss inf.
    """
    unit = float(np.abs(y).max(initial=0.0)) or 1.0
    y = y / unit
    largest = np.abs(basis).max(axis=1)
    norms = largest * np.sqrt(((basis / np.where(largest > 0, largest, 1.0)[:, None]) ** 2).sum(axis=1))
    bad = ~np.isfinite(norms).all(axis=1)
    scale = np.where((norms > 0) & np.isfinite(norms), norms, 1.0)
    q = np.where(bad[:, None, None], 0.0, basis / scale[:, None])
    # A ridge of 1e-12 keeps nearly equal columns apart; a start needs no more digits.
    transposed = np.swapaxes(q, 1, 2)
    gram = transposed @ q + 1e-12 * np.eye(basis.shape[2])
    solved = np.linalg.solve(gram, (transposed @ y)[:, :, None])[:, :, 0]
    rss = ((y - (q @ solved[:, :, None])[:, :, 0]) ** 2).sum(axis=1)
    rss = np.where(bad | ~np.isfinite(rss), np.inf, rss)
    return solved * unit / scale, rss


def combinations(values: Vector, k: int) -> Matrix:
    """All choices of `k` different values, in order, as rows."""
    from itertools import combinations as choose

    return np.array(list(choose(values.tolist(), k)))


def by_columns(found: list[tuple[Vector, Vector]]) -> Iterator[tuple[list[float], list[float]]]:
    """The results of a scan as lists of numbers."""
    for nonlinear, linear in found:
        yield nonlinear.tolist(), linear.tolist()
