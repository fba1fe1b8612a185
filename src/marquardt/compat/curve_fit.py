"""``scipy.optimize.curve_fit``, run by marquardt."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.linalg
import scipy.optimize
from scipy.optimize import OptimizeWarning

from ..problem.traced import Problem
from . import handover
from .checks import SCHEMES, check_inside, limits
from .curve_data import clean_data, omit_missing, transform_of
from .curve_problem import curve_problem, number_of_parameters
from .derivatives import Called
from .least_squares import pool_of
from .leastsq import code_of, information, inverse_of, message_of, unbounded
from .report import message, verdict
from .run import End, Matrix, Vector, run
from .settings import of_least_squares, of_leastsq

FREE = (-np.inf, np.inf)


def curve_fit(
    f: Callable[..., Any],
    xdata: Any,
    ydata: Any,
    p0: Any = None,
    sigma: Any = None,
    absolute_sigma: bool = False,
    check_finite: bool | None = None,
    bounds: Any = FREE,
    method: str | None = None,
    jac: Any = None,
    *,
    full_output: bool = False,
    nan_policy: str | None = None,
    **kwargs: Any,
) -> tuple[Any, ...]:
    """Fit a curve: minimize ``Σ ((f(xdata, *p) - ydata) / sigma)²``, with SciPy's arguments and result.

    Returns ``(popt, pcov)``, with `full_output` ``(popt, pcov, infodict, mesg, ier)``. A function that can be
    traced has exact derivatives; another one is called back. Where an option asks for what is not done here
    (`jac_sparsity`, ``tr_solver="lsmr"``), the call is handed to SciPy.

    Raises ValueError for unusable input, TypeError for more parameters than data with method "lm",
    RuntimeError where the limit of evaluations is reached; warns (OptimizeWarning) where the covariance
    cannot be estimated, or where the end is not certified as a minimum, which names the parameter.

    >>> x = np.linspace(0, 4, 9)
    >>> popt, pcov = curve_fit(lambda x, a, b: a * np.exp(-b * x), x, 3 * np.exp(-0.5 * x))
    >>> popt.round(6)
    array([3. , 0.5])
    """
    start = None if p0 is None else np.array(p0, dtype=float, ndmin=1)
    n = number_of_parameters(f) if start is None else start.size
    lower, upper = unbounded(n) if bounds is FREE else limits(bounds, n)
    if start is None:
        start = feasible(lower, upper)
    limited = bounds is not FREE and bool(np.any((lower > -np.inf) | (upper < np.inf)))
    method = check_method(method, jac, limited)
    if limited:
        check_inside(start, lower, upper)
    x, y = clean_data(xdata, ydata, check_finite, nan_policy)
    if nan_policy is not None and not check_finite:
        x, y, errors = omit_missing(x, y, sigma, nan_policy)
    else:
        errors = sigma
    weights, white = (None, None) if errors is None else transform_of(errors, y.size)
    if "args" in kwargs:
        raise ValueError("'args' is not a supported keyword argument.")

    def by_scipy(reason: str) -> tuple[Any, ...]:
        return handover.curve_fit(
            reason, full_output, f, xdata, ydata, p0, sigma=sigma, absolute_sigma=absolute_sigma,
            check_finite=check_finite, bounds=bounds, method=method, jac=jac, nan_policy=nan_policy, **kwargs,
        )  # fmt: skip

    if method == "lm":
        settings = of_leastsq(kwargs)
        if y.size != 1 and n > y.size:
            raise TypeError(
                f"The number of func parameters={n} must not exceed the number of data points={y.size}"
            )
    else:
        settings, reason = of_least_squares(kwargs, method, n)
        if reason:
            return by_scipy(reason)
    problem: Problem = curve_problem(f, x, y, weights, white, start, jac, settings.step)
    reason = "" if settings.loss is None else settings.loss.refused(problem.residuals(start))
    if reason:
        return by_scipy(reason)
    if problem.exact:  # nothing to share out among workers
        end = run(problem, start, lower, upper, settings)
    else:
        with pool_of(kwargs.get("workers"), problem) as mapped:
            if isinstance(problem, Called):
                problem.workers = mapped
            end = run(problem, start, lower, upper, settings)
    return _answer(end, method, absolute_sigma, full_output)


def feasible(lower: Vector, upper: Vector) -> Vector:
    """A start where none is given: 1, or the middle of the bounds, or 1 inside the only one."""
    start = np.ones(lower.size)
    low, high = np.isfinite(lower), np.isfinite(upper)
    start[low & high] = 0.5 * (lower[low & high] + upper[low & high])
    start[low & ~high] = lower[low & ~high] + 1.0
    start[~low & high] = upper[~low & high] - 1.0
    return start


def check_method(method: str | None, jac: Any, limited: bool) -> str:
    """The method, "lm" without bounds and "trf" with them where none is named. Raises ValueError."""
    if method is None:
        method = "trf" if limited else "lm"
    if method not in ("lm", "trf", "dogbox"):
        raise ValueError(f"`method` must be 'trf', 'dogbox' or 'lm', not {method!r}.")
    if method == "lm" and limited:
        raise ValueError("Method 'lm' only works for unconstrained problems. Use 'trf' or 'dogbox' instead.")
    if jac is not None and not callable(jac) and jac not in SCHEMES:
        raise ValueError(f"`jac` must be '2-point', '3-point', 'cs' or a function, not {jac!r}.")
    return method


def _answer(end: End, method: str, absolute_sigma: bool, full_output: bool) -> tuple[Any, ...]:
    o = end.outcome
    if end.failed:
        why = message_of(end, code_of(end)) if method == "lm" else message(end)
        raise RuntimeError(f"Optimal parameters not found: {why}")
    pcov = inverse_of(end) if end.settings.loss is None else pseudo_inverse(end.jacobian())
    if pcov is None and method != "lm":
        pcov = pseudo_inverse(o.R)
    m, n = o.problem.size, end.start.size
    known = pcov is not None
    if pcov is not None and not absolute_sigma:
        known = m > n
        pcov = pcov * (2.0 * o.cost / (m - n)) if known else None
    if pcov is None:
        pcov = np.full((n, n), np.inf)
        warnings.warn(
            "Covariance of the parameters could not be estimated", category=OptimizeWarning, stacklevel=3
        )
    if not end.certified and not end.settled:
        warnings.warn(f"The fit is not certified: {verdict(end)}", category=OptimizeWarning, stacklevel=3)
    if not full_output:
        return o.x, pcov
    if method == "lm":
        ier = code_of(end)
        return o.x, pcov, information(end), message_of(end, ier), ier
    return o.x, pcov, {"nfev": o.nfev, "fvec": end.residuals}, message(end), end.status


def pseudo_inverse(R: Matrix) -> Matrix:
    """``(J'J)^+`` where ``J'J = R'R``, singular values that are zero to rounding left out."""
    _, s, Vt = scipy.linalg.svd(R, full_matrices=False)
    kept = s > np.finfo(float).eps * max(R.shape) * s[0]
    V = Vt[kept].T / s[kept]
    return np.asarray(V @ V.T)
