"""Where the poses of a graph may begin: the chordal start of Carlone et al. (ICRA 2015)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from .rotations import quaternion_of_matrix, rotate_by_quaternion

Array = NDArray[np.float64]


def chordal_start(graph: Any) -> Array:
    """Poses that agree with the measurements of a pose graph nearly, from no start at all.

    First the rotations: ``R_j = R_i R_ij`` is linear in their entries, and is solved by least squares without
    asking that they be rotations; each 3×3 block is then replaced by the nearest rotation (by its singular
    values, determinant +1). Then the translations, linear for known rotations: ``t_j - t_i = R_i t_ij``,
    weighted by the information matrices. (Carlone et al., Initialization techniques for 3D SLAM, ICRA 2015;
    in the plane with complex numbers.)

    Parameters
    ----------
    graph
        As `mq.datasets.read_g2o` reads it: ``kind`` "SE2" or "SE3", ``poses`` (n, 3) or (n, 7), ``edges``
        (k, 2), ``measurements`` (k, 3) or (k, 7), ``information``, ``fixed``. Poses that are fixed, and the
        first one of each part of the graph without any, stay where they are; all others may be anything.

    Returns
    -------
    ndarray
        Poses, as `graph.poses`.

    Raises
    ------
    DataError
        A pose that no edge reaches, named by its position.

    >>> import marquardt as mq
    >>> graph = mq.datasets.parse_g2o('''
    ...     VERTEX_SE2 0 0 0 0
    ...     VERTEX_SE2 1 0 0 0
    ...     VERTEX_SE2 2 0 0 0
    ...     EDGE_SE2 0 1 1 0 1.5 1 0 0 1 0 1
    ...     EDGE_SE2 1 2 1 0 1.5 1 0 0 1 0 1''', "corner.g2o")
    >>> mq.geometry.chordal_start(graph).round(2)
    array([[0.  , 0.  , 0.  ],
           [1.  , 0.  , 1.5 ],
           [1.07, 1.  , 3.  ]])
    """
    known = anchors(len(graph.poses), graph.edges, graph.fixed)
    return _planar(graph, known) if graph.kind == "SE2" else _spatial(graph, known)


def anchors(n: int, edges: NDArray[np.intp], fixed: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Which of n poses are held: those fixed, and the first one of each part of the graph without any."""
    alone = np.bincount(edges.ravel(), minlength=n) == 0
    alone[fixed] = False
    if alone.any() and n > 1:
        raise DataError(
            f"pose {int(np.argmax(alone))} (counted from 0) has no edge, nothing tells where it is"
            f"{f', nor {int(alone.sum()) - 1} others' if alone.sum() > 1 else ''}: leave it out, or fix it"
        )
    part = parts(n, edges)
    known: NDArray[np.bool_] = part == np.arange(n)
    known[part[fixed]] = False
    known[fixed] = True
    return known


def parts(n: int, edges: NDArray[np.intp]) -> NDArray[np.intp]:
    """(n,) the smallest pose that each of n hangs together with: every label is led to the smaller one
    across its edges, until none changes. (SciPy does it, too; to import it takes half a second.)

    >>> parts(5, np.array([[3, 1], [1, 4]]))
    array([0, 1, 2, 1, 1])
    """
    label, i, j = np.arange(n), edges[:, 0], edges[:, 1]
    while True:
        low = np.minimum(label[i], label[j])
        new = label.copy()
        np.minimum.at(new, label[i], low)
        np.minimum.at(new, label[j], low)
        while (short := new[new]).tobytes() != new.tobytes():
            new = short
        if (new == label).all():
            return label
        label = new


def _planar(graph: Any, known: NDArray[np.bool_]) -> Array:
    """Rotations as complex numbers, ``z_j = z_i e^(i theta_ij)``; their lengths are dropped."""
    i, j = graph.edges.T
    turn, weight = np.exp(1j * graph.measurements[:, 2]), np.sqrt(np.abs(graph.information[:, 2, 2]))
    blocks = (-weight * turn)[:, None, None], weight.astype(complex)[:, None, None]
    start = np.exp(1j * graph.poses[:, 2])[:, None, None]
    z = _solve(blocks, (i, j), np.zeros((len(i), 1, 1), complex), start, known)[:, 0, 0]
    theta = np.where(known, graph.poses[:, 2], np.angle(z))
    return np.column_stack([_translations(graph, _planar_matrices(theta), known, 2), theta])


