"""The report as HTML: a fragment for notebooks and a self-contained page."""

from __future__ import annotations

import base64
import io
from html import escape
from typing import TYPE_CHECKING

from ..errors import MissingPackageError
from .penalty import penalty_lines
from .sentences import join
from .text import STRONG, facts, goodness_pairs, header, row, strong_correlations

if TYPE_CHECKING:
    from ..curve.result import FitResult

_STYLE = """
.mq { font: 14px/1.5 system-ui, sans-serif; max-width: 60rem }
.mq table { border-collapse: collapse; margin: 0.8em 0 }
.mq th, .mq td { padding: 0.2em 0.8em; text-align: right; border-bottom: 1px solid #8884;
  font-variant-numeric: tabular-nums }
.mq th:first-child, .mq td:first-child, .mq td:last-child { text-align: left }
.mq .good { color: #1a7f37 } .mq .bad { color: #b35900 }
.mq pre { font-size: 13px; margin: 0 } .mq img { max-width: 100%; height: auto }
@media (prefers-color-scheme: dark) { .mq .good { color: #4ac26b } .mq .bad { color: #e0a030 } }
"""


def fragment(fit: FitResult, level: float = 0.95) -> str:
    """What a notebook shows."""
    kind = "good" if fit.success and fit.unique else "bad"
    head = "".join(f"<th>{escape(cell)}</th>" for cell in header(level))
    rows = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row(p, level)) + "</tr>"
        for p in fit.params.values()
    )
    goodness = ", ".join(f"{escape(name)}&nbsp;{escape(value)}" for name, value in goodness_pairs(fit))
    return (
        f"<style>{_STYLE}</style><div class='mq'><pre>{escape(fit.title)}</pre>"
        f"<div class='{kind}'>{escape(fit.message)}</div>"
        f"<div>{escape(facts(fit)).replace(chr(10), '<br>')}</div>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
        f"<div>{goodness}</div>{_penalty(fit)}{_correlations(fit)}{_advice(fit)}</div>"
    )


def _penalty(fit: FitResult) -> str:
    return "".join(f"<div>{escape(line)}</div>" for line in penalty_lines(fit))


def _correlations(fit: FitResult) -> str:
    strong = [f"{a} and {b} {r:.4g}" for a, b, r in strong_correlations(fit)[:12]]
    return f"<div>correlations above {STRONG:g}: {escape(join(strong))}</div>" if strong else ""


def _advice(fit: FitResult) -> str:
    items = "".join(f"<li>{escape(sentence)}</li>" for sentence in fit.advice)
    return f"<ul>{items}</ul>" if items else ""


def page(fit: FitResult) -> str:
    """A whole page with the picture inside (left out, and said, where matplotlib is missing)."""
    return (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>{escape(fit.title)}</title></head><body>{fragment(fit)}{_picture(fit)}</body></html>\n"
    )


def _picture(fit: FitResult) -> str:
    try:
        figure = fit.plot()
    except MissingPackageError as error:
        return f"<p>{escape(str(error))}</p>"
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=150)
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    image = f"<img alt='data, fitted curve and residuals' src='data:image/png;base64,{data}'>"
    return f"<div class='mq'>{image}</div>"
