"""``fit``: a model and data in, a certified result out."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, OptionError, Status
from ..expr.formula import Formula
from ..options import Options, chosen_options
from ..problem.model import compile_model
from ..solve.minimize import minimize
from ..solve.robust import Plan, minimize_robust, plan
from .columns import units
from .counts import Counts, counted, counts_of
from .data import Data, thin
from .fit_counts import fit_counts
from .goal import stop_at_once
from .groups import Many, Task
from .groups_by import FitTable
from .groups_fit import fit_many_groups
from .groups_result import GroupFit
from .long import LongTable
from .parameters import Parameters
from .penalized import NO_ROUNDS, PenalizedFit, Refit, first_noise, settle, weighed_by
from .penalty import PenaltyTerms, arrange_penalty, hints, refuse_penalty
from .progress import ProgressLine, observer
from .result import FitResult
from .reweighted import reweighted
from .search import Search, Searching, search, search_by_rule
from .setup import Request, Setup, check_used, from_function
from .setup_formula import from_formula
from .stream import fit_arrays, fit_table, refuse_for_blocks

Vector = NDArray[np.float64]


@overload
def fit(
    model: Callable[..., Any] | str | Formula,
    x: Any = None,
    y: Any = None,
    *,
    by: None = None,
    group: None = None,
    **rest: Any,
) -> FitResult: ...


@overload
def fit(
    model: Callable[..., Any] | str | Formula, x: Any = None, y: Any = None, *, by: Any, **rest: Any
) -> FitTable: ...


@overload
def fit(
    model: Callable[..., Any] | str | Formula,
    x: Any = None,
    y: Any = None,
    *,
    group: Any,
    shared: Any,
    **rest: Any,
) -> GroupFit: ...


def fit(  # type: ignore[misc]  # what the others name `rest`
    model: Callable[..., Any] | str | Formula,
    x: Any = None,
    y: Any = None,
    *,
    data: Any = None,
    start: Any = None,
    bounds: Any = None,
    fixed: Any = None,
    sigma: Any = None,
    weights: Any = None,
    ties: Any = None,
    prior: Any = None,
    ridge: Any = None,
    loss: str = "linear",
    f_scale: float | None = None,
    family: str | None = None,
    trials: Any = None,
    method: str = "auto",
    damping: str | None = None,
    acceleration: bool | None = None,
    options: Options | None = None,
    callback: Callable[[Any], Any] | None = None,
    missing: str = "error",
    starts: int | None = None,
    by: Any = None,
    group: Any = None,
    shared: Any = None,
) -> FitResult | FitTable | GroupFit:
    """Fit a curve: minimize ``Σ w² (model - y)²`` over the parameters of `model`.

    model : a plain NumPy function ``f(x, a, b, ...)`` or a formula such as ``"v ~ Vmax*S/(Km + S)"``.
        Arguments without default after the independent variables are parameters (if there are none,
        those with a numeric default, which is then their start); other arguments keep their value.
    x : the independent variable(s): an array, a tuple of arrays, a (k, N) array, a table of columns.
    y : the response: an array, or the name of a column of `data`.
    data : any table of columns (dict, DataFrame, structured array); the arguments of the function that
        are named like columns, and the names in a formula, are taken from it.
    start : values by name or in order; optional, wholly or in part. An array for a vector parameter.
    bounds : ``{"Km": (0, None)}``, or a pair of lower and upper values as in SciPy; also of expressions of
        parameters, ``{"a - b": (0, None)}``, each of which takes the place of one of its parameters.
    fixed : ``{"c": 0}``, or names to hold at their start.
    sigma : known standard deviations (a number, an array or a column; complex: of each part), a covariance
        matrix (m, m), or a formula of the prediction such as ``"0.05*mu + 2"``, fitted in rounds: the
        covariance of the estimates is not rescaled.
    weights : relative weights of the squared residuals, or a formula such as ``"1/mu^2"``.
    ties : parameters that are expressions of others, ``{"w2": "2*w1"}``; names that are not in the model,
        as dx in ``{"x2": "x1 + dx"}``, are parameters like any other.
    prior : what is known beforehand, ``{"Km": (mean, sd)}``: ``(Km - mean)² / (2 sd²)`` is added to the cost,
        in units of the noise, which is estimated where no sigma is given.
    ridge : a number, or one by name: ``ridge/2 Σ x²`` is added to the cost as it is.
    loss : "linear" (squares), or for data with outliers "huber", "soft_l1", "cauchy", "arctan",
        "geman_mcclure", "tukey", "welsch", "barron(alpha)", or any formula of z = (f/c)²: the cost is
        ``1/2 Σ c² ρ(z)``. From "cauchy" on they start from a fit with "huber", as such costs have several
        minima.
    f_scale : c, where weighted residuals f begin to count as outliers; None takes it from the noise, which
        is 1 with sigma and is else estimated by the median absolute residual.
    family : "poisson" where y are counts, "binomial" where they are counts out of `trials`, or proportions
        of them: the model is their mean (a probability), and the cost half the deviance.
    trials : the number of trials, one for all rows or one per row (an array or a column).
    method : how steps are made: "auto", or one of the classic methods that `Options.method` lists.
    damping : "nielsen", "classic" or "delayed": how the damping of "levenberg" and "marquardt" moves.
    acceleration : whether steps are bent by the geodesic acceleration; None: "auto" does.
    callback : called with the progress (``nfev, njev, cost, x``); returning True stops the fit.
    missing : "error" names the first row with a missing value; "drop" drops and counts such rows.
    starts : how many starts are tried where a start value is missing; None: until a better end is unlikely. A
        number also has a fit with a full `start` look elsewhere. `FitResult.multistart` tells what was found.
    by : a column of labels (or several, or an array of labels): separate fits of the groups, as a `FitTable`.
    group : the same for one fit of all groups, a `GroupFit`: each has parameters of its own but for the
        `shared` ones. Start values may be given group by group, ``{"Vmax": {"A": 200, "B": 150}}``.
    shared : names of the parameters that all groups share.

    Raises DataError, ParameterError, ModelError, FormulaError or OptionError, each naming the guilty thing.

    >>> import numpy as np
    >>> t = np.linspace(0, 4, 9)
    >>> result = fit("y ~ a*exp(-b*t)", data={"t": t, "y": 3 * np.exp(-0.5 * t)}, start={"a": 1, "b": 1})
    >>> round(result.params["b"].value, 6)
    0.5
    """
    options = chosen_options(options, method, damping, acceleration)
    if isinstance(data, LongTable):
        refuse_for_blocks(family=family, trials=trials, by=by, group=group, prior=prior, ridge=ridge)
    robust = _plan(loss, f_scale, sigma is not None)
    named = None if prior is None and ridge is None else hints(prior, ridge)
    counts: Counts | None = None
    if family is not None or trials is not None:
        counts = _counts(family, trials, weights, data, sigma, loss, f_scale, prior, ridge)
        weights = counts.cases
    wanted = Request(x, y, data, start, bounds, fixed, sigma, weights, missing, ties, named)

    def prepare(wanted: Request) -> Setup:
        setup = from_formula(model, wanted) if isinstance(model, FORMULAS) else from_function(model, wanted)
        if named is not None:
            setup.penalty = arrange_penalty(prior, ridge, setup.parameters)
        setup.loss, setup.starts = robust, _count(starts)
        return setup

    if by is not None or group is not None or shared is not None:
        run = partial(_one, counts)
        return fit_many_groups(
            Many(by, group, shared),
            wanted,
            Task(prepare, run, options, observer(callback), counts is not None),
        )
    watch, run = observer(callback), partial(_one, counts)
    if isinstance(data, LongTable):
        return fit_table(wanted, prepare, run, options, watch)
    result = None if counts is not None else fit_arrays(wanted, prepare, run, options, watch)
    if result is None:
        result = run(prepare(wanted), options, watch)
    if data is not None:
        result.units = units(data)
    return result


def _one(
    counts: Counts | None, setup: Setup, options: Options | None, watch: Callable[[Any], Any] | None
) -> FitResult:
    """One fit: of counts, or in rounds where the weights follow from the prediction."""
    if setup.penalty is None:
        _check_constant(setup)
    if counts is not None:
        return _run_counts(setup, counts, options, watch)
    run = run_one if setup.data.of_prediction is None else reweighted(run_one)
    return run(setup, options, watch)


def _plan(loss: Any, f_scale: Any, sigma_known: bool) -> Plan | None:
    if loss == "linear" and f_scale is None:
        return None
    robust = plan(loss, f_scale, sigma_known)
    if robust is None:
        raise OptionError(f"f_scale = {f_scale!r} has no effect with loss='linear': leave it out")
    return robust


def _counts(
    family: Any, trials: Any, weights: Any, table: Any, sigma: Any, loss: Any, f_scale: Any, prior: Any,
    ridge: Any,
) -> Counts:  # fmt: skip
    given = {
        "sigma": sigma, "loss": None if loss == "linear" else loss, "f_scale": f_scale, "prior": prior,
        "ridge": ridge,
    }  # fmt: skip
    return counts_of(family, trials, weights, table, given)


def _run_counts(
    setup: Setup, counts: Counts, options: Options | None, watch: Callable[[Any], Any] | None
) -> FitResult:
    try:
        return fit_counts(setup, counted(counts, setup.data), options, watch)
    finally:
        if isinstance(watch, ProgressLine):
            watch.close()


def _count(starts: Any) -> int | None:
    whole = isinstance(starts, int | np.integer) and not isinstance(starts, bool)
    if starts is not None and not (whole and starts > 0):
        raise OptionError(f"starts = {starts!r}: a whole number of at least 1 is needed, or None")
    return None if starts is None else int(starts)


FORMULAS = (str, Formula)
SEARCHED = 2000
"""Points among which start values are searched."""


def run_one(
    setup: Setup, options: Options | None, watch: Callable[[Any], Any] | None, begin: Vector | None = None
) -> FitResult:
    """One fit from the start given, or found, or from all parameters at `begin`."""
    data, parameters = setup.data, setup.parameters
    y, w = data.flat()
    values = parameters.values
    found: Search | None = None
    unknown = parameters.any_unknown() or setup.starts is not None
    if begin is not None:
        values, unknown = begin, False
    elif unknown and data.whitening is not None:  # a start does not need correlations
        first = run_one(replace(setup, data=data.uncorrelated()), options, watch)
        values, found, unknown = first.x, first.search_counted, False
        watch = stop_at_once if first.status is Status.INTERRUPTED else watch
    elif unknown:
        values = parameters.provisional()
        few = thin(data, SEARCHED)
        if setup.starts is None and _only_linear_unknown(setup, values, options):
            unknown = False
        elif few is not None:
            ruled = _by_rule(setup, values, options, watch)
            if ruled is not None:
                values, found = ruled
                stopped = found.outcome.status is Status.INTERRUPTED
            else:  # a search in part of the data finds the same optimum sooner
                part = run_one(replace(setup, data=few), options, watch)
                values, found = part.x, part.search_counted
                stopped = part.status is Status.INTERRUPTED
            unknown, watch = False, stop_at_once if stopped else watch
    model = compile_model(setup.function, data.arguments, parameters.shapes)
    if data.whitening is None:
        problem = model.problem(data.arguments, y, w, values, parameters.free)
    else:
        problem = model.problem(data.arguments, y, None, values, parameters.free)
        problem = problem.with_whitening(data.whitening)
    check_used(model, parameters)
    terms, weighing, noise = setup.penalty, NO_ROUNDS, None
    if terms is not None:
        noise = first_noise(terms, data)
        problem = problem.with_penalty(terms.rows(1.0 if noise is None else noise))
    elif setup.loss is None:
        problem.project(parameters.bounded_positions)
    free = parameters.free_index
    try:
        if unknown:
            loss = setup.loss and _counting(setup.loss, w, terms, noise)
            work = Searching(model, problem, data, parameters, options, watch, loss, setup.starts)
            found = search(work.everywhere() if not parameters.any_unknown() else work)
            outcome = found.outcome
        elif setup.loss is None:
            outcome = minimize(
                problem, values[free], parameters.lower[free], parameters.upper[free], options, watch
            )
        else:
            box = parameters.lower[free], parameters.upper[free]
            wanted = _counting(setup.loss, w, terms, noise)
            outcome = minimize_robust(problem, wanted, values[free], *box, options, watch)
        if terms is not None and setup.loss is not None:
            weighing = weighed_by(outcome, noise)
        elif terms is not None:
            again = Refit(data.n_points, parameters.lower[free], parameters.upper[free], options, watch)
            outcome, weighing = settle(outcome, terms, noise, again, None if found else values[free])
    finally:
        if isinstance(watch, ProgressLine):
            watch.close()
    if not math.isfinite(outcome.cost):
        _refuse_start(problem, parameters, data)
    parts = (outcome, model, parameters, data, setup.title, found, setup.rebuild)
    return FitResult(*parts) if terms is None else PenalizedFit(terms, weighing, *parts)


def _only_linear_unknown(setup: Setup, values: Vector, options: Options | None) -> bool:
    """Will every parameter without start value be projected out? Then there is nothing to search."""
    projects = options is None or (options.method == "auto" and options.projection)
    if not projects or setup.loss is not None or setup.penalty is not None:
        return False
    data, parameters = setup.data, setup.parameters
    model = compile_model(setup.function, data.arguments, parameters.shapes)
    problem = model.problem(data.arguments, *data.flat(), values, parameters.free)
    problem.project(parameters.bounded_positions)
    missing = {k for k, i in enumerate(parameters.free) if math.isnan(parameters.values[i])}
    return missing <= set(problem.linear)


def _counting(loss: Plan, w: Vector | None, terms: PenaltyTerms | None, noise: float | None) -> Plan:
    """Only points with a weight tell the noise, by which the penalty is weighed."""
    counting = replace(loss, counted=None if w is None else w > 0.0)
    if terms is None:
        return counting
    return replace(counting, weigh=terms.rows, first=1.0 if noise is None else noise)


def _by_rule(
    setup: Setup, values: Vector, options: Options | None, watch: Callable[[Any], Any] | None
) -> tuple[Vector, Search] | None:
    """Where a start rule leads in all the data; a narrow peak may hide between the points of a part."""
    data, parameters = setup.data, setup.parameters
    model = compile_model(setup.function, data.arguments, parameters.shapes)
    problem = model.problem(data.arguments, *data.flat(), values, parameters.free)
    work = Searching(model, problem, data, parameters, options, watch, setup.loss, setup.starts)
    found = search_by_rule(work)
    if found is None:
        return None
    end = values.copy()
    end[parameters.free_index] = found.outcome.x
    return end, found.all_counted()


def _refuse_start(problem: Any, parameters: Parameters, data: Data) -> None:
    """The model is not finite at the start: name the first row and the parameter values."""
    x = parameters.values[parameters.free_index]
    f = problem.with_whitening(None).residuals(x)
    if np.isfinite(f).all():
        refuse_penalty(problem.penalty, parameters.free_names, x)
        return  # the sum of squares is beyond the range of numbers, the residuals are not
    row = int(np.argmax(~np.isfinite(f)))
    at = ", ".join(f"{n} = {v:g}" for n, v in zip(parameters.names, parameters.values.tolist(), strict=True))
    rows = data.arguments[0] if len(data.arguments) == 1 else None
    place = ""
    if isinstance(rows, np.ndarray) and rows.ndim == 1 and rows.size == f.size:
        place = f" ({data.names[0]} = {rows[row]:g})"
    raise DataError(f"the model is {f[row]} in row {row}{place} at the start {at}: choose another start")


def _check_constant(setup: Setup) -> None:
    """A constant response, or a constant independent variable, cannot tell several parameters apart."""
    data, n_free = setup.data, len(setup.parameters.free)
    if n_free < 2:
        return
    _refuse_constant(data.y, data.y_name, n_free)
    if len(data.arguments) == 1:
        argument = data.arguments[0]
        if isinstance(argument, np.ndarray) and argument.ndim == 1:
            _refuse_constant(argument, data.names[0], n_free)


def _refuse_constant(values: NDArray[Any], name: str, n_free: int) -> None:
    if values.size > 1 and values.item(0) == values.item(-1) and (values == values.item(0)).all():
        raise DataError(
            f"{name!r} is constant: all {values.size} values are {values.item(0):g}, "
            f"which cannot determine {n_free} parameters"
        )
