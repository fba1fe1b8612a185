"""Parameters of a fit: start values, bounds and fixed values as the caller gives them, flattened."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ParameterError, suggestion
from .signature import is_number

if TYPE_CHECKING:
    from .ties import Relations

Vector = NDArray[np.float64]


@dataclass(slots=True)
class Parameters:
    """All parameters, flattened: ``p`` with three components is ``p[0], p[1], p[2]``."""

    shapes: dict[str, tuple[int, ...]]
    names: tuple[str, ...]
    values: Vector
    """Start values, and the values of the fixed ones; NaN where none was given."""
    lower: Vector
    upper: Vector
    free: tuple[int, ...]
    relations: Relations | None = None
    """How the caller's parameters follow from these, where there are ties or bounded expressions."""

    @property
    def free_names(self) -> tuple[str, ...]:
        return tuple(self.names[i] for i in self.free)

    @property
    def free_index(self) -> Any:
        """What picks the free parameters out of a flat array: a whole slice when all are free."""
        return slice(None) if len(self.free) == len(self.names) else list(self.free)

    @property
    def bounded_positions(self) -> tuple[int, ...]:
        """Which of the free parameters have a bound, counted among these."""
        if self.lower is _unbounded(self.names)[1]:
            return ()
        return tuple(k for k, i in enumerate(self.free) if not self.lower[i] == -math.inf == -self.upper[i])

    def any_unknown(self) -> bool:
        """Is a free parameter without start value?"""
        total = math.fsum(self.values.tolist())
        return total != total

    def provisional(self) -> Vector:
        """The start values, with 1 (moved into the bounds) where there is none: where to trace the model."""
        return np.where(np.isnan(self.values), np.clip(1.0, self.lower, self.upper), self.values)

    def nested(self, values: Vector) -> dict[str, Any]:
        """Flat `values` by the caller's parameters: floats, and arrays for vector parameters."""
        if self.relations is not None:
            return self.relations.nested(values)
        if len(self.shapes) == len(self.names):
            return dict(zip(self.names, values.tolist(), strict=True))
        out: dict[str, Any] = {}
        at = 0
        for name, shape in self.shapes.items():
            size = math.prod(shape)
            out[name] = values[at : at + size].reshape(shape) if shape else float(values[at])
            at += size
        return out


def is_mapping(given: object) -> bool:
    """A dict, a pandas Series with names, or anything with ``items``."""
    return isinstance(given, Mapping) or hasattr(given, "items")


def names_given(*given: object) -> frozenset[str]:
    """Parameter names mentioned in start, bounds or fixed: ``p[0]`` mentions ``p``."""
    found: set[str] = set()
    for one in given:
        if one is None:
            continue
        if is_mapping(one):
            found.update(str(n).split("[")[0] for n, _ in one.items())  # type: ignore[attr-defined]
        elif isinstance(one, Iterable):
            found.update(n.split("[")[0] for n in one if isinstance(n, str))
    return frozenset(found)


def arrange(
    names: tuple[str, ...],
    defaults: Mapping[str, object],
    start: Any,
    bounds: Any,
    fixed: Any,
    star: str | None = None,
    hints: Mapping[str, Any] | None = None,
) -> Parameters:
    """Flatten and check; `defaults` are the values a signature gives, `star` is the name of ``*params``.

    `hints` start parameters that nobody else does; they are moved into the bounds.
    """
    parameters = lay_out(names, defaults, start, bounds, fixed, star, hints)
    check(parameters)
    return parameters


def lay_out(
    names: tuple[str, ...],
    defaults: Mapping[str, object],
    start: Any,
    bounds: Any,
    fixed: Any,
    star: str | None = None,
    hints: Mapping[str, Any] | None = None,
) -> Parameters:
    """What `arrange` does, but for the check that start values and bounds fit together."""
    given = start_by_name(names, start, star)
    for name in names:
        if name not in given and is_number(defaults.get(name)):
            given[name] = defaults[name]
    hinted = {n: v for n, v in (hints or {}).items() if n in names and n not in given and v is not None}
    given.update(hinted)
    held = _fixed_by_name(fixed, given)
    if star is not None and star not in given:
        raise ParameterError(f"`*{star}` takes any number of parameters: say how many with start=[...]")
    values = {n: np.asarray(given.get(n, math.nan), dtype=np.float64) for n in names}
    whole = {n: v for n, v in held.items() if n in values}
    for name, value in whole.items():
        if given.get(name) is None:
            values[name] = np.asarray(value, dtype=np.float64)
    shapes = {n: v.shape for n, v in values.items()}
    flat = flat_names(shapes)
    place = places(shapes)
    vector = np.concatenate([v.ravel() for v in values.values()]) if values else np.zeros(0)
    lower, upper = _bounds(bounds, flat, place)
    for name in hinted:
        vector[place[name]] = np.clip(vector[place[name]], lower[place[name]], upper[place[name]])
    free = np.ones(len(flat), dtype=bool)
    for name, value in held.items():
        where = find(name, place, flat, "fixed")
        if value is not None:
            vector[where] = _floats(value, name, "fixed value").ravel()
        if np.isnan(vector[where]).any():
            raise ParameterError(f"parameter {name!r} is fixed but has no value: fixed={{{name!r}: value}}")
        free[where] = False
    return Parameters(shapes, flat, vector, lower, upper, tuple(np.flatnonzero(free).tolist()))


