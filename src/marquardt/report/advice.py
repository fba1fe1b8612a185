"""Advice: what is weak about a fit, which parameter or data are guilty, and what to do."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import MarquardtError, Status
from .counts import count_advice, edge_advice
from .penalty import penalty_advice
from .sentences import has_run, join, moved, values_of

if TYPE_CHECKING:
    from ..curve.result import FitResult
    from ..solve.estimates import Parameter
    from ..solve.result import Result

BARELY = 0.5
"""A relative standard error above this makes a parameter barely determined."""
ROUNDING_LEVEL = 1e-12
"""Residuals below this part of the response are rounding, not noise."""
IMPROBABLE = 1e-3


def advice(result: Result) -> tuple[str, ...]:
    """All sentences that apply to any minimization, the most important first."""
    return tuple(sentence for rule in RULES for sentence in rule(result))


def curve_advice(fit: FitResult) -> tuple[str, ...]:
    """The same, and what the data say about the curve; nothing about one that is not at its minimum."""
    rules = CURVE_RULES if fit.success else (_far_from_zero,)
    return (*advice(fit), *edge_advice(fit), *(sentence for rule in rules for sentence in rule(fit)))


def _ending(fit: Result) -> Iterator[str]:
    if fit.status is Status.STALLED and fit.reason in STALLED:
        yield STALLED[fit.reason]
    elif fit.status is Status.RUNAWAY and not any(has_run(fit.params[name]) for name in fit.runaway):
        yield "The cost is lower, or may be, where that parameter has an effect: start there, or fix it."
    elif not fit.success:
        yield fit.status.advice


STALLED = {
    "jumps": "The function is not smooth here (rounding, integers, a table; a root or an absolute value "
    "at 0): start elsewhere, smooth it, or search that parameter on a grid.",
    "singular": "Choose a damped method (method='auto'), or fix a parameter that has no effect at the start.",
    "diverged": "Choose a damped method (method='auto'), or start nearer to the minimum.",
    "noise": "The point is the best that rounding allows; improve it by writing the residuals with less "
    "cancellation, or by exact derivatives.",
}
"""What to do about a search that stalled, by the reason."""


def _rivals(fit: FitResult) -> Iterator[str]:
    """Other ends of the search that are as low: the data do not choose between them."""
    if fit.multistart is None or not fit.multistart.rivals:
        return
    best = fit.multistart.optima[0].params
    for other in fit.multistart.rivals:
        differing = [n for n in fit.free_names if abs(other.params[n] - best[n]) > 1e-3 * abs(best[n])]
        at = join([f"{name} = {other.params[name]:.6g}" for name in differing])
        low = "As low" if other.status.success else "Lower or as low, but not certified,"
        yield f"{low} is the cost at {at}: bounds or starting values can tell which is meant."


def _wrong_jacobian(fit: Result) -> Iterator[str]:
    if fit.defect:
        yield "Correct jac, or leave it out: derivatives are then exact where the function can be traced."


def _not_unique(fit: Result) -> Iterator[str]:
    if fit.n_points < len(fit.free_names) or fit.reason == "jumps":
        return  # said otherwise
    if fit.status in (Status.RUNAWAY, Status.NOT_A_MINIMUM):
        return  # flat here, not elsewhere
    for group in fit.flat:
        if len(group.names) == 1:
            name = repr(group.names[0])
            yield f"{name} has no effect on the model for these {fit.evidence}: fix it, or remove it."
            continue
        names = join([repr(n) for n in group.names])
        what = f"only {group.formula} = {group.value:.5g} is determined"
        if not group.formula:
            what = f"changing them together by {moved(group, values_of(fit))} has no effect"
        count = "one" if len(group.directions) == 1 else str(len(group.directions))
        yield f"{names} cannot be told apart: {what}. Fix {count}, or add data that separate them."


def _few_points(fit: Result) -> Iterator[str]:
    n, p = fit.n_points, len(fit.free_names)
    of_data = fit.evidence == "data"
    if n < p and not fit.unique:
        points = ("point" if of_data else "residual") + "s" * (n != 1)
        more = "add data" if of_data else "add residuals"
        yield f"{n} {points} cannot determine {p} parameters: fix at least {p - n} of them, or {more}."
    elif of_data and fit.dof <= 0 and not fit.sigma_known:
        yield "No degree of freedom is left: standard errors are undefined. Add data, or give a known sigma."


def _at_bound(fit: Result) -> Iterator[str]:
    for p in fit.params.values():
        if p.at_bound:
            side, way = ("lower", "below") if p.at_bound < 0 else ("upper", "above")
            where = f"{p.name} ended at its {side} bound {p.value:g}"
            yield (
                f"{where}: the data pull it {way} (the cost would fall by {abs(p.pull):.2g} per unit). "
                "Check that the bound is meant; the other standard errors take it as known."
                if p.pull
                else f"{where}, just where the data put it: the bound changes nothing but the standard "
                "errors, which take it as known."
            )


def _barely(fit: FitResult) -> Iterator[str]:
    if _at_rounding_level(fit):
        return
    for p in fit.params.values():
        if (
            p.fixed
            or p.expression
            or p.at_bound
            or not math.isfinite(p.stderr)
            or p.stderr <= BARELY * abs(p.value)
        ):
            continue
        size = f"± {100 * p.relative_error:.0f} %" if p.relative_error < 100 else f"± {p.stderr:.2g}"
        yield f"{p.name} is barely determined ({size}){_where_data_lack(fit, p)}."


def _where_data_lack(fit: FitResult, parameter: Parameter) -> str:
    """Where one more point would help this parameter most: below, above or inside the data."""
    x, name = fit.sample.single_x
    if x is None or x.size < 2 or np.ptp(x) == 0 or fit.family is not None:
        return ""  # and what a count would tell depends on its mean
    low, high = float(x.min()), float(x.max())
    grid = _grid(low, high)
    try:
        gain = _gain(fit, fit.free_names.index(parameter.name), grid)
    except (MarquardtError, ArithmeticError, ValueError, TypeError):
        return ""
    if gain is None:
        return ""
    best = float(grid[int(np.argmax(gain))])
    inside = gain[(grid >= low) & (grid <= high)].max(initial=0.0)
    if gain.max() < 1.5 * inside:
        best = float(grid[int(np.argmax(np.where((grid >= low) & (grid <= high), gain, -1.0)))])
        return f": more data near {name} = {best:.3g} would help most"
    if best < low:
        return f": no data below {name} = {low:.4g}"
    return f": no data above {name} = {high:.4g}"


def _grid(low: float, high: float) -> NDArray[np.float64]:
    """The range of the data and as much again on both sides, not across zero."""
    span = high - low
    begin = low - span
    if low > 0.0:
        begin = max(begin, low * 0.02)
    end = min(high + span, high * 0.02) if high < 0.0 else high + span
    return np.concatenate(
        [
            np.linspace(begin, low, 40, endpoint=False),
            np.linspace(low, high, 41),
            np.linspace(high, end, 41)[1:],
        ]
    )


def _gain(fit: FitResult, j: int, grid: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Part of the variance of parameter j that one more observation at each point would remove.

    ``(C g)_j^2 / (C_jj (s^2 + g'C g))`` by the Sherman-Morrison formula.
    """
    G = fit.gradient_at(grid)
    C = fit.covariance_space
    if G.shape != (grid.size, len(fit.free_names)) or not np.isfinite(G).all():
        return None
    Cg = G @ C
    noise = fit.typical_variance
    gain = Cg[:, j] ** 2 / (C[j, j] * (noise + np.einsum("ij,ij->i", Cg, G)))
    return gain if np.isfinite(gain).all() else None


