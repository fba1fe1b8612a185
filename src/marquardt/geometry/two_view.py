"""Two images of the same points: the relative pose of their cameras, and the points, from no start at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from .rotations import matrix_of, quaternion_of_matrix, rotation_vector_of
from .triangulate import triangulate

Array = NDArray[np.float64]
_SAMPLE, _ROUNDS = 8, 2048
"""Pairs in a sample; samples: with half the pairs wrong, one in 256 holds none of those."""
_WIDTHS = (4.0, 3.0, 2.0, 1.5, 1.0, 1.0)
"""Of the fits to the pairs that agree, in tolerances: those of eight noisy pairs miss right ones."""
_REFITS, _STEPS, _STEP = 3, 5, 1e-6
"""Rounds of a fit to the distances themselves, its steps, and the difference for its derivatives."""
_SCORED = 2000
"""Pairs that samples are scored on; all are looked at in the end."""


@dataclass(frozen=True, eq=False)
class TwoViews:
    """The second camera in the frame of the first, and the points that both saw."""

    w: Array
    """(3,) rotation vector: ``Exp(w) X + t`` is a point in the frame of the second camera"""
    t: Array
    """(3,) of length 1: two images do not tell the size of the world"""
    points: Array
    """(k, 3) in the frame of the first camera; nan for a pair that does not agree"""
    agree: NDArray[np.bool_]
    """(k,) pairs within the tolerance that lie in front of both cameras"""


def two_view_start(first: Any, second: Any, tolerance: float = 2e-3, seed: int = 0) -> TwoViews:
    """Relative pose of two cameras and the points from pairs of images, wrong pairs among them.

    The normalized eight-point method (Hartley, In defense of the eight-point algorithm, 1997) on samples of
    eight pairs (Fischler, Bolles, RANSAC, 1981), scored by the distance of Sampson (1982), made an essential
    matrix and fitted again to the pairs that agree; of the four poses that it allows, the one with most
    points in front of both cameras; last, Gauss-Newton on the distances of the pairs that agree. Points of
    one plane do not determine the pose: then start from another pair.

    Parameters
    ----------
    first, second : (k, 2)
        The same k points in both images, in normalized coordinates (focal length 1, no distortion; cameras
        look along positive z). At least eight.
    tolerance
        Largest distance from the epipolar line of a pair that agrees: 2 pixels at a focal length of 1000.
    seed
        Of the samples.

    Raises
    ------
    DataError
        Fewer than eight pairs, or fewer than eight that agree.

    >>> import marquardt as mq
    >>> X = np.random.default_rng(0).uniform([-2, -2, 4], [2, 2, 8], (40, 3))
    >>> one = np.array([1.0, 1.0, 0.0, 0.0])
    >>> there = mq.geometry.rotate(np.array([0.0, 0.3, 0.0]), X) + np.array([-1.0, 0.0, 0.0])
    >>> found = two_view_start(mq.geometry.pinhole(one, X), mq.geometry.pinhole(one, there))
    >>> found.w.round(6) + 0.0, found.t.round(6) + 0.0, int(found.agree.sum())
    (array([0. , 0.3, 0. ]), array([-1.,  0.,  0.]), 40)
    """
    a, b = (np.asarray(side, dtype=np.float64) for side in (first, second))
    if a.shape != b.shape or a.ndim != 2 or a.shape[1] != 2 or len(a) < _SAMPLE:
        raise DataError(
            f"two_view_start takes two arrays (k, 2) of at least {_SAMPLE} pairs, not {a.shape} and {b.shape}"
        )
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        k = int(np.argmin(np.isfinite(a).all(axis=1) & np.isfinite(b).all(axis=1)))
        raise DataError(f"pair {k} is not finite: {a[k].tolist()}, {b[k].tolist()}")
    E = _best_sample(a, b, _WIDTHS[0] * tolerance, np.random.default_rng(seed))
    for width in _WIDTHS:
        near = _sampson(E[None], a, b)[0] < (width * tolerance) ** 2
        if near.sum() < _SAMPLE:
            break
        E = _essential(_eight_point(a[None, near], b[None, near]))[0]
    for _ in range(_REFITS):
        near = _sampson(E[None], a, b)[0] < tolerance**2
        R, t, X, front = _in_front(E, a, b, near)
        R, t = _refined(R, t, a[near], b[near])
        E = _cross_matrix(t) @ R
    near = _sampson(E[None], a, b)[0] < tolerance**2
    R, t, X, front = _in_front(E, a, b, near)
    if front.sum() < _SAMPLE:
        raise DataError(
            f"only {int(front.sum())} of {len(a)} pairs agree with any pose: are they of the same points, in "
            "normalized coordinates? A larger tolerance= takes pairs that are less exact"
        )
    X[~front] = np.nan
    return TwoViews(np.asarray(rotation_vector_of(quaternion_of_matrix(R))), t, X, front)


def _best_sample(a: Array, b: Array, tolerance: float, rng: np.random.Generator) -> Array:
    """The essential matrix of the sample that most pairs agree with, near ones counting more (MSAC)."""
    some = rng.permutation(len(a))[:_SCORED]
    picks = rng.random((_ROUNDS, len(some))).argpartition(_SAMPLE - 1, axis=1)[:, :_SAMPLE]
    E = _essential(_eight_point(a[some][picks], b[some][picks]))
    scores = [
        np.minimum(_sampson(part, a[some], b[some]), tolerance**2).sum(axis=1) for part in np.split(E, 16)
    ]
    return np.asarray(E[int(np.argmin(np.concatenate(scores)))])


def _eight_point(a: Array, b: Array) -> Array:
    """Matrices F (s, 3, 3) with ``b' F a = 0`` for samples of pairs (s, k, 2), by least squares."""
    (a, A), (b, B) = _normalized(a), _normalized(b)
    one = np.ones((*a.shape[:2], 1))
    homogeneous_a, homogeneous_b = np.concatenate([a, one], 2), np.concatenate([b, one], 2)
    rows = (homogeneous_b[:, :, :, None] * homogeneous_a[:, :, None, :]).reshape(*a.shape[:2], 9)
    Q = np.swapaxes(rows, 1, 2) @ rows if rows.shape[1] > 9 else None
    if Q is None:
        F = np.linalg.svd(rows)[2][:, 8].reshape(-1, 3, 3)
    else:  # coordinates are of size one: squaring loses no digit that noise has left
        F = np.linalg.eigh(Q)[1][:, :, 0].reshape(-1, 3, 3)
    return np.asarray(np.swapaxes(B, 1, 2) @ F @ A)


