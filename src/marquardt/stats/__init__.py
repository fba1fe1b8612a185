"""Uncertainty and goodness of a fit."""

from .bands import Band, delta_variance
from .covariance import Covariance, correlation, covariance, full_covariance
from .goodness import Goodness, goodness
from .intervals import interval, quantile

__all__ = [
    "Band",
    "Covariance",
    "Goodness",
    "correlation",
    "covariance",
    "delta_variance",
    "full_covariance",
    "goodness",
    "interval",
    "quantile",
]
