"""Penalized fits: the noise that weighs priors, and a result that counts effective parameters."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import Status
from ..options import Options
from ..solve.minimize import minimize
from ..stats import (
    Covariance,
    Goodness,
    PenaltyPart,
    PenaltyReport,
    effective_parameters,
    from_data,
    goodness,
    sandwich,
    unscaled_covariance,
)
from .data import Data
from .penalty import PenaltyTerms
from .result import FitResult, without_likelihood

Vector = NDArray[np.float64]

ROUNDS = 10
SETTLED = 1e-6
"""The noise has settled when the one a fit assumed and the one it finds differ by at most this part."""
FIRST, LEAST = 1e-3, 1e-8
"""Noise assumed by the first fit, and the least ever, as parts of the spread of the response."""
LONGEST = 3.0
"""Times the difference between the noise assumed and the one found that a round goes at most."""


@dataclass(frozen=True)
class Weighing:
    """How the noise that weighs the priors was found."""

    noise: float | None = None
    """Standard deviation of a (weighted) residual; None where no noise had to be estimated."""
    rounds: int = 1
    """Fits it took; 0 where a robust fit found the noise on its way."""
    settled: bool = True
    nfev: int = 0
    """Evaluations of the fits before the last."""
    njev: int = 0


@dataclass(frozen=True)
class Refit:
    """A fit of the same data from another start, or with another penalty."""

    n_points: int
    lower: Vector
    upper: Vector
    options: Options | None
    watch: Callable[[Any], Any] | None

    def __call__(self, problem: Any, x0: Vector) -> Any:
        return minimize(problem, np.array(x0), self.lower, self.upper, self.options, self.watch)

    def by_default(self) -> Refit:
        """The same by the default method."""
        if self.options is None or self.options.method == "auto":
            return self
        plain = replace(self.options, method="auto", damping=None, acceleration=None)
        return replace(self, options=plain)


NO_ROUNDS = Weighing()


def first_noise(terms: PenaltyTerms, data: Data) -> float | None:
    """The noise the first fit assumes; None where priors need none, with known sigma or without priors.

    It is small: the data speak first. Where data and prior contradict one another there may be a second
    solution, in which the prior is right and the noise is large; from below the other one is met first.
    """
    if data.sigma is not None or not terms.has_priors:
        return None
    return FIRST * _spread(data)


def weighed_by(outcome: Any, noise: float | None) -> Weighing:
    """The noise that a robust fit found on its way, and by which its priors are weighed."""
    loss = outcome.problem.loss
    return NO_ROUNDS if noise is None else Weighing(loss.scale / loss.row.tuning, 0)


def settle(
    outcome: Any, terms: PenaltyTerms, noise: float | None, run: Refit, start: Vector | None
) -> tuple[Any, Weighing]:
    """Repeat the fit until the noise s that weighs its priors is the noise it finds.

    A round starts where the last one ended. Methods other than "auto" have no polish to certify an end so
    near its start: the rounds are left to "auto", and one fit from `start`, if there is one, is theirs.

    ``s² = rss / (m - edf)`` with the residuals of the data and ``edf = tr(J (J'J + P)^-1 J')``, in which P
    holds ``(s / sd)²`` of each prior: the re-estimation of the noise by MacKay (1992), at most `ROUNDS` fits.
    """
    if noise is None:
        return outcome, NO_ROUNDS
    end, weighing = _rounds(outcome, terms, noise, run.by_default())
    if start is None or run.by_default() is run or weighing.rounds == 1 or end.status is Status.INTERRUPTED:
        return end, weighing
    nfev, njev = weighing.nfev + int(end.nfev), weighing.njev + int(end.njev)
    return run(end.problem, start), replace(weighing, nfev=nfev, njev=njev)


def _rounds(outcome: Any, terms: PenaltyTerms, noise: float, run: Refit) -> tuple[Any, Weighing]:
    history: list[tuple[float, float]] = []
    nfev = njev = 0
    least = noise * (LEAST / FIRST)
    for k in range(1, ROUNDS + 1):
        found = max(_noise_found(outcome, run.n_points), least)
        if abs(found - noise) <= SETTLED * found:
            return outcome, Weighing(noise, k, True, nfev, njev)
        if k == ROUNDS or not math.isfinite(found) or outcome.status is Status.INTERRUPTED:
            break
        history.append((math.log(noise), math.log(found)))
        noise = max(math.exp(_next(history)), least)
        nfev, njev = nfev + int(outcome.nfev), njev + int(outcome.njev)
        outcome = run(outcome.problem.with_penalty(terms.rows(noise)), outcome.x)
    return outcome, Weighing(noise, k, False, nfev, njev)


def _noise_found(outcome: Any, n_points: int) -> float:
    """``sqrt(rss / (m - edf))``; NaN where no degree of freedom is left."""
    x, f = outcome.x, outcome.f
    edf = effective_parameters(unscaled_covariance(outcome), outcome.problem.penalty.strength(x.size))
    left = n_points - edf
    with np.errstate(over="ignore"):
        return math.sqrt(float((f**2).sum()) / left) if left > 0.0 else math.nan


def _next(history: list[tuple[float, float]]) -> float:
    """The next noise, all in logarithms: beyond the one found, by what the last secant foresees.

    Where the prior is strong, rounds that take over the noise found leave a large part of the difference;
    beyond `LONGEST` times the step a secant is not believed.
    """
    assumed, found = history[-1]
    if len(history) == 1 or history[-2][0] == assumed:
        return found
    before, found_before = history[-2]
    slope = (found - found_before) / (assumed - before)
    stride = min(1.0 / (1.0 - slope), LONGEST) if slope < 1.0 else LONGEST
    return assumed + stride * (found - assumed)


def _spread(data: Data) -> float:
    """Standard deviation of the weighted response about its mean; its size where it is constant."""
    y, w = data.flat()
    seen = np.ones(y.size, dtype=bool) if w is None else w > 0.0
    unit = float(np.abs(y[seen]).max(initial=0.0)) or 1.0
    values = y[seen] / unit
    weights = np.ones(values.size) if w is None else w[seen]
    centered = (values - np.average(values, weights=weights**2)) * weights
    spread = math.sqrt(float(np.mean(centered**2)))
    return unit * (spread or float(weights.max()))


class PenalizedFit(FitResult):
    """A finished fit with a penalty: ``cost`` includes it; ``residuals``, ``rss``, ``chi2`` are the data's.

    ``covariance`` is ``s² (J'J + P)^-1``, the posterior one, s² = 1 with known sigma; ``dof`` is
    ``m - edf`` with the effective number of parameters ``edf = tr(J (J'J + P)^-1 J')``, which AIC and BIC
    count too. Where the noise had to be estimated, the certificate is that of the noise found, and ``trace``
    that of the last round, which starts near its end (with a method other than "auto": from the start).
    """

    def __init__(self, terms: PenaltyTerms, weighing: Weighing, *parts: Any) -> None:
        super().__init__(*parts)
        self._terms, self._weighing = terms, weighing

    @cached_property
    def penalty(self) -> PenaltyReport:
        """The penalty by parameter, its share of the cost and the effective number of parameters."""
        x, terms, weighing = np.asarray(self._outcome.x), self._terms, self._weighing
        known = from_data(unscaled_covariance(self._outcome), self._strength)
        noise = 1.0 if weighing.noise is None else weighing.noise
        with np.errstate(over="ignore"):
            prior_costs = 0.5 * (noise * (x - terms.mean) / terms.sd) ** 2
            ridge_costs = 0.5 * terms.ridge * x**2
        parts = tuple(
            PenaltyPart(
                name, float(x[j]), float(terms.mean[j]) if math.isfinite(terms.sd[j]) else math.nan,
                float(terms.sd[j]), float(terms.ridge[j]), float(prior_costs[j]),
                float(ridge_costs[j]), float(known[j]),
            )
            for j, name in enumerate(self.free_names)
            if math.isfinite(terms.sd[j]) or terms.ridge[j]
        )  # fmt: skip
        added = math.fsum(part.cost for part in parts)
        share = added / self.cost if self.cost > 0.0 else 0.0
        return PenaltyReport(
            parts, share, self._n_determined, len(self.free_names), weighing.noise, weighing.rounds,
            weighing.settled,
        )  # fmt: skip

    @property
    def _strength(self) -> Vector:
        noise = 1.0 if self._weighing.noise is None else self._weighing.noise
        return self._terms.rows(noise).strength(len(self.free_names))

    @cached_property
    def rss(self) -> float:
        """Sum of squared (weighted) residuals of the data."""
        return float((self.residuals**2).sum())

    @cached_property
    def _n_determined(self) -> float:
        return effective_parameters(unscaled_covariance(self._outcome), self._strength)

    @cached_property
    def _unscaled(self) -> Covariance:
        if self.loss is None:
            return unscaled_covariance(self._outcome)
        noise = self._weighing.noise
        if noise is None:
            noise = 1.0 if self.sigma_known else self.noise
        return sandwich(self._outcome, noise)

    @property
    def reduced_chi2(self) -> float:
        """``rss / dof``; NaN where the noise is unknown and less than one degree of freedom could tell it."""
        return math.nan if self.dof < 1.0 and not self.sigma_known else super().reduced_chi2

    @cached_property
    def goodness(self) -> Goodness:
        """All goodness numbers at once; effective parameters are counted."""
        y, w = self._data.flat()
        edf = self._n_determined
        counted = goodness(self.rss, y, w, self.n_points, edf, edf, self.sigma_known, self._data.whitening)
        counted = replace(counted, n_free=len(self.free_names), reduced_chi2=self.reduced_chi2)
        return counted if self.loss is None else without_likelihood(counted)

    @property
    def nfev(self) -> int:
        """Evaluations of the residuals, those of all rounds included."""
        return super().nfev + self._weighing.nfev

    @property
    def njev(self) -> int:
        """Evaluations of the Jacobian, those of all rounds included."""
        return super().njev + self._weighing.njev
