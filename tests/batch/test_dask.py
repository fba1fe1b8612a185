"""Many fits, groups and one giant fit of data in dask, with a worker that is killed on the way."""

from __future__ import annotations

import os
import pickle
import signal
import threading
import time

import numpy as np
import pytest

pytest.importorskip("dask")

import dask
import dask.array as da

import marquardt as mq
from marquardt.batch import dask as md
from marquardt.batch.portable import portable

T = np.linspace(0, 4, 24)
START = {"a": 2, "b": 1, "c": 0.5}


def decay(t, a, b, c):
    return a * np.exp(-b * t) + c


def data(k: int) -> np.ndarray:
    rng = np.random.default_rng(5)
    a, b, c = (rng.uniform(*r, (k, 1)) for r in ((1, 3), (0.5, 2), (0, 1)))
    return decay(T, a, b, c) + 0.01 * rng.standard_normal((k, T.size))


def slowly(block: np.ndarray) -> np.ndarray:
    time.sleep(0.15)
    return block


def test_chunks_give_the_bits_of_the_whole():
    y = data(50).reshape(5, 10, -1)
    y[1, 1], y[2, 3, 4] = np.nan, np.nan
    found = dask.compute(
        md.fit_many(decay, T, da.from_array(y, chunks=(2, 4, 7)), start=START, covariance=True)
    )[0]
    many = mq.fit_many(decay, T, y, start=START, covariance=True)
    for name in "abc":
        np.testing.assert_array_equal(found[name], many.params[name])
        np.testing.assert_array_equal(found[f"{name}_stderr"], many.stderr[name])
    np.testing.assert_array_equal(found["covariance"], many.covariance)
    np.testing.assert_array_equal(found["status"], many.status)
    assert found["status"].dtype == np.int8 and found["points"][2, 3] == T.size - 1


def test_x_start_sigma_and_bounds_of_each_fit_are_cut_like_the_data():
    y = data(20)
    x, sigma, first = np.tile(T, (20, 1)), np.linspace(0.01, 0.02, 20), np.linspace(1, 2, 20)
    options = {"sigma": sigma, "bounds": {"b": (0.1, first + 5), "c": (None, 2.0)}}
    options["bounds"]["c"] = (-1.0, 2.0)
    lazy = md.fit_many(
        decay, da.from_array(x, chunks=(3, 5)), da.from_array(y, chunks=(6, 24)), **options,
        start={"a": da.from_array(first, chunks=4), "b": 1, "c": 0.5},
    )  # fmt: skip
    many = mq.fit_many(decay, x, y, start={"a": first, "b": 1, "c": 0.5}, **options)
    np.testing.assert_array_equal(lazy["a"].compute(), many.params["a"])
    np.testing.assert_array_equal(lazy["a_stderr"].compute(), many.stderr["a"])


def test_a_sent_model_is_its_expression_and_one_object_in_a_process():
    sent = portable(decay, (T,), {"a": (), "b": (), "c": ()}, np.ones(3), "decay")
    packed = pickle.dumps(sent.model)
    assert b"test_dask" not in packed and len(packed) < 1000
    assert pickle.loads(packed).formula() is sent.model.formula()
    values = sent.model.formula()(sent.columns, a=3.0, b=0.5, c=1.0)
    np.testing.assert_allclose(values, decay(T, 3, 0.5, 1), rtol=1e-15)


def test_tasks_do_not_hold_the_function_and_do_not_call_it():
    calls = []

    def model(t, a, b, c):
        calls.append(t)
        return decay(t, a, b, c)

    lazy = md.fit_many(model, T, da.from_array(data(20), chunks=(2, 24)), start=START)
    traced = len(calls)
    lazy["a"].compute()
    assert len(calls) == traced


def test_a_function_with_branches_is_refused_unless_it_may_be_pickled():
    def branchy(t, a, b):
        return a * t if a > 0.5 else b * t + a

    y = da.from_array(data(4), chunks=(2, 24))
    with pytest.raises(mq.ModelError, match="allow_pickle=True"):
        md.fit_many(branchy, T, y, start={"a": 2, "b": 1})
    found = md.fit_many(branchy, T, y, start={"a": 2, "b": 1}, allow_pickle=True)
    np.testing.assert_array_equal(
        found["a"].compute(), mq.fit_many(branchy, T, data(4), start={"a": 2, "b": 1}).params["a"]
    )


@pytest.mark.parametrize(
    ("x", "y", "told"),
    [
        (T, np.ones((3, 24)), "not a dask array"),
        (T, da.ones(24), "one dimension"),
        (T[:5], da.ones((3, 24)), "shapes do not fit"),
        (T, da.ones((3, 24), dtype=complex), "complex"),
    ],
)
def test_what_is_wrong_is_said_before_any_work(x, y, told):
    with pytest.raises(mq.DataError, match=told):
        md.fit_many(decay, x, y, start=START)


def test_progress_is_left_to_dask_and_a_checkpoint_is_refused():
    y = da.from_array(data(4), chunks=(2, 24))
    assert md.fit_many(decay, T, y, start=START, progress=False)["a"].compute().shape == (4,)
    with pytest.raises(mq.OptionError, match="one process"):
        md.fit_many(decay, T, y, start=START, checkpoint="fits.npz")


