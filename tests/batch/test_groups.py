"""A table of estimates, one row per group, in the kind of table that came."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import marquardt as mq
from marquardt.batch.buckets import GROWTH, LEAST, blocks
from marquardt.datasets import simulate
from marquardt.errors import DataError, OptionError, ParameterError

FORMULA = "y ~ a*exp(-t/tau) + b"
N = 30
MADE = simulate.decays(N, seed=2)
KEEP = np.random.default_rng(0).random(MADE.y.shape) > 0.3
G = np.repeat(np.arange(N), 32).reshape(N, 32)[KEEP]
TABLE = {
    "plate": np.array(["P", "Q", "R"])[G // 10],
    "well": G % 10,
    "t": np.tile(MADE.x, (N, 1))[KEEP],
    "y": MADE.y[KEEP],
    "noise": np.where(G % 2, 2.0, 3.0),
}
BY = ["plate", "well"]
KINDS = {
    "dict": dict,
    "pandas": pd.DataFrame,
    "polars": pl.DataFrame,
    "pyarrow": pa.table,
    "batch": pa.RecordBatch.from_pydict,
    "structured": lambda table: pd.DataFrame(table).to_records(index=False, column_dtypes={"plate": "U1"}),
}


def decay(t, a, tau, b):
    return a * np.exp(-t / tau) + b


def column(table, name):
    values = table[name]
    return np.asarray(values)


@given(st.lists(st.integers(0, 200), min_size=1, max_size=60))
def test_blocks_hold_every_row_once_and_pad_little(counts):
    counts = np.array(counts, dtype=np.intp)
    rows = np.random.default_rng(1).permutation(int(counts.sum())).astype(np.intp)
    parts = np.split(rows, np.cumsum(counts)[:-1])
    seen = []
    for block in blocks(rows, counts):
        mask = np.ones(block.rows.shape, dtype=bool) if block.mask is None else block.mask
        for g, row, counted in zip(block.groups, block.rows, mask, strict=True):
            assert row[counted].tolist() == parts[g].tolist()
            assert set(row[~counted]) <= {parts[g][0]}
        shortest = counts[block.groups].min()
        assert block.rows.shape[1] <= max(GROWTH * shortest, shortest + LEAST)
        seen += block.groups.tolist()
    assert sorted(seen) == np.flatnonzero(counts).tolist()


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_table_gives_its_kind_with_the_same_numbers(kind):
    table = KINDS[kind](TABLE)
    found = mq.fit_groups(table, FORMULA, BY, start=MADE.start)
    expected = {"batch": pa.Table, "structured": dict}.get(kind, type(table))
    assert isinstance(found, expected)
    plain = mq.fit_groups(TABLE, FORMULA, BY, start=MADE.start)
    for name in plain:
        assert np.array_equal(column(found, name).astype(plain[name].dtype), plain[name]), name


def test_estimates_errors_and_ends_are_those_of_separate_fits():
    found = mq.fit_groups(TABLE, FORMULA, BY, start=MADE.start)
    alone = mq.fit(FORMULA, data=TABLE, by=BY, start=MADE.start)
    assert list(zip(found["plate"], found["well"], strict=True)) == list(alone.labels)
    for k, fit in enumerate(alone.values()):
        assert found["status"][k] == "converged" and found["points"][k] == fit.n_points
        assert np.isclose(found["reduced_chi2"][k], fit.reduced_chi2, rtol=1e-6)
        for name, p in fit.params.items():
            assert abs(found[name][k] - p.value) < 1e-3 * p.stderr
            assert np.isclose(found[f"{name} stderr"][k], p.stderr, rtol=1e-3)


def test_rows_in_any_order_give_the_same_groups_in_the_order_in_which_they_appear():
    order = np.random.default_rng(3).permutation(G.size)
    mixed = mq.fit_groups({k: v[order] for k, v in TABLE.items()}, FORMULA, BY, start=MADE.start)
    straight = pd.DataFrame(mq.fit_groups(TABLE, FORMULA, BY, start=MADE.start))
    labels = list(dict.fromkeys(zip(TABLE["plate"][order], TABLE["well"][order], strict=True)))
    assert list(zip(mixed["plate"], mixed["well"], strict=True)) == labels
    again = pd.DataFrame(mixed).sort_values(BY).reset_index(drop=True)
    np.testing.assert_allclose(again["a"], straight["a"], rtol=1e-6)


def test_a_function_takes_its_arguments_from_columns():
    by_name = mq.fit_groups(TABLE, decay, BY, y="y", start=MADE.start)
    by_formula = mq.fit_groups(TABLE, FORMULA, BY, start=MADE.start)
    np.testing.assert_allclose(by_name["tau"], by_formula["tau"], rtol=1e-7)
    renamed = {k if k != "t" else "time": v for k, v in TABLE.items()}
    chosen = mq.fit_groups(renamed, decay, BY, x="time", y="y", start=MADE.start)
    np.testing.assert_array_equal(chosen["tau"], by_name["tau"])


def test_the_response_may_have_any_name_and_be_an_expression():
    table = {k if k != "y" else "v": v for k, v in TABLE.items()} | {"factor": np.full(G.size, 2.0)}
    found = mq.fit_groups(table, "v*factor ~ a*exp(-t/tau) + b", BY, start=MADE.start)
    np.testing.assert_allclose(found["a"], 2 * mq.fit_groups(TABLE, FORMULA, BY)["a"], rtol=1e-4)


def test_without_start_each_group_finds_its_own():
    found = mq.fit_groups(TABLE, FORMULA, BY)
    known = mq.fit_groups(TABLE, FORMULA, BY, start=MADE.start)
    np.testing.assert_allclose(found["a"], known["a"], rtol=1e-4)


def test_sigma_and_weights_are_columns_and_sigma_is_known():
    known = mq.fit_groups(TABLE, FORMULA, BY, start=MADE.start, sigma="noise")
    weighed = mq.fit_groups(TABLE | {"w": TABLE["noise"] ** -2}, FORMULA, BY, start=MADE.start, weights="w")
    alone = mq.fit(FORMULA, data=TABLE, by=BY, start=MADE.start, sigma="noise")
    np.testing.assert_allclose(known["a"], weighed["a"], rtol=1e-6)
    np.testing.assert_allclose(known["a stderr"], [f.params["a"].stderr for f in alone.values()], rtol=1e-3)
    np.testing.assert_allclose(
        weighed["a stderr"], known["a stderr"] * np.sqrt(weighed["reduced_chi2"]), rtol=1e-6
    )


def test_starts_and_fixed_values_may_be_told_group_by_group_or_by_an_earlier_table():
    first = mq.fit_groups(TABLE, FORMULA, "plate", start=MADE.start)
    own = {"P": 100.0, "Q": 90.0, "R": 110.0}
    told = mq.fit_groups(TABLE, FORMULA, "plate", start=dict(MADE.start) | {"a": own})
    again = mq.fit_groups(pl.DataFrame(TABLE), FORMULA, "plate", start=pd.DataFrame(first)[::-1])
    np.testing.assert_allclose(told["tau"], first["tau"], rtol=1e-4)
    np.testing.assert_allclose(again["tau"], first["tau"], rtol=1e-4)
    held = {"P": 1.0, "Q": 2.0, "R": 3.0}
    fixed = mq.fit_groups(TABLE, FORMULA, "plate", start={"a": 100, "tau": 2}, fixed={"b": held})
    assert fixed["b"].tolist() == [1.0, 2.0, 3.0] and (fixed["b stderr"] == 0).all()
    rows = TABLE["plate"] == "Q"
    alone = mq.fit(
        FORMULA, data={k: v[rows] for k, v in TABLE.items()}, start={"a": 100, "tau": 2}, fixed={"b": 2.0}
    )
    assert np.isclose(fixed["tau"][1], alone.params["tau"].value, rtol=1e-6)


def test_bounds_hold_in_every_group_and_a_fit_at_one_says_so():
    found = mq.fit_groups(TABLE, FORMULA, BY, start=dict(MADE.start) | {"b": 20}, bounds={"b": (15, None)})
    assert (found["b"] >= 15.0).all()
    assert set(found["status"]) == {"converged", "converged at bound"}


def test_missing_values_leave_their_rows_out_and_empty_groups_say_so():
    y = TABLE["y"].copy()
    y[G == 4] = np.nan
    y[np.flatnonzero(G == 5)[2:]] = np.nan
    y[np.flatnonzero(G == 6)[0]] = np.nan
    found = mq.fit_groups(TABLE | {"y": y}, FORMULA, BY, start=MADE.start)
    full = mq.fit_groups(TABLE, FORMULA, BY, start=MADE.start)
    assert found["status"][4] == "no points" and found["points"][4] == 0
    assert found["status"][5] == "too few points" and np.isnan(found["a"][5])
    assert found["points"][6] == full["points"][6] - 1 and found["status"][6] == "converged"
    rest = [k for k in range(N) if k not in (4, 5, 6)]
    np.testing.assert_array_equal(found["a"][rest], full["a"][rest])
    with pytest.raises(DataError, match=f"'y' is missing or not finite in row {np.argmax(G == 4)}"):
        mq.fit_groups(TABLE | {"y": y}, FORMULA, BY, missing="error")


def test_labels_keep_their_type_and_may_be_an_array():
    frame = pd.DataFrame(TABLE).astype({"plate": "category", "well": "Int8"})
    frame["day"] = pd.Timestamp("2024-05-01") + pd.to_timedelta(frame["well"].astype(int), "D")
    frame.index = frame.index[::-1]
    found = mq.fit_groups(frame, FORMULA, [*BY, "day"], start=MADE.start)
    assert [str(found[name].dtype) for name in BY] == ["category", "Int8"]
    assert found["day"].iloc[3] == pd.Timestamp("2024-05-04")
    by_array = mq.fit_groups(TABLE, FORMULA, G, start=MADE.start)
    assert by_array["group"].tolist() == list(range(N))
    assert mq.fit_groups(frame, FORMULA, G, start=MADE.start)["group"].tolist() == list(range(N))


def test_counts_are_fitted_by_their_likelihood():
    rng = np.random.default_rng(4)
    counts = TABLE | {"y": rng.poisson(np.maximum(TABLE["y"], 0.0))}
    found = mq.fit_groups(counts, FORMULA, "plate", start=MADE.start, family="poisson")
    alone = mq.fit(FORMULA, data=counts, by="plate", start=MADE.start, family="poisson")
    np.testing.assert_allclose(found["tau"], [f.params["tau"].value for f in alone.values()], rtol=1e-5)
    np.testing.assert_allclose(
        found["tau stderr"], [f.params["tau"].stderr for f in alone.values()], rtol=1e-3
    )


def test_a_group_without_a_start_finds_its_own():
    first = mq.fit_groups(TABLE, FORMULA, "plate", start=MADE.start)
    for start in (
        {"a": {"P": 100.0}, "tau": 2.0, "b": {"Q": 9.0}},
        {"plate": ["P", "Q"], "a": [100.0, np.nan], "tau": [2.0, 2.0], "b": [9.0, 9.0]},
    ):
        found = mq.fit_groups(TABLE, FORMULA, "plate", start=start)
        np.testing.assert_allclose(found["tau"], first["tau"], rtol=1e-4)


def test_proportions_have_their_trials_in_a_column():
    rng = np.random.default_rng(5)
    dose = np.tile(np.linspace(-2, 2, 9), 3)
    n = rng.integers(20, 60, dose.size)
    table = {
        "x": dose,
        "k": rng.binomial(n, 1 / (1 + np.exp(-1.5 * dose))),
        "n": n,
        "drug": np.repeat([1, 2, 3], 9),
    }
    formula, start = "k ~ 1/(1 + exp(-s*(x - m)))", {"s": 1, "m": 0}
    options = {"by": "drug", "start": start, "family": "binomial", "trials": "n"}
    found = mq.fit_groups(table, formula, **options)
    alone = mq.fit(formula, data=table, **options)
    np.testing.assert_allclose(found["m"], [f.params["m"].value for f in alone.values()], atol=1e-5)
    np.testing.assert_allclose(found["s stderr"], [f.params["s"].stderr for f in alone.values()], rtol=1e-3)


def test_an_interruption_leaves_the_rest_not_done():
    found = mq.fit_groups(TABLE, FORMULA, BY, start=MADE.start, progress=lambda progress: True)
    ends = set(found["status"])
    assert "not done" in ends and "converged" in ends
    assert (np.isfinite(found["a"]) == (found["status"] == "converged")).all()


def test_a_run_goes_on_where_it_ended(tmp_path):
    options = {"by": BY, "start": MADE.start, "checkpoint": tmp_path / "run"}
    part = mq.fit_groups(TABLE, FORMULA, **options, progress=lambda progress: True)
    assert "not done" in part["status"]
    found = mq.fit_groups(TABLE, FORMULA, **options)
    whole = mq.fit_groups(TABLE, FORMULA, BY, start=MADE.start)
    for name, values in whole.items():
        np.testing.assert_array_equal(found[name], values)
    files = sorted(path.name for path in (tmp_path / "run").iterdir())
    assert len(files) > 1 and all(name.endswith("-rows.npz") for name in files)
    calls = []
    mq.fit_groups(TABLE, FORMULA, **options, progress=calls.append)
    assert not calls  # nothing was left to do


def test_a_checkpoint_of_other_groups_is_refused(tmp_path):
    mq.fit_groups(TABLE, FORMULA, BY, start=MADE.start, checkpoint=tmp_path / "run")
    other = TABLE | {"y": TABLE["y"] + 1}
    with pytest.raises(mq.FileError, match="is of another run, with other data"):
        mq.fit_groups(other, FORMULA, BY, start=MADE.start, checkpoint=tmp_path / "run")
    (tmp_path / "file").write_text("")
    with pytest.raises(mq.FileError, match="cannot be made a folder: it is a file"):
        mq.fit_groups(TABLE, FORMULA, BY, start=MADE.start, checkpoint=tmp_path / "file")


WRONG = [
    ({"by": "plat"}, DataError, r"by: the data have no column 'plat'; did you mean 'plate'\?"),
    ({"model": "z ~ a*exp(-t/tau)"}, mq.FormulaError, "`z` is not a column"),
    ({"start": {"a": {"P": 1, "Q": 2, "S": 3}}}, ParameterError, "start: 'a' has a group 'S'"),
    ({"fixed": {"b": {"P": 1, "Q": 2}}}, ParameterError, "fixed: 'b' is not finite in fit 2"),
    ({"start": {"plate": ["P", "P"], "a": [1, 2]}}, ParameterError, "more than one row of a group, by plate"),
    ({"start": {"plate": ["P", "Q", "R"], "q": [1, 2, 3]}}, ParameterError, "no column of a parameter"),
    ({"start": {"c": 1.0}}, ParameterError, "'c'"),
    ({"bounds": {"c": (0, 1)}}, ParameterError, "'c'"),
    ({"sigma": "0.05*mu"}, OptionError, r"follow the prediction need fit\(..., by=\)"),
    ({"sigma": np.eye(G.size) + 0.1}, OptionError, r"covariance matrix cannot be had with fit_groups"),
    ({"data": [1, 2]}, DataError, "a table is needed: pandas, polars, pyarrow or a mapping"),
    ({"data": pl.DataFrame(TABLE).lazy()}, DataError, r"give lazy.collect\(\)"),
    ({"ties": {"b": "a/10"}}, OptionError, r"fit_groups\(\) has no ties=: write what is tied into the model"),
    ({"model": "y ~ status*t"}, DataError, "'status' is the name of a column of the result"),
]


@pytest.mark.parametrize(("change", "error", "words"), WRONG)
def test_what_is_wrong_is_named_before_any_work(change, error, words):
    given = {"data": TABLE, "model": FORMULA, "by": "plate"} | change
    with pytest.raises(error, match=words):
        mq.fit_groups(**given)
