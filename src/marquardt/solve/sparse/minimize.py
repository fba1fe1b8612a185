"""Minimize ``1/2 Σ fun(x)²``, or a loss of the residuals, with a sparse Jacobian."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np

from ...errors import DataError, OptionError
from ...problem.losses import Loss
from ..large.clock import TimedSystem
from ..large.loop import End, minimize
from ..large.point import Point, Task
from ..large.record import Judged, Recorder, SolveTrace
from ..large.settings import SolveOptions
from .derivative import Derivative, Given, Grouped
from .structure import Structure, Vector, compressed
from .system import Numbers, SparseSystem, Unconnected, Whole

FIRST_DAMPING = 1e-3
"""Of the diagonal of J'J: a start may be far from where residuals are linear."""


@dataclass(frozen=True)
class Progress:
    """What an observer is shown after each step tried: the best point so far."""

    nfev: int
    njev: int
    cost: float
    x: Vector


@dataclass(frozen=True, eq=False)
class SparseOutcome:
    """Where a minimization with a sparse Jacobian ended, and how it got there."""

    end: End
    system: SparseSystem
    derivative: Derivative
    trace: SolveTrace
    initial_cost: float
    nfev: int
    """Evaluations of the residuals, without those for differences."""
    njev: int
    stopped: bool
    """Did the observer end it?"""

    @property
    def x(self) -> Vector:
        return np.asarray(self.end.point.values[0].ravel())


class Counted:
    """The residuals as real numbers, (m,), and the number of times they were called."""

    def __init__(self, call: Callable[[Vector], Any]) -> None:
        self.call, self.n_calls = call, 0

    def __call__(self, x: Vector) -> Vector:
        self.n_calls += 1
        f = np.ravel(self.call(x))
        if np.iscomplexobj(f):
            raise OptionError("fun returns complex residuals: with a sparse Jacobian they must be real")
        return np.asarray(f, dtype=np.float64)


def sparse_derivative(
    residuals: Counted, f: Vector, x: Vector, sparsity: Any, jac: Callable[[Vector], Any] | None,
    box: tuple[Vector, Vector], *, central: bool = True, step: Any = None,
) -> Derivative:  # fmt: skip
    """The caller's sparse Jacobian, or differences by the structure given.

    Raises OptionError where shapes do not fit, ModelError where the caller's Jacobian is wrong.
    """
    if jac is not None:
        given = Given(jac, x, f.size)
        given.check(residuals, x, f, box)
        return given
    structure = Structure.of(compressed(sparsity, "jac_sparsity", (f.size, x.size)))
    return Grouped(residuals, structure, *box, central=central, step=step)


def minimize_sparse(
    residuals: Counted, derivative: Derivative, x0: Vector, box: tuple[Vector, Vector],
    loss: Loss | None = None, options: SolveOptions | None = None,
    observe: Callable[[Progress], bool | None] | None = None, *, shown: bool = False,
) -> SparseOutcome:  # fmt: skip
    """Minimize from x0 (n,) within the bounds by Levenberg and Marquardt with Nielsen's damping.

    Raises DataError where a residual is not finite at x0.
    """
    options = options or SolveOptions(initial_damping=FIRST_DAMPING)
    system = SparseSystem(residuals, derivative, loss)
    start, f = x0.reshape(-1, 1), system.f(x0)
    for k in np.flatnonzero(~np.isfinite(f)).tolist():
        raise DataError(f"residual {k} is {f[k]} at x0: choose another start")
    lower, upper = (None if not np.isfinite(b).any() else b.reshape(-1, 1) for b in box)
    compiled = Unconnected((Numbers(start, lower, upper),), (Whole(f.size, "fun", loss=loss),))
    timed, begin, stopped = TimedSystem(system), perf_counter(), False
    recorder = Recorder(lambda: perf_counter() - begin, shown)

    def watch(point: Point, judged: Judged) -> bool:
        nonlocal stopped
        if observe is not None:
            seen = (
                residuals.n_calls - derivative.n_calls,
                system.n_jacobians,
                point.cost,
                point.values[0].ravel(),
            )
            stopped = bool(observe(Progress(*seen)))
        return stopped

    end = minimize(Task.of(compiled, timed, None), [start], options, recorder, watch)
    counts = residuals.n_calls - derivative.n_calls, system.n_jacobians
    trace, initial = recorder.trace(), float(recorder.initial_cost)
    return SparseOutcome(end, system, derivative, trace, initial, *counts, stopped)


def sparse_options(ftol: float | None, max_time: float | None = None) -> SolveOptions:
    """Tolerances that leave nothing to gain, or the caller's."""
    return SolveOptions(
        ftol=1e-14 if ftol is None else min(ftol, 0.5), xtol=1e-12, gtol=1e-12, max_time=max_time,
        max_iterations=10_000, initial_damping=FIRST_DAMPING,
    )  # fmt: skip


def offset(point: Point) -> float:
    """``sqrt`` of the part of the cost that a whole Gauss-Newton step would gain by its own prediction."""
    if point.cost <= 0.0:
        return 0.0
    system = point.linearized().task.system
    if not system.factorize(1e-10, point.frozen):
        return math.nan
    return math.sqrt(max(float(system.step()[1]), 0.0) / point.cost)
