"""Starting values nobody gave: linear parameters are projected out, the others searched.

A few hundred points of a scrambled Sobol sequence are spread over the ranges of `ranges`; at each the
linear parameters follow by linear least squares. The best points are polished by a few iterations of the
minimizer, the best of those finished. The seed is fixed: the same data give the same fit.
Where a built-in model has a start rule, its guess is tried first; the search follows only if that is not
convincing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, MarquardtError, Status
from ..expr.separable import linear_parameters
from ..options import Options
from ..solve.minimize import minimize
from .candidates import Candidates, sample
from .data import Data
from .parameters import Parameters
from .ranges import Ranges, ranges, typical_size
from .self_start import SelfStart, beats_polynomial, guesses, self_starts
from .symmetry import canonical

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

Watch = Callable[[Any], Any] | None

MAX_ROWS = 256
"""Rows used to judge a candidate: more would not change which are promising."""
STAGES = ((32, 6), (12, 20), (3, None))
"""How many of the best go on, and for how many Jacobians each; None: to the end."""
GUESSED = 16
"""Guesses by start rules that go on."""
RULE_STAGES = ((GUESSED, 6), (5, 20), (2, None))
"""As `STAGES`, for these."""
SAME_COST = 1e-6
"""Relative difference of the cost below which two ends count as the same optimum."""


@dataclass(frozen=True)
class Search:
    """How the start was found: the finished outcome and what it cost."""

    outcome: Any
    nfev: int
    njev: int
    n_candidates: int
    n_finished: int
    n_reached: int
    """How many of the finished starts ended at the returned optimum."""
    rule: str = ""
    """The built-in model whose start rule led here; empty after a search."""


def search(
    model: Any, problem: Any, data: Data, parameters: Parameters, options: Options | None, watch: Watch = None
) -> Search:
    """Find starting values for the parameters that have none, and finish the fit from the best of them.

    Raises DataError when the model is not finite at any candidate.
    """
    version = model.versions[0] if model.reason is None and model.versions else None
    ruled: Search | None = None
    if version is None:
        candidates, stopped = _by_calls(problem, data, parameters)
        if stopped and candidates:
            index = parameters.free_index
            here = candidates[0][index]
            outcome = minimize(
                problem, here, parameters.lower[index], parameters.upper[index], options, stop_at_once
            )
            return Search(outcome, 0, 0, len(candidates), 0, 0)
    else:
        starts, whole = self_starts(model.function, data)
        candidates, complete = _by_rules(starts, whole, version.trace, data, parameters)
        if candidates and complete:
            ruled = _finish_rule(starts[0].row.name, candidates, problem, data, parameters, options, watch)
            if ruled is not None and (not starts[0].row.many_minima or _interrupted(ruled)):
                return _labelled(version.trace, data, problem, ruled, parameters, options)
        candidates = candidates + _by_projection(version.trace, data, parameters)
    if not candidates:
        raise DataError(
            "no starting point was found: the model is not finite anywhere it was tried; give start={...}"
        )
    found = _finish(problem, candidates, parameters, options or Options(), watch)
    if ruled is not None and not _interrupted(found):
        found = _lower(ruled, found)
    return found if version is None else _labelled(version.trace, data, problem, found, parameters, options)


def search_by_rule(
    model: Any, problem: Any, data: Data, parameters: Parameters, options: Options | None, watch: Watch = None
) -> Search | None:
    """The fit that a start rule alone leads to; None where there is no rule, or it does not convince."""
    version = model.versions[0] if model.reason is None and model.versions else None
    starts, whole = self_starts(model.function, data)
    if version is None or not starts or starts[0].row.many_minima:
        return None
    candidates, complete = _by_rules(starts, whole, version.trace, data, parameters)
    if not (candidates and complete):
        return None
    found = _finish_rule(starts[0].row.name, candidates, problem, data, parameters, options, watch)
    return None if found is None else _labelled(version.trace, data, problem, found, parameters, options)


def _interrupted(found: Search) -> bool:
    return found.outcome.status is Status.INTERRUPTED


def _lower(ruled: Search, found: Search) -> Search:
    """The lower of two ends, with the evaluations of both."""
    best, other = (
        (ruled, found) if ruled.outcome.cost <= found.outcome.cost * (1 + SAME_COST) else (found, ruled)
    )
    return replace(
        best,
        nfev=best.nfev + other.nfev + int(other.outcome.nfev),
        njev=best.njev + other.njev + int(other.outcome.njev),
        n_candidates=best.n_candidates + other.n_candidates,
    )


def _labelled(
    trace: Any, data: Data, problem: Any, found: Search, parameters: Parameters, options: Options | None
) -> Search:
    """The preferred copy of an optimum, unless something given tells the copies apart."""
    nothing_given = np.isnan(parameters.values).all() and not _bounded(parameters).any()
    if not nothing_given or _interrupted(found):
        return found
    return _preferred_copy(trace, data, problem, found, parameters, options)


def _bounded(parameters: Parameters) -> NDArray[np.bool_]:
    return np.isfinite(parameters.lower) | np.isfinite(parameters.upper)


def _preferred_copy(
    trace: Any, data: Data, problem: Any, found: Search, parameters: Parameters, options: Options | None
) -> Search:
    """Interchange equal terms and free signs so that the labels do not depend on chance."""
    table = Table.of(trace, data)
    linear = linear_parameters(table.outputs)
    others = [i for i in range(len(parameters.names)) if i not in linear]
    x = np.array(found.outcome.x)
    copy = canonical(table.evaluate, x, linear, others)
    if np.array_equal(copy, x):
        return found
    again = minimize(problem, copy, parameters.lower, parameters.upper, options)
    # The same optimum: where the residuals are rounding themselves, its cost varies in the third digit.
    # A penalty may tell the copies apart, and never is rounding.
    slack = 0.01 if problem.penalty is None else SAME_COST
    if not again.cost <= found.outcome.cost * (1.0 + slack) or again.status != found.outcome.status:
        return found
    old = found.outcome
    return replace(found, outcome=again, nfev=found.nfev + int(old.nfev), njev=found.njev + int(old.njev))


# ---------------------------------------------------------------------------------------------- candidates


def _by_projection(trace: Any, data: Data, parameters: Parameters) -> list[Vector]:
    """Candidates of a traced model, best first, with the linear parameters solved for."""
    table = Table.of(trace, data)
    unknown = np.isnan(parameters.values)
    avoid = set(np.flatnonzero(_bounded(parameters)).tolist())
    linear = [i for i in linear_parameters(table.outputs, avoid) if unknown[i]]
    others = [i for i in np.flatnonzero(unknown).tolist() if i not in linear]
    where = table.ranges(len(parameters.names))
    drawn = sample(where, others, parameters)
    costs, full = table.project(drawn, linear, parameters)
    return _best_first(full, costs)


def _by_rules(
    starts: Sequence[SelfStart], whole: bool, trace: Any, data: Data, parameters: Parameters
) -> tuple[list[Vector], bool]:
    """Candidates by the start rules of built-in models, best first, linear parameters solved for.

    The second value says whether one rule speaks of all that is not linear; where it does not, the rest
    is drawn.
    """
    if not starts:
        return [], False
    table = Table.of(trace, data, most=data.y.size)  # a narrow peak may hide between the rows of a sample
    unknown = np.isnan(parameters.values)
    avoid = set(np.flatnonzero(_bounded(parameters)).tolist())
    linear = [i for i in linear_parameters(table.outputs, avoid) if unknown[i]]
    rows = []
    complete = len(starts) == 1
    for guess in guesses(starts, whole, data.flat()[0], len(unknown)):
        known = np.where(unknown, np.clip(guess, parameters.lower, parameters.upper), parameters.values)
        others = [i for i in np.flatnonzero(np.isnan(known)).tolist() if i not in linear]
        complete = complete and not others
        drawn = sample(table.ranges(len(unknown)), others, replace(parameters, values=known), 64)
        rows.append(drawn)
    if not rows:
        return [], False
    drawn = np.concatenate(rows)
    costs, full = table.project(drawn, linear, parameters)
    return _best_first(full, costs)[:GUESSED], complete


def _by_calls(problem: Any, data: Data, parameters: Parameters) -> tuple[list[Vector], bool]:
    """Candidates of a function that is called back: ones, and a coarse search over the scales of the data.

    Such functions may be slow: Ctrl-C ends the search, and the second value is then True.
    """
    n = len(parameters.names)
    unknown = np.flatnonzero(np.isnan(parameters.values)).tolist()
    columns = [a for a in data.arguments if isinstance(a, np.ndarray) and a.dtype.kind == "f"]
    x_size = typical_size(columns[0]) if columns else 0.0
    sizes = (0.0, typical_size(np.abs(data.y)), -x_size, x_size)
    nowhere = np.full(n, np.nan)
    rows = [parameters.provisional()[None, :]]
    for size in dict.fromkeys(sizes):
        where = Ranges(np.full(n, size), nowhere, nowhere, np.zeros(n, dtype=bool))
        rows.append(sample(where, unknown, parameters, count=64))
    full = np.concatenate(rows)
    costs = np.full(len(full), np.inf)
    for k, values in enumerate(full):
        try:
            f = problem.trial_residuals(values[parameters.free_index])
        except KeyboardInterrupt:
            return _best_first(full, costs), True
        with np.errstate(over="ignore", invalid="ignore"):
            costs[k] = float(f @ f)
    return _best_first(full, costs), False


def _best_first(full: Matrix, costs: Vector) -> list[Vector]:
    good = np.flatnonzero(np.isfinite(costs) & np.isfinite(full).all(axis=1))
    return [full[k] for k in good[np.argsort(costs[good], kind="stable")]]


@dataclass
class Table:
    """A traced model on some rows of the data, evaluated for many parameter vectors at once."""

    blocks: list[tuple[Sequence[Any], list[Vector], Matrix, Matrix | None]]
    """Per family: output nodes, columns, response (k, rows) and weights (k, rows)."""

    @classmethod
    def of(cls, trace: Any, data: Data, most: int = MAX_ROWS) -> Table:
        y, w = data.flat()
        blocks = []
        for family in trace.families:
            rows = np.asarray(family.rows).reshape(len(family.outputs), -1)
            if rows.size == 1 < y.size and len(trace.families) == 1:  # one value for all points
                columns = [c.extract(data.arguments) for c in family.columns]
                blocks.append((family.outputs, columns, y[None], None if w is None else w[None]))
                continue
            pick = _spread(rows.shape[1], most)
            columns = [np.asarray(c.extract(data.arguments))[pick] for c in family.columns]
            rows = rows[:, pick]
            blocks.append((family.outputs, columns, y[rows], None if w is None else w[rows]))
        return cls(blocks)

    @property
    def outputs(self) -> list[Any]:
        return [node for nodes, *_ in self.blocks for node in nodes]

    def ranges(self, n_params: int) -> Ranges:
        """Ranges read from the family with the most rows."""
        nodes, columns, y, _ = max(self.blocks, key=lambda block: block[2].size)
        return ranges(nodes, columns, y, n_params)

    def project(self, drawn: Matrix, linear: Sequence[int], parameters: Parameters) -> tuple[Vector, Matrix]:
        """Cost of each row of `drawn` (S, n) with its linear parameters at their best; the completed rows."""
        full = drawn.copy()
        costs = np.empty(len(full))
        n_rows = sum(block[2].size for block in self.blocks)
        step = max(1, 2**19 // (n_rows * (len(linear) + 1)))
        for begin in range(0, len(full), step):
            part = full[begin : begin + step]
            costs[begin : begin + step] = Candidates(self.evaluate, self.response(), self.weights()).complete(
                part, linear, parameters
            )
        return costs, full

    def evaluate(self, params: Matrix) -> Matrix:
        """Model values (S, rows) for parameter vectors (S, n)."""
        from ..expr.interpret import interpret

        leaves = [params[:, j : j + 1] for j in range(params.shape[1])]
        out = []
        for nodes, columns, y, _ in self.blocks:
            for value in interpret(nodes, leaves, [c[None, :] for c in columns]):
                out.append(np.broadcast_to(value, (len(params), y.shape[1])))
        return np.concatenate(out, axis=1)

    def response(self) -> Vector:
        return np.concatenate([y.ravel() for _, _, y, _ in self.blocks])

    def weights(self) -> Vector | None:
        parts = [w.ravel() for _, _, _, w in self.blocks if w is not None]
        return np.concatenate(parts) if parts else None


def _spread(n: int, most: int) -> NDArray[np.intp] | slice:
    """At most `most` of `n` rows, evenly spread."""
    return slice(None) if n <= most else np.linspace(0, n - 1, most).astype(np.intp)


# ----------------------------------------------------------------------------------------------- finishing


def _finish_rule(
    name: str, guessed: list[Vector], problem: Any, data: Data, parameters: Parameters,
    options: Options | None, watch: Watch,
) -> Search | None:  # fmt: skip
    """The fit from the guesses of a start rule; None where it does not convince."""
    try:
        found = _finish(problem, guessed, parameters, options or Options(), watch, RULE_STAGES)
    except DataError:
        return None
    end = found.outcome
    if _interrupted(found):
        return found
    certain = end.status.success and end.status is not Status.NOT_UNIQUE
    convincing = certain and beats_polynomial(float(end.cost), data, len(parameters.free))
    return replace(found, rule=name) if convincing else None


def _finish(
    problem: Any, candidates: list[Vector], parameters: Parameters, options: Options, watch: Watch,
    stages: Sequence[tuple[int, int | None]] = STAGES,
) -> Search:  # fmt: skip
    """Polish the best candidates in stages; return the best end, a certified one where costs are equal."""
    index = parameters.free_index
    lower, upper = parameters.lower[index], parameters.upper[index]
    points = [np.clip(c[index], lower, upper) for c in candidates]
    nfev = njev = 0
    ends: list[Any] = []
    for keep, budget in stages:
        if len(points) == 1 and budget is not None:
            continue  # nothing to choose from
        allowed = (
            options if budget is None else replace(options, max_evaluations=budget, trace=False, polish=False)
        )
        run = partial(minimize, problem, lower=lower, upper=upper, options=allowed, observe=watch)
        ends = _run_all(points[:keep], run)
        if not ends:
            raise DataError("no starting point was found from which the model stays finite; give start={...}")
        nfev += sum(int(e.nfev) for e in ends)
        njev += sum(int(e.njev) for e in ends)
        points = [np.array(e.x) for e in _distinct(ends)]
        if ends[-1].status is Status.INTERRUPTED:
            here = minimize(
                problem, points[0], lower, upper, options, stop_at_once
            )  # the best, marked as such
            return Search(here, nfev, njev, len(candidates), len(ends), 1)
    best = min(ends, key=lambda e: (e.cost, *_doubt(e)))
    near = [e for e in ends if e.cost <= best.cost * (1.0 + SAME_COST)]
    best = min(near, key=_doubt)
    return Search(best, nfev - int(best.nfev), njev - int(best.njev), len(candidates), len(ends), len(near))


def _doubt(end: Any) -> tuple[bool, bool]:
    """Certified ends come first, among them those that are unique."""
    return not end.status.success, end.status is Status.NOT_UNIQUE


def stop_at_once(progress: Any) -> bool:
    """An observer that ends a fit where it starts."""
    return True


def _run_all(points: Sequence[Vector], run: Callable[..., Any]) -> list[Any]:
    ends = []
    for x0 in points:
        try:
            end = run(x0=x0)
        except (MarquardtError, ArithmeticError):  # not finite there: the next one may be
            continue
        if np.isfinite(end.cost) and np.isfinite(end.x).all():
            ends.append(end)
        if end.status is Status.INTERRUPTED:
            break
    return ends


def _distinct(ends: Sequence[Any]) -> list[Any]:
    """Best first, each optimum once: ends whose cost and parameters agree are the same place."""
    chosen: list[Any] = []
    for end in sorted(ends, key=lambda e: float(e.cost)):
        same = any(
            abs(end.cost - other.cost) <= SAME_COST * abs(other.cost)
            and np.allclose(end.x, other.x, rtol=1e-3, atol=0.0)
            for other in chosen
        )
        if not same:
            chosen.append(end)
    return chosen
