"""Which rows belong to which group."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from marquardt.curve.partition import is_missing, partition
from marquardt.errors import DataError

LABELS = st.lists(
    st.one_of(st.integers(0, 3), st.sampled_from(["a", "b", ""]), st.none(), st.just(float("nan"))),
    min_size=1,
)


def by_hand(labels: list[object]) -> dict[object, list[int]]:
    rows: dict[object, list[int]] = {}
    for row, label in enumerate(labels):
        if not is_missing(label):
            rows.setdefault(label, []).append(row)
    return rows


@given(LABELS, LABELS)
def test_rows_of_each_group_are_those_of_a_dictionary_of_lists(one, two):
    n = min(len(one), len(two))
    column, other = np.empty(n, dtype=object), np.empty(n, dtype=object)
    column[:], other[:] = one[:n], two[:n]
    for labels, by in ((one[:n], "p"), (list(zip(one[:n], two[:n], strict=True)), ["p", "q"])):
        expected = by_hand(labels)
        if not expected:
            with pytest.raises(DataError, match="no row has a label"):
                partition(by, {"p": column, "q": other}, n, "by", "drop")
            continue
        found = partition(by, {"p": column, "q": other}, n, "by", "drop")
        assert found.labels == list(expected)
        assert [rows.tolist() for rows in found.rows()] == list(expected.values())
        assert found.first.tolist() == [rows[0] for rows in expected.values()]


@pytest.mark.parametrize(
    "column",
    [
        np.array([2, 2, 1, 2]),
        np.array([2.0, 2.0, 1.0, 2.0]),
        np.array(["y", "y", "x", "y"]),
        pd.Series(["y", "y", "x", "y"], dtype="category"),
        pd.Series([2, 2, 1, 2], dtype="Int64"),
        pd.Series(["y", "y", "x", "y"], dtype="string"),
        pd.to_datetime(pd.Series([2, 2, 1, 2], dtype="int64")),
    ],
    ids=lambda c: str(c.dtype),
)
def test_labels_of_every_type_are_told_apart(column):
    assert [rows.tolist() for rows in partition(column, None, 4, "by", "error").rows()] == [[0, 1, 3], [2]]


def test_a_row_without_label_is_named_or_left_out():
    column = pd.Series([1, None, 1], dtype="Int64")
    with pytest.raises(DataError, match="by: row 1 has no label"):
        partition(column, None, 3, "by", "error")
    assert partition(column, None, 3, "by", "drop").code.tolist() == [0, -1, 0]
