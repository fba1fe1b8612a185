"""The linear algebra of a large problem in readable NumPy and SciPy: the oracle of the core's `System`.

A compiled problem has families of variables x_k, (n_k, d_k) arrays that move by tangents delta_k, (n_k, t_k),
and families of residuals r_i of one shape each. With z_i = w_i |r_i|² / c² the cost is ``1/2 Σ c² ρ(z_i)``,
or ``1/2 Σ w_i |r_i|²`` without a loss. All tangents in one row, family after family, are the columns of J.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...problem.losses import Loss

Matrix = NDArray[np.float64]
Mask = NDArray[np.bool_]
Arrays = list[Matrix]

LEAST, MOST = 1e-6, 1e32
"""The damping keeps the squared length of a column, scaled by 1 / (1 + its first one), between these."""
DENSE = 3000
"""Up to so many unknowns the factor is that of a dense matrix."""


class ReferenceSystem:
    """Residuals, J and damped steps of one problem; `linearize` decides at which point.

    ``eliminated`` is the position of variables that no residual joins with each other: their blocks of J'J
    are inverted one by one, and the Schur complement of the rest is factorized.
    """

    def __init__(self, compiled: Any, eliminated: int | None = None) -> None:
        self.compiled, self.eliminated = compiled, eliminated
        self.shapes = [(len(v.values), v.manifold.tangent) for v in compiled.variables]
        self.ends = np.cumsum([0, *(n * t for n, t in self.shapes)])
        self.programs = [_Program(family) for family in compiled.families]
        self.weights: list[Matrix | None] = [None] * len(self.programs)
        self.floor = 1.0
        self.first_lengths: Matrix | None = None

    # ---------------------------------------------------------------------------------------------- the cost

    def cost(self, values: Arrays) -> float:
        """``1/2 Σ c² ρ(z_i)`` over all families; NaN where a residual is not finite."""
        total = 0.0
        for program, weights in zip(self.programs, self.weights, strict=True):
            total += program.cost(program.residuals(values), weights)
        return total if np.isfinite(total) else float("nan")

    def not_finite(self, values: Arrays) -> tuple[int, int] | None:
        """Family and item of the first residual that is not finite."""
        for k, program in enumerate(self.programs):
            bad = ~np.isfinite(program.residuals(values)).all(axis=1)
            if bad.any():
                return k, int(np.argmax(bad))
        return None

    def squared_norms(self, values: Arrays, family: int) -> Matrix:
        """|r_i|² of one family times its weights, before the loss, (n,)."""
        squares = (self.programs[family].residuals(values) ** 2).sum(axis=1)
        weights = self.weights[family]
        return np.asarray(squares if weights is None else weights * squares)

    def set_weights(self, family: int, weights: Matrix | None) -> None:
        """Count |r_i|² of one family by these factors, (n,); None: by 1."""
        self.weights[family] = weights

    def set_floor(self, floor: float) -> None:
        """The least part of the curvature of the squares that losses leave along the residuals."""
        self.floor = floor

    # --------------------------------------------------------------------------------------------- the model

    def linearize(self, values: Arrays) -> float:
        """Remember J and the gradient at a point; its cost."""
        from scipy import sparse

        total, blocks, pulls = 0.0, [], []
        for program, weights in zip(self.programs, self.weights, strict=True):
            r, J = program.linear(values)
            total += program.cost(r, weights)
            r, J = program.model(r, J, weights, self.floor)
            blocks.append(self._matrix(program.family, J))
            pulls.append(r.ravel())
        self.J = sparse.vstack(blocks, format="csr")
        self.g = self.J.T @ np.concatenate(pulls)
        self.H = (self.J.T @ self.J).tocsr()
        self.d = self.H.diagonal()
        if self.first_lengths is None:
            self.first_lengths = np.sqrt(self.d)
        return total

    def gradient(self) -> Arrays:
        """Of the cost by the tangents."""
        return self.split(self.g)

    def diagonal(self) -> Arrays:
        """Of J'J."""
        return self.split(self.d)

    def curvature(self, deltas: Arrays) -> float:
        """|J d|²"""
        moved = self.J @ self.join(deltas)
        return float(moved @ moved)

    # ---------------------------------------------------------------------------------------------- the step

    def factorize(self, lam: float, frozen: Sequence[Mask] | None = None, exactly: bool = False) -> bool:
        """Factorize ``J'J + lam D²`` without the frozen components; False: it is not positive definite.

        exactly : do not solve by conjugate gradients where they were the system's own choice.
        """
        from scipy import sparse

        fixed = np.zeros(self.d.size, bool) if frozen is None else self.join(frozen).astype(bool)
        self.damping = lam * self._scaling()
        self.free = np.flatnonzero(~fixed)
        A = (self.H + sparse.diags(self.damping)).tocsr()[self.free][:, self.free]
        try:
            self.factor = self._factor(A)
        except (np.linalg.LinAlgError, RuntimeError):
            return False
        return True

    def step(self) -> tuple[Arrays, float, int]:
        """The damped step, by how much the model says that it lowers the cost, and the number of CG steps."""
        p = self._solved(-self.g)
        predicted = 0.5 * float(p @ (self.damping * p) - self.g @ p)
        return self.split(p), predicted, 0

    def solve(self, rhs: Arrays) -> Arrays:
        """Solve with the present factor; what is frozen is 0."""
        return self.split(self._solved(self.join(rhs)))

    def inverse_diagonal(self, family: int) -> Matrix | None:
        """Blocks (i, i) of the inverse that the present factor belongs to, (n, t, t); what is frozen is 0."""
        n, t = self.shapes[family]
        first, unit = int(self.ends[family]), np.eye(1, self.d.size)[0]
        columns = [self._solved(np.roll(unit, first + k))[first : first + n * t] for k in range(n * t)]
        whole = np.reshape(columns, (n, t, n, t))
        return np.stack([whole[i, :, i] for i in range(n)])

    def info(self) -> dict[str, Any]:
        """What solves."""
        return {"solver": "reference"}

    # --------------------------------------------------------------------------------------------- its parts

    def join(self, arrays: Sequence[NDArray[Any]]) -> NDArray[Any]:
        """All tangents in one row."""
        return np.concatenate([np.asarray(a).ravel() for a in arrays])

    def split(self, row: Matrix) -> Arrays:
        """A row as arrays, family by family."""
        pieces = np.split(row, self.ends[1:-1])
        return [piece.reshape(shape) for piece, shape in zip(pieces, self.shapes, strict=True)]

    def _scaling(self) -> Matrix:
        unit = (1.0 + np.asarray(self.first_lengths)) ** 2
        return np.asarray(np.clip(self.d, LEAST * unit, MOST * unit))

    def _matrix(self, family: Any, J: Matrix) -> Any:
        """The rows of one family in all columns; J is (n, rows, tangents of its slots)."""
        from scipy import sparse

        columns = []
        for position, index in family.slots:
            t = self.shapes[position][1]
            first = self.ends[position] + t * np.asarray(index, dtype=np.int64)
            columns.append(first[:, None] + np.arange(t))
        per_item = np.concatenate(columns, axis=1)
        n, rows, width = J.shape
        at = np.broadcast_to(per_item[:, None, :], J.shape).ravel()
        starts = np.arange(0, n * rows * width + 1, width)
        matrix = sparse.csr_matrix((J.ravel(), at, starts), shape=(n * rows, int(self.ends[-1])))
        matrix.sum_duplicates()  # one variable in two slots
        return matrix

    def _factor(self, A: Any) -> Any:
        if self.eliminated is None:
            return _Cholesky(A)
        first, last = self.ends[self.eliminated], self.ends[self.eliminated + 1]
        return _Schur(A, (self.free >= first) & (self.free < last))

    def _solved(self, rhs: Matrix) -> Matrix:
        p = np.zeros(self.d.size)
        p[self.free] = self.factor(rhs[self.free])
        return p


