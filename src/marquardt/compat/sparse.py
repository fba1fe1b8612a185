"""``least_squares`` with `jac_sparsity`, or a Jacobian that is a sparse array: steps by sparse Cholesky."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.optimize import OptimizeResult

from ..problem.losses import Loss
from ..solve.sparse.minimize import (
    Counted,
    Progress,
    SparseOutcome,
    minimize_sparse,
    sparse_derivative,
    sparse_options,
)
from ..solve.sparse.result import SparseLeastSquaresResult
from .losses import Chosen
from .report import ENDINGS
from .run import Settings, Vector, by_signature


@dataclass(frozen=True, eq=False)
class SparseCall:
    """Residuals ``call(x)``, and their structure or the caller's sparse Jacobian ``jac(x)``."""

    call: Callable[[Any], Any]
    sparsity: Any
    jac: Callable[[Vector], Any] | None
    scheme: str
    step: Any
    settings: Settings

    def run(self, start: Vector, lower: Vector, upper: Vector) -> Any:
        """Minimize; SciPy's result. Raises ValueError where residuals or shapes are impossible."""
        residuals, box = Counted(self.call), (lower, upper)
        f = residuals(start.copy())
        if not np.isfinite(f).all():
            raise ValueError("Residuals are not finite in the initial point.")
        central = self.scheme != "2-point"
        derivative = sparse_derivative(
            residuals, f, start, self.sparsity, self.jac, box, central=central, step=self.step
        )
        s, watch = self.settings, Watch(self.settings, self.call)
        options = replace(sparse_options(s.ftol), xtol=s.xtol)
        outcome = minimize_sparse(
            residuals, derivative, start, box, named(s.loss), options, watch, shown=s.verbose > 1
        )
        if outcome.end.status.name == "INTERRUPTED" and not outcome.stopped:
            raise KeyboardInterrupt
        return optimize_result(outcome, s, watch)


def named(loss: Chosen | None) -> Loss | None:
    return None if loss is None else Loss(loss.name, loss.scale)


class Watch:
    """Tells the caller's callback of each step taken, and stops at the limit of evaluations."""

    def __init__(self, settings: Settings, call: Callable[[Any], Any]) -> None:
        self.settings, self.call = settings, call
        self.report = None if settings.callback is None else by_signature(settings.callback)
        self.nit, self.cost, self.stopped, self.limited = 0, np.inf, False, False

    def __call__(self, progress: Progress) -> bool:
        limit = self.settings.max_nfev
        self.limited = limit is not None and progress.nfev >= limit
        if progress.cost < self.cost and self.report is not None:
            self.nit += 1
            fields = {"x": progress.x.copy(), "nit": self.nit, "nfev": progress.nfev, "cost": progress.cost}
            try:
                self.stopped = bool(self.report(fields, lambda x: np.ravel(self.call(x))))
            except StopIteration:
                self.stopped = True
        self.cost = min(self.cost, progress.cost)
        return self.stopped or self.limited


def optimize_result(outcome: SparseOutcome, settings: Settings, watch: Watch) -> Any:
    """The fields of SciPy's result, and how it was made."""
    r = SparseLeastSquaresResult(outcome, "")
    largest = np.float64(r.optimality)
    status = _status(r, settings, watch)
    message = f"{ENDINGS[status]}: {r.message}."
    fields: dict[str, Any] = dict(
        x=r.x, cost=np.float64(r.cost), fun=r.fun, jac=r.jac, grad=r.grad, optimality=largest,
        active_mask=r.active_mask, nfev=r.nfev, njev=r.njev, status=status, message=message,
        success=status > 0, solver="marquardt", derivative=r.derivative, certified=r.success,
    )  # fmt: skip
    if settings.verbose:
        print(message)
        print(
            f"Function evaluations {r.nfev}, initial cost {r.initial_cost:.4e}, final cost {r.cost:.4e}, "
            f"first-order optimality {r.optimality:.2e}."
        )
    return OptimizeResult(**fields)


def _status(result: SparseLeastSquaresResult, settings: Settings, watch: Watch) -> int:
    """SciPy's status: which of its conditions holds at the end."""
    if watch.stopped:
        return -2
    if watch.limited or (not result.success and result.status.name.startswith("MAX")):
        return 0
    if result.optimality < settings.gtol:
        return 1
    return 2 if result.success else 3
