"""Accessors of xarray, and `curvefit` beside xarray's own."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

xr = pytest.importorskip("xarray")

import marquardt as mq  # noqa: E402
import marquardt.batch.xarray as mx  # noqa: E402

T = np.linspace(0, 4, 24)
START = {"a": 2, "b": 1, "c": 0.5}


def decay(t, a, b, c):
    return a * np.exp(-b * t) + c


@pytest.fixture
def cube():
    rng = np.random.default_rng(3)
    a, b, c = (xr.DataArray(rng.uniform(*r, (5, 4)), dims=("y", "x")) for r in ((1, 3), (0.5, 2), (0, 1)))
    t = xr.DataArray(T, dims="time", coords={"time": ("time", T, {"units": "s"})})
    made = decay(t, a, b, c).transpose("time", "y", "x")
    made = (made + 0.01 * rng.standard_normal((24, 5, 4))).transpose("y", "time", "x")
    made = made.assign_coords(y=("y", np.arange(5) * 2.0, {"units": "mm"}), kind=("x", list("pqrs")))
    return made.rename("signal").assign_attrs(units="V")


def test_the_accessor_gives_the_numbers_of_fit_many_with_dimensions_coordinates_and_attributes(cube):
    found = cube.marquardt.fit("time", decay, start=START, covariance=True)
    many = mq.fit_many(decay, T, cube.transpose("y", "x", "time").data, start=START, covariance=True)
    for name in "abc":
        np.testing.assert_array_equal(found[name], many.params[name])
        np.testing.assert_array_equal(found[f"{name}_stderr"], many.stderr[name])
    np.testing.assert_array_equal(found.covariance, many.covariance)
    assert found.a.dims == ("y", "x") and "time" not in found.coords and found.attrs == {"units": "V"}
    assert found.y.attrs == {"units": "mm"} and list(found.kind.values) == list("pqrs")
    assert found.status.attrs["flag_meanings"].split()[0] == "CONVERGED"


def test_a_formula_takes_coordinates_by_their_names_or_by_others(cube):
    own = cube.marquardt.fit("time", "a*exp(-b*time) + c", start=START)
    other = cube.marquardt.fit({"t": "time"}, "y ~ a*exp(-b*t) + c", start=START)
    xr.testing.assert_identical(own, other)


def test_starts_fixed_values_sigma_and_mask_are_aligned_by_dimension(cube):
    found = cube.marquardt.fit("time", decay, start={"a": cube.isel(time=0), "b": 1}, sigma=0.01)
    again = cube.marquardt.fit(
        "time", decay, start={"a": 2, "b": 1}, fixed={"c": found.c.transpose("x", "y")},
        sigma=xr.full_like(cube.transpose("x", "time", "y"), 0.01), mask=cube.time < 3.9,
    )  # fmt: skip
    np.testing.assert_array_equal(again.c, found.c)
    assert (again.points == 23).all() and (again.c_stderr == 0).all()
    np.testing.assert_allclose(again.a, found.a, atol=0.02)


def test_two_coordinates_of_a_plane_and_dimensions_that_are_reduced():
    xs, ys = np.arange(6.0), np.arange(5.0)
    x, y = xr.DataArray(xs, dims="x", coords={"x": xs}), xr.DataArray(ys, dims="y", coords={"y": ys})
    slope = xr.DataArray([1.0, 2.0, 3.0], dims="shot")
    stack = slope * x + 2 * y + 1
    found = stack.marquardt.fit(["x", "y"], lambda x, y, a, b, c: a * x + b * y + c)
    np.testing.assert_allclose(found.a, [1, 2, 3], atol=1e-9)
    whole = (x + 0 * slope).marquardt.fit("x", "a*x + b", reduce_dims="shot")
    assert whole.points.item() == 18 and whole.a.dims == ()


def test_a_coordinate_of_each_fit_is_its_own_x():
    depth = xr.DataArray(np.linspace(0, 1, 10) * np.array([[1.0], [2.0]]), dims=("cast", "level"))
    profile = (3 * depth + 1).assign_coords(depth=depth)
    found = profile.marquardt.fit("depth", "a*depth + b", reduce_dims="level")
    np.testing.assert_allclose(found.a, [3, 3], atol=1e-9)


@pytest.mark.parametrize("backed", ["numpy", "dask"])
def test_missing_values_and_coordinates_are_left_out(cube, backed):
    cube = cube.transpose("y", "x", "time").copy()
    cube[0, 0, 3], cube[1, 1] = np.nan, np.nan
    if backed == "dask":
        pytest.importorskip("dask")
        cube = cube.chunk({"x": 2, "time": 10})
    t = cube.time.where(cube.time > 0.01)
    found = cube.marquardt.fit(t, decay, start=START).compute()
    assert found.points[0, 0] == 22 and found.points[0, 1] == 23
    assert mq.batch.engine.STATUSES[int(found.status[1, 1])].name == "NO_POINTS" and np.isnan(found.a[1, 1])
    if backed == "numpy":
        with pytest.raises(mq.DataError, match=r"missing at y\[0\], x\[0\], time\[3\]"):
            cube.marquardt.fit("time", decay, start=START, skipna=False)


def test_data_in_dask_give_the_same_bits_and_stay_in_dask(cube):
    pytest.importorskip("dask")
    sigma = 0.01 + 0 * cube
    now = cube.marquardt.fit("time", decay, start=START, sigma=sigma, covariance=True)
    lazy = cube.chunk({"x": 3, "y": 2, "time": 5}).marquardt.fit(
        "time", decay, start=START, sigma=sigma.chunk({"x": 1}), covariance=True
    )
    assert lazy.a.chunks == ((2, 2, 1), (3, 1))
    xr.testing.assert_identical(lazy.compute(), now)


def test_a_dataset_fits_all_its_variables_or_the_one_a_formula_names(cube):
    ds = xr.Dataset({"signal": cube, "double": 2 * cube, "noise": 0.01 + 0 * cube})
    one = ds.marquardt.fit("time", "signal ~ a*exp(-b*time) + c", start=START, sigma="noise")
    both = ds.marquardt.fit("time", "a*exp(-b*time) + c", start=START, sigma="noise")
    np.testing.assert_array_equal(one.a, both.signal_a)
    np.testing.assert_allclose(both.double_a, 2 * one.a, rtol=1e-4)
    assert "noise_a" not in both
    with pytest.raises(mq.DataError, match="no variable 'nose'"):
        ds.marquardt.fit("time", decay, start=START, sigma="nose")
    with pytest.raises(mq.DataError, match="no variable to fit"):
        ds[["noise"]].marquardt.fit("time", decay, start=START, sigma="noise")


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda c: c.marquardt.fit("tine", decay), "no coordinate 'tine'"),
        (lambda c: c.marquardt.fit("time", decay, reduce_dims="z"), "no dimension 'z'"),
        (lambda c: c.marquardt.fit("time", decay, start={"a": c}), "start of 'a' runs along 'time'"),
        (lambda c: c.marquardt.fit("time", decay, sigma=0 * c[:3] + 1), "sigma has other labels"),
        (lambda c: c.marquardt.fit("time", "x*exp(-b*time)"), "'x' is a parameter and a coordinate"),
        (lambda c: c.assign_coords(time=c.time.values.astype("M8[D]")).marquardt.fit("time", decay), "dates"),
    ],
)
def test_what_is_wrong_is_named(cube, call, told):
    with pytest.raises(mq.MarquardtError, match=told):
        call(cube)


def test_the_accessors_are_there_after_importing_both_and_marquardt_alone_loads_no_xarray():
    code = (
        "import sys, marquardt; a = 'xarray' in sys.modules\n"
        "del sys.modules['marquardt']; import xarray, marquardt; b = 'scipy.optimize' in sys.modules\n"
        "print(a, b, hasattr(xarray.DataArray, 'marquardt'), hasattr(xarray.Dataset, 'marquardt'))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.split() == ["False", "False", "True", "True"]


@pytest.mark.parametrize(
    "order",
    [
        "xarray, marquardt.batch.xarray",
        "marquardt.batch.xarray, xarray",
        "marquardt, xarray, marquardt.batch.xarray",
    ],
)
def test_the_one_import_makes_the_accessors_known_in_any_order(order):
    code = f"import {order}; print(xarray.DataArray.marquardt.__name__, xarray.Dataset.marquardt.__name__)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.split() == ["DataArrayFits", "DatasetFits"]


# --------------------------------------------------------------------------- curvefit, beside that of xarray


def line(x, a, b):
    return a * x + b


def bent(x, a=1.5, b=2.0):
    return line(x, a, b) if a < 1e9 else 0 * x


def plane(c, a, b):
    x, y = c
    return a * x + b * np.sqrt(y)


@pytest.mark.parametrize("backed", ["numpy", "dask"])
@pytest.mark.parametrize(
    ("coords", "func", "options"),
    [
        ("time", decay, {"p0": START}),
        (
            ["time"],
            decay,
            {"p0": {"b": 1.2}, "bounds": {"a": (0, 10), "b": (0.1, np.inf), "c": (-np.inf, 9)}},
        ),
        ("time", decay, {"p0": START, "reduce_dims": ["x"]}),
        ("time", decay, {"p0": START, "reduce_dims": "y", "kwargs": {"absolute_sigma": True}}),
        ("time", lambda t, *p: decay(t, *p), {"param_names": ["u", "v", "w"], "p0": {"w": 0.5}}),
        ("time", bent, {}),
        ("time", bent, {"bounds": {"a": (-9, 9)}, "kwargs": {"method": "trf"}}),
        (["time", "y"], plane, {}),
        ("time", decay, {"p0": START, "kwargs": {"sigma": 0.1 + T, "absolute_sigma": True}}),
    ],
)
def test_curvefit_agrees_with_that_of_xarray(cube, backed, coords, func, options):
    if backed == "dask":
        pytest.importorskip("dask")
        cube = cube.chunk({"x": 3} if "reduce_dims" not in options else {"time": -1})
    cube = cube.copy()
    want, got = cube.curvefit(coords, func, **options), mx.curvefit(cube, coords, func, **options)
    assert (got.chunks is None) == (want.chunks is None) and got.attrs == want.attrs
    want, got = want.compute(), got.compute()
    assert list(got.data_vars) == list(want.data_vars)
    assert got.curvefit_coefficients.dims == want.curvefit_coefficients.dims
    xr.testing.assert_allclose(
        got.drop_vars("curvefit_covariance"), want.drop_vars("curvefit_covariance"), 1e-4
    )
    pcov, own = want.curvefit_covariance.transpose(..., "cov_i", "cov_j"), got.curvefit_covariance
    np.testing.assert_allclose(own, pcov, rtol=5e-3, atol=1e-3 * float(abs(pcov).max()))


def test_curvefit_takes_starts_and_bounds_by_fit(cube):
    p0 = {"a": cube.isel(time=0), "b": xr.DataArray([1.0, 1.1, 0.9, 1.0], dims="x"), "c": 0.3}
    bounds = {"b": (0.1, xr.DataArray([5.0, 6.0, 7.0, 8.0, 9.0], dims="y", coords={"y": cube.y}))}
    want = cube.curvefit("time", decay, p0=p0, bounds=bounds)
    got = mx.curvefit(cube, "time", decay, p0=p0, bounds=bounds)
    xr.testing.assert_allclose(got.curvefit_coefficients, want.curvefit_coefficients, 1e-4)


def test_curvefit_at_active_bounds_and_of_constant_and_empty_places(cube):
    cube = cube.transpose("y", "x", "time").copy()
    cube[0, 0], cube[0, 1], cube[0, 2, 4:] = 0.0, np.nan, np.nan
    options = {"p0": {"a": 0.9}, "bounds": {"a": (-1, 1)}}
    want, got = (
        f("time", line, **options) for f in (cube.curvefit, lambda *a, **k: mx.curvefit(cube, *a, **k))
    )
    xr.testing.assert_allclose(got.curvefit_coefficients, want.curvefit_coefficients, 1e-4, 1e-6)


def test_curvefit_of_a_dataset_has_the_names_of_its_variables(cube):
    ds = xr.Dataset({"one": cube, "two": 2 * cube}, attrs={"run": 7})
    want, got = ds.curvefit("time", decay, p0=START), mx.curvefit(ds, "time", decay, p0=START)
    xr.testing.assert_allclose(got[list(want.data_vars)[::2]], want[list(want.data_vars)[::2]], 1e-4)
    assert got.attrs == want.attrs and list(got.data_vars) == list(want.data_vars)


@pytest.mark.parametrize("backed", ["numpy", "dask"])
def test_curvefit_raises_or_leaves_nan_where_a_fit_fails(backed):
    def odd(x, a, b):
        return 0 * x if a > 10 else a * x + b

    da = xr.DataArray([[1.0, 3, 5], [0, 20, 40]], dims=("i", "x"), coords={"x": [0.0, 1.0, 2.0]})
    if backed == "dask":
        pytest.importorskip("dask")
        da = da.chunk({"i": 1})
    limit = {"kwargs": {"maxfev": 2}}
    with pytest.raises(RuntimeError, match="Optimal parameters not found"):
        mx.curvefit(da, "x", odd, **limit).compute()
    found = mx.curvefit(da, "x", odd, errors="ignore", **limit).compute()
    assert np.isnan(found.curvefit_coefficients[1]).all()


@pytest.mark.parametrize(
    "options",
    [
        {"coords": xr.DataArray(T, dims="q"), "func": decay},
        {"coords": "time", "func": lambda t, *p: decay(t, *p)},
        {"coords": "time", "func": decay, "errors": "maybe"},
        {"coords": "time", "func": decay, "p0": {"a": xr.DataArray(T, dims="time")}},
        {"coords": "time", "func": decay, "bounds": {"a": (xr.DataArray(T, dims="time"), 9)}},
    ],
)
def test_curvefit_refuses_what_that_of_xarray_refuses(cube, options):
    for call in (cube.curvefit, lambda **k: mx.curvefit(cube, **k)):
        with pytest.raises(ValueError):
            call(**options)
