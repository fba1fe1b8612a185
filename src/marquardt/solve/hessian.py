"""The second-order part of the Hessian, ``S = Σ f_i H_i``, where the minimizer did not need it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..problem.differences import EPS, estimate_noise
from ..problem.given import GivenProblem

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

MOST = 32
"""Up to so many parameters S is worked out by second differences, 2 n² evaluations."""


def residual_hessian(outcome: Any, free: NDArray[np.bool_], lower: Vector, upper: Vector) -> Matrix | None:
    """``Σ f_i H_i`` (n, n) at the end point; rows of parameters that are not `free` stay zero.

    The core's, where it knows it; else first differences of the Jacobian, where one is given or exact; else
    second differences of the residuals. None where it is not finite, or too dear.
    """
    if outcome.hessian is not None:
        return np.asarray(outcome.hessian)
    problem, x = outcome.problem, np.asarray(outcome.x)
    f = np.asarray(outcome.f)[: problem.size]
    size = _sizes(x, f, np.asarray(outcome.R))
    loss = problem.loss
    pull = f if loss is None else loss.slopes(f)
    try:
        with np.errstate(all="ignore"):
            if problem.exact or isinstance(problem, GivenProblem):
                S = _of_jacobian(problem.jacobian, x, pull, EPS ** (1 / 3) * size, free, lower, upper)
            elif int(free.sum()) <= MOST:
                step = estimate_noise(problem.trial_residuals, x, f, lower, upper) ** 0.25
                S = _of_residuals(problem.trial_residuals, x, f, pull, step * size, free, lower, upper)
            else:
                return None
            if loss is not None:  # what J'J has too much
                exact, model = loss.curvatures(f)
                J = problem.jacobian(x, f)
                S -= (J * (model - exact)[:, None]).T @ J
    except Exception:  # the function may refuse points nearby: then S is not known
        return None
    return 0.5 * (S + S.T) if np.isfinite(S).all() else None


def _sizes(x: Vector, f: Vector, R: Matrix) -> Vector:
    """Magnitudes; a parameter at zero has that of the change that would alter f by its own size."""
    with np.errstate(all="ignore"):
        reach = np.sqrt(np.sum(f**2)) / np.sqrt((R**2).sum(axis=0))
    reach = np.where(np.isfinite(reach) & (reach > 0.0), np.minimum(reach, 1.0), 1.0)
    return np.where(x != 0.0, np.abs(x), reach)


def _of_jacobian(
    jacobian: Callable[[Vector], Matrix], x: Vector, f: Vector, h: Vector,
    free: NDArray[np.bool_], lower: Vector, upper: Vector,
) -> Matrix:  # fmt: skip
    """Column j: ``(J(x + h e_j) - J(x - h e_j))' f / 2h``, to one side where a bound is in the way."""
    S = np.zeros((x.size, x.size))
    for j in np.flatnonzero(free).tolist():
        up, down = x.copy(), x.copy()
        up[j], down[j] = min(x[j] + h[j], upper[j]), max(x[j] - h[j], lower[j])
        S[:, j] = (jacobian(up) - jacobian(down)).T @ f / (up[j] - down[j])
    return S


def _of_residuals(
    residuals: Callable[[Vector], Vector], x: Vector, f: Vector, pull: Vector, h: Vector,
    free: NDArray[np.bool_], lower: Vector, upper: Vector,
) -> Matrix:  # fmt: skip
    """``pull'(f(x + v) - 2 f + f(x - v))`` along each parameter and each pair of them."""
    h = np.minimum(h, np.minimum(upper - x, x - lower))
    moves = np.flatnonzero(free & (h > 0.0)).tolist()
    S = np.zeros((x.size, x.size))

    def along(v: Vector) -> float:
        return float(pull @ ((residuals(x + v) - f) + (residuals(x - v) - f)))

    unit = np.diag(h)
    for j in moves:
        S[j, j] = along(unit[j])
    for j in moves:
        for l in moves:
            if l < j:
                S[j, l] = S[l, j] = 0.5 * (along(unit[j] + unit[l]) - S[j, j] - S[l, l])
    return S / np.where(h > 0.0, h, 1.0)[:, None] / np.where(h > 0.0, h, 1.0)
