"""Fits of data read block by block: all that can be iterated again, files, stores, clusters' arrays."""

from __future__ import annotations

import signal
import threading
from itertools import pairwise

import numpy as np
import pytest

import marquardt as mq
from marquardt.curve.stream_result import LongFit

N = 40_000
MODEL = "y ~ a*exp(-t/T) + c"
START = {"a": 1, "T": 1, "c": 1}


def whole(n=N, seed=1):
    rng = np.random.default_rng(seed)
    t = np.linspace(0.0, 10.0, n)
    y = 3 * np.exp(-t / 2) + 1 + 0.1 * rng.standard_normal(n)
    return {"t": t, "junk": rng.integers(0, 9, n), "y": y, "s": np.full(n, 0.1)}


def pieces(table, count=7):
    edges = np.linspace(0, len(table["t"]), count + 1).astype(int)
    return [{n: v[i:j] for n, v in table.items()} for i, j in pairwise(edges)]


@pytest.fixture(scope="module")
def here():
    return mq.fit(MODEL, data=whole(), start=START)


def assert_same(fit, here):
    assert isinstance(fit, LongFit) and fit.status is here.status
    assert np.all(np.abs(fit.x - here.x) <= 1e-4 * here.stderr)
    for name in ("stderr", "cost", "aic", "bic", "r_squared", "reduced_chi2", "n_points"):
        np.testing.assert_allclose(getattr(fit, name), getattr(here, name), rtol=1e-7, err_msg=name)


class Again:
    """An object that can be iterated again."""

    def __init__(self, tables):
        self.tables = tables

    def __iter__(self):
        return iter(self.tables)


def as_frames(table, tmp_path):
    pandas = pytest.importorskip("pandas")
    return [pandas.DataFrame(piece) for piece in pieces(table)]


def as_polars(table, tmp_path):
    polars = pytest.importorskip("polars")
    return [polars.DataFrame(piece) for piece in pieces(table)]


def as_parquet(table, tmp_path):
    arrow = pytest.importorskip("pyarrow")
    from pyarrow.parquet import write_table

    for k, piece in enumerate(pieces(table, 3)):
        write_table(arrow.table(piece), tmp_path / f"part{k}.parquet", row_group_size=5_000)
    return tmp_path


def as_arrow(table, tmp_path):
    return pytest.importorskip("pyarrow").table(table)


def as_zarr(table, tmp_path):
    zarr = pytest.importorskip("zarr")
    group = zarr.open_group(str(tmp_path / "table.zarr"), mode="w")
    for name, values in table.items():
        make = getattr(group, "create_array", None) or group.create_dataset  # of zarr 3, of zarr 2
        stored = make(name, shape=values.shape, chunks=(6_000,), dtype=values.dtype)
        stored[:] = values
    return {name: group[name] for name in table}


def as_hdf5(table, tmp_path):
    h5py = pytest.importorskip("h5py")
    file = h5py.File(tmp_path / "table.h5", "w")
    for name, values in table.items():
        file.create_dataset(name, data=values, chunks=(6_000,), compression="gzip")
    return file


def as_dask_arrays(table, tmp_path):
    dask = pytest.importorskip("dask.array")
    return {name: dask.from_array(values, chunks=6_000) for name, values in table.items()}


def as_memory_maps(table, tmp_path):
    for name, values in table.items():
        np.save(tmp_path / f"{name}.npy", values)
    return {name: np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in table}


def as_records(table, tmp_path):
    records = np.zeros(len(table["t"]), dtype=[(n, v.dtype) for n, v in table.items()])
    for name, values in table.items():
        records[name] = values
    return records


SOURCES = {
    "a list of mappings": lambda table, path: pieces(table),
    "a function": lambda table, path: lambda: iter(pieces(table)),
    "an object with __iter__": lambda table, path: Again(pieces(table)),
    "pandas": as_frames, "polars": as_polars, "parquet": as_parquet, "arrow": as_arrow, "zarr": as_zarr,
    "hdf5": as_hdf5, "dask": as_dask_arrays, "memory maps": as_memory_maps, "records": as_records,
    "columns": lambda table, path: table,
}  # fmt: skip


