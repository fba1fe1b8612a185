"""``scipy.optimize.leastsq``, run by marquardt."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import scipy.linalg
import scipy.optimize

from .._core import all_finite
from ..errors import ModelError
from ..problem.traced import Problem
from ..solve.function import residual_function
from .checks import extra
from .derivatives import Called
from .least_squares import supplied_problem, traced_or_called
from .report import message
from .reuse import same_function
from .run import DEFAULT, End, Matrix, Settings, Vector, run

SUCCESS = (1, 2, 3, 4)


def leastsq(
    func: Callable[..., Any],
    x0: Any,
    args: Any = (),
    Dfun: Callable[..., Any] | None = None,
    full_output: bool = False,
    col_deriv: bool = False,
    ftol: float = 1.49012e-8,
    xtol: float = 1.49012e-8,
    gtol: float = 0.0,
    maxfev: int = 0,
    epsfcn: float | None = None,
    factor: float = 100,
    diag: Any = None,
) -> tuple[Any, ...]:
    """Minimize ``Σ func(x)²``, with the arguments and the result of SciPy's function.

    Returns ``(x, ier)``, with `full_output` ``(x, cov_x, infodict, mesg, ier)``: ``cov_x = (J'J)^-1``, None
    where J is singular; ``infodict`` with ``nfev, fvec, fjac, ipvt, qtf``. `ier` is 1 to 4 for a solution, 5
    where `maxfev` calls did not suffice. `factor` and `diag` shape MINPACK's first step and are not needed.

    Raises TypeError for shapes that do not fit, and warns (RuntimeWarning) of failure.

    >>> leastsq(lambda x: 2 * (x - 3) ** 2 + 1, 0)
    (array([3.]), 1)
    """
    start = np.asarray(x0).flatten().astype(float)
    settings = Settings(ftol, xtol, gtol, maxfev or None, count_differences=True, step=step_of(epsfcn))
    if not isinstance(args, tuple):
        args = (args,)
    func = same_function(func)
    function, call = residual_function(func, args, None), extra(func, args, None)
    problem: Problem
    if Dfun is None:
        problem = traced_or_called(function, call, start, "2-point", settings.step)
        check_length(problem.size, start.size)
    else:
        try:
            problem = supplied_problem(function, call, start, oriented(extra(Dfun, args, None), col_deriv))
        except ModelError as error:
            raise TypeError(f"leastsq: there is a mismatch of shapes: {error}") from None
        check_length(problem.size, start.size)
    end = run(problem, start, *unbounded(start.size), settings)
    ier = code_of(end)
    text = message_of(end, ier)
    if full_output:
        info = information(end)
        return end.outcome.x, inverse_of(end) if ier in SUCCESS else None, info, text, ier
    if ier not in SUCCESS:
        warnings.warn(text, RuntimeWarning, stacklevel=2)
    return end.outcome.x, ier


def check_length(m: int, n: int) -> None:
    if n > m:
        raise TypeError(
            f"Improper input: func input vector length N={n} must not exceed func output vector length M={m}"
        )


@lru_cache(maxsize=32)
def unbounded(n: int) -> tuple[Vector, Vector]:
    return np.full(n, -np.inf), np.full(n, np.inf)


def step_of(epsfcn: float | None) -> float | None:
    """The relative step of differences, ``sqrt(epsfcn)``."""
    return None if epsfcn is None else float(np.sqrt(max(epsfcn, np.finfo(float).eps)))


def oriented(jac: Callable[[Any], Any], col_deriv: bool) -> Callable[[Any], Any]:
    return (lambda x: np.transpose(jac(x))) if col_deriv else jac


def code_of(end: End) -> int:
    """MINPACK's code: 5 out of calls; 2 the steps have become tiny; 1 the sum of squares falls no further."""
    if end.failed:
        return 5
    return 2 if end.status == 3 else 1


def message_of(end: End, ier: int) -> str:
    """The code in words."""
    if ier == 5:
        return f"Number of calls to function has reached its limit, {calls(end)} were made."
    what = (
        "relative reductions in the sum of squares are at most ftol" if ier == 1 else "steps are at most xtol"
    )
    return f"{what[0].upper()}{what[1:]} ({message(end)})"


def calls(end: End) -> int:
    """All calls of the function, those for differences included, as MINPACK counts them."""
    problem = end.outcome.problem
    nfev = int(end.outcome.nfev)
    return max(problem.calls, nfev) if isinstance(problem, Called) else nfev


def inverse_of(end: End) -> Matrix | None:
    """``(J'J)^-1`` where the minimization ended; None where J is singular."""
    o = end.outcome
    inverse: Matrix | None = o.inverse_gram
    if inverse is None and o.rank == o.x.size:
        R = o.R
        with np.errstate(all="ignore"):
            try:
                half = scipy.linalg.solve_triangular(R, np.eye(R.shape[0]))
            except np.linalg.LinAlgError:
                return None
            inverse = half @ half.T
    return inverse if inverse is not None and all_finite(inverse.ravel()) else None


def information(end: End) -> dict[str, Any]:
    """``nfev, fvec``, and the pivoted QR factors of J as MINPACK leaves them: ``fjac, ipvt, qtf``."""
    o = end.outcome
    n, m = o.x.size, o.f.size
    factor = o.factor
    Q, R, pivots = scipy.linalg.qr(factor[:-1, :-1], pivoting=True)
    fjac = np.zeros((n, m))
    fjac[:, :n] = R.T
    qtf = Q.T @ factor[:-1, -1]
    return {"fvec": o.f, "nfev": calls(end), "fjac": fjac, "ipvt": first_pivot() + pivots, "qtf": qtf}


@lru_cache(maxsize=1)
def first_pivot() -> int:
    """Does this SciPy count pivots from 0 or, as until MINPACK was translated to C, from 1?"""
    theirs: Any = scipy.optimize.leastsq
    return int(theirs(lambda x: x - 1.0, 0.0, full_output=True)[2]["ipvt"][0])


LEASTSQ = replace(DEFAULT, ftol=1.49012e-8, xtol=1.49012e-8, gtol=0.0, count_differences=True)
