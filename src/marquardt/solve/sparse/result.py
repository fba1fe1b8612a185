"""What ``least_squares`` returns where the Jacobian is sparse."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import Status
from ..large.verdict import SolveCertificate
from .minimize import SparseOutcome, offset
from .structure import Vector


class SparseLeastSquaresResult:
    """``x, cost, fun, jac, grad, optimality, active_mask, nfev, njev, status, message, success`` as in SciPy;
    ``trace``, ``certificate``, ``offset``, ``standard_errors``; ``jac`` is a sparse array.
    """

    def __init__(self, outcome: SparseOutcome, title: str, *, limited: bool = False) -> None:
        self._outcome, self._point = outcome, outcome.end.point
        self._title, self._limited = title, limited
        self.x: Vector = outcome.x
        """The parameters found, (n,)."""
        self.cost = float(self._point.cost)
        """``1/2 Σ fun(x)²``, or that of the loss."""
        self.fun: Vector = outcome.system.f(self.x)
        """The residuals at ``x``, (m,)."""
        self.trace, self.initial_cost = outcome.trace, outcome.initial_cost
        self.nfev, self.njev = outcome.nfev, outcome.njev
        self.derivative = outcome.derivative.words
        """How derivatives were made."""
        self.solver: dict[str, Any] = dict(outcome.system.info())
        """What solved the normal equations, and how much of it there was."""

    @cached_property
    def jac(self) -> Any:
        """The Jacobian at ``x``, a sparse array (m, n); with a loss its rows are scaled, as in SciPy."""
        self._point.linearized()
        system = self._outcome.system
        J = system.derivative.structure.matrix(system.values)
        if system.loss is None:
            return J
        root = np.sqrt(system.loss.curvatures(self.fun)[1])
        return system.derivative.structure.matrix(J.data * root[system.derivative.structure.rows])

    @cached_property
    def grad(self) -> Vector:
        """Gradient of the cost, (n,)."""
        self._point.linearized()
        return np.asarray(self._outcome.system.gradient()[0]).ravel()

    @property
    def optimality(self) -> float:
        """Largest component of the gradient over the parameters not held at a bound."""
        return float(np.abs(self.grad[self.active_mask == 0]).max(initial=0.0))

    @cached_property
    def active_mask(self) -> NDArray[np.int64]:
        """-1 where a component of x is held at its lower bound, 1 at its upper one, else 0."""
        held = self._point.at_bound
        if held is None:
            return np.zeros(self.x.size, dtype=np.int64)
        return np.where(held[0].ravel(), np.where(self.grad > 0.0, -1, 1), 0)

    # ------------------------------------------------------------------------------------------ the verdict

    @property
    def status(self) -> Status:
        """Why the minimization ended."""
        found = self._outcome.end.status
        return Status.MAX_EVALUATIONS if self._limited and found is Status.INTERRUPTED else found

    @property
    def message(self) -> str:
        """The status as a sentence with both numbers."""
        return f"{self.status.value}: {self._outcome.end.reason}"

    @property
    def success(self) -> bool:
        return self.status.success

    @cached_property
    def offset(self) -> float:
        """``sqrt`` of the part of the cost that a Gauss-Newton step would still gain: near 0 at a minimum."""
        return offset(self._point)

    @cached_property
    def certificate(self) -> SolveCertificate:
        """What is known about the end: gradient, rank, parameters that are not determined."""
        return SolveCertificate(self._point)

    @cached_property
    def standard_errors(self) -> Vector:
        """``s sqrt(diag((J'J)^-1))`` with ``s² = 2 cost / (m - n)``, (n,); NaN where J'J is singular
        or m <= n, 0 for what is held at a bound."""
        surplus = self.fun.size - self.x.size
        if surplus <= 0 or not self._point.linearized().task.system.factorize(0.0, self._point.frozen):
            return np.full(self.x.size, np.nan)
        return np.asarray(np.sqrt(2.0 * self.cost / surplus * self._outcome.system.normal.inverse_diagonal()))

    def __repr__(self) -> str:
        s = self.solver
        lines = [
            f"{self._title}: {self.fun.size} residuals, {self.x.size} parameters, "
            f"{self._outcome.derivative.structure.columns.size} numbers in J",
            f"cost         {self.cost:.10g}, from {self.initial_cost:.4g}",
            f"status       {self.message}",
            f"evaluations  {self.nfev} of the residuals, {self.njev} of J: {self.derivative}",
            f"solver       {s['solver']} Cholesky, {s['nonzeros']} numbers in the factor",
        ]
        return "\n".join(lines)
