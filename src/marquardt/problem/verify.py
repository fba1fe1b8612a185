"""Does a trace give what the real function gives? At its birth, and again where a fit ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import _core
from .callback import as_real
from .hidden import has_hidden_state
from .traced import TracedProblem
from .version import Version, common_shape

Vector = NDArray[np.float64]
TracedAt = Callable[[Sequence[Any], slice], Vector]

SAMPLE_ROWS = 20_000
"""Of more rows than this, a pointwise model is verified on an even sample at its birth."""
END_ROWS = 64
"""And where a fit ends: there only what the trace cannot see is looked for, which any row would show."""
FACTORS = (1.0, 1.0 + 2.0**-7, 1.0 - 3.0 * 2.0**-9)
"""A new trace is compared with the function at the start and, times these, at two points nearby."""


def agrees_nearby(problem: TracedProblem) -> bool:
    """Does a new trace give what the function gives, at the start and two points nearby?

    Hidden state (a counter, a random number, a file) is what a trace cannot see. False distrusts the trace.
    """
    version = problem.model.versions[-1]
    for values in _nearby(problem.values):
        if not version.holds_at(values):
            continue
        reason = _mismatch(problem, version, values, _interpreted(version, values), SAMPLE_ROWS)
        zero = problem.values == 0.0
        if reason and np.any(values[zero]):  # too far from zero, as of a phase? Its digits are lost there
            values = np.where(zero, 0.0, values)
            reason = _mismatch(problem, version, values, _interpreted(version, values), SAMPLE_ROWS)
        if reason:
            problem.model.distrust(reason)
            return False
    return True


def _nearby(start: Vector) -> Iterator[Vector]:
    """The start and two points beside it."""
    for factor in FACTORS:
        # A zero must move too: the scale of its neighbors is the best guess at a sensible size.
        shift = (factor - 1.0) * (float(np.abs(start).mean()) or 1.0)
        yield np.where(start == 0.0, shift, start * factor)


def agrees_at_end(problem: TracedProblem, x: Vector, every: Callable[[int], Vector]) -> bool:
    """Does the real function give, at `x`, the values behind the residuals there? False distrusts the trace.

    ``every(step)`` is every step-th residual.
    """
    y, w = problem.y, problem.w
    if problem.model.settled:
        return True

    def traced(_: Sequence[Any], rows: slice) -> Vector:
        if problem.whitening is None:
            f = every(rows.step or 1)
        else:
            f = problem.with_whitening(None).residuals(x)[rows]
        if y is not None:
            f = f[: y[rows].size]  # rows of a penalty follow those of the data
        if w is not None:
            with np.errstate(all="ignore"):
                f = f / w[rows]
        return f if y is None else f + y[rows]

    version = problem.version(x)
    reason = _mismatch(problem, version, problem.full(x), traced, END_ROWS)
    if reason:
        problem.model.distrust(reason)
        return False
    # Guards lead to branches not looked at yet; without them and without hidden state nothing can change
    # any more, and later fits need not ask: 27 -> 18 us for 20 points.
    function = (problem.model.base or problem.model).function
    problem.model.settled = not version.trace.guards and not has_hidden_state(function)
    return True


def _interpreted(version: Version, values: Vector) -> TracedAt:
    """The trace evaluated by NumPy."""

    def traced(arguments: Sequence[Any], _: slice) -> Vector:
        if version.pointwise:
            found = version.evaluate[0](values, [arguments[k] for k in version.argument_of])[0]
            return np.array(np.broadcast_to(found, common_shape(arguments))).ravel()
        out = np.empty(version.size)
        for run, family in zip(version.evaluate, version.trace.families, strict=True):
            columns = [c.extract(arguments) for c in family.columns]
            for rows, value in zip(family.rows, run(values, columns), strict=True):
                out[rows] = value
        return out

    return traced


def _mismatch(
    problem: TracedProblem, version: Version, values: Vector, traced_at: TracedAt, enough: int
) -> str:
    """What the function gives that its trace does not, on a sample of the data where that is enough."""
    model = problem.model
    name = getattr(model.function, "__name__", "the model")
    arguments, rows = _sample(problem, version, enough)
    try:
        try:
            plain = as_real(model.call(arguments, values))
        except Exception:
            if rows is ALL:
                raise
            arguments, rows = problem.arguments, ALL  # it may need all its data at once
            plain = as_real(model.call(arguments, values))
    except Exception as error:
        return f"`{name}` raises {type(error).__name__} where its trace does not: {error}"
    traced = traced_at(arguments, rows)
    if problem.spread and plain.size == 1:
        plain = np.full(traced.size, plain[0])
    if plain.size != traced.size:
        return f"`{name}` gives {plain.size} values where its trace gives {traced.size}"
    if problem.w is not None and traced.size == problem.w[rows].size:
        seen = problem.w[rows] != 0.0  # a point of weight zero leaves no residual to compare
        plain, traced = plain[seen], traced[seen]
    k = _core.first_difference(plain, traced)
    if k is not None:
        # At a solution without residuals what is left is the rounding of larger terms; with a response it is
        # the rounding of the response, from which the traced values were taken and to which they are added.
        size = _size_nearby(problem, version) if problem.y is None else float(np.abs(problem.y).max())
        size = max(size, _size_of_terms(problem, values))
        k = _core.first_difference(np.append(plain, size), np.append(traced, size))
    if k is None:
        return ""
    return (
        f"`{name}` depends on something its arguments do not show: element {k} is {plain[k]:.6g}, "
        f"by its trace {traced[k]:.6g}"
    )


ALL = slice(None)


def _size_of_terms(problem: TracedProblem, values: Vector) -> float:
    """What parameters may contribute that nearly cancel one another: the largest ``sum_j |J_ij x_j|``."""
    x = values[list(problem.free)]
    terms = np.abs(problem.jacobian(x)) @ np.abs(x)
    if problem.w is not None:
        with np.errstate(all="ignore"):
            terms = terms / problem.w
    return float(terms[np.isfinite(terms)].max(initial=0.0))


def _size_nearby(problem: TracedProblem, version: Version) -> float:
    """The largest residual at the start and beside it."""
    size = 0.0
    for values in _nearby(problem.values):
        if version.holds_at(values):
            f = _interpreted(version, values)(problem.arguments, ALL)
            size = max(size, float(np.abs(f[np.isfinite(f)]).max(initial=0.0)))
    return size


def _sample(problem: TracedProblem, version: Version, enough: int) -> tuple[Sequence[Any], slice]:
    """Arguments to compare on, at least `enough` rows of them, and the rows of the data they stand for."""
    if not version.pointwise or problem.size < 2 * enough:
        return problem.arguments, ALL
    rows = slice(None, None, problem.size // enough)
    return [a[rows] for a in problem.arguments], rows
