"""What a fit of counts returns."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import OptionError
from ..problem.losses import good_noise
from ..stats import Band, Goodness, quantile
from ..stats.likelihood import goodness_of_counts, log_likelihood, scatter
from .counts import Counted
from .result import FitResult

Vector = NDArray[np.float64]


class CountFit(FitResult):
    """A finished fit of counts: the likeliest parameters, ``cost`` half the deviance.

    ``residuals`` are ``model - y`` (y proportions where there are trials), not weighted; ``covariance`` is
    ``(J' W J)^-1`` with Fisher's weights, that of the family as it is (dispersion 1), and intervals are
    those of the normal distribution.
    """

    def __init__(self, counted: Counted, *parts: Any) -> None:
        super().__init__(*parts)
        self._counted, self._likelihood = counted, counted.likelihood

    @property
    def family(self) -> str:
        """The family of the counts: "poisson" or "binomial"."""
        return self._likelihood.family

    @property
    def trials(self) -> Vector | None:
        """The trials of each row used."""
        return self._counted.trials

    @property
    def sigma_known(self) -> bool:
        """The scatter of counts follows from their mean."""
        return True

    # -------------------------------------------------------------------------------------------- residuals

    @property
    def deviance(self) -> float:
        """Twice the difference of the log-likelihood to that of a perfect fit: twice the cost."""
        return 2.0 * self.cost

    @cached_property
    def deviance_residuals(self) -> Vector:
        """``sign(μ - y) sqrt(d)``, d the deviance of each row, shape (m,)."""
        f = self.residuals
        return np.asarray(np.sign(f) * np.sqrt(2.0 * self._likelihood.half_deviances(f)))

    @cached_property
    def pearson_residuals(self) -> Vector:
        """Residuals in standard deviations of their counts, ``(μ - y) / sqrt(V(μ))``, shape (m,)."""
        return self._likelihood.pearson(self.residuals)

    @property
    def chi2(self) -> float:
        """Pearson's chi-square: the sum of the squared Pearson residuals."""
        return float((self.pearson_residuals**2).sum())

    @property
    def dispersion(self) -> float:
        """Pearson's chi-square per degree of freedom: near 1 where the counts scatter as the family says."""
        return self.reduced_chi2

    @property
    def reduced_chi2(self) -> float:
        """The same."""
        return self.chi2 / self.dof if self.dof > 0 else math.nan

    @cached_property
    def scatter(self) -> float:
        """By how many of its standard deviations Pearson's chi-square is above its expectation."""
        return scatter(self._likelihood, self.residuals, self.dof)

    @property
    def rss(self) -> float:
        """Sum of squared residuals, without weights."""
        return float((self.residuals**2).sum())

    @cached_property
    def goodness(self) -> Goodness:
        """All goodness numbers at once, by the likelihood of the family with all its constants."""
        log_l = log_likelihood(self._likelihood, self.residuals, self.trials)
        n_free = len(self._parameters.free)
        return goodness_of_counts(log_l, self.rss, self.chi2, self.n_points, n_free, self._n_determined)

    @cached_property
    def noise(self) -> float:
        """Standard deviation of the Pearson residuals that are no outliers: near 1."""
        return good_noise(self.pearson_residuals, self._n_determined)

    def _judged(self) -> Vector:
        return self.deviance_residuals

    @property
    def mean(self) -> Vector:
        """The means (probabilities) at the data, shape (m,)."""
        return np.asarray(self._likelihood.y + self.residuals)

    @property
    def proportions_or_counts(self) -> Vector:
        """What the means are compared with, shape (m,)."""
        return self._likelihood.y

    @property
    def notes(self) -> tuple[str, ...]:
        """What is odd about the counts."""
        return self._counted.notes

    # -------------------------------------------------------------------------------------------- the curve

    def band(self, x: Any = None, level: float = 0.95, *, prediction: bool = False) -> Band:
        """Pointwise confidence band of the mean by the delta method, within the range of means.

        With ``prediction=True`` for new counts of the Poisson family: their variance, the mean, is added.
        Raises OptionError for new binomial proportions, whose trials are not known.
        """
        if prediction and self.family == "binomial":
            raise OptionError(
                "prediction=True: a band for new proportions depends on their trials, which are not known"
            )
        low, high = super().band(x, level)
        top = 1.0 if self.family == "binomial" else math.inf
        if prediction:
            center = np.asarray(self.predict(x))
            scale = quantile(level, None)
            half = np.sqrt((high - center) ** 2 + scale**2 * np.maximum(center, 0.0))
            low, high = center - half, center + half
        return Band(np.maximum(low, 0.0), np.minimum(high, top))

    @property
    def weighted(self) -> bool:
        return False

    @property
    def typical_variance(self) -> float:
        """Variance of one observation, on average."""
        with np.errstate(all="ignore"):
            inverse = 1.0 / self._likelihood.curvatures(self.residuals)[1]
        return float(np.mean(inverse[np.isfinite(inverse)]))

    @property
    def response_size(self) -> float:
        """Root mean square of the response."""
        y = self._likelihood.y
        return math.sqrt(float(np.mean(y**2)))
