"""The search for a start, as text and for notebooks: distinct optima, and where was looked."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING

from .sentences import align

if TYPE_CHECKING:
    from ..curve.multistart import Multistart, Optimum, SearchRange

MOST = 8
"""Optima that are shown."""


def line(found: Multistart) -> str:
    """One line for the report of a fit."""
    if found.rule:
        return f"start by the rule of {found.rule}"
    text = f"start found: {found.reached} of {found.starts} ended here"
    if found.rivals:
        return f"{text}, {_count(len(found.rivals), 'other optimum', 'other optima')} as low"
    others = len(found.optima) - 1
    return text + (f", {_count(others, 'higher optimum', 'higher optima')} seen" if others else "")


def summary(found: Multistart) -> str:
    """What was done, in sentences."""
    rounds = _count(found.rounds, "round", "rounds")
    best = "" if len(found.optima) < 2 else f" of {len(found.optima)} distinct optima"
    text = (
        f"{found.reached} of {_count(found.starts, 'start', 'starts')} in {rounds} ended at the lowest{best}"
    )
    if found.rule:
        return f"start by the rule of {found.rule}: {text}; {found.time:.2g} s"
    text += f", chosen among {_count(found.candidates, 'point', 'points')}"
    if math.isfinite(found.unseen):
        text += f"; {max(found.unseen, 0.0):.2g} more at most twice as high are expected"
    return f"{text}; {found.time:.2g} s, {found.n_points} data points"


def text(found: Multistart) -> str:
    """Summary, optima and ranges as aligned tables."""
    parts = [summary(found), *rivals(found), "", *align(optima_table(found))]
    if found.ranges:
        parts += ["", *align(range_table(found))]
    return "\n".join(parts)


def rivals(found: Multistart) -> list[str]:
    """Sentences that name optima as low as the best, or lower but not certified."""
    lines = []
    for other in found.rivals:
        kind = "as low" if other.cost >= found.optima[0].cost * (1.0 - 1e-6) else "lower, but not certified"
        at = ", ".join(f"{name} = {value:.6g}" for name, value in other.params.items())
        lines.append(f"{kind}: cost {other.cost:.7g} at {at}")
    return lines


def optima_table(found: Multistart) -> list[list[str]]:
    """One row for each distinct optimum, best first."""
    names = list(found.optima[0].params)
    return [["cost", "reached", "ended", *names], *[_row(o) for o in found.optima[:MOST]]]


def range_table(found: Multistart) -> list[list[str]]:
    """One row for each parameter: how it was looked for, and where."""
    return [["parameter", "looked for"], *[[name, _words(r)] for name, r in found.ranges.items()]]


def html(found: Multistart) -> str:
    """Summary and tables for notebooks."""
    parts = [f"<div>{escape(sentence)}</div>" for sentence in (summary(found), *rivals(found))]
    parts.append(_table(optima_table(found)))
    if found.ranges:
        parts.append(_table(range_table(found)))
    return "".join(parts)


def _row(optimum: Optimum) -> list[str]:
    ended = optimum.status.name.lower().replace("_", " ")
    values = [f"{v:.6g}" for v in optimum.params.values()]
    return [f"{optimum.cost:.7g}", str(optimum.reached), ended, *values]


def _words(found: SearchRange) -> str:
    low, high = f"{found.low:.3g}", f"{found.high:.3g}"
    return {
        "linear": "by linear least squares" + _within(found),
        "size": f"magnitude {low} to {high}",
        "location": f"location {low} to {high}",
        "frequency": f"frequency up to {high} per unit",
        "period": f"period from {low}",
        "phase": "phase",
        "bounds": f"within its bounds {low} to {high}",
        "start": f"from its start {low}",
    }[found.kind]


def _within(found: SearchRange) -> str:
    if math.isinf(found.low) and math.isinf(found.high):
        return ""
    return f", within {found.low:.3g} to {found.high:.3g}"


def _count(n: int, one: str, many: str) -> str:
    return f"{n} {one if n == 1 else many}"


def _table(rows: list[list[str]]) -> str:
    head, *body = ["".join(f"<td>{escape(cell)}</td>" for cell in row) for row in rows]
    lines = "".join(f"<tr>{cells}</tr>" for cells in body)
    return f"<table><thead><tr>{head.replace('td>', 'th>')}</tr></thead><tbody>{lines}</tbody></table>"
