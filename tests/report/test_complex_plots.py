"""Pictures of fits to complex data, and of errors that are correlated or follow from the prediction."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import marquardt as mq
from marquardt.report.charts import fit_chart
from marquardt.report.series_complex import plane

F = np.logspace(-1, 4, 30)


def cell(f: Any, Rs: float, R: float, C: float) -> Any:
    return Rs + R / (1 + 2j * np.pi * f * R * C)


@pytest.fixture(scope="module")
def fit() -> Any:
    z, rng = cell(F, 10.0, 100.0, 1e-4), np.random.default_rng(0)
    z = z + 0.2 * (rng.standard_normal(30) + 1j * rng.standard_normal(30))
    z[[4, 11]] += [20.0, 15j]
    return mq.fit(cell, F, z, start=[5, 80, 2e-4], sigma=0.2 + 0.3j, loss="tukey")


def test_the_complex_plane_shows_impedances_with_minus_im_upward(fit: Any) -> None:
    whole, top, bottom = fit.plot().axes
    assert whole.get_ylabel() == "-Im y" and whole.get_xlabel() == "Re y"
    assert top.get_xscale() == "log" and bottom.get_ylabel() == "residual / sigma"


def test_outliers_are_ringed_in_every_panel(fit: Any) -> None:
    assert [o.row for o in fit.outliers] == [4, 11]
    whole, top, bottom = fit.plot().axes
    assert "2 outliers" in [text.get_text() for text in whole.get_legend().get_texts()]
    rings = [line for axes in (whole, top, bottom) for line in axes.lines if line.get_markersize() == 9]
    assert len(rings) == 5 and all(len(line.get_xdata()) == 2 for line in rings)


def test_both_parts_have_their_own_error_bars_and_residuals(fit: Any) -> None:
    shown = plane(fit)
    real, imaginary = shown.parts()
    assert np.all(real.sigma == 0.2) and np.all(imaginary.sigma == 0.3)
    assert np.allclose(real.residuals, (fit.observed - fit.predict()).real / 0.2)
    assert np.allclose(imaginary.residuals, (fit.observed - fit.predict()).imag / 0.3)
    assert real.lower is not None and np.all(real.lower <= real.upper)


def test_imaginary_parts_of_both_signs_stay_as_they_are() -> None:
    x = np.linspace(-1.0, 1.0, 20)
    found = mq.fit(lambda x, a, b: a / (1 + 1j * x * b), x, 2.0 / (1 + 3j * x), start=[1, 1])
    assert found.plot().axes[0].get_ylabel() == "Im y"


def test_several_independent_variables_are_shown_by_row() -> None:
    found = mq.fit(
        lambda f, g, a, b: a / (1 + 1j * f * b) + g, (F, 0 * F), 2.0 / (1 + 1e-3j * F), start=[1, 1e-2]
    )
    assert found.plot().axes[2].get_xlabel() == "row"


def test_the_page_shows_plane_and_parts(fit: Any) -> None:
    chart = fit_chart(fit)
    names = [trace.get("name") for trace in chart["data"]]
    assert {"data", "fit", "outliers", "Re y", "Im y"} <= set(names)
    assert chart["layout"]["yaxis"]["scaleanchor"] == "x"


def test_whitened_residuals_are_named_so() -> None:
    x = np.linspace(0.0, 1.0, 20)
    C = 0.01 * np.exp(-np.abs(x[:, None] - x)) + 0.01 * np.eye(20)
    found = mq.fit("y ~ a + b*x", x=x, y=1.0 + x + 0.1 * np.sin(9 * x), sigma=C)
    top, bottom = found.plot().axes
    assert bottom.get_ylabel() == "whitened residual"
    assert top.containers, "error bars from the diagonal"


def test_error_bars_follow_a_formula_of_the_prediction() -> None:
    x = np.linspace(0.0, 3.0, 20)
    y = 5.0 * np.exp(-x) * (1.0 + 0.05 * np.cos(7 * x))
    found = mq.fit("y ~ a*exp(-b*x)", x=x, y=y, start=[4, 0.8], sigma="0.05*mu")
    bars = found.plot().axes[0].containers[0].lines[2][0].get_segments()
    heights = [segment[1, 1] - segment[0, 1] for segment in bars]
    assert np.allclose(heights, 2 * 0.05 * found.predict(), rtol=1e-4)
