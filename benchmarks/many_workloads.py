"""The small models of `many.py`, with Jacobians for the peers that are given one."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from marquardt.datasets import Simulated, simulate

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.batch import reference

Array = NDArray[Any]


def spot(xp: Any, x: Any, y: Any, p: Any) -> tuple[Any, tuple[Any, ...]]:
    """Value and derivatives; `xp` is numpy or jax.numpy."""
    a, x0, y0, s, b = p
    dx, dy = x - x0, y - y0
    q = dx * dx + dy * dy
    e = xp.exp(-q / (2.0 * s * s))
    ae = a * e
    return ae + b, (e, ae * dx / s**2, ae * dy / s**2, ae * q / s**3, xp.ones_like(e))


def decay(xp: Any, t: Any, p: Any) -> tuple[Any, tuple[Any, ...]]:
    a, tau, b = p
    e = xp.exp(-t / tau)
    return a * e + b, (e, a * e * t / tau**2, xp.ones_like(e))


def dose(xp: Any, x: Any, p: Any) -> tuple[Any, tuple[Any, ...]]:
    bottom, top, half, exponent = p
    u = xp.log(x) - xp.log(half)
    g = 1.0 / (1.0 + xp.exp(-exponent * u))
    h = (top - bottom) * g * (1.0 - g)
    return bottom + (top - bottom) * g, (1.0 - g, g, -h * exponent / half, h * u)


@dataclass(frozen=True)
class Workload:
    """`law(xp, *x, p)` is the model and its derivatives. Bars: fits/s to reach, {precision: (must, stretch)};
    `scipy_fits` and `lmfit_fits` fill about a second."""

    key: str
    title: str
    simulate: Callable[..., Simulated]
    law: Callable[..., Any]
    fits: int
    bars: dict[str, tuple[float, float | None]]
    scipy_fits: int = 2000
    lmfit_fits: int = 200
    remark: str = ""
    tol: float | None = None
    """Tolerance of every program; None: 1e-8, in single precision 1e-5."""

    @property
    def law_in_numpy(self) -> Callable[..., Any]:
        return partial(self.law, np)

    def tolerance(self, precision: str) -> float:
        return self.tol or (1e-8 if precision == "double" else 1e-5)

    def data(self, n: int, dtype: DTypeLike = np.float64) -> Simulated:
        return self.simulate(n, dtype=dtype)


def columns(data: Simulated) -> tuple[Array, ...]:
    return data.x if isinstance(data.x, tuple) else (data.x,)


def starts(data: Simulated, n: int | None = None) -> Array:
    """Start values of each fit, (n, p)."""
    values = np.broadcast_arrays(*data.start.values(), np.empty(len(data)))[:-1]
    return np.stack(values, axis=1)[:n]


def costs(work: Workload, data: Simulated, parameters: Array) -> Array:
    """Half the sum of squares of the first fits at their parameters (n, p), in double precision."""
    return reference.cost(work.law_in_numpy, columns(data), data.y, parameters)


WORKLOADS = {
    work.key: work
    for work in (
        Workload(
            "A",
            "A: round Gaussian and offset, 15 x 15 pixels, 5 parameters, Poisson noise",
            simulate.spots,
            spot,
            100_000,
            {"double": (150_000, 300_000), "single": (330_000, None)},
            remark=" Bars: 75 times SciPy in two processes, 7 times JAX by hand.",
        ),
        Workload(
            "B",
            "B: exponential and offset, 32 points, 3 parameters",
            simulate.decays,
            decay,
            400_000,
            {"double": (1_400_000, 3_400_000), "single": (2_700_000, None)},
        ),
        Workload(
            "C",
            "C: four-parameter logistic, 12 points",
            simulate.dose_response,
            dose,
            400_000,
            {"double": (1_100_000, 2_700_000), "single": (2_400_000, None)},
        ),
        Workload(
            "G",
            "G: round Gaussian and offset, 5 x 5 pixels, tolerance 1e-4, the test of Gpufit",
            simulate.small_spots,
            spot,
            400_000,
            {"single": (2_000_000, 6_900_000)},
            tol=1e-4,
            remark="\n\nThe page of Gpufit gives 3,039,000 fits/s on a graphics card, 10 million fits.",
        ),
    )
}
