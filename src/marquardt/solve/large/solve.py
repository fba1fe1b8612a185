"""`solve`: the front door of large problems."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from time import perf_counter
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from ...errors import OptionError, Status, suggestion
from ...problem.large.structure import eliminated, separable
from .clock import TimedSystem
from .gnc import GNC, gnc_of, minimize_gnc
from .loop import End, Moment, minimize
from .point import Point, Task
from .record import Judged, Recorder
from .result import SolveResult
from .settings import Method, SolveOptions, Solver
from .system import analyze, make_system

_systems: WeakKeyDictionary[Any, dict[tuple[Any, ...], TimedSystem]] = WeakKeyDictionary()
"""The structure of a compiled problem is analyzed once for each way to solve it."""

ROUGHLY = 1e-4
"""The cost tolerance of all rounds of graduated non-convexity but the last."""
FEW = 10
"""Most steps of such a round: the next one weighs the residuals anew in any case."""


def solve(
    problem: Any,
    *,
    method: Method = "lm",
    robust: str | GNC | None = None,
    solver: Solver = "auto",
    eliminate: str | None = "auto",
    start: Mapping[str, Any] | None = None,
    ftol: float = 1e-8,
    xtol: float = 1e-10,
    gtol: float = 1e-12,
    max_iterations: int = 500,
    max_time: float | None = None,
    initial_damping: float | None = None,
    threads: int | None = None,
    callback: Callable[[Moment], Any] | None = None,
    progress: bool = False,
) -> SolveResult:
    """Minimize ``1/2 Σ c² ρ(|r_i|² / c²)`` over the variables of a `Problem`, or of a compiled one.

    method, ftol, xtol, gtol, max_iterations, max_time, initial_damping, threads, solver : see `SolveOptions`.
    robust : ``"gnc"`` or a `GNC`: find false residuals by graduated non-convexity; ``result.weights`` tells.
    eliminate : name of the variables that the Schur complement takes out; "auto" finds them, None: none.
    start : values by name, in place of those of the problem.
    callback : called with a `Moment` after each trial step; True stops.
    progress : print a line for each step.

    Raises OptionError, ParameterError (start), DataError where a residual is not finite at the start, with
    family and item. Ctrl-C returns the best point so far with status INTERRUPTED.
    """
    options = SolveOptions(
        method=method, solver=solver, ftol=ftol, xtol=xtol, gtol=gtol, max_iterations=max_iterations,
        max_time=max_time, initial_damping=initial_damping, threads=threads,
    )  # fmt: skip
    gnc = gnc_of(robust)
    begin = perf_counter()
    compiled, structure = _compile(problem, options, eliminate)
    traced = perf_counter()
    compiled = compiled if start is None else compiled.with_values(start)
    task = prepare(compiled, options, eliminate, structure)
    analyzed = perf_counter()
    seconds, calls = dict(task.system.seconds), dict(task.system.calls)
    values = [np.array(v.values, dtype=np.float64) for v in compiled.variables]
    recorder = Recorder(lambda: perf_counter() - analyzed, progress)
    observe = _observer(compiled, callback, recorder)

    def run(task: Task, end: End | None, roughly: bool = False) -> End:
        left = _remaining(options, recorder, perf_counter() - analyzed)
        at = values if end is None else end.point.values
        if not roughly:
            return minimize(task, at, left, recorder, observe)
        few = replace(left, ftol=max(left.ftol, ROUGHLY), max_iterations=min(left.max_iterations, FEW))
        found = minimize(task, at, few, recorder, observe)
        is_capped = found.status is Status.MAX_ITERATIONS and few.max_iterations < left.max_iterations
        return replace(found, status=Status.STALLED) if is_capped else found

    end = run(task, None) if gnc is None else minimize_gnc(gnc, task, run)
    spent = {phase: s - seconds[phase] for phase, s in task.system.seconds.items()}
    counts = {name: n - calls[name] for name, n in task.system.calls.items()}
    times = {
        "compile": traced - begin,
        "analyze": analyzed - traced,
        **spent,
        "total": perf_counter() - begin,
    }
    return SolveResult(end, recorder.trace(), recorder.initial_cost, times, counts, gnc is not None)


def _compile(problem: Any, options: SolveOptions, eliminate: str | None) -> tuple[Any, Any]:
    """The compiled problem, and its structure where that is analyzed meanwhile."""
    if not hasattr(problem, "compile"):
        if not hasattr(problem, "families"):
            raise OptionError(
                f"solve() takes a Problem, or what its compile() gives, not {type(problem).__name__}; "
                "least_squares() takes a function of one vector"
            )
        return problem, None
    structure = None
    if not problem.is_compiled:
        outline = problem.outline()
        structure = analyze(outline, _eliminated(outline, eliminate), options.solver, options.threads)
    return problem.compile(), structure


def prepare(
    compiled: Any, options: SolveOptions, eliminate: str | None = "auto", structure: Any = None
) -> Task:
    """The task of a compiled problem: which variables are eliminated, and the system that evaluates it, of a
    structure that is known or analyzed here."""
    position = _eliminated(compiled, eliminate)
    known = _systems.setdefault(getattr(compiled, "structure", compiled), {})
    key = position, options.solver, options.threads
    if key not in known:
        made = make_system(compiled, position, options.solver, options.threads, structure)
        known[key] = TimedSystem(made)
    return Task.of(compiled, known[key], position)


def _eliminated(compiled: Any, eliminate: str | None) -> int | None:
    """Position of the variables to eliminate. Raises OptionError where a residual joins two of them."""
    names = [v.name for v in compiled.variables]
    if eliminate is None:
        return None
    if eliminate == "auto":
        return eliminated(compiled)
    if eliminate not in names:
        raise OptionError(
            f"eliminate = {eliminate!r}: there are no such variables{suggestion(eliminate, names)}"
        )
    if names.index(eliminate) not in separable(compiled):
        raise OptionError(
            f"eliminate = {eliminate!r}: some residual joins two of them, so their part of J'J is not block "
            "diagonal; 'auto' finds variables that can be eliminated"
        )
    return names.index(eliminate)


def _observer(
    compiled: Any, callback: Callable[[Moment], Any] | None, recorder: Recorder
) -> Callable[[Point, Judged], bool]:
    if callback is None:
        return lambda point, judged: False
    names = [v.name for v in compiled.variables]

    def observe(point: Point, judged: Judged) -> bool:
        values = dict(zip(names, point.values, strict=True))
        at = len(recorder.rows), point.cost, values, judged.accepted, recorder.clock()
        return callback(Moment(*at)) is True

    return observe


def _remaining(options: SolveOptions, recorder: Recorder, seconds: float) -> SolveOptions:
    """What earlier rounds have left of the limits."""
    if not recorder.rows:
        return options
    time = None if options.max_time is None else max(options.max_time - seconds, 1e-9)
    return replace(options, max_iterations=max(options.max_iterations - len(recorder.rows), 0), max_time=time)
