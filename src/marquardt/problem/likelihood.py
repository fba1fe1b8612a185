"""Likelihoods of counts: the model is their mean μ, the cost half the deviance.

Residuals are ``f = μ - y``. With ``h(y, f) = f - y log(1 + f/y)`` half the deviance of Poisson counts is
``Σ w h(y, f)``, that of proportions y of n trials ``Σ n (h(y, f) + h(1 - y, -f))``: a binomial row is two
Poisson rows, of successes and of failures. The curvature of the model is Fisher's, its expectation: ``1/μ``,
and ``n/μ + n/(1 - μ)`` (McCullagh, Nelder 1989). ``core/src/likelihood.rs`` has the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

FAMILIES = ("poisson", "binomial")


@dataclass(frozen=True, eq=False)
class Likelihood:
    """The likelihood of counts y, shape (m,), in the place of a loss.

    >>> Likelihood("poisson", np.array([0.0, 2.0])).cost(np.array([0.5, 0.0]))
    0.5
    """

    family: str
    """One of `FAMILIES`."""
    y: Vector
    """Counts, or with "binomial" proportions."""
    cases: Vector | None = None
    """How often each row counts, with "binomial" times its trials; None: once."""

    def _sides(self, f: Vector) -> Iterator[tuple[float, Vector, Vector]]:
        """Poisson rows: sign of df, y and f."""
        yield 1.0, self.y, f
        if self.family == "binomial":
            yield -1.0, 1.0 - self.y, -f

    def _weighted(self, terms: Vector) -> Vector:
        return terms if self.cases is None else np.where(self.cases > 0.0, terms, 0.0) * self.cases

    def half_deviances(self, f: Vector) -> Vector:
        """Half the deviance of each row, shape (m,): infinite where the model is no mean."""
        with np.errstate(all="ignore"):
            return self._weighted(_sum(_half_deviance(y, f) for _, y, f in self._sides(f)))

    def cost(self, f: Vector) -> float:
        """Half the deviance."""
        return float(self.half_deviances(f).sum())

    def slopes(self, f: Vector) -> Vector:
        """Derivative of the cost by each residual, ``1 - y/μ`` for Poisson counts, shape (m,)."""
        with np.errstate(all="ignore"):
            return self._weighted(
                _sum(sign * np.where(y + f == 0.0, 1.0, f / (y + f)) for sign, y, f in self._sides(f))
            )

    def curvatures(self, f: Vector) -> tuple[Vector, Vector]:
        """Second derivatives of the cost by each residual, ``y/μ²`` for Poisson counts; Fisher's, ``1/μ``."""
        with np.errstate(all="ignore"):
            exact = _sum(np.where(y + f == 0.0, 0.0, y / (y + f) ** 2) for _, y, f in self._sides(f))
            fisher = _sum(np.where(y + f == 0.0, 1.0, 1.0 / (y + f)) for _, y, f in self._sides(f))
        return self._weighted(exact), self._weighted(fisher)

    def falls(self, f: Vector, f1: Vector) -> Vector:
        """By how much half the deviance of each row falls from f to f1, without cancellation, shape (m,)."""
        with np.errstate(all="ignore"):
            rises = _sum(_rise(y, g, sign * (f1 - f)) for sign, y, g in self._sides(f))
        after = self.half_deviances(f1)
        return np.where(np.isfinite(after), -self._weighted(rises), -after)

    def pearson(self, f: Vector) -> Vector:
        """Residuals in standard deviations, ``(μ - y) / sqrt(μ)`` for Poisson counts, shape (m,)."""
        return f * np.sqrt(self.curvatures(f)[1])

    def kurtosis(self, f: Vector) -> Vector:
        """Excess kurtosis of each count at its mean: the variance of a squared Pearson residual is 2 more."""
        mu = self.y + f
        with np.errstate(all="ignore"):
            one = 1.0 / mu if self.family == "poisson" else 1.0 / (mu * (1.0 - mu)) - 6.0
            return one if self.cases is None else one / self.cases

    def allows(self, f: Vector) -> NDArray[np.bool_]:
        """Where the model is a mean the data may have, shape (m,)."""
        return np.isfinite(self.half_deviances(f)) & np.isfinite(f)

    def rows(self, pick: Any) -> Likelihood:
        """The same of some of the rows."""
        return Likelihood(self.family, self.y[pick], None if self.cases is None else self.cases[pick])

    def native(self) -> tuple[str, Vector | None]:
        """As the core takes it, which gets y with the residuals."""
        return self.family, self.cases


def _sum(terms: Iterable[Vector]) -> Vector:
    return np.sum(list(terms), axis=0)  # type: ignore[no-any-return]


def _half_deviance(y: Vector, f: Vector) -> Vector:
    mu = y + f
    zero = y == 0.0
    v = f / np.where(zero, 1.0, y)
    inside = np.where(zero, f, y * _above_log(v))
    return np.where((mu > 0.0) | (zero & (mu == 0.0)) | np.isnan(mu), inside, np.inf)


def _rise(y: Vector, f: Vector, d: Vector) -> Vector:
    """``h(y, f + d) - h(y, f)``."""
    mu = y + f
    u = d / np.where(mu == 0.0, 1.0, mu)
    return np.where(mu == 0.0, d, u * f + np.where(y == 0.0, 0.0, y * _above_log(u)))


def _above_log(v: Vector) -> Vector:
    """``v - log(1 + v)``, near zero by ``v r - 2 r³ (1/3 + r²/5 + r⁴/7 + ...)`` with ``r = v/(2 + v)``."""
    r = np.where(np.abs(v) < 0.25, v / (2.0 + v), 0.0)
    s, series = r * r, np.zeros_like(r)
    for k in range(9, -1, -1):
        series = series * s + 1.0 / (2 * k + 3)
    return np.where(np.abs(v) < 0.25, v * r - 2.0 * r * s * series, v - np.log1p(v))
