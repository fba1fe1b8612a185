"""``fit``: a model and data in, a certified result out."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, ModelError, OptionError, Status
from ..expr.formula import Formula, parse
from ..models.table import MODELS
from ..options import Options, chosen_options
from ..problem.callback import as_real
from ..problem.model import Model, compile_model
from ..solve.minimize import minimize
from ..solve.robust import Plan, minimize_robust, plan
from .columns import column, column_names, is_table, numbers, units
from .data import Data, convert, from_table, from_x, gather, plain_data, response_of, thin
from .parameters import Parameters, arrange, names_given, plain_parameters
from .penalized import NO_ROUNDS, PenalizedFit, Refit, first_noise, settle
from .penalty import PenaltyTerms, arrange_penalty, hints, refuse_penalty
from .progress import ProgressLine, observer
from .result import FitResult
from .signature import Signature, signature_of
from .start import Search, search, search_by_rule, stop_at_once

Vector = NDArray[np.float64]
Rebuild = Callable[[Any], tuple[tuple[Any, ...], tuple[int, ...]]]


@dataclass(slots=True)
class Setup:
    """A fit made ready: what is called, on which data, with which parameters."""

    function: Any
    title: str
    data: Data
    parameters: Parameters
    rebuild: Rebuild
    penalty: PenaltyTerms | None = None
    loss: Plan | None = None


def fit(
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
    prior: Any = None,
    ridge: Any = None,
    loss: str = "linear",
    f_scale: float | None = None,
    method: str = "auto",
    damping: str | None = None,
    acceleration: bool | None = None,
    options: Options | None = None,
    callback: Callable[[Any], Any] | None = None,
    missing: str = "error",
) -> FitResult:
    """Fit a curve: minimize ``Σ w² (model - y)²`` over the parameters of `model`.

    model : a plain NumPy function ``f(x, a, b, ...)`` or a formula such as ``"v ~ Vmax*S/(Km + S)"``.
        Arguments without default after the independent variables are parameters (if there are none,
        those with a numeric default, which is then their start); other arguments keep their value.
    x : the independent variable(s): an array, a tuple of arrays, a (k, N) array, a table of columns.
    y : the response: an array, or the name of a column of `data`.
    data : any table of columns (dict, DataFrame, structured array); the arguments of the function that
        are named like columns, and the names in a formula, are taken from it.
    start : values by name or in order; optional, wholly or in part. An array for a vector parameter.
    bounds : ``{"Km": (0, None)}``, or a pair of lower and upper values as in SciPy.
    fixed : ``{"c": 0}``, or names to hold at their start.
    sigma : known standard deviations (a number, an array or a column): the covariance is not rescaled.
    weights : relative weights of the squared residuals.
    prior : what is known beforehand, ``{"Km": (mean, sd)}``: ``(Km - mean)² / (2 sd²)`` is added to the cost,
        in units of the noise, which is estimated where no sigma is given.
    ridge : a number, or one by name: ``ridge/2 Σ x²`` is added to the cost as it is.
    loss : "linear" (squares), or for data with outliers "huber", "soft_l1", "cauchy", "arctan",
        "geman_mcclure", "tukey", "welsch", "barron(alpha)": the cost is ``1/2 Σ c² ρ((f/c)²)``. From "cauchy"
        on they start from a fit with "huber", as such costs have several minima.
    f_scale : c, where weighted residuals f begin to count as outliers; None takes it from the noise, which
        is 1 with sigma and is else estimated by the median absolute residual.
    method : how steps are made: "auto", or one of the classic methods that `Options.method` lists.
    damping : "nielsen", "classic" or "delayed": how the damping of "levenberg" and "marquardt" moves.
    acceleration : whether steps are bent by the geodesic acceleration; None: "auto" does.
    callback : called with the progress (``nfev, njev, cost, x``); returning True stops the fit.
    missing : "error" names the first row with a missing value; "drop" drops and counts such rows.

    Raises DataError, ParameterError, ModelError, FormulaError or OptionError, each naming the guilty thing.

    >>> import numpy as np
    >>> t = np.linspace(0, 4, 9)
    >>> result = fit("y ~ a*exp(-b*t)", data={"t": t, "y": 3 * np.exp(-0.5 * t)}, start={"a": 1, "b": 1})
    >>> round(result.params["b"].value, 6)
    0.5
    """
    options = chosen_options(options, method, damping, acceleration)
    robust = _plan(loss, f_scale, sigma is not None, prior is not None or ridge is not None)
    named = None if prior is None and ridge is None else hints(prior, ridge)
    if isinstance(model, FORMULAS):
        setup = _from_formula(model, x, y, data, start, bounds, fixed, sigma, weights, missing, named)
    else:
        setup = _from_function(model, x, y, data, start, bounds, fixed, sigma, weights, missing, named)
    if named is not None:
        setup.penalty = arrange_penalty(prior, ridge, setup.parameters)
    setup.loss = robust
    if setup.penalty is None:
        _check_constant(setup)
    result = _run(setup, options, observer(callback))
    if data is not None:
        result.units = units(data)
    return result


def _plan(loss: Any, f_scale: Any, sigma_known: bool, penalized: bool) -> Plan | None:
    if loss == "linear" and f_scale is None:
        return None
    robust = plan(loss, f_scale, sigma_known)
    if robust is None:
        raise OptionError(f"f_scale = {f_scale!r} has no effect with loss='linear': leave it out")
    if penalized:
        raise OptionError(
            f"loss = {loss!r} cannot be had with prior= or ridge= as yet: leave out one of them"
        )
    return robust


FORMULAS = (str, Formula)
SEARCHED = 2000
"""Points among which start values are searched."""


def _run(setup: Setup, options: Options | None, watch: Callable[[Any], Any] | None) -> FitResult:
    data, parameters = setup.data, setup.parameters
    y, w = data.flat()
    values = parameters.values
    found: Search | None = None
    unknown = parameters.any_unknown()
    if unknown:
        values = parameters.provisional()
        few = thin(data, SEARCHED)
        if few is not None:
            ruled = _by_rule(setup, values, options, watch)
            if ruled is not None:
                values, found = ruled
                stopped = found.outcome.status is Status.INTERRUPTED
            else:  # a search in part of the data finds the same optimum sooner
                part = _run(replace(setup, data=few), options, watch)
                values, found = part.x, part.search_done
                stopped = part.status is Status.INTERRUPTED
            unknown, watch = False, stop_at_once if stopped else watch
    model = compile_model(setup.function, data.arguments, parameters.shapes)
    problem = model.problem(data.arguments, y, w, values, parameters.free)
    _check_used(model, parameters)
    terms, weighing = setup.penalty, NO_ROUNDS
    if terms is not None:
        noise = first_noise(terms, data)
        problem = problem.with_penalty(terms.rows(1.0 if noise is None else noise))
    free = parameters.free_index
    try:
        if unknown:
            found = search(model, problem, data, parameters, options, watch)
            outcome = found.outcome
        elif setup.loss is None:
            outcome = minimize(
                problem, values[free], parameters.lower[free], parameters.upper[free], options, watch
            )
        if setup.loss is not None and not (unknown and outcome.status is Status.INTERRUPTED):
            wanted = replace(setup.loss, counted=None if w is None else w > 0.0)
            begin, before = (outcome.x, outcome) if unknown else (values[free], None)
            box = parameters.lower[free], parameters.upper[free]
            outcome = minimize_robust(problem, wanted, begin, *box, options, watch)
            if before is not None:
                outcome.add(before.nfev, before.njev)
        if terms is not None:
            again = Refit(data.n_points, parameters.lower[free], parameters.upper[free], options, watch)
            outcome, weighing = settle(outcome, terms, noise, again, None if found else values[free])
    finally:
        if isinstance(watch, ProgressLine):
            watch.close()
    if not math.isfinite(outcome.cost):
        _refuse_start(problem, parameters, data)
    parts = (outcome, model, parameters, data, setup.title, found, setup.rebuild)
    return FitResult(*parts) if terms is None else PenalizedFit(terms, weighing, *parts)


def _by_rule(
    setup: Setup, values: Vector, options: Options | None, watch: Callable[[Any], Any] | None
) -> tuple[Vector, Search] | None:
    """Where a start rule leads in all the data; a narrow peak may hide between the points of a part."""
    data, parameters = setup.data, setup.parameters
    model = compile_model(setup.function, data.arguments, parameters.shapes)
    problem = model.problem(data.arguments, *data.flat(), values, parameters.free)
    found = search_by_rule(model, problem, data, parameters, options, watch)
    if found is None:
        return None
    end = values.copy()
    end[parameters.free_index] = found.outcome.x
    nfev, njev = found.nfev + int(found.outcome.nfev), found.njev + int(found.outcome.njev)
    return end, replace(found, nfev=nfev, njev=njev)


def _refuse_start(problem: Any, parameters: Parameters, data: Data) -> None:
    """The model is not finite at the start: name the first row and the parameter values."""
    x = parameters.values[parameters.free_index]
    f = problem.residuals(x)
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


# ----------------------------------------------------------------------------------------------- functions


def _from_function(
    function: Callable[..., Any], x: Any, y: Any, data: Any,
    start: Any, bounds: Any, fixed: Any, sigma: Any, weights: Any, missing: str, named: dict[str, Any] | None,
) -> Setup:  # fmt: skip
    if not callable(function):
        raise ModelError(f"the model must be a function or a formula, not {type(function).__name__}")
    signature = signature_of(function)
    plain = plain_data(x, y) if data is None and sigma is None and weights is None else None
    if (
        plain is not None
        and bounds is None
        and fixed is None
        and named is None
        and signature.simple is not None
    ):
        names = signature.plain_parameters
        if signature.defaults and type(start) is dict:  # an argument with a default may be named
            names = signature.parameters(signature.simple, frozenset(start))
        parameters = plain_parameters(names, start)
        if parameters is not None:
            plain.names = signature.simple
            rebuild = _Rebuild(signature, signature.simple, names)
            return Setup(signature.function, signature.name, plain, parameters, rebuild)
    return _with_care(signature, x, y, data, start, bounds, fixed, sigma, weights, missing, named)


def _with_care(
    signature: Signature, x: Any, y: Any, table: Any,
    start: Any, bounds: Any, fixed: Any, sigma: Any, weights: Any, missing: str, named: dict[str, Any] | None,
) -> Setup:  # fmt: skip
    by_name = start if isinstance(start, dict) or hasattr(start, "items") else None
    mentioned = names_given(by_name, bounds, fixed, named)
    mentioned &= frozenset((*signature.required, *signature.defaults))
    if table is None and is_table(x) and isinstance(y, str):
        table, x = x, None
    if y is None:
        raise DataError("y is needed: the response, as an array or as the name of a column of data=")
    if table is not None:
        independent, arguments = from_table(signature, table, x, y, mentioned)
    else:
        n_start = len(start) if isinstance(start, list | tuple | np.ndarray) else None
        independent, arguments = from_x(signature, x, int(np.size(y)), mentioned, n_start)
    response, y_name = response_of(y, table)
    names = signature.parameters(independent, mentioned)
    if not names:
        raise ModelError(
            f"`{signature.name}` has no parameter: no argument without default after the independent ones"
        )
    parameters = arrange(names, signature.defaults, start, bounds, fixed, signature.star, named)
    function = signature.callable(independent, names)

    def length(arguments: tuple[Any, ...]) -> int | None:
        return _length(function, arguments, parameters)

    gathered = gather(arguments, independent, response, y_name, sigma, weights, table, missing, length)
    return Setup(function, signature.name, gathered, parameters, _Rebuild(signature, independent, names))


def _length(function: Any, arguments: tuple[Any, ...], parameters: Parameters) -> int | None:
    """How many numbers the function gives at the start (a complex one is two); None where it raises."""
    values = parameters.provisional()
    try:
        return as_real(Model(function, parameters.shapes, {}).call(arguments, values)).size
    except Exception:
        return None


class _Rebuild:
    """New values of the independent variables in the form the model takes."""

    __slots__ = ("independent", "names", "signature")

    def __init__(self, signature: Signature, independent: tuple[str, ...], names: tuple[str, ...]) -> None:
        self.signature, self.independent, self.names = signature, independent, names

    def __call__(self, x: Any) -> tuple[tuple[Any, ...], tuple[int, ...]]:
        count = len(self.independent)
        if is_table(x):
            have = column_names(x)
            arguments: tuple[Any, ...]
            if all(n in have for n in self.independent):
                arguments = tuple(column(x, n) for n in self.independent)
            else:
                arguments = ({n: column(x, n) for n in have},)
        elif count > 1:
            arguments = _several(x, self.independent)
        else:
            arguments = (convert(x, self.independent[0]),) if count else ()
        return _broadcast(arguments)


def _several(x: Any, names: tuple[str, ...]) -> tuple[Any, ...]:
    if not hasattr(x, "__len__") or len(x) != len(names):
        raise DataError(f"{len(names)} independent variables are needed: a tuple ({', '.join(names)})")
    return tuple(convert(a, n) for a, n in zip(x, names, strict=True))


def _broadcast(arguments: tuple[Any, ...]) -> tuple[tuple[Any, ...], tuple[int, ...]]:
    """Arguments as arrays of at least one dimension, and the shape of the prediction."""
    if not all(isinstance(a, np.ndarray) for a in arguments):
        flat = arguments[0] if arguments else ()
        parts = (
            list(flat.values()) if isinstance(flat, dict) else list(flat) if isinstance(flat, tuple) else []
        )
        return arguments, np.shape(parts[0]) if parts else ()
    shape = np.broadcast_shapes(*[a.shape for a in arguments])
    if len(arguments) == 1 and arguments[0].ndim == 2:
        return arguments, (-1,)  # rows of a (k, N) array: the model says how long
    return tuple(np.ascontiguousarray(np.broadcast_to(a, shape or (1,))).ravel() for a in arguments), shape


# ------------------------------------------------------------------------------------------------ formulas


def _from_formula(
    model: str | Formula, x: Any, y: Any, data: Any,
    start: Any, bounds: Any, fixed: Any, sigma: Any, weights: Any, missing: str, named: dict[str, Any] | None,
) -> Setup:  # fmt: skip
    table = data
    if table is None:
        table = {n: column(x, n) for n in column_names(x)} if is_table(x) else {} if x is None else {"x": x}
        if isinstance(x, tuple | list) and np.ndim(x[0] if len(x) else 0) > 0:
            raise DataError(
                "a formula takes several independent variables by name: data={'x': ..., 'z': ..., 'y': ...}"
            )
        if y is not None and not isinstance(y, str):
            table = {**table, "y": y}
    elif x is not None:
        raise DataError("with data= a formula takes its columns by name; leave x out")
    known = column_names(table)
    formula = parse(model, known, MODELS) if isinstance(model, str) else model
    if not formula.data_names and known:
        raise ModelError(f"the formula {formula.text!r} uses none of the columns ({', '.join(known)})")
    response, y_name = _response(formula, y, table)
    arguments = tuple(column(table, n) for n in formula.data_names)
    gathered = gather(arguments, formula.data_names, response, y_name, sigma, weights, table, missing)
    if not formula.param_names:
        raise ModelError(f"the formula {formula.text!r} has no parameter: every name in it is a column")
    plain = bounds is None and fixed is None and named is None
    parameters = plain_parameters(formula.param_names, start) if plain else None
    if parameters is None:
        parameters = arrange(formula.param_names, {}, start, bounds, fixed, hints=named)
    return Setup(formula, formula.text, gathered, parameters, _RebuildFormula(formula.data_names))


def _response(formula: Formula, y: Any, table: Any) -> tuple[Any, str]:
    if formula.response is not None:
        left = formula.response
        if isinstance(y, str) or (y is not None and "y" not in left.data_names):
            raise DataError("the response is given twice: by the left side of the formula and by y=")
        columns = {n: column(table, n) for n in left.data_names}
        if left.param_names:
            raise DataError(
                f"the left side of the formula names {left.param_names[0]!r}, which is no column "
                f"(columns: {', '.join(column_names(table))})"
            )
        if left.node.op == "data":
            return columns[left.data_names[0]], left.text.strip()
        return left(columns), left.text.strip()
    if y is None:
        raise DataError("a formula without left side needs y=: 'y ~ ...' names the response")
    return response_of(y, table)


class _RebuildFormula:
    __slots__ = ("names",)

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names

    def __call__(self, x: Any) -> tuple[tuple[Any, ...], tuple[int, ...]]:
        if is_table(x):
            return _broadcast(tuple(column(x, n) for n in self.names))
        if len(self.names) == 1:
            return _broadcast((numbers(x, self.names[0]),))
        return _broadcast(_several(x, self.names))


# -------------------------------------------------------------------------------------------------- checks


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


def _check_used(model: Model, parameters: Parameters) -> None:
    """A parameter that does not appear in the traced expression is a mistake in the model."""
    for i in model.unused():
        if i in parameters.free:
            raise ModelError(
                f"parameter {parameters.names[i]!r} is not used by the model: remove it, or hold it with "
                f"fixed={{{parameters.names[i]!r}: value}}"
            )
