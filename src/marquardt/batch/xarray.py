"""xarray: ``da.marquardt.fit("time", model)``, and `curvefit` in place of xarray's own.

``import marquardt`` registers the accessors where xarray was imported before; ``import
marquardt.batch.xarray`` does in any case.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, OptionError, ParameterError
from ..expr.formula import Formula
from .cube import Cube, cube, package
from .curvefit import curvefit

__all__ = ["DataArrayFits", "DatasetFits", "curvefit", "register"]

Array = NDArray[Any]
TOLD = {
    "status": "how the fit ended", "points": "points that counted", "cost": "half the sum of squares",
    "reduced_chi2": "chi-square by degree of freedom", "nfev": "evaluations of the model",
}  # fmt: skip


class DataArrayFits:
    """What ``da.marquardt`` offers."""

    def __init__(self, data: Any) -> None:
        self._data = data

    def fit(
        self,
        coords: Any,
        model: Any,
        *,
        reduce_dims: Any = None,
        start: Any = None,
        bounds: Any = None,
        fixed: Any = None,
        sigma: Any = None,
        weights: Any = None,
        mask: Any = None,
        skipna: bool = True,
        covariance: bool = False,
        **options: Any,
    ) -> Any:
        """Fit `model` along coordinates, at every other place of the array; returns a Dataset.

        coords : the independent variable: a coordinate by name, or a DataArray. Several in the order of the
            function's arguments; a formula takes them by their names, or by those of a mapping,
            ``{"t": "time"}``. Each dimension that one of them alone runs along is fitted over.
        reduce_dims : further dimensions whose points belong to one fit.
        start, bounds, fixed : as in `marquardt.fit_many`, by name; DataArrays where they differ between fits.
        sigma, weights, mask : numbers, DataArrays with some of the dimensions, or names of coordinates (in a
            Dataset: of variables).
        skipna : False: a missing value is an error.
        options : ``loss, f_scale, family, trials, precision, threads, progress, checkpoint`` of
            `marquardt.fit_many`; for data in dask ``allow_pickle`` of `marquardt.batch.dask.fit_many`.

        The Dataset has a variable for each parameter, ``a``, and its standard error, ``a_stderr``, then
        ``status`` (numbers, told in its attributes), ``points``, ``cost``, ``reduced_chi2`` and ``nfev``,
        with ``covariance=True`` also ``covariance``; dimensions, coordinates and attributes as in the data.
        Data in dask give variables in dask: each chunk is a task, which is sent the model's expression.

        Raises DataError, ParameterError, ModelError, FormulaError or OptionError, naming what is wrong.

        >>> import xarray as xr
        >>> t = np.linspace(0, 4, 9)
        >>> rates = xr.DataArray([0.5, 1.0], coords={"well": ["A", "B"]}, dims="well")
        >>> da = 3 * np.exp(-rates * xr.DataArray(t, coords={"time": t}, dims="time"))
        >>> da.marquardt.fit("time", "a*exp(-b*time)", start={"a": 1, "b": 1}).b.sel(well="B").round(6).item()
        1.0
        """
        beside = {"sigma": sigma, "weights": weights, "mask": mask, "trials": options.pop("trials", None)}
        by_fit = {"start": start, "bounds": bounds, "fixed": fixed}
        if isinstance(model, str) and "~" in model:
            model = model.partition("~")[2]  # the left side is a name for the data
        arranged = cube(self._data, coords, reduce_dims)
        given = {n: arranged.of_points(_named(self._data, v), n) for n, v in beside.items()}
        given |= {n: _by_name(v, arranged, n) for n, v in by_fit.items()}
        given, x = _complete(arranged, given, skipna)
        names = tuple(x)
        where: Any = (
            x if isinstance(model, str | Formula) else x[names[0]] if len(x) == 1 else tuple(x.values())
        )
        given = {n: v for n, v in given.items() if v is not None} | options
        columns, free = _run(arranged, model, where, given, covariance)
        return _dataset(arranged, columns, free)


class DatasetFits:
    """What ``ds.marquardt`` offers."""

    def __init__(self, data: Any) -> None:
        self._data = data

    def fit(self, coords: Any, model: Any, **options: Any) -> Any:
        """`DataArrayFits.fit` for each variable that has the dimensions fitted over.

        The left side of a formula picks one, ``"signal ~ a*exp(-b*time)"``; else all are fitted, and the
        results have their names in front, ``signal_a``. `sigma`, `weights` and `mask` may be names of
        variables, which then are not fitted.

        >>> import xarray as xr
        >>> t = np.linspace(0, 4, 9)
        >>> ds = xr.Dataset({"signal": ("time", 3 * np.exp(-0.5 * t)), "time": t})
        >>> ds.marquardt.fit("time", "signal ~ a*exp(-b*time)", start={"a": 1, "b": 1}).b.round(6).item()
        0.5
        """
        ds = self._data
        beside = {
            n: v for n in ("sigma", "weights", "mask", "trials") if isinstance(v := options.get(n), str)
        }
        unknown = next((v for v in beside.values() if v not in ds), None)
        if unknown is not None:
            raise DataError(
                f"there is no variable {unknown!r}; there are {', '.join(map(repr, ds.variables))}"
            )
        options |= {n: ds[v] for n, v in beside.items()}
        if isinstance(model, str) and "~" in model:
            left = model.partition("~")[0].strip().strip("`")
            if left not in ds.data_vars:
                raise DataError(
                    f"there is no variable {left!r}; there are {', '.join(map(repr, ds.data_vars))}"
                )
            return ds[left].marquardt.fit(coords, model, **options)
        found, reason = [], DataError("the Dataset has no variable to fit")
        for name in ds.data_vars:
            if name in beside.values():
                continue
            try:
                cube(ds[name], coords, options.get("reduce_dims"))
            except DataError as error:
                reason = error
                continue
            one = ds[name].marquardt.fit(coords, model, **options)
            found.append(one.rename({v: f"{name}_{v}" for v in one.data_vars}))
        if not found:
            raise reason
        return package().merge(found, combine_attrs="override").assign_attrs(ds.attrs)


def register() -> None:
    """Make the accessors known to xarray."""
    xr = package()
    if not hasattr(xr.DataArray, "marquardt"):
        xr.register_dataarray_accessor("marquardt")(DataArrayFits)
        xr.register_dataset_accessor("marquardt")(DatasetFits)


def _named(data: Any, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if value not in data.coords:
        raise DataError(f"there is no coordinate {value!r}; there are {', '.join(map(repr, data.coords))}")
    return data[value]


def _by_name(given: Any, arranged: Cube, what: str) -> Any:
    if not isinstance(given, Mapping):
        return given
    found = {}
    for name, value in given.items():
        told = f"{what} of {name!r}"
        pair = isinstance(value, tuple | list) and what == "bounds"
        found[name] = (
            tuple(arranged.of_fits(side, told) for side in value) if pair else arranged.of_fits(value, told)
        )
    return found


def _complete(arranged: Cube, given: dict[str, Any], skipna: bool) -> tuple[dict[str, Any], dict[str, Array]]:
    """Points without coordinates are left out; a missing value is an error unless `skipna`."""
    if not skipna and not arranged.lazy and not np.isfinite(arranged.data.data).all():
        place = np.argwhere(~np.isfinite(arranged.data.data))[0]
        where = ", ".join(f"{d}[{k}]" for d, k in zip(arranged.data.dims, place, strict=True))
        raise DataError(f"a value is missing at {where}; skipna=True leaves such points out")
    if not skipna and arranged.lazy:
        raise OptionError("skipna=False would read all data first: look with da.isnull().any()")
    bad = [~np.isfinite(c) for c in arranged.x.values()]
    if not any(b.any() for b in bad):
        return given, arranged.x
    if not skipna:
        raise DataError("a coordinate has a missing value; skipna=True leaves such points out")
    known: Any = ~np.logical_or.reduce(np.broadcast_arrays(*bad))
    mask = given["mask"]
    if mask is not None:
        mask = np.asarray(mask, dtype=bool)
        known = known & (mask[..., None] if mask.shape == arranged.shape != known.shape else mask)
    return given | {"mask": known}, {n: np.where(np.isfinite(c), c, 1.0) for n, c in arranged.x.items()}


def _run(
    arranged: Cube, model: Any, x: Any, options: dict[str, Any], covariance: bool
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The results by name, as arrays of NumPy or dask, and the parameters of the covariance."""
    from .dask import fit_many as fit_lazily
    from .dask import free_names
    from .many import fit_many

    if arranged.lazy:
        columns = fit_lazily(model, x, arranged.y, covariance=covariance, **options)
        return columns, free_names(columns, options.get("fixed"))
    options.pop("allow_pickle", None)
    many = fit_many(model, x, arranged.y, covariance=covariance, **options)
    columns = {}
    for name in many.names:
        columns[name], columns[f"{name}_stderr"] = many.params[name], many.stderr[name]
    columns |= {"status": many.status, "points": many.n_points, "cost": many.cost}
    columns |= {"reduced_chi2": many.reduced_chi2, "nfev": many.nfev}
    if covariance:
        columns["covariance"] = many.covariance
    return columns, free_names(columns, options.get("fixed"))


def _dataset(arranged: Cube, columns: dict[str, Any], free: tuple[str, ...]) -> Any:
    from .engine import STATUSES

    coords = arranged.coords()
    clash = next((n for n in columns if n in coords or n in arranged.grid), None)
    if clash is not None:
        raise ParameterError(f"{clash!r} is a parameter and a coordinate: rename the parameter")
    variables = {n: arranged.back(v) for n, v in columns.items() if n != "covariance"}
    if "covariance" in columns:
        variables["covariance"] = arranged.back(columns["covariance"], ("cov_i", "cov_j"))
        coords |= {"cov_i": list(free), "cov_j": list(free)}
    found = package().Dataset(variables, coords=coords, attrs=dict(arranged.data.attrs))
    for name, told in TOLD.items():
        found[name].attrs["long_name"] = told
    flags = np.arange(len(STATUSES), dtype=np.int8)
    found["status"].attrs |= {"flag_values": flags, "flag_meanings": " ".join(s.name for s in STATUSES)}
    return found


register()
