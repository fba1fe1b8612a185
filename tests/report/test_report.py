"""Reports: golden files for a good fit and bad ones, safe pages, pictures that show what was fitted."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from marquardt.curve.fit import fit
from marquardt.curve.progress import ProgressLine, observer
from marquardt.datasets import nist
from marquardt.errors import MissingPackageError
from marquardt.options import Options
from marquardt.report.sentences import join
from marquardt.report.text import number, percent
from marquardt.solve.least_squares import least_squares

GOLDEN = Path(__file__).parent.parent / "golden"
S = np.array([0.02, 0.02, 0.06, 0.06, 0.11, 0.11, 0.22, 0.22, 0.56, 0.56, 1.1, 1.1])
V = np.array([76, 47, 97, 107, 123, 139, 159, 152, 191, 201, 207, 200.0])
HIGH = S > 0.2
X = np.linspace(0.0, 4.0, 30)
Y = 2.5 * np.exp(-1.3 * X) + 0.5 + 0.05 * np.sin(37.0 * np.arange(30.0) ** 2)
DECAY = "y ~ a*exp(-b*x) + c"
ASSAY = "v ~ Vmax*S/(Km + S)"


def good() -> Any:
    return fit(ASSAY, data={"S": S, "v": V}, start={"Vmax": 200, "Km": 0.1})


REPORTS = {
    "good": good,
    "sigma": lambda: fit(ASSAY, data={"S": S, "v": V}, start={"Vmax": 200, "Km": 0.1}, sigma=5.0),
    "not_unique": lambda: fit("y ~ a1*a2*exp(-b*x) + c", data={"x": X, "y": Y}, start=[1, 1, 1, 0]),
    "at_bound": lambda: fit(
        DECAY, data={"x": X, "y": Y}, start={"a": 1, "b": 1, "c": 0.1}, bounds={"c": (None, 0.3)}
    ),
    "prior": lambda: fit(
        DECAY,
        data={"x": X, "y": Y},
        start={"a": 1, "b": 1, "c": 0},
        prior={"c": (0.4, 0.02), "b": (1.2, 0.5)},
    ),
    "ridge": lambda: fit(
        DECAY,
        data={"x": X, "y": Y},
        start={"a": 1, "b": 1, "c": 0},
        sigma=0.05,
        ridge={"a": 2, "b": 2},
        prior={"c": (0.52, 0.02)},
    ),
    "fixed": lambda: fit(DECAY, data={"x": X, "y": Y}, start={"a": 1, "b": 1}, fixed={"c": 0.5}),
    "exhausted": lambda: fit(
        DECAY, data={"x": X, "y": Y}, start=[1, 1, 0], options=Options(max_evaluations=2)
    ),
    "staircase": lambda: fit(lambda x, a, b: a * np.floor(b * x), X, Y, start=[1, 1]),
    "diverged": lambda: fit(
        "y ~ a*log(b*x + c)", data={"x": X, "y": Y}, start=[1, 1, 9], method="gauss-newton"
    ),
    "too_few": lambda: fit("y ~ a*x + b", data={"x": [1.0, 2.0], "y": [1.0, 3.0]}, start={"a": 1, "b": 1}),
}


@pytest.mark.parametrize("name", REPORTS)
def test_report_is_the_golden_one(name: str) -> None:
    """Counts of evaluations and rounding-level numbers may differ between CPU levels: they are masked."""
    text = masked(str(REPORTS[name]()))
    path = GOLDEN / f"report_{name}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def masked(text: str) -> str:
    import re

    text = re.sub(r"relative offset \S+", "relative offset #", text)
    text = re.sub(r"to rounding, \S+", "to rounding, #", text)
    text = re.sub(r"gradient\s+\S+ >", "gradient # >", text)
    text = re.sub(r"\d+ digits computed", "# digits computed", text)
    text = re.sub(r"rss \d\.\d+e-\d+", "rss #", text)
    return re.sub(r"\d+ \+ \d+ evaluations", "# evaluations", text) + "\n"


def test_a_report_of_plain_residuals_is_the_golden_one() -> None:
    def decay(p: Any, x: Any, y: Any) -> Any:
        return p[0] * np.exp(-p[1] * x) + p[2] - y

    text = masked(str(least_squares(decay, [1.0, 1.0, 0.0], args=(X, Y), bounds=(0.0, [3.0, 1.2, 1.0]))))
    path = GOLDEN / "report_residuals.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def test_lines_fit_a_terminal() -> None:
    for make in REPORTS.values():
        assert max(map(len, str(make()).splitlines())) <= 120


def test_lanczos1_says_that_its_standard_errors_mean_little() -> None:
    problem = nist("Lanczos1")
    result = fit(problem.formula, data=problem, start=[1.2, 0.3, 5.6, 5.5, 6.5, 7.6])
    assert any("rounding level" in sentence and "mean little" in sentence for sentence in result.advice)


def test_a_barely_determined_parameter_says_where_data_are_missing() -> None:
    rng = np.random.default_rng(3)
    s = np.linspace(0.5, 1.5, 8)
    v = 200 * s / (0.05 + s) + 8 * rng.normal(size=8)
    result = fit(ASSAY, data={"S": s, "v": v}, start={"Vmax": 200, "Km": 0.1})
    assert result.params["Km"].relative_error > 0.5
    assert any(
        a.startswith("Km is barely determined") and "no data below S = 0.5" in a for a in result.advice
    )


def test_a_wrong_sigma_and_a_missing_feature_are_noticed() -> None:
    small = fit("y ~ a*exp(-b*x) + c", data={"x": X, "y": Y}, sigma=0.001, start=[1, 1, 0])
    assert any("sigma is too small" in a for a in small.advice)
    large = fit("y ~ a*exp(-b*x) + c", data={"x": X, "y": Y}, sigma=5.0, start=[1, 1, 0])
    assert any("sigma looks" in a for a in large.advice)
    line = fit("y ~ a*x + b", data={"x": X, "y": np.exp(X) + 0.01 * Y})
    assert any("long runs of one sign along x" in a for a in line.advice)


def test_a_sound_fit_gets_no_advice() -> None:
    assert good().advice == ()


@pytest.mark.parametrize(
    ("value", "stderr", "shown"),
    [
        (212.683742, 6.947, "212.68"),
        (0.5, float("nan"), "0.5"),
        (0.0, 1.0, "0"),
        (1e-8, 1e-9, "1e-08"),
        (5.0, 1e-30, "5"),
    ],
)
def test_numbers_show_the_digits_their_error_allows(value: float, stderr: float, shown: str) -> None:
    assert number(value, stderr) == shown


def test_percentages_and_lists_read_well() -> None:
    assert (percent(0.034), percent(2.5), percent(float("inf")), percent(1e9)) == (
        "3.4 %",
        "250 %",
        "-",
        "1.0e+11 %",
    )
    assert (join([]), join(["a"]), join(["a", "b"])) == ("", "a", "a and b")


def test_the_notebook_shows_estimates_and_advice() -> None:
    text = REPORTS["not_unique"]()._repr_html_()
    assert "<table>" in text and "cannot be told apart" in text and "class='bad'" in text


def labels(axes: Any) -> list[str]:
    return [t.get_text() for t in axes.get_legend().get_texts()]


def test_the_picture_has_data_curve_band_and_residuals() -> None:
    figure = good().plot()
    top, bottom = figure.axes
    assert sorted(labels(top)) == ["95 % confidence band", "data", "fit"]
    assert (bottom.get_xlabel(), top.get_ylabel(), bottom.get_ylabel()) == ("S", "v", "residual")
    shown = bottom.lines[-1].get_ydata()
    assert np.allclose(shown, -good().residuals)


def test_known_sigma_is_drawn_as_error_bars() -> None:
    top, bottom = REPORTS["sigma"]().plot().axes
    assert len(top.containers) == 1 and bottom.get_ylabel() == "residual / sigma"


def test_several_variables_are_drawn_as_observed_against_predicted() -> None:
    rng = np.random.default_rng(1)
    u, w = rng.normal(size=(2, 20))
    result = fit("z ~ a*u + b*w", data={"u": u, "w": w, "z": u - w + 0.1 * rng.normal(size=20)})
    top, bottom = result.plot().axes
    assert (top.get_ylabel(), bottom.get_xlabel()) == ("observed z", "predicted z")


def test_without_a_band_the_curve_is_drawn_all_the_same() -> None:
    top, _ = REPORTS["too_few"]().plot().axes
    assert sorted(labels(top)) == ["data", "fit"]


def test_without_matplotlib_a_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingPackageError, match="pip install matplotlib"):
        good().plot()


def test_the_progress_line_waits_two_seconds_and_wipes_itself() -> None:
    import io

    now, stream = [0.0], io.StringIO()
    line = ProgressLine(stream, clock=lambda: now[0])
    step = SimpleNamespace(nfev=7, cost=1.25)
    line(step)
    assert stream.getvalue() == ""
    now[0] = 2.1
    line(step)
    now[0] = 2.15
    line(step)
    assert stream.getvalue().count("7 evaluations, cost 1.25") == 1
    line.close()
    assert stream.getvalue().endswith(" \r")
    assert observer(print) is print