def _at_rounding_level(fit: FitResult) -> bool:
    size = fit.response_size
    return fit.dof > 0 and math.sqrt(fit.rss / max(fit.n_points, 1)) <= ROUNDING_LEVEL * size


FAR_FROM_ZERO = 1e4
"""An x whose mean is so many times its spread makes powers of it nearly parallel."""


def _far_from_zero(fit: FitResult) -> Iterator[str]:
    x, name = fit.sample.single_x
    if x is None or x.size < 3 or fit.success:
        return
    middle, spread = float(np.mean(x)), float(np.std(x))
    if 0.0 < FAR_FROM_ZERO * spread < abs(middle) and fit.certificate.condition > 1e7:
        yield (
            f"{name} lies far from zero beside its spread ({middle:.4g} ± {spread:.2g}), and digits "
            f"cancel: write the model in {name} - {middle:.4g}."
        )


def _rounding(fit: FitResult) -> Iterator[str]:
    if _at_rounding_level(fit):
        yield (
            f"The residuals are at rounding level (rss {fit.rss:.2g}): the model goes through the data, "
            "and the standard errors mean little."
        )


def _chi_square(fit: FitResult) -> Iterator[str]:
    if (
        fit.loss is not None
        or fit.family is not None
        or not fit.sigma_known
        or fit.dof <= 0
        or not math.isfinite(fit.rss)
    ):
        return
    from scipy.special import gammainc, gammaincc

    half, value = fit.dof / 2.0, fit.reduced_chi2
    if value > 1.0 and gammaincc(half, fit.rss / 2.0) < IMPROBABLE:
        yield (
            f"Reduced chi-square {value:.3g} is improbable: the model misses something, "
            f"or sigma is too small (by a factor {math.sqrt(value):.2g} if the model is right)."
        )
    elif value < 1.0 and gammainc(half, fit.rss / 2.0) < IMPROBABLE:
        factor = 1 / math.sqrt(value) if value else math.inf
        yield f"Reduced chi-square {value:.3g} is improbably small: sigma looks {factor:.2g} times too large."