class _Program:
    """The residuals of one family and their derivatives by the tangents."""

    def __init__(self, family: Any) -> None:
        self.family = family
        self.loss = _loss(family.loss)

    def residuals(self, values: Arrays) -> Matrix:
        """(n, rows)"""
        if self.family.callback is not None:
            return np.asarray(self.family.callback.value(values))
        return np.asarray(self._run(self.family.value, values))

    def linear(self, values: Arrays) -> tuple[Matrix, Matrix]:
        """Residuals (n, rows) and their derivatives (n, rows, tangents)."""
        n, rows = self.family.n, self.family.rows
        if self.family.callback is not None:
            r, J = self.family.callback.linear(values)
            return np.asarray(r), np.asarray(J)
        out = self._run(self.family.linear, values)
        return out[:, :rows], out[:, rows:].reshape(n, rows, -1)

    def cost(self, r: Matrix, weights: Matrix | None) -> float:
        s = (r**2).sum(axis=1) * (1.0 if weights is None else weights)
        if self.loss is None:
            return 0.5 * float(s.sum())
        c2 = self.loss.scale**2
        return 0.5 * c2 * float(self.loss.row.rho(s / c2)[0].sum())

    def model(self, r: Matrix, J: Matrix, weights: Matrix | None, floor: float) -> tuple[Matrix, Matrix]:
        """Rows whose squares have the gradient of the cost and its curvature (Triggs et al. 2000).

        Along r the curvature is ``h = max(ρ' + 2 ρ'' z, floor ρ')``, across it ρ'.
        """
        if weights is not None:
            root = np.sqrt(weights)
            r, J = root[:, None] * r, root[:, None, None] * J
        if self.loss is None:
            return r, J
        s = (r**2).sum(axis=1)
        _, slope, bend = self.loss.row.rho(s / self.loss.scale**2)
        with np.errstate(divide="ignore", invalid="ignore"):
            exact = 1.0 + np.where(slope > 0.0, 2.0 * bend * s / self.loss.scale**2 / slope, 0.0)
            along = np.sqrt(np.maximum(np.where(bend == 0.0, 1.0, exact), floor))
            projected = np.where(s[:, None] > 0.0, (1.0 - along[:, None]) * r / s[:, None], 0.0)
        across = J - projected[:, :, None] * np.einsum("ir,irt->it", r, J)[:, None, :]
        root = np.sqrt(slope)
        return root[:, None] / along[:, None] * r, root[:, None, None] * across

    def _run(self, program: Any, values: Arrays) -> Matrix:
        return np.asarray(program.run(values, self.family.slots, self.family.columns))


