"""The page: one self-contained file that works offline; the charts are drawn by plotly.js inside it."""

from __future__ import annotations

import json
from html import escape
from typing import TYPE_CHECKING

from ..curve.result import FitResult
from ..errors import MissingPackageError
from .charts import Chart, correlation_chart, fit_chart, residual_chart, trace_chart
from .explorer import explorer
from .html import fragment

if TYPE_CHECKING:
    from ..solve.result import Result

_STYLE = """
body { margin: 1.5rem auto; max-width: 70rem; padding: 0 1rem; color: #2c3e50; background: white;
  font: 14px/1.5 system-ui, sans-serif; color-scheme: light }
.mq > pre { display: none } h1 { font-size: 1.5rem }
h2 { font-size: 1.15rem; margin: 2rem 0 0.3rem } p { max-width: 50rem }
"""
_CONFIG = {
    "displaylogo": False,
    "responsive": True,
    "showSendToCloud": False,  # a button that uploads the chart
    "modeBarButtonsToRemove": ["select2d", "lasso2d"],
}


def page(result: Result, a: str | None = None, b: str | None = None) -> str:
    """Report, charts and explorer of one result. Raises MissingPackageError without plotly."""
    head = [f"<h1>{escape(result.title)}</h1>", fragment(result)]
    return document(result.title, [*head, *sections(result, a, b)])


def sections(result: Result, a: str | None = None, b: str | None = None) -> list[str]:
    """The charts of one result, each under its heading; the explorer over the parameters `a` and `b`."""
    parts = []
    if isinstance(result, FitResult):
        parts.append(section("Curve, band and residuals", fit_chart(result), "fit"))
    else:
        parts.append(section("Residuals", residual_chart(result), "residuals"))
    if len(result.free_names) > 1:
        parts.append(section("Correlation of the parameters", correlation_chart(result), "correlation"))
    if result.trace is not None and len(result.trace):
        parts.append(section("The dance, step by step", trace_chart(result), "trace"))
        parts.append(dance(result, explorer(result, a, b), "explorer", "Explore the dance"))
    return parts


def dance(result: Result, chart: Chart, name: str, title: str, words: bool = True) -> str:
    """An explorer under its heading, with what it shows in words."""
    return section(title, chart, name, explanation(result, chart, words))


_MAP = (
    "Left, the cost over the map of two parameters, dark where it is low, with the way so far. Right, the "
    "step under the lens: the sprinter's step (Gauss-Newton), the hiker's (steepest descent, to the lowest "
    "point of the linear model), the curve of damped steps δ(λ) between them, the trust region, and the step "
    "tried. "
)
_LINE = (
    "Left, the cost over the parameter. Right, the step under the lens: the cost around the point, the "
    "parabola that Gauss-Newton takes it for, the trust region, and the trial. "
)


def explanation(result: Result, chart: Chart, words: bool = True) -> str:
    """What the explorer shows, and what it leaves out (without `words` only that)."""
    n = len(result.free_names)
    text = "" if not words else _MAP if n > 1 else _LINE
    if n > 2:
        x, y = (chart["layout"][side]["title"]["text"] for side in ("xaxis", "yaxis"))
        text += (
            f"Of {n} parameters {x} and {y} are shown: the map holds the others at the end point, the lens "
            "at the current point; steps and region are seen as their shadow on these two. "
        )
    shown, every = len(chart["frames"]), len(result.trace)
    if shown < every:
        text += f"Of {every} steps {shown} are shown. "
    return f"<p>{text}</p>"


def section(title: str, chart: Chart, name: str, text: str = "") -> str:
    """A heading, words, and a chart in a place called `name`."""
    return f"<h2>{escape(title)}</h2>{text}<div id='{name}'></div><script>{_draw(chart, name)}</script>"


def _draw(chart: Chart, name: str) -> str:
    spec = json.dumps(
        {**chart, "config": _CONFIG}, allow_nan=False, ensure_ascii=False, separators=(",", ":")
    )
    # "</script>" inside a string would end the script.
    return f"Plotly.newPlot({json.dumps(name)}, {spec.replace('<', chr(92) + 'u003c')});"


def document(title: str, parts: list[str]) -> str:
    """A whole page that holds plotly.js. Raises MissingPackageError without plotly."""
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>{escape(title)}</title><style>{_STYLE}</style><script>{_library()}</script></head>"
        f"<body>{''.join(parts)}</body></html>\n"
    )


def _library() -> str:
    try:
        from plotly.offline import get_plotlyjs  # type: ignore[import-untyped]
    except ImportError:
        raise MissingPackageError("pages with charts need plotly: pip install plotly") from None
    return str(get_plotlyjs())
