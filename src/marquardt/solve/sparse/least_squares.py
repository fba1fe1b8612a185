"""``least_squares`` where the Jacobian is sparse: which arguments it takes, and what becomes of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...errors import OptionError
from ...problem.losses import Loss
from ..function import Residuals
from ..robust import FIRST, Plan
from ..scipy_names import Unknowns
from .minimize import Counted, Progress, minimize_sparse, sparse_derivative, sparse_options
from .result import SparseLeastSquaresResult
from .structure import Vector


class FirstKept:
    """The caller's ``jac(x)``; its value at the start, which tells its kind, is not worked out twice."""

    def __init__(self, call: Callable[[Vector], Any], x0: Vector) -> None:
        self.call, self.x0, self.first = call, x0, call(x0.copy())

    def __call__(self, x: Vector) -> Any:
        if self.first is not None and np.array_equal(x, self.x0):
            first, self.first = self.first, None
            return first
        return self.call(x)


@dataclass(frozen=True, eq=False)
class SparseCall:
    """Residuals, start, and either a structure or the caller's Jacobian with its value at the start."""

    function: Residuals
    parameters: Unknowns
    jac_sparsity: Any
    jac: FirstKept | None
    diff_step: Any
    robust: Plan | None
    ftol: float | None

    def solve(
        self, watch: Callable[[Progress], bool | None] | None, max_nfev: int | None, verbose: int
    ) -> SparseLeastSquaresResult:
        """Minimize. Raises OptionError, ModelError or DataError, each naming the guilty thing."""
        p, function = self.parameters, self.function
        residuals = Counted(lambda x: function.call(x, *function.data, **function.options))
        box = p.lower, p.upper
        f = residuals(p.values.copy())
        derivative = sparse_derivative(
            residuals,
            f,
            p.values,
            self.jac_sparsity,
            self.jac,
            box,
            step=self.diff_step,
        )
        loss, x, options = self._loss(), p.values, sparse_options(self.ftol)
        if loss is not None and loss.row.redescends:  # several minima: start where every residual pulls
            huber = FIRST.at_scale(loss.scale / loss.row.tuning * FIRST.row.tuning)
            x = minimize_sparse(residuals, derivative, x, box, huber, options, watch).x
        outcome = minimize_sparse(residuals, derivative, x, box, loss, options, watch, shown=verbose >= 2)
        limited = max_nfev is not None and outcome.nfev >= max_nfev
        result = SparseLeastSquaresResult(outcome, function.title, limited=limited)
        if verbose >= 1:
            print(result)
        return result

    def _loss(self) -> Loss | None:
        if self.robust is None:
            return None
        if self.robust.f_scale is None:
            raise OptionError(
                "f_scale = None: with a sparse Jacobian the noise is not estimated; give the size of "
                "residual from which outliers begin"
            )
        return self.robust.loss.at_scale(self.robust.f_scale)


def check_sparse(jac: Any, given: Mapping[str, Any]) -> None:
    """Raise OptionError for a choice that only the dense minimizer has."""
    if isinstance(jac, str) and jac != "3-point":
        raise OptionError(
            f"jac = {jac!r}: with jac_sparsity a function, '3-point' or None is needed; both of the latter "
            "take central differences of groups of columns"
        )
    for name, value in given.items():
        if value is not None and not (name == "method" and value in ("auto", "levenberg")):
            raise OptionError(
                f"{name} = {value!r}: with a sparse Jacobian there is one method, Levenberg and Marquardt's "
                "with Nielsen's damping; leave it out"
            )
