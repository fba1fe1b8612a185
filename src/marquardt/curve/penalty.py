"""``prior=`` and ``ridge=`` as the caller gives them, arranged on the free parameters."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ParameterError
from ..problem.penalty import Penalty
from .parameters import Parameters, find, is_mapping, places

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class PenaltyTerms:
    """Normal priors and ridges of the free parameters, one entry each."""

    mean: Vector
    sd: Vector
    """Standard deviation of the prior; infinite where there is none."""
    ridge: Vector
    """Factor of ``x² / 2`` in the cost; 0 where there is none."""

    @property
    def has_priors(self) -> bool:
        return bool(np.isfinite(self.sd).any())

    def rows(self, noise: float = 1.0) -> Penalty:
        """Rows ``noise (x - mean) / sd`` and ``sqrt(ridge) x``.

        A prior is a measurement of the parameter: like a data point with standard deviation sd. Residuals
        in units of their sigma stand beside ``(x - mean) / sd``; residuals of unknown standard deviation
        `noise` must be met in their own units. A ridge is taken literally.
        """
        priors, ridges = np.flatnonzero(np.isfinite(self.sd)), np.flatnonzero(self.ridge)
        index = np.concatenate([priors, ridges])
        center = np.concatenate([self.mean[priors], np.zeros(ridges.size)])
        weight = np.concatenate([noise / self.sd[priors], np.sqrt(self.ridge[ridges])])
        return Penalty(index, center, weight)


def hints(prior: Any, ridge: Any) -> dict[str, Any]:
    """Parameters named by a prior, with its mean (where a search may start), or by a ridge, with None."""
    found: dict[str, Any] = {}
    if is_mapping(ridge):
        found.update((str(name), None) for name, _ in ridge.items())
    found.update((name, mean) for name, (mean, _) in _priors(prior).items())
    return found


def arrange_penalty(prior: Any, ridge: Any, parameters: Parameters) -> PenaltyTerms | None:
    """Flatten and check; None where nothing is penalized.

    Raises ParameterError for a parameter that does not exist or is fixed, a standard deviation that is not
    positive and a ridge that is negative.
    """
    n = len(parameters.names)
    mean, sd, factor = np.zeros(n), np.full(n, math.inf), np.zeros(n)
    for name, (m, s) in _priors(prior).items():
        where = _free_place(name, parameters, "prior")
        if np.isfinite(sd[where]).any():
            raise ParameterError(f"prior names {name!r} twice: by its own name and as a part of a vector")
        mean[where], sd[where] = _spread(m, where, name), _spread(s, where, name)
    for label, value in _ridges(ridge).items():
        where = slice(None) if label is None else _free_place(label, parameters, "ridge")
        factor[where] = value
    free = list(parameters.free)
    terms = PenaltyTerms(mean[free], sd[free], factor[free])
    return terms if terms.has_priors or terms.ridge.any() else None


def refuse_penalty(penalty: Penalty | None, names: Sequence[str], x: Vector) -> None:
    """ParameterError where a row of the penalty is so large at `x` that its square is not finite."""
    if penalty is None:
        return
    with np.errstate(over="ignore"):
        lost = np.flatnonzero(~np.isfinite(penalty.residuals(x) ** 2))
    if lost.size:
        name = names[int(penalty.index[lost[0]])]
        raise ParameterError(
            f"the penalty on {name!r} is beyond the range of numbers at the start: its sd is too small "
            f"(or its ridge too large); fixed={{{name!r}: value}} holds a parameter"
        )


def _priors(prior: Any) -> dict[str, tuple[Vector, Vector]]:
    """Mean and standard deviation by name, as arrays."""
    if prior is None:
        return {}
    if not is_mapping(prior):
        raise ParameterError(f"prior = {prior!r}: a mapping of names is needed, as in {{'a': (mean, sd)}}")
    found = {}
    for label, pair in prior.items():
        name = str(label)
        try:
            mean, sd = pair
        except (TypeError, ValueError):
            raise ParameterError(f"the prior of {name!r} is {pair!r}: a pair (mean, sd) is needed") from None
        found[name] = _numbers(mean, f"the prior mean of {name!r}"), _numbers(sd, f"the prior sd of {name!r}")
        if not (found[name][1] > 0.0).all():
            raise ParameterError(
                f"the prior sd of {name!r} is {sd}: it must be positive; fixed={{{name!r}: {mean}}} holds it"
            )
    return found


def _ridges(ridge: Any) -> Mapping[str | None, float]:
    """Ridge by name; None names all free parameters."""
    if ridge is None:
        return {}
    given: dict[str | None, Any] = (
        {str(n): v for n, v in ridge.items()} if is_mapping(ridge) else {None: ridge}
    )
    found: dict[str | None, float] = {}
    for label, value in given.items():
        what = "ridge" if label is None else f"the ridge of {label!r}"
        number = _numbers(value, what)
        if number.ndim or number < 0.0:
            raise ParameterError(f"{what} is {value}: a number that is not negative is needed")
        found[label] = float(number)
    return found


def _free_place(name: str, parameters: Parameters, what: str) -> slice:
    """Where a named parameter stands; it must not be fixed."""
    where = find(name, places(parameters.shapes), parameters.names, what)
    for i in range(where.start, where.stop):
        if i not in parameters.free:
            raise ParameterError(
                f"{what} names {parameters.names[i]!r}, which is fixed: leave one of them out"
            )
    return where


def _numbers(value: Any, what: str) -> Vector:
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise ParameterError(f"{what} is {value!r}, not a number") from None
    if isinstance(value, bool) or not np.isfinite(array).all():
        raise ParameterError(f"{what} is {value!r}: a finite number is needed")
    return array


def _spread(values: Vector, where: slice, name: str) -> Vector:
    size = where.stop - where.start
    if values.ndim and values.size != size:
        raise ParameterError(f"the prior of {name!r} has {values.size} values for {size} components")
    return values.ravel()
