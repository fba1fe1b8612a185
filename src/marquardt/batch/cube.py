"""Labeled arrays as many fits take them: dimensions of the fits first, points last."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, MissingPackageError

Array = NDArray[Any]


def package() -> Any:
    """xarray itself."""
    try:
        import xarray
    except ImportError:
        raise MissingPackageError("xarray is needed: pip install 'marquardt[xarray]'") from None
    return xarray


@dataclass(frozen=True, slots=True)
class Cube:
    """A labeled array, arranged: which of its dimensions are those of the fits, which of the points."""

    data: Any
    """Transposed: `grid` first, then `points`."""
    grid: tuple[Any, ...]
    points: tuple[Any, ...]
    x: dict[str, Array]
    """The independent variables by name, (m,), or one row for each fit, (..., m)."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the fits."""
        return tuple(self.data.shape[: len(self.grid)])

    @property
    def y(self) -> Any:
        """The data as NumPy or dask array, the points as one axis; a single fit has an axis of its own."""
        return self.flat(self.data.data)

    def flat(self, values: Any) -> Any:
        return values.reshape((*(self.shape or (1,)), -1))

    @property
    def lazy(self) -> bool:
        """Does dask hold the data?"""
        return hasattr(self.data.data, "dask")

    def of_fits(self, values: Any, what: str) -> Any:
        """A labeled array with a value for each fit; any other as it is."""
        if not hasattr(values, "dims"):
            return values
        template = self.data.isel(dict.fromkeys(self.points, 0), drop=True)
        return _spread(values, template, self.grid, what).data.reshape(self.shape or (1,))

    def of_points(self, values: Any, what: str) -> Any:
        """A labeled array with a value for each point, of all fits or of each; any other as it is."""
        if not hasattr(values, "dims"):
            return values
        if set(values.dims) <= set(self.points):
            template = self.data.isel(dict.fromkeys(self.grid, 0), drop=True)
            return np.asarray(_spread(values, template, self.points, what)).reshape(-1)
        if set(values.dims) <= set(self.grid):
            return self.of_fits(values, what)
        return self.flat(_spread(values, self.data, (*self.grid, *self.points), what).data)

    def coords(self) -> dict[Any, Any]:
        """The coordinates that do not vary along the points."""
        return {n: c for n, c in self.data.coords.items() if not set(c.dims) & set(self.points)}

    def back(self, values: Any, dims: tuple[Any, ...] = ()) -> Any:
        """Results of the fits as a labeled variable, with further dimensions `dims`."""
        return (*self.grid, *dims), values.reshape((*self.shape, *values.shape[len(self.shape or (1,)) :]))


def cube(data: Any, coords: Any, reduce_dims: Any = None) -> Cube:
    """Arrange a DataArray for fits along coordinates.

    coords : a coordinate by name, or a DataArray; several in a sequence; by other names in a mapping.
    reduce_dims : dimensions whose points belong to one fit, beside those that a coordinate alone runs along.

    Raises DataError, naming what is wrong.
    """
    variables = _variables(data, coords)
    points = _points(data, variables, reduce_dims)
    grid = tuple(d for d in data.dims if d not in points)
    arranged = data.transpose(*grid, *points)
    if arranged.dtype.kind not in "biuf":
        raise DataError(f"{data.name or 'the array'!r} is of type {data.dtype}, not real numbers")
    empty = Cube(arranged, grid, points, {})
    x = {name: _numbers(empty.of_points(_numeric(c, name), name), name) for name, c in variables.items()}
    single = np.prod(arranged.shape[len(grid) :], dtype=int)
    x = {n: np.broadcast_to(c, (single,)) if c.ndim == 0 else _by_point(c, empty) for n, c in x.items()}
    return Cube(arranged, grid, points, x)


def _by_point(values: Array, arranged: Cube) -> Array:
    """A coordinate that is the same at all points of a fit is spread over them."""
    if values.shape == arranged.shape and arranged.shape != arranged.y.shape[-1:]:
        return np.broadcast_to(values[..., None], arranged.y.shape)
    return values


def _variables(data: Any, coords: Any) -> dict[str, Any]:
    if isinstance(coords, Mapping):
        return {str(n): _coordinate(data, c) for n, c in coords.items()}
    single = isinstance(coords, str) or hasattr(coords, "dims") or not isinstance(coords, Iterable)
    found = [_coordinate(data, c) for c in ([coords] if single else coords)]
    return {str(c.name if c.name is not None else f"x{k}"): c for k, c in enumerate(found)}


def _coordinate(data: Any, given: Any) -> Any:
    if hasattr(given, "dims"):
        return given
    if given not in data.coords and given not in data.dims:
        known = ", ".join(map(repr, dict.fromkeys([*data.coords, *data.dims])))
        raise DataError(f"there is no coordinate {given!r}; there are {known}")
    return data[given]


def _points(data: Any, variables: dict[str, Any], reduce_dims: Any) -> tuple[Any, ...]:
    given = [reduce_dims] if isinstance(reduce_dims, str) else list(reduce_dims or ())
    unknown = next((d for d in given if d not in data.dims), None)
    if unknown is not None:
        raise DataError(f"reduce_dims: there is no dimension {unknown!r}; there are {tuple(data.dims)}")
    for name, c in variables.items():
        odd = next((d for d in c.dims if d not in data.dims), None)
        if odd is not None:
            raise DataError(f"the coordinate {name!r} runs along {odd!r}, which is no dimension of the data")
        given += c.dims if len(c.dims) == 1 else ()
    if not given:
        raise DataError(
            f"which points belong to one fit? No coordinate runs along one dimension alone: say "
            f"reduce_dims=, some of {tuple(data.dims)}"
        )
    return tuple(d for d in data.dims if d in given)


def _numeric(c: Any, name: str) -> Any:
    if c.dtype.kind in "mM":
        raise DataError(
            f"the coordinate {name!r} holds dates: make them numbers, "
            f"da.assign_coords(t=(da[{name!r}] - da[{name!r}][0]) / np.timedelta64(1, 's'))"
        )
    if c.dtype.kind not in "biuf":
        raise DataError(f"the coordinate {name!r} is of type {c.dtype}, not real numbers")
    return c


def _numbers(values: Any, name: str) -> Array:
    return np.asarray(values, dtype=np.float64)


def _spread(values: Any, template: Any, dims: tuple[Any, ...], what: str) -> Any:
    """A labeled array over all of `dims`; where both have labels these must be the same."""
    odd = [d for d in values.dims if d not in dims]
    if odd:
        raise DataError(f"{what} runs along {odd[0]!r}; it may run along {dims}")
    try:
        package().align(template, values, join="exact", copy=False)
    except ValueError as error:
        raise DataError(f"{what} has other labels than the data: {error}") from None
    plain = values.drop_vars(list(values.coords))
    sizes = {d: template.sizes[d] for d in dims if d not in plain.dims}
    return plain.expand_dims(sizes).transpose(*dims)
