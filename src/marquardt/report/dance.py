"""The dance in numbers, as the pictures show it: one entry per trial step, and the geometry of a step.

At a point with Jacobian ``J = Q R``, residuals ``f`` and ``z = Q'f``, in the scaled space ``D v``:
the sprinter's step is ``-R^-1 z`` (Gauss-Newton), the hiker's points along ``-D^-2 R'z`` (steepest
descent), and ``δ(λ) = -(R'R + λ D²)^-1 R'z`` joins them (Levenberg 1944, Marquardt 1963, Moré 1978).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]


def steps_of(result: Any) -> Any:
    """The trace of a result. Raises DataError where there is none to draw."""
    trace = result.trace
    if trace is None or len(trace) == 0:
        raise DataError(
            "there is no step to draw: the fit ended where it began (a model linear in all its parameters is "
            "solved at once), or ran with trace=False"
        )
    return trace


def path(trace: Any) -> Matrix:
    """The points the method stood at: the start and every accepted trial, shape (k, n)."""
    accepted = np.asarray(trace["x"])[np.asarray(trace["accepted"])]
    return np.vstack([np.asarray(trace.points)[:1], accepted])


def refused(trace: Any) -> Matrix:
    """Trials that were evaluated and refused, shape (k, n)."""
    return np.asarray(np.asarray(trace["x"])[~np.asarray(trace["accepted"]) & evaluated(trace)])


def evaluated(trace: Any) -> NDArray[np.bool_]:
    """Which trials cost an evaluation of the residuals: all but those refused before."""
    return np.asarray(np.isfinite(trace["trial_cost"]) | (np.asarray(trace["verdict"]) == "not finite"))


def evaluations(trace: Any) -> NDArray[np.intp]:
    """Evaluations (residuals and Jacobians) spent up to each trial, those at the start included."""
    return np.asarray(1 + np.cumsum(evaluated(trace)) + np.asarray(trace["iteration"]), dtype=np.intp)


def best_cost(trace: Any) -> Vector:
    """The lowest cost known after each trial."""
    seen = np.where(trace["accepted"], trace["trial_cost"], trace["cost"])
    return np.asarray(np.fmin.accumulate(np.concatenate([trace["cost"][:1], seen]))[1:])


GO_MARK, STOP_MARK, FAR_MARK, UNSEEN_MARK = (
    "accepted: go", "refused: stop", "refused, far above", "refused without a cost",
)  # fmt: skip
"""What became of a trial, as far as its mark tells."""
FAR_ABOVE, FAR_BELOW = 1e3, 1e-40
"""In parts of the highest cost of the way: refused ones above are drawn there, costs below are zero."""


@dataclass(frozen=True)
class Costs:
    """Costs as they are drawn: on a log axis where they differ much, zero at its lower end."""

    best: Vector
    """The lowest known at the start and after each trial, shape (k + 1,)."""
    marks: dict[str, tuple[NDArray[np.bool_], Vector]]
    """By what became of them: which trials, shape (k,), and at which costs all would be drawn."""
    log: bool


def costs(trace: Any) -> Costs:
    """The costs of a trace, ready to be drawn."""
    go, trial, before = (np.asarray(trace[n]) for n in ("accepted", "trial_cost", "cost"))
    best = np.append(before[0], best_cost(trace))
    way = np.concatenate([before, trial[go]])
    high = float(way.max())
    known = np.concatenate([way, trial[np.isfinite(trial)]])
    least = max(0.1 * float(known[known > 0].min(initial=high or 1.0)), FAR_BELOW * high)
    seen, top = np.isfinite(trial), FAR_ABOVE * (high or np.inf)
    near = trial <= top
    marks = {
        GO_MARK: (go, np.maximum(trial, least)),
        STOP_MARK: (~go & seen & near, np.maximum(trial, least)),
        FAR_MARK: (~go & seen & ~near, np.full(trial.size, top)),
        UNSEEN_MARK: (~go & ~seen, np.maximum(before, least)),
    }
    return Costs(np.maximum(best, least), marks, bool(high > 20 * known.min()))


def telling(count: int, most: int) -> NDArray[np.intp]:
    """Which of `count` steps to show when only `most` can be: the first half of them, then ever fewer.

    >>> telling(1000, 8)
    array([  0,   1,   2,   3,   4,  25, 159, 999])
    """
    if count <= most:
        return np.arange(count)
    first = most // 2
    later = np.geomspace(first, count - 1, most - first)
    return np.unique(np.concatenate([np.arange(first), np.rint(later).astype(np.intp)]))


@dataclass(frozen=True)
class Moves:
    """What could be done at a point, in steps ``v`` from there: each of shape (n,), the curve (k, n)."""

    gauss_newton: Vector
    cauchy: Vector
    """Along steepest descent, to the minimum of the linear model on that line."""
    curve: Matrix
    """δ(λ), from the hiker's end (λ large, short steps) to the sprinter's (λ = 0)."""


def moves(R: Matrix, z: Vector, D: Vector, count: int = 40) -> Moves:
    """The steps between which a damped method chooses, from the factor of ``[J f]`` and the scaling D."""
    D = np.where(np.isfinite(D) & (D > 0), D, 1.0)
    U, s, Vt = np.linalg.svd(R / D)
    c = U.T @ z
    known = s > s[0] * 1e-14 if s.size and s[0] > 0 else np.zeros(s.size, bool)

    def step(lam: float) -> Vector:
        t = np.zeros(s.size)
        t[known] = -s[known] * c[known] / (s[known] ** 2 + lam)
        return np.asarray(Vt.T @ t / D)

    if not known.any():
        still = np.zeros(s.size)
        return Moves(still, still, still[None, :])
    slope = -(s * c)
    bend = float(np.sum((s * slope) ** 2))
    along = slope * (float(slope @ slope) / bend) if bend > 0 else slope
    top, bottom = np.log10(s[known].max() ** 2) + 2.0, np.log10(s[known].min() ** 2) - 3.0
    lams = [*np.logspace(top, bottom, count - 1), 0.0]
    return Moves(step(0.0), np.asarray(Vt.T @ along / D), np.array([step(lam) for lam in lams]))


def ring(center: Vector, radius: float, D: Vector, count: int = 49) -> Matrix:
    """The trust region ``|D (x - center)| <= radius`` in two parameters: its edge, shape (count, 2).

    D is diagonal, so that the section through the center and the shadow of the region are the same ellipse.
    """
    turn = np.linspace(0.0, 2.0 * np.pi, count)
    circle = np.column_stack([np.cos(turn), np.sin(turn)])
    return np.asarray(center + radius * circle / D)
