"""The result of a fit of long data: sums of all rows, and a sample of them for what needs single ones."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..problem.source import Moments, Source, all_moments, factors
from ..solve.minimize import SampleOutcome
from ..stats import Band, Goodness
from ..stats.covariance import Covariance
from ..stats.goodness import goodness_of
from .result import FitResult, without_likelihood

Vector = NDArray[np.float64]


class LongFit(FitResult):
    """A finished fit of long data. Estimates, standard errors, goodness and verdict come from all rows.

    ``residuals``, ``observed`` and ``predict()`` are made when they are asked for, and are as long as the
    data. What looks at single points (pictures, advice about the shape of the residuals, the noise and the
    sandwich of a robust fit) looks at those of ``sample``, a fit result of some thousand rows.
    """

    def __init__(self, source: Source, first: FitResult, *parts: Any) -> None:
        super().__init__(*parts)
        self.source, self._first = source, first

    @cached_property
    def sample(self) -> FitResult:
        """The same end, seen on the rows that the fit started on."""
        first = self._first
        outcome = SampleOutcome(self._outcome)
        return FitResult(
            outcome, first._model, self._parameters, first._data, self.title, self._search, self._rebuild
        )

    @cached_property
    def _moments(self) -> Moments:
        known = getattr(self.source, "moments", None)
        return all_moments(self.source.blocks(), self.source.says) if known is None else known

    # --------------------------------------------------------------------------------- numbers of all rows

    @property
    def sigma_known(self) -> bool:
        return self.source.says == "sigma"

    @property
    def weighted(self) -> bool:
        return self._first.weighted

    @property
    def sigma(self) -> Vector | None:
        """Known standard deviations, one per row."""
        return np.concatenate([1.0 / w for w in self._weights()]) if self.sigma_known else None

    def _weights(self) -> Any:
        return (factors(rows, self.source.says) for rows in self.source.blocks())

    @property
    def observed(self) -> NDArray[Any]:
        """The response of all rows."""
        if self._data.y.size == self.source.n_rows:
            return self._data.y
        return np.concatenate([np.asarray(rows.y) for rows in self.source.blocks()])

    @property
    def n_points(self) -> int:
        if self.source.says == "sigma" or not self.weighted:
            return self.source.n_rows
        return self._moments.n_points

    @property
    def rss(self) -> float:
        if self.loss is None:
            return 2.0 * self.cost
        return math.fsum(float((f * f).sum()) for f in self._residual_blocks())

    def _residual_blocks(self) -> Any:
        return self._outcome.problem.residual_blocks(self._outcome.x)

    @cached_property
    def goodness(self) -> Goodness:
        m, n_free = self._moments, len(self._parameters.free)
        found = goodness_of(
            self.rss, self.n_points, n_free, self._n_determined, self.sigma_known, m.log_w, m.spread
        )
        return found if self.loss is None else without_likelihood(found)

    @cached_property
    def _unscaled(self) -> Covariance:
        if self.loss is None:
            return super()._unscaled
        return self.sample._unscaled.scaled(self._first.n_points / self.n_points)

    @cached_property
    def noise(self) -> float:
        """Standard deviation of the residuals of the sample that are no outliers."""
        return self.sample.noise

    @property
    def typical_variance(self) -> float:
        robust = self.loss is not None and not self.sigma_known
        m = self._moments
        return (self.noise**2 if robust else self._variance_factor) * (
            m.n_points / m.total if m.total > 0.0 else 1.0
        )

    @property
    def response_size(self) -> float:
        m = self._moments
        return math.sqrt((m.spread + m.total * m.mean * m.mean) / m.n_points) if m.total > 0.0 else 0.0

    def predict(self, x: Any = None) -> NDArray[Any]:
        if x is not None:
            return super().predict(x)
        problem = self._outcome.problem
        return np.concatenate([np.array(m) for m in problem.model_blocks(self._outcome.x)])

    def band(self, x: Any = None, level: float = 0.95, *, prediction: bool = False) -> Band:
        if x is not None:
            return super().band(x, level, prediction=prediction)
        parts = [
            super(LongFit, self)._band(arguments, (arguments[0].size,), level, prediction)
            for arguments in self._outcome.problem.argument_blocks()
        ]
        return Band(*(np.concatenate(side) for side in zip(*parts, strict=True)))