def _runs(fit: FitResult) -> Iterator[str]:
    """Wald, Wolfowitz (1940): residuals of a right model change sign about every second point."""
    x, name = fit.sample.single_x
    residuals = fit.sample.residuals
    if x is None or residuals.size != x.size or _at_rounding_level(fit):
        return
    if fit.family is not None:  # where a mean is below 1/2 most of its counts are 0
        return
    signs = np.sign(residuals[np.argsort(x, kind="stable")])
    signs = signs[signs != 0]
    up, down = int((signs > 0).sum()), int((signs < 0).sum())
    n = up + down
    if n < 20 or up == 0 or down == 0:
        return
    runs = 1 + int((signs[1:] != signs[:-1]).sum())
    expected = 1 + 2 * up * down / n
    spread = math.sqrt(max((expected - 1) * (expected - 2) / (n - 1), 1e-300))
    if (runs - expected) / spread < -4.0:
        yield (
            f"The residuals come in long runs of one sign along {name} ({runs}, expected {expected:.0f}): "
            "the model misses a feature of the data, and the standard errors are too small."
        )


def _reweighting(fit: FitResult) -> Iterator[str]:
    found = fit.reweighting
    if found is not None and not found.settled:
        yield (
            f"{found.name} = {found.formula} did not settle in {found.rounds} rounds (the last one asked for "
            f"changes of up to {100 * found.change:.2g} %): the weights are not those of this curve. "
            "Look where the prediction is small (the formula may need a floor, as in 0.05*abs(mu) + 0.1) "
            "and where the formula jumps."
        )


RULES: tuple[Callable[[Result], Iterator[str]], ...] = (
    _wrong_jacobian, _ending, _not_unique, _few_points, _at_bound,
)  # fmt: skip
CURVE_RULES: tuple[Callable[[FitResult], Iterator[str]], ...] = (
    _rivals,
    _rounding,
    _barely,
    _chi_square,
    count_advice,
    _runs,
    _reweighting,
    penalty_advice,
)
