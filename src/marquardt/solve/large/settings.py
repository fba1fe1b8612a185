"""What may be chosen about the solution of a large problem; every field states its formula."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from ...errors import OptionError

Method = Literal["lm", "dogleg", "gauss-newton"]
Solver = Literal["auto", "dense", "sparse", "pcg", "pcg-jacobi", "pcg-clusters"]


@dataclass(frozen=True)
class SolveOptions:
    """Options of `solve`. D² is the diagonal of J'J, kept away from zero.

    Raises OptionError for an impossible value.

    >>> SolveOptions(ftol=1e-6).ftol
    1e-06
    """

    method: Method = "lm"
    """How steps are made. "lm": ``(J'J + damping D²) p = -J'f``, the damping by the gain ratio; "dogleg":
    Powell's path to the Gauss-Newton step in the region ``|D p| <= radius``; "gauss-newton":
    ``J'J p = -J'f``, taken even uphill."""

    solver: Solver = "auto"
    """What solves the reduced normal equations: "dense" or "sparse" Cholesky; "pcg", conjugate gradients
    with the diagonal blocks of the reduced matrix as preconditioner, which is never built, "pcg-jacobi" with
    those of J'J, "pcg-clusters" with cameras that see the same points factored together. They stop where
    another step would gain little (Nash, Sofer 1990). "auto": Cholesky; where it takes as long as many
    steps of conjugate gradients, these, for as long as they need fewer."""

    ftol: float = 1e-8
    """Stop when an accepted step changed the cost by at most this part of it, and was predicted to; by a
    hundredth of that where the step before was refused, as damping then keeps it short."""

    xtol: float = 1e-10
    """Stop when an accepted step moved every family of variables by at most this part of its norm."""

    gtol: float = 1e-12
    """Stop when no column of J has a larger cosine with the residuals: ``max |g_j| / (|J_j| |f|)``."""

    max_iterations: int = 500
    """Most trial steps."""

    max_time: float | None = None
    """Most seconds; the step under way is finished."""

    initial_damping: float | None = None
    """First damping of "lm". None: 3e-5 where a family is eliminated (bundle adjustment), 1e-10 where none
    is: pose graphs are nearly linear, and damping holds back just what weak measurements must decide."""

    threads: int | None = None
    """Threads of the core; None: all. Any number gives the same bits."""

    def __post_init__(self) -> None:
        for name in ("ftol", "xtol", "gtol"):
            if not _is_number(getattr(self, name)) or not 0 <= getattr(self, name) < 1:
                raise OptionError(f"{name} = {getattr(self, name)!r}: a number from 0 to below 1 is needed")
        for name in ("max_time", "initial_damping"):
            value = getattr(self, name)
            if value is not None and not (_is_number(value) and value > 0):
                raise OptionError(f"{name} = {value!r}: a positive number or None is needed")
        for name in ("max_iterations", "threads"):
            value = getattr(self, name)
            if value is None and name == "threads":
                continue
            if not isinstance(value, int) or isinstance(value, bool) or value < (name == "threads"):
                raise OptionError(f"{name} = {value!r}: a whole number is needed")
        for name, known in (("method", get_args(Method)), ("solver", get_args(Solver))):
            if getattr(self, name) not in known:
                raise OptionError(
                    f"{name} = {getattr(self, name)!r}: one of {', '.join(map(repr, known))} is needed"
                )


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
