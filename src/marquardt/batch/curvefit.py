"""``curvefit`` in place of xarray's own: its arguments, its defaults, its layout."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelError, Status
from .cube import package
from .portable import Sent, portable

Array = NDArray[Any]
QUIET = frozenset(
    {"method", "maxfev", "max_nfev", "ftol", "xtol", "gtol", "epsfcn", "factor", "absolute_sigma"}
)
"""Keywords of SciPy's curve_fit that change neither the data nor the cost."""


def curvefit(
    obj: Any,
    coords: Any,
    func: Callable[..., Any],
    reduce_dims: Any = None,
    skipna: bool = True,
    p0: Mapping[str, Any] | None = None,
    bounds: Mapping[str, tuple[Any, Any]] | None = None,
    param_names: Sequence[str] | None = None,
    errors: str = "raise",
    kwargs: Mapping[str, Any] | None = None,
) -> Any:
    """`xarray.DataArray.curvefit` and `xarray.Dataset.curvefit`, some hundred times faster.

    The arguments are those of xarray: `coords` and `func(x, *params)`, `reduce_dims`, `skipna`; starts `p0`
    and `bounds` by name, numbers or DataArrays; `param_names` for a function of ``*params``; `errors`,
    "raise", or "ignore", which leaves NaN where a fit fails; `kwargs` for SciPy's ``curve_fit``.
    Returns a Dataset with ``curvefit_coefficients`` (..., param) and ``curvefit_covariance`` (..., cov_i,
    cov_j).

    A function that can be traced is fitted by `marquardt.fit_many`; what is not certified there, and what
    cannot be traced, by `marquardt.compat.scipy.curve_fit` one by one, which raises and warns as SciPy does.

    Raises ValueError for unusable arguments, RuntimeError where a fit fails.

    >>> import xarray as xr
    >>> t = np.linspace(0, 4, 9)
    >>> da = xr.DataArray(3 * np.exp(-0.5 * t), coords={"time": t}, dims="time")
    >>> found = curvefit(da, "time", lambda t, a, b: a * np.exp(-b * t))
    >>> found.curvefit_coefficients.sel(param="b").round(6).item()
    0.5
    """
    xr = package()
    if errors not in ("raise", "ignore"):
        raise ValueError('errors must be either "raise" or "ignore"')
    data = obj.to_dataset(name="_") if isinstance(obj, xr.DataArray) else obj
    variables, core = _variables(data, coords, reduce_dims)
    params, defaults = _parameters(func, param_names)
    kept = [d for d in data.dims if d not in core]
    start, lower, upper = _start(params, defaults, p0 or {}, bounds or {})
    _check_dims(p0 or {}, bounds or {}, kept)
    variables = xr.broadcast(*variables)
    variables = [c.broadcast_like(data, exclude=kept) for c in variables]
    task = Task(func, params, len(variables), len(core), skipna, errors, dict(kwargs or {}), bool(bounds))
    found = type(data)(attrs=data.attrs)
    for name, one in data.data_vars.items():
        popt, pcov = xr.apply_ufunc(
            task.run, one, *variables, *start, *lower, *upper,
            input_core_dims=[core] * (1 + len(variables)) + [[]] * (3 * len(params)),
            output_core_dims=[["param"], ["cov_i", "cov_j"]],
            exclude_dims=set(core), dask="parallelized", output_dtypes=(np.float64, np.float64),
            dask_gufunc_kwargs={"output_sizes": dict.fromkeys(("param", "cov_i", "cov_j"), len(params))},
        )  # fmt: skip
        front = "" if isinstance(obj, xr.DataArray) else f"{name}_"
        found[f"{front}curvefit_coefficients"], found[f"{front}curvefit_covariance"] = popt, pcov
    return found.assign_coords(param=params, cov_i=params, cov_j=params)


def _variables(data: Any, coords: Any, reduce_dims: Any) -> tuple[list[Any], list[Any]]:
    """The independent variables, and the dimensions that a fit runs over."""
    xr = package()
    single = isinstance(coords, str | xr.DataArray) or not np.iterable(coords)
    variables = [data[c] if not isinstance(c, xr.DataArray) else c for c in ([coords] if single else coords)]
    plain = isinstance(reduce_dims, str) or not np.iterable(reduce_dims)
    wanted = set() if not reduce_dims else {reduce_dims} if plain else set(reduce_dims)
    wanted |= {d for d in data.dims for c in variables if c.equals(data[d])}
    if not wanted:
        raise ValueError(
            "none of coords= is a dimension of the data and there are no reduce_dims=: each fit would have a "
            "single point"
        )
    return variables, [d for d in data.dims if d in wanted]


