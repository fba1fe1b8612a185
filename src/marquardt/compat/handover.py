"""What is handed to SciPy as a whole, and how the result says so."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import scipy.optimize

from .losses import Chosen


def needed(method: str, tr_solver: Any, tr_options: Any) -> str:
    """Why a call must be SciPy's; empty where it need not."""
    if method != "lm" and tr_solver == "lsmr":
        return "tr_solver='lsmr' is asked for"
    if tr_options:
        return "tr_options are given"
    return ""


def needed_when_sparse(method: str, jac: Any, tr_solver: Any, workers: Any, loss: Chosen | None) -> str:
    """Why a call with a sparse Jacobian must be SciPy's; empty where it need not."""
    if tr_solver == "exact":
        return "tr_solver='exact' with a sparse Jacobian"  # which it refuses
    if method == "lm":
        return "method='lm' with a sparse Jacobian"
    if jac == "cs":
        return "jac='cs' with jac_sparsity"
    if workers is not None and not callable(jac):
        return "workers with jac_sparsity"
    if loss is not None and not loss.name:
        return "a loss that is a function, with a sparse Jacobian"
    return ""


def least_squares(fun: Callable[..., Any], x0: Any, given: Mapping[str, Any], reason: str) -> Any:
    """SciPy's ``least_squares`` with those of the arguments that are not its defaults; says why."""
    theirs = inspect.signature(scipy.optimize.least_squares).parameters
    chosen = {
        name: value for name, value in given.items()
        if name not in theirs or not _is_default(value, theirs[name].default)
    }  # fmt: skip
    result: Any = scipy.optimize.least_squares(fun, x0, **chosen)
    result.message = f"{result.message} (scipy.optimize.least_squares: {reason})"
    result.solver = "scipy"
    return result


def curve_fit(reason: str, full_output: bool, *args: Any, **given: Any) -> tuple[Any, ...]:
    """SciPy's ``curve_fit``; with `full_output` the message says why."""
    chosen = {name: value for name, value in given.items() if value is not None}
    popt, pcov, info, text, ier = scipy.optimize.curve_fit(*args, full_output=True, **chosen)
    if not full_output:
        return popt, pcov
    return popt, pcov, info, f"{text} (scipy.optimize.curve_fit: {reason})", ier


def _is_default(value: Any, default: Any) -> bool:
    """Older versions of SciPy lack the newest arguments: None is then left out."""
    return value is default or (isinstance(value, str | float | int) and value == default)
