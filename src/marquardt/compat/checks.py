"""The arguments of SciPy's ``least_squares``, checked as its documentation says."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds

from ..problem.differences import EPS

Vector = NDArray[np.float64]

METHODS = ("trf", "dogbox", "lm")
SCHEMES = ("2-point", "3-point", "cs")
LOSSES = ("linear", "huber", "soft_l1", "cauchy", "arctan")


def check_choices(method: Any, jac: Any, tr_solver: Any, loss: Any, verbose: Any, max_nfev: Any) -> None:
    """Raise ValueError for a choice that SciPy does not have."""
    if method not in METHODS:
        raise ValueError(f"`method` must be 'trf', 'dogbox' or 'lm', not {method!r}.")
    if not (callable(jac) or (isinstance(jac, str) and jac in SCHEMES)):
        raise ValueError(f"`jac` must be '2-point', '3-point', 'cs' or a function, not {jac!r}.")
    if tr_solver not in (None, "exact", "lsmr"):
        raise ValueError(f"`tr_solver` must be None, 'exact' or 'lsmr', not {tr_solver!r}.")
    if not (callable(loss) or (isinstance(loss, str) and loss in LOSSES)):
        raise ValueError(f"`loss` must be one of {', '.join(LOSSES)} or a function, not {loss!r}.")
    if method == "lm" and loss != "linear":
        raise ValueError("method='lm' supports only the 'linear' loss.")
    if verbose not in (0, 1, 2):
        raise ValueError(f"`verbose` must be 0, 1 or 2, not {verbose!r}.")
    if max_nfev is not None and max_nfev <= 0:
        raise ValueError(f"`max_nfev` must be None or a positive integer, not {max_nfev!r}.")


def start_vector(x0: Any) -> Vector:
    """The start, shape (n,). Raises ValueError where it is complex or has two dimensions."""
    if np.iscomplexobj(x0):
        raise ValueError("`x0` must be real.")
    start: Vector = np.atleast_1d(x0).astype(float)
    if start.ndim > 1:
        raise ValueError(f"`x0` must have at most 1 dimension, not {start.ndim}.")
    return start


def limits(bounds: Any, n: int) -> tuple[Vector, Vector]:
    """Lower and upper bounds, shape (n,) each where they are numbers or fit; else as they are given."""
    if isinstance(bounds, Bounds):
        bounds = (bounds.lb, bounds.ub)
    if len(bounds) != 2:
        raise ValueError(f"`bounds` must contain 2 elements, not {len(bounds)}.")
    lower, upper = (np.asarray(b, dtype=float) for b in bounds)
    return (
        np.full(n, lower) if lower.ndim == 0 else np.array(lower),
        np.full(n, upper) if upper.ndim == 0 else np.array(upper),
    )


def check_inside(x0: Vector, lower: Vector, upper: Vector) -> None:
    """Raise ValueError for bounds that do not fit, leave nothing between them, or exclude the start."""
    if lower.shape != x0.shape or upper.shape != x0.shape:
        raise ValueError(
            f"Inconsistent shapes between bounds {lower.shape}, {upper.shape} and `x0` {x0.shape}."
        )
    if np.any(lower >= upper):
        k = int(np.argmax(lower >= upper))
        raise ValueError(
            f"Each lower bound must be strictly less than each upper bound: those of parameter {k} are "
            f"{lower[k]:g} and {upper[k]:g}."
        )
    outside = ~((lower <= x0) & (x0 <= upper))
    if outside.any():
        k = int(np.argmax(outside))
        raise ValueError(
            f"Initial guess is outside of provided bounds: parameter {k} is {x0[k]:g}, its bounds are "
            f"{lower[k]:g} and {upper[k]:g}."
        )


def check_scale(x_scale: Any, n: int) -> None:
    """Raise ValueError unless `x_scale` is None, 'jac', or positive numbers, one or n of them."""
    if x_scale is None or (isinstance(x_scale, str) and x_scale == "jac"):
        return
    try:
        scale = np.asarray(x_scale, dtype=float)
        good = bool(np.all(np.isfinite(scale) & (scale > 0.0)))
    except (TypeError, ValueError):
        good = False
    if not good:
        raise ValueError(f"`x_scale` must be 'jac' or positive numbers, not {x_scale!r}.")
    if scale.ndim and scale.shape != (n,):
        raise ValueError(f"Inconsistent shapes between `x_scale` {scale.shape} and `x0` ({n},).")


def tolerances(ftol: Any, xtol: Any, gtol: Any, method: str) -> tuple[float, float, float]:
    """The tolerances as numbers, 0 where one is off (None).

    Raises ValueError where all are off, or for 'lm' any; warns of one below the spacing of numbers.
    """
    given = []
    for name, value in (("ftol", ftol), ("xtol", xtol), ("gtol", gtol)):
        if value is not None and value < EPS:
            warnings.warn(
                f"Setting `{name}` below the machine epsilon ({EPS:.2e}) switches its condition off.",
                stacklevel=4,
            )
        given.append(0.0 if value is None else float(value))
    if method == "lm" and min(given) < EPS:
        raise ValueError(f"All tolerances must be higher than machine epsilon ({EPS:.2e}) for method 'lm'.")
    if max(given) < EPS:
        raise ValueError(f"At least one of the tolerances must be higher than machine epsilon ({EPS:.2e}).")
    return given[0], given[1], given[2]


@dataclass(frozen=True)
class Extra:
    """``function(x)`` with extra arguments; a process of a pool can be sent it."""

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]

    def __call__(self, x: Any) -> Any:
        return self.function(x, *self.args, **self.kwargs)


def extra(function: Callable[..., Any], args: Any, kwargs: Any) -> Callable[[Any], Any]:
    """``function(x)`` with the extra arguments put in."""
    return Extra(function, args if isinstance(args, tuple) else (args,), kwargs or {})
