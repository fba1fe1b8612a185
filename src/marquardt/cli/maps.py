"""Write the results of many fits: arrays with or without coordinates, pictures for ImageJ, tables."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..batch.result import ManyFits
from ..errors import OptionError
from ..report.many import columns_of, words
from .along import Layout
from .stack import package

Array = NDArray[Any]
Columns = Mapping[str, Array]
WriteArrays = Callable[[str, ManyFits, Layout], None]
WriteTable = Callable[[str, Columns], None]


def check_out(path: str | None, known: Mapping[str, Any]) -> None:
    """Refuse a file that cannot be written before the fits are made, not after."""
    if path is None:
        return
    ending = Path(path).suffix.lower()
    if ending not in known:
        raise OptionError(f"--out {path}: say by its ending what is written: {', '.join(known)}")
    if not Path(path).parent.is_dir():
        raise OptionError(f"--out {path}: there is no folder {Path(path).parent}")
    for name, extra in _NEEDED.get(ending, ()):
        package(name, ending, extra)


def maps_of(many: ManyFits) -> dict[str, Array]:
    """The results by name, each shaped as the fits: estimates, standard errors, and how each fit ended."""
    return {name.replace(" ", "_"): values for name, values in columns_of(many).items()}


def about(many: ManyFits, layout: Layout) -> dict[str, Any]:
    """What arrays without attributes do not tell."""
    return {
        "model": many.title.strip(), "parameters": list(many.names), "source": layout.stack.label,
        "statuses": [status.name for status in many.STATUSES],
    }  # fmt: skip


def write_xarray(path: str, many: ManyFits, layout: Layout) -> None:
    """A data set with the dimensions and coordinates of the data."""
    data = many.to_xarray(layout.dims, layout.coords)
    data.attrs["source"] = layout.stack.label
    if Path(path).suffix.lower() == ".zarr":
        data.to_zarr(path, mode="w", consolidated=False)
    else:
        data.to_netcdf(path)


def write_npz(path: str, many: ManyFits, layout: Layout) -> None:
    """Every map by its name, and `about` as JSON."""
    told = np.array(json.dumps(about(many, layout)))
    np.savez(path, allow_pickle=False, **maps_of(many), about=told)


def write_npy(path: str, many: ManyFits, layout: Layout) -> None:
    """The estimates alone, parameters last."""
    np.save(path, np.stack([many.params[name] for name in many.names], axis=-1), allow_pickle=False)


def write_h5(path: str, many: ManyFits, layout: Layout) -> None:
    """A dataset for each map; the attributes of the file tell of the model, and what a status means."""
    h5py = package("h5py", ".h5", "files")
    with h5py.File(path, "w") as file:
        for name, values in maps_of(many).items():
            file.create_dataset(name, data=values)
        file.attrs.update(about(many, layout))


def write_tif(path: str, many: ManyFits, layout: Layout) -> None:
    """A page for each map, in single precision, the names as labels that ImageJ shows."""
    tifffile = package("tifffile", ".tif", "tiff")
    if len(many.shape) != 2:
        raise OptionError(f"--out {path}: the fits form an array of {many.shape}, no picture: write .npz")
    maps = maps_of(many)
    pages = np.stack([values.astype(np.float32) for values in maps.values()])
    tifffile.imwrite(path, pages, imagej=True, metadata={"axes": "ZYX", "Labels": list(maps)})


def rows_by(write: WriteTable) -> WriteArrays:
    """One row for each fit, with its place on each dimension."""

    def write_rows(path: str, many: ManyFits, layout: Layout) -> None:
        places = np.indices(many.shape).reshape(len(many.shape), -1)
        where = {
            name: np.asarray(layout.coords[name])[k] if name in layout.coords else k
            for name, k in zip(layout.dims, places, strict=True)
        }
        columns = {name: values.reshape(-1) for name, values in columns_of(many).items()}
        columns["status"] = np.array([words(s) for s in many.STATUSES])[columns["status"]]
        write(path, where | columns)

    return write_rows


def write_csv(path: str, columns: Columns) -> None:
    """A table as text; numbers that are not finite are empty."""
    separator = "\t" if Path(path).suffix.lower() in (".tsv", ".txt") else ","
    lists = [np.asarray(values).tolist() for values in columns.values()]
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter=separator, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(["" if v != v else v for v in row] for row in zip(*lists, strict=True))


def write_parquet(path: str, columns: Columns) -> None:
    """A table with pyarrow."""
    pa = package("pyarrow", ".parquet", "files")
    package("pyarrow.parquet", ".parquet", "files").write_table(pa.table(dict(columns)), path)


ARRAYS: dict[str, WriteArrays] = {
    ".nc": write_xarray,
    ".zarr": write_xarray,
    ".npz": write_npz,
    ".npy": write_npy,
    ".h5": write_h5,
    ".tif": write_tif,
    ".tiff": write_tif,
    ".csv": rows_by(write_csv),
    ".tsv": rows_by(write_csv),
    ".parquet": rows_by(write_parquet),
}
TABLES: dict[str, WriteTable] = {
    ".csv": write_csv,
    ".tsv": write_csv,
    ".txt": write_csv,
    ".parquet": write_parquet,
}
_NEEDED = {
    ".nc": (("xarray", "files"), ("h5netcdf", "files")),
    ".zarr": (("xarray", "files"), ("zarr", "files")),
    ".h5": (("h5py", "files"),),
    ".tif": (("tifffile", "tiff"),),
    ".tiff": (("tifffile", "tiff"),),
    ".parquet": (("pyarrow", "files"),),
}
