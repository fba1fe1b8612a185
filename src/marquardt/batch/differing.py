"""Starts, bounds and fixed values that differ between fits: one number for each, on the grid of the fits."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..curve.parameters import Parameters, is_mapping
from ..errors import ParameterError, suggestion
from .places import Columns, Places

Array = NDArray[Any]


def common(given: Any, option: str, places: Places) -> Any:
    """The values as one fit has them: of those that differ the first that is known."""
    if given is None or not is_mapping(given):
        rows = None if given is None else np.asarray(given)
        if rows is None or rows.ndim < 2:
            return given
        return _first_known(places.rows(rows, option), axis=0)
    found = {}
    for name, value in given.items():
        values = np.asarray(value) if np.ndim(value) else value
        differs = np.ndim(value) and np.shape(value) == places.grid and places.grid
        if differs and values.dtype.kind not in "biuf":
            raise ParameterError(
                f"{option}: the values of {name!r} are of type {values.dtype}, not real numbers"
            )
        found[name] = float(_first_known(values.reshape(-1))) if differs else value
    return {name: value for name, value in found.items() if not _is_nan(value)}


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _first_known(values: Array, axis: int = 0) -> Any:
    first = values.take(0, axis)
    if np.isfinite(first).all():  # as nearly always: the others need no look
        return first
    return np.take_along_axis(values, np.expand_dims(np.argmax(np.isfinite(values), axis=axis), axis), axis)[
        0
    ]


def starts(given: Any, parameters: Parameters, box: tuple[Array, Array], places: Places) -> Array | Columns:
    """Starts of the free parameters, (p,) or (k, p). Raises ParameterError beyond bounds."""
    free = list(parameters.free)
    start: Array | Columns = parameters.values[free]
    values = _table(given, parameters, places, "start")
    if isinstance(values, Columns):
        start = values.of(free)
    elif values is not None:
        start = values if len(free) == values.shape[1] else np.ascontiguousarray(values[:, free])
    for n, i in enumerate(free):
        value, lower, upper = column(start, n), box[0][..., n], box[1][..., n]
        if np.isneginf(lower).all() and np.isposinf(upper).all():
            continue
        outside = np.flatnonzero((value < lower) | (value > upper))
        if outside.size:
            k = int(outside[0])
            x, low, high = (float(np.broadcast_to(v, places.k)[k]) for v in (value, lower, upper))
            raise ParameterError(
                f"start {x:g} of {parameters.names[i]!r} in fit {places.index(k)} is outside its "
                f"bounds [{low:g}, {high:g}]"
            )
    return start


def column(table: Array | Columns, n: int) -> Any:
    """What the fits have of one parameter, a number or (k,)."""
    return table.parts[n] if isinstance(table, Columns) else table[..., n]


def _differ(side: Any, places: Places) -> bool:
    return bool(places.grid) and np.ndim(side) > 0 and np.shape(side) == places.grid


def widest(bounds: Any, places: Places) -> Any:
    """Bounds that hold those of all fits."""
    if not is_mapping(bounds):
        return bounds
    found = {}
    for name, pair in bounds.items():
        if isinstance(pair, tuple | list) and len(pair) == 2:
            low, high = pair
            low = float(np.min(low)) if _differ(low, places) else low
            pair = (low, float(np.max(high)) if _differ(high, places) else high)
        found[name] = pair
    return found


def box_of(bounds: Any, parameters: Parameters, places: Places) -> tuple[Array, Array]:
    """Lower and upper bounds of the free parameters, (p,), or (k, p) where they differ between fits."""
    free = list(parameters.free)
    lower, upper = parameters.lower[free], parameters.upper[free]
    own = {}
    for name, pair in bounds.items() if is_mapping(bounds) else ():
        if isinstance(pair, tuple | list) and any(_differ(side, places) for side in pair):
            own[str(name)] = pair
    if not own:
        return lower, upper
    lower, upper = np.tile(lower, (places.k, 1)), np.tile(upper, (places.k, 1))
    for name, pair in own.items():
        if name not in parameters.free_names:
            continue
        i = parameters.free_names.index(name)
        for table, side in ((lower, pair[0]), (upper, pair[1])):
            if _differ(side, places):
                table[:, i] = np.asarray(side, dtype=np.float64).reshape(-1)
        bad = ~(lower[:, i] < upper[:, i])
        if bad.any():
            k = int(np.argmax(bad))
            raise ParameterError(
                f"bounds of {name!r} in fit {places.index(k)} are [{lower[k, i]:g}, {upper[k, i]:g}]: the "
                "lower one must be below the upper one"
            )
    return lower, upper


def held(given: Any, parameters: Parameters, places: Places) -> Array | None:
    """The parameters that are held, (k, h), where some value differs between fits; else None."""
    values = _table(given, parameters, places, "fixed")
    if values is None:
        return None
    own = [i for i in range(len(parameters.names)) if i not in parameters.free]
    found = np.ascontiguousarray(values.of(own)[:] if isinstance(values, Columns) else values[:, own])
    if not np.isfinite(found).all():
        k, i = np.argwhere(~np.isfinite(found))[0]
        raise ParameterError(f"fixed: {parameters.names[own[i]]!r} is not finite in fit {places.index(k)}")
    return found


def _table(given: Any, parameters: Parameters, places: Places, option: str) -> Array | Columns | None:
    """All parameters of all fits, where some value differs between fits; else None."""
    if given is None:
        return None
    if not is_mapping(given):
        rows = np.asarray(given)
        return None if rows.ndim < 2 else np.asarray(places.rows(rows, option), dtype=np.float64)
    own = {str(n): np.asarray(v) for n, v in given.items() if np.ndim(v) and np.shape(v) == places.grid}
    if not own or not places.grid:
        return None
    unknown = next((n for n in own if n not in parameters.names), None)
    if unknown is not None:
        raise ParameterError(f"{option}: no parameter {unknown!r}{suggestion(unknown, parameters.names)}")
    pairs = zip(parameters.names, parameters.values.tolist(), strict=True)
    return Columns([own[name].reshape(-1) if name in own else value for name, value in pairs], places.k)
