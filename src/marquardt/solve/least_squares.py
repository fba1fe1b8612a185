"""``least_squares``: a function that returns residuals in, a certified result out."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import DataError, ModelError, OptionError
from ..options import Options
from ..problem.callback import CallbackProblem
from ..problem.given import GivenProblem, Wrong, wrong_entries, wrong_jacobian
from ..problem.model import Model, compile_model
from ..problem.traced import Problem
from .function import Residuals, residual_function
from .least_squares_result import LeastSquaresResult
from .minimize import Outcome, minimize
from .result import Vector
from .robust import minimize_robust, plan
from .scipy_names import Unknowns, check_refused, options_of, unknowns
from .sparse.least_squares import FirstKept, SparseCall, check_sparse
from .sparse.result import SparseLeastSquaresResult


def least_squares(
    fun: Callable[..., Any],
    x0: Any,
    jac: Callable[..., Any] | str | None = None,
    bounds: Any = (-math.inf, math.inf),
    method: str = "auto",
    ftol: float | None = None,
    xtol: float | None = None,
    gtol: float | None = None,
    x_scale: Any = None,
    loss: Any = "linear",
    f_scale: float | None = 1.0,
    diff_step: Any = None,
    tr_solver: str | None = None,
    tr_options: Mapping[str, Any] | None = None,
    jac_sparsity: Any = None,
    max_nfev: int | None = None,
    verbose: int = 0,
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    callback: Callable[[Any], Any] | None = None,
    *,
    damping: str | None = None,
    acceleration: bool | None = None,
    options: Options | None = None,
) -> LeastSquaresResult | SparseLeastSquaresResult:
    """Minimize ``cost = 1/2 Σ fun(x)²``, or a loss of the residuals, over a vector x, within bounds.

    The arguments have the names they have in ``scipy.optimize.least_squares``; each is honored, or refused
    with a sentence.

    fun : ``fun(x, *args, **kwargs)`` returns the residuals (m,); another shape is flattened, complex ones
        count as two. It is traced to exact derivatives where that can be done, else called back.
    x0 : start, shape (n,), or a number.
    jac : None: derived from `fun`, by differences where it cannot be traced. A function ``jac(x, *args,
        **kwargs)`` that returns the Jacobian (m, n): compared with differences of `fun` at the start and at
        the end. "3-point": central differences. One that returns a sparse array: see `jac_sparsity`.
    bounds : pair of lower and upper bounds, numbers or arrays (n,); or a ``scipy.optimize.Bounds``.
    method, damping, acceleration : how steps are made; see `Options`.
    ftol : converged where a full step would lower the cost by this part of it at most: ``Options.tolerance``
        ``= sqrt(ftol)``.
    x_scale : "jac": steps are measured by the largest column norms of J so far; a number: by the plain norm.
    loss : "linear" (squares), or for data with outliers "huber", "soft_l1", "cauchy", "arctan",
        "geman_mcclure", "tukey", "welsch", "barron(alpha)": ``cost = 1/2 Σ c² ρ((fun/c)²)``. From
        "cauchy" on they start from a fit with "huber", as such costs have several minima.
    f_scale : c, where residuals begin to count as outliers; None estimates the noise and takes c from it.
    diff_step : relative step of the central differences, with ``jac="3-point"``.
    jac_sparsity : where the Jacobian (m, n) may have numbers, an array or a sparse array. Central differences
        are then taken of groups of columns that share no row, and steps come from a sparse factorization,
        also where `jac` returns a sparse array: for thousands of parameters. The result is a
        `SparseLeastSquaresResult`, and method, damping, x_scale and options cannot be chosen.
    max_nfev : most evaluations of `fun`; those for differences are not counted.
    verbose : 1 prints the report at the end, 2 the log of all steps before it.
    callback : called with the progress (``nfev, njev, cost, x``); True, or StopIteration, stops.

    Raises ParameterError (x0, bounds), DataError (residuals not finite at x0), ModelError (a Jacobian of
    the wrong shape or with wrong entries) or OptionError, each naming the guilty thing.

    >>> result = least_squares(lambda x: [10 * (x[1] - x[0] ** 2), 1 - x[0]], [-1.2, 1.0])
    >>> result.x, result.status.name
    (array([1., 1.]), 'CONVERGED')
    """
    parameters = unknowns(x0, bounds)
    check_refused(xtol, gtol, loss, f_scale, tr_solver, tr_options)
    chosen, options = options, options_of(options, method, damping, acceleration, ftol, x_scale)
    robust = plan(loss, f_scale)
    function = residual_function(fun, args, kwargs)
    given = FirstKept(function.like(jac), parameters.values) if callable(jac) else None
    if jac_sparsity is not None or (given is not None and hasattr(given.first, "tocsr")):
        check_sparse(
            jac, {"method": method, "damping": damping, "acceleration": acceleration, "options": chosen,
                  "x_scale": x_scale}
        )  # fmt: skip
        call = SparseCall(function, parameters, jac_sparsity, given, diff_step, robust, ftol)
        return call.solve(_watch(max_nfev, callback), max_nfev, verbose)
    problem, derivative = _problem(function, parameters, given or jac, diff_step)
    check = Check(problem, parameters)
    check.at_start()
    watch = _watch(max_nfev, callback)
    box = parameters.lower, parameters.upper
    if robust is None:
        outcome = minimize(problem, parameters.values, *box, options, watch)
    else:
        outcome = minimize_robust(problem, robust, parameters.values, *box, options, watch)
    if not math.isfinite(outcome.cost):
        _refuse_start(outcome.problem, parameters)
    result = LeastSquaresResult(
        outcome, parameters, function.title, derivative=derivative, wrong=check.at_end(outcome),
        limited=max_nfev is not None and outcome.nfev >= max_nfev,
        more_nfev=check.nfev, more_njev=check.njev,
    )  # fmt: skip
    if verbose >= 2:
        print(result.trace)
    if verbose >= 1:
        print(result)
    return result


def _problem(
    function: Residuals, parameters: Unknowns, jac: Any, diff_step: Any
) -> tuple[Problem, str | None]:
    """The problem, and how derivatives are made where its model does not know."""
    x0, data = parameters.values, function.data
    shapes = {function.name: x0.shape}
    if diff_step is not None and jac != "3-point":
        raise OptionError("diff_step belongs to differences: say jac='3-point' as well, or leave it out")
    if jac is None and function.lasting:
        model = compile_model(function.call, data, shapes, function.options)
    else:
        model = Model(function.call, shapes, function.options)
    if jac is None:
        return model.problem(data, None, None, x0, parameters.free), None
    if callable(jac):
        return GivenProblem(model, data, x0, jac), "given (jac=), compared with differences"
    if jac == "3-point":
        called = CallbackProblem(model, data, None, None, x0, parameters.free)
        called.relative_step = diff_step
        return called, "finite differences: asked for by jac='3-point'"
    raise OptionError(
        f"jac = {jac!r}: a function, '3-point' (central differences) or None is needed; None gives exact "
        "derivatives where fun can be traced, and central differences elsewhere"
    )


class Check:
    """Compares the Jacobian that the caller gave, if any, with differences of the residuals."""

    def __init__(self, problem: Problem, parameters: Unknowns) -> None:
        self.problem, self.parameters = problem, parameters
        self.nfev = self.njev = 0

    def at_start(self) -> None:
        """Raise ModelError where the Jacobian is wrong."""
        if not isinstance(self.problem, GivenProblem):
            return
        x = self.parameters.values
        self.nfev += 1
        f = self.problem.trial_residuals(x)
        if not np.isfinite(f).all():
            return  # said where the minimizer meets it
        J = self.problem.jacobian(x, f)
        for i, j in np.argwhere(~np.isfinite(J)).tolist():
            raise ModelError(f"jac gives {J[i, j]} for row {i}, {self.parameters.names[j]} at the start")
        wrong = self._wrong(self.problem, x, f)
        if wrong:
            raise ModelError(f"jac is wrong at the start: {wrong_jacobian(wrong, self.parameters.names)}")

    def at_end(self, outcome: Outcome) -> tuple[Wrong, ...]:
        problem = outcome.problem
        return self._wrong(problem, outcome.x, outcome.f) if isinstance(problem, GivenProblem) else ()

    def _wrong(self, problem: GivenProblem, x: Vector, f: Vector) -> tuple[Wrong, ...]:
        def residuals(near: Vector) -> Vector:
            self.nfev += 1
            return problem.trial_residuals(near)

        self.njev += 1
        J, p = problem.jacobian(x, f), self.parameters
        magnitude = np.maximum(np.abs(x), np.abs(p.values))
        return tuple(wrong_entries(residuals, J, x, f, p.lower, p.upper, magnitude))


def _watch(
    max_nfev: int | None, callback: Callable[[Any], Any] | None
) -> Callable[[Any], bool | None] | None:
    """An observer that stops at the limit of evaluations, or when the caller wants it."""
    if max_nfev is not None and (not isinstance(max_nfev, int | np.integer) or max_nfev < 1):
        raise OptionError(f"max_nfev = {max_nfev!r}: a positive integer or None is needed")
    if max_nfev is None and callback is None:
        return None

    def watch(progress: Any) -> bool:
        try:
            stop = callback is not None and callback(progress)
        except StopIteration:
            stop = True
        return bool(stop) or (max_nfev is not None and progress.nfev >= max_nfev)

    return watch


def _refuse_start(problem: Problem, parameters: Unknowns) -> None:
    """The residuals are not finite at the start: name the first one."""
    f = problem.residuals(parameters.values)
    for k in np.flatnonzero(~np.isfinite(f)).tolist():
        raise DataError(f"residual {k} is {f[k]} at x0 = {parameters.values}: choose another start")
