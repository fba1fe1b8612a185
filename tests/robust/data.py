"""Curves with outliers to one side: an exponential and a Gaussian, both with an offset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

SIGMA = 0.1
N = 60


def exponential(t: Any, a: float, b: float, c: float) -> Any:
    return a * np.exp(-b * t) + c


def gaussian(t: Any, h: float, m: float, s: float, c: float) -> Any:
    return h * np.exp(-(((t - m) / s) ** 2) / 2.0) + c


TRUTHS = {
    exponential: {"a": 5.0, "b": 0.6, "c": 1.0},
    gaussian: {"h": 5.0, "m": 5.0, "s": 1.2, "c": 1.0},
}


@dataclass(frozen=True)
class Case:
    """One data set; `wild` are the rows of its outliers."""

    t: Vector
    y: Vector
    start: dict[str, float]
    wild: NDArray[np.intp]


def case(model: Any, seed: int, part: float = 0.3, one_sided: bool = False) -> Case:
    """Normal noise of `SIGMA`; a `part` of the rows is off by 5 to 50 times that, the start by 40 %."""
    rng = np.random.default_rng(seed)
    truth = TRUTHS[model]
    t = np.linspace(0.0, 10.0, N)
    y = model(t, **truth) + SIGMA * rng.standard_normal(N)
    wild = np.sort(rng.choice(N, round(part * N), replace=False))
    signs = 1.0 if one_sided else rng.choice([-1.0, 1.0], wild.size)
    y[wild] += signs * rng.uniform(5.0, 50.0, wild.size) * SIGMA
    start = {name: value * float(np.exp(rng.uniform(-0.4, 0.4))) for name, value in truth.items()}
    return Case(t, y, start, wild)