def flat_names(shapes: Mapping[str, tuple[int, ...]]) -> tuple[str, ...]:
    """Scalar names: ``a``, ``p[0]``, ``M[0,1]``.

    >>> flat_names({"a": (), "p": (2,)})
    ('a', 'p[0]', 'p[1]')
    """
    out: list[str] = []
    for name, shape in shapes.items():
        out.extend([f"{name}[{','.join(map(str, i))}]" for i in np.ndindex(shape)] if shape else [name])
    return tuple(out)


def places(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, slice]:
    """Where each parameter stands among the flat ones."""
    out, at = {}, 0
    for name, shape in shapes.items():
        out[name] = slice(at, at + math.prod(shape))
        at += math.prod(shape)
    return out


def find(name: str, place: Mapping[str, slice], flat: tuple[str, ...], where: str) -> slice:
    """Where `name`, a parameter or a component such as ``p[0]``, stands; ParameterError where it is none."""
    if name in place:
        return place[name]
    if name in flat:
        i = flat.index(name)
        return slice(i, i + 1)
    raise ParameterError(
        f"{where} names {name!r}, which is no parameter of the model{suggestion(name, flat)}"
    )


def _floats(value: Any, name: str, what: str) -> Vector:
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise ParameterError(f"{what} of {name!r} is {value!r}, not a number") from None
    if not np.isfinite(array).all():
        raise ParameterError(f"{what} of {name!r} is {value}: it must be finite")
    return array


def start_by_name(names: tuple[str, ...], start: Any, star: str | None) -> dict[str, Any]:
    if start is None:
        return {}
    if is_mapping(start):
        return _start_from_mapping(names, start)
    if not isinstance(start, Sequence | np.ndarray) and np.ndim(start) == 0:
        start = [start]
    values = list(start)
    if star is not None:
        lone = names[:-1]
        if len(values) < len(lone):
            raise ParameterError(f"start has {len(values)} values for {len(lone)} parameters and `*{star}`")
        head: dict[str, Any] = {n: _floats(v, n, "start") for n, v in zip(lone, values, strict=False)}
        return {**head, star: _floats(values[len(lone) :], star, "start")}
    if len(names) == 1 and len(values) != 1:
        return {names[0]: _floats(values, names[0], "start")}
    if len(values) != len(names):
        raise ParameterError(
            f"start has {len(values)} values, the model has {len(names)} parameters: {', '.join(names)}"
        )
    return {n: _floats(v, n, "start") for n, v in zip(names, values, strict=True)}


def _start_from_mapping(names: tuple[str, ...], start: Any) -> dict[str, Any]:
    given: dict[str, Any] = {}
    parts: dict[str, list[float]] = {}
    for label, value in start.items():
        name = str(label)
        if name in names:
            given[name] = _floats(value, name, "start")
            continue
        base = name.split("[")[0]
        if base not in names or base == name:
            raise ParameterError(
                f"start names {name!r}, which is no parameter of the model{suggestion(name, names)}"
            )
        if name != f"{base}[{len(parts.setdefault(base, []))}]":
            raise ParameterError(
                f"start names {name!r}: give all components of {base!r} in order, or one array"
            )
        parts[base].append(float(_floats(value, name, "start")))
    return {**given, **{n: np.array(v) for n, v in parts.items()}}


