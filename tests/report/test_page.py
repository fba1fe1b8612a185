"""The page: self-contained, escaped, small beside its JavaScript, its charts valid by plotly's schema."""

from __future__ import annotations

import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

import marquardt as mq
from marquardt.datasets import michaelis_menten, nist
from marquardt.report.charts import correlation_chart, fit_chart, trace_chart
from marquardt.report.explorer import MOST_FRAMES, caption, explorer
from marquardt.report.explorer_map import look
from marquardt.report.page import page

S = np.array([0.02, 0.02, 0.06, 0.06, 0.11, 0.11, 0.22, 0.22, 0.56, 0.56, 1.1, 1.1])
V = np.array([76, 47, 97, 107, 123, 139, 159, 152, 191, 201, 207, 200.0])
X = np.linspace(0.0, 4.0, 30)
Y = 2.5 * np.exp(-1.3 * X) + 0.5 + 0.05 * np.sin(37.0 * np.arange(30.0) ** 2)


def assay(method: str = "auto", **more: Any) -> Any:
    data = michaelis_menten()
    options = mq.Options(method=method, max_evaluations=200)  # type: ignore[arg-type]
    return mq.fit(data.formula, data=data, start={"Vmax": 80, "Km": 1.0}, options=options, **more)


def thurber() -> Any:
    problem = nist("Thurber")
    return mq.fit(problem.formula, data=problem, start=problem.start1)


FITS = {
    "two parameters": assay,
    "seven parameters": thurber,
    "one parameter": lambda: mq.fit("y ~ exp(-b*x)", data={"x": X, "y": Y}, start={"b": 1}),
    "known sigma": lambda: assay(sigma=5.0),
    "sigma from the prediction": lambda: assay(sigma="0.03*mu + 4"),
    "complex": lambda: mq.fit(
        lambda x, a, b: a / (1 + 1j * b * x), X, 2.0 / (1 + 0.5j * X) + 0.01j * np.cos(9 * X), start=[1, 1]
    ),
    "not unique": lambda: mq.fit("y ~ a1*a2*exp(-b*x) + c", data={"x": X, "y": Y}, start=[1, 1, 1, 0]),
    "too few points": lambda: mq.fit("y ~ a*x + b", data={"x": [1.0, 2], "y": [1.0, 3]}, start=[1, 1]),
    "at a bound": lambda: mq.fit(
        "y ~ a*exp(-b*x) + c", data={"x": X, "y": Y}, start=[1, 1, 0.1], bounds={"c": (None, 0.3)}
    ),
    "gauss-newton": lambda: assay("gauss-newton"),
    "gradient-descent": lambda: assay("gradient-descent"),
    "dogleg": lambda: assay("dogleg"),
    "levenberg": lambda: assay("levenberg"),
}


@pytest.mark.parametrize("name", FITS)
def test_every_chart_is_valid_by_the_schema_of_plotly(name: str) -> None:
    fit = FITS[name]()
    dance = (trace_chart(fit), explorer(fit)) if len(fit.trace) else ()
    for chart in (fit_chart(fit), correlation_chart(fit), *dance):
        figure = go.Figure(data=chart["data"], layout=chart["layout"], frames=chart.get("frames"))
        json.dumps(chart, allow_nan=False)
        titles = [a.title.text for a in figure.select_xaxes()] + [a.title.text for a in figure.select_yaxes()]
        assert all(titles) or chart["data"][0]["type"] == "heatmap"


class Checker(HTMLParser):
    """Collects tags and outside references."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.sources: list[str] = []
        self.scripts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.sources += [v or "" for k, v in attrs if k in ("src", "href")]

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1] == "script" and data.strip():
            self.scripts.append(data)


def test_the_page_is_self_contained_and_escaped(tmp_path: Path) -> None:
    column = "</script><script>alert(1)</script>"
    result = mq.fit(f"v ~ Vmax*`{column}`/(Km + `{column}`)", data={column: S, "v": V}, start=[200, 0.1])
    path = tmp_path / "fit.html"
    checker = Checker()
    assert result.to_html(path) == path.read_text(encoding="utf-8")
    checker.feed(path.read_text(encoding="utf-8"))
    assert checker.tags.count("tr") == 3 and not checker.sources
    assert len(checker.scripts) == checker.tags.count("script") == 5  # plotly.js and four charts
    assert not any(script.startswith("alert") for script in checker.scripts)


def test_no_button_of_the_page_uploads_a_chart() -> None:
    assert '"showSendToCloud":false' in assay("levenberg").to_html()


def test_the_page_is_small_beside_its_javascript() -> None:
    from plotly.offline import get_plotlyjs

    long = assay("gradient-descent")
    x = np.linspace(0, 4, 60_000)
    wide = mq.fit("y ~ a*exp(-b*x)", data={"x": x, "y": np.exp(-x) + 0.1 * np.sin(x**2)}, start=[2, 2])
    assert len(long.trace) > MOST_FRAMES
    for fit in (thurber(), long, wide):
        assert len(page(fit)) - len(get_plotlyjs()) < 1_200_000


def test_the_page_says_what_of_many_parameters_and_steps_it_shows() -> None:
    assert "Of 7 parameters b3 and b4 are shown" in page(thurber())
    long = assay("gradient-descent")
    assert re.search(rf"Of {len(long.trace)} steps \d+ are shown", page(long))


def test_without_plotly_a_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    fit = assay()
    monkeypatch.setitem(sys.modules, "plotly.offline", None)
    with pytest.raises(mq.MissingPackageError, match="pip install plotly"):
        fit.to_html()
    assert "<table>" in fit._repr_html_()


def test_every_step_has_a_frame_that_names_what_it_did() -> None:
    fit = thurber()
    chart = explorer(fit)
    assert [f["name"] for f in chart["frames"]] == [str(k + 1) for k in range(len(fit.trace))]
    assert len(chart["layout"]["sliders"][0]["steps"]) == len(fit.trace)
    refused = int(np.flatnonzero(~fit.trace["accepted"])[0])
    assert "stop</b>: " + fit.trace["verdict"][refused] in caption(fit.trace, refused)
    assert "go</b>" in caption(fit.trace, int(np.flatnonzero(fit.trace["accepted"])[0]))


def test_the_moving_traces_are_the_same_in_every_frame() -> None:
    chart = explorer(thurber())
    kinds = {tuple((t["type"], t.get("xaxis")) for t in f["data"]) for f in chart["frames"]}
    assert len(kinds) == 1
    first = len(chart["data"]) - len(chart["frames"][0]["data"])
    assert all(f["traces"] == list(range(first, len(chart["data"]))) for f in chart["frames"])


def test_an_unbent_step_inside_the_region_is_the_sprinters_and_lies_on_the_curve() -> None:
    fit = assay("levenberg")
    for row in range(len(fit.trace)):
        if fit.trace["model"][row] != "gauss-newton":
            continue
        lens = look(fit.trace, (0, 1), row)
        gap = np.linalg.norm(lens.D * (lens.moves.curve - lens.step), axis=1).min()
        assert gap <= 0.35 * np.linalg.norm(lens.D * lens.step)
        # λ stands for the region whose edge the step touches.
        assert not lens.own and np.isclose(np.linalg.norm(lens.D * lens.step), lens.radius, rtol=1e-6)


def test_the_explorer_shows_the_parameters_that_are_named() -> None:
    fit = thurber()
    text = fit.to_html(a="b1", b="b7")
    assert "Of 7 parameters b1 and b7 are shown" in text
    with pytest.raises(mq.ParameterError, match="no free parameter 'b9'"):
        fit.to_html(a="b9")
