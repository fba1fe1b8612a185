"""What is known of the errors: ``sigma`` and ``weights`` in every form `fit` takes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, suggestion
from ..expr.formula import Formula, parse
from ..expr.interpret import interpret
from ..problem.whitening import Blocks, Full, NotPositiveDefinite, Whitening
from .columns import Array, column, column_names, numbers

Vector = NDArray[np.float64]

MU = "mu"
"""The prediction, in a formula of sigma or of the weights; of complex data its modulus."""
ASYMMETRY = 1e-10
"""Entries (i, j) and (j, i) of a covariance may differ by this part of ``sigma_i sigma_j``."""


@dataclass(frozen=True, slots=True)
class Weights:
    """How much each number counts: one entry per point, or per number of complex data (real parts first)."""

    w: Vector | None = None
    """Square roots of the weights; with a covariance those of its diagonal alone."""
    sigma: Vector | None = None
    """Known standard deviations."""
    covariance: NDArray[np.float64] | None = None
    """(m, m) of all numbers, or (n, k, k) of the numbers of each point; see `whitening`."""
    formula: OfPrediction | None = None
    """Where they follow from the prediction, which is not known yet."""


NONE = Weights()


@dataclass(frozen=True, slots=True)
class OfPrediction:
    """Standard deviations, or relative weights, as a formula of the prediction and of columns."""

    name: str
    """"sigma" or "weights"."""
    formula: Formula
    columns: dict[str, Array]

    @property
    def text(self) -> str:
        return self.formula.text

    def at(self, mu: Array, columns: Mapping[str, Array] | None = None) -> Vector:
        """Values at a prediction, flat; whether they are any good is for `usable` and `refuse` to say."""
        mu = np.abs(mu) if mu.dtype.kind == "c" else mu
        known = {**self.columns, **(columns or {}), MU: mu}
        with np.errstate(all="ignore"):
            found = interpret((self.formula.node,), [], [known[n] for n in self.formula.data_names])[0]
        return np.array(np.broadcast_to(found, mu.shape), dtype=np.float64).ravel()

    def usable(self, values: Vector, seen: NDArray[np.bool_]) -> tuple[Vector, NDArray[np.bool_]]:
        """Values with the median in place of those that are not positive and finite, and which those are.

        A curve on its way may cross zero where the last one does not. Points that are not seen do not count.
        """
        bad = seen & ~_positive(values)
        good = values[seen & ~bad]
        return np.where(_positive(values), values, np.median(good) if good.size else 1.0), bad

    def refuse(self, values: Vector, mu: Array, row_of: Callable[[int], int], what: str) -> None:
        """Raises DataError for the first row whose value is not positive and finite."""
        bad = ~_positive(values)
        if bad.any():
            k = int(np.argmax(bad))
            raise DataError(
                f"{self.name} = {self.text} is {values[k]:g} in row {row_of(k)}, where mu is {what} as "
                f"{mu.ravel()[k]:g}: it must be positive and finite; a floor may help, "
                "as in '0.05*abs(mu) + 0.1'"
            )

    def take(self, keep: NDArray[np.bool_]) -> OfPrediction:
        """For the rows that are kept."""
        part = {n: c[keep] if c.ndim == 1 and c.size == keep.size else c for n, c in self.columns.items()}
        return replace(self, columns=part)


def _positive(values: Vector) -> NDArray[np.bool_]:
    return np.isfinite(values) & (values > 0.0)


def weights_of(sigma: Any, weights: Any, y: Array, table: Any, independent: Mapping[str, Any]) -> Weights:
    """Read ``sigma`` and ``weights``; `independent` are the model's own columns by name, for formulas."""
    if sigma is not None and weights is not None:
        raise DataError("give sigma (known standard deviations) or weights (relative), not both")
    if sigma is None and weights is None:
        return NONE
    name, given = ("sigma", sigma) if weights is None else ("weights", weights)
    if isinstance(given, str):
        if table is not None and given in column_names(table):
            given = column(table, given)
        else:
            formula = _formula(given, name, y, table, independent)
            if MU in formula.formula.data_names:
                return Weights(formula=formula)
            given = formula.at(np.zeros(y.shape)).reshape(y.shape)  # columns alone
    array = numbers(given, name)
    if name == "weights":
        relative = _per_point(array, name, y)
        _refuse(relative < 0.0, relative, name, "a weight must not be negative")
        if not np.any(relative):
            raise DataError("all weights are zero: no point is left to fit")
        return Weights(np.sqrt(relative))
    if (covariance := _as_covariance(array, y)) is not None:
        return covariance
    known = _per_point(array, name, y)
    _refuse(known <= 0.0, known, name, "a standard deviation must be positive")
    return Weights(1.0 / known, known)


