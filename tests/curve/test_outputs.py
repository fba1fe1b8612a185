"""Models whose output is not as long as x: stacked parts, several curves, a part of the points."""

from __future__ import annotations

import numpy as np
import pytest

from marquardt import fit
from marquardt.errors import DataError

X = np.linspace(0.1, 3.0, 25)
NOISE = 0.01 * np.random.default_rng(3).normal(size=50)


def two_curves(x, a, b, c):
    return np.concatenate([a * np.exp(-b * x), c * np.exp(-b * x)])


def two_rows(x, a, b, c):
    return np.stack([a * np.exp(-b * x), c * np.exp(-b * x)])


def stacked_impedance(w, R, C):
    z = R / (1 + 1j * w * R * C)
    return np.hstack([z.real, z.imag])


def impedance(w, R, C):
    return R / (1 + 1j * w * R * C)


Y = two_curves(X, 1.0, 2.0, 3.0) + NOISE
START = {"a": 0.5, "b": 1.0, "c": 2.0}


def test_two_curves_in_one_vector_share_a_rate():
    result = fit(two_curves, X, Y, start=START)
    assert result.success and result.derivative == "exact (traced)"
    assert result.n_points == 50
    np.testing.assert_allclose(result.x, [1.0, 2.0, 3.0], rtol=0.02)


def test_rows_of_a_table_of_outputs_are_fitted_together():
    one = fit(two_curves, X, Y, start=START)
    both = fit(two_rows, X, Y.reshape(2, -1), start=START)
    assert both.derivative == "exact (traced)"
    np.testing.assert_allclose(both.x, one.x, rtol=1e-9)
    np.testing.assert_allclose(both.covariance, one.covariance, rtol=1e-6)


def test_stacked_parts_equal_the_complex_fit():
    z = impedance(X, 3.0, 0.5) + NOISE[:25] + 1j * NOISE[25:]
    stacked = fit(stacked_impedance, X, np.hstack([z.real, z.imag]), start=[1, 1])
    direct = fit(impedance, X, z, start=[1, 1])
    np.testing.assert_allclose(stacked.x, direct.x, rtol=1e-9)
    assert stacked.derivative == direct.derivative == "exact (traced)"


def test_start_values_are_found_for_stacked_outputs():
    result = fit(two_curves, X, Y)
    assert result.success
    np.testing.assert_allclose(result.x, [1.0, 2.0, 3.0], rtol=0.02)


def test_prediction_is_as_long_as_the_model_makes_it():
    result = fit(two_curves, X, Y, start=START)
    lower, upper = result.band(X[:7])
    assert result.predict(X[:7]).shape == lower.shape == upper.shape == (14,)
    assert (lower < upper).all()


def test_missing_values_of_a_longer_response_have_no_weight():
    y = Y.copy()
    y[7] = np.nan
    result = fit(two_curves, X, y, start=START, missing="drop")
    keep = np.delete(np.arange(50), 7)

    def without(x, a, b, c):
        return two_curves(x, a, b, c)[keep]

    np.testing.assert_allclose(result.x, fit(without, X, Y[keep], start=START).x, rtol=1e-9)
    assert result.n_points == 49


def test_length_is_wrong_only_when_the_model_does_not_make_it():
    with pytest.raises(DataError, match=r"'x' has 25 values, 'y' has 49 \(and the model gives 50\)"):
        fit(two_curves, X, Y[:-1], start=START)
    with pytest.raises(DataError, match="'x' has 25 values, 'y' has 50"):
        fit("y ~ a*exp(-b*x)", X, Y, start={"a": 1, "b": 1})


def test_strided_arrays_fit_like_their_copies():
    strided = fit(impedance, X[::2], np.abs(Y[:25:2]) + 0j, start=[1, 1])
    assert strided.n_points == 26

    def line(x, a, b):
        return a * x + b

    np.testing.assert_allclose(
        fit(line, X[::2], Y[:25:2], start=[1, 1]).x, fit(line, X[::2].copy(), Y[:25:2].copy(), start=[1, 1]).x
    )
