"""What a penalty contributes to estimates: effective parameters, and its parts."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .covariance import Covariance

Vector = NDArray[np.float64]


def from_data(unscaled: Covariance, strength: Vector) -> Vector:
    """The part of each free parameter that comes from the data, ``1 - P_jj ((J'J + P)^-1)_jj``, shape (p,).

    `strength` are the square roots of the diagonal of P, shape (p,). The part is 1 without penalty, 0 where
    the penalty alone decides. Parameters held at a bound count as 1: it was the data that pushed them there;
    those that nothing determines count as 0.

    >>> from .covariance import full_covariance
    >>> from_data(full_covariance(np.array([[0.25]])), np.array([1.0]))  # J'J = 3, P = 1
    array([0.75])
    """
    return np.where(unscaled.held, 1.0, np.clip(1.0 - _pulled(unscaled, strength), 0.0, 1.0))


def effective_parameters(unscaled: Covariance, strength: Vector) -> float:
    """Effective number of parameters ``tr(J (J'J + P)^-1 J')``, `strength` as in `from_data`.

    The trace of the hat matrix of a ridge regression (Hoerl, Kennard 1970): each parameter counts by the
    part of it that comes from the data; of `k` undetermined directions none does.
    """
    held = int(np.count_nonzero(unscaled.held))
    pulled = float(_pulled(unscaled, strength)[~unscaled.held].sum())
    return max(unscaled.rank - pulled, 0.0) + held


def _pulled(unscaled: Covariance, strength: Vector) -> Vector:
    """``P_jj ((J'J + P)^-1)_jj``."""
    return np.asarray((strength * np.sqrt(np.diag(unscaled.space))) ** 2)


@dataclass(frozen=True)
class PenaltyPart:
    """The penalty on one parameter."""

    name: str
    value: float
    """The estimate."""
    mean: float
    """Mean of its prior; NaN without one."""
    sd: float
    """Standard deviation of its prior; infinite without one."""
    ridge: float
    """Factor of ``value² / 2`` in the cost; 0 without one."""
    prior_cost: float
    ridge_cost: float
    from_data: float
    """Part of the estimate that comes from the data: ``1 - P_jj ((J'J + P)^-1)_jj``, 0 to 1."""

    @property
    def cost(self) -> float:
        """What it adds to the cost."""
        return self.prior_cost + self.ridge_cost

    @property
    def pull(self) -> float:
        """``(value - mean) / sd``: how far the data pulled the parameter from its prior; NaN without one."""
        return (self.value - self.mean) / self.sd

    @property
    def conflict(self) -> float:
        """The pull in units of its standard deviation were the prior right, ``pull / sqrt(from_data)``.

        The variance of the estimate beneath the prior is ``sd²`` less its posterior variance. Beyond 3 in
        size, data and prior contradict one another.
        """
        return self.pull / math.sqrt(self.from_data) if self.from_data > 0.0 else math.nan


@dataclass(frozen=True)
class PenaltyReport(Mapping[str, PenaltyPart]):
    """The penalty at the end of a fit: its parts by the name of the parameter, and what it did."""

    parts: tuple[PenaltyPart, ...]
    share: float
    """Its part of the cost, 0 to 1."""
    effective: float
    """Effective number of parameters: so many come from the data."""
    n_free: int
    noise: float | None
    """Standard deviation of a residual by which priors were weighed; None with known sigma or no prior."""
    rounds: int
    """Fits it took until `noise` agreed with ``sqrt(rss / (m - effective))``; 0 where a loss found it."""
    settled: bool
    """Did it come to agree?"""

    @property
    def cost(self) -> float:
        """What it adds to the cost."""
        return math.fsum(part.cost for part in self.parts)

    def __getitem__(self, name: str) -> PenaltyPart:
        for part in self.parts:
            if part.name == name:
                return part
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return (part.name for part in self.parts)

    def __len__(self) -> int:
        return len(self.parts)