def _spatial(graph: Any, known: NDArray[np.bool_]) -> Array:
    """Each row of the rotations on its own: ``(R_j)_r' = R_ij' (R_i)_r'``, three right sides."""
    i, j = graph.edges.T
    between = _matrices(graph.measurements[:, 3:])
    # The mean over the axes: full matrices would couple the rows, and the start gains nothing by it.
    weight = np.sqrt(np.abs(np.einsum("kaa->k", graph.information[:, 3:, 3:])) / 3)[:, None, None]
    blocks = -weight * np.swapaxes(between, 1, 2), weight * np.broadcast_to(np.eye(3), between.shape)
    start = np.swapaxes(_matrices(graph.poses[:, 3:]), 1, 2)
    rows = _solve(blocks, (i, j), np.zeros((len(i), 3, 3)), start, known)
    R = nearest_rotation(np.swapaxes(rows, 1, 2))
    R[known] = _matrices(graph.poses[known, 3:])
    q = np.where(known[:, None], graph.poses[:, 3:], quaternion_of_matrix(R))
    return np.column_stack([_translations(graph, R, known, 3), q])


def _translations(graph: Any, R: Array, known: NDArray[np.bool_], d: int) -> Array:
    """``L' R_z' (R_i' (t_j - t_i) - t_z)`` by linear least squares, the error's own frame and weights."""
    i, j = graph.edges.T
    z = graph.measurements
    turned = _planar_matrices(z[:, 2]) if d == 2 else _matrices(z[:, 3:])
    values, vectors = np.linalg.eigh(graph.information[:, :d, :d])
    root = np.sqrt(np.clip(values, 0.0, None))[:, :, None] * np.swapaxes(vectors, 1, 2)
    # A translation that an edge does not measure at all is left out by its zero weight.
    weight = root @ np.swapaxes(turned, 1, 2)
    block = weight @ np.swapaxes(R[i], 1, 2)
    right = weight @ z[:, :d, None]
    return np.asarray(_solve((-block, block), (i, j), right, graph.poses[:, :d, None], known)[:, :, 0])


def _solve(blocks: Any, ends: Any, right: Any, start: Any, known: NDArray[np.bool_]) -> Any:
    """Least squares of ``blocks[0][k] x_i + blocks[1][k] x_j = right[k]`` for the x (n, d, c) not known."""
    from scipy.sparse import bsr_array
    from scipy.sparse.linalg import splu

    k, d = blocks[0].shape[:2]
    if known.all():
        return start.copy()
    number = np.cumsum(~known) - 1
    rhs = right - sum(
        np.where(known[e][:, None, None], b @ start[e], 0.0) for b, e in zip(blocks, ends, strict=True)
    )
    columns = np.stack(ends, axis=1)
    free = ~known[columns]
    data = np.stack(blocks, axis=1)[free]
    pointer = np.concatenate([[0], np.cumsum(free.sum(axis=1))])
    A = bsr_array((data, number[columns][free], pointer), shape=(k * d, d * int((~known).sum()))).tocsc()
    normal = (A.conj().T @ A).tocsc()
    # A symmetric order and pivots on the diagonal: a Cholesky factor in all but name.
    factor = splu(normal, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
    found = factor.solve(np.asarray(A.conj().T @ rhs.reshape(k * d, -1)))
    x = np.array(start, dtype=found.dtype)
    x[~known] = found.reshape(-1, d, rhs.shape[2])
    return x


def nearest_rotation(M: Array) -> Array:
    """The rotations nearest to matrices (..., 3, 3), by their singular values, with determinant +1."""
    U, _, Vt = np.linalg.svd(M)
    U[..., :, -1] *= np.sign(np.linalg.det(U @ Vt))[..., None]
    return np.asarray(U @ Vt)


def _matrices(q: Array) -> Array:
    columns = [rotate_by_quaternion(q, np.broadcast_to(np.eye(3)[c], (len(q), 3))) for c in range(3)]
    return np.stack(columns, axis=-1)


def _planar_matrices(theta: Array) -> Array:
    c, s = np.cos(theta), np.sin(theta)
    return np.stack([np.stack([c, -s], -1), np.stack([s, c], -1)], -2)
