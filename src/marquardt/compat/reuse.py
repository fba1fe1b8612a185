"""Functions made anew at every call, and functions that change at every call: when to trace them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import FunctionType
from typing import Any

from ..problem.model import Model, Shapes, compile_model

REMEMBERED = 32
"""Functions, and with them the data they close over."""
PATIENCE = 2
"""A trace takes a millisecond or two: after so many in vain a function is called back."""
FICKLE = "something it depends on, such as a counter, changes from call to call"


@dataclass
class _Seen:
    model: Model
    in_vain: int = 0


_SAME: dict[Any, FunctionType] = {}
_SEEN: dict[Any, _Seen] = {}


def same_function(function: Callable[..., Any]) -> Callable[..., Any]:
    """An earlier function with the same code that reads the same objects, else `function` itself.

    ``curve_fit(lambda x, a, b: ..., x, y)`` in a loop makes one function at every turn; one trace serves all.

    >>> one, two = (lambda x, a: a * x for _ in range(2))
    >>> one is two, same_function(one) is same_function(two)
    (False, True)
    """
    if type(function) is not FunctionType or function.__kwdefaults__ or function.__dict__:
        return function
    key = function.__code__, id(function.__globals__)
    earlier = _SAME.get(key)
    if earlier is not None and _reads_the_same(earlier, function):
        return earlier
    if len(_SAME) >= REMEMBERED:
        _SAME.clear()
    _SAME[key] = function
    return function


def _reads_the_same(one: FunctionType, two: FunctionType) -> bool:
    try:
        inside = [[c.cell_contents for c in f.__closure__ or ()] for f in (one, two)]
    except ValueError:  # an empty cell
        return False
    pairs = (inside, [one.__defaults__ or (), two.__defaults__ or ()])
    return one.__globals__ is two.__globals__ and all(
        len(a) == len(b) and all(map(_same_object, a, b)) for a, b in pairs
    )


def _same_object(a: Any, b: Any) -> bool:
    return a is b or (type(a) is type(b) and isinstance(a, int | float | str) and repr(a) == repr(b))


def model_for(
    function: Callable[..., Any],
    arguments: Sequence[Any],
    shapes: Shapes,
    options: Mapping[str, object] | None = None,
) -> Model:
    """The model of `function`, traced unless earlier traces of it went stale from call to call."""
    try:
        seen = _SEEN.get(function)
    except TypeError:  # not hashable
        return compile_model(function, arguments, shapes, options)
    if seen is not None and seen.in_vain >= PATIENCE:
        model = Model(function, shapes, options or {})
        model.distrust(FICKLE)
        return model
    model = compile_model(function, arguments, shapes, options)
    if seen is None:
        if len(_SEEN) >= REMEMBERED:
            _SEEN.clear()
        _SEEN[function] = _Seen(model)
    elif seen.model is not model:
        stale = any(not v.trace.fingerprint.unchanged() for v in seen.model.versions)
        seen.model, seen.in_vain = model, seen.in_vain + 1 if stale else 0
    return model
