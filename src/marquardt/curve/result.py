"""What a fit of a curve returns: a `Result` with what belongs to data and curve."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..problem.losses import good_noise
from ..problem.model import compile_model
from ..solve.estimates import Parameter, ParameterTable
from ..solve.result import Matrix, Result, Vector
from ..stats import (
    Band,
    Goodness,
    Outlier,
    PenaltyReport,
    delta_variance,
    goodness,
    outliers,
    quantile,
)  # fmt: skip
from .data import Data
from .derived import covariance_of, estimate, related_table
from .goodness import GoodnessNumbers
from .parameters import Parameters
from .weights import MU

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from .multistart import Multistart
    from .search import Search


@dataclass(frozen=True)
class Reweighting:
    """How sigma or weights were found that follow from the prediction."""

    name: str
    """"sigma" or "weights"."""
    formula: str
    rounds: int
    settled: bool
    """Are the weights those of the curve?"""
    change: float
    """The largest relative change of a weight that the last round but one asked for."""


class FitResult(GoodnessNumbers, Result):
    """A finished fit: estimates, uncertainties, goodness, and the proof.

    ``names`` are all parameters (vector parameters as ``p[0], p[1], ...``), ``x`` their values;
    ``covariance`` and ``correlation`` have one row per *free* parameter, ``free_names``. With ``ties`` or
    bounds on expressions these three are about what was fitted: tied parameters are in ``params`` and
    ``derived``, and a bounded expression stands for the parameter whose place it took.
    ``residuals`` are ``(model - y) * w`` in the order of the data; where errors are correlated
    ``L^-1 (model - y)``, L the Cholesky factor of their covariance.
    """

    evidence = "data"
    reweighting: Reweighting | None = None
    """The rounds it took where sigma or weights are a formula of the prediction."""
    _parameters: Parameters

    def __init__(
        self,
        outcome: Any,
        model: Any,
        parameters: Parameters,
        data: Data,
        title: str,
        search: Search | None,
        rebuild: Callable[[Any], tuple[tuple[Any, ...], tuple[int, ...]]],
    ) -> None:
        super().__init__(outcome, parameters, title)
        self._model, self._data, self._search, self._rebuild = model, data, search, rebuild

    # ---------------------------------------------------------------------------------- estimates, goodness

    @property
    def values(self) -> dict[str, Any]:
        """Values by parameter: floats, and arrays for vector parameters."""
        return self._parameters.nested(self.x)

    @cached_property
    def params(self) -> ParameterTable:
        """All parameters by name, tied ones included, and bounded expressions: each with ``value``,
        ``stderr`` and ``interval(level)``."""
        fitted, relations = super().params, self._parameters.relations
        return fitted if relations is None else related_table(self, fitted, relations)

    @property
    def derived(self) -> ParameterTable:
        """The tied parameters and bounded expressions, with standard errors by the delta method."""
        return ParameterTable(tuple(p for p in self.params.values() if p.expression))

    def evaluate(self, expression: str) -> Parameter:
        """Any expression of the parameters, such as ``"Vmax/Km"``, with standard error and interval.

        ``sqrt(g' C g)`` with the exact gradient g of the expression by the free parameters and their
        covariance C: the delta method, which is linear. What is determined has a finite one even where
        single parameters are not. Components of vectors are written ``p[0]``. Raises ParameterError for an
        unknown name and FormulaError for what cannot be read.
        """
        return estimate(self, expression)

    def covariance_of(self, *expressions: str) -> Matrix:
        """Covariance of parameters and expressions of them by the delta method, one row for each."""
        return covariance_of(self, expressions)

    @property
    def sigma_known(self) -> bool:
        """Were standard deviations given (``sigma=``)? Then the covariance is not scaled by s²."""
        return self._data.sigma is not None

    @property
    def chi2(self) -> float | None:
        """Chi-square: `rss` when standard deviations are known, otherwise None."""
        return self.rss if self.sigma_known else None

    @cached_property
    def goodness(self) -> Goodness:
        """All goodness numbers at once."""
        y, w = self._data.flat()
        n_free, n_points, white = len(self._parameters.free), self._data.n_points, self._data.whitening
        found = goodness(self.rss, y, w, n_points, n_free, self._n_determined, self.sigma_known, white)
        return found if self.loss is None else without_likelihood(found)

    @cached_property
    def noise(self) -> float:
        """Standard deviation of the (weighted) residuals that are no outliers; see `good_noise`."""
        w = self._data.flat()[1]
        return good_noise(self.residuals if w is None else self.residuals[w > 0.0], self._n_determined)

    @cached_property
    def outliers(self) -> tuple[Outlier, ...]:
        """Rows whose residuals are too large for the noise, by control of the false discovery rate.

        So many are flagged that 1 % of them are expected to be none (ROUT: Motulsky, Brown 2006). They should
        be looked for with a robust ``loss``: squares let outliers hide one another.
        """
        f, rows = self._judged(), self._data.rows
        noise, dof = (1.0, None) if self.sigma_known else (self.noise, self.dof)
        x, _ = self.single_x
        size = self.observed.size  # complex ones have two residuals
        found: dict[int, Outlier] = {}
        for i in outliers(f, noise, dof).tolist():
            k = i % size
            row = k if rows is None else int(rows[k])
            where = float(x[k]) if x is not None and x.size == size else math.nan
            t = float(f[i]) / noise if noise else math.copysign(math.inf, f[i])
            if row not in found or abs(t) > abs(found[row].t):
                found[row] = Outlier(row, where, float(f[i]), t)
        return tuple(found[row] for row in sorted(found))

    def _judged(self) -> Vector:
        """Residuals by which outliers are known."""
        return self.residuals

    @property
    def family(self) -> str | None:
        """The family of a fit of counts; None for other data."""
        return None

    @property
    def n_points(self) -> int:
        """Data points used (weight above zero)."""
        return self._data.n_points

    @cached_property
    def advice(self) -> tuple[str, ...]:
        """What is weak about this fit and what to do about it; empty for a sound one."""
        from ..report.advice import curve_advice

        return curve_advice(self)

    # ------------------------------------------------------------------------------------------ the way here

    @property
    def derivative(self) -> str:
        """How derivatives were made: ``exact (traced)`` or ``finite differences: <why>``."""
        return str(self._model.derivative)

    @property
    def linear_params(self) -> tuple[str, ...]:
        """Parameters in which the model is linear, given the others: what the search projects out.

        Empty where all are searched: with bounds on them, a prior, a loss, a classic method, or no trace.
        """
        return tuple(self.free_names[k] for k in self._outcome.linear)

    @property
    def nfev(self) -> int:
        """Evaluations of the residuals, those of a search for start values included."""
        return int(self._outcome.nfev) + (self._search.nfev if self._search else 0)

    @property
    def njev(self) -> int:
        """Evaluations of the Jacobian, those of a search for start values included."""
        return int(self._outcome.njev) + (self._search.njev if self._search else 0)

    @property
    def multistart(self) -> Multistart | None:
        """The search for a start: starts, distinct optima, ranges; None where start values were given."""
        return None if self._search is None else self._search.multistart

    @property
    def search_counted(self) -> Search | None:
        """The search for start values with the evaluations of its final fit counted in."""
        if self._search is None:
            return None
        return replace(self._search, nfev=self.nfev, njev=self.njev)

    @property
    def penalty(self) -> PenaltyReport | None:
        """What ``prior=`` and ``ridge=`` did, by parameter; None without them."""
        return None

    @property
    def dropped(self) -> int:
        """Rows dropped because a value was missing."""
        return self._data.dropped

    # -------------------------------------------------------------------------------------------- the curve

    def predict(self, x: Any = None) -> NDArray[Any]:
        """The model at new values of the independent variables (in any form `fit` takes), or at the data."""
        arguments, shape = self._new(x)
        return _shaped(self._at(self._outcome.x, arguments), shape)

    def band(self, x: Any = None, level: float = 0.95, *, prediction: bool = False) -> Band:
        """Pointwise confidence band by the delta method; with ``prediction=True`` for new observations.

        ``value ± t sqrt(g' C g)``, g the gradient of the model by the parameters and C their covariance;
        a new observation adds its own variance: s², or what a formula of the prediction tells there.
        Returns ``(lower, upper)``, of complex values a band of each part.
        """
        return self._band(*self._new(x), level, prediction)

    def _band(
        self, arguments: tuple[Any, ...], shape: tuple[int, ...], level: float, prediction: bool
    ) -> Band:
        center = _shaped(self._at(self._outcome.x, arguments), shape)
        variance = delta_variance(self._gradient(arguments), self._unscaled.space) * self._variance_factor
        if prediction:
            variance = variance + self._variance_at(center, arguments)
        half = quantile(level, self._interval_dof) * np.sqrt(variance)
        if center.dtype.kind == "c":
            half = half[: center.size] + 1j * half[center.size :]
        half = _shaped(half, center.shape)
        return Band(center - half, center + half)

    def _variance_at(self, center: NDArray[Any], arguments: tuple[Any, ...]) -> Any:
        """Variance of one new observation where the curve is `center`."""
        formula = self._data.of_prediction
        if formula is None:
            return self.typical_variance
        columns = dict(zip(self._data.names, arguments, strict=True))
        if not all(n in columns or n == MU for n in formula.formula.data_names):
            return self.typical_variance  # another column, of which nothing is known at new points
        found = formula.at(center, columns)
        variance = found**2 if formula.name == "sigma" else self._variance_factor / found
        return np.concatenate([variance, variance]) if center.dtype.kind == "c" else variance

    def _new(self, x: Any) -> tuple[tuple[Any, ...], tuple[int, ...]]:
        return (self._data.arguments, self._data.y.shape) if x is None else self._rebuild(x)

    def _at(self, x: Vector, arguments: tuple[Any, ...]) -> NDArray[Any]:
        values = self._parameters.values.copy()
        values[list(self._parameters.free)] = x
        return np.asarray(self._model.call(arguments, values))

    def gradient_at(self, x: Any) -> Matrix:
        """Derivatives of the model by the free parameters at new values of x, one row per point."""
        return self._gradient(self._new(x)[0])

    def _gradient(self, arguments: tuple[Any, ...]) -> Matrix:
        function, x = self._model.function, self._outcome.x
        model = self._model
        if model.reason is None:  # a trace belongs to arguments of one shape
            model = compile_model(function, arguments, model.shapes, model.options)
        problem = model.problem(arguments, None, None, self.x, self._parameters.free)
        return np.asarray(problem.jacobian(x))

    # --------------------------------------------------------------------------------- what reports look at

    @property
    def sample(self) -> FitResult:
        """Itself; of long data the same end on a sample of their rows, for what looks at single points."""
        return self

    @property
    def observed(self) -> NDArray[Any]:
        """The response that was fitted."""
        return self._data.y

    @property
    def rows(self) -> NDArray[np.intp] | None:
        """Positions of the rows used in the data given; None: all."""
        return self._data.rows

    @property
    def response_name(self) -> str:
        return self._data.y_name

    @property
    def sigma(self) -> Vector | None:
        """Known standard deviations, flat; of complex data one per point, or per number, real parts first."""
        return self._data.sigma

    @property
    def correlated(self) -> bool:
        """Was sigma a covariance matrix? Then ``residuals`` are whitened."""
        return self._data.whitening is not None

    @property
    def weighted(self) -> bool:
        """Were sigma or weights given?"""
        return self._data.w is not None

    @property
    def single_x(self) -> tuple[Vector | None, str]:
        """The independent variable and its name where there is just one column of it, else None."""
        arguments, names = self._data.arguments, self._data.names
        if len(arguments) == 1 and isinstance(arguments[0], np.ndarray) and arguments[0].ndim == 1:
            return arguments[0], names[0]
        return None, ""

    @property
    def typical_variance(self) -> float:
        """Variance of one observation of average weight; after a robust fit that of the good ones."""
        w = self._data.w
        used = 1.0 if w is None else float(np.mean(w[w > 0.0] ** 2))
        robust = self.loss is not None and not self.sigma_known
        return (self.noise**2 if robust else self._variance_factor) / used

    @property
    def response_size(self) -> float:
        """Root mean square of the weighted response."""
        y, w = self._data.flat()
        y = y if w is None else y * w
        largest = float(np.abs(y).max(initial=0.0))
        return largest * math.sqrt(float(np.mean((y / largest) ** 2))) if largest else 0.0

    # ---------------------------------------------------------------------------------------------- showing

    def plot(self, level: float = 0.95) -> Figure:
        """Data, curve, confidence band and residuals as a matplotlib figure."""
        from ..report.plot import plot

        return plot(self, level)

    def to_dict(self) -> dict[str, Any]:
        """Everything but the arrays of the data, ready for JSON: what is not finite becomes None."""
        from ..report.record import record

        return record(self)


def without_likelihood(found: Goodness) -> Goodness:
    """The goodness of a robust fit, whose errors are not taken for normal."""
    return replace(found, log_likelihood=math.nan, aic=math.nan, aicc=math.nan, bic=math.nan)


def _shaped(values: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """Model values in the shape of x; a model of one value serves all points.

    A model of another length than x keeps its own shape.
    """
    if values.size == 1 and -1 not in shape:
        return np.full(shape, values.ravel()[0])
    return values.reshape(shape) if -1 in shape or values.size == math.prod(shape) else values
