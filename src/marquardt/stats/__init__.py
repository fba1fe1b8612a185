"""Uncertainty and goodness of a fit."""

from .bands import Band, delta_variance
from .covariance import Covariance, correlation, covariance, full_covariance, unscaled_covariance
from .goodness import Goodness, goodness
from .intervals import interval, quantile
from .penalty import PenaltyPart, PenaltyReport, effective_parameters, from_data
from .robust import Outlier, outliers, sandwich

__all__ = [
    "Band",
    "Covariance",
    "Goodness",
    "Outlier",
    "PenaltyPart",
    "PenaltyReport",
    "correlation",
    "covariance",
    "delta_variance",
    "effective_parameters",
    "from_data",
    "full_covariance",
    "goodness",
    "interval",
    "outliers",
    "quantile",
    "sandwich",
    "unscaled_covariance",
]