@pytest.mark.parametrize("kind", SOURCES)
def test_data_from_anywhere_give_the_fit_of_all_rows(kind, tmp_path, here):
    source = SOURCES[kind](whole(), tmp_path)
    assert_same(mq.fit(MODEL, data=mq.blocks(source, rows=9_000), start=START), here)


def test_a_function_takes_its_columns_by_name_or_as_told(here):
    def decay(time, a, T, c):
        return a * np.exp(-time / T) + c

    fit = mq.fit(decay, "t", "y", data=mq.blocks(pieces(whole())), start=[1, 1, 1])
    assert_same(fit, here)


def test_start_values_are_found(here):
    assert_same(mq.fit(MODEL, data=mq.blocks(pieces(whole()))), here)


def test_the_result_does_not_depend_on_threads():
    fits = [
        mq.fit(MODEL, data=mq.blocks(pieces(whole())), start=START, options=mq.Options(threads=k))
        for k in (1, 2)
    ]
    assert fits[0].x.tobytes() == fits[1].x.tobytes()


@pytest.mark.parametrize("wanted", [{"sigma": "s"}, {"sigma": 0.1}, {"weights": "s"}])
def test_weights_are_columns_or_numbers(wanted):
    there = mq.fit(MODEL, data=mq.blocks(pieces(whole())), start=START, **wanted)
    given = {k: whole()["s"] if v == "s" else v for k, v in wanted.items()}
    assert_same(there, mq.fit(MODEL, data=whole(), start=START, **given))


def test_single_precision_is_not_converted_as_a_whole(here):
    table = {n: v.astype("f4") for n, v in whole().items()}
    plain = mq.fit(MODEL, data={n: v.astype(float) for n, v in table.items()}, start=START)
    assert_same(mq.fit(MODEL, data=mq.blocks(pieces(table)), start=START), plain)


def test_residuals_and_predictions_are_those_of_all_rows():
    table = whole()
    fit = mq.fit(MODEL, data=mq.blocks(pieces(table)), start=START)
    np.testing.assert_allclose(fit.residuals, fit.predict({"t": table["t"]}) - table["y"], atol=1e-12)
    np.testing.assert_array_equal(fit.observed, table["y"])
    assert fit.sample.residuals.size < N and "40000 points" in str(fit)


def test_rows_with_missing_values_are_named_by_row_and_block():
    tables = pieces(whole())
    before = sum(len(t["t"]) for t in tables[:3])
    tables[3] = {n: v.copy() for n, v in tables[3].items()}
    tables[3]["y"][56] = np.nan
    with pytest.raises(mq.DataError, match=rf"'y' is missing .* row {before + 56} \(row 56 of block 3\)"):
        mq.fit(MODEL, data=mq.blocks(tables), start=START)


def test_rows_with_missing_values_are_dropped_and_counted():
    table = whole()
    table["y"][[5, 20_000]] = np.nan
    fit = mq.fit(MODEL, data=mq.blocks(pieces(table)), start=START, missing="drop")
    keep = np.isfinite(table["y"])
    assert_same(fit, mq.fit(MODEL, data={n: v[keep] for n, v in table.items()}, start=START))
    assert fit.dropped == 2


def test_a_standard_deviation_of_zero_is_named():
    tables = pieces(whole())
    tables[2]["s"] = tables[2]["s"] * (np.arange(tables[2]["s"].size) != 9)
    row = sum(len(t["t"]) for t in tables[:2]) + 9
    with pytest.raises(mq.DataError, match=rf"sigma is 0 in row {row}: .* \(in block 2\)"):
        mq.fit(MODEL, data=mq.blocks(tables), start=START, sigma="s")


def test_blocks_that_change_between_passes_are_named():
    passes = []

    def tables():
        passes.append(len(passes))
        for k, table in enumerate(pieces(whole())):
            shorter = len(passes) > 2 and k == 4
            yield {n: v[: len(v) - 3] for n, v in table.items()} if shorter else table

    with pytest.raises(mq.DataError, match=r"block 4 holds \d+ rows now, \d+ when it was first read"):
        mq.fit(MODEL, data=mq.blocks(tables), start=START)


