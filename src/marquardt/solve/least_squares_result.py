"""What ``least_squares`` returns: a `Result` with the names that SciPy's has."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..errors import Status
from ..problem.given import Wrong, wrong_jacobian
from .minimize import Outcome
from .result import Matrix, Result, Vector
from .scipy_names import Unknowns


class LeastSquaresResult(Result):
    """A finished minimization of residuals; ``x, cost, fun, jac, grad, optimality, active_mask, nfev, njev,
    status, message, success`` as in SciPy, and what every `Result` has.

    ``covariance`` is ``s² (J'J)^-1`` with ``s² = 2 cost / (m - n)``, infinite for what is not determined;
    with a loss it is the sandwich.
    """

    def __init__(
        self,
        outcome: Outcome,
        parameters: Unknowns,
        title: str,
        *,
        derivative: str | None = None,
        wrong: tuple[Wrong, ...] = (),
        limited: bool = False,
        more_nfev: int = 0,
        more_njev: int = 0,
    ) -> None:
        super().__init__(outcome, parameters, title)
        self._derivative, self._wrong, self._limited = derivative, wrong, limited
        self._more_nfev, self._more_njev = more_nfev, more_njev

    @property
    def fun(self) -> Vector:
        """The residuals at ``x``, shape (m,)."""
        return self.residuals

    @cached_property
    def jac(self) -> Matrix:
        """The Jacobian at ``x``, shape (m, n).

        With a loss its rows are scaled, as in SciPy, so that ``jac.T @ jac`` is that of the cost's model.
        """
        J = np.asarray(self._outcome.problem.jacobian(self._outcome.x, self._outcome.f))
        return J if self.loss is None else J * np.sqrt(self.loss.curvatures(self.residuals)[1])[:, None]

    @property
    def grad(self) -> Vector:
        """Gradient of the cost, ``J'f`` (with a loss ``J'ρ'f``, J not scaled), shape (n,)."""
        return np.asarray(self._outcome.gradient)

    @property
    def optimality(self) -> float:
        """Largest component of the gradient over the parameters not held at a bound."""
        return float(np.abs(self.grad[self.active_mask == 0]).max(initial=0.0))

    @property
    def active_mask(self) -> NDArray[np.int64]:
        """-1 where a component of x is held at its lower bound, 1 at its upper one, else 0."""
        return np.asarray(self._outcome.active, dtype=np.int64)

    # ------------------------------------------------------------------------------------------ the verdict

    @property
    def status(self) -> Status:
        """Why the minimization ended. With a Jacobian that is wrong nothing is proved: STALLED."""
        if self._wrong:
            return Status.STALLED
        found: Status = self._outcome.status
        return Status.MAX_EVALUATIONS if self._limited and found is Status.INTERRUPTED else found

    @property
    def wrong_entries(self) -> tuple[Wrong, ...]:
        """Entries of the caller's Jacobian at ``x`` that differences of the residuals contradict."""
        return self._wrong

    @property
    def defect(self) -> str:
        return f"jac is wrong at the end: {wrong_jacobian(self._wrong, self.names)}" if self._wrong else ""

    @property
    def derivative(self) -> str:
        """How derivatives were made: ``exact (traced)``, ``given ...`` or ``finite differences: <why>``."""
        return self._derivative or super().derivative

    @property
    def nfev(self) -> int:
        """Evaluations of the residuals, those that checked the caller's Jacobian included."""
        return super().nfev + self._more_nfev

    @property
    def njev(self) -> int:
        """Evaluations of the Jacobian, those that checked it included."""
        return super().njev + self._more_njev
