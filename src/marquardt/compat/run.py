"""One minimization on SciPy's terms: settings, the callback, and the codes that stand for an end."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import OptimizeResult

from ..errors import Status
from ..options import Options
from ..problem.traced import Problem
from ..solve.minimize import Outcome, minimize
from .losses import Chosen
from .rooted import Rooted

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Settings:
    """What SciPy lets a caller choose about the minimization, as far as it is done here."""

    ftol: float = 1e-8
    xtol: float = 1e-8
    gtol: float = 1e-8
    max_nfev: int | None = None
    count_differences: bool = False
    """Do calls for differences count against `max_nfev`, as with MINPACK?"""
    step: Any = None
    """Relative step of differences."""
    x_scale: Any = None
    callback: Callable[[Any], Any] | None = None
    verbose: int = 0
    loss: Chosen | None = None

    def options(self, problem: Problem, lower: Vector, upper: Vector) -> Options:
        """With a traced function a tight tolerance costs next to nothing; calls are worth saving.

        SciPy ends *after* a step that lowered the cost by ftol of it; here the promise of the next step
        counts, ``offset^2``, and a part of the offset makes up for the step that is not taken.
        """
        by_jacobian = self.x_scale is not None and isinstance(self.x_scale, str)
        if problem.exact and self.ftol <= USUAL:
            return BY_JACOBIAN if by_jacobian else PLAIN
        limited = np.isfinite(lower).any() or np.isfinite(upper).any()
        forward = getattr(problem, "scheme", "") == "2-point"
        part = 0.2 if forward and not limited else 0.01
        wanted = part * math.sqrt(self.ftol) if self.ftol > 0.0 else PLAIN.tolerance
        return Options(
            tolerance=min(max(wanted, PLAIN.tolerance), 0.1), acceleration=False, polish=False,
            scaling="running-max" if by_jacobian else "auto",
        )  # fmt: skip


USUAL = 1.5e-8
"""The largest default of ftol in SciPy."""
PLAIN = Options()
BY_JACOBIAN = Options(scaling="running-max")
DEFAULT = Settings()
UNFINISHED = (Status.MAX_EVALUATIONS, Status.INTERRUPTED)


@dataclass
class Watch:
    """Looks on: tells the caller's callback of each accepted step, and ends the run where SciPy would.

    That is at the limit of evaluations, and, with an `ftol` larger than usual, after a step that lowered the
    cost by less than `ftol` of it.
    """

    settings: Settings
    problem: Any
    x0: Vector
    every: float = 0.0
    nit: int = 0
    stopped: bool = False
    limited: bool = False
    gain: float = math.inf
    """By which part of itself the last accepted step lowered the cost."""
    cost: float = math.inf
    last: Vector = field(init=False)

    def __post_init__(self) -> None:
        self.last = self.x0
        self.report = None if self.settings.callback is None else by_signature(self.settings.callback)

    def __call__(self, progress: Any) -> bool:
        if self.report is not None and not np.array_equal(progress.x, self.last):
            self.tell(progress.x, progress.nfev, progress.cost)
        if progress.cost < self.cost:
            self.gain = 1.0 - progress.cost / self.cost
            self.cost = progress.cost
        if self.settings.max_nfev is not None:
            count = self.problem.calls if self._all_calls else progress.nfev
            self.limited = bool(count >= self.settings.max_nfev)
        return self.stopped or self.limited or self.settled

    @property
    def settled(self) -> bool:
        """Did a step gain too little to go on, by a tolerance that the caller chose?"""
        return self.gain < self.settings.ftol and self.settings.ftol > USUAL

    @property
    def _all_calls(self) -> bool:
        return self.settings.count_differences and hasattr(self.problem, "calls")

    def at_end(self, outcome: Outcome) -> None:
        """The last report is of the result."""
        if self.report is not None and not self.stopped and not np.array_equal(outcome.x, self.last):
            self.tell(outcome.x, outcome.nfev, outcome.cost)

    def tell(self, x: Vector, nfev: int, cost: float) -> None:
        """Report `x` to the caller."""
        assert self.report is not None
        self.nit += 1
        self.last = x.copy()
        fields: dict[str, Any] = {"x": x.copy(), "nit": self.nit, "nfev": nfev, "cost": cost}
        try:
            self.stopped = bool(self.report(fields, plain_residuals(self.problem)))
        except StopIteration:
            self.stopped = True


Report = Callable[[dict[str, Any], Callable[[Vector], Vector]], Any]


def by_signature(callback: Callable[..., Any]) -> Report:
    """As SciPy decides: ``callback(intermediate_result=...)`` by that name, else ``callback(x)``."""
    if set(inspect.signature(callback).parameters) != {"intermediate_result"}:
        return lambda fields, residuals: callback(fields["x"])

    def by_name(fields: dict[str, Any], residuals: Callable[[Vector], Vector]) -> Any:
        fields["fun"] = residuals(fields["x"])
        return callback(intermediate_result=OptimizeResult(**fields))

    return by_name


def plain_residuals(problem: Problem) -> Callable[[Vector], Vector]:
    """The caller's residuals, whatever a loss makes of them."""
    return problem.inner_residuals if isinstance(problem, Rooted) else problem.residuals


