"""The printed report."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ..curve.count_result import CountFit
from ..curve.result import FitResult
from . import multistart
from .counts import count_pairs, family_lines
from .penalty import penalty_lines
from .sentences import align, join

if TYPE_CHECKING:
    from ..solve.estimates import Parameter
    from ..solve.result import Result

WIDTH = 100
STRONG = 0.9
"""Correlations above this are named."""


SLOW = 0.1
"""From this contraction on Gauss-Newton steps alone would be slow."""


def text(result: Result, level: float = 0.95) -> str:
    """Status, estimates, goodness, certificate, strong correlations and advice."""
    parts = [heading(result), "", *table(result, level), "", *goodness_lines(result)]
    parts += [*loss_lines(result), *family_lines(result)]
    parts += [*penalty_lines(result)] if isinstance(result, FitResult) else []
    parts += [certificate_line(result), *correlation_lines(result)]
    if result.advice:
        parts += ["", *[_wrap("- " + sentence) for sentence in result.advice]]
    return "\n".join(parts)


def heading(result: Result) -> str:
    """Title, status sentence and what was fitted to what."""
    return "\n".join([result.title, _wrap(result.message), facts(result)])


def facts(result: Result) -> str:
    """Counts in one line, and how derivatives were made."""
    n = len(result.free_names)
    counts = [f"{n} free parameter{'s' * (n != 1)}", f"{result.nfev} + {result.njev} evaluations"]
    m = result.n_points
    if not isinstance(result, FitResult):
        counts.insert(0, f"{m} residual{'s' * (m != 1)}")
    else:
        points = _points(result)
        if result.dropped:
            points += f" ({result.dropped} row{'s' * (result.dropped != 1)} dropped: a value was missing)"
        counts.insert(0, points)
        if result.multistart is not None:
            counts.append(multistart.line(result.multistart))
    if result.n_escapes:
        counts.append("left a saddle" if result.n_escapes == 1 else f"left {result.n_escapes} saddles")
    lines = [_wrap(", ".join(counts)), *(weighting(result) if isinstance(result, FitResult) else [])]
    return "\n".join([*lines, f"derivatives: {result.derivative}{_projected(result)}"])


def _projected(result: Result) -> str:
    """Which parameters the search projects out."""
    linear = result.linear_params if isinstance(result, FitResult) else ()
    if not linear:
        return ""
    return f"; linear in {', '.join(linear) if len(linear) <= 12 else f'{len(linear)} parameters'}"


def _points(fit: FitResult) -> str:
    m = fit.n_points
    if fit.sample.observed.dtype.kind == "c":
        return f"{m // 2} complex points (2 x {m // 2} numbers)" if m % 2 == 0 else f"{m} real numbers"
    return f"{m} point{'s' * (m != 1)}"


def weighting(fit: FitResult) -> list[str]:
    """What is not seen from the numbers: errors that are correlated, or follow from the prediction."""
    said = ["errors correlated by a covariance matrix"] if fit.correlated else []
    found = fit.reweighting
    if found is not None:
        said.append(f"{found.name} from the prediction, {found.rounds} round{'s' * (found.rounds != 1)}")
    return said


def certificate_line(result: Result) -> str:
    """Rank and condition; digits where they cost nothing, and a contraction worth knowing."""
    c, n = result.certificate, len(result.free_names)
    parts = [f"rank {c.rank} of {n}", f"condition {c.condition:.2g}" if result.unique else "not unique"]
    if c.is_cheap and c.contraction >= SLOW:
        parts.append(f"contraction {c.contraction:.2g}")
    if c.is_cheap:
        parts.append(_digits(result))
    return f"certificate: {', '.join(parts)}"


def _digits(result: Result) -> str:
    """The fewest over the parameters that are determined."""
    lost = {name for group in result.flat for name in group.names}
    digits = min((d for name, d in result.certificate.digits.items() if name not in lost), default=math.nan)
    if not digits >= 1.0:
        return "no digit certain"
    return f"{math.floor(digits)} digits computed right" + (" where determined" if lost else "")


def table(result: Result, level: float = 0.95) -> list[str]:
    """The table of parameters, as aligned lines."""
    return align([header(level), *[row(p, level) for p in result.params.values()]])


def header(level: float) -> list[str]:
    return ["parameter", "estimate", "std. error", "relative", f"{100 * level:g} % interval", "start", ""]


def row(p: Parameter, level: float = 0.95) -> list[str]:
    """Cells of one parameter."""
    start = "found" if math.isnan(p.start) else f"{p.start:.6g}"
    tied = [f"= {p.expression}"] if p.expression not in ("", p.name) else []
    if p.fixed:
        return [p.name, number(p.value, p.stderr), "", "", "", "", ", ".join(tied or ["fixed"])]
    mark = ", ".join([*tied, *marks(p)])
    if p.at_bound:
        return [p.name, number(p.value, math.nan), "-", "-", "-", start, mark]
    if math.isinf(p.stderr):
        return [p.name, number(p.value, math.nan), "inf", "-", "unlimited", start, mark]
    if math.isnan(p.stderr):
        return [p.name, number(p.value, math.nan), "undefined", "-", "-", start, mark]
    low, high = p.interval(level)
    return [
        p.name, number(p.value, p.stderr), f"± {p.stderr:.3g}", percent(p.relative_error),
        f"[{number(low, p.stderr)}, {number(high, p.stderr)}]", start, mark,
    ]  # fmt: skip


def marks(p: Parameter) -> list[str]:
    """What is to be remarked of a free parameter."""
    if p.at_bound:
        return [f"at {'lower' if p.at_bound < 0 else 'upper'} bound" + ("" if p.pull else ", no pull")]
    return ["not determined"] if math.isinf(p.stderr) else []


def number(value: float, stderr: float) -> str:
    """A value to two digits beyond the first of its standard error, between 4 and 10 digits.

    >>> number(212.683742, 6.947), number(0.5, float("nan"))
    ('212.68', '0.5')
    """
    digits = 7
    if math.isfinite(stderr) and stderr > 0.0 and value:
        digits = math.floor(math.log10(abs(value))) - math.floor(math.log10(stderr)) + 3
    return f"{value:.{min(max(digits, 4), 10)}g}"


def percent(relative: float) -> str:
    if not math.isfinite(relative):
        return "-"
    if relative >= 10.0 or (relative and relative < 1e-6):
        return f"{100 * relative:.1e} %"
    return f"{100 * relative:.2g} %" if relative < 1.0 else f"{100 * relative:.0f} %"


def goodness_pairs(fit: Result) -> list[tuple[str, str]]:
    """Names and values of the goodness numbers."""
    if not isinstance(fit, FitResult):
        return [("cost", f"{fit.cost:.7g}"), ("degrees of freedom", _count(fit.dof))]
    if fit.loss is not None:
        return [("cost", f"{fit.cost:.7g}"), ("degrees of freedom", _count(fit.dof))]
    if isinstance(fit, CountFit):
        return count_pairs(fit)
    g = fit.goodness
    pairs = [("rss", f"{g.rss:.7g}")]
    if fit.sigma_known:
        pairs = [("chi-square", f"{g.rss:.6g}"), ("reduced chi-square", _or_undefined(g.reduced_chi2))]
    else:
        s = math.sqrt(g.reduced_chi2) if g.reduced_chi2 >= 0 else math.nan
        pairs.append(("residual standard error", _or_undefined(s)))
    pairs.append(("degrees of freedom", _count(g.dof)))
    if g.dof <= 0:
        return pairs
    pairs += [("R²", f"{g.r_squared:.6g}")] if math.isfinite(g.r_squared) else []
    if math.isfinite(g.aic):
        pairs += [("AIC", f"{g.aic:.6g}"), ("BIC", f"{g.bic:.6g}")]
    return pairs


def _count(dof: float) -> str:
    """Degrees of freedom; those of a penalized fit are no integers."""
    return str(dof) if isinstance(dof, int | np.integer) else f"{dof:.2f}"


def goodness_lines(fit: Result) -> list[str]:
    return [", ".join(f"{name} {value}" for name, value in goodness_pairs(fit))]


def loss_lines(fit: Result) -> list[str]:
    """The loss with its scale, the noise found, and the outliers by row."""
    if fit.loss is None:
        return []
    lines = [
        f"loss {fit.loss.title} with scale {fit.loss.scale:.6g}, noise of the good points {fit.noise:.4g}"
    ]
    return lines + ([_wrap(outlier_line(fit))] if isinstance(fit, FitResult) else [])


MOST_NAMED = 12


def outlier_line(fit: FitResult) -> str:
    """Which rows are outliers, with their x where there is one."""
    found = fit.outliers
    if not found:
        return "no outliers"
    name = fit.sample.single_x[1]
    rows = [f"{o.row} ({name} = {o.x:.4g})" if name else str(o.row) for o in found[:MOST_NAMED]]
    more = [f"{len(found) - MOST_NAMED} more"] if len(found) > MOST_NAMED else []
    rule = "1 % of such are expected to be none"
    many = len(found) > 1
    return f"{len(found)} outlier{'s' * many}, row{'s' * many} {join(rows + more)}; {rule}"


def strong_correlations(fit: Result) -> list[tuple[str, str, float]]:
    """Pairs of parameters correlated above 0.9, strongest first."""
    c, names = fit.correlation, fit.free_names
    pairs = [
        (names[i], names[j], float(c[i, j]))
        for i in range(len(names))
        for j in range(i + 1, len(names))
        if abs(c[i, j]) > STRONG
    ]
    return sorted(pairs, key=lambda pair: -abs(pair[2]))


def correlation_lines(fit: Result) -> list[str]:
    strong = strong_correlations(fit)
    if not strong:
        return []
    shown = [f"{a} and {b} {_three(r)}" for a, b, r in strong[:6]]
    more = [f"{len(strong) - 6} more pairs"] if len(strong) > 6 else []
    return [_wrap(f"correlations above {STRONG:g}: {join(shown + more)}")]


def _three(r: float) -> str:
    """Three digits, more where a correlation would round to one."""
    for digits in range(3, 9):
        shown = f"{r:.{digits}f}"
        if abs(float(shown)) < 1.0:
            return shown
    return f"{r:.0f}"


def _or_undefined(value: float) -> str:
    return f"{value:.6g}" if math.isfinite(value) else "undefined"


def _wrap(line: str) -> str:
    import textwrap

    return textwrap.fill(line, WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