def _formula(text: str, name: str, y: Array, table: Any, independent: Mapping[str, Any]) -> OfPrediction:
    """The formula `text` with its columns. Raises DataError for a name that is none of them."""
    arrays = {n: a for n, a in independent.items() if isinstance(a, np.ndarray)}
    known = tuple(dict.fromkeys([*arrays, *(() if table is None else column_names(table)), MU]))
    plain = text.strip()
    if plain.isidentifier() and plain not in known:
        where = "no table was given (data=...)" if table is None else "the data have none of that name"
        raise DataError(f"{name}={text!r} names a column, but {where}{suggestion(plain, known)}")
    formula = parse(text, known)
    if formula.response is not None or formula.param_names:
        guilty = repr(formula.param_names[0]) if formula.param_names else "'~'"
        raise DataError(
            f"{name} = {text}: {guilty} is neither a column nor mu, the prediction "
            f"(known: {', '.join(known)}); estimated parameters cannot stand there"
        )
    if MU in formula.data_names and (MU in arrays or (table is not None and MU in column_names(table))):
        raise DataError(f"{name} = {text}: mu is the prediction, but a column has that name too: rename it")
    columns = {}
    for n in formula.data_names:
        if n != MU:
            columns[n] = arrays[n] if n in arrays else column(table, n)
            if columns[n].shape not in ((), y.shape, y.shape[-1:]):
                raise DataError(
                    f"lengths differ: {n!r} in {name} = {text} has {columns[n].size} values, "
                    f"the response {y.size}"
                )
    return OfPrediction(name, formula, columns)


def _per_point(array: Array, name: str, y: Array) -> Vector:
    """One value per point, flat; of a complex sigma one per number, real parts first."""
    if array.dtype.kind == "c":
        if y.dtype.kind != "c" or name != "sigma":
            raise DataError(f"{name} must be real" + (" where the response is" if name == "sigma" else ""))
        return np.concatenate([_per_point(array.real, name, y), _per_point(array.imag, name, y)])
    if array.ndim == 2 and y.ndim == 1 and array.shape == (y.size, y.size):
        what = "for a covariance matrix say sigma="
        if name == "sigma":
            what = (
                f"for complex data a covariance has shape ({2 * y.size}, {2 * y.size}), real parts first, or "
                f"({y.size}, 2, 2)"
            )
        raise DataError(f"{name} is a matrix of shape {array.shape}: {what}")
    try:
        return np.ascontiguousarray(np.broadcast_to(array, y.shape)).ravel()
    except ValueError:
        raise DataError(f"lengths differ: {name} has shape {array.shape}, the response {y.shape}") from None


def _refuse(bad: NDArray[np.bool_], values: Vector, name: str, why: str) -> None:
    if bad.any():
        row = int(np.argmax(bad))
        raise DataError(f"{name} is {values[row]:g} in row {row}: {why}")


# ----------------------------------------------------------------------------------------------- covariances


