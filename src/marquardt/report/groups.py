"""Tables of many groups: text, HTML, frames and records."""

from __future__ import annotations

import html
from collections import Counter
from typing import TYPE_CHECKING, Any

from ..errors import MissingPackageError
from .sentences import align
from .text import number

if TYPE_CHECKING:
    from ..curve.groups_by import FitTable

MOST_LINES = 60
"""Of more groups the text shows the first ones."""
WIDEST = 60
"""Longer messages are cut in tables."""


def table_text(table: FitTable) -> str:
    """The groups as aligned lines, and a count of how they ended."""
    labels = table.labels[:MOST_LINES]
    rows = [_header(table), *[_row(table, label) for label in labels]]
    lines = [
        f"{len(table.labels)} groups by {table.name}: {counts([ending(table, k) for k in table.labels])}"
    ]
    lines += ["", *align(rows)]
    if len(labels) < len(table.labels):
        lines.append(f"... and {len(table.labels) - len(labels)} more: to_pandas() has all of them")
    return "\n".join(lines)


def counts(endings: list[str]) -> str:
    """``["converged", "error", "converged"]`` counted, most frequent first.

    >>> counts(["converged", "error", "converged"])
    '2 converged, 1 error'
    """
    return ", ".join(f"{n} {name}" for name, n in Counter(endings).most_common())


def ending(table: FitTable, label: Any) -> str:
    """How a group ended, in a word or two."""
    if label in table.errors:
        return "error"
    return table[label].status.name.lower().replace("_", " ") if label in table else "not reached"


def label_text(label: Any) -> str:
    return ", ".join(map(str, label)) if isinstance(label, tuple) else str(label)


def cut(text: str) -> str:
    first = text.splitlines()[0] if text else ""
    return first if len(first) <= WIDEST else first[: WIDEST - 3] + "..."


def _names(table: FitTable) -> list[str]:
    """Parameters of all fits, in order."""
    names: dict[str, None] = {}
    for fit in table.values():
        names.update(dict.fromkeys(fit.params))
    return list(names)


def _header(table: FitTable) -> list[str]:
    return [table.name, "points", *_names(table), "std. error", "status"]


def _row(table: FitTable, label: Any) -> list[str]:
    names = _names(table)
    if label not in table:
        said = "not reached" if label in table.left else cut(table.status(label))
        return [label_text(label), *[""] * (len(names) + 2), said]
    fit = table[label]
    cells = [estimate(p.value, p.stderr) for p in (fit.params[n] for n in names)]
    s = f"{fit.reduced_chi2**0.5:.4g}" if fit.dof > 0 else "undefined"
    status = ending(table, label)
    return [label_text(label), str(fit.n_points), *cells, s, status]


def estimate(value: float, stderr: float) -> str:
    """``212.7 ± 6.9``, or the value alone where there is no error.

    >>> estimate(212.683742, 6.947), estimate(2.0, 0.0)
    ('212.68 ± 6.9', '2')
    """
    return f"{number(value, stderr)} ± {stderr:.2g}" if stderr > 0.0 else number(value, stderr)


def html_table(rows: list[list[str]], title: str) -> str:
    """Rows, the first of them the header, as an HTML table."""
    head = "".join(f"<th>{html.escape(c)}</th>" for c in rows[0])
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(c)}</td>" for c in cells) + "</tr>" for cells in rows[1:]
    )
    return f"<table><caption>{html.escape(title)}</caption><tr>{head}</tr>{body}</table>"


def table_html(table: FitTable) -> str:
    labels = table.labels[:MOST_LINES]
    rows = [_header(table), *[_row(table, label) for label in labels]]
    return html_table(rows, table_text(table).splitlines()[0])


def pandas() -> Any:
    try:
        import pandas  # type: ignore[import-untyped]
    except ImportError:
        raise MissingPackageError("to_pandas needs pandas: pip install pandas") from None
    return pandas


def index_of(labels: Any, name: str) -> Any:
    """An index of the labels; of several columns one with as many levels."""
    pd = pandas()
    parts = name.split(", ")
    if labels and all(isinstance(k, tuple) and len(k) == len(parts) for k in labels):
        return pd.MultiIndex.from_tuples(labels, names=parts)
    return pd.Index(list(labels), name=name, tupleize_cols=False)


def table_frame(table: FitTable) -> Any:
    """One row per group."""
    rows = []
    for label in table.labels:
        row: dict[str, Any] = {"status": ending(table, label), "points": 0}
        if label in table:
            fit = table[label]
            for name, p in fit.params.items():
                row[name], row[f"{name} stderr"] = p.value, p.stderr
            row |= {"points": fit.n_points, "rss": fit.rss, "reduced_chi2": fit.reduced_chi2, "dof": fit.dof}
            row["nfev"] = fit.nfev
        row["error"] = str(table.errors.get(label, ""))
        rows.append(row)
    return pandas().DataFrame(rows, index=index_of(table.labels, table.name))


def table_record(table: FitTable) -> dict[str, Any]:
    groups = []
    for label in table.labels:
        entry: dict[str, Any] = {"group": list(label) if isinstance(label, tuple) else label}
        entry |= {"status": ending(table, label)}
        if label in table:
            entry |= {"fit": table[label].to_dict()}
        elif label in table.errors:
            entry |= {"error": table.status(label)}
        groups.append(entry)
    return {"by": table.name, "groups": groups}
