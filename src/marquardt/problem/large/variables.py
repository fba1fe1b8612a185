"""Families of variables as they are declared, and the checks of everything that comes with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import DataError, ParameterError
from ...masked import is_masked_array
from .compiled import Mask, Values, Variables
from .manifolds import Manifold, manifold_of

FAR = 1e-2
"""A unit vector whose length is off by more is a mistake; by less, rounding (files hold 6 digits)."""


@dataclass(frozen=True, eq=False)
class Slot:
    """Variables of a family, picked for the items of a family of residuals."""

    variables: VariableFamily
    key: Any
    """What stood in the brackets; None without any."""


@dataclass(frozen=True, eq=False)
class VariableFamily:
    """What `Problem.variables` returns: ``camera[index]`` picks one for each item of a family of residuals.

    Without brackets: the single variable for all items, or, of several, one for each item in turn.
    """

    variables: Variables
    prior: Prior | None = None

    @property
    def name(self) -> str:
        return self.variables.name

    def __len__(self) -> int:
        return self.variables.n

    def __getitem__(self, key: Any) -> Slot:
        return Slot(self, key)

    def __iter__(self) -> Any:
        raise TypeError(f"variables {self.name!r} are no sequence: {self.name}[index] picks some")

    def __repr__(self) -> str:
        v = self.variables
        return f"<variables {v.name!r}: {v.n} x {v.manifold.name}>"


@dataclass(frozen=True, eq=False)
class Prior:
    """What is known before: the mean of each variable, (n, ambient), and one over sigma, (n, tangent).

    ``items`` are the variables that have one.
    """

    items: NDArray[np.intp]
    mean: Values
    scale: Values


def declare(
    name: str, values: Any, manifold: Manifold | str | None, fixed: Any, bounds: Any, prior: Any
) -> VariableFamily:
    """Checked variables. Raises ParameterError that names family and index."""
    array = _numbers(name, values)
    known = manifold_of(manifold, array.shape[1])
    array = proper(name, array, known)
    frozen = _frozen(name, len(array), known, fixed)
    lower, upper = _bounds(name, array, known, bounds)
    return VariableFamily(
        Variables(name, array, known, frozen, lower, upper), _prior(name, array, known, prior)
    )


def _numbers(name: str, values: Any) -> Values:
    array = visible(values)
    if array.dtype.kind not in "biuf":
        raise ParameterError(f"values of {name!r} must be real numbers, not of type {array.dtype}")
    if array.ndim == 1:
        array = array[None, :]
    if array.ndim != 2 or array.size == 0:
        raise ParameterError(
            f"values of {name!r} must have shape (n, components), or (components,) for a single variable, "
            f"not {np.shape(values)}"
        )
    return np.ascontiguousarray(array, dtype=np.float64)


def visible(given: Any) -> NDArray[Any]:
    """As an array; what a NumPy mask hides is nan."""
    if not is_masked_array(given) or not given.mask.any():
        return np.asarray(given)
    return np.where(np.ma.getmaskarray(given), np.nan, np.ma.getdata(given))


def proper(name: str, array: Values, manifold: Manifold) -> Values:
    """Values that are finite and on their manifold, as a copy. Raises ParameterError with the index."""
    bad = np.asarray(~np.isfinite(array).all(axis=1))
    if bad.any():
        k = int(np.argmax(bad))
        raise ParameterError(
            f"{name}[{k}] = {shown(array[k])} is not finite{_others(bad)}; give all variables a start"
        )
    for first, end in manifold.units:
        length = np.sqrt((array[:, first:end] ** 2).sum(axis=1))
        far = np.asarray(np.abs(length - 1.0) > FAR)
        if far.any():
            k = int(np.argmax(far))
            raise ParameterError(
                f"{name}[{k}] = {shown(array[k])}: its components {first} to {end - 1} must be a vector of "
                f"length 1 ({manifold.name}), their length is {length[k]:.6g}{_others(far)}"
            )
    for k in manifold.positive:
        low = array[:, k] <= 0.0
        if low.any():
            i = int(np.argmax(low))
            raise ParameterError(
                f"{name}[{i}] = {shown(array[i])}: its component {k} must be above 0 ({manifold.name})"
            )
    return np.array(manifold.project(array), dtype=np.float64, order="C")


def _frozen(name: str, n: int, manifold: Manifold, fixed: Any) -> Mask:
    """``fixed=`` as a mask of the components of steps, (n, tangent)."""
    frozen = np.zeros((n, manifold.tangent), dtype=bool)
    if fixed is None or fixed is False:
        return frozen
    if fixed is True:
        return ~frozen
    array = np.asarray(fixed)
    if array.dtype == bool:
        if array.shape not in ((n,), frozen.shape):
            raise ParameterError(
                f"fixed= of {name!r} is a mask of shape {array.shape}; ({n},) is needed for whole variables, "
                f"{frozen.shape} for components of their steps"
            )
        frozen[...] = array if array.ndim == 2 else array[:, None]
        return frozen
    if array.size and array.dtype.kind not in "iu":
        raise ParameterError(f"fixed= of {name!r} must be True, a mask or indices, not of type {array.dtype}")
    picked = array.astype(np.intp)
    if picked.ndim > 1 or np.unique(picked).size < picked.size:
        raise ParameterError(
            f"fixed= of {name!r} must be a list of different indices; a mask is of bool, not of {array.dtype}"
        )
    picked = picked.ravel()
    out = (picked < 0) | (picked >= n)
    if out.any():
        raise ParameterError(f"fixed= of {name!r} names {name}[{picked[out][0]}], there are {n}")
    frozen[picked] = True
    return frozen


def _bounds(name: str, array: Values, manifold: Manifold, bounds: Any) -> tuple[Values | None, Values | None]:
    if bounds is None:
        return None, None
    if not manifold.flat:
        raise ParameterError(f"{name!r} are {manifold.name}: only free numbers (Euclidean) can have bounds")
    try:
        low, high = (np.array(np.broadcast_to(np.asarray(b, dtype=np.float64), array.shape)) for b in bounds)
    except (TypeError, ValueError):
        raise ParameterError(
            f"bounds of {name!r} must be a pair (lower, upper), each a number or of shape "
            f"({array.shape[1]},) or {array.shape}"
        ) from None
    wrong = ~(low <= high)
    if wrong.any():
        k, j = np.argwhere(wrong)[0]
        raise ParameterError(
            f"bounds of {name}[{k}], component {j}: the lower one, {low[k, j]:g}, is above the upper one, "
            f"{high[k, j]:g}"
        )
    outside = (array < low) | (array > high)
    if outside.any():
        k, j = np.argwhere(outside)[0]
        raise ParameterError(
            f"{name}[{k}] starts outside its bounds: component {j} is {array[k, j]:g}, not within "
            f"[{low[k, j]:g}, {high[k, j]:g}]"
        )
    return low, high


def _prior(name: str, array: Values, manifold: Manifold, prior: Any) -> Prior | None:
    if prior is None:
        return None
    n, t = len(array), manifold.tangent
    try:
        mean, sigma = prior
        mean = np.array(np.broadcast_to(np.asarray(mean, dtype=np.float64), array.shape))
        sigma = np.asarray(sigma, dtype=np.float64)
        if sigma.shape == (n,) and n != t:
            sigma = sigma[:, None]
        sigma = np.array(np.broadcast_to(sigma, (n, t)))
    except (TypeError, ValueError):
        raise ParameterError(
            f"prior of {name!r} must be a pair (mean, sigma): the mean of shape ({array.shape[1]},) or "
            f"{array.shape}, sigma a number or of shape ({n},), ({t},) or {(n, t)}"
        ) from None
    if not (sigma > 0.0).all():
        k, j = np.argwhere(~(sigma > 0.0))[0]
        raise ParameterError(
            f"prior of {name}[{k}]: sigma of component {j} is {sigma[k, j]:g}, it must be above 0 "
            "(infinite where nothing is known; fix what is known exactly)"
        )
    items = np.flatnonzero(np.isfinite(sigma).any(axis=1))
    try:
        mean = proper(name, mean[items], manifold)
    except ParameterError as error:
        raise ParameterError(f"mean of the prior of {error}") from None
    return Prior(items, mean, 1.0 / sigma[items])


def picked(slot: Slot, family: str) -> NDArray[np.uint32]:
    """The index of a slot, (items,); a single number, (), where all items share one variable.

    Raises DataError that names the family of residuals, the item and the variables.
    """
    v, key = slot.variables.variables, slot.key
    if key is None:
        return np.zeros((), np.uint32) if v.n == 1 else np.arange(v.n, dtype=np.uint32)
    if isinstance(key, slice):
        return np.arange(v.n, dtype=np.uint32)[key]
    index = np.asarray(key)
    if index.dtype == bool:
        if index.shape != (v.n,):
            raise DataError(f"{family!r}: a mask of {v.name!r} has shape {index.shape}, ({v.n},) is needed")
        return np.flatnonzero(index).astype(np.uint32)
    if (index.size and index.dtype.kind not in "iu") or index.ndim > 1:
        raise DataError(
            f"{family!r}: the index of {v.name!r} must be whole numbers of shape (items,), "
            f"not {index.dtype} of shape {index.shape}"
        )
    if index.size and (index.min() < 0 or index.max() >= v.n):
        item = int(np.argmax((index < 0) | (index >= v.n)))
        raise DataError(
            f"{family!r}, item {item}: {v.name}[{index.ravel()[item]}] does not exist, there are {v.n} "
            f"(0 to {v.n - 1})"
        )
    return np.array(index, dtype=np.uint32, order="C")


def shown(row: Values) -> str:
    """A value in an error."""
    return np.array2string(np.asarray(row), precision=6, separator=", ", threshold=12)


def _others(bad: Mask) -> str:
    more = int(np.count_nonzero(bad)) - 1
    return f", like {more} more" if more else ""
