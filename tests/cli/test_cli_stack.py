"""Arrays from files, and which of their dimensions fits run along."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
import tifffile
import xarray as xr

from marquardt.cli.along import lay_out, model_of
from marquardt.cli.stack import read_stack
from marquardt.errors import DataError, FileError, FormulaError, OptionError

CUBE = np.arange(24.0).reshape(2, 3, 4)
TIMES = np.array([0.0, 1.0, 2.5, 4.0])


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("cube.npy", CUBE)
    np.savez("cube.npz", counts=CUBE, t=TIMES)
    coords = {"row": [10, 20], "time": TIMES}
    array = xr.DataArray(CUBE, dims=("row", "column", "time"), coords=coords, attrs={"units": "counts"})
    xr.Dataset({"counts": array, "offset": ("row", [1.0, 2.0])}).to_netcdf("cube.nc")
    xr.Dataset({"counts": array}).to_zarr("cube.zarr")
    with h5py.File("cube.h5", "w") as file:
        file["run/counts"] = CUBE
        file["run/t"] = TIMES
    tifffile.imwrite("stack.tif", np.moveaxis(CUBE, -1, 0).astype(np.uint16))
    return tmp_path


def test_a_cube_in_every_kind_of_file_gives_the_same_fits(files):
    ways = {
        "cube.npy": ("t=2", "t=times.txt"),
        "cube.npz": ("t=-1", "t=t"),
        "cube.nc": ("t=time", None),
        "cube.zarr": ("t=time", None),
        "cube.h5": ("t=2", "t=run/t"),
        "stack.tif": ("t", "t=times.txt"),
    }
    (files / "times.txt").write_text("\n".join(map(str, TIMES)))
    for name, (along, x) in ways.items():
        layout = lay_out(read_stack(name), [along], [x] if x else [])
        np.testing.assert_array_equal(layout.data, CUBE, err_msg=name)
        assert list(layout.x) == ["t"] and np.array_equal(layout.x["t"], TIMES), name


def test_names_and_coordinates_of_the_fits_are_those_of_the_file(files):
    stack = read_stack("cube.nc")
    layout = lay_out(stack, ["time"], [])
    assert stack.name == "counts" and stack.attributes == {"units": "counts"}
    assert layout.dims == ("row", "column") and layout.coords["row"].tolist() == [10, 20]
    assert np.array_equal(layout.x["time"], TIMES)
    assert lay_out(read_stack("cube.npy"), ["t=2"], []).dims == ("dim_0", "dim_1")


def test_two_dimensions_make_a_grid_of_points_in_the_order_of_the_data(files):
    layout = lay_out(read_stack("cube.npy"), ["y=1,x=2"], ["x=0:6"])
    assert layout.data.shape == (2, 12) and layout.dims == ("dim_0",)
    np.testing.assert_array_equal(layout.data, CUBE.reshape(2, 12))
    np.testing.assert_array_equal(layout.x["y"], np.repeat([0.0, 1.0, 2.0], 4))
    np.testing.assert_array_equal(layout.x["x"], np.tile([0.0, 2.0, 4.0, 6.0], 3))


def test_each_row_of_a_matrix_is_a_fit_and_dates_are_seconds_from_the_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("rows.npy", CUBE[0])
    assert lay_out(read_stack("rows.npy"), ["t"], []).data.shape == (3, 4)
    days = np.array(["2020-01-01", "2020-01-02", "2020-01-04", "2020-01-05"], dtype="datetime64[ns]")
    xr.Dataset({"z": (("i", "time"), CUBE[0])}, coords={"time": days}).to_netcdf("days.nc")
    layout = lay_out(read_stack("days.nc"), ["time"], [])
    assert layout.x["time"].tolist() == [0.0, 86400.0, 259200.0, 345600.0]


def test_a_memory_map_is_not_copied(files):
    layout = lay_out(read_stack("cube.npy"), ["t=0"], [])
    base = layout.data
    while base.base is not None and not isinstance(base, np.memmap):
        base = base.base
    assert isinstance(base, np.memmap)


WRONG = [
    ("cube.npy", [], [], OptionError, r"--along is needed.* 0 \(2\), 1 \(3\), 2 \(4\), so write --along t=0"),
    ("cube.npy", ["t"], [], FileError, r"cube.npy has no dimension `t`.* told by number, t=0"),
    ("cube.npy", ["t=3"], [], FileError, r"cube.npy has the dimensions 0 \(2\), 1 \(3\), 2 \(4\)"),
    ("cube.npy", ["a=1,b=-2"], [], OptionError, "`b=-2` is named twice"),
    (
        "cube.nc",
        ["tme"],
        [],
        FileError,
        "variable `counts` has no dimension `tme`; did you mean 'time'",
    ),
    (
        "cube.nc",
        ["time"],
        ["time=absent"],
        OptionError,
        r"a file, or a variable of cube.nc \(offset\)",
    ),
    ("cube.nc", ["time"], ["time=offset"], DataError, "2 values where .* has 4 points a fit"),
    ("cube.nc", ["time"], ["4"], OptionError, "write name=value, as in --x t=0:12.5"),
]


@pytest.mark.parametrize(("name", "along", "x", "error", "words"), WRONG)
def test_what_is_wrong_with_dimensions_is_named_with_what_to_do(files, name, along, x, error, words):
    with pytest.raises(error, match=words):
        lay_out(read_stack(name), along, x)


def test_what_is_wrong_with_a_file_is_named_with_what_there_is(files):
    with pytest.raises(FileError, match=r"absent.npy cannot be read: there is no such file"):
        read_stack("absent.npy")
    with pytest.raises(FileError, match=r"cube.nc has no variable `count`; there are: counts \(2, 3, 4\)"):
        read_stack("cube.nc", "count")
    with pytest.raises(FileError, match=r"cube.npy holds one array without a name"):
        read_stack("cube.npy", "count")
    np.savez("two.npz", a=CUBE, b=CUBE)
    with pytest.raises(FileError, match=r"two.npz: which variable is fitted\? Say --variable; there are: a"):
        read_stack("two.npz")
    (files / "bad.nc").write_bytes(b"nothing")
    with pytest.raises(FileError, match=r"bad.nc cannot be read as .nc"):
        read_stack("bad.nc")
    np.save("words.npy", np.array(["a", "b"]))
    with pytest.raises(FileError, match=r"words.npy holds values of type <U1, not real numbers"):
        read_stack("words.npy")
    np.save("objects.npy", np.array([{}, {}], dtype=object), allow_pickle=True)
    with pytest.raises(FileError, match=r"objects.npy cannot be read"):
        read_stack("objects.npy")


def test_a_formula_names_the_variables_that_fits_run_along(files):
    stack = read_stack("cube.nc")
    layout = lay_out(stack, ["t=time"], [])
    formula = model_of("counts ~ a*exp(-t/tau)", layout, stack)
    assert formula.data_names == ("t",) and formula.param_names == ("a", "tau")
    with pytest.raises(FormulaError, match="does not use t, which fits run along"):
        model_of("y ~ a*exp(-time/tau)", layout, stack)
    with pytest.raises(FormulaError, match="transform them beforehand"):
        model_of("log(y) ~ a - t/tau", layout, stack)
    with pytest.raises(FormulaError, match="has no parameter"):
        model_of("y ~ 2*t", layout, stack)
