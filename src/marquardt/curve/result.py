"""What a fit returns. Nothing is computed before it is asked for: a small fit pays only for the fit."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import Status
from ..problem.model import compile_model
from ..stats import (
    Band,
    Covariance,
    Goodness,
    correlation,
    covariance,
    delta_variance,
    full_covariance,
    goodness,
    quantile,
)
from .data import Data
from .estimates import Certificate, Parameter, ParameterTable
from .parameters import Parameters

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from .start import Search

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]


class FitResult:
    """A finished fit: estimates, uncertainties, goodness, and the proof.

    ``names`` are all parameters (vector parameters as ``p[0], p[1], ...``), ``x`` their values;
    ``covariance`` and ``correlation`` have one row per *free* parameter, ``free_names``.
    ``residuals`` are ``(model - y) * w`` in the order of the data.
    """

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
        self._outcome, self._model, self._parameters = outcome, model, parameters
        self._data, self.title, self.search, self._rebuild = data, title, search, rebuild

    # -------------------------------------------------------------------------------------------- estimates

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all parameters, flattened."""
        return self._parameters.names

    @property
    def free_names(self) -> tuple[str, ...]:
        """Names of the parameters that were fitted: the rows of ``covariance``."""
        return self._parameters.free_names

    @cached_property
    def x(self) -> Vector:
        """Values of all parameters, fixed ones included: ``start=fit.x`` continues from here."""
        values = self._parameters.values.copy()
        values[list(self._parameters.free)] = self._outcome.x
        return np.asarray(values)

    @property
    def values(self) -> dict[str, Any]:
        """Values by parameter: floats, and arrays for vector parameters."""
        return self._parameters.nested(self.x)

    @cached_property
    def params(self) -> ParameterTable:
        """The parameters by name, each with ``value``, ``stderr`` and ``interval(level)``."""
        p = self._parameters
        stderr = np.zeros(len(p.names))
        stderr[list(p.free)] = self.stderr
        held = np.zeros(len(p.names), dtype=int)
        held[list(p.free)] = self._outcome.active
        free = set(p.free)
        return ParameterTable(
            tuple(
                Parameter(
                    name, float(self.x[i]), float(stderr[i]), float(p.values[i]),
                    float(p.lower[i]), float(p.upper[i]), i not in free, int(held[i]), self._interval_dof,
                )
                for i, name in enumerate(p.names)
            )
        )  # fmt: skip

    # ------------------------------------------------------------------------------------------ uncertainty

    @property
    def sigma_known(self) -> bool:
        """Were standard deviations given (``sigma=``)? Then the covariance is not scaled by s²."""
        return self._data.sigma is not None

    @property
    def _interval_dof(self) -> int | None:
        return None if self.sigma_known else self.dof

    @cached_property
    def _unscaled(self) -> Covariance:
        inverse = self._outcome.inverse_gram
        if inverse is not None:
            return full_covariance(inverse)
        held = np.asarray(self._outcome.active) != 0
        return covariance(np.asarray(self._outcome.R), held, int(self._outcome.rank))

    @property
    def _variance_factor(self) -> float:
        """s², or 1 with known standard deviations; NaN when no degree of freedom is left."""
        return 1.0 if self.sigma_known else self.reduced_chi2

    @cached_property
    def covariance(self) -> Matrix:
        """Covariance of the free parameters: s² (J'J)^-1, or (J'J)^-1 with known sigma.

        A parameter the data do not determine has infinite variance (its covariances are NaN); one held
        at its bound has NaN.
        """
        return self._unscaled.matrix * self._variance_factor

    @cached_property
    def correlation(self) -> Matrix:
        """Correlation of the free parameters."""
        return correlation(self._unscaled.matrix)

    @cached_property
    def stderr(self) -> Vector:
        """Standard errors of the free parameters."""
        with np.errstate(invalid="ignore"):
            return np.sqrt(np.diag(self._unscaled.matrix)) * math.sqrt(self._variance_factor)

    # --------------------------------------------------------------------------------------------- goodness

    @cached_property
    def residuals(self) -> Vector:
        """Weighted residuals ``(model - y) * w`` in the order of the data."""
        return np.asarray(self._outcome.f)

    @property
    def cost(self) -> float:
        """Half the sum of squared weighted residuals."""
        return float(self._outcome.cost)

    @property
    def rss(self) -> float:
        """Sum of squared (weighted) residuals, ``2 * cost``."""
        return 2.0 * self.cost

    @property
    def chi2(self) -> float | None:
        """Chi-square: `rss` when standard deviations are known, otherwise None."""
        return self.rss if self.sigma_known else None

    @cached_property
    def goodness(self) -> Goodness:
        """All goodness numbers at once."""
        y, w = self._data.flat()
        n_free, n_points = len(self._parameters.free), self._data.n_points
        return goodness(self.rss, y, w, n_points, n_free, self._n_determined, self.sigma_known)

    @property
    def _n_determined(self) -> int:
        """Parameters the data determine; those held at a bound count, as they were fitted."""
        unscaled = self._unscaled
        return unscaled.rank + int(np.count_nonzero(unscaled.held))

    @property
    def n_points(self) -> int:
        """Data points used (weight above zero)."""
        return self._data.n_points

    @property
    def dof(self) -> int:
        """Degrees of freedom: points minus determined parameters."""
        return self._data.n_points - self._n_determined

    @property
    def reduced_chi2(self) -> float:
        """``rss / dof``: chi-square per degree of freedom with known sigma, without it the variance s²."""
        dof = self.dof
        return self.rss / dof if dof > 0 else math.nan

    @property
    def aic(self) -> float:
        """Akaike's criterion, full Gaussian likelihood (as R's ``AIC``)."""
        return self.goodness.aic

    @property
    def bic(self) -> float:
        """Bayesian information criterion, full Gaussian likelihood (as R's ``BIC``)."""
        return self.goodness.bic

    @property
    def r_squared(self) -> float:
        """``1 - rss / Σ w² (y - mean)²``."""
        return self.goodness.r_squared

    # ------------------------------------------------------------------------------------------- the ending

    @property
    def status(self) -> Status:
        """Why the fit ended."""
        return self._outcome.status  # type: ignore[no-any-return]

    @property
    def success(self) -> bool:
        """True when the end point is certified as a minimum that the data determine."""
        return self.status.success

    @cached_property
    def certificate(self) -> Certificate:
        """The numbers behind `success`."""
        o = self._outcome
        active = tuple(n for n, a in zip(self.free_names, o.active, strict=True) if a)
        return Certificate(
            float(o.offset),
            float(o.tolerance),
            float(o.scaled_gradient),
            int(o.rank),
            float(o.condition),
            active,
        )

    @cached_property
    def message(self) -> str:
        """The status as a sentence with both numbers."""
        from ..report.sentences import message

        return message(self)

    @cached_property
    def advice(self) -> tuple[str, ...]:
        """What is weak about this fit and what to do about it; empty for a sound one."""
        from ..report.advice import advice

        return advice(self)

    @property
    def derivative(self) -> str:
        """How derivatives were made: ``exact (traced)`` or ``finite differences: <why>``."""
        return str(self._model.derivative)

    @property
    def nfev(self) -> int:
        """Evaluations of the residuals, those of a search for start values included."""
        return int(self._outcome.nfev) + (self.search.nfev if self.search else 0)

    @property
    def njev(self) -> int:
        """Evaluations of the Jacobian, those of a search for start values included."""
        return int(self._outcome.njev) + (self.search.njev if self.search else 0)

    @property
    def search_done(self) -> Search | None:
        """The search for start values with the evaluations of its final fit counted in."""
        if self.search is None:
            return None
        return replace(self.search, nfev=self.nfev, njev=self.njev)

    @property
    def n_accepted(self) -> int:
        """Accepted steps."""
        return int(self._outcome.n_accepted)

    @property
    def trace(self) -> Any:
        """One row per step: cost, gain ratio, damping, radius."""
        return self._outcome.trace

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
        a new observation adds its own variance s². Returns ``(lower, upper)``.
        """
        arguments, shape = self._new(x)
        center = _shaped(self._at(self._outcome.x, arguments), shape)
        variance = delta_variance(self._gradient(arguments), self._unscaled.space) * self._variance_factor
        if prediction:
            variance = variance + self.typical_variance
        half = quantile(level, self._interval_dof) * np.sqrt(variance)
        half = _shaped(half, center.shape)
        return Band(center - half, center + half)

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
    def observed(self) -> NDArray[Any]:
        """The response that was fitted."""
        return self._data.y

    @property
    def response_name(self) -> str:
        return self._data.y_name

    @property
    def sigma(self) -> Vector | None:
        """Known standard deviations, flat."""
        return self._data.sigma

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
    def covariance_space(self) -> Matrix:
        """Covariance within the space the data determine: finite, for predictions."""
        return self._unscaled.space * self._variance_factor

    @property
    def undetermined_directions(self) -> Matrix:
        """Directions (k, p) in column-scaled free parameters along which the model does not change."""
        return self._unscaled.null_vectors

    @property
    def typical_variance(self) -> float:
        """Variance of one observation of average weight."""
        w = self._data.w
        used = 1.0 if w is None else float(np.mean(w[w > 0.0] ** 2))
        return self._variance_factor / used

    @property
    def response_size(self) -> float:
        """Root mean square of the weighted response."""
        y, w = self._data.flat()
        y = y if w is None else y * w
        largest = float(np.abs(y).max(initial=0.0))
        return largest * math.sqrt(float(np.mean((y / largest) ** 2))) if largest else 0.0

    # ---------------------------------------------------------------------------------------------- showing

    def report(self, level: float = 0.95) -> str:
        """The printed report, with intervals at `level`."""
        from ..report.text import text

        return text(self, level)

    def __str__(self) -> str:
        return self.report()

    def __repr__(self) -> str:
        inside = ", ".join(f"{n}={v:.6g}" for n, v in zip(self.names, self.x.tolist(), strict=True))
        return f"<FitResult {self.status.name.lower()}: {inside}>"

    def _repr_html_(self) -> str:
        from ..report.html import fragment

        return fragment(self)

    def to_html(self, path: Any = None) -> str:
        """The report as one self-contained page, written to `path` when given."""
        from ..report.html import page

        text = page(self)
        if path is not None:
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
        return text

    def plot(self, level: float = 0.95) -> Figure:
        """Data, curve, confidence band and residuals as a matplotlib figure."""
        from ..report.plot import plot

        return plot(self, level)

    def to_dict(self) -> dict[str, Any]:
        """Everything but the arrays of the data, ready for JSON: what is not finite becomes None."""
        from ..report.record import record

        return record(self)


def _shaped(values: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """Model values in the shape of x; a model of one value serves all points.

    A model of another length than x keeps its own shape.
    """
    if values.size == 1 and -1 not in shape:
        return np.full(shape, values.ravel()[0])
    return values.reshape(shape) if -1 in shape or values.size == math.prod(shape) else values