def test_groups_of_partitions_are_those_of_the_whole_table():
    pd, dd = pytest.importorskip("pandas"), pytest.importorskip("dask.dataframe")
    frame = pd.DataFrame({"t": np.tile(T, 30), "y": data(30).ravel(), "well": np.repeat(np.arange(30), 24)})
    mixed = frame.sample(frac=1, random_state=1)
    lazy = md.fit_groups(
        dd.from_pandas(mixed, npartitions=4, sort=False), "y ~ a*exp(-b*t) + c", "well", start=START
    )
    whole = mq.fit_groups(frame, "y ~ a*exp(-b*t) + c", by="well", start=START)
    found = lazy.compute().sort_values("well").reset_index(drop=True)
    assert list(lazy.columns) == list(whole.columns)
    np.testing.assert_allclose(found["a"], whole["a"], rtol=1e-6)
    assert found["status"].tolist() == whole["status"].tolist()


def giant(n: int = 40_000, parts: int = 8) -> dict[str, da.Array]:
    rng = np.random.default_rng(7)
    t = np.linspace(0, 10, n)
    y = 5 * np.exp(-t / 3) + 1 + 0.1 * rng.standard_normal(n)
    return {"t": da.from_array(t, chunks=n // parts), "y": da.from_array(y, chunks=n // parts)}


FORMULA, FIRST = "y ~ a*exp(-t/T) + c", {"a": 1, "T": 1, "c": 0}


def test_one_giant_fit_is_that_of_all_rows_together():
    table = giant()
    whole = mq.fit(FORMULA, data={n: c.compute() for n, c in table.items()}, start=FIRST)
    found = md.fit(FORMULA, data=table, start=FIRST)
    assert found.success and found.n_points == whole.n_points
    np.testing.assert_allclose(found.x, whole.x, rtol=1e-6)
    np.testing.assert_allclose(found.params["T"].stderr, whole.params["T"].stderr, rtol=1e-5)


def test_rows_with_missing_values_are_named_or_dropped_and_partitions_may_be_of_a_dataframe():
    pd, dd = pytest.importorskip("pandas"), pytest.importorskip("dask.dataframe")
    frame = pd.DataFrame({n: c.compute() for n, c in giant().items()}).assign(other="text")
    frame.loc[[3, 33_333], "y"] = np.nan
    parts = dd.from_pandas(frame, npartitions=5)
    with pytest.raises(mq.DataError, match="'y' is missing or not finite in row 3"):
        md.fit(FORMULA, data=parts, start=FIRST)
    found = md.fit(FORMULA, data=parts, start=FIRST, missing="drop")
    assert found.n_points == 39_998
    np.testing.assert_allclose(found.x, mq.fit(FORMULA, data=frame.dropna(), start=FIRST).x, rtol=1e-6)


def test_the_first_bad_row_is_named_whichever_partition_is_looked_at_first():
    order = []

    def seen(block, block_info=None):
        order.append(block_info[0]["chunk-location"][0])
        return block

    def from_the_last(graph, keys, **_):
        found = {id(key): dask.get(graph, key) for key in reversed(keys)}
        return [found[id(key)] for key in keys]

    table = giant()
    y = table["y"].compute()
    y[[12_345, 39_999]] = np.nan
    table["y"] = da.from_array(y, chunks=5000).map_blocks(seen, dtype=float, meta=np.empty(0))
    with (
        dask.config.set(scheduler=from_the_last),
        pytest.raises(mq.DataError, match=r"'y' is missing .* in row 12345 \(row 2345 of block 2\)"),
    ):
        md.fit(FORMULA, data=table, start=FIRST)
    assert order.index(7) < order.index(2)

    sigma = da.from_array(np.where(np.isnan(y), 0.0, 1.0), chunks=5000)
    with pytest.raises(mq.DataError, match=r"sigma is 0 in row 12345: .* \(in block 2\)"):
        md.fit(FORMULA, data=giant() | {"sigma": sigma}, start=FIRST, sigma="sigma")


def test_a_worker_killed_on_the_way_changes_no_bit():
    distributed = pytest.importorskip("distributed", reason="a cluster of two processes needs distributed")
    cube = da.from_array(data(600), chunks=(30, 24))
    table = giant()
    alone = dask.compute(md.fit_many(decay, T, cube, start=START), scheduler="sync")[0]
    with dask.config.set(scheduler="sync"):
        giant_alone = md.fit(FORMULA, data=table, start=FIRST)
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "dashboard_address": None}
    with distributed.LocalCluster(**options) as cluster, distributed.Client(cluster) as client:
        client.submit(md.fit_many, "a*t + b", {"t": T}, cube).result()  # both have imported
        pids = list(client.run(os.getpid).values())
        lazy = md.fit_many(decay, T, cube.map_blocks(slowly, dtype=float), start=START)
        future = client.compute(lazy)
        time.sleep(0.6)
        os.kill(pids[0], signal.SIGKILL)
        found = future.result(timeout=25)
        for name, values in alone.items():
            np.testing.assert_array_equal(found[name], values)

        client.wait_for_workers(2)
        slow = {n: c.map_blocks(slowly, dtype=float) for n, c in table.items()}
        victim = next(iter(client.run(os.getpid).values()))
        killer = threading.Timer(1.0, os.kill, (victim, signal.SIGKILL))
        killer.start()
        fit = md.fit(FORMULA, data=slow, start=FIRST)
        assert not killer.is_alive()
        np.testing.assert_array_equal(fit.x, giant_alone.x)
        assert victim not in client.run(os.getpid).values()
