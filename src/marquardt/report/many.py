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
FAILED = (Status.NOT_A_MINIMUM, Status.STALLED, Status.RUNAWAY, Status.MAX_EVALUATIONS, Status.BAD_START)
"""Ends that are worth a look: shown first among the worst."""


def words(status: Status) -> str:
    """A status in tables: its name in lower case.

    >>> words(Status.CONVERGED_AT_BOUND)
    'converged at bound'
    """
    return status.name.lower().replace("_", " ")


def many_text(many: ManyFits, worst: int) -> str:
    """Counts of the ends, quantiles of the estimates, and the worst fits."""
    lines = [f"{many.title.strip()}: {len(many):,} fits{_shape(many)}", ""]
    ends = many.status.reshape(-1)
    codes, counts = np.unique(ends, return_counts=True)
    for n, code in sorted(zip(counts.tolist(), codes.tolist(), strict=True), reverse=True):
        lines.append(f"{n:>10,}  {100 * n / len(many):5.1f} %  {many.STATUSES[code].value}")
    lines += ["", *align(_quantiles(many))]
    if worst and (found := _worst(many, worst)):
        lines += ["", *align(found)]
    return "\n".join(lines)


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
    """Fits that failed, then those with the largest reduced chi-square."""
    ends, chi2 = many.status.reshape(-1), many.reduced_chi2.reshape(-1)
    failed = np.isin(ends, [many.STATUSES.index(s) for s in FAILED])
    size = np.where(np.isfinite(chi2), chi2, -np.inf)
    order = np.lexsort((-size, ~failed))[:most]
    order = order[failed[order] | np.isfinite(chi2[order])]
    if not order.size:
        return []
    rows = [["worst", "reduced chi2", "status"]]
    for k in order.tolist():
        place = np.unravel_index(k, many.shape or (1,))
        index = ", ".join(str(int(i)) for i in place)
        rows.append([index, f"{chi2[k]:.4g}" if np.isfinite(chi2[k]) else "-", words(many.STATUSES[ends[k]])])
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