def _loss(native: Any) -> Loss | None:
    """The loss that the core is given by name, scale and shape."""
    if native is None:
        return None
    name, scale, *shape = native
    return Loss(str(name), float(scale), shape[0] if shape else None)


class _Cholesky:
    """A symmetric positive definite system; raises LinAlgError or RuntimeError for another."""

    def __init__(self, A: Any) -> None:
        from scipy.linalg import cho_factor
        from scipy.sparse.linalg import splu

        self.scale = np.sqrt(A.diagonal())
        self.dense: Any = None
        if not (self.scale > 0.0).all():
            raise np.linalg.LinAlgError("a diagonal entry is not positive")
        if A.shape[0] <= DENSE:
            dense = A.toarray() if hasattr(A, "toarray") else A
            self.dense = cho_factor(dense / self.scale[:, None] / self.scale, lower=True)
            return
        options = {"SymmetricMode": True}
        self.sparse = splu(A.tocsc(), permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options=options)
        if not (self.sparse.U.diagonal() > 0.0).all():
            raise np.linalg.LinAlgError("a pivot is not positive")

    def __call__(self, rhs: Matrix) -> Matrix:
        from scipy.linalg import cho_solve

        if self.dense is None:
            return np.asarray(self.sparse.solve(rhs))
        return np.asarray(cho_solve(self.dense, rhs / self.scale) / self.scale)


class _Schur:
    """``[B E; E' C]``, C block diagonal: ``(B - E C^-1 E') x = a - E C^-1 b``, ``y = C^-1 (b - E' x)``."""

    def __init__(self, A: Any, inner: Mask) -> None:
        self.outer, self.inner = np.flatnonzero(~inner), np.flatnonzero(inner)
        self.E = A[self.outer][:, self.inner]
        self.inverse = _inverse_blocks(A[self.inner][:, self.inner])
        B = A[self.outer][:, self.outer]
        self.schur = _Cholesky((B - self.E @ self.inverse @ self.E.T).tocsr()) if self.outer.size else None

    def __call__(self, rhs: Matrix) -> Matrix:
        a, b = rhs[self.outer], rhs[self.inner]
        x = np.zeros(0) if self.schur is None else self.schur(a - self.E @ (self.inverse @ b))
        out = np.empty(rhs.size)
        out[self.outer], out[self.inner] = x, self.inverse @ (b - self.E.T @ x)
        return out


def _inverse_blocks(C: Any) -> Any:
    """The inverse of a block diagonal matrix, each block by itself."""
    from scipy import sparse
    from scipy.sparse.csgraph import connected_components

    _, label = connected_components(C, directed=False)
    order = np.argsort(label, kind="stable")
    sizes = np.bincount(label)
    rows, columns, entries = [], [], []
    starts = np.concatenate([[0], np.cumsum(sizes)])
    for size in np.unique(sizes):
        members = order[starts[:-1][sizes == size][:, None] + np.arange(size)]
        blocks = np.asarray(C[np.repeat(members, size, axis=1).ravel(), np.tile(members, size).ravel()])
        inverses = np.linalg.inv(blocks.reshape(-1, size, size))
        np.linalg.cholesky(inverses)
        rows.append(np.repeat(members, size, axis=1).ravel())
        columns.append(np.tile(members, size).ravel())
        entries.append(inverses.ravel())
    at = np.concatenate(rows), np.concatenate(columns)
    return sparse.csr_matrix((np.concatenate(entries), at), shape=C.shape)
