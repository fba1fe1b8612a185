"""Uncertainty and goodness of a fit."""

from .bands import Band, delta_variance
from .covariance import Covariance, correlation, covariance, full_covariance, unscaled_covariance
from .goodness import Goodness, goodness
from .intervals import interval, quantile
from .penalty import PenaltyPart, PenaltyReport, effective_parameters, from_data

__all__ = [
    "Band",
    "Covariance",
    "Goodness",
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
    "quantile",
    "unscaled_covariance",
]
