"""Sentences about a result: how it ended, with both numbers, and names in prose."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from ..errors import Status
from ..solve.certificate import ZERO

if TYPE_CHECKING:
    from ..solve.estimates import Parameter
    from ..solve.flat import Flat
    from ..solve.result import Result


def message(result: Result) -> str:
    """The status as a sentence with both numbers of the comparison that decided."""
    if result.status is Status.INTERRUPTED:
        return (
            f"interrupted after {result.nfev} evaluations at cost {result.cost:.6g}: "
            "the best point is returned"
        )
    ending = _ENDINGS.get(result.status)
    how = ending(result) if ending else str(result.status.value)
    return f"{how}: {result.defect or comparison(result)}"


def comparison(result: Result) -> str:
    """The numbers that certify the end, or both of those that fail to."""
    c = result.certificate
    if c.offset <= c.tolerance:
        return f"relative offset {c.offset:.1e} <= tolerance {c.tolerance:.1e}"
    if c.scaled_gradient <= ZERO:
        return f"gradient zero to rounding, {c.scaled_gradient:.1f} <= {ZERO:g} rounding errors"
    return (
        f"relative offset {c.offset:.1e} > tolerance {c.tolerance:.1e}, "
        f"gradient {c.scaled_gradient:.2g} > {ZERO:g} rounding errors"
    )


def _at_bound(result: Result) -> str:
    at = [
        f"{p.name!r} at its {'lower' if p.at_bound < 0 else 'upper'} bound {p.value:g}"
        for p in result.params.values()
        if p.at_bound
    ]
    return f"converged with {join(at)}"


def _not_unique(result: Result) -> str:
    groups = result.flat
    names = [repr(n) for group in groups for n in group.names]
    determined = [f"{g.formula} = {g.value:.5g}" for g in groups if g.formula]
    only = f", only {join(determined)}" if determined else ""
    if not names:
        return f"converged, but the {result.evidence} do not determine every parameter"
    return f"converged, but the {result.evidence} do not determine {join(names)}{only}"


def _not_a_minimum(result: Result) -> str:
    where = f" along {direction(result.descent, values_of(result))}" if result.descent else ""
    value = result.certificate.smallest_eigenvalue
    curvature = f", smallest eigenvalue {value:.2g} < 0" if value < 0 else ""
    return f"not a minimum, the cost falls{where}{curvature}"


def _runaway(result: Result) -> str:
    parts = []
    for name in result.runaway:
        p = result.params[name]
        if has_run(p):
            parts.append(f"{name!r} runs away (from {p.start:.3g} to {p.value:.3g})")
        else:
            parts.append(f"{name!r} (at {p.value:.3g}) is out of the reach of the {result.evidence}")
    return f"{join(parts)}, and the sum of squares tends to {result.rss:.5g}"


FAR = 10.0
"""So many times as large as at its start a parameter has run away; another has no effect where it is."""


def has_run(p: Parameter) -> bool:
    """Is it far from its start?"""
    return abs(p.value) >= FAR * abs(p.start) > 0.0


def _stalled(result: Result) -> str:
    if result.defect:
        return "stalled"
    return f"stalled, {REASONS.get(result.reason, 'no step lowers the cost')}"


REASONS = {
    "noise": "what a step could gain is below the rounding error of the cost",
    "spacing": "the step is below the spacing of floating-point numbers",
    "trials": "no trial step lowers the cost",
    "singular": "the Jacobian is singular and the undamped step does not exist",
    "diverged": "the undamped step leads where the residuals are not finite",
    "jumps": "the residuals jump, or have no derivative, where it seems to be zero",
}
"""Why a search ended short of a certificate, by its word in `marquardt.solve.trace.REASONS`."""

_ENDINGS: Mapping[Status, Callable[[Result], str]] = {
    Status.CONVERGED_AT_BOUND: _at_bound,
    Status.NOT_UNIQUE: _not_unique,
    Status.NOT_A_MINIMUM: _not_a_minimum,
    Status.RUNAWAY: _runaway,
    Status.STALLED: _stalled,
    Status.MAX_EVALUATIONS: lambda r: f"evaluation limit reached after {r.nfev} evaluations",
}


def values_of(result: Result) -> dict[str, float]:
    """Values by name."""
    return dict(zip(result.names, result.x.tolist(), strict=True))


def direction(changes: Mapping[str, float], values: Mapping[str, float]) -> str:
    """Changes of parameters in prose: in percent of each, the largest 1 %; absolute where one is zero.

    >>> direction({"a": 2.0, "b": -1.0}, {"a": 10.0, "b": 10.0})
    "('a' +1 %, 'b' -0.5 %)"
    """
    relative = {n: d / abs(values[n]) if values[n] else d for n, d in changes.items()}
    largest = max((abs(r) for r in relative.values()), default=0.0) or 1.0
    parts = [
        f"{n!r} {r / largest:+.2g} %" if values[n] else f"{n!r} {0.01 * r / largest:+.2g}"
        for n, r in relative.items()
        if abs(r) > 1e-3 * largest
    ]
    return f"({', '.join(parts)})"


def moved(group: Flat, values: Mapping[str, float]) -> str:
    """The flat directions of a group in prose."""
    return join(
        [direction(dict(zip(group.names, d.tolist(), strict=True)), values) for d in group.directions]
    )


def join(parts: Sequence[str]) -> str:
    """A list in prose.

    >>> join(["a", "b", "c"])
    'a, b and c'
    """
    return ", ".join(parts[:-1]) + " and " + parts[-1] if len(parts) > 1 else "".join(parts)


def align(rows: list[list[str]]) -> list[str]:
    """Columns of equal width: the first and the last flush left, the others flush right."""
    last = len(rows[0]) - 1
    widths = [max(len(cells[k]) for cells in rows) for k in range(last + 1)]
    lines = []
    for cells in rows:
        padded = [
            c.ljust(w) if k in (0, last) else c.rjust(w)
            for k, (c, w) in enumerate(zip(cells, widths, strict=True))
        ]
        lines.append("  ".join(padded).rstrip())
    return lines
