"""One fit of many groups in words, tables and records."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import Status
from .groups import MOST_LINES, estimate, html_table, index_of, label_text, pandas
from .sentences import align

if TYPE_CHECKING:
    from ..curve.groups_result import GroupFit

MOST_NAMED = 5


def text(fit: GroupFit) -> str:
    """The report: status, shared parameters, the table of the groups, goodness, advice."""
    lines = [f"{fit.title}: {len(fit.labels)} groups by {fit.name}", fit.message, _numbers(fit)]
    if fit.shared_names:
        rows = [["shared", "estimate", "95 % interval", ""]]
        for p in fit.shared.values():
            low, high = p.interval()
            rows.append([p.name, estimate(p.value, p.stderr), f"[{low:.5g}, {high:.5g}]", _mark(p)])
        lines += ["", *align(rows)]
    lines += ["", *align(_table(fit))]
    if len(fit.labels) > MOST_LINES:
        lines.append(f"... and {len(fit.labels) - MOST_LINES} more: to_pandas() has all of them")
    lines += ["", _goodness(fit), f"derivatives: {fit.derivative}"]
    lines += ["", *[f"- {line}" for line in fit.advice]] if fit.advice else []
    return "\n".join(lines)


def _numbers(fit: GroupFit) -> str:
    return (
        f"{fit.n_points} points, {fit.n_free} parameters ({len(fit.own_names)} in each group, "
        f"{len(fit.shared_names)} shared), {fit.nfev} evaluations, {fit.njev} Jacobians, "
        f"rank {fit.rank} of {fit.n_free}"
    )


def _goodness(fit: GroupFit) -> str:
    g = fit.goodness
    if fit.sigma_known:
        said = f"chi-square {g.rss:.6g}, reduced chi-square {g.reduced_chi2:.6g}"
    else:
        s = math.sqrt(g.reduced_chi2) if g.reduced_chi2 >= 0 else math.nan
        said = f"rss {g.rss:.7g}, residual standard error {s:.6g}"
    return f"{said}, degrees of freedom {g.dof}, R² {g.r_squared:.6g}, AIC {g.aic:.6g}, BIC {g.bic:.6g}"


def _mark(p: Any) -> str:
    if p.at_bound:
        return f"at {'lower' if p.at_bound < 0 else 'upper'} bound"
    return "not determined" if math.isinf(p.stderr) else ""


def _table(fit: GroupFit) -> list[list[str]]:
    rows = [[fit.name, "points", *fit.own_names, "rss", ""]]
    for label in fit.labels[:MOST_LINES]:
        own = [fit.params[fit.full_name(n, label)] for n in fit.own_names]
        marks = [f"{n} {_mark(p)}" for n, p in zip(fit.own_names, own, strict=True) if _mark(p)]
        cells = [estimate(p.value, p.stderr) for p in own]
        points = str(fit.of_data(label).n_points)
        rows.append([label_text(label), points, *cells, f"{fit.group_rss[label]:.5g}", ", ".join(marks)])
    return rows


def html_of(fit: GroupFit) -> str:
    rows = [["shared", "estimate"], *[[p.name, estimate(p.value, p.stderr)] for p in fit.shared.values()]]
    title = f"{fit.title}: {len(fit.labels)} groups by {fit.name}, {fit.status.value}"
    return html_table(rows, title) + html_table(_table(fit), _goodness(fit))


def frame(fit: GroupFit) -> Any:
    """One row per group."""
    own, errors = fit._outcome.x.own, fit.stderr[: len(fit.labels) * len(fit.own_names)]
    errors = errors.reshape(own.shape)
    columns: dict[str, Any] = {}
    for k, name in enumerate(fit.own_names):
        columns[name], columns[f"{name} stderr"] = own[:, k], errors[:, k]
    columns["points"] = [fit.of_data(label).n_points for label in fit.labels]
    columns["rss"] = list(fit.group_rss.values())
    return pandas().DataFrame(columns, index=index_of(fit.labels, fit.name))


def record(fit: GroupFit) -> dict[str, Any]:
    """Ready for JSON: what is not finite becomes None."""
    groups = []
    for label in fit.labels:
        own = {n: _entry(fit.params[fit.full_name(n, label)]) for n in fit.own_names}
        entry = {"group": list(label) if isinstance(label, tuple) else label, "params": own}
        groups.append(entry | {"points": fit.of_data(label).n_points, "rss": _finite(fit.group_rss[label])})
    return {
        "title": fit.title, "group": fit.name, "status": fit.status.name, "message": fit.message,
        "success": fit.success, "unique": fit.unique,
        "shared": {p.name: _entry(p) for p in fit.shared.values()}, "groups": groups,
        "rss": _finite(fit.rss), "dof": fit.dof, "reduced_chi2": _finite(fit.reduced_chi2),
        "aic": _finite(fit.aic), "bic": _finite(fit.bic), "nfev": fit.nfev, "njev": fit.njev,
        "certificate": {k: _finite(v) for k, v in fit.certificate.items()}, "advice": list(fit.advice),
    }  # fmt: skip


def _entry(p: Any) -> dict[str, Any]:
    return {"value": _finite(p.value), "stderr": _finite(p.stderr), "at_bound": p.at_bound}


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def advice(fit: GroupFit) -> tuple[str, ...]:
    """By group and parameter."""
    said = []
    if fit.status.advice:
        said.append(fit.status.advice)
    lost = fit.undetermined()
    for names in lost[:MOST_NAMED]:
        if len(names) == 1:
            said.append(f"the data do not determine {names[0]}: fix or share it, or add data of that group")
        else:
            said.append(f"only a combination of {', '.join(names)} is determined: fix or share one of them")
    if len(lost) > MOST_NAMED:
        said.append(f"{len(lost) - MOST_NAMED} more combinations are not determined: undetermined() has them")
    if fit.status is Status.RUNAWAY:
        said.append(f"runs to infinity: {', '.join(fit.runaway()[:MOST_NAMED])}")
    few = np.array([fit.of_data(k).n_points for k in fit.labels]) < len(fit.own_names)
    if few.any():
        label = fit.labels[int(np.argmax(few))]
        said.append(f"{int(few.sum())} groups have fewer points than own parameters, first {label!r}")
    return tuple(said)