def _as_covariance(sigma: Array, y: Array) -> Weights | None:
    """Weights from a covariance matrix, (m, m) or (n, k, k); None where `sigma` has no such shape."""
    m = y.size * (2 if y.dtype.kind == "c" else 1)
    if sigma.dtype.kind == "c" or sigma.shape == y.shape:
        return None
    order = _order(y)
    if sigma.shape == (m, m) and m > 1:
        _check_symmetric(sigma[None], lambda _, i, j: f"row {i}, column {j}")
        variances = np.diag(sigma)
    elif order is not None and sigma.shape == (*order.shape, order.shape[1]):
        _check_symmetric(sigma, lambda n, i, j: f"row {n}, entry ({i}, {j})")
        variances = np.empty(m)
        variances[order] = np.diagonal(sigma, axis1=1, axis2=2)
    else:
        return None
    _refuse(variances <= 0.0, variances, "the variance in sigma", "a variance must be positive")
    known = np.sqrt(variances)
    diagonal = sigma.ndim == 2 and not sigma[-1, :-1].any() and np.count_nonzero(sigma) == m
    return Weights(1.0 / known, known, None if diagonal else sigma)


def _order(y: Array) -> NDArray[np.intp] | None:
    """Where the k numbers of each point stand, (n, k); None where a point has one number only."""
    if y.dtype.kind == "c":
        return np.arange(2 * y.size).reshape(2, -1).T if y.ndim == 1 else None
    if y.ndim != 2:
        return None
    flat = np.arange(y.size).reshape(y.shape)
    return flat if y.shape[0] >= y.shape[1] else flat.T


def _check_symmetric(matrices: NDArray[np.float64], place: Callable[[int, int, int], str]) -> None:
    """Raises DataError naming the first entry that is not that of its mirror image."""
    mirrored = matrices.swapaxes(1, 2)
    if np.array_equal(matrices, mirrored):
        return
    with np.errstate(invalid="ignore"):
        size = np.sqrt(np.abs(np.diagonal(matrices, axis1=1, axis2=2)))
        near = np.abs(matrices - mirrored) <= ASYMMETRY * size[:, :, None] * size[:, None, :]
    off = ~near & ~(np.isnan(matrices) & np.isnan(mirrored))
    off &= np.isfinite(size)[:, :, None] & np.isfinite(size)[:, None, :]  # rows that may be dropped
    if off.any():
        n, i, j = (int(k) for k in np.unravel_index(int(np.argmax(off)), off.shape))
        raise DataError(
            f"sigma is no covariance matrix: it is {matrices[n, i, j]:g} in {place(n, i, j)}, and "
            f"{matrices[n, j, i]:g} across the diagonal"
        )


def whitening_of(
    covariance: NDArray[np.float64], y: Array, kept: NDArray[np.bool_] | None, rows: NDArray[np.intp] | None
) -> Whitening:
    """The whitening of a covariance of `y`; numbers that are not `kept` (m,) have no residual.

    `rows` are the positions of its rows in what was given, for errors. Raises DataError where an entry is
    not finite, or the matrix not positive definite.
    """
    n = y.size if y.dtype.kind == "c" else len(covariance)

    def name(k: int) -> str:
        part = ""
        if len(covariance) > n:
            part = " (real part)" if k < n else " (imaginary part)"
        return f"row {k % n if rows is None else int(rows[k % n])}{part}"

    order = None if covariance.ndim == 2 else _order(y)
    try:
        return Full(covariance, kept) if order is None else Blocks(covariance, order, kept)
    except NotPositiveDefinite as error:
        if (k := _not_finite(covariance, order, kept)) is not None:
            raise DataError(f"sigma is not finite in {name(k)}") from None
        why = "its own matrix is none" if covariance.ndim == 3 else "rows before it determine it"
        raise DataError(
            f"sigma is no covariance matrix: it is not positive definite in {name(error.row)} ({why}); are "
            "correlations beyond 1, or errors without a part of their own? Variances stand on the diagonal"
        ) from None


def _not_finite(
    covariance: NDArray[np.float64], order: NDArray[np.intp] | None, kept: NDArray[np.bool_] | None
) -> int | None:
    """The first row of a covariance that holds an entry, of numbers that are kept, which is not finite."""
    bad = ~np.isfinite(covariance)
    if kept is not None:
        own = kept[None] if order is None else kept[order]
        bad &= (own[:, :, None] & own[:, None, :]).reshape(bad.shape)
    rows = bad.reshape(len(bad), -1).any(axis=1)
    return int(np.argmax(rows)) if rows.any() else None
