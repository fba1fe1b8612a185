"""Families of residuals as they are declared: a function, variables picked for its items, data, a loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError, OptionError
from ..losses import Loss, loss_of
from .compiled import Values
from .variables import Slot, VariableFamily, picked, visible

Index = NDArray[np.uint32]


@dataclass(frozen=True, eq=False)
class Residuals:
    """``function(*values, *data)`` for each of n items, in the order of ``arguments``.

    An argument is a pick of variables (its place among ``slots``), a data array with one row for each item
    (its place among ``data``) or a plain setting that is the same for all items.
    """

    name: str
    function: Callable[..., Any]
    n: int
    slots: tuple[tuple[VariableFamily, Index], ...]
    data: tuple[Values, ...]
    arguments: tuple[tuple[str, Any], ...]
    loss: Loss | None = None
    weight: Values | None = None
    sqrt_information: Values | None = None
    jacobian: Callable[..., Any] | None = None
    sigma_known: bool = False

    def placed(self, values: Sequence[Any], data: Sequence[Any]) -> list[Any]:
        """The arguments with these values and data in their places."""
        found = {"slot": values, "data": data}
        return [what if kind == "setting" else found[kind][what] for kind, what in self.arguments]

    def picks(self, positions: Mapping[str, int]) -> tuple[tuple[int, Index], ...]:
        """Slot by slot the position of the variables, and which of them each item takes."""
        return tuple((positions[v.name], index) for v, index in self.slots)

    @property
    def order(self) -> list[int]:
        """Places of the arguments that are symbols in a trace: variables first, then data."""
        places = range(len(self.arguments))
        return [k for wanted in ("slot", "data") for k in places if self.arguments[k][0] == wanted]


def declare(
    name: str,
    function: Callable[..., Any],
    arguments: Sequence[Any],
    loss: Any,
    weight: Any,
    sqrt_information: Any,
    jacobian: Callable[..., Any] | None,
) -> Residuals:
    """Checked residuals. Raises DataError and OptionError that name family, item and argument."""
    if not callable(function):
        raise OptionError(f"{name!r}: the residual function is {type(function).__name__}, not a function")
    slots: list[tuple[VariableFamily, Index]] = []
    data: list[Values] = []
    places: list[tuple[str, Any]] = []
    for k, given in enumerate(arguments):
        if isinstance(given, VariableFamily):
            given = Slot(given, None)
        if isinstance(given, Slot):
            places.append(("slot", len(slots)))
            slots.append((given.variables, picked(given, name)))
        elif given is None or isinstance(given, (str, int, float)):
            places.append(("setting", given))
        else:
            places.append(("data", len(data)))
            data.append(_column(name, k, given))
    if not slots:
        raise DataError(
            f"{name!r} has no variables: give it what problem.variables returns, as camera[index]"
        )
    n = _count(name, slots, data)
    slots = [(v, np.full(n, i, np.uint32) if i.ndim == 0 else i) for v, i in slots]
    root = _sqrt_information(name, n, sqrt_information)
    return Residuals(
        name, function, n, tuple(slots), tuple(data), tuple(places), _loss(name, loss),
        _weight(name, n, weight), root, jacobian, root is not None,
    )  # fmt: skip


def _column(name: str, k: int, given: Any) -> Values:
    array = visible(given)
    if array.dtype.kind not in "biuf" or array.ndim == 0:
        raise DataError(
            f"{name!r}: argument {k + 1} is {type(given).__name__} of {array.dtype}; give variables, an "
            "array with one row of real numbers for each item, or a plain number"
        )
    array = np.ascontiguousarray(array, dtype=np.float64)
    if not np.isfinite(array).all():
        bad = ~np.isfinite(array).reshape(len(array), -1).all(axis=1)
        item = int(np.argmax(bad))
        raise DataError(
            f"{name!r}, item {item}: argument {k + 1} is {np.array2string(array[item], precision=6)}, not "
            f"finite ({int(bad.sum())} such items); leave them out"
        )
    return array


def _count(name: str, slots: Sequence[tuple[VariableFamily, Index]], data: Sequence[Values]) -> int:
    """How many items there are. Raises DataError where arguments differ."""
    lengths = {f"the index of {v.name!r}": i.size for v, i in slots if i.ndim}
    lengths |= {f"data array {k + 1}": len(d) for k, d in enumerate(data)}
    if len(set(lengths.values())) > 1:
        said = ", ".join(f"{what} has {n}" for what, n in lengths.items())
        raise DataError(
            f"{name!r}: one row for each item is needed, but {said}. What is the same for all items belongs "
            "into the function"
        )
    n = next(iter(lengths.values()), 1)
    if n == 0:
        raise DataError(f"{name!r} has no items")
    return n


def _loss(name: str, given: Any) -> Loss | None:
    if given is None or isinstance(given, Loss):
        return given
    if isinstance(given, str):
        return loss_of(given)
    raise OptionError(f"{name!r}: loss = {given!r} is none; give mq.Huber(1.0), or a name as 'huber'")


def _real(name: str, what: str, given: Any) -> Values:
    array = visible(given)
    if array.dtype.kind not in "biuf":
        raise DataError(f"{name!r}: {what} must be real numbers, not of type {array.dtype}")
    return np.asarray(array, dtype=np.float64)


def _weight(name: str, n: int, given: Any) -> Values | None:
    """Factors of the squared residuals, (1,) or (n,)."""
    if given is None:
        return None
    array = np.atleast_1d(_real(name, "weight", given))
    if array.shape not in ((1,), (n,)):
        raise DataError(f"{name!r}: weight has shape {array.shape}; a number or ({n},) is needed")
    bad = ~(np.isfinite(array) & (array >= 0.0))
    if bad.any():
        item = int(np.argmax(bad))
        raise DataError(f"{name!r}, item {item}: weight {array[item]:g} is not a number of at least 0")
    return array


def _sqrt_information(name: str, n: int, given: Any) -> Values | None:
    """W with ``W'W`` the inverse covariance, (1, k, k) or (n, k, k)."""
    if given is None:
        return None
    array = _real(name, "sqrt_information", given)
    if array.ndim == 2:
        array = array[None]
    if array.ndim != 3 or array.shape[1] != array.shape[2] or len(array) not in (1, n):
        raise DataError(
            f"{name!r}: sqrt_information has shape {np.shape(given)}; (k, k) or ({n}, k, k) is needed, for k "
            "residuals of an item"
        )
    if not np.isfinite(array).all():
        item = int(np.argmin(np.isfinite(array).all(axis=(1, 2))))
        raise DataError(f"{name!r}, item {item}: sqrt_information is not finite")
    zero = ~array.any(axis=(1, 2))
    if zero.any():
        raise DataError(
            f"{name!r}, item {int(np.argmax(zero))}: sqrt_information is zero ({int(zero.sum())} such "
            "items): such an item says nothing; leave it out"
        )
    alike = (array[-1] == array[0]).all() and (array == array[0]).all()
    return array[:1] if alike else array