def _normalized(a: Array) -> tuple[Array, Array]:
    """Moved to their mean and scaled to a mean distance of √2, and the matrices that do so."""
    mean = a.mean(axis=1, keepdims=True)
    spread = np.linalg.norm(a - mean, axis=2).mean(axis=1)
    scale = np.sqrt(2.0) / np.where(spread > 0, spread, 1.0)
    T = np.zeros((len(a), 3, 3))
    T[:, 0, 0] = T[:, 1, 1] = scale
    T[:, :2, 2] = -scale[:, None] * mean[:, 0]
    T[:, 2, 2] = 1.0
    return (a - mean) * scale[:, None, None], T


def _essential(F: Array) -> Array:
    """The nearest matrices with singular values 1, 1, 0."""
    U, _, Vt = np.linalg.svd(F)
    return np.asarray(U[:, :, :2] @ Vt[:, :2])


def _sampson(E: Array, a: Array, b: Array) -> Array:
    """Squared distances to the epipolar lines in both images, to first order, (matrices, pairs)."""
    ones = np.ones((len(a), 1))
    A, B = np.hstack([a, ones]), np.hstack([b, ones])
    right, left = np.einsum("sij,kj->ski", E, A), np.einsum("sji,kj->ski", E, B)
    off = np.einsum("ski,ki->sk", right, B)
    size = (right[:, :, :2] ** 2).sum(axis=2) + (left[:, :, :2] ** 2).sum(axis=2)
    return np.asarray(off**2 / np.maximum(size, 1e-300))


def _refined(R: Array, t: Array, a: Array, b: Array) -> tuple[Array, Array]:
    """Steps of Gauss-Newton on Sampson's distances over the five numbers of a relative pose."""

    def moved(step: Array) -> tuple[Array, Array]:
        side = t + plane @ step[3:]
        return np.asarray(matrix_of(step[:3])) @ R, side / np.linalg.norm(side)

    def off(step: Array) -> Array:
        turned, side = moved(step)
        return _signed(_cross_matrix(side) @ turned, a, b)

    for _ in range(_STEPS if len(a) >= _SAMPLE else 0):
        plane = np.linalg.svd(t[None])[2][1:].T  # across t: its length is one
        here, rows = off(np.zeros(5)), np.eye(5) * _STEP
        J = np.stack([(off(row) - off(-row)) / (2 * _STEP) for row in rows], axis=1)
        step = np.asarray(-np.linalg.lstsq(J, here)[0], dtype=np.float64)
        if not (off(step) ** 2).sum() < (here**2).sum():
            break
        R, t = moved(step)
    return R, t


def _signed(E: Array, a: Array, b: Array) -> Array:
    """Sampson's distances with their signs, (pairs,)."""
    ones = np.ones((len(a), 1))
    A, B = np.hstack([a, ones]), np.hstack([b, ones])
    right, left = A @ E.T, B @ E
    size = (right[:, :2] ** 2).sum(axis=1) + (left[:, :2] ** 2).sum(axis=1)
    return np.asarray((right * B).sum(axis=1) / np.sqrt(np.maximum(size, 1e-300)))


def _cross_matrix(t: Array) -> Array:
    return np.array([[0.0, -t[2], t[1]], [t[2], 0.0, -t[0]], [-t[1], t[0], 0.0]])


def _in_front(E: Array, a: Array, b: Array, near: NDArray[np.bool_]) -> tuple[Array, Array, Array, Any]:
    """Of the four poses of an essential matrix the one with most points in front of both cameras."""
    U, _, Vt = np.linalg.svd(E)
    U, Vt = U * np.sign(np.linalg.det(U)), Vt * np.sign(np.linalg.det(Vt))
    W = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    k = len(a)
    seen, camera, point = np.vstack([a, b]), np.repeat([0, 1], k), np.tile(np.arange(k), 2)
    ways = []
    for R in (U @ W @ Vt, U @ W.T @ Vt):
        for t in (U[:, 2], -U[:, 2]):
            cameras = np.stack([np.eye(3, 4), np.column_stack([R, t])])
            X = triangulate(cameras, seen, camera, point, k)
            front = near & (X[:, 2] > 0) & ((X @ R.T + t)[:, 2] > 0)
            ways.append((R, t, X, front))
    return max(ways, key=lambda way: int(way[3].sum()))
