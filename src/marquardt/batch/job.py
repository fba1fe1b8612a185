"""What the caller of `fit_many` gave, checked before any work: shapes, names, bounds, masks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..curve.columns import column_names, is_table, numbers
from ..curve.parameters import Parameters
from ..curve.setup import Request, Setup, from_function
from ..curve.setup_formula import from_formula
from ..errors import DataError, ModelError, OptionError, ParameterError
from ..expr.formula import Formula
from ..masked import is_masked_array
from ..problem.likelihood import FAMILIES
from ..problem.model import compile_model
from ..solve.robust import Plan, plan
from .differing import box_of, column, common, held, starts, widest
from .places import Columns, Places

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Job:
    """Many fits made ready: k fits of m points, numbered in the order of the grid."""

    setup: Setup
    """One of them as a single fit: its model and parameters; its response is of no account."""
    places: Places
    x: tuple[Array, ...]
    """Independent variables, each (m,), shared by all fits, or (k, m)."""
    y: Array
    """(k, m), as it came."""
    weights: Array | None
    """Square roots of the weights, 1/sigma where that is known; with a family how often a point counts."""
    trials: Array | None
    mask: Array | None
    """True where a point counts. These three are (1,), (m,), (k, 1) or (k, m)."""
    start: Array | Columns
    """Free parameters, (p,) or (k, p); NaN where none is known."""
    fixed: Array | None
    """(k, h), where values that are held differ between fits."""
    box: tuple[Array, Array]
    """Lower and upper bounds of the free parameters, (p,) or (k, p)."""
    search: bool
    """Is every fit searched for its start like a single one?"""
    known_sigma: bool
    loss: Plan | None
    loss_given: str
    family: str | None
    precision: str

    @property
    def is_plain(self) -> bool:
        """Squares of points that all count, unless their values are missing?"""
        return self.weights is None and self.mask is None and self.loss is None and self.family is None

    @property
    def scaled(self) -> bool:
        """Are errors scaled by the reduced chi-square, as nothing is known of the noise?"""
        return not (self.known_sigma or self.loss is not None or self.family is not None)

    @property
    def parameters(self) -> Parameters:
        return self.setup.parameters

    def start_of(self, n: int) -> Array:
        """Starts of free parameter n, (k,) or () for all fits."""
        return np.asarray(column(self.start, n))

    def __len__(self) -> int:
        return len(self.y)


def job_of(
    model: Any,
    x: Any,
    data: Any,
    *,
    start: Any = None,
    bounds: Any = None,
    fixed: Any = None,
    sigma: Any = None,
    weights: Any = None,
    loss: Any = "linear",
    f_scale: float | None = None,
    family: str | None = None,
    trials: Any = None,
    mask: Any = None,
    precision: str = "double",
) -> Job:
    """Check and arrange what `fit_many` was given.

    Raises DataError, ParameterError, ModelError, FormulaError or OptionError, naming what is wrong.
    """
    if precision not in ("double", "single"):
        raise OptionError(f"precision = {precision!r}: there are 'double' and 'single'")
    y = _response(data)
    names, parts = _variables(model, x)
    places = Places.of([np.shape(part) for part in parts], y.shape)
    search = isinstance(start, str)
    if search and start != "search":
        raise OptionError(f"start = {start!r}: values, 'search', 'neighbours' or None are needed")
    start = None if search else start
    first = [places.of_one(part) for part in parts]
    setup = _one_fit(model, names, first, start, widest(bounds, places), fixed, places)
    box = box_of(bounds, setup.parameters, places)
    if names is not None:  # a formula may take them in another order, and not all
        parts = [parts[names.index(name)] for name in setup.data.names if name in names]
    _check_family(family, trials, sigma, loss, f_scale)
    known = sigma is not None
    return Job(
        setup=setup,
        places=places,
        x=tuple(places.variable(part) for part in parts),
        y=places.table(y),
        weights=_square_roots(sigma, weights, places, family),
        trials=None if trials is None else _positive(places.beside(trials, "trials"), "trials", places),
        mask=None if mask is None else places.beside(mask, "mask", truth=True),
        start=starts(start, setup.parameters, box, places),
        box=box,
        search=search,
        fixed=held(fixed, setup.parameters, places),
        known_sigma=known,
        loss=plan(loss, f_scale, known),
        loss_given=loss,
        family=family,
        precision=precision,
    )


def _response(data: Any) -> Array:
    y = _array(data, "the data")
    if y.dtype.kind == "c":
        raise DataError("the data are complex: fit them one by one with fit()")
    if y.dtype.kind not in "biuf":
        raise DataError(f"the data are of type {y.dtype}, not real numbers")
    if y.size == 0 or y.ndim == 0:
        raise DataError(f"there are no data: their shape is {y.shape}")
    if y.ndim == 1:
        raise DataError(f"the data have the shape {y.shape}: one set of data is for fit(), or give it as [y]")
    return y


def _array(values: Any, name: str) -> Array:
    """An array as it lies; what a NumPy mask hides is missing."""
    if is_masked_array(values) and values.mask.any():
        return numbers(values, name)
    try:
        return np.asarray(values)
    except ValueError:
        raise DataError(
            f"{name} are lists of different lengths: fill them up with NaN, or give a table to fit_groups()"
        ) from None


def _variables(model: Any, x: Any) -> tuple[list[str] | None, list[Array]]:
    """The independent variables, with their names where they have some."""
    if is_table(x):
        names = list(column_names(x))
        return names, [_numbers(x[name], name) for name in names]
    if isinstance(x, tuple):
        if isinstance(model, str | Formula):
            raise DataError("a formula takes its variables by name: x={'x': ..., 'y': ...}")
        return None, [_numbers(part, f"x[{k}]") for k, part in enumerate(x)]
    return None, [_numbers(x, "x")]


def _numbers(values: Any, name: str) -> Array:
    array = _array(values, name)
    if array.dtype.kind not in "biuf":
        raise DataError(f"{name!r} is of type {array.dtype}, not real numbers")
    found = np.ascontiguousarray(array, dtype=np.float64)
    if not np.isfinite(found).all():
        raise DataError(f"{name!r} holds a value that is not finite: only the data may have missing values")
    return found


def _one_fit(
    model: Any,
    names: list[str] | None,
    parts: list[Array],
    start: Any,
    bounds: Any,
    fixed: Any,
    places: Places,
) -> Setup:
    """The first of the fits as `fit` would make it ready."""
    x: Any = parts[0] if len(parts) == 1 else tuple(parts)
    if names is not None:
        x = dict(zip(names, parts, strict=True))
    start, fixed = common(start, "start", places), common(fixed, "fixed", places)
    wanted = Request(x, np.zeros(places.m), None, start, bounds, fixed, None, None, "error", None, None)
    if isinstance(model, str) and "~" in model:
        model = model.partition("~")[2]  # the left side is a name for the data
    setup = from_formula(model, wanted) if isinstance(model, str | Formula) else from_function(model, wanted)
    if setup.parameters.relations is not None:
        raise OptionError("bounds on expressions of parameters cannot be had in fit_many: use fit()")
    if not all(isinstance(a, np.ndarray) and a.size == places.m for a in setup.data.arguments):
        raise DataError("fit_many needs a model of plain variables, one number for each point: f(x, y, a, b)")
    _check_length(setup, places)
    return setup


def _check_length(setup: Setup, places: Places) -> None:
    """Does the model give a number for each point?"""
    p = setup.parameters
    model = compile_model(setup.function, setup.data.arguments, p.shapes)
    vectors = {name: shape for name, shape in p.shapes.items() if shape}
    made: int | None
    try:
        made = model.call(setup.data.arguments, p.provisional()).size
    except ValueError:
        made = None if vectors else places.m  # whatever it is, the search tells
    if made in (1, places.m):
        return
    if vectors:
        name, shape = next(iter(vectors.items()))
        raise ParameterError(
            f"{name!r} has the shape {shape}, with which the model does not give {places.m} numbers: a start "
            f"or fixed value is a number, one for each fit, {places.grid}, or what the model itself takes"
        )
    raise ModelError(f"`{setup.title}` gives {made} numbers for {places.m} points")


# ------------------------------------------------------------------------------------------ weights, families


def _square_roots(sigma: Any, weights: Any, places: Places, family: str | None) -> Array | None:
    if sigma is not None and weights is not None:
        raise OptionError("sigma= and weights= say the same: give one of them")
    if sigma is not None:
        return 1.0 / _positive(places.beside(sigma, "sigma"), "sigma", places)
    if weights is None:
        return None
    found = places.beside(weights, "weights")
    bad = found < 0.0
    if bad.any():
        where = places.told(np.unravel_index(int(np.argmax(bad)), bad.shape), bad.shape)
        raise DataError(f"weights is {found[bad][0]:g}{where}: a weight must not be negative")
    return found if family else np.sqrt(found)


def _positive(values: Array, name: str, places: Places) -> Array:
    """Values above zero; NaN, which is missing, may be among them."""
    bad = values <= 0.0
    if bad.any():
        where = places.told(np.unravel_index(int(np.argmax(bad)), bad.shape), bad.shape)
        value = values[bad][0]
        raise DataError(f"{name} is {value:g}{where}: it must be positive; mask= leaves points out")
    return values


def _check_family(family: Any, trials: Any, sigma: Any, loss: Any, f_scale: Any) -> None:
    if family is None:
        if trials is not None:
            raise OptionError("trials= are those of family='binomial': say so, or leave them out")
        return
    if family not in FAMILIES:
        raise OptionError(f"family = {family!r} is unknown; there are {', '.join(map(repr, FAMILIES))}")
    if sigma is not None:
        raise OptionError(f"sigma= with family={family!r}: the scatter of counts follows from their mean")
    if loss != "linear" or f_scale is not None:
        raise OptionError(f"loss= with family={family!r}: a likelihood is a cost of its own")
    if (family == "binomial") != (trials is not None):
        raise OptionError("family='binomial' needs trials=, the number of trials; other families have none")
