"""Points from where cameras saw them: linear triangulation and one refining step, for all points at once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError

Array = NDArray[np.float64]
_PARALLEL = 1e-8
"""Rays that are parallel to this angle, nearly, tell no depth."""


def triangulate(
    cameras: Any, observed: Any, camera_index: Any, point_index: Any, n_points: Any = None
) -> Array:
    """Points whose images are nearest to those observed, each seen by two cameras or more.

    The homogeneous linear method (Hartley, Sturm, Triangulation, 1997): ``(u P_3 - P_1) X = 0``,
    ``(v P_3 - P_2) X = 0`` for the rows of each camera matrix P, solved by singular values; then one step of
    Gauss-Newton on the distances in the image, kept where it lowers them.

    Parameters
    ----------
    cameras : (n, 3, 4)
        Camera matrices, ``K [R | t]``; with K the identity, `observed` are normalized coordinates (without
        distortion, focal length 1).
    observed : (k, 2)
        Images of the points, of any number of points in any order.
    camera_index, point_index : (k,)
        Which camera saw which point.
    n_points
        How many points there are; by default one more than the largest index.

    Returns
    -------
    (n_points, 3) ndarray
        nan where a point is seen by less than two cameras, or along parallel rays only.

    >>> side = np.array([[1.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]])
    >>> cameras = np.stack([side, side - np.eye(3, 4, 3)])  # the second one stands at x = 1
    >>> triangulate(cameras, [[0.5, 0.25], [0.25, 0.25]], [0, 1], [0, 0])
    array([[2., 1., 4.]])
    """
    P = np.asarray(cameras, dtype=np.float64)
    seen = np.asarray(observed, dtype=np.float64)
    camera, point = np.asarray(camera_index, dtype=np.intp), np.asarray(point_index, dtype=np.intp)
    m = int(n_points) if n_points is not None else int(point.max(initial=-1)) + 1
    _check(P, seen, camera, point, m)
    # Around the middle of the cameras and at their size, the four unknowns are alike.
    middle, size = _frame(P)
    P = P.copy()
    P[:, :, 3] = (P[:, :, 3] + P[:, :, :3] @ middle) / size
    X = _linear(P[camera], seen, point, m)
    X = _refine(X, P[camera], seen, point, m)
    return X * size + middle


def _check(P: Array, seen: Array, camera: Any, point: Any, m: int) -> None:
    if P.ndim != 3 or P.shape[1:] != (3, 4) or seen.shape != (len(camera), 2) or len(camera) != len(point):
        raise DataError(
            f"triangulate takes cameras (n, 3, 4), observed (k, 2) and two indices (k,), not {P.shape}, "
            f"{seen.shape}, {camera.shape} and {point.shape}"
        )
    for name, index, limit in (("camera_index", camera, len(P)), ("point_index", point, m)):
        wrong = (index < 0) | (index >= limit)
        if wrong.any():
            k = int(np.argmax(wrong))
            raise DataError(f"{name}[{k}] = {index[k]}, but there are {limit}, counted from 0")
    if not np.isfinite(seen).all():
        k = int(np.argmin(np.isfinite(seen).all(axis=1)))
        raise DataError(f"observed[{k}] = {seen[k].tolist()} is not finite")


def _frame(P: Array) -> tuple[Array, float]:
    """Middle and spread of the centers of the cameras."""
    centers = -np.linalg.solve(P[:, :, :3], P[:, :, 3:])[:, :, 0] if len(P) else np.zeros((0, 3))
    middle = centers.mean(axis=0) if len(P) else np.zeros(3)
    return middle, float(np.abs(centers - middle).max(initial=0.0)) or 1.0


def _linear(P: Array, seen: Array, point: Any, m: int) -> Array:
    rows = seen[:, :, None] * P[:, 2:] - P[:, :2]
    rows /= np.linalg.norm(rows, axis=2, keepdims=True)
    order = np.argsort(point, kind="stable")
    counts = np.bincount(point, minlength=m)
    first = np.concatenate([[0], np.cumsum(counts)[:-1]])
    X = np.full((m, 3), np.nan)
    # Tracks of equal length together: no squaring of the condition, no padding.
    for length in np.unique(counts[counts > 1]):
        which = np.flatnonzero(counts == length)
        own = order[first[which][:, None] + np.arange(length)]
        _, s, Vt = np.linalg.svd(rows[own].reshape(len(which), 2 * length, 4), full_matrices=False)
        with np.errstate(divide="ignore", invalid="ignore"):
            found = Vt[:, 3, :3] / Vt[:, 3, 3:]
        determined = (s[:, 2] > _PARALLEL * s[:, 0]) & (np.abs(Vt[:, 3, 3]) > _PARALLEL)
        X[which[determined]] = found[determined]
    return X


def _refine(X: Array, P: Array, seen: Array, point: Any, m: int) -> Array:
    """One Gauss-Newton step of each point on the squared distances in the image."""
    cost, r, J = _distances(X, P, seen, point, m)
    JtJ, g = np.zeros((m, 3, 3)), np.zeros((m, 3))
    np.add.at(JtJ, point, np.swapaxes(J, 1, 2) @ J)
    np.add.at(g, point, np.einsum("kab,ka->kb", J, r))
    usable = np.isfinite(cost) & (np.linalg.matrix_rank(np.nan_to_num(JtJ), hermitian=True) == 3)
    trial = X.copy()
    trial[usable] -= np.linalg.solve(JtJ[usable], g[usable][:, :, None])[:, :, 0]
    better = _distances(trial, P, seen, point, m)[0] < cost
    return np.where(better[:, None], trial, X)


def _distances(X: Array, P: Array, seen: Array, point: Any, m: int) -> tuple[Array, Array, Array]:
    """Squared distances of each point, summed, and residuals and Jacobians of each observation."""
    with np.errstate(divide="ignore", invalid="ignore"):
        p = np.einsum("kab,kb->ka", P[:, :, :3], X[point]) + P[:, :, 3]
        image = p[:, :2] / p[:, 2:]
        r = image - seen
        J = (P[:, :2, :3] - image[:, :, None] * P[:, 2:, :3]) / p[:, 2:, None]
    cost = np.bincount(point, weights=(r * r).sum(axis=1), minlength=m)
    return np.asarray(cost, dtype=np.float64), r, J
