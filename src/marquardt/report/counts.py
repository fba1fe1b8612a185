"""Fits of counts: lines of the report, and advice."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from ..curve.count_result import CountFit
from ..errors import Status

if TYPE_CHECKING:
    from ..solve.result import Result

CLEAR = 4.0
"""Standard deviations by which Pearson's chi-square must be off to be spoken of."""
EDGE = 1e-3
"""A mean below this part of the median mean, where nothing was counted, may be an edge the fit ran into."""


def count_pairs(fit: CountFit) -> list[tuple[str, str]]:
    """Names and values of the goodness numbers."""
    g = fit.goodness
    pairs = [("deviance", f"{fit.deviance:.6g}"), ("Pearson chi-square", f"{fit.chi2:.6g}")]
    pairs += [("per degree of freedom", f"{g.reduced_chi2:.4g}")] if g.dof > 0 else []
    return [*pairs, ("degrees of freedom", str(g.dof))]


def family_lines(fit: Result) -> list[str]:
    """Which family the counts have, and what its likelihood says."""
    if not isinstance(fit, CountFit):
        return []
    g = fit.goodness
    likelihood = f"log-likelihood {g.log_likelihood:.6g}, AIC {g.aic:.6g}, BIC {g.bic:.6g}"
    return [f"family {fit.family} (cost: half the deviance; dispersion 1), {likelihood}"]


def count_advice(fit: Result) -> Iterator[str]:
    """Counts that are none, and counts that scatter otherwise than their family says."""
    if not isinstance(fit, CountFit):
        return
    yield from fit.notes
    if fit.success and math.isfinite(fit.scatter) and fit.dof > 0:
        yield from _dispersion(fit)


def _dispersion(fit: CountFit) -> Iterator[str]:
    ratio, name = fit.dispersion, "Poisson" if fit.family == "poisson" else "binomial"
    found = f"than {name} ones: Pearson chi-square per degree of freedom is {ratio:.3g}"
    if fit.scatter > CLEAR:
        yield (
            f"The counts scatter more {found}. The model misses something, or the counts are not independent "
            f"(overdispersion): then standard errors are {math.sqrt(ratio):.2g} times too small, and AIC "
            "prefers too many parameters."
        )
    elif fit.scatter < -CLEAR:
        yield (
            f"The counts scatter less {found}. Are they averages, or scaled? Then fit the counts themselves, "
            "with the factor in the model."
        )


def edge_advice(fit: Result) -> Iterator[str]:
    """A fit that ran into the edge of the means: the likelihood is best where the model would cross it."""
    if not isinstance(fit, CountFit) or fit.status not in (
        Status.STALLED,
        Status.RUNAWAY,
        Status.MAX_EVALUATIONS,
    ):
        return
    mean, y = fit.mean, fit.proportions_or_counts
    near = [(mean, y, "0")] + ([(1.0 - mean, 1.0 - y, "1")] if fit.family == "binomial" else [])
    for above, counted, edge in near:
        row = int(np.argmin(np.where(counted == 0.0, above, np.inf)))
        if counted[row] == 0.0 and above[row] <= EDGE * float(np.median(above)):
            number = row if fit.rows is None else int(fit.rows[row])
            yield (
                f"The model is at the edge {edge} of its range in row {number}: the likelihood is best where "
                "it would cross it. Keep it inside by bounds (an offset not below 0), or by a model that "
                "cannot cross it."
            )
