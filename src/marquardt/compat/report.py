"""A finished run as SciPy's ``OptimizeResult``."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.optimize import OptimizeResult

from ..errors import Status
from ..solve.least_squares_result import LeastSquaresResult
from ..solve.scipy_names import Unknowns
from .run import End, Vector, optimality

ENDINGS = {
    -2: "Stopped: the callback returned True or raised StopIteration",
    0: "The maximum number of function evaluations is exceeded",
    1: "`gtol` termination condition is satisfied",
    2: "`ftol` termination condition is satisfied",
    3: "`xtol` termination condition is satisfied",
}


def optimize_result(end: End) -> Any:
    """The fields of SciPy's result, and how it was made."""
    o = end.outcome
    problem: Any = o.problem
    J = end.jacobian()
    gradient = o.gradient if np.isfinite(o.gradient).all() else J.T @ o.f
    active = np.asarray(o.active, dtype=int)
    largest = np.float64(optimality(gradient, active))
    fields: dict[str, Any] = dict(
        x=o.x, cost=np.float64(o.cost), fun=end.residuals, jac=J, grad=gradient, optimality=largest,
        active_mask=active, nfev=o.nfev, njev=max(o.njev, 1), status=end.status, message=message(end),
        success=end.status > 0, solver="marquardt", derivative=derivative(problem), certified=end.certified,
    )  # fmt: skip
    return OptimizeResult(**fields)


def derivative(problem: Any) -> str:
    """How derivatives were made, in words."""
    if getattr(problem, "given", None) is not None:
        return "given (jac)"
    return str(problem.model.derivative)


def message(end: End) -> str:
    """Which of SciPy's conditions holds, and the numbers that certify the end, or say why it is none."""
    o = end.outcome
    if end.status <= 0:
        return f"{ENDINGS[end.status]}."
    if end.certified:
        if o.offset <= o.tolerance:
            return f"{ENDINGS[end.status]}: relative offset {o.offset:.1e} <= {o.tolerance:.1e}."
        return f"{ENDINGS[end.status]}: the gradient is zero to rounding."
    if end.settled and end.watch is not None:
        return f"{ENDINGS[2]}: the last step lowered the cost by {end.watch.gain:.1e} of it."
    return f"{ENDINGS[end.status]}, but the end is not certified: {verdict(end)}."


def verdict(end: End) -> str:
    """What marquardt says of an end that it does not certify, naming the parameter."""
    if end.outcome.status is Status.STALLED:
        return f"{Status.STALLED.value}"
    n = end.outcome.x.size
    return LeastSquaresResult(end.outcome, _unknowns(end, n), "").message


def _unknowns(end: End, n: int) -> Unknowns:
    unbounded: Vector = np.full(n, np.inf)
    names = end.outcome.problem.model.names
    return Unknowns(
        names=names, values=end.start, lower=-unbounded, upper=unbounded, free=tuple(range(n))
    )  # fmt: skip


def print_end(end: End, result: Any, verbose: int) -> None:
    """What ``verbose`` asks for: 1 the end, 2 the log of all steps before it."""
    if verbose > 1:
        print(end.outcome.trace(end.outcome.problem.model.names))
    print(result.message)
    print(
        f"Function evaluations {result.nfev}, initial cost {end.initial_cost:.4e}, final cost "
        f"{result.cost:.4e}, first-order optimality {result.optimality:.2e}."
    )
