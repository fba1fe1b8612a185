"""``scipy.optimize.least_squares``, run by marquardt."""

from __future__ import annotations

import math
import operator
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing import Pool
from typing import Any

import numpy as np
from scipy.sparse import issparse
from scipy.sparse.linalg import LinearOperator

from ..problem.model import Model
from ..problem.traced import Problem, TracedProblem
from ..solve.function import Residuals, residual_function
from . import handover
from .checks import check_choices, check_inside, check_scale, extra, limits, start_vector, tolerances
from .derivatives import Called, Supplied
from .losses import chosen_loss
from .report import optimize_result, print_end
from .reuse import model_for, same_function
from .run import Settings, Vector, run
from .sparse import SparseCall

FREE = (-math.inf, math.inf)


def least_squares(
    fun: Callable[..., Any],
    x0: Any,
    jac: Any = "2-point",
    bounds: Any = FREE,
    method: str = "trf",
    ftol: float | None = 1e-8,
    xtol: float | None = 1e-8,
    gtol: float | None = 1e-8,
    x_scale: Any = None,
    loss: Any = "linear",
    f_scale: float = 1.0,
    diff_step: Any = None,
    tr_solver: str | None = None,
    tr_options: Mapping[str, Any] | None = None,
    jac_sparsity: Any = None,
    max_nfev: int | None = None,
    verbose: int = 0,
    args: Any = (),
    kwargs: Mapping[str, Any] | None = None,
    callback: Callable[..., Any] | None = None,
    workers: Any = None,
) -> Any:
    """Minimize ``1/2 Σ fun(x)²`` within bounds, with the arguments and the result of SciPy's function.

    A function that can be traced has exact derivatives, whatever scheme `jac` names; another one is called
    back, with differences by that scheme, or with the caller's Jacobian. All three methods stand for the
    trust region of `marquardt.least_squares`. Losses are SciPy's, by name or as a function. With a sparse
    Jacobian or `jac_sparsity` steps come from a sparse Cholesky factor, and ``result.jac`` is sparse. A
    Jacobian that is a LinearOperator, ``tr_solver="lsmr"``, and `workers` for other than forward differences:
    the whole call is handed to SciPy, which ``result.solver`` and ``result.message`` say.

    The result has ``x, cost, fun, jac, grad, optimality, active_mask, nfev, njev, status, message, success``
    as SciPy's, and ``solver`` ("marquardt" or "scipy"), ``derivative`` and ``certified``.

    Raises ValueError or TypeError as SciPy does.

    >>> result = least_squares(lambda x: np.array([10 * (x[1] - x[0] ** 2), 1 - x[0]]), [-1.2, 1.0])
    >>> result.x, result.success, result.derivative
    (array([1., 1.]), True, 'exact (traced)')
    """
    given = {name: value for name, value in locals().items() if name not in ("fun", "x0")}
    check_choices(method, jac, tr_solver, loss, verbose, max_nfev)
    start = start_vector(x0)
    lower, upper = limits(bounds, start.size)
    if method == "lm" and bounds is not FREE and not np.all((lower == -np.inf) & (upper == np.inf)):
        raise ValueError("Method 'lm' doesn't support bounds.")
    check_inside(start, lower, upper)
    check_scale(x_scale, start.size)
    close = tolerances(ftol, xtol, gtol, method)
    if not callable(fun):
        raise TypeError(f"`fun` must be a function that returns residuals, not {type(fun).__name__}")
    reason = handover.needed(method, tr_solver, tr_options)
    if reason:
        return handover.least_squares(fun, x0, given, reason)
    chosen = chosen_loss(loss, f_scale)
    settings = Settings(*close, max_nfev, x_scale=x_scale, callback=callback, verbose=verbose, loss=chosen)
    if jac_sparsity is not None and not callable(jac):
        reason = handover.needed_when_sparse(method, jac, tr_solver, workers, chosen)
        if reason:
            return handover.least_squares(fun, x0, given, reason)
        call = SparseCall(extra(fun, args, kwargs), jac_sparsity, None, jac, diff_step, settings)
        return call.run(start, lower, upper)
    fun = same_function(fun)
    function = residual_function(fun, args, kwargs)
    problem: Problem
    if callable(jac):
        supplied = supplied_problem(function, extra(fun, args, kwargs), start, extra(jac, args, kwargs))
        J = supplied.at_start
        if issparse(J):
            reason = handover.needed_when_sparse(method, jac, tr_solver, workers, chosen)
            if reason:
                return handover.least_squares(fun, x0, given, reason)
            call = SparseCall(extra(fun, args, kwargs), None, extra(jac, args, kwargs), "", None, settings)
            return call.run(start, lower, upper)
        if isinstance(J, LinearOperator):
            return handover.least_squares(fun, x0, given, f"the Jacobian is a {type(J).__name__}")
        problem = supplied
    else:
        problem = traced_or_called(function, extra(fun, args, kwargs), start, jac, diff_step)
        if workers is not None and not problem.exact and jac != "2-point":
            return handover.least_squares(fun, x0, given, f"workers evaluate differences by {jac!r}")
    if method == "lm" and problem.size < start.size:
        raise ValueError(
            f"Method 'lm' doesn't work when the number of residuals ({problem.size}) is less than the number "
            f"of variables ({start.size})."
        )
    if method == "lm" and callback is not None:
        warnings.warn("A callback is not called with method 'lm'.", stacklevel=2)
        callback = None
    reason = "" if chosen is None else chosen.refused(problem.residuals(start))
    if reason:
        return handover.least_squares(fun, x0, given, reason)
    settings = replace(settings, callback=callback)
    with pool_of(workers, problem) as mapped:
        if isinstance(problem, Called):
            problem.workers = mapped
        end = run(problem, start, lower, upper, settings)
    result = optimize_result(end)
    if method == "lm" and not callable(jac):
        result.njev = None
    if verbose:
        print_end(end, result, verbose)
    return result