def _parameters(func: Callable[..., Any], names: Sequence[str] | None) -> tuple[list[str], dict[str, Any]]:
    """The names of the parameters, and the defaults of those that have one."""
    try:
        arguments = inspect.signature(func).parameters
    except ValueError:
        if not names:
            raise ValueError("the arguments of func cannot be read: give param_names=") from None
        return list(names), {}
    if not names and any(a.kind in (a.VAR_POSITIONAL, a.VAR_KEYWORD) for a in arguments.values()):
        raise ValueError("`param_names` must be provided because `func` takes variable length arguments.")
    found = list(names or list(arguments)[1:])
    return found, {
        n: arguments[n].default
        for n in found
        if n in arguments and arguments[n].default is not inspect._empty
    }


def _start(
    params: list[str], defaults: Mapping[str, Any], p0: Mapping[str, Any], bounds: Mapping[str, Any]
) -> tuple[list[Any], list[Any], list[Any]]:
    """Starts and bounds: those given, else the defaults of the function, else 1, or inside the bounds."""
    xr = package()
    start, lower, upper = [], [], []
    for name in params:
        low, high = bounds.get(name, (-np.inf, np.inf))
        value: Any = defaults.get(name, 1)
        if name in bounds:
            outside, inside = (
                (value < low) | (value > high),
                xr.apply_ufunc(_inside, low, high, dask="allowed"),
            )
            value = (
                xr.where(outside, inside, value) if hasattr(outside, "dims") else inside if outside else value
            )
        start.append(p0.get(name, value))
        lower.append(low)
        upper.append(high)
    return start, lower, upper


def _inside(low: Any, high: Any) -> Any:
    low, high = np.broadcast_arrays(low, high)
    below, above = np.isfinite(low), np.isfinite(high)
    with np.errstate(invalid="ignore"):
        one = np.where(below, low + 1, np.where(above, high - 1, 0.0))
        return np.where(below & above, 0.5 * (low + high), one)[()]


def _check_dims(p0: Mapping[str, Any], bounds: Mapping[str, Any], kept: list[Any]) -> None:
    told = {f"Initial guess for '{n}'": v for n, v in p0.items()}
    for name, pair in bounds.items():
        told |= {f"{side} bound for '{name}'": v for side, v in zip(("Lower", "Upper"), pair, strict=True)}
    for what, value in told.items():
        odd = tuple(d for d in getattr(value, "dims", ()) if d not in kept)
        if odd:
            raise ValueError(f"{what} has unexpected dimensions {odd}: the fits run along {kept}")


