"""Counts of few events: Poisson fits beside what else is done with them. A part of benchmarks/hard.py."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from harness import table
from numpy.typing import NDArray

import marquardt as mq

Vector = NDArray[np.float64]
POISSON = """
## Few counts: {draws} data sets each

Poisson counts around a exp(-0.5 x) or a exp(-((x - 5)/1.2)²/2) at 100 points of [0, 10]; the peak a is as
stated. Starts: every parameter times exp(u), u normal with standard deviation 0.5. Cells: solved / mean
evaluations. Solved: half the deviance is at most 1e-6 (and 1e-9) above the least that fits from the truth and
from 0.8 and 1.1 times it end at. Minimized: by marquardt, with `family="poisson"` and without a start, the
deviance; by `least_squares`, method lm, the signed roots of its terms; by `minimize`, BFGS, the deviance
(evaluations: calls of the model, those for differences included).
"""
X = np.linspace(0.0, 10.0, 100)


def exponential(x: Any, a: Any, b: Any) -> Any:
    return a * np.exp(-b * x)


def gaussian(x: Any, a: Any, m: Any, s: Any) -> Any:
    return a * np.exp(-(((x - m) / s) ** 2) / 2)


CELLS: list[tuple[str, Callable[..., Any], list[float], tuple[float, ...]]] = [
    ("exponential", exponential, [0.5], (0.5, 2.0, 10.0)),
    ("Gaussian", gaussian, [5.0, 1.2], (0.5, 2.0, 10.0)),
]


def terms(mu: Vector, y: Vector) -> Vector:
    """Of half the deviance; infinite where the curve is not positive."""
    logs = np.where(y > 0, y * np.log(np.where(y > 0, y, 1.0) / np.where(mu > 0, mu, 1.0)), 0.0)
    return np.where(mu > 0, np.maximum(mu - y + logs, 0.0), np.inf)


def ours(f: Callable[..., Any], y: Vector, start: Vector) -> tuple[Any, int]:
    fit = mq.fit(f, X, y, start=start.tolist(), family="poisson")
    return fit.x, fit.nfev + fit.njev


def ours_blind(f: Callable[..., Any], y: Vector, start: Vector) -> tuple[Any, int]:
    fit = mq.fit(f, X, y, family="poisson")
    return fit.x, fit.nfev + fit.njev


def roots(f: Callable[..., Any], y: Vector, start: Vector) -> tuple[Any, int]:
    from scipy.optimize import least_squares

    calls = 0

    def residuals(p: Any) -> Any:
        nonlocal calls
        calls += 1
        mu = f(X, *p)
        return np.sign(mu - y) * np.sqrt(2 * np.minimum(terms(mu, y), 1e100))

    return least_squares(residuals, start, method="lm").x, calls


def deviance(f: Callable[..., Any], y: Vector, start: Vector) -> tuple[Any, int]:
    from scipy.optimize import minimize

    end = minimize(lambda p: float(np.minimum(terms(f(X, *p), y), 1e100).sum()), start, method="BFGS")
    return end.x, end.nfev


WAYS = {
    "marquardt": ours,
    "marquardt, no start": ours_blind,
    "scipy lm on deviance residuals": roots,
    "scipy BFGS": deviance,
}


def attempt(way: Callable[..., tuple[Any, int]], f: Callable[..., Any], y: Vector, start: Any) -> Any:
    """Half the deviance at the end, and evaluations."""
    try:
        x, evaluations = way(f, y, start)
    except (mq.MarquardtError, ValueError, FloatingPointError):
        return np.inf, 0
    return float(terms(f(X, *x), y).sum()), evaluations


def cell(f: Callable[..., Any], truth: Vector, draws: int) -> list[str]:
    rng = np.random.default_rng(7)
    solved, evaluations = dict.fromkeys(WAYS, 0), dict.fromkeys(WAYS, 0)
    for _ in range(draws):
        y = rng.poisson(f(X, *truth)).astype(float)
        start = truth * np.exp(0.5 * rng.standard_normal(truth.size))
        least = min(attempt(ours, f, y, factor * truth)[0] for factor in (1.0, 1.1, 0.8))
        for name, way in WAYS.items():
            cost, calls = attempt(way, f, y, start)
            solved[name] += cost <= least * (1 + 1e-6) + 1e-9
            evaluations[name] += calls
    return [f"{solved[name]} / {evaluations[name] / draws:.0f}" for name in WAYS]


def poisson_part(draws: int) -> str:
    rows = []
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for title, f, rest, peaks in CELLS:
            rows += [[f"{title}, {peak:g}", *cell(f, np.array([peak, *rest]), draws)] for peak in peaks]
    return POISSON.format(draws=draws) + "\n" + table(["curve, peak", *WAYS], rows)
