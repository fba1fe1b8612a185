"""Separate fits of the groups of one table."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import marquardt as mq
from marquardt.errors import DataError, FormulaError, OptionError, ParameterError, Status
from marquardt.problem import model as models

X = np.tile(np.linspace(0.2, 8.0, 12), 3)
PLATE = np.repeat(["A", "B", "C"], 12)
TRUE = {"A": (100.0, 1.0), "B": (200.0, 2.0), "C": (50.0, 0.5)}
Y = np.array([TRUE[p][0] * s / (TRUE[p][1] + s) for p, s in zip(PLATE, X, strict=True)])
Y = Y + np.random.default_rng(5).normal(size=Y.size)
TABLE = {"S": X, "v": Y, "plate": PLATE}
START = {"Vmax": 100, "Km": 1}


def michaelis(S, Vmax, Km):
    return Vmax * S / (Km + S)


def test_each_group_is_fitted_as_if_it_were_alone():
    table = mq.fit(michaelis, data=TABLE, y="v", by="plate", start=START)
    assert list(table) == ["A", "B", "C"] and table.success and len(table) == 3
    for label in "ABC":
        rows = label == PLATE
        alone = mq.fit(michaelis, X[rows], Y[rows], start=START)
        np.testing.assert_array_equal(table[label].x, alone.x)
        np.testing.assert_array_equal(table[label].covariance, alone.covariance)


def test_a_formula_and_rows_in_any_order_give_the_same():
    order = np.random.default_rng(1).permutation(X.size)
    mixed = {"S": X[order], "v": Y[order], "plate": PLATE[order]}
    table = mq.fit("v ~ Vmax*S/(Km + S)", data=mixed, by="plate")
    for label, (vmax, km) in TRUE.items():
        np.testing.assert_allclose(table[label].x, [vmax, km], rtol=0.1)


def test_several_columns_make_tuples_and_levels_of_the_index():
    table = mq.fit(michaelis, data=TABLE | {"day": np.tile([1, 2], 18)}, y="v", by=["plate", "day"])
    assert list(table)[:2] == [("A", 1), ("A", 2)]
    frame = table.to_pandas()
    assert frame.index.names == ["plate", "day"]
    assert frame.loc[("B", 2), "Km"] == table["B", 2].params["Km"].value


def test_labels_may_be_an_array_beside_plain_data():
    table = mq.fit(michaelis, X, Y, by=PLATE, start=START)
    assert table.name == "group" and set(table) == set("ABC")


def test_a_group_that_fails_keeps_its_error_and_does_not_stop_the_others():
    y = Y.copy()
    y[14] = np.nan
    table = mq.fit(michaelis, data=TABLE | {"v": y}, y="v", by="plate", start=START)
    assert set(table) == {"A", "C"} and not table.success
    assert "row 14" in str(table.errors["B"])
    with pytest.raises(KeyError, match=r"group 'B' has no fit: row 14"):
        table["B"]
    assert "DataError" in str(table) and "2 converged, 1 error" in str(table)
    assert table.to_pandas().loc["B", "error"] == str(table.errors["B"])


def test_rows_with_missing_values_are_dropped_and_counted_by_group():
    y = Y.copy()
    y[[14, 15]] = np.nan
    table = mq.fit(michaelis, data=TABLE | {"v": y}, y="v", by="plate", missing="drop")
    assert [table[k].dropped for k in "ABC"] == [0, 2, 0]
    assert table["B"].rows.tolist() == [12, 13, *range(16, 24)]


def test_sigma_and_weights_go_with_their_rows():
    sigma = np.linspace(0.5, 2.0, X.size)
    table = mq.fit(michaelis, data=TABLE, y="v", by="plate", sigma=sigma, start=START)
    rows = PLATE == "B"
    alone = mq.fit(michaelis, X[rows], Y[rows], sigma=sigma[rows], start=START)
    np.testing.assert_array_equal(table["B"].covariance, alone.covariance)


def test_counts_take_the_trials_of_their_rows():
    n = np.repeat([10.0, 20.0], 10)
    dose = np.tile(np.linspace(-2, 2, 10), 2)
    k = np.rint(n / (1 + np.exp(-(0.3 + 1.5 * dose))))
    table = mq.fit(
        "k ~ 1/(1 + exp(-(a + b*x)))", data={"x": dose, "k": k, "n": n}, by=n, family="binomial",
        trials="n", start={"a": 0, "b": 1},
    )  # fmt: skip
    half = slice(10, 20)
    alone = mq.fit(
        "k ~ 1/(1 + exp(-(a + b*x)))", data={"x": dose[half], "k": k[half]}, family="binomial", trials=20,
        start={"a": 0, "b": 1},
    )  # fmt: skip
    np.testing.assert_allclose(table[20.0].x, alone.x, rtol=1e-10)


def test_starts_may_be_given_group_by_group():
    start = {"Vmax": {"A": 90, "B": 190, "C": 40}, "Km": 1}
    table = mq.fit(michaelis, data=TABLE, y="v", by="plate", start=start)
    assert table["B"].params["Vmax"].start == 190
    with pytest.raises(ParameterError, match=r"'Vmax' has a group 'D'"):
        mq.fit(michaelis, data=TABLE, y="v", by="plate", start={"Vmax": {"D": 90}, "Km": 1})


def test_a_function_is_traced_once_for_groups_of_any_length(monkeypatch):
    calls = []
    traced = models.trace
    monkeypatch.setattr(models, "trace", lambda *a, **k: calls.append(1) or traced(*a, **k))

    def decay(x, a, b):
        return a * np.exp(-b * x)

    label = np.repeat([1, 2, 3], [5, 7, 9])
    x = np.linspace(0, 3, 21)
    table = mq.fit(decay, x, decay(x, 2.0, 0.7), by=label, start={"a": 1, "b": 1})
    assert table.success and len(calls) == 1
    assert all(f.derivative == "exact (traced)" for f in table.values())


def test_a_function_of_the_length_of_its_data_is_traced_anew():
    def mean(x, a):
        return a * x / len(x)

    x = np.linspace(1, 3, 12)
    label = np.repeat([1, 2], [5, 7])
    table = mq.fit(mean, x, x, by=label, start={"a": 1})
    np.testing.assert_allclose([table[1].x[0], table[2].x[0]], [5.0, 7.0])


def test_an_interruption_keeps_what_is_done():
    def stop(progress):
        stop.calls += 1
        return stop.calls > 12

    stop.calls = 0
    table = mq.fit(michaelis, data=TABLE, y="v", by="plate", start=START, callback=stop)
    assert (table.interrupted and 0 < len(table) < 3) or table["C"].status is Status.INTERRUPTED
    for label in table.left:
        assert table.status(label) == "not reached"


def test_what_is_wrong_with_labels_is_said():
    with pytest.raises(DataError, match=r"no column 'plat'; did you mean 'plate'"):
        mq.fit(michaelis, data=TABLE, y="v", by="plat")
    with pytest.raises(DataError, match=r"by has 3 labels where the data have 36 rows"):
        mq.fit(michaelis, X, Y, by=[1, 2, 3])
    with pytest.raises(DataError, match=r"no table was given"):
        mq.fit(michaelis, X, Y, by="plate")
    labels = PLATE.astype(object)
    labels[7] = None
    with pytest.raises(DataError, match=r"row 7 has no label"):
        mq.fit(michaelis, X, Y, by=labels)
    with pytest.raises(OptionError, match=r"one by one"):
        mq.fit(michaelis, X, Y, by=PLATE, group=PLATE, shared=["Km"])
    with pytest.raises(FormulaError):
        mq.fit("v ~ Vmax*S/(Km + S", data=TABLE, by="plate")


def test_the_table_is_shown_as_text_html_frame_record_and_picture():
    table = mq.fit(michaelis, data=pd.DataFrame(TABLE), y="v", by="plate", start=START)
    assert str(table).splitlines()[0] == "3 groups by plate: 3 converged"
    assert table._repr_html_().count("<tr>") == 4
    frame = table.to_pandas()
    np.testing.assert_allclose(frame["Km stderr"], [table[k].params["Km"].stderr for k in "ABC"])
    record = table.to_dict()
    assert [g["group"] for g in record["groups"]] == ["A", "B", "C"]
    assert len(table.plot().axes) == 3
