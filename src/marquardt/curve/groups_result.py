"""What one fit of many groups returns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, ParameterError, Status, suggestion
from ..problem.model import Model, compile_model
from ..solve.arrow_minimize import Outcome
from ..solve.estimates import Parameter, ParameterTable
from ..stats import Goodness, goodness
from .data import Data
from .goodness import GoodnessNumbers
from .groups_covariance import NULL, JointCovariance
from .setup import Setup

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class GroupData:
    """What was fitted: the groups with their data and models, and which parameters are whose."""

    name: str
    labels: tuple[Any, ...]
    data: list[Data]
    models: list[Model]
    setup: Setup
    own: list[int]
    """Positions of the free parameters of each group among all of the model; of the shared ones."""
    shared: list[int]
    own_start: NDArray[np.float64]
    shared_start: Vector
    searched: int
    """Evaluations of the search for start values."""
    n_rows: int


class GroupFit(GoodnessNumbers):
    """One fit of many groups: parameters that all share, and parameters of each.

    ``params`` holds all of them by name, those of a group as ``Vmax[plate A]``; ``shared`` the shared ones
    and ``of(label)`` the parameters of one group by the names of the model. The joint covariance is never
    made as a whole: ``covariance_of(names)`` gives any block of it.
    """

    def __init__(self, outcome: Outcome, told: GroupData) -> None:
        self._outcome, self._told = outcome, told

    # ------------------------------------------------------------------------------------------- the verdict

    @property
    def status(self) -> Status:
        return self._outcome.status

    @property
    def success(self) -> bool:
        """Is the end certified as a minimum?"""
        return self.status.success

    @property
    def unique(self) -> bool:
        """Do the data determine every parameter?"""
        return self._outcome.factor.n_null == 0

    @property
    def message(self) -> str:
        """How it ended, with the numbers."""
        o = self._outcome
        said = f"{self.status.value}: relative offset {o.offset:.1e}"
        said += f" {'<=' if o.offset <= o.tolerance else '>'} {o.tolerance:.1e}"
        if o.offset <= o.tolerance:
            return said
        return said + f", gradient {o.scaled_gradient:.1f} of its rounding errors"

    @property
    def certificate(self) -> dict[str, float]:
        """Relative offset, scaled gradient, rank, number of free parameters, largest condition of a block."""
        o = self._outcome
        return {
            "offset": o.offset, "tolerance": o.tolerance, "scaled_gradient": o.scaled_gradient,
            "rank": self.rank, "n_free": self.n_free, "condition": max(o.factor.conditions),
        }  # fmt: skip

    @cached_property
    def advice(self) -> tuple[str, ...]:
        """What is weak about this fit, by group and parameter, and what to do about it."""
        from ..report.groups_shared import advice

        return advice(self)

    # --------------------------------------------------------------------------------------------- estimates

    @property
    def labels(self) -> tuple[Any, ...]:
        """All groups, in the order of the data."""
        return self._told.labels

    @property
    def name(self) -> str:
        """What the labels are: the name of their column."""
        return self._told.name

    @property
    def title(self) -> str:
        return self._told.setup.title

    @property
    def own_names(self) -> tuple[str, ...]:
        """Parameters of the model that each group has for itself."""
        return tuple(self._told.setup.parameters.names[i] for i in self._told.own)

    @property
    def shared_names(self) -> tuple[str, ...]:
        """Parameters of the model that all groups share, and that were fitted."""
        return tuple(self._told.setup.parameters.names[i] for i in self._told.shared)

    def full_name(self, name: str, label: Any) -> str:
        """The name of a parameter of one group: ``Vmax[plate A]``."""
        parts = self.name.split(", ")
        if isinstance(label, tuple) and len(parts) == len(label):
            return f"{name}[{', '.join(f'{n} {v}' for n, v in zip(parts, label, strict=True))}]"
        return f"{name}[{self.name} {label}]"

    @cached_property
    def _place(self) -> dict[str, int]:
        """Position of every fitted parameter, by name: group after group, the shared ones last."""
        names = [self.full_name(n, label) for label in self.labels for n in self.own_names]
        return {name: k for k, name in enumerate([*names, *self.shared_names])}

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all fitted parameters: group after group, the shared ones last."""
        return tuple(self._place)

    @property
    def x(self) -> Vector:
        """Their values."""
        return self._outcome.x.flat

    @cached_property
    def stderr(self) -> Vector:
        """Their standard errors: infinite where not determined, NaN where held at a bound."""
        errors: Vector = np.sqrt(self._joint.variance.flat)
        return errors

    @cached_property
    def params(self) -> ParameterTable:
        """All fitted parameters by name, each with ``value``, ``stderr`` and ``interval(level)``."""
        n_own = len(self.own_names)
        rows = []
        starts = np.concatenate([self._told.own_start.ravel(), self._told.shared_start])
        at, errors, x = self._outcome.active.flat, self.stderr, self.x
        places = [*self._told.own * len(self.labels), *self._told.shared]
        p = self._told.setup.parameters
        gradient, dof = self._outcome.gradient.flat, self._dof
        for k, name in enumerate(self.names):
            i = places[k]
            given = not math.isnan(p.values[i]) or (k < n_own * len(self.labels) and not self._told.searched)
            rows.append(
                Parameter(
                    name, float(x[k]), float(errors[k]), float(starts[k]) if given else math.nan,
                    float(p.lower[i]), float(p.upper[i]), False, int(at[k]), dof,
                    float(gradient[k]) if at[k] else 0.0,
                )
            )  # fmt: skip
        return ParameterTable(tuple(rows))

    @property
    def shared(self) -> ParameterTable:
        """The shared parameters."""
        return ParameterTable(tuple(self.params[n] for n in self.shared_names))

    def of(self, label: Any) -> dict[str, Parameter]:
        """The parameters of one group by the names of the model, the shared ones last."""
        self._number(label)
        own = {n: self.params[self.full_name(n, label)] for n in self.own_names}
        return own | {n: self.params[n] for n in self.shared_names}

    def values_of(self, label: Any) -> dict[str, Any]:
        """Values of all parameters of the model in one group, fixed ones included."""
        return self._told.setup.parameters.nested(self._values(self._number(label)))

    def _values(self, g: int) -> Vector:
        values: Vector = self._told.setup.parameters.values.copy()
        values[self._told.own], values[self._told.shared] = self._outcome.x.own[g], self._outcome.x.shared
        return values

    def _number(self, label: Any) -> int:
        try:
            return self._numbers[label]
        except (KeyError, TypeError):
            known = [str(k) for k in self.labels]
            raise DataError(f"no group {label!r}{suggestion(str(label), known[:50])}") from None

    @cached_property
    def _numbers(self) -> dict[Any, int]:
        return {label: g for g, label in enumerate(self.labels)}

    # -------------------------------------------------------------------------------------------- covariance

    @cached_property
    def _joint(self) -> JointCovariance:
        return JointCovariance(self._outcome, self.variance_factor)

    def covariance_of(self, *names: str) -> Matrix:
        """Covariance of the parameters named, one row for each: any block of the joint one."""
        return self._joint.block([self._find(n) for n in names])

    def correlation_of(self, first: str, second: str) -> float:
        """Correlation of two parameters."""
        c = self.covariance_of(first, second)
        return float(c[0, 1] / math.sqrt(c[0, 0] * c[1, 1]))

    def _find(self, name: str) -> int:
        if name not in self._place:
            known = list(self.shared_names) + list(self._place)[:50]
            raise ParameterError(f"no parameter {name!r}{suggestion(name, known)}")
        return self._place[name]

    # ---------------------------------------------------------------------------------------------- goodness

    @property
    def n_free(self) -> int:
        """Parameters fitted."""
        return len(self.labels) * len(self._told.own) + len(self._told.shared)

    @property
    def rank(self) -> int:
        """Combinations of the parameters not held at a bound that the data determine."""
        held = int(np.count_nonzero(self._outcome.active.flat))
        return self.n_free - held - self._outcome.factor.n_null

    @property
    def _n_determined(self) -> int:
        """Parameters the data determine; those held at a bound count, as they were fitted."""
        return self.rank + int(np.count_nonzero(self._outcome.active.flat))

    @property
    def sigma_known(self) -> bool:
        return self._told.setup.data.sigma is not None

    @cached_property
    def goodness(self) -> Goodness:
        """Goodness of all groups together."""
        parts = [d.flat() for d in self._told.data]
        y = np.concatenate([p[0] for p in parts])
        w = None if parts[0][1] is None else np.concatenate([np.asarray(p[1]) for p in parts])
        return goodness(self.rss, y, w, self.n_points, self.n_free, self._n_determined, self.sigma_known)

    @property
    def n_points(self) -> int:
        return sum(d.n_points for d in self._told.data)

    @property
    def rss(self) -> float:
        """Sum of the squared weighted residuals of all groups."""
        return 2.0 * self._outcome.cost

    @property
    def cost(self) -> float:
        return self._outcome.cost

    @property
    def dof(self) -> int:
        return self.n_points - self._n_determined

    @property
    def reduced_chi2(self) -> float:
        return self.goodness.reduced_chi2

    @property
    def variance_factor(self) -> float:
        """1 with known standard deviations, else s² of all groups together."""
        if self.sigma_known:
            return 1.0
        return self.rss / self.dof if self.dof > 0 else math.nan

    @property
    def _dof(self) -> float | None:
        return None if self.sigma_known else float(self.dof)

    def _residuals(self) -> list[Vector]:
        ends = np.cumsum([d.flat()[0].size for d in self._told.data])
        return np.split(self._outcome.f, ends[:-1])

    @cached_property
    def group_rss(self) -> dict[Any, float]:
        """Sum of squared weighted residuals of each group."""
        return {k: float(f @ f) for k, f in zip(self.labels, self._residuals(), strict=True)}

    @cached_property
    def residuals(self) -> Vector:
        """``(model - y) * w`` in the order of the rows given; NaN where a row was dropped."""
        found = np.full(self._told.n_rows, np.nan)
        for data, f in zip(self._told.data, self._residuals(), strict=True):
            found[data.rows] = f[: data.y.size]
        return found

    @property
    def nfev(self) -> int:
        """Evaluations of all residuals; those of a search for start values, group by group, included."""
        return self._outcome.nfev + self._told.searched

    @property
    def njev(self) -> int:
        return self._outcome.njev

    @property
    def derivative(self) -> str:
        """How derivatives were made."""
        models = self._told.models
        return next((m.derivative for m in models if m.reason), models[0].derivative)

    # -------------------------------------------------------------------------------------------- the curves

    def predict(self, x: Any = None, *, group: Any) -> NDArray[Any]:
        """The model of one group at new values of the independent variables, or at its data."""
        g = self._number(group)
        data = self._told.data[g]
        arguments, shape = (data.arguments, data.y.shape) if x is None else self._told.setup.rebuild(x)
        model = self._told.models[g]
        found = np.asarray(model.call(arguments, self._values(g)))
        return np.broadcast_to(found, shape) if found.size == 1 and shape else found.reshape(shape or ())

    def band(self, x: Any = None, level: float = 0.95, *, group: Any) -> tuple[NDArray[Any], NDArray[Any]]:
        """Pointwise confidence band of one group by the delta method: lower and upper values."""
        from ..stats import quantile

        g = self._number(group)
        data, p = self._told.data[g], self._told.setup.parameters
        arguments, _ = (data.arguments, ()) if x is None else self._told.setup.rebuild(x)
        model = compile_model(self._told.setup.function, arguments, p.shapes)
        free = tuple([*self._told.own, *self._told.shared])
        problem = model.problem(arguments, None, None, self._values(g), free)
        J = problem.jacobian(self._values(g)[list(free)])
        names = [self.full_name(n, group) for n in self.own_names] + list(self.shared_names)
        C = np.nan_to_num(self.covariance_of(*names), nan=0.0, posinf=np.inf)
        half = quantile(level, self._dof) * np.sqrt(np.einsum("ij,jk,ik->i", J, C, J))
        center = self.predict(x, group=group)
        return center - half.reshape(center.shape), center + half.reshape(center.shape)

    # ----------------------------------------------------------------------------------------------- showing

    def plot(self, most: int = 24) -> Figure:
        """Data and curve of each group in a small picture, of the first `most` groups."""
        from ..report.groups_plot import plot_shared

        return plot_shared(self, most)

    def to_pandas(self) -> Any:
        """One row per group: its own estimates with standard errors, points, rss."""
        from ..report.groups_shared import frame

        return frame(self)

    def to_dict(self) -> dict[str, Any]:
        """Estimates, errors, goodness and status, ready for JSON."""
        from ..report.groups_shared import record

        return record(self)

    def __str__(self) -> str:
        from ..report.groups_shared import text

        return text(self)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from ..report.groups_shared import html_of

        return html_of(self)

    def of_data(self, label: Any) -> Data:
        """The data of one group, as they were fitted."""
        return self._told.data[self._number(label)]

    def undetermined(self) -> Sequence[tuple[str, ...]]:
        """Names of the parameters in each combination that the data do not determine."""
        a, found = self._outcome.factor, []
        for g, i in zip(*np.nonzero(np.abs(a.null_own).max(axis=2, initial=0.0)), strict=True):
            pick = np.abs(a.null_own[g, i]) > NULL
            names = [
                self.full_name(n, self.labels[g]) for n, p in zip(self.own_names, pick, strict=True) if p
            ]
            found.append(tuple(names))
        for column in a.null_shared.T:
            pick = np.abs(column) > NULL
            found.append(tuple(n for n, p in zip(self.shared_names, pick, strict=True) if p))
        return found

    def runaway(self) -> tuple[str, ...]:
        """Parameters that head for infinity."""
        r = self._outcome.runaway
        flags = np.concatenate([r.own.ravel(), r.shared])
        return tuple(n for n, f in zip(self.names, flags, strict=True) if f)
