"""Uncertainty of the fitted curve by the delta method."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]


class Band(NamedTuple):
    """Lower and upper limit of the curve (or of a new observation), each with the shape of the prediction."""

    lower: NDArray[np.float64]
    upper: NDArray[np.float64]


def delta_variance(jacobian: Matrix, space: Matrix) -> Vector:
    """Variance of predictions, diag(G C G'), from their Jacobian G (n, p) and the covariance C (p, p)."""
    with np.errstate(invalid="ignore", over="ignore"):
        return np.asarray(np.maximum(np.einsum("ij,ij->i", jacobian @ space, jacobian), 0.0))
