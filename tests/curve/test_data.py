"""Data in the forms people have them, and the errors that name what is wrong with them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from marquardt.curve.columns import numbers
from marquardt.curve.data import Data, from_table, from_x, gather, plain_data
from marquardt.curve.fit import fit
from marquardt.curve.signature import signature_of
from marquardt.errors import DataError

X = np.array([1.0, 2.0, 3.0, 4.0])
Y = np.array([2.0, 4.1, 5.9, 8.2])


def gathered(x: Any, y: Any, sigma: Any = None, weights: Any = None, missing: str = "error") -> Data:
    return gather((x,), ("x",), y, "y", sigma, weights, None, missing)


@pytest.mark.parametrize(
    "values",
    [
        [1, 2, 3, 4],
        (1.0, 2.0, 3.0, 4.0),
        np.array([1, 2, 3, 4]),
        np.array([1, 2, 3, 4], dtype=">f4"),
        pd.Series([1.0, 2.0, 3.0, 4.0], index=[7, 5, 3, 1]),
        np.ma.masked_array([1.0, 2.0, 3.0, 4.0]),
        np.array([1, 2, 3, 4], dtype=object),
    ],
)
def test_every_form_of_numbers_becomes_the_same_array(values: Any) -> None:
    out = numbers(values, "x")
    assert out.dtype == np.float64
    assert np.array_equal(out, X)


@pytest.mark.parametrize(
    "values",
    [[1.0, None, 3.0], np.ma.masked_array([1.0, 2.0, 3.0], [0, 1, 0]), pd.array([1, None, 3], dtype="Int64")],
)
def test_missing_entries_become_nan(values: Any) -> None:
    assert np.array_equal(np.isnan(numbers(values, "x")), [False, True, False])


def test_text_names_column_row_and_value() -> None:
    with pytest.raises(DataError, match=r"'S' holds text in row 1: 'abc'"):
        numbers([1, "abc", 3], "S")


def test_dates_are_refused_with_what_to_do() -> None:
    with pytest.raises(DataError, match="dates"):
        numbers(pd.to_datetime(["2024-01-01"]), "t")


def test_ragged_rows_are_refused() -> None:
    with pytest.raises((DataError, ValueError)):
        numbers([[1, 2], [3]], "x")


def test_nan_names_row_and_column() -> None:
    with pytest.raises(DataError, match=r"'y' is missing or not finite in row 2"):
        gathered(X, [1, 2, np.nan, 4])


def test_the_first_bad_row_of_all_columns_is_named() -> None:
    x = np.array([1.0, np.nan, 3.0, 4.0])
    with pytest.raises(DataError, match=r"'x' is missing or not finite in row 1 \(2 rows in all\)"):
        gathered(x, [1, 2, np.inf, 4])


def test_missing_rows_are_dropped_and_counted_on_request() -> None:
    data = gathered(X, [1, np.nan, 3, np.nan], sigma=[1, 2, 3, 4], missing="drop")
    assert data.dropped == 2
    assert np.array_equal(data.arguments[0], [1, 3])
    assert data.w is not None and np.allclose(data.w, [1, 1 / 3])


def test_a_table_without_a_complete_row_is_refused() -> None:
    with pytest.raises(DataError, match="no row is left"):
        gathered(X, [np.nan] * 4, missing="drop")


def test_unknown_treatment_of_missing_rows_is_refused() -> None:
    with pytest.raises(DataError, match="missing='omit'"):
        gathered(X, Y, missing="omit")


def test_lengths_that_differ_are_named_with_both_numbers() -> None:
    with pytest.raises(DataError, match="'x' has 4 values, 'y' has 3"):
        gathered(X, Y[:3])
    with pytest.raises(DataError, match="sigma has shape"):
        gathered(X, Y, sigma=[1, 2])


def test_empty_data_are_refused() -> None:
    with pytest.raises(DataError, match="no data"):
        gathered([], [])
    with pytest.raises(DataError, match="no data"):  # the short way of clean arrays looks, too
        fit(lambda x, a, b: a * x + b, np.zeros(0), np.zeros(0), start=[1, 1])


@pytest.mark.parametrize("sigma", [[1, 0, 1, 1], [1, -2, 1, 1]])
def test_a_sigma_that_is_not_positive_names_its_row(sigma: list[float]) -> None:
    with pytest.raises(DataError, match=r"sigma is .* in row 1"):
        gathered(X, Y, sigma=sigma)


def test_weights_multiply_the_squared_residual() -> None:
    data = gathered(X, Y, weights=[4, 1, 0, 9])
    assert data.w is not None and np.array_equal(data.w, [2, 1, 0, 3])
    assert data.n_points == 3


def test_negative_weights_and_only_zero_weights_are_refused() -> None:
    with pytest.raises(DataError, match="weights is -1 in row 0"):
        gathered(X, Y, weights=[-1, 1, 1, 1])
    with pytest.raises(DataError, match="all weights are zero"):
        gathered(X, Y, weights=np.zeros(4))


def test_sigma_and_weights_together_are_refused() -> None:
    with pytest.raises(DataError, match="not both"):
        gathered(X, Y, sigma=1.0, weights=1.0)


def test_a_matrix_of_weights_is_refused() -> None:
    with pytest.raises(DataError, match=r"weights is a matrix of shape \(4, 4\): for a covariance matrix"):
        gathered(X, Y, weights=np.eye(4))


def test_missing_values_of_a_grid_get_weight_zero() -> None:
    y = np.arange(6.0).reshape(2, 3)
    y[1, 1] = np.nan
    data = gather((), (), y, "y", None, None, None, "drop")
    assert data.dropped == 1 and data.n_points == 5 and np.isfinite(data.y).all()


def test_complex_responses_count_both_parts() -> None:
    data = gathered(X, Y + 1j)
    y, _ = data.flat()
    assert data.n_points == 8 and np.array_equal(y[4:], np.ones(4))


def test_clean_arrays_take_the_short_way_and_others_do_not() -> None:
    assert plain_data(X, Y) is not None
    assert plain_data(X, [1, 2, 3, 4]) is None
    assert plain_data(X, np.array([1, 2, np.nan, 4])) is None
    assert plain_data(X, Y[:3]) is None


# -------------------------------------------------------------------------- which values go to which argument


def plane(x: Any, y: Any, a: Any, b: Any, c: Any) -> Any:
    return a * x + b * y + c


def packed_plane(xy: Any, a: Any, b: Any, c: Any) -> Any:
    x, y = xy
    return a * x + b * y + c


def test_a_tuple_gives_one_array_per_argument() -> None:
    names, values = from_x(signature_of(plane), (X, Y), 4, frozenset(), None)
    assert names == ("x", "y") and values[1] is Y


def test_a_tuple_goes_whole_to_a_function_that_unpacks_it() -> None:
    names, values = from_x(signature_of(packed_plane), (X, Y), 4, frozenset(), None)
    assert names == ("xy",) and len(values[0]) == 2


def test_rows_of_an_array_are_treated_like_a_tuple() -> None:
    both = np.array([X, Y])
    assert from_x(signature_of(packed_plane), both, 4, frozenset(), None)[0] == ("xy",)
    assert from_x(signature_of(plane), both, 4, frozenset(), None)[0] == ("x", "y")


def test_the_number_of_start_values_decides_how_a_tuple_is_given() -> None:
    signature = signature_of(packed_plane)
    assert from_x(signature, (X, Y), 4, frozenset(), 3)[0] == ("xy",)
    assert from_x(signature_of(plane), (X, Y), 4, frozenset(), 3)[0] == ("x", "y")


def test_a_table_is_matched_by_name_whatever_its_order() -> None:
    table = pd.DataFrame({"y": Y, "other": X, "x": X})
    names, values = from_x(signature_of(plane), table, 4, frozenset(), None)
    assert names == ("x", "y") and np.array_equal(values[0], X)


def test_columns_are_found_by_the_names_of_arguments() -> None:
    table = {"S": X, "v": Y}
    names, _ = from_table(
        signature_of(lambda S, Vmax, Km: Vmax * S / (Km + S)), table, None, "v", frozenset()
    )
    assert names == ("S",)


def test_structured_arrays_and_named_columns_work() -> None:
    table = np.array([(1.0, 2.0), (2.0, 4.0)], dtype=[("t", float), ("v", float)])
    names, values = from_table(signature_of(lambda x, a: a * x), table, "t", "v", frozenset())
    assert names == ("x",) and np.array_equal(values[0], [1, 2])


def test_arguments_that_match_no_column_list_both() -> None:
    with pytest.raises(DataError, match=r"arguments: x, a; columns: S, v"):
        from_table(signature_of(lambda x, a: a * x), {"S": X, "v": Y}, None, "v", frozenset())


def test_a_misspelt_column_is_suggested() -> None:
    with pytest.raises(DataError, match="did you mean 'time'"):
        from_table(signature_of(lambda x, a: a * x), {"time": X, "v": Y}, "tme", "v", frozenset())


def test_a_variable_called_y_is_not_the_response():
    row, column = np.indices((5, 6), dtype=float)
    z = 3 * np.exp(-0.2 * column) + 0.5 * row
    found = fit("a*exp(-b*x) + c*y", {"x": column.ravel(), "y": row.ravel()}, z.ravel(), start={"b": 0.1})
    np.testing.assert_allclose(found.x, [3.0, 0.2, 0.5], rtol=1e-6)
