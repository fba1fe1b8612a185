"""Complex models and data: impedance spectra and resonators, written as plain NumPy functions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import marquardt as mq
from marquardt.errors import DataError

F = np.logspace(-1, 5, 40)
DETUNING = np.linspace(-5.0, 5.0, 201)


def randles(f: Any, Rs: float, Rct: float, Cdl: float, Aw: float) -> Any:
    w = 2 * np.pi * f
    warburg = Aw * (1 - 1j) / np.sqrt(w)
    return Rs + 1 / (1j * w * Cdl + 1 / (Rct + warburg))


def finite_warburg(f: Any, Rs: float, Rct: float, Cdl: float, Rd: float, tau: float) -> Any:
    w = 2 * np.pi * f
    s = np.sqrt(1j * w * tau)
    return Rs + 1 / (1j * w * Cdl + 1 / (Rct + Rd * np.tanh(s) / s))


def constant_phase(f: Any, Rs: float, Rct: float, Q: float, n: float) -> Any:
    return Rs + Rct / (1 + Rct * Q * (2j * np.pi * f) ** n)


def notch(x: Any, x0: float, kappa: float, dr: float, di: float, ar: float, ai: float, tau: float) -> Any:
    """Transmission past a resonator, with complex gain and delay of the line."""
    return (ar + 1j * ai) * np.exp(-1j * tau * x) * (1 - (dr + 1j * di) / (1 + 2j * (x - x0) / kappa))


TRUE = {
    randles: (20.0, 150.0, 2e-5, 60.0),
    finite_warburg: (20.0, 150.0, 2e-5, 200.0, 3.0),
    constant_phase: (20.0, 150.0, 5e-5, 0.85),
    notch: (0.2, 0.6, 0.64, 0.2, 0.7, 0.38, 0.19),
}


def noisy(model: Any, seed: int = 0) -> tuple[Any, Any, Any]:
    """Independent variable, data and standard deviations: 0.5 % of the modulus."""
    x = DETUNING if model is notch else F
    z, rng = model(x, *TRUE[model]), np.random.default_rng(seed)
    sigma = 0.005 * np.abs(z)
    return x, z + sigma * (rng.standard_normal(x.size) + 1j * rng.standard_normal(x.size)), sigma


@pytest.mark.parametrize("model", TRUE)
def test_impedances_and_resonators_are_traced_and_found_without_start(model: Any) -> None:
    x, z, sigma = noisy(model)
    found = mq.fit(model, x, z, sigma=sigma)
    assert found.success and found.derivative == "exact (traced)"
    assert found.chi2 < mq.fit(model, x, z, sigma=sigma, start=TRUE[model]).chi2 * (1 + 1e-6)
    assert 0.7 < found.reduced_chi2 < 1.4


@pytest.mark.parametrize("model", TRUE)
def test_estimates_agree_with_the_truth_within_their_errors(model: Any) -> None:
    pulls = []
    for seed in range(12):
        x, z, sigma = noisy(model, seed)
        found = mq.fit(model, x, z, sigma=sigma, start=TRUE[model])
        pulls.append((found.x - TRUE[model]) / found.stderr)
    assert 0.6 < np.std(pulls) < 1.4
    assert np.abs(pulls).max() < 4.5


def test_derivatives_of_a_complex_tanh_stay_finite_for_large_arguments() -> None:
    def line(x: Any, a: float, b: float) -> Any:
        return a * np.tanh(b * x * (1 + 0.3j))

    x = np.array([1e-3, 0.5, 20.0, 800.0])
    z = line(x, 2.0, 1.5)
    problem = mq.fit(line, x, z, start=[1.9, 1.4])._outcome.problem
    at, h = np.array([2.0, 1.5]), 1e-6
    J = problem.jacobian(at)
    differences = [(problem.residuals(at + d) - problem.residuals(at - d)) / (2 * h) for d in np.eye(2) * h]
    assert np.isfinite(J).all()
    assert np.allclose(J, np.column_stack(differences), rtol=1e-7, atol=1e-8)


def test_the_report_counts_both_parts() -> None:
    x, z, sigma = noisy(randles)
    found = mq.fit(randles, x, z, start=TRUE[randles], sigma=sigma)
    assert found.n_points == 80 and found.dof == 76
    assert "40 complex points (2 x 40 numbers)" in str(found)


def test_a_complex_sigma_is_one_of_each_part() -> None:
    x, z, sigma = noisy(randles)
    both = mq.fit(randles, x, z, start=TRUE[randles], sigma=sigma * (1 + 2j))
    expected = np.concatenate([(both.predict() - z).real / sigma, (both.predict() - z).imag / (2 * sigma)])
    assert np.allclose(both.residuals, expected, rtol=1e-9)
    same = mq.fit(randles, x, z, start=TRUE[randles], sigma=sigma * (1 + 1j))
    assert np.allclose(same.x, mq.fit(randles, x, z, start=TRUE[randles], sigma=sigma).x, rtol=1e-12)


def test_a_complex_sigma_with_a_part_that_is_not_positive_names_its_row() -> None:
    x, z, sigma = noisy(randles)
    bad = sigma * (1 + 1j)
    bad[4] = bad[4].real
    with pytest.raises(DataError, match="sigma is 0 in row 4"):
        mq.fit(randles, x, z, start=TRUE[randles], sigma=bad)
    with pytest.raises(DataError, match="sigma must be real where the response is"):
        mq.fit("y ~ a*x", x=x, y=z.real, sigma=bad)


def test_a_matrix_for_each_point_correlates_its_parts() -> None:
    x, z, sigma = noisy(randles)
    each = np.array([[1.0, 0.3], [0.3, 2.0]]) * sigma[:, None, None] ** 2
    whole = np.zeros((80, 80))
    for i in range(40):
        whole[np.ix_([i, 40 + i], [i, 40 + i])] = each[i]
    found = mq.fit(randles, x, z, start=TRUE[randles], sigma=each)
    assert np.allclose(found.x, mq.fit(randles, x, z, start=TRUE[randles], sigma=whole).x, rtol=1e-10)
    assert found.success and found.correlated


def test_a_matrix_of_one_number_per_point_is_explained() -> None:
    x, z, _ = noisy(randles)
    matrix = np.eye(40) + 0.1
    with pytest.raises(
        DataError, match=r"covariance has shape \(80, 80\), real parts first, or \(40, 2, 2\)"
    ):
        mq.fit(randles, x, z, start=TRUE[randles], sigma=matrix)


def test_missing_complex_rows_leave_sigma_and_matrix_too() -> None:
    x, z, sigma = noisy(randles)
    holed, keep = z.copy(), np.arange(40) != 6
    holed[6] = np.nan
    each = np.array([[1.0, 0.3], [0.3, 2.0]]) * sigma[:, None, None] ** 2
    for errors in (sigma, sigma * (1 + 2j), each):
        found = mq.fit(randles, x, holed, start=TRUE[randles], sigma=errors, missing="drop")
        rest = mq.fit(randles, x[keep], z[keep], start=TRUE[randles], sigma=errors[keep])
        assert found.dropped == 1 and np.array_equal(found.x, rest.x)


def test_sigma_by_the_modulus_of_the_prediction() -> None:
    x, z, _ = noisy(randles)
    found = mq.fit(randles, x, z, start=TRUE[randles], sigma="0.005*mu")
    assert np.allclose(found.sigma, 0.005 * np.abs(found.predict()), rtol=1e-5)
    assert "sigma from the prediction" in str(found)


def test_a_complex_column_of_a_data_frame() -> None:
    x, z, sigma = noisy(randles)
    table = pd.DataFrame({"f": x, "Z": z, "err": sigma})
    found = mq.fit(randles, data=table, y="Z", start=TRUE[randles], sigma="err")
    assert np.array_equal(found.x, mq.fit(randles, x, z, start=TRUE[randles], sigma=sigma).x)
    assert found.response_name == "Z"


def test_predictions_and_bands_are_complex() -> None:
    x, z, sigma = noisy(randles)
    found = mq.fit(randles, x, z, start=TRUE[randles], sigma=sigma)
    new = np.array([1.0, 100.0, 1e4])
    value, band = found.predict(new), found.band(new)
    assert value.dtype.kind == "c" and band.lower.shape == (3,)
    assert np.all(band.lower.real < value.real) and np.all(value.imag < band.upper.imag)
    wide = found.band(new, prediction=True)
    assert np.all(wide.upper.imag > band.upper.imag) and np.all(wide.upper.real > band.upper.real)


def test_outliers_of_complex_data_are_rows() -> None:
    x, z, sigma = noisy(randles)
    z[[5, 22]] += [30.0, -20j]
    found = mq.fit(randles, x, z, start=TRUE[randles], sigma=sigma, loss="tukey")
    assert [o.row for o in found.outliers] == [5, 22]


def test_a_function_that_is_called_back_may_be_complex() -> None:
    def opaque(f: Any, Rs: float, Rct: float, Cdl: float, Aw: float) -> Any:
        return np.array(
            [complex(randles(float(v), float(Rs), float(Rct), float(Cdl), float(Aw))) for v in f.tolist()]
        )

    x, z, sigma = noisy(randles)
    found = mq.fit(opaque, x, z, start=TRUE[randles], sigma=sigma)
    assert np.allclose(found.x, mq.fit(randles, x, z, start=TRUE[randles], sigma=sigma).x, rtol=1e-6)


def test_a_delay_that_starts_at_zero_beside_a_frequency_of_gigahertz_stays_traced() -> None:
    def line(f: Any, f0: float, Q: float, a: float, tau: float) -> Any:
        return a * np.exp(-2j * np.pi * (f - 5e9) * tau) * (1 - 0.5 / (1 + 2j * Q * (f / f0 - 1)))

    f = np.linspace(4.995e9, 5.005e9, 101)
    found = mq.fit(line, f, line(f, 5.0002e9, 8000.0, 0.8, 3e-8), start=[5e9, 5000, 1, 0])
    assert found.derivative == "exact (traced)"
    assert found.params["tau"].value == pytest.approx(3e-8, rel=1e-6)
