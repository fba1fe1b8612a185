"""What a minimization returns. Nothing is computed before it is asked for: a small problem stays fast."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import Status
from ..problem.losses import Loss, good_noise
from .certificate import ZERO, Certificate
from .estimates import Parameter, ParameterTable
from .flat import Flat, flat_groups

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..stats import Covariance
    from .trace import Trace

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]


NO_PULL = 1e-4
"""A parameter at its bound is not pulled if without the bound it would move by less than this part of the
standard error that it has when the others stay."""


class Parameters(Protocol):
    """The parameters of a problem, flattened: where they started, their bounds, and which are free."""

    @property
    def names(self) -> tuple[str, ...]: ...
    @property
    def free_names(self) -> tuple[str, ...]: ...
    @property
    def values(self) -> Vector:
        """Start values (NaN where found, not given), and the values of the fixed ones."""

    @property
    def lower(self) -> Vector: ...
    @property
    def upper(self) -> Vector: ...
    @property
    def free(self) -> tuple[int, ...]: ...


class Result:
    """A finished minimization: estimates, uncertainties, and the verdict with its proof.

    ``names`` are all parameters, ``x`` their values; ``covariance`` and ``correlation`` have one row per
    *free* parameter, ``free_names``. ``residuals`` are those that were squared and summed.
    """

    evidence = "residuals"
    """What determines the parameters, in a word."""

    units: Mapping[str, str] = MappingProxyType({})
    """Units of columns and parameters by name, for the axes of pictures; from ``data.units`` where given."""

    _parameters: Parameters

    def __init__(self, outcome: Any, parameters: Parameters, title: str) -> None:
        self._outcome, self._parameters, self.title = outcome, parameters, title

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
        """Values of all parameters, fixed ones included: a start from here continues."""
        found: Vector = self._outcome.x
        if found.size == len(self.names):
            return found
        values: Vector = self._parameters.values.copy()
        values[list(self._parameters.free)] = found
        return values

    @cached_property
    def params(self) -> ParameterTable:
        """The parameters by name, each with ``value``, ``stderr`` and ``interval(level)``."""
        p = self._parameters
        stderr = np.zeros(len(p.names))
        stderr[list(p.free)] = self.stderr
        held = np.zeros(len(p.names), dtype=int)
        held[list(p.free)] = self._outcome.active
        pulls = np.zeros(len(p.names))
        if held.any():
            pulls[list(p.free)] = self._pulls
        free = set(p.free)
        return ParameterTable(
            tuple(
                Parameter(
                    name, float(self.x[i]), float(stderr[i]), float(p.values[i]),
                    float(p.lower[i]), float(p.upper[i]), i not in free, int(held[i]), self._interval_dof,
                    float(pulls[i]),
                )
                for i, name in enumerate(p.names)
            )
        )  # fmt: skip

    @property
    def _pulls(self) -> Vector:
        """Gradient of the cost by the parameters at bounds; 0 where it is rounding, or as good as none."""
        c = self.certificate
        g = np.where(np.asarray(self._outcome.active) != 0, c.gradient, 0.0)
        noise = math.sqrt(2.0 * self.cost / max(self.dof, 1.0))
        least = np.maximum(ZERO * c.gradient_floor, NO_PULL * noise * c.lengths)
        return np.where(np.abs(g) > least, g, 0.0)

    # ------------------------------------------------------------------------------------------ uncertainty

    @property
    def sigma_known(self) -> bool:
        """Are the residuals in units of known standard deviations? Then nothing is scaled by s²."""
        return False

    @property
    def _interval_dof(self) -> float | None:
        return None if self.sigma_known else self.dof

    @cached_property
    def _unscaled(self) -> Covariance:
        from ..stats import sandwich, unscaled_covariance

        return unscaled_covariance(self._outcome) if self.loss is None else sandwich(self._outcome)

    @property
    def _variance_factor(self) -> float:
        """s², or 1 with known standard deviations; NaN when no degree of freedom is left."""
        return 1.0 if self.sigma_known or self.loss is not None else self.reduced_chi2

    @cached_property
    def covariance(self) -> Matrix:
        """Covariance of the free parameters: s² (J'J)^-1, or (J'J)^-1 with known sigma; of a robust fit the
        sandwich.

        A parameter the data do not determine has infinite variance (its covariances are NaN); one held
        at its bound has NaN.
        """
        return self._unscaled.matrix * self._variance_factor

    @cached_property
    def correlation(self) -> Matrix:
        """Correlation of the free parameters."""
        from ..stats import correlation

        return correlation(self._unscaled.matrix)

    @cached_property
    def stderr(self) -> Vector:
        """Standard errors of the free parameters."""
        with np.errstate(invalid="ignore"):
            return np.sqrt(np.diag(self._unscaled.matrix)) * math.sqrt(self._variance_factor)

    @property
    def covariance_space(self) -> Matrix:
        """Covariance within the space the data determine: finite, for predictions."""
        return self._unscaled.space * self._variance_factor

    @property
    def undetermined_directions(self) -> Matrix:
        """Directions (k, p) in column-scaled free parameters along which the residuals do not change."""
        return self._unscaled.null_vectors

    # --------------------------------------------------------------------------------------------- goodness

    @cached_property
    def residuals(self) -> Vector:
        """The residuals at the end point, shape (m,)."""
        return np.asarray(self._outcome.f)

    @property
    def cost(self) -> float:
        """Half the sum of squared residuals, or of their loss: ``1/2 Σ c² ρ((f/c)²)``."""
        return float(self._outcome.cost)

    @property
    def rss(self) -> float:
        """Sum of squared residuals: ``2 * cost`` but for a robust fit."""
        return 2.0 * self.cost if self.loss is None else float((self.residuals**2).sum())

    @property
    def loss(self) -> Loss | None:
        """The loss that was minimized, with its scale; None for squares, and for a likelihood."""
        found = self._outcome.problem.loss
        return found if isinstance(found, Loss) else None

    @cached_property
    def loss_weights(self) -> Vector:
        """How much each residual counts, ρ', shape (m,): 1 in full, near 0 as an outlier."""
        f = self.residuals
        return np.ones(f.size) if self.loss is None else self.loss.weights(f)

    @cached_property
    def noise(self) -> float:
        """Standard deviation of the residuals that are no outliers; see `good_noise`."""
        return good_noise(self.residuals, self._n_determined)

    @property
    def n_points(self) -> int:
        """Number of residuals."""
        return int(self.residuals.size)

    @property
    def _n_determined(self) -> float:
        """Parameters the data determine; those held at a bound count, as they were fitted."""
        unscaled = self._unscaled
        return unscaled.rank + int(np.count_nonzero(unscaled.held))

    @property
    def dof(self) -> float:
        """Degrees of freedom: points minus determined parameters."""
        return self.n_points - self._n_determined

    @property
    def reduced_chi2(self) -> float:
        """``rss / dof``: chi-square per degree of freedom with known sigma, without it the variance s²."""
        dof = self.dof
        return self.rss / dof if dof > 0 else math.nan

    # ------------------------------------------------------------------------------------------ the verdict

    @property
    def status(self) -> Status:
        """Why the minimization ended."""
        return self._outcome.status  # type: ignore[no-any-return]

    @property
    def success(self) -> bool:
        """True when the end point is certified as a minimum; whether it is the only one says ``unique``."""
        return self.status.success

    @property
    def unique(self) -> bool:
        """Do the residuals determine every free parameter? False names them in ``message``."""
        unscaled = self._unscaled
        return self.status is not Status.NOT_UNIQUE and bool(np.all(unscaled.determined | unscaled.held))

    @property
    def reason(self) -> str:
        """Why the search ended: one of `marquardt.solve.trace.REASONS`, or "jumps" for a staircase."""
        return "jumps" if self._outcome.jumps else str(self._outcome.reason)

    @cached_property
    def flat(self) -> tuple[Flat, ...]:
        """Parameters that can be changed together without effect, and what of them is determined."""
        if self.unique:
            return ()
        return flat_groups(self._outcome, self.free_names, self.undetermined_directions)

    @property
    def descent(self) -> dict[str, float]:
        """Where the end is no minimum: the change of the parameters along which the cost falls."""
        return dict(zip(self.free_names, np.asarray(self._outcome.descent).tolist(), strict=False))

    @property
    def runaway(self) -> tuple[str, ...]:
        """Parameters that head for infinity, or have left the reach of the data."""
        return tuple(self.free_names[j] for j in self._outcome.runaway)

    @property
    def defect(self) -> str:
        """What was found that disproves the result although its numbers look right; empty as a rule."""
        return ""

    @cached_property
    def certificate(self) -> Certificate:
        """The numbers behind `success`."""
        free = list(self._parameters.free)
        lower, upper = self._parameters.lower[free], self._parameters.upper[free]
        return Certificate(self._outcome, self.free_names, lower, upper)

    @cached_property
    def message(self) -> str:
        """The status as a sentence with both numbers."""
        from ..report.sentences import message

        return message(self)

    @cached_property
    def advice(self) -> tuple[str, ...]:
        """What is weak about this result and what to do about it; empty for a sound one."""
        from ..report.advice import advice

        return advice(self)

    # ------------------------------------------------------------------------------------------ the way here

    @property
    def derivative(self) -> str:
        """How derivatives were made: ``exact (traced)`` or ``finite differences: <why>``."""
        return str(self._outcome.problem.model.derivative)

    @property
    def nfev(self) -> int:
        """Evaluations of the residuals."""
        return int(self._outcome.nfev)

    @property
    def njev(self) -> int:
        """Evaluations of the Jacobian."""
        return int(self._outcome.njev)

    @property
    def n_accepted(self) -> int:
        """Accepted steps."""
        return int(self._outcome.n_accepted)

    @property
    def n_escapes(self) -> int:
        """How often a saddle, or a flat place, was left for a lower point."""
        return int(self._outcome.escapes)

    @cached_property
    def trace(self) -> Trace:
        """One row per trial step: what was tried, what became of it; `print` shows it as a log."""
        trace: Trace = self._outcome.trace(self.free_names)
        return trace

    # ---------------------------------------------------------------------------------------------- showing

    def label(self, name: str) -> str:
        """A name as the axis of a picture shows it: with its unit, where that is known."""
        return f"{name} ({self.units[name]})" if name in self.units else name

    def plot_trace(self) -> Figure:
        """Cost, damping and radius, and gain ratio of every trial step as a matplotlib figure."""
        from ..report.plot_trace import plot_trace

        return plot_trace(self)

    def plot_landscape(self, a: str | None = None, b: str | None = None, others: str = "fixed") -> Figure:
        """Contours of the cost over the free parameters `a` and `b`, with the way of the method.

        Without names: the two most correlated ones. The other parameters keep their values at the end point,
        or are optimized at every point of the map (``others="refit"``). Raises ParameterError for an unknown
        name, DataError without a trace, MissingPackageError without matplotlib.
        """
        from ..report.plot_landscape import plot_landscape

        return plot_landscape(self, a, b, others)

    def to_html(self, path: Any = None, a: str | None = None, b: str | None = None) -> str:
        """Report, charts and the explorer of the dance as one page that works offline, written to `path`.

        The explorer shows the free parameters `a` and `b`, by default the two most correlated ones. Raises
        MissingPackageError without plotly, whose JavaScript (4.8 MB) goes into the page, and ParameterError
        for an unknown name.
        """
        from ..report.page import page

        text = page(self, a, b)
        if path is not None:
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
        return text

    def report(self, level: float = 0.95) -> str:
        """The printed report, with intervals at `level`."""
        from ..report.text import text

        return text(self, level)

    def __str__(self) -> str:
        return self.report()

    def _repr_html_(self) -> str:
        from ..report.html import fragment

        return fragment(self)

    def __repr__(self) -> str:
        inside = ", ".join(f"{n}={v:.6g}" for n, v in zip(self.names, self.x.tolist(), strict=True))
        return f"<{type(self).__name__} {self.status.name.lower()}: {inside}>"
