"""What the user may choose about a minimization; every field states its formula."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from .errors import OptionError

Scaling = Literal["auto", "magnitude", "mix"]


@dataclass(frozen=True)
class Options:
    """Options of the minimizer.

    Raises OptionError for an impossible value.

    >>> Options(tolerance=1e-6).tolerance
    1e-06
    """

    tolerance: float = 1e-8
    """Converged where the relative offset ``|Q1'f| / |Q2'f|`` is at most this, ``J = [Q1 Q2] R``."""

    max_evaluations: int | None = None
    """Most Jacobian evaluations; None: ``100 (n + 1)``. Residual evaluations: four times as many."""

    polish: bool = True
    """Refine the end point by up to 6 undamped steps, each accepted when ``|Q1'f|`` falls.
    From 100,000 residuals on only until the end is certified: a step is a pass over all data."""

    acceleration: bool = True
    """Step ``v + a/2`` with the geodesic acceleration ``a``, unless ``|Da| > 0.75 |Dv|``."""

    newton: bool = True
    """Model the cost by ``J'J + sum f_i H_i`` where that predicts better, up to 32 parameters."""

    scaling: Scaling = "auto"
    """D of the trust region ``|D v| <= radius``. "magnitude": ``d_j = 1 / max|x_j|``; "mix":
    ``d_j = sqrt(max|J_j|^2 + (0.1 |f0| / max|x_j|)^2)``; "auto": magnitude with exact second derivatives,
    else mix."""

    radius_factor: float = 1.0
    """First radius ``= radius_factor |D x0|``."""

    threads: int | None = None
    """Threads that evaluate blocks of data points; None: all cores. Any number gives the same bits."""

    trace: bool = True
    """Keep one row per trial step."""

    def __post_init__(self) -> None:
        _validate(self)

    def native(self, *, second_derivatives: bool) -> dict[str, Any]:
        """What the core takes: "auto" is settled, and ``threads`` left out (the evaluator has it)."""
        chosen = asdict(self)
        del chosen["threads"]
        if self.scaling == "auto":
            chosen["scaling"] = "magnitude" if second_derivatives else "mix"
        return chosen


def _validate(o: Options) -> None:
    for name in ("tolerance", "radius_factor"):
        value = getattr(o, name)
        if not _is_number(value) or not 0 < value < float("inf"):
            raise OptionError(f"{name} = {value!r}: a positive finite number is needed")
    for name in ("max_evaluations", "threads"):
        value = getattr(o, name)
        if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < 1):
            raise OptionError(f"{name} = {value!r}: a positive integer or None is needed")
    for name in ("polish", "acceleration", "newton", "trace"):
        value = getattr(o, name)
        if not isinstance(value, bool):
            raise OptionError(f"{name} = {value!r}: True or False is needed")
    if o.scaling not in ("auto", "magnitude", "mix"):
        raise OptionError(f"scaling = {o.scaling!r}: one of 'auto', 'magnitude', 'mix' is needed")


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
