"""The data of ``curve_fit``: checked, cleaned of what is missing, with their errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from .._core import all_finite
from ..problem.whitening import Full

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]


def clean_data(xdata: Any, ydata: Any, check: bool | None, nan_policy: str | None) -> tuple[Any, Vector]:
    """`xdata` as an array where it is one or a sequence, else as it is, and `ydata` flat, (m,).

    Raises ValueError where a number is not finite and that is to be checked, or where there are no data.
    """
    check = nan_policy is None if check is None else check
    y = np.asarray(ydata, dtype=float)
    if check:
        _refuse_not_finite(y, "ydata")
    if isinstance(xdata, list | tuple | np.ndarray):
        xdata = np.asarray(xdata, dtype=float)
        if check:
            _refuse_not_finite(xdata, "xdata")
    if y.size == 0:
        raise ValueError("`ydata` must not be empty!")
    return xdata, np.ascontiguousarray(y.ravel())


def _refuse_not_finite(values: NDArray[np.float64], name: str) -> None:
    good = all_finite(values) if values.ndim == 1 and values.flags.c_contiguous else np.isfinite(values).all()
    if not good:
        k = int(np.argmax(~np.isfinite(values)))
        raise ValueError(f"`{name}` must not contain infs or NaNs: element {k} is {values.flat[k]}")


def omit_missing(x: Any, y: Vector, sigma: Any, policy: str) -> tuple[Any, Vector, Any]:
    """The data without what is missing. Raises ValueError with policy "raise", or for an unknown one."""
    if policy == "propagate":
        raise ValueError("`nan_policy='propagate'` is not supported by this function.")
    if policy not in ("raise", "omit"):
        raise ValueError("nan_policy must be one of {None, 'raise', 'omit'}")
    points = np.asarray(x, dtype=float)
    missing: NDArray[np.bool_] = np.isnan(points).any(axis=tuple(range(points.ndim - 1))) | np.isnan(y)
    if not missing.any():
        return x, y, sigma
    if policy == "raise":
        raise ValueError(f"The input contains nan values, the first at position {int(np.argmax(missing))}")
    keep = ~missing
    errors = None if sigma is None else np.asarray(sigma)
    if errors is not None and errors.ndim == 1 and errors.size > 1:
        errors = errors[keep]
    elif errors is not None and errors.ndim == 2:
        errors = errors[np.ix_(keep, keep)]
    return points[..., keep], y[keep], errors


def transform_of(sigma: Any, m: int) -> tuple[Vector | None, Full | None]:
    """What turns errors into unit ones: ``1 / sigma``, (m,), or the whitening of a covariance.

    Raises ValueError for another shape, or a matrix that is no covariance.
    """
    errors = np.asarray(sigma, dtype=float)
    if errors.size == 1 or errors.shape == (m,):
        with np.errstate(divide="ignore"):
            return np.array(np.broadcast_to(1.0 / errors.ravel(), (m,))), None
    if errors.shape != (m, m):
        raise ValueError(f"`sigma` has incorrect shape: {errors.shape} for {m} data points.")
    try:
        return None, Full.of_factor(np.asarray(scipy.linalg.cholesky(errors, lower=True)))
    except scipy.linalg.LinAlgError as error:
        raise ValueError("`sigma` must be positive definite.") from error
