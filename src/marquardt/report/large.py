"""The result of a large problem as text and as a fragment of HTML."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from .html import STYLE
from .sentences import align

if TYPE_CHECKING:
    from ..solve.large.result import SolveResult


def text(result: SolveResult) -> str:
    """Status, costs, percentiles of the residuals, how it was solved and where the time went."""
    lines = [result.message, *facts(result), "", *align(_cells(result)), "", *_way(result)]
    return "\n".join([*lines, *(f"- {sentence}" for sentence in result.advice)])


def facts(result: SolveResult) -> list[str]:
    """What was solved, and the cost before and after."""
    sizes = ", ".join(f"{x.shape[0]:,} {name}" for name, x in result.values.items())
    items = ", ".join(f"{f.n:,} {f.name}" for f in result._compiled.families)
    return [
        f"variables: {sizes} ({result.n_variables:,} numbers); "
        f"residuals: {items} ({result.n_residuals:,} numbers)",
        f"cost {result.initial_cost:.8g} -> {result.cost:.8g} in {len(result.trace)} steps, "
        f"{result.n_accepted} taken",
    ]


def _cells(result: SolveResult) -> list[list[str]]:
    """A row for each family: percentiles of |r|, the worst items, and the weights."""
    names = result.families
    rows = [["residuals", "median |r|", "90 %", "99 %", "largest", "worst items", ""]]
    for name in names:
        numbers = [f"{value:.3g}" for value in result.percentiles(name).values()]
        worst = ", ".join(str(i) for i in result.worst(name, 3))
        w = result.weights.get(name)
        left_out = f"{int((w < 0.5).sum()):,} of {w.size:,} not believed" if w is not None else ""
        rows.append([name, *numbers, worst, left_out])
    return rows


SOLVERS = {
    "dense": "dense Cholesky",
    "sparse": "sparse Cholesky",
    "pcg": "conjugate gradients (Schur-Jacobi)",
    "pcg-jacobi": "conjugate gradients (Jacobi)",
    "pcg-clusters": "conjugate gradients (clusters)",
}


def _way(result: SolveResult) -> list[str]:
    how = dict(result.solver)
    solver = str(how.pop("solver"))
    first = [f"{result.eliminated} eliminated"] if result.eliminated else []
    numbers = [f"{name} {_value(value)}" for name, value in how.items()]
    said = ", ".join([*first, SOLVERS.get(solver, solver), *numbers])
    parts = ", ".join(f"{name} {s:.3g}" for name, s in result.seconds.items() if name != "total")
    return [f"linear solver: {said}", f"seconds: {result.seconds['total']:.3g} ({parts})"]


def _value(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def fragment(result: SolveResult) -> str:
    """What a notebook shows."""
    kind = "good" if result.success else "bad"
    head, *rows = _cells(result)
    table = "".join("<tr>" + "".join(f"<td>{escape(c)}</td>" for c in row) + "</tr>" for row in rows)
    items = "".join(f"<li>{escape(sentence)}</li>" for sentence in result.advice)
    return (
        f"<style>{STYLE}</style><div class='mq'><div class='{kind}'>{escape(result.message)}</div>"
        f"<div>{'<br>'.join(escape(line) for line in facts(result))}</div>"
        f"<table><thead><tr>{''.join(f'<th>{escape(c)}</th>' for c in head)}</tr></thead>"
        f"<tbody>{table}</tbody></table>"
        f"<div>{'<br>'.join(escape(line) for line in _way(result))}</div>"
        f"{f'<ul>{items}</ul>' if items else ''}</div>"
    )