def test_blocks_that_are_gone_at_a_later_pass_are_named():
    passes = []

    def tables():
        passes.append(len(passes))
        yield from pieces(whole())[: 5 if len(passes) > 2 else 7]

    with pytest.raises(mq.DataError, match="there are 5 blocks now, 7 when they were first read"):
        mq.fit(MODEL, data=mq.blocks(tables), start=START)


def test_a_column_that_a_block_lacks_is_named():
    tables = pieces(whole())
    del tables[3]["y"]
    with pytest.raises(mq.DataError, match="block 3 has no column 'y'"):
        mq.fit(MODEL, data=mq.blocks(tables), start=START)


def test_columns_of_different_length_are_named():
    tables = pieces(whole())
    tables[1]["y"] = tables[1]["y"][:-1]
    with pytest.raises(mq.DataError, match="lengths differ in block 1: 'y' has 5713 values, 't' 5714"):
        mq.fit(MODEL, data=mq.blocks(tables), start=START)


def test_an_iterator_is_refused_as_it_can_be_read_once_only():
    with pytest.raises(mq.DataError, match=r"can be read once only.*give a function that makes it"):
        mq.blocks(iter(pieces(whole())))


def test_what_is_no_table_is_refused():
    with pytest.raises(mq.DataError, match="must be a table with named columns"):
        mq.fit(MODEL, data=mq.blocks([np.zeros(3)]), start=START)
    with pytest.raises(mq.DataError, match="a int is nothing that blocks can be read from"):
        mq.blocks(3)
    with pytest.raises(mq.FileError, match="there is no such file"):
        mq.blocks("nowhere.parquet")
    with pytest.raises(mq.FileError, match="is no Parquet file"):
        mq.blocks(__file__)
    with pytest.raises(mq.DataError, match="rows = 0"):
        mq.blocks([], rows=0)
    with pytest.raises(mq.DataError, match="there are no data"):
        mq.fit(MODEL, data=mq.blocks([]), start=START)


def test_an_error_of_the_source_is_the_callers_to_see():
    passes = []

    def tables():
        passes.append(0)
        yield pieces(whole())[0]
        if len(passes) > 2:
            raise OSError("the disk is gone")
        yield pieces(whole())[1]

    with pytest.raises(OSError, match="the disk is gone"):
        mq.fit(MODEL, data=mq.blocks(tables), start=START)


def test_models_that_mix_rows_are_refused_with_the_reason():
    def centered(t, a, b):
        return a + b * (t - t.mean())

    with pytest.raises(mq.ModelError, match="cannot be worked out row by row"):
        mq.fit(centered, y="y", data=mq.blocks(pieces(whole())), start=[1, 1])


def test_ctrl_c_during_a_pass_keeps_the_best_point():
    passes = []

    def tables():
        passes.append(0)
        for k, table in enumerate(pieces(whole())):
            if len(passes) == 5 and k == 3:
                signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
            yield table

    options = mq.Options(sample=None)
    fit = mq.fit(MODEL, data=mq.blocks(tables), start={"a": 30, "T": 9, "c": -5}, options=options)
    assert fit.status is mq.Status.INTERRUPTED and np.isfinite(fit.cost)


def test_no_reading_thread_is_left():
    mq.fit(MODEL, data=mq.blocks(pieces(whole())), start=START)
    threads = [t for t in threading.enumerate() if t.name == "marquardt-read-ahead"]
    for thread in threads:
        thread.join(timeout=2)
    assert not any(t.is_alive() for t in threads)


@pytest.mark.parametrize(
    "option", [{"family": "poisson"}, {"by": "junk"}, {"prior": {"a": (3, 1)}}, {"ridge": 1}]
)
def test_what_needs_all_rows_is_refused(option):
    with pytest.raises(mq.OptionError, match=f"{next(iter(option))}= needs all rows at once"):
        mq.fit(MODEL, data=mq.blocks(pieces(whole())), start=START, **option)


def test_a_table_with_columns_named_as_methods_of_blocks_is_a_table():
    pandas = pytest.importorskip("pandas")
    table = whole(50)
    frame = pandas.DataFrame({"open": table["t"], "head": table["y"], "y": table["y"]})
    assert mq.fit("y ~ a*exp(-open/T) + c", data=frame, start=[1, 1, 1]).n_points == 50
