"""What is known of the errors: vectors, columns, formulas of columns, and the rows they are wrong in."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import marquardt as mq
from marquardt.errors import DataError

RNG = np.random.default_rng(5)
T = np.linspace(0.0, 4.0, 12)
Y = 3.0 * np.exp(-0.7 * T) + 0.5 + 0.05 * RNG.standard_normal(12)
SIGMA = np.linspace(0.04, 0.06, 12)
START = {"a": 2.0, "b": 1.0, "c": 0.0}


def decay(t: Any, a: float, b: float, c: float) -> Any:
    return a * np.exp(-b * t) + c


def changed(row: int, value: float) -> Any:
    sigma = SIGMA.copy()
    sigma[row] = value
    return sigma


def test_sigma_may_be_a_column_of_a_data_frame() -> None:
    table = pd.DataFrame({"t": T, "y": Y, "err": SIGMA})
    by_name = mq.fit("y ~ a*exp(-b*t) + c", data=table, start=START, sigma="err")
    assert np.array_equal(by_name.x, mq.fit(decay, T, Y, start=START, sigma=SIGMA).x)
    assert by_name.chi2 is not None


def test_sigma_may_be_a_formula_of_columns() -> None:
    table = {"t": T, "y": Y, "err": SIGMA}
    by_formula = mq.fit("y ~ a*exp(-b*t) + c", data=table, start=START, sigma="2*err + 0.1*t^2")
    by_value = mq.fit(decay, T, Y, start=START, sigma=2 * SIGMA + 0.1 * T**2)
    assert np.allclose(by_formula.x, by_value.x, rtol=1e-12) and by_formula.reweighting is None


def test_sigma_of_an_array_fit_may_name_the_independent_variable() -> None:
    by_formula = mq.fit(decay, T, Y, start=START, sigma="0.1 + 0.01*t")
    assert np.allclose(by_formula.x, mq.fit(decay, T, Y, start=START, sigma=0.1 + 0.01 * T).x, rtol=1e-12)


@pytest.mark.parametrize(("value", "said"), [(0.0, "0"), (-0.1, "-0.1")])
def test_a_sigma_that_is_not_positive_names_its_row(value: float, said: str) -> None:
    with pytest.raises(DataError, match=f"sigma is {said} in row 7: a standard deviation must be positive"):
        mq.fit(decay, T, Y, start=START, sigma=changed(7, value))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_sigma_that_is_not_finite_names_its_row(value: float) -> None:
    with pytest.raises(DataError, match="'sigma' is missing or not finite in row 7"):
        mq.fit(decay, T, Y, start=START, sigma=changed(7, value))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_rows_without_a_finite_sigma_are_dropped_on_request(value: float) -> None:
    found = mq.fit(decay, T, Y, start=START, sigma=changed(7, value), missing="drop")
    keep = np.arange(12) != 7
    assert found.dropped == 1
    assert np.array_equal(found.x, mq.fit(decay, T[keep], Y[keep], start=START, sigma=SIGMA[keep]).x)


def test_a_formula_of_columns_names_the_row_where_it_is_not_positive() -> None:
    with pytest.raises(DataError, match=r"sigma is -0.2 in row 0: a standard deviation must be positive"):
        mq.fit(decay, T, Y, start=START, sigma="t - 0.2")


def test_an_unknown_name_in_sigma_is_neither_column_nor_prediction() -> None:
    with pytest.raises(DataError, match="'s' is neither a column nor mu, the prediction"):
        mq.fit(decay, T, Y, start=START, sigma="s*mu")


def test_an_unknown_column_is_named_with_a_near_one() -> None:
    with pytest.raises(DataError, match="sigma='er' names a column, but the data have none of that name"):
        mq.fit("y ~ a*t + b", data={"t": T, "y": Y, "err": SIGMA}, sigma="er")


def test_a_column_of_another_length_is_refused() -> None:
    with pytest.raises(DataError, match=r"lengths differ: 'n' in sigma = 0.1[*]mu [+] n has 3 values"):
        mq.fit("y ~ a*t + b", data={"t": T, "y": Y, "n": [1.0, 2.0, 3.0]}, sigma="0.1*mu + n")


def test_sigma_of_the_wrong_length_names_both_shapes() -> None:
    with pytest.raises(DataError, match=r"sigma has shape \(3,\), the response \(12,\)"):
        mq.fit(decay, T, Y, start=START, sigma=[1.0, 2.0, 3.0])
