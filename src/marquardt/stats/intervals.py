"""Intervals by Student's t, or by the normal distribution where the standard deviations are known."""

from __future__ import annotations

import math
from functools import lru_cache

from ..errors import OptionError


@lru_cache(maxsize=512)
def quantile(level: float, dof: float | None) -> float:
    """Half width of a two-sided interval in standard errors; `dof` None means known standard deviations.

    >>> round(quantile(0.95, None), 4)
    1.96
    >>> round(quantile(0.95, 10), 4)
    2.2281
    """
    if not 0.0 < level < 1.0:
        raise OptionError(f"a confidence level is between 0 and 1 (0.95 is usual), not {level}")
    if dof is None:
        from statistics import NormalDist

        return NormalDist().inv_cdf(0.5 + level / 2.0)
    if dof <= 0:
        return math.nan
    from scipy.special import stdtrit

    return float(stdtrit(dof, 0.5 + level / 2.0))


def interval(value: float, stderr: float, level: float, dof: float | None) -> tuple[float, float]:
    """``value ± quantile * stderr``; unlimited where the parameter is not determined."""
    half = quantile(level, dof) * stderr
    return value - half, value + half