@contextmanager
def pool_of(workers: Any, problem: Problem) -> Iterator[Callable[..., Any] | None]:
    """`workers` as a function like map: itself, or that of a pool of so many processes.

    Raises TypeError where it is neither None, nor a number, nor a function.
    """
    if workers is None or callable(workers):
        yield workers
    elif problem.exact:  # nothing to share out
        yield None
    else:
        with Pool(None if operator.index(workers) == -1 else workers) as pool:
            yield pool.map


def supplied_problem(
    function: Residuals, call: Callable[[Any], Any], x0: Vector, jac: Callable[[Any], Any]
) -> Supplied:
    """`function`, called as ``call(x)``, with the caller's Jacobian ``jac(x)``, both evaluated at x0.

    Raises ModelError, a ValueError, where their shapes do not fit.
    """
    model = Model(function.call, {function.name: x0.shape}, function.options)
    problem = Supplied(model, call, None, None, x0)
    check_dimensions(problem.shape)
    problem.supply(jac, x0)
    return problem


def traced_or_called(
    function: Residuals, call: Callable[[Any], Any], x0: Vector, scheme: str, step: Any
) -> Problem:
    """`function` traced, or called back as ``call(x)`` with differences by `scheme`."""
    model = model_for(function.call, function.data, {function.name: x0.shape}, function.options)
    free = tuple(range(x0.size))
    if model.reason is None:
        problem = model.problem(function.data, None, None, x0, free)
        if isinstance(problem, TracedProblem):
            trace = model.versions[-1].trace
            if not trace.complex:
                check_dimensions(trace.shape)
                return problem
    called = Called(model, call, None, None, x0, scheme, step)
    check_dimensions(called.shape)
    return called


def check_dimensions(shape: tuple[int, ...]) -> None:
    """Raise ValueError where residuals are no vector."""
    if len(shape) > 1:
        raise ValueError(f"`fun` must return at most 1-d array_like, not of shape {shape}.")
