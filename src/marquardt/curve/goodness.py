"""Numbers of goodness that every result of a curve fit has."""

from __future__ import annotations

from ..stats import Goodness


class GoodnessNumbers:
    """The single numbers of a result's `goodness`."""

    @property
    def goodness(self) -> Goodness:
        """All goodness numbers at once."""
        raise NotImplementedError

    @property
    def aic(self) -> float:
        """Akaike's criterion, full likelihood (as R's ``AIC``)."""
        return self.goodness.aic

    @property
    def bic(self) -> float:
        """Bayesian information criterion, full likelihood (as R's ``BIC``)."""
        return self.goodness.bic

    @property
    def r_squared(self) -> float:
        """``1 - rss / Σ w² (y - mean)²``."""
        return self.goodness.r_squared
