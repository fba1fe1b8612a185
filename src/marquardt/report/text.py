"""The printed report."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .penalty import penalty_lines
from .sentences import align, join

if TYPE_CHECKING:
    from ..curve.result import FitResult
    from ..solve.estimates import Parameter
    from ..solve.result import Result

WIDTH = 100
STRONG = 0.9
"""Correlations above this are named."""


def text(fit: FitResult, level: float = 0.95) -> str:
    """Status, estimates, goodness, strong correlations and advice."""
    parts = [heading(fit), "", *table(fit, level), "", *goodness_lines(fit), *penalty_lines(fit)]
    parts += correlation_lines(fit)
    if fit.advice:
        parts += ["", *[_wrap("- " + sentence) for sentence in fit.advice]]
    return "\n".join(parts)


def heading(fit: FitResult) -> str:
    """Title, status sentence and what was fitted to what."""
    return "\n".join([fit.title, fit.message, facts(fit)])


def facts(fit: FitResult) -> str:
    """Counts in one line."""
    points = f"{fit.n_points} point{'s' if fit.n_points != 1 else ''}"
    if fit.dropped:
        points += f" ({fit.dropped} row{'' if fit.dropped == 1 else 's'} dropped: a value was missing)"
    n = len(fit.free_names)
    parts = [points, f"{n} free parameter{'s' if n != 1 else ''}", f"{fit.nfev} + {fit.njev} evaluations"]
    if fit.search is not None:
        parts.append(f"start found: {fit.search.n_reached} of {fit.search.n_finished} best ended here")
    return ", ".join(parts) + f"\nderivatives: {fit.derivative}"


def table(fit: FitResult, level: float = 0.95) -> list[str]:
    """The table of parameters, as aligned lines."""
    return align([header(level), *[row(p, level) for p in fit.params.values()]])


def header(level: float) -> list[str]:
    return ["parameter", "estimate", "std. error", "relative", f"{100 * level:g} % interval", "start", ""]


def row(p: Parameter, level: float = 0.95) -> list[str]:
    """Cells of one parameter."""
    if p.fixed:
        return [p.name, number(p.value, p.stderr), "", "", "", "", "fixed"]
    start = "found" if math.isnan(p.start) else f"{p.start:.6g}"
    if p.at_bound:
        mark = f"at {'lower' if p.at_bound < 0 else 'upper'} bound"
        return [p.name, number(p.value, math.nan), "-", "-", "-", start, mark]
    if math.isinf(p.stderr):
        return [p.name, number(p.value, math.nan), "inf", "-", "unlimited", start, "not determined"]
    if math.isnan(p.stderr):
        return [p.name, number(p.value, math.nan), "undefined", "-", "-", start, ""]
    low, high = p.interval(level)
    return [
        p.name, number(p.value, p.stderr), f"± {p.stderr:.3g}", percent(p.relative_error),
        f"[{number(low, p.stderr)}, {number(high, p.stderr)}]", start, "",
    ]  # fmt: skip


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


def goodness_pairs(fit: FitResult) -> list[tuple[str, str]]:
    """Names and values of the goodness numbers."""
    g = fit.goodness
    pairs = [("rss", f"{g.rss:.7g}")]
    if fit.sigma_known:
        pairs = [("chi-square", f"{g.rss:.6g}"), ("reduced chi-square", _or_undefined(g.reduced_chi2))]
    else:
        s = math.sqrt(g.reduced_chi2) if g.reduced_chi2 >= 0 else math.nan
        pairs.append(("residual standard error", _or_undefined(s)))
    pairs.append(("degrees of freedom", str(g.dof) if isinstance(g.dof, int) else f"{g.dof:.2f}"))
    if g.dof <= 0:
        return pairs
    pairs += [("R²", f"{g.r_squared:.6g}")] if math.isfinite(g.r_squared) else []
    if math.isfinite(g.aic):
        pairs += [("AIC", f"{g.aic:.6g}"), ("BIC", f"{g.bic:.6g}")]
    return pairs


def goodness_lines(fit: FitResult) -> list[str]:
    return [", ".join(f"{name} {value}" for name, value in goodness_pairs(fit))]


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


def correlation_lines(fit: FitResult) -> list[str]:
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
