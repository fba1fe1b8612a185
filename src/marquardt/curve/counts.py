"""Counts as data: what `family` and `trials` ask for, and the counts looked at."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, OptionError
from ..problem.likelihood import FAMILIES, Likelihood
from .columns import column, numbers
from .data import Data

Vector = NDArray[np.float64]

ROUNDED = 1e-6
"""Trials times a proportion is a count within this part of it: proportions are written with some digits."""


@dataclass(frozen=True)
class Counts:
    """What `fit` was asked for: the family, and with "binomial" the trials, one or one per row given."""

    family: str
    trials: Vector | None = None
    weights: Vector | None = None

    @property
    def cases(self) -> Vector | None:
        """How often each row counts."""
        if self.trials is None or self.weights is None:
            return self.trials if self.weights is None else self.weights
        return self.trials * self.weights


@dataclass(frozen=True)
class Counted:
    """Data of counts made ready."""

    data: Data
    """With proportions for y where there are trials, and weights that suit a fit by least squares."""
    likelihood: Likelihood
    trials: Vector | None
    notes: tuple[str, ...]
    """What is odd about the counts."""

    def part(self, data: Data) -> Counted:
        """The same for some of the rows, known by their weights, which the start needs only."""
        y, w = data.flat()
        cases = None if w is None else w**2
        return Counted(data, Likelihood(self.likelihood.family, y, cases), None, ())


def counts_of(family: Any, trials: Any, weights: Any, table: Any, refused: dict[str, Any]) -> Counts:
    """Check `family` and `trials`, and that nothing is given that does not go with a likelihood.

    Raises OptionError naming the argument that is in the way.
    """
    if family is None:
        raise OptionError("trials= are those of family='binomial': say so, or leave them out")
    if family not in FAMILIES:
        raise OptionError(f"family = {family!r} is unknown; there are {', '.join(map(repr, FAMILIES))}")
    for name, why in (
        ("sigma", "the scatter of counts follows from their mean; leave it out"),
        ("loss", "a likelihood is a cost of its own; leave out one of them"),
        ("f_scale", "it is the scale of a loss; leave it out"),
        ("prior", "priors on fits of counts cannot be had as yet; leave out one of them"),
        ("ridge", "ridges on fits of counts cannot be had as yet; leave out one of them"),
    ):
        if refused[name] is not None:
            raise OptionError(f"{name}= with family={family!r}: {why}")
    if family == "poisson" and trials is not None:
        raise OptionError("trials= are those of family='binomial'; Poisson counts have none")
    return Counts(family, _column(trials, "trials", table), _column(weights, "weights", table))


def _column(given: Any, name: str, table: Any) -> Vector | None:
    if given is None:
        return None
    if isinstance(given, str):
        if table is None:
            raise DataError(f"{name}={given!r} names a column, but no table was given (data=...)")
        given = column(table, given)
    values = np.asarray(numbers(given, name), dtype=np.float64)
    bad = ~(values >= 0.0) & ~np.isnan(values)
    if name == "trials":
        bad |= (values == 0.0) | (values != np.rint(values)) & np.isfinite(values)
    if bad.any():
        row = int(np.argmax(bad))
        why = "a number of trials is 1, 2, 3, ..." if name == "trials" else "a weight must not be negative"
        raise DataError(f"{name} is {values.flat[row]:g} in row {row}: {why}")
    return values


def counted(counts: Counts, data: Data) -> Counted:
    """The counts of a fit checked: Poisson counts as they are, binomial ones as proportions.

    Raises DataError naming the first row with a count that is impossible.
    """
    if data.y.dtype.kind == "c":
        raise DataError(f"{data.y_name!r} is complex: counts are real")
    y, _ = data.flat()
    size = y.size
    trials, weights = _used(counts.trials, data, size), _used(counts.weights, data, size)
    _refuse(y < 0.0, y, data, "a count must not be negative")
    if counts.family == "binomial":
        k, n = _successes(y, trials, data)
        y = k / n
    else:
        k, n = y, None
    cases = weights if n is None or trials is None else n if weights is None else n * weights
    odd = np.abs(k - np.rint(k)) > ROUNDED * np.maximum(k, 1.0)
    notes = () if not odd.any() else (_not_whole(k, odd, data),)
    likelihood = Likelihood(counts.family, y, cases)
    w = None if cases is None else np.sqrt(cases)
    return Counted(replace(data, y=y.reshape(data.y.shape), w=w), likelihood, trials, notes)


def _used(values: Vector | None, data: Data, size: int) -> Vector | None:
    """One value per row used."""
    if values is None:
        return None
    if values.size == 1:
        return np.full(size, values.item())
    flat = values.ravel() if data.rows is None else values.ravel()[data.rows]
    return np.ascontiguousarray(flat)


def _successes(y: Vector, trials: Vector | None, data: Data) -> tuple[Vector, Vector]:
    """Counts of successes, and trials: y itself, or the trials times y where y are proportions."""
    if trials is None:
        _refuse(y > 1.0, y, data, "without trials= it must be 0 or 1 (counts out of many need trials=)")
        _refuse((y != 0.0) & (y != 1.0), y, data, "a proportion says little without its trials: give trials=")
        return y, np.ones(y.size)
    proportions = bool((y <= 1.0).all() and (y != np.rint(y)).any())
    k = y * trials if proportions else y
    if proportions:
        near = np.abs(k - np.rint(k)) <= ROUNDED * np.maximum(k, 1.0)
        k = np.where(near, np.rint(k), k)
    bad = k > trials
    if bad.any():
        row = int(np.argmax(bad))
        raise DataError(
            f"{data.y_name} is {y[row]:g} in row {_place(data, row)}, more than its {trials[row]:g} trials"
        )
    return k, trials


def _not_whole(k: Vector, odd: NDArray[np.bool_], data: Data) -> str:
    row = int(np.argmax(odd))
    many = int(odd.sum())
    more = f", and {many - 1} more" if many > 1 else ""
    return (
        f"{data.y_name!r} in row {_place(data, row)} is {k[row]:g}{more}: not a whole count. If counts "
        "were divided or scaled, their scatter is not that of the family: fit the counts themselves, with "
        "the factor in the model."
    )


def _refuse(bad: NDArray[np.bool_], y: Vector, data: Data, why: str) -> None:
    if bad.any():
        row = int(np.argmax(bad))
        raise DataError(f"{data.y_name} is {y[row]:g} in row {_place(data, row)}: {why}")


def _place(data: Data, row: int) -> int:
    return row if data.rows is None else int(data.rows[row])


def start_weights(counted: Counted) -> Vector:
    """Square roots of the weights of a fit by least squares that comes near: ``1 / max(y, 1)`` for Poisson
    counts, ``n / (p (1 - p))`` with ``p = (k + 1/2) / (n + 1)`` for binomial ones."""
    likelihood = counted.likelihood
    y, cases = likelihood.y, likelihood.cases
    n = np.ones(y.size) if cases is None else cases
    if likelihood.family == "poisson":
        return np.sqrt(n / np.maximum(y, 1.0))
    p = (n * y + 0.5) / (n + 1.0)
    return np.sqrt(n / (p * (1.0 - p)))
