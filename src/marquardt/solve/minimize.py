"""Minimize a problem: options in, `Outcome` out. The loop runs in the core; `reference.py` explains it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..errors import ModelError, Status
from ..options import Options
from ..problem.streamed import StreamProblem
from ..problem.traced import LostTrace, Problem, TracedProblem
from ..problem.verify import agrees_at_end
from .trace import REASONS, Trace, read

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

_STATUS = tuple(Status)


class Outcome:
    """Where a minimization ended and what is known there. Arrays are made when they are asked for.

    ``x`` (p,) free parameters · ``f`` (m,) weighted residuals in data order · ``R`` (p, p) upper
    triangular, R'R = J'J (with a loss J'hJ, h its curvatures) · ``offset`` relative offset (Bates, Watts
    1981) · ``scaled_gradient`` largest gradient component in units of its rounding error ·
    ``active`` (p,) -1 at the lower bound, 1 at the upper, 0 free.
    """

    def __init__(self, raw: _core.Outcome, problem: Problem) -> None:
        self._raw, self.problem = raw, problem
        self._before = 0, 0

    def add(self, nfev: int, njev: int) -> None:
        """Count the evaluations of solves that led here."""
        self._before = self._before[0] + nfev, self._before[1] + njev

    @property
    def nfev(self) -> int:
        """Evaluations of the residuals."""
        return int(self._raw.nfev) + self._before[0]

    @property
    def njev(self) -> int:
        """Evaluations of the Jacobian."""
        return int(self._raw.njev) + self._before[1]

    @property
    def status(self) -> Status:
        return _STATUS[self._raw.status]

    @cached_property
    def x(self) -> Vector:
        return self._raw.x

    @cached_property
    def f(self) -> Vector:
        f = self._raw.f  # rows of a penalty follow those of the data
        return f if self.problem.penalty is None else f[: self.problem.size]

    @cached_property
    def factor(self) -> Matrix:
        """Triangular factor of [J f], (p+1, p+1)."""
        return self._raw.factor

    @property
    def R(self) -> Matrix:
        return self.factor[:-1, :-1]

    def trace(self, names: Sequence[str]) -> Trace:
        """One row per trial step; `names` are those of the free parameters."""
        return read(self._raw, names)

    @property
    def linear(self) -> tuple[int, ...]:
        """Positions of the parameters that were projected out."""
        return self.problem.linear

    @property
    def reason(self) -> str:
        """Why the search ended: one of `marquardt.solve.trace.REASONS`."""
        return REASONS[self._raw.reason]

    @property
    def cost(self) -> float:
        """Half the sum of squared residuals, or of their loss; those of a penalty included."""
        return float(self._raw.cost)

    def __getattr__(self, name: str) -> Any:
        """Everything else the core reports: gradient, rounding, offset, tolerance, rank, trace, ..."""
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._raw, name)


class StreamOutcome(Outcome):
    """Of long data: residuals are made anew when they are asked for."""

    problem: StreamProblem  # type: ignore[assignment]

    def __init__(self, raw: _core.Outcome, problem: StreamProblem) -> None:
        super().__init__(raw, problem)  # type: ignore[arg-type]

    @property
    def f(self) -> Vector:
        return self.problem.residuals(self.x)


class SampleOutcome(Outcome):
    """The end of a fit of long data, seen on the sample of rows that it started on."""

    def __init__(self, whole: StreamOutcome) -> None:
        super().__init__(whole._raw, whole.problem.part)

    @cached_property
    def f(self) -> Vector:
        return self.problem.residuals(self.x)

    @property
    def cost(self) -> float:
        loss = self.problem.loss
        return 0.5 * float(self.f @ self.f) if loss is None else float(loss.cost(self.f))


_FREE: dict[int, tuple[Vector, Vector]] = {}


def _unbounded(n: int) -> tuple[Vector, Vector]:
    """Bounds of n free parameters, made once."""
    found = _FREE.get(n)
    if found is None:
        found = _FREE[n] = (np.full(n, -np.inf), np.full(n, np.inf))
    return found


def minimize(
    problem: Problem,
    x0: Vector,
    lower: Vector | None = None,
    upper: Vector | None = None,
    options: Options | None = None,
    observe: Callable[[Any], bool | None] | None = None,
) -> Outcome:
    """Minimize ``sum(residuals**2) / 2`` from `x0` within the bounds.

    `observe` is called after each evaluation with the progress (``nfev, njev, cost, x``), or at most once in
    ``observe.every`` seconds where it has that attribute; returning True stops the fit, as Ctrl-C does: the
    best point so far is the outcome, with status INTERRUPTED.

    A trace that no longer gives what the real function gives at the end point (hidden state), or that
    meets a path it cannot follow, is dropped, and the fit repeated with the function called back.

    Raises DataError where a residual is not finite at the start.
    """
    lower = _unbounded(x0.size)[0] if lower is None else lower
    upper = _unbounded(x0.size)[1] if upper is None else upper
    options = DEFAULTS if options is None else options
    observer = None if observe is None else (observe, float(getattr(observe, "every", 0.0)))
    native = native_options(options, problem.exact)
    if isinstance(problem, TracedProblem):
        if problem.linear and (options.method != "auto" or not options.projection):
            problem = problem.with_all_parameters()
        try:
            near = _warm_start(problem, x0, lower, upper, native) if problem.size >= WARM_ROWS else None
            if near is None:
                raw = problem.minimize(x0, lower, upper, native, observer)
            else:
                every = problem.with_all_parameters()  # near a minimum projection saves nothing
                raw = every.minimize(near, lower, upper, native_options(options, True, near=True), observer)
            if agrees_at_end(problem, raw.x, raw.every):
                return Outcome(raw, problem)
        except LostTrace:
            pass  # the model says why
        problem = problem.as_callback()
        native = native_options(options, False)
    return Outcome(problem.minimize(x0, lower, upper, native, observer), problem)


def minimize_streamed(
    problem: StreamProblem,
    x0: Vector,
    lower: Vector,
    upper: Vector,
    options: Options | None = None,
    observe: Callable[[Any], bool | None] | None = None,
    near: bool = False,
) -> StreamOutcome:
    """`minimize` for long data; `near` a minimum all parameters are searched, along straight lines."""
    options = DEFAULTS if options is None else options
    observer = None if observe is None else (observe, float(getattr(observe, "every", 0.0)))
    if near or (problem.linear and (options.method != "auto" or not options.projection)):
        problem = problem.with_all_parameters()
    raw = problem.minimize(x0, lower, upper, native_options(options, True, near=near), observer)
    part = problem.part
    if not agrees_at_end(part, raw.x, lambda step: part.residuals(raw.x)[::step]):
        raise ModelError(f"long data need a model that can be traced: {part.model.reason}")
    return StreamOutcome(raw, problem)


WARM_ROWS = 200_000
"""From so many points on, a fit starts where a fit of a sample of them ended."""
SAMPLE = 8_192


def _warm_start(
    problem: TracedProblem, x0: Vector, lower: Vector, upper: Vector, native: Any
) -> Vector | None:
    """The certified end of a fit of some thousand evenly spaced points, or None.

    The sample's minimum is within a standard error of *its own* of the minimum of all points, so that the
    fit of all needs two or three Jacobians instead of seven or more. All verdicts come from all points.
    """
    sample = problem.sample(SAMPLE)
    if sample is None:
        return None
    raw = sample.minimize(x0, lower, upper, native, None)
    certified = (Status.CONVERGED, Status.CONVERGED_AT_BOUND)
    return raw.x if _STATUS[raw.status] in certified else None


DEFAULTS = Options()


@lru_cache(maxsize=32)
def native_options(options: Options, second_derivatives: bool, near: bool = False) -> Any:
    """The options in the core's form; `near` a minimum geodesics are straight, and their pass is saved."""
    if near:
        options = replace(options, acceleration=False)
    return _core.Options(**options.native(second_derivatives=second_derivatives), threads=options.threads)
