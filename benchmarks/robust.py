"""Robust losses beside SciPy: an exponential and a Gaussian with offset, 30 % outliers."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from harness import arguments, machine, publish, table
from numpy.typing import NDArray

from marquardt import least_squares
from marquardt.problem.losses import Loss, loss_of

METHOD = """\
# Robust losses: {sets} data sets each, 30 % outliers

**Method.** 5 exp(-0.6 t) + 1 and 5 exp(-((t - 5)/1.2)²/2) + 1 at 60 points of [0, 10], normal noise of 0.1,
30 % of the points off by 5 to 50 times that, half of them up. Starts: every parameter times exp(u), u
uniform in ±0.4. The scale is known: 95 % efficiency at the noise. A run is a success where it claims success
and its cost is at most 1e-6 above that of the minimum reached from the truth ("lower": below it by more).
Mean evaluations of the residuals, those of the fit with Huber's loss that redescending losses start from
included. SciPy: `least_squares` with its defaults and the exact Jacobian.
"""

NOISE, N = 0.1, 60
T = np.linspace(0.0, 10.0, N)
LOSSES = ("huber", "soft_l1", "cauchy", "arctan", "geman_mcclure", "tukey", "welsch", "barron(-2)")
SCIPY = ("huber", "soft_l1", "cauchy", "arctan")
Vector = NDArray[np.float64]


def exponential(x: Any, t: Any, y: Any) -> Any:
    return x[0] * np.exp(-x[1] * t) + x[2] - y


def exponential_slopes(x: Any, t: Any, y: Any) -> Any:
    e = np.exp(-x[1] * t)
    return np.stack([e, -x[0] * t * e, np.ones_like(e)], axis=1)


def gaussian(x: Any, t: Any, y: Any) -> Any:
    return x[0] * np.exp(-(((t - x[1]) / x[2]) ** 2) / 2) + x[3] - y


def gaussian_slopes(x: Any, t: Any, y: Any) -> Any:
    u = (t - x[1]) / x[2]
    e = np.exp(-(u**2) / 2)
    return np.stack([e, x[0] * e * u / x[2], x[0] * e * u**2 / x[2], np.ones_like(e)], axis=1)


MODELS: dict[str, tuple[Callable[..., Any], Callable[..., Any], list[float]]] = {
    "exponential": (exponential, exponential_slopes, [5.0, 0.6, 1.0]),
    "Gaussian": (gaussian, gaussian_slopes, [5.0, 5.0, 1.2, 1.0]),
}


def data(name: str, seed: int) -> tuple[Vector, Vector]:
    """Response and start."""
    model, _, truth = MODELS[name]
    rng = np.random.default_rng(seed)
    y = model(truth, T, 0.0) + NOISE * rng.standard_normal(N)
    wild = rng.choice(N, round(0.3 * N), replace=False)
    y[wild] += rng.choice([-1.0, 1.0], wild.size) * rng.uniform(5.0, 50.0, wild.size) * NOISE
    return y, np.array(truth) * np.exp(rng.uniform(-0.4, 0.4, len(truth)))


def ours(name: str, loss: Loss, y: Vector, x0: Any) -> tuple[bool, float, int]:
    end = least_squares(MODELS[name][0], x0, loss=loss.title, f_scale=loss.scale, args=(T, y))
    return end.success, end.cost, end.nfev


def scipys(name: str, loss: Loss, y: Vector, x0: Any) -> tuple[bool, float, int]:
    from scipy.optimize import least_squares as scipy_least_squares

    model, slopes, _ = MODELS[name]
    end = scipy_least_squares(model, x0, jac=slopes, loss=loss.title, f_scale=loss.scale, args=(T, y))
    return bool(end.success), float(end.cost), int(end.nfev)


def tally(name: str, loss: Loss, run: Callable[..., tuple[bool, float, int]], sets: int) -> list[str]:
    """Successes, ends below the minimum next to the truth, mean evaluations."""
    good = lower = 0
    evaluations = []
    for seed in range(sets):
        y, start = data(name, seed)
        best = ours(name, loss, y, MODELS[name][2])[1]
        success, cost, nfev = run(name, loss, y, start)
        lower += success and cost < best * (1.0 - 1e-6)
        good += success and cost <= best * (1.0 + 1e-6)
        evaluations.append(nfev)
    return [f"{good}", f"{lower}", f"{np.mean(evaluations):.1f}"]


def rows(sets: int) -> list[Sequence[Any]]:
    found: list[Sequence[Any]] = []
    for title in LOSSES:
        loss = loss_of(title)
        assert loss is not None
        loss = loss.at_scale(NOISE * loss.row.tuning)
        for program, run in (("marquardt", ours), ("scipy", scipys)):
            if run is ours or title in SCIPY:
                cells = [cell for name in MODELS for cell in tally(name, loss, run, sets)]
                found.append([title, program, *cells])
    return found


def main() -> None:
    options = arguments(__doc__ or "")
    sets = 20 if options.quick else 300
    place = machine()
    head = ["loss", "program", *(f"{m}: {w}" for m in MODELS for w in ("success", "lower", "evaluations"))]
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        page = table(head, rows(sets))
    publish("\n".join([METHOD.format(sets=sets), f"{place}.\n", page]), options)


if __name__ == "__main__":
    main()
