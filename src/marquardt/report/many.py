"""Many fits as text, tables and data sets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import MissingPackageError, Status
from .sentences import align

if TYPE_CHECKING:
    ManyFits = Any  # of the room above

Array = NDArray[Any]
NOT_FITTED = ("NO_POINTS", "TOO_FEW_POINTS", "CONSTANT", "BAD_DATA", "NOT_DONE")
"""Ends that tell about the data, not about the fit."""
FAR = 5.0
"""A fit whose reduced chi-square is so many times the median stands out."""


def words(status: Status) -> str:
    """A status in tables: its name in lower case.

    >>> words(Status.CONVERGED_AT_BOUND)
    'converged at bound'
    """
    return status.name.lower().replace("_", " ")


def many_text(many: ManyFits, worst: int) -> str:
    """Counts of the ends, quantiles of the estimates, and the worst fits."""
    lines = [_title(many), ""]
    lines += [f"{n:>10,}  {100 * n / len(many):5.1f} %  {status.value}" for status, n in many.counts.items()]
    lines += ["", *align(_quantiles(many))]
    if worst and (found := _worst(many, worst)):
        lines += ["", *align(found), *_advice(many)]
    return "\n".join(lines)


def many_html(many: ManyFits) -> str:
    """What a notebook shows."""
    from html import escape

    from .html import STYLE

    counts = "".join(
        f"<tr><td class='{'good' if status.success else 'bad'}'>{escape(status.value)}</td>"
        f"<td>{n:,}</td><td>{100 * n / len(many):.1f}&nbsp;%</td></tr>"
        for status, n in many.counts.items()
    )
    return (
        f"<style>{STYLE}</style><div class='mq'><div>{escape(_title(many))}</div><table>{counts}</table>"
        f"{_table(_quantiles(many))}{_table(_worst(many, 10))}"
        f"<div>{'<br>'.join(escape(line) for line in _advice(many))}</div></div>"
    )


def _table(rows: list[list[str]]) -> str:
    from html import escape

    cells = [[escape(cell) for cell in row] for row in rows]
    return "<table>" + "".join(f"<tr><td>{'</td><td>'.join(row)}</td></tr>" for row in cells) + "</table>"


def _title(many: ManyFits) -> str:
    """The model, how many fits, how fast, and where they were made."""
    title = f"{many.title.strip()}: {len(many):,} fits{_shape(many)}"
    if many.seconds > 0.0:
        made = len(many) - many.counts.get(Status.NOT_DONE, 0)
        title += f" in {many.seconds:.3g} s, {made / many.seconds:,.0f} a second"
    if many.remark is not None:
        title += f"; {many.remark}"
    single = int(np.count_nonzero(many.by_qr))
    return f"{title}; {single:,} by the minimizer of single fits" if single else title


def _advice(many: ManyFits) -> list[str]:
    """What to do about the ends that are failures."""
    return [f"{words(status)}: {status.advice}" for status in many.counts if not status.success]


def _shape(many: ManyFits) -> str:
    return f" ({' × '.join(map(str, many.shape))})" if len(many.shape) > 1 else ""


def _quantiles(many: ManyFits) -> list[list[str]]:
    """Of the certified fits: the middle and where four of five lie, and the typical standard error."""
    good = many.success.reshape(-1)
    rows = [["of the certified", "10 %", "median", "90 %", "std. error"]]
    for name in many.names:
        values, errors = (part[name].reshape(-1)[good] for part in (many.params, many.stderr))
        low, middle, high = np.quantile(values, [0.1, 0.5, 0.9]) if values.size else (np.nan,) * 3
        known = errors[np.isfinite(errors)]
        typical = f"{np.median(known):.2g}" if known.size else "-"
        rows.append([name, *(f"{v:.5g}" for v in (low, middle, high)), typical])
    chi2 = many.reduced_chi2.reshape(-1)[good]
    if np.isfinite(chi2).any():
        rows.append(["reduced chi2", *(f"{v:.5g}" for v in np.nanquantile(chi2, [0.1, 0.5, 0.9])), ""])
    return rows


def _worst(many: ManyFits, most: int) -> list[list[str]]:
    """Fits that failed, those that were not made, and those whose reduced chi-square stands out."""
    ends, chi2 = many.status.reshape(-1), many.reduced_chi2.reshape(-1)
    made = np.array([s.success for s in many.STATUSES])
    data = np.array([s.name in NOT_FITTED for s in many.STATUSES])
    size = np.where(np.isfinite(chi2), chi2, -np.inf)
    good = size[made[ends] & np.isfinite(size)]
    odd = size > FAR * np.median(good) if good.size else np.zeros(size.shape, dtype=bool)
    told = np.flatnonzero(~made[ends] | odd)
    rank = np.where(made[ends[told]], 2, np.where(data[ends[told]], 1, 0))
    order = told[np.lexsort((told, -size[told], rank))][:most]
    if not order.size:
        return []
    rows = [["worst", "reduced chi2", "why"]]
    for k in order.tolist():
        index = ", ".join(str(int(i)) for i in np.unravel_index(k, many.shape or (1,)))
        status = many.STATUSES[ends[k]]
        why = f"{size[k] / np.median(good):.3g} times the median" if status.success else status.value
        rows.append([index, f"{chi2[k]:.4g}" if np.isfinite(chi2[k]) else "-", why])
    return rows


def columns_of(many: ManyFits) -> dict[str, Array]:
    """The results by name, each shaped as the grid: estimates, "... stderr", and how each fit ended."""
    found: dict[str, Array] = {}
    for name in many.names:
        found[name], found[f"{name} stderr"] = many.params[name], many.stderr[name]
    return found | {
        "status": many.status, "points": many.n_points, "cost": many.cost,
        "reduced_chi2": many.reduced_chi2, "nfev": many.nfev,
    }  # fmt: skip


def many_frame(many: ManyFits) -> Any:
    """One row for each fit; the index is its place on the grid."""
    try:
        import pandas as pd  # type: ignore[import-untyped]
    except ImportError:
        raise MissingPackageError("to_pandas needs pandas: pip install pandas") from None
    columns = {name: values.reshape(-1) for name, values in columns_of(many).items()}
    names = [words(s) for s in many.STATUSES]
    columns["status"] = pd.Categorical.from_codes(columns["status"], names)
    index = None
    if len(many.shape) > 1:
        index = pd.MultiIndex.from_product([range(n) for n in many.shape])
        index.names = [f"dim_{k}" for k in range(len(many.shape))]
    return pd.DataFrame(columns, index=index)


def many_dataset(many: ManyFits, dims: Any, coords: Any) -> Any:
    """Variables on the grid; what the numbers of the status mean is told as CF's flags."""
    try:
        import xarray as xr
    except ImportError:
        raise MissingPackageError("to_xarray needs xarray: pip install xarray") from None
    names = tuple(f"dim_{k}" for k in range(len(many.shape))) if dims is None else tuple(dims)
    variables = {name.replace(" ", "_"): (names, values) for name, values in columns_of(many).items()}
    data = xr.Dataset(variables, coords=coords or {}, attrs={"model": many.title.strip()})
    data["status"].attrs = {
        "flag_values": np.arange(len(many.STATUSES), dtype=np.int8),
        "flag_meanings": " ".join(s.name for s in many.STATUSES),
    }
    return data
