"""The report as a fragment of HTML, for notebooks and at the head of a page."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from ..curve.result import FitResult
from .penalty import penalty_lines
from .sentences import join
from .text import STRONG, certificate_line, facts, goodness_pairs, header, row, strong_correlations

if TYPE_CHECKING:
    from ..solve.result import Result

STYLE = """
.mq { font: 14px/1.5 system-ui, sans-serif; max-width: 60rem }
.mq table { border-collapse: collapse; margin: 0.8em 0 }
.mq th, .mq td { padding: 0.2em 0.8em; text-align: right; border-bottom: 1px solid #8884;
  font-variant-numeric: tabular-nums }
.mq th:first-child, .mq td:first-child, .mq td:last-child { text-align: left }
.mq .good { color: #1a7f37 } .mq .bad { color: #b35900 }
.mq pre { font-size: 13px; margin: 0 }
@media (prefers-color-scheme: dark) { .mq .good { color: #4ac26b } .mq .bad { color: #e0a030 } }
"""


def fragment(result: Result, level: float = 0.95) -> str:
    """What a notebook shows."""
    kind = "good" if result.success and result.unique else "bad"
    head = "".join(f"<th>{escape(cell)}</th>" for cell in header(level))
    rows = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row(p, level)) + "</tr>"
        for p in result.params.values()
    )
    return (
        f"<style>{STYLE}</style><div class='mq'><pre>{escape(result.title)}</pre>"
        f"<div class='{kind}'>{escape(result.message)}</div>"
        f"<div>{escape(facts(result)).replace(chr(10), '<br>')}</div>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
        f"{_goodness(result)}{_correlations(result)}{_advice(result)}</div>"
    )


def _goodness(result: Result) -> str:
    pairs = ", ".join(f"{escape(name)}&nbsp;{escape(value)}" for name, value in goodness_pairs(result))
    penalty = _penalty(result) if isinstance(result, FitResult) else ""
    return f"<div>{pairs}</div>{penalty}<div>{escape(certificate_line(result))}</div>"


def _penalty(fit: FitResult) -> str:
    return "".join(f"<div>{escape(line)}</div>" for line in penalty_lines(fit))


def _correlations(fit: Result) -> str:
    strong = [f"{a} and {b} {r:.4g}" for a, b, r in strong_correlations(fit)[:12]]
    return f"<div>correlations above {STRONG:g}: {escape(join(strong))}</div>" if strong else ""


def _advice(fit: Result) -> str:
    items = "".join(f"<li>{escape(sentence)}</li>" for sentence in fit.advice)
    return f"<ul>{items}</ul>" if items else ""