@dataclass(frozen=True)
class Task:
    """The fits of a block of arrays."""

    func: Callable[..., Any]
    params: list[str]
    n_x: int
    n_core: int
    skipna: bool
    errors: str
    kwargs: dict[str, Any]
    bounded: bool

    def run(self, y: Array, *rest: Any) -> tuple[Array, Array]:
        """Coefficients and covariances of all fits of a block; `rest` are x, starts, lower, upper bounds."""
        grid, p = y.shape[: y.ndim - self.n_core], len(self.params)
        y = y.reshape(-1, int(np.prod(y.shape[len(grid) :])))
        x = [self._flat(c, grid, y.shape) for c in rest[: self.n_x]]
        values = [np.asarray(v, dtype=float) for v in rest[self.n_x :]]
        box = np.stack([np.broadcast_to(v, grid).reshape(-1) for v in values], axis=-1)
        start, lower, upper = box[:, :p], box[:, p : 2 * p], box[:, 2 * p :]
        popt, pcov = np.full((len(y), p), np.nan), np.full((len(y), p, p), np.nan)
        left = self._quickly(x, y, start, lower, upper, popt, pcov)
        for k in np.flatnonzero(left).tolist():
            one = [c if c.ndim == 1 else c[k] for c in x]
            popt[k], pcov[k] = self._one(one, y[k], start[k], lower[k], upper[k])
        return popt.reshape((*grid, p)), pcov.reshape((*grid, p, p))

    def _flat(self, c: Array, grid: tuple[int, ...], shape: tuple[int, ...]) -> Array:
        c = np.asarray(c, dtype=float)
        if c.ndim <= self.n_core or c.size == shape[1]:
            return c.reshape(-1)
        return np.broadcast_to(c, (*grid, *c.shape[c.ndim - self.n_core :])).reshape(shape)

    def _quickly(
        self, x: list[Array], y: Array, start: Array, lower: Array, upper: Array, popt: Array, pcov: Array
    ) -> Array:
        """All fits at once, written to their places; which of them are left."""
        left = np.full(len(y), True)
        if not len(y) or not set(self.kwargs) <= QUIET or y.dtype.kind not in "biuf":
            return left
        empty = ~np.isfinite(y).any(axis=1) if self.skipna else np.full(len(y), False)
        shared = all(c.ndim == 1 for c in x)
        if not shared or not all(np.isfinite(c).all() for c in x):
            return left
        sent = self._sent(x, start[0])
        holes = ~np.isfinite(y)
        if sent is None or np.isinf(y[holes]).any() or (holes.any() and not (self.skipna and sent.by_rows)):
            return left
        from .engine import CODES
        from .many import fit_many

        where = np.all(start >= lower) and np.all(start <= upper) and np.all(lower < upper)
        if not where:
            return left
        many = fit_many(
            sent.model.formula(), sent.columns, y, covariance=True, progress=False,
            start=self._named(start), bounds=self._bounds(lower, upper),
        )  # fmt: skip
        most = self.kwargs.get("maxfev") or self.kwargs.get("max_nfev") or np.inf
        good = (many.status == CODES[Status.CONVERGED]) & (many.nfev <= most)
        popt[good] = np.stack([many.params[n] for n in self.params], axis=-1)[good]
        pcov[good] = self._covariance(many)[good]
        return np.asarray(~good & ~empty)

    def _covariance(self, many: Any) -> Array:
        """As curve_fit scales it; infinite without degrees of freedom."""
        dof = many.n_points - len(self.params)
        found: Array = np.array(many.covariance)
        if self.kwargs.get("absolute_sigma"):
            with np.errstate(invalid="ignore", divide="ignore"):
                found = found / many.reduced_chi2[:, None, None]
        found[dof <= 0] = np.inf
        return found

    def _named(self, start: Array) -> dict[str, Any]:
        return {n: _common(start[:, k]) for k, n in enumerate(self.params)}

    def _bounds(self, lower: Array, upper: Array) -> dict[str, Any] | None:
        known = np.asarray(np.isfinite(lower).any(axis=0) | np.isfinite(upper).any(axis=0))
        pairs = {
            n: (_common(lower[:, k]), _common(upper[:, k])) for k, n in enumerate(self.params) if known[k]
        }
        return pairs or None

    def _sent(self, x: list[Array], start: Array) -> Sent | None:
        """The model as an expression, where it has one."""
        func = self.func

        def call(x: Any, *p: Any) -> Any:
            return func(x, *p)

        try:
            return portable(call, (_stacked(x),), {"p": start.shape}, start, "func", self.params)
        except ModelError:
            return None

    def _one(self, x: list[Array], y: Array, start: Array, lower: Array, upper: Array) -> tuple[Array, Array]:
        """One fit, as SciPy would make it."""
        from ..compat.curve_fit import curve_fit  # needs SciPy

        p = len(self.params)
        nothing = np.full(p, np.nan), np.full((p, p), np.nan)
        stacked = np.vstack(x)
        if self.skipna:
            known = np.any(~np.isnan(stacked), axis=0) & ~np.isnan(y)
            stacked, y = stacked[:, known], y[known]
            if y.size == 0:
                return nothing
        try:
            found = curve_fit(
                self.func, np.squeeze(stacked), y, p0=start, bounds=(lower, upper), **self.kwargs
            )
        except RuntimeError:
            if self.errors == "raise":
                raise
            return nothing
        return found[0], found[1]


def _stacked(x: list[Array]) -> Array:
    """The independent variables as xarray hands them to the function."""
    return np.ascontiguousarray(np.squeeze(np.vstack(x)))


def _common(values: Array) -> Any:
    """One number where it is the same for all fits."""
    return float(values[0]) if (values == values[0]).all() else values
