"""Read a file that holds the data of many fits as one array: .npy, .npz, .nc, .zarr, .h5, .tif.

An array comes as it is stored, where possible as a memory map, with the names of its dimensions and their
coordinates where the file has them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import FileError, MissingPackageError, suggestion

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Stack:
    """An array from a file; `name` is that of its variable, "" where the file has no names."""

    origin: str
    name: str
    values: Array
    dims: tuple[str, ...] = ()
    """Names of the dimensions; empty where the file tells none."""
    coords: Mapping[str, Array] = field(default_factory=dict)
    """Values along dimensions, by their names."""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    others: Mapping[str, Any] = field(default_factory=dict)
    """The other variables of the file, as it gives them."""
    pages: bool = False
    """Are these the pages of a picture file? Then the first dimension is the one that fits run along."""

    @property
    def label(self) -> str:
        """The file and the variable, for messages."""
        return f"{self.origin}, variable `{self.name}`" if self.name else self.origin

    @property
    def layout(self) -> str:
        """The dimensions with their sizes, for messages.

        >>> Stack("a.npy", "", np.zeros((2, 3))).layout
        '0 (2), 1 (3)'
        """
        names = self.dims or range(self.values.ndim)
        return ", ".join(f"{name} ({size})" for name, size in zip(names, self.values.shape, strict=True))

    def axis(self, text: str, option: str) -> int:
        """The number of a dimension told by its name or its number."""
        if text in self.dims:
            return self.dims.index(text)
        try:
            axis = int(text)
        except ValueError:
            raise FileError(
                f"{option} {text}: {self.label} has no dimension `{text}`"
                f"{suggestion(text, self.dims) if self.dims else ''}; it has {self.layout}"
                + ("" if self.dims else f": dimensions without names are told by number, {text}=0")
            ) from None
        if not -self.values.ndim <= axis < self.values.ndim:
            raise FileError(f"{option} {text}: {self.label} has the dimensions {self.layout}")
        return axis % self.values.ndim


def is_stack(path: str) -> bool:
    """Does the ending of a file's name say that it holds an array?

    >>> is_stack("cube.zarr"), is_stack("table.csv")
    (True, False)
    """
    return Path(path).suffix.lower() in READERS


def read_stack(path: str, variable: str | None = None) -> Stack:
    """Read the array of a file; FileError names the file and what is wrong, and what there is instead."""
    reader = READERS[Path(path).suffix.lower()]
    if not Path(path).exists():
        raise FileError(f"{path} cannot be read: there is no such file")
    try:
        stack = reader(path, variable)
    except (FileError, MissingPackageError):
        raise
    except Exception as error:  # each library has errors of its own
        raise FileError(f"{path} cannot be read as {Path(path).suffix}: {error}") from None
    if stack.values.dtype.kind not in "biuf":
        raise FileError(f"{stack.label} holds values of type {stack.values.dtype}, not real numbers")
    if not stack.values.size or stack.values.ndim < 1:
        raise FileError(f"{stack.label} is empty: its shape is {stack.values.shape}")
    return stack


def package(name: str, ending: str, extra: str) -> Any:
    """An optional package that files of some ending need."""
    import importlib

    try:
        return importlib.import_module(name)
    except ImportError:
        raise MissingPackageError(
            f"{ending} files need {name}: pip install {name}, or pip install 'marquardt[{extra}]'"
        ) from None


def _npy(path: str, variable: str | None) -> Stack:
    if variable is not None:
        raise FileError(f"{path} holds one array without a name: leave out --variable {variable}")
    return Stack(path, "", np.load(path, mmap_mode="r", allow_pickle=False))


def _npz(path: str, variable: str | None) -> Stack:
    with np.load(path, allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    name = _chosen(path, variable, arrays)
    return Stack(path, name, arrays.pop(name), others=arrays)


def _netcdf(path: str, variable: str | None) -> Stack:
    xarray = package("xarray", ".nc", "files")
    with xarray.open_dataset(path, decode_timedelta=False) as data:
        return _of_dataset(path, variable, data)


def _zarr(path: str, variable: str | None) -> Stack:
    xarray = package("xarray", ".zarr", "files")
    package("zarr", ".zarr", "files")
    return _of_dataset(path, variable, xarray.open_zarr(path, chunks=None))


def _of_dataset(path: str, variable: str | None, data: Any) -> Stack:
    name = _chosen(path, variable, {str(k): v for k, v in data.data_vars.items()})
    array = data[name]
    dims = tuple(map(str, array.dims))
    coords = {dim: np.asarray(data[dim].values) for dim in dims if dim in data.coords}
    others = {str(k): data[k].values for k in data.variables if k != name and k not in dims}
    return Stack(path, name, array.values, dims, coords, dict(array.attrs), others)


def _hdf5(path: str, variable: str | None) -> Stack:
    h5py = package("h5py", ".h5", "files")
    with h5py.File(path, "r") as file:
        found: dict[str, Any] = {}

        def visit(name: str, item: Any) -> None:
            if isinstance(item, h5py.Dataset):
                found[name] = item

        file.visititems(visit)
        scales = {name: d for name, d in found.items() if d.is_scale}
        name = _chosen(path, variable, {k: v for k, v in found.items() if k not in scales})
        array = found.pop(name)
        dims = tuple(d.label or (d[0].name.rsplit("/", 1)[-1] if len(d) else "") for d in array.dims)
        named = all(dims) and len(set(dims)) == len(dims)
        coords = {n: np.asarray(d[0]) for n, d in zip(dims, array.dims, strict=True) if named and len(d)}
        others = {k: np.asarray(v) for k, v in found.items()}
        return Stack(path, name, array[()], dims if named else (), coords, others=others)


def _tiff(path: str, variable: str | None) -> Stack:
    tifffile = package("tifffile", ".tif", "tiff")
    if variable is not None:
        raise FileError(f"{path} holds pictures without a name: leave out --variable {variable}")
    with tifffile.TiffFile(path) as file:
        series = file.series[0]
        values, axes = series.asarray(out="memmap" if series.nbytes > 2**28 else None), series.axes
    if values.ndim < 3:
        raise FileError(f"{path} is one picture of {values.shape}: a fit needs a stack of several pages")
    return Stack(path, "", values, tuple(axes.lower()) if len(set(axes)) == len(axes) else (), pages=True)


def _chosen(path: str, variable: str | None, known: Mapping[str, Any]) -> str:
    """The variable asked for, or the only one there is."""
    if variable is not None and variable in known:
        return variable
    listed = ", ".join(f"{name} {tuple(array.shape)}" for name, array in known.items()) or "none"
    if variable is not None:
        raise FileError(f"{path} has no variable `{variable}`; there are: {listed}")
    most = max((array.ndim for array in known.values()), default=0)
    largest = [name for name, array in known.items() if array.ndim == most]
    if len(largest) != 1:
        raise FileError(f"{path}: which variable is fitted? Say --variable; there are: {listed}")
    return largest[0]


READERS: dict[str, Callable[[str, str | None], Stack]] = {
    ".npy": _npy,
    ".npz": _npz,
    ".nc": _netcdf,
    ".nc4": _netcdf,
    ".zarr": _zarr,
    ".h5": _hdf5,
    ".hdf5": _hdf5,
    ".tif": _tiff,
    ".tiff": _tiff,
}