@dataclass
class End:
    """Where a run from `start` ended, and the code that SciPy has for it."""

    outcome: Outcome
    start: Vector
    settings: Settings
    watch: Watch | None = None

    @property
    def failed(self) -> bool:
        """Was the run stopped before its end, by the callback or a limit?"""
        if self.watch is None:
            return self.outcome.status in UNFINISHED
        return self.status <= 0

    @property
    def settled(self) -> bool:
        """Did the caller's own `ftol` end the run before a minimum was certified?"""
        interrupted = self.outcome.status is Status.INTERRUPTED
        return interrupted and self.watch is not None and self.watch.settled

    @cached_property
    def status(self) -> int:
        """SciPy's status: -2 where the callback stopped the run, else by `code`."""
        if self.watch is not None and self.watch.stopped:
            return -2
        if self.outcome.status in UNFINISHED:
            return 2 if self.settled and self.watch is not None and not self.watch.limited else 0
        return code(self.outcome, self.settings)

    @property
    def certified(self) -> bool:
        return self.outcome.status.success

    @property
    def initial_cost(self) -> float:
        """The cost at the start."""
        problem = self.outcome.problem
        f = problem.residuals(self.start)
        return 0.5 * float(f @ f) if problem.loss is None else problem.loss.cost(f)

    @cached_property
    def residuals(self) -> Vector:
        """The caller's residuals at the end, (m,)."""
        problem = self.outcome.problem
        return problem.inner_residuals(self.outcome.x) if isinstance(problem, Rooted) else self.outcome.f

    def jacobian(self) -> Matrix:
        """What SciPy calls ``jac``, (m, n): with a loss, rows are scaled so that J'J models the Hessian."""
        x, problem, loss = self.outcome.x, self.outcome.problem, self.settings.loss
        source = problem.inner_jacobian if isinstance(problem, Rooted) else problem.jacobian
        J = source(x, self.residuals)
        return J if loss is None else loss.jacobian(J, self.residuals)


def run(problem: Problem, x0: Vector, lower: Vector, upper: Vector, settings: Settings) -> End:
    """Minimize from x0, shape (n,), within the bounds.

    Raises ValueError where the residuals are not finite at x0.
    """
    if settings.loss is not None:
        problem = settings.loss.applied(problem)
    watch = None
    if settings.max_nfev is not None or settings.callback is not None or settings.ftol > USUAL:
        watch = Watch(settings, problem, x0)
    outcome = minimize(problem, x0, lower, upper, settings.options(problem, lower, upper), watch)
    if not math.isfinite(outcome.cost):
        raise ValueError(
            f"Residuals are not finite in the initial point, or their squares too large: {x0.tolist()}"
        )
    if watch is not None:
        watch.at_end(outcome)
    if outcome.status is Status.INTERRUPTED and not (
        watch and (watch.stopped or watch.limited or watch.settled)
    ):
        raise KeyboardInterrupt
    return End(outcome, x0, settings, watch)


def code(outcome: Outcome, settings: Settings) -> int:
    """SciPy's status for this end: which of its conditions holds there, by its own definition.

    1: the largest component of the gradient is below gtol; 2: the reduction of the cost that a full step
    promises is below ftol of it; 3: steps have become as small as the spacing of numbers. A certified end
    that meets neither 1 nor 2 has a gradient that is zero to rounding: 1.
    """
    if optimality(outcome.gradient, outcome.active) < settings.gtol:
        return 1
    if outcome.offset**2 < settings.ftol:
        return 2
    return 1 if outcome.status.success else 3


def optimality(gradient: Vector, active: Any) -> float:
    """Largest component of the gradient over the parameters not held at a bound."""
    free = np.abs(gradient[np.asarray(active) == 0])
    return float(free.max(initial=0.0))
