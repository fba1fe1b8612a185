"""Correlated errors: residuals are multiplied by the inverse of a factor of their covariance.

With ``C = L L'`` (Cholesky) and ``r = model - y`` the cost ``r' C^-1 r / 2`` is half the sum of squares of
``L^-1 r``: generalized least squares (Aitken 1936) as ordinary ones. Component i of ``L^-1 r`` is what row i
tells beyond the rows before it, in units of its own standard deviation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]


class Whitening(Protocol):
    """The linear map ``W = L^-1`` with ``W'W = C^-1``; `values` are (m,) or (m, p), in data order."""

    log_det: float
    """``log det C``."""

    def white(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """``W values``."""

    def transposed(self, f: Vector) -> Vector:
        """``W' f``: what weighs the model's own derivatives where `f` weighs those of the white residuals."""

    def magnitude(self, values: Vector) -> Vector:
        """The size of the terms that ``W values`` sums, which its rounding errors have to do with."""


class NotPositiveDefinite(ValueError):
    """A matrix has no Cholesky factor: its leading part up to `row` is not positive definite."""

    def __init__(self, row: int) -> None:
        super().__init__(f"not positive definite in row {row}")
        self.row = row


class Full:
    """One covariance of all numbers, (m, m); those that are not `kept` (m,) have no residual.

    >>> Full(np.array([[4.0, 2.0], [2.0, 5.0]])).white(np.array([2.0, 3.0]))
    array([1., 1.])
    """

    def __init__(self, covariance: Matrix, kept: NDArray[np.bool_] | None = None) -> None:
        self._take(cholesky(covariance if kept is None else _without(covariance[None], ~kept[None])[0]))
        self.missing = None if kept is None else np.flatnonzero(~kept)

    @classmethod
    def of_factor(cls, L: Matrix) -> Full:
        """By a Cholesky factor that is known."""
        made = cls.__new__(cls)
        made._take(L)
        made.missing = None
        return made

    def _take(self, L: Matrix) -> None:
        self.L = np.asfortranarray(L)  # as BLAS wants it
        self.log_det = 2.0 * float(np.log(np.diag(L)).sum())

    def white(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        solve = _solver(values)
        out = np.ascontiguousarray(solve(self.L, values))
        if self.missing is not None:
            out[self.missing] = 0.0
        return out

    def transposed(self, f: Vector) -> Vector:
        if self.missing is not None:
            f = f.copy()
            f[self.missing] = 0.0
        return np.asarray(_solver(f)(self.L, f, trans=1))

    def magnitude(self, values: Vector) -> Vector:
        """By some choices of signs instead of the inverse, which would cost as much as the factor."""
        signs = np.where(np.random.default_rng(0).random((values.size, SIGNS)) < 0.5, -1.0, 1.0)
        return np.asarray(np.abs(self.white(signs * values[:, None])).max(axis=1))


SIGNS = 8
"""The largest of so many sums with random signs is about twice their root mean square."""


def _solver(values: NDArray[Any]) -> Callable[..., NDArray[Any]]:
    """``L^-1 values`` for a vector or columns, real or complex."""
    from scipy.linalg import blas

    if values.dtype.kind == "c":
        return lambda L, v: _solver(v.real)(L, v.real) + 1j * _solver(v.imag)(L, v.imag)
    if values.ndim == 1:
        return lambda L, v, trans=0: np.asarray(blas.dtrsv(L, v, lower=1, trans=trans))
    return lambda L, v: np.asarray(blas.dtrsm(1.0, L, v, lower=1))


class Blocks:
    """A covariance (n, k, k) of the k numbers of each point, those of other points independent.

    `order` (n, k) tells where they stand among the m residuals; those that are not `kept` (m,) have none.

    >>> real_and_imaginary = np.array([[0, 1]])
    >>> Blocks(np.array([[[4.0, 2.0], [2.0, 5.0]]]), real_and_imaginary).white(np.array([2.0, 3.0]))
    array([1., 1.])
    """

    def __init__(
        self, covariances: NDArray[np.float64], order: NDArray[np.intp], kept: NDArray[np.bool_] | None = None
    ) -> None:
        missing = None if kept is None else ~kept[order]
        L = cholesky_of_each(covariances if missing is None else _without(covariances, missing))
        self.order = order
        self.W: NDArray[np.float64] = np.asarray(np.linalg.inv(L), dtype=np.float64)
        if missing is not None:
            self.W[missing] = 0.0
        self.log_det = 2.0 * float(np.log(np.diagonal(L, axis1=1, axis2=2)).sum())

    def white(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        return self._each("nab,nb...->na...", self.W, values)

    def transposed(self, f: Vector) -> Vector:
        return self._each("nba,nb->na", self.W, f)

    def magnitude(self, values: Vector) -> Vector:
        return self._each("nab,nb->na", np.abs(self.W), np.abs(values))

    def _each(self, product: str, A: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
        out = np.zeros(values.shape)
        with np.errstate(all="ignore"):
            out[self.order] = np.einsum(product, A, values[self.order])
        return out


def _without(covariances: NDArray[np.float64], missing: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Stacked covariances (n, k, k) in which the missing numbers (n, k) are independent, of variance 1.

    What is left among the others is their own covariance.
    """
    lost = missing[:, :, None] | missing[:, None, :]
    return np.where(lost, np.eye(missing.shape[1]), covariances)


LEAST = 4.0
"""Rounding errors of a variance below which nothing is left of it given the rows before."""
EPS = float(np.finfo(float).eps)


def cholesky(covariance: Matrix) -> Matrix:
    """The lower Cholesky factor. Raises NotPositiveDefinite with the row where there is none."""
    from scipy.linalg.lapack import dpotrf

    L, info = dpotrf(covariance, lower=1, clean=1)
    if info > 0:
        raise NotPositiveDefinite(int(info) - 1)
    lost = ~(np.diag(L) ** 2 > LEAST * len(L) * EPS * np.diag(covariance))  # or not a number
    if lost.any():
        raise NotPositiveDefinite(int(np.argmax(lost)))
    return np.asarray(L)


def cholesky_of_each(covariances: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same for stacked matrices (n, k, k); the row is that of the stack."""
    try:
        L = np.linalg.cholesky(covariances)
    except np.linalg.LinAlgError:
        raise NotPositiveDefinite(int(np.argmax(np.linalg.eigvalsh(covariances)[:, 0] <= 0.0))) from None
    left = np.diagonal(L, axis1=1, axis2=2) ** 2
    lost = ~(left > LEAST * EPS * np.diagonal(covariances, axis1=1, axis2=2)).all(axis=1)
    if lost.any():
        raise NotPositiveDefinite(int(np.argmax(lost)))
    return np.asarray(L)
