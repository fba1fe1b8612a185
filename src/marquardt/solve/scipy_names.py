"""The arguments of ``least_squares`` that SciPy has: what becomes of each, or why it cannot be had."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import OptionError, ParameterError
from ..options import Options, chosen_options

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Unknowns:
    """The components of x: ``x[0], x[1], ...``, with start and bounds."""

    names: tuple[str, ...]
    free: tuple[int, ...]
    values: Vector
    lower: Vector
    upper: Vector

    @property
    def free_names(self) -> tuple[str, ...]:
        return self.names


def unknowns(x0: Any, bounds: Any) -> Unknowns:
    """Start and bounds, checked.

    Raises ParameterError naming the component.
    """
    try:
        start = np.array(np.atleast_1d(x0), dtype=np.float64)
    except (TypeError, ValueError):
        raise ParameterError(f"x0 must be an array of real numbers, not {x0!r}") from None
    if start.ndim != 1 or start.size == 0:
        raise ParameterError(f"x0 must be a number or an array of one dimension, not of shape {start.shape}")
    for k in _where(~np.isfinite(start)):
        raise ParameterError(f"x0[{k}] is {start[k]}: a start must be finite")
    lower, upper = _pair(bounds, start.size)
    for k in _where(~(lower <= upper)):
        raise ParameterError(
            f"the bounds of x[{k}], {lower[k]:g} and {upper[k]:g}, leave nothing between them"
        )
    for k in _where((start < lower) | (start > upper)):
        raise ParameterError(
            f"x0[{k}] = {start[k]:g} is outside its bounds [{lower[k]:g}, {upper[k]:g}]: start inside them"
        )
    return Unknowns(*_named(start.size), start, lower, upper)


@lru_cache(maxsize=64)
def _named(n: int) -> tuple[tuple[str, ...], tuple[int, ...]]:
    return tuple([f"x[{k}]" for k in range(n)]), tuple(range(n))


def _where(wrong: NDArray[np.bool_]) -> list[int]:
    return np.flatnonzero(wrong).tolist() if wrong.any() else []


def _pair(bounds: Any, n: int) -> tuple[Vector, Vector]:
    if bounds is None:
        bounds = (None, None)
    if hasattr(bounds, "lb") and hasattr(bounds, "ub"):  # scipy.optimize.Bounds
        bounds = (bounds.lb, bounds.ub)
    if len(bounds) != 2:
        raise ParameterError(f"bounds must be a pair (lower, upper), not {len(bounds)} things")
    return _side(bounds[0], -math.inf, n, "lower"), _side(bounds[1], math.inf, n, "upper")


def _side(given: Any, absent: float, n: int, which: str) -> Vector:
    values = [absent if v is None else v for v in given] if isinstance(given, list | tuple) else given
    if isinstance(values, float):
        return np.full(n, values)
    side = np.asarray(absent if values is None else values, dtype=np.float64)
    if side.ndim > 1 or side.size not in (1, n):
        raise ParameterError(f"{which} bounds of shape {side.shape} do not fit x0 of shape ({n},)")
    return np.array(np.broadcast_to(side, n))


def check_refused(
    xtol: Any, gtol: Any, loss: Any, f_scale: Any, tr_solver: Any, tr_options: Mapping[str, Any] | None
) -> None:
    """Raise OptionError for what cannot be had, saying what to write in its place."""
    instead = "leave it out, or set the relative offset with ftol or options=Options(tolerance=...)"
    if xtol is not None:
        raise OptionError(f"xtol = {xtol!r}: that a step is small does not prove a minimum; {instead}")
    if gtol is not None:
        raise OptionError(f"gtol = {gtol!r}: the size of the gradient depends on units; {instead}")
    if callable(loss):
        raise OptionError(f"loss = {loss!r}: a loss is named, for example 'huber' or 'barron(0.5)'")
    if isinstance(loss, str) and loss == "linear" and f_scale not in (None, 1.0):
        raise OptionError(f"f_scale = {f_scale!r} has no effect with loss='linear': leave it out")
    if tr_solver not in (None, "exact"):
        raise OptionError(
            f"tr_solver = {tr_solver!r}: 'exact' is the one there is until sparse solving exists"
        )
    if tr_options:
        raise OptionError(f"tr_options = {tr_options!r}: the exact solver has no options")


def options_of(
    options: Options | None,
    method: str,
    damping: str | None,
    acceleration: bool | None,
    ftol: float | None,
    x_scale: Any,
) -> Options | None:
    """The options of the minimizer that these arguments stand for."""
    chosen = chosen_options(options, method, damping, acceleration)
    if ftol is not None:
        if not isinstance(ftol, int | float) or not 0.0 < ftol < 1.0:
            raise OptionError(f"ftol = {ftol!r}: a number between 0 and 1 is needed")
        chosen = replace(chosen or Options(), tolerance=math.sqrt(ftol))
    if x_scale is not None:
        chosen = replace(chosen or Options(), scaling=_scaling(x_scale))
    return chosen


def _scaling(x_scale: Any) -> Any:
    if isinstance(x_scale, str):
        if x_scale == "jac":
            return "running-max"
    elif np.ndim(x_scale) == 0 and np.isfinite(x_scale) and x_scale > 0:
        return "identity"
    raise OptionError(
        f"x_scale = {x_scale!r}: 'jac' or one positive number is needed. Without x_scale the units of the "
        "parameters do not matter; for a scale of your own, let fun take x * scale"
    )