def _fixed_by_name(fixed: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    """Name to value; None means: at its start value."""
    if fixed is None:
        return {}
    if isinstance(fixed, str):
        return {fixed: None}
    if is_mapping(fixed):
        return {str(n): v for n, v in fixed.items()}
    return {str(n): None for n in fixed}


def _bounds(bounds: Any, flat: tuple[str, ...], place: Mapping[str, slice]) -> tuple[Vector, Vector]:
    lower, upper = np.full(len(flat), -math.inf), np.full(len(flat), math.inf)
    if bounds is None:
        return lower, upper
    if is_mapping(bounds):
        for label, pair in bounds.items():
            name = str(label)
            where = find(name, place, flat, "bounds")
            lower[where], upper[where] = limits_of(pair, name)
        return lower, upper
    if hasattr(bounds, "lb") and hasattr(bounds, "ub"):  # scipy.optimize.Bounds
        bounds = (bounds.lb, bounds.ub)
    low, high = _pair(bounds, "bounds")
    for target, side, none in ((lower, low, -math.inf), (upper, high, math.inf)):
        values = _limit(side, none, "bounds")
        if values.ndim and values.size != len(flat):
            raise ParameterError(
                f"bounds have {values.size} values for {len(flat)} parameters: {', '.join(flat)}"
            )
        target[:] = values
    return lower, upper


def limits_of(pair: Any, name: str) -> tuple[Vector, Vector]:
    """Lower and upper bound as given for `name`; None is unbounded."""
    low, high = _pair(pair, f"bounds of {name!r}")
    return _limit(low, -math.inf, name), _limit(high, math.inf, name)


def _pair(pair: Any, what: str) -> tuple[Any, Any]:
    try:
        low, high = pair
    except (TypeError, ValueError):
        raise ParameterError(
            f"{what} must be a pair (lower, upper); None means unbounded on that side"
        ) from None
    return low, high


def _limit(side: Any, none: float, name: str) -> Vector:
    if side is None:
        return np.asarray(none)
    if isinstance(side, list | tuple):
        side = [none if v is None else v for v in side]
    try:
        values = np.asarray(side, dtype=np.float64)
    except (TypeError, ValueError):
        raise ParameterError(f"bound {side!r} of {name!r} is not a number") from None
    if np.isnan(values).any():
        raise ParameterError(f"a bound of {name!r} is NaN; None means unbounded on that side")
    return values


def check(parameters: Parameters) -> None:
    """ParameterError where bounds are crossed or equal, a start is outside, or nothing is left to fit."""
    lower, upper, values = parameters.lower, parameters.upper, parameters.values
    for i, name in enumerate(parameters.names):
        if lower[i] > upper[i]:
            raise ParameterError(f"bounds of {name!r} are crossed: lower {lower[i]:g} > upper {upper[i]:g}")
        if i not in parameters.free:
            continue
        if lower[i] == upper[i]:
            raise ParameterError(
                f"both bounds of {name!r} are {lower[i]:g}: use fixed={{{name!r}: {lower[i]:g}}}"
            )
        if math.isnan(values[i]):
            continue
        if not lower[i] <= values[i] <= upper[i]:
            raise ParameterError(
                f"start {values[i]:g} of {name!r} is outside its bounds [{lower[i]:g}, {upper[i]:g}]"
            )
    if not parameters.free:
        raise ParameterError(
            "every parameter is fixed: nothing is left to fit"
            if parameters.names
            else "the model has no parameter"
        )


def plain_parameters(names: tuple[str, ...], start: Any) -> Parameters | None:
    """The short way: a finite float for every parameter; None when a closer look is needed."""
    try:
        if type(start) is dict:
            if len(start) != len(names):
                return None
            values = [start[n] for n in names]
        elif type(start) is list or type(start) is tuple or (type(start) is np.ndarray and start.ndim == 1):
            values = list(start)
            if len(values) != len(names):
                return None
        else:
            return None
        if not math.isfinite(sum(values)):
            return None
        vector = np.array(values, dtype=np.float64)
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    if vector.ndim != 1:
        return None
    shapes, lower, upper, free = _unbounded(names)
    return Parameters(shapes, names, vector, lower, upper, free)


_UNBOUNDED: dict[tuple[str, ...], tuple[dict[str, tuple[int, ...]], Vector, Vector, tuple[int, ...]]] = {}


def _unbounded(names: tuple[str, ...]) -> tuple[dict[str, tuple[int, ...]], Vector, Vector, tuple[int, ...]]:
    known = _UNBOUNDED.get(names)
    if known is None:
        if len(_UNBOUNDED) > 256:
            _UNBOUNDED.clear()
        n = len(names)
        limits = np.full(n, -math.inf), np.full(n, math.inf)
        for limit in limits:
            limit.flags.writeable = False
        known = _UNBOUNDED[names] = ({m: () for m in names}, *limits, tuple(range(n)))
    return known
