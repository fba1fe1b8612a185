"""What `solve` returns: values, how good they are, and how they were found."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ParameterError, Status, suggestion
from ...problem.large.summary import Summary
from .covariance import Covariances
from .loop import End
from .point import Matrix
from .record import SolveTrace
from .verdict import SolveCertificate

PERCENTILES = (50, 90, 99, 100)


class SolveResult:
    """A solved large problem: ``result["camera"]`` are the values, (n, d), of the variables of that name.

    Nothing but the values and the way there is computed before it is asked for: ``certificate`` and
    ``covariance`` take some more factorizations.
    """

    def __init__(
        self,
        end: End,
        trace: SolveTrace,
        initial_cost: float,
        seconds: Mapping[str, float],
        calls: Mapping[str, int],
        weighted: bool,
    ) -> None:
        self._end, self._point, self._weighted = end, end.point, weighted
        self._compiled = end.point.task.compiled
        self.trace, self.initial_cost = trace, float(initial_cost)
        self.seconds, self._calls = dict(seconds), dict(calls)
        self.solver = dict(end.point.task.system.info())
        """What solved the normal equations, and how much of it there was."""

    # ------------------------------------------------------------------------------------------- the answer

    @cached_property
    def values(self) -> dict[str, Matrix]:
        """Values of all variables by name: a start from here continues."""
        return {v.name: x for v, x in zip(self._compiled.variables, self._point.values, strict=True)}

    def __getitem__(self, name: str) -> Matrix:
        if name not in self.values:
            raise ParameterError(f"there are no variables {name!r}{suggestion(name, self.values)}")
        return self.values[name]

    @property
    def cost(self) -> float:
        """``1/2 Σ c² ρ(|r_i|² / c²)`` at the end; with graduated non-convexity ``1/2 Σ w_i |r_i|²``."""
        return float(self._point.cost)

    @property
    def status(self) -> Status:
        """Why the minimization ended."""
        return self._end.status

    @property
    def message(self) -> str:
        """The status as a sentence with both numbers."""
        return f"{self.status.value}: {self._end.reason}"

    @property
    def success(self) -> bool:
        """Was a tolerance reached? ``certificate`` tells what is left to gain, and what is not determined."""
        return self.status.success

    @cached_property
    def advice(self) -> tuple[str, ...]:
        """What to do about this end, and about what the problem leaves open (`Summary.warnings`); empty for a
        good one."""
        ended = (self.status.advice,) if self.status.advice else ()
        return (*ended, *Summary(self._compiled).warnings)

    @cached_property
    def certificate(self) -> SolveCertificate:
        """What is known about the end: gradient, rank, gauge, variables that are not determined."""
        return SolveCertificate(self._point)

    # -------------------------------------------------------------------------------------------- residuals

    @property
    def families(self) -> tuple[str, ...]:
        """Names of the families of residuals."""
        return tuple(f.name for f in self._compiled.families)

    def residual_norms(self, family: str | None = None) -> Matrix:
        """|r_i| of each item of a family, whitened, before the loss and without weights, (n,)."""
        system = self._point.task.system
        return np.asarray(np.sqrt(system.plain_squares(self._point.values, self._family(family))))

    def percentiles(self, family: str | None = None, at: Sequence[float] = PERCENTILES) -> dict[float, float]:
        """Percentiles of `residual_norms`; 100 is the largest."""
        norms = self.residual_norms(family)
        return {p: float(np.percentile(norms, p)) if norms.size else math.nan for p in at}

    def worst(self, family: str | None = None, count: int = 5) -> NDArray[np.intp]:
        """The items of a family with the largest residuals, the worst first."""
        norms = self.residual_norms(family)
        return np.asarray(np.argsort(-norms, kind="stable")[:count])

    @cached_property
    def weights(self) -> dict[str, Matrix]:
        """With graduated non-convexity: the weight of each item by family, 1 believed, 0 false."""
        families = self._compiled.families
        if not self._weighted:
            return {}
        return {f.name: self._point.task.weights.get(k, np.ones(f.n)) for k, f in enumerate(families)}

    def _family(self, name: str | None) -> int:
        names = self.families
        if name is None and len(names) == 1:
            return 0
        if name not in names:
            raise ParameterError(f"there is no family of residuals {name!r}{suggestion(str(name), names)}")
        return names.index(name)

    # ------------------------------------------------------------------------------------------ uncertainty

    @property
    def n_residuals(self) -> int:
        """Numbers that were squared and summed; items of weight zero do not count."""
        weights = self._point.task.weights
        counts = (
            np.count_nonzero(weights[k]) if k in weights else f.n
            for k, f in enumerate(self._compiled.families)
        )
        return int(sum(n * f.rows for n, f in zip(counts, self._compiled.families, strict=True)))

    @property
    def n_variables(self) -> int:
        """Tangents of all variables that are not fixed."""
        fixed = self._point.task.fixed
        total = sum(len(v.values) * v.manifold.tangent for v in self._compiled.variables)
        return int(total - (0 if fixed is None else sum(int(f.sum()) for f in fixed)))

    @property
    def reduced_chi2(self) -> float:
        """``2 cost / (residuals - rank)``: near 1 where residuals are in standard deviations."""
        dof = self.n_residuals - self.certificate.rank
        return 2.0 * self.cost / dof if dof > 0 else math.nan

    def covariance(
        self, name: str, index: Any = None, other: str | None = None, other_index: int | None = None,
        *, sigma_known: bool | None = None,
    ) -> Matrix:  # fmt: skip
        """Covariance of the tangents of variables: ``s² H⁺`` with H = J'J.

        ``covariance("camera", 3)`` one block, (t, t); ``covariance("camera", 3, "point", 5)`` the block
        between two, (t, t'); with a list of indices all their blocks, (n, t, t): one solution of the normal
        equations for each tangent. ``covariance("camera")`` are those of all, in about the time of a step.

        What no residual tells apart (the gauge: where the scene lies) has no variance: H⁺ is the
        pseudo-inverse, in unknowns scaled by the lengths of the columns of J, so that what is known best
        holds the frame. Fix variables to have it in theirs. A variable that is not determined by itself has
        infinite variances. ``s²`` is `reduced_chi2`, or 1 with ``sigma_known``: by default where every family
        has ``sqrt_information``. With a loss H is that of the weighted residuals.

        Raises ParameterError for an unknown name or index.
        """
        factor = 1.0 if self._sigma_known(sigma_known) else self.reduced_chi2
        found = self._covariances
        if other is not None:
            if other_index is None or index is None:
                raise ParameterError("a block between two variables needs the index of both")
            a, b = found.place(name, int(index)), found.place(other, int(other_index))
            return factor * found.block(a, b)
        if index is None or np.ndim(index) > 0:
            return factor * found.all(name, None if index is None else [int(i) for i in index])
        place = found.place(name, int(index))
        return factor * found.block(place, place)

    def _sigma_known(self, said: bool | None) -> bool:
        if said is not None:
            return said
        return all(bool(getattr(f, "sigma_known", False)) for f in self._compiled.families)

    @cached_property
    def _covariances(self) -> Covariances:
        return Covariances(self._point, self.certificate.null_space)

    # ------------------------------------------------------------------------------------------ the way here

    @property
    def nfev(self) -> int:
        """Evaluations of the cost."""
        return self._calls["cost"] + self._calls["linearize"]

    @property
    def njev(self) -> int:
        """Evaluations of residuals and Jacobian."""
        return self._calls["linearize"]

    @property
    def eliminated(self) -> str | None:
        """Name of the variables that the Schur complement took out of the normal equations."""
        position = self._point.task.eliminated
        return None if position is None else str(self._compiled.variables[position].name)

    @property
    def n_accepted(self) -> int:
        """Accepted steps."""
        return int(np.count_nonzero(self.trace["accepted"]))

    # ----------------------------------------------------------------------------------------------- showing

    def to_dict(self) -> dict[str, Any]:
        """Status, costs, counts, times, percentiles and values as plain Python."""
        return {
            "status": self.status.name, "message": self.message, "success": self.success,
            "cost": self.cost, "initial_cost": self.initial_cost, "n_residuals": self.n_residuals,
            "n_variables": self.n_variables, "nfev": self.nfev, "njev": self.njev,
            "n_accepted": self.n_accepted,
            "seconds": dict(self.seconds), "solver": dict(self.solver),
            "percentiles": {name: self.percentiles(name) for name in self.families},
            "values": {name: x.tolist() for name, x in self.values.items()},
        }  # fmt: skip

    def __str__(self) -> str:
        from ...report.large import text

        return text(self)

    def _repr_html_(self) -> str:
        from ...report.large import fragment

        return fragment(self)

    def __repr__(self) -> str:
        sizes = ", ".join(f"{name} {x.shape[0]} x {x.shape[1]}" for name, x in self.values.items())
        return f"<SolveResult {self.status.name.lower()}: cost {self.cost:.6g}; {sizes}>"
