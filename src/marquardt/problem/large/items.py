"""The function of a family called with single items, and its trace, remembered while it holds.

A function written for one item gets vectors; one written for arrays of items, ``x[:, 0]``, gets arrays of one
row.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ModelError, Untraceable
from ...expr.interpret import compile_numpy
from .residuals import Residuals
from .tracing import ItemTrace, trace_item

Values = NDArray[np.float64]

_TRACES: OrderedDict[Hashable, ItemTrace] = OrderedDict()
_REMEMBERED = 128
_BESIDE = (1.0, 1.0 + 2.0**-7)
"""A new trace is compared with the function at the start and, values times these, beside it."""


def item_trace(declared: Residuals) -> ItemTrace:
    """The expressions of one item. Raises Untraceable, or ModelError where the function itself fails."""
    vectors, axis = _plain(declared, 0)
    arguments = _arguments(declared, 0, axis)
    settings = tuple((k, what) for k, (kind, what) in enumerate(declared.arguments) if kind == "setting")
    shapes = tuple(np.shape(a) for a in arguments)
    key = (declared.function, tuple(declared.order), shapes, settings)
    known = _TRACES.get(key)
    if known is not None and known.fingerprint.unchanged():
        _TRACES.move_to_end(key)
        return known
    trace = trace_item(declared.function, arguments, declared.order)
    if vectors.size == 0:
        raise ModelError(f"{declared.name!r} returns no residuals")
    _verify(declared, trace, axis)
    _TRACES[key] = trace
    if len(_TRACES) > _REMEMBERED:
        _TRACES.popitem(last=False)
    return trace


def vector_of_item(declared: Residuals, item: int) -> Values:
    """What the function itself gives for one item, flat. Raises ModelError where it fails."""
    return _plain(declared, item)[0]


def vector_of(declared: Residuals, values: list[Any], data: list[Any]) -> Values:
    """The same for other values and data of an item."""
    axis = _plain(declared, 0)[1]
    return _called(declared, _placed(declared, values, data, axis))


def _plain(declared: Residuals, item: int) -> tuple[Values, bool]:
    """The residuals of one item, and whether the function asks for arrays of one row."""
    failure: Exception | None = None
    for axis in (False, True):
        try:
            return _called(declared, _arguments(declared, item, axis)), axis
        except ModelError:
            raise
        except Exception as error:
            failure = failure or error
    shapes = ", ".join(f"{v.name} {v.variables.values.shape[1:]}" for v, _ in declared.slots)
    raise ModelError(
        f"{declared.name!r} cannot be called with the values of item {item} ({shapes}), nor with arrays "
        f"of one row: {type(failure).__name__}: {failure}"
    ) from failure


def _called(declared: Residuals, arguments: list[Any]) -> Values:
    """Raises ModelError for a result that is no real number."""
    with np.errstate(all="ignore"):
        given = declared.function(*arguments)
    found = np.asarray(given)
    if given is None or found.dtype.kind == "c":
        what = "nothing" if given is None else "complex numbers"
        raise ModelError(f"{declared.name!r} returns {what}; residuals are real numbers")
    return found.astype(np.float64).ravel()


def _arguments(declared: Residuals, item: int, axis: bool, factor: float = 1.0) -> list[Any]:
    values: list[Any] = [v.variables.values[index[item]] * factor for v, index in declared.slots]
    data: list[Any] = [d[item].copy() if d.ndim > 1 else d[item] for d in declared.data]
    return _placed(declared, values, data, axis)


def _placed(declared: Residuals, values: list[Any], data: list[Any], axis: bool) -> list[Any]:
    if axis:
        values, data = [x[None] for x in values], [np.asarray(x)[None] for x in data]
    return declared.placed(values, data)


def _verify(declared: Residuals, trace: ItemTrace, axis: bool) -> None:
    """Raises Untraceable where the trace does not give what the function gives, at some items and beside."""
    some = sorted({0, declared.n // 3, 2 * declared.n // 3, declared.n - 1})
    places = list(product(some, _BESIDE))
    given = [_arguments(declared, item, axis, factor) for item, factor in places]
    leaves = np.stack([np.concatenate([np.ravel(g[k]) for k in declared.order]) for g in given], axis=1)
    rows = compile_numpy(trace.outputs)((), leaves)  # of all these items at once
    traced = np.stack([np.broadcast_to(row, len(places)) for row in rows], axis=1)
    plain = [_called(declared, g) for g in given]
    wrong = np.array([p.size != traced.shape[1] for p in plain])
    if not wrong.any():
        table = np.stack(plain)
        rounding = 1e-9 * float(np.abs(table[np.isfinite(table)]).max(initial=0.0))
        wrong = ~np.isclose(table, traced, 1e-9, rounding, equal_nan=True).all(axis=1)
    if wrong.any():
        k = int(np.argmax(wrong))
        raise HiddenState(declared.name, places[k][0], plain[k], traced[k])


class HiddenState(Untraceable):
    """What a function gives is not what its expressions give."""

    def __init__(self, name: str, item: int, plain: Values, traced: Values) -> None:
        super().__init__(name)
        self.args = (
            f"`{name}` depends on something its arguments do not show: item {item} is {plain}, "
            f"by its trace {traced}",
        )
