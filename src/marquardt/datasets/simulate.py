"""Data of many fits with known truth: decays, dose-response curves, spots on a camera.

Every function takes a number of fits and a seed, and returns a `Simulated`. The same seed gives the same
numbers, and the first fits of a larger set are those of a smaller one: each block of fits has a random
stream of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import DTypeLike, NDArray

from ..errors import OptionError
from ..models import dose_response as dose_response_curve
from .simulated import Array, Simulated

Draw = Callable[[Generator, int], dict[str, Array]]
Noise = Callable[[Generator, Array], Array]
BLOCK = 1024
"""Fits drawn at once: bounds the memory beside the result, and fixes which numbers a fit gets."""


def decay(t: Any, a: Any, tau: Any, b: Any) -> Any:
    """Exponential decay onto a background: ``a*exp(-t/tau) + b``."""
    return a * np.exp(-t / tau) + b


def spot(x: Any, y: Any, a: Any, x0: Any, y0: Any, s: Any, b: Any) -> Any:
    """Round Gaussian spot on a background: ``a*exp(-((x - x0)**2 + (y - y0)**2)/(2*s**2)) + b``."""
    return a * np.exp(-((x - x0) ** 2 + (y - y0) ** 2) / (2 * s**2)) + b


DECAY = "y ~ a*exp(-t/tau) + b"
DOSE = "y ~ bottom + (top - bottom)/(1 + (half/x)^exponent)"
SPOT = "z ~ a*exp(-((x - x0)^2 + (y - y0)^2)/(2*s^2)) + b"


def decays(
    n: int = 1000, points: int = 32, *, noise: float = 2.0, seed: int = 0, dtype: DTypeLike = np.float64
) -> Simulated:
    """Exponential decays with a background and normal noise: `decay` at `points` times from 0 to 10.

    Truth, uniform: a 50 to 150, tau 1 to 4, b 2 to 20. `noise` is its standard deviation.

    >>> decays(3)
    Simulated('decays', 3 fits of 32 points, parameters a, tau, b)
    """

    def draw(rng: Generator, k: int) -> dict[str, Array]:
        return {"a": rng.uniform(50, 150, k), "tau": rng.uniform(1, 4, k), "b": rng.uniform(2, 20, k)}

    t = np.linspace(0.0, 10.0, points)
    truth, y = _blocks(n, seed, dtype, points, draw, _law(decay, t), _normal(noise))
    return Simulated("decays", DECAY, decay, t, y, truth, {"a": 100.0, "tau": 2.0, "b": 10.0}, noise)


def dose_response(
    n: int = 1000, points: int = 12, *, noise: float = 3.0, seed: int = 0, dtype: DTypeLike = np.float64
) -> Simulated:
    """Four-parameter dose-response curves with normal noise: `points` doses from 0.001 to 1000, even in log.

    Truth: bottom uniform 0 to 10, top 90 to 110, half log-uniform 0.1 to 10, exponent uniform 0.7 to 2.
    `noise` is its standard deviation.

    >>> dose_response(3)
    Simulated('dose_response', 3 fits of 12 points, parameters bottom, top, half, exponent)
    """

    def draw(rng: Generator, k: int) -> dict[str, Array]:
        return {
            "bottom": rng.uniform(0, 10, k),
            "top": rng.uniform(90, 110, k),
            "half": 10.0 ** rng.uniform(-1, 1, k),
            "exponent": rng.uniform(0.7, 2, k),
        }

    x = np.logspace(-3.0, 3.0, points)
    law = _law(dose_response_curve, x)
    truth, y = _blocks(n, seed, dtype, points, draw, law, _normal(noise))
    start = {"bottom": 5.0, "top": 100.0, "half": 1.0, "exponent": 1.0}
    return Simulated("dose_response", DOSE, dose_response_curve, x, y, truth, start, noise)


def spots(
    n: int = 1000,
    size: int = 15,
    *,
    em_gain: float | None = None,
    read_noise: float = 0.0,
    seed: int = 0,
    dtype: DTypeLike = np.float64,
) -> Simulated:
    """Spots of single molecules on a camera, cut out as squares of `size` pixels: photons with Poisson noise.

    Truth, uniform: a 200 to 800 photons in the brightest pixel, x0 and y0 within a pixel of the middle,
    s 1.5 to 2.5 pixels, b 10 to 40 photons per pixel.

    With `em_gain` the camera multiplies electrons (EMCCD): each pixel is a gamma variable of as many steps
    as it has photons and of mean ``em_gain`` a step, divided by the gain again, so that y stays in units of
    photons. Its variance is then twice that of the photons (Robbins, Hadwen 2003; Mortensen et al. 2010).
    `read_noise`, in counts, is added before the division.

    >>> spots(3).images.shape
    (3, 15, 15)
    """
    middle = (size - 1) / 2

    def draw(rng: Generator, k: int) -> dict[str, Array]:
        return {
            "a": rng.uniform(200, 800, k),
            "x0": rng.uniform(middle - 1, middle + 1, k),
            "y0": rng.uniform(middle - 1, middle + 1, k),
            "s": rng.uniform(1.5, 2.5, k),
            "b": rng.uniform(10, 40, k),
        }

    pixels = _pixels(size)
    noise = _camera(em_gain, read_noise)
    truth, y = _blocks(n, seed, dtype, size * size, draw, _law(spot, *pixels), noise)
    start = {"a": 400.0, "x0": middle, "y0": middle, "s": 2.0, "b": 20.0}
    return Simulated("spots", SPOT, spot, pixels, y, truth, start, None, (size, size))


def small_spots(n: int = 1000, *, seed: int = 0, dtype: DTypeLike = np.float64) -> Simulated:
    """Spots of 5 by 5 pixels with normal noise and a start of their own, the settings of a known speed test.

    Truth, uniform within 10 %: a 500, x0 and y0 2, s 1, b 10; starts uniform within 10 % of the truth; the
    noise is a tenth of the mean signal within the full width at a tenth of the maximum, about 17.
    Source: the performance comparison of Gpufit, Przybylski, Thews, Jungmann, Keller (2017).

    >>> small_spots(3).start["a"].shape
    (3,)
    """
    usual = {"a": 500.0, "x0": 2.0, "y0": 2.0, "s": 1.0, "b": 10.0}
    noise = 2.0 * np.pi * usual["a"] / 4.292**2 / 10.0

    def draw(rng: Generator, k: int) -> dict[str, Array]:
        truth = {name: value * rng.uniform(0.9, 1.1, k) for name, value in usual.items()}
        begin = {f"start {name}": truth[name] * rng.uniform(0.9, 1.1, k) for name in usual}
        return truth | begin

    pixels = _pixels(5)
    drawn, y = _blocks(n, seed, dtype, 25, draw, _law(spot, *pixels, names=tuple(usual)), _normal(noise))
    truth = {name: drawn[name] for name in usual}
    start = {name: drawn[f"start {name}"] for name in usual}
    return Simulated("small_spots", SPOT, spot, pixels, y, truth, start, noise, (5, 5))


def lifetime_stack(
    shape: tuple[int, int] = (64, 64),
    gates: int = 32,
    *,
    photons: float = 2000.0,
    background: float = 2.0,
    seed: int = 0,
) -> tuple[Array, Array, dict[str, Array]]:
    """A stack of pictures of a fluorescence decay: time-gated counts of photons in every pixel.

    Returns ``(t, counts, truth)``: the middles of the gates in ns, (gates,) over 12.5 ns; the counts,
    (gates, rows, columns) of uint16, as a camera or a TCSPC card writes them; and the maps of a, tau and b,
    (rows, columns), of ``a*exp(-t/tau) + b`` per gate.

    The scene: a cell with lifetime 2.6 ns, falling to 1.8 ns across it, and round spots in it with 0.9 ns,
    twice as bright; outside there is `background` only (counts per gate), a = 0 and tau = nan. `photons` is
    the number of photons of a decay in the brightest part of the cell. Noise: Poisson. No instrument
    response, no pile-up. A gate collects the integral over its width; as that of an exponential is again
    one with the same tau, the model at the middles is exact.

    >>> t, counts, truth = lifetime_stack((8, 8), gates=16)
    >>> t.shape, counts.shape, counts.dtype.name, sorted(truth)
    ((16,), (16, 8, 8), 'uint16', ['a', 'b', 'tau'])
    """
    rng = np.random.default_rng(seed)
    width = 12.5 / gates
    t = (np.arange(gates) + 0.5) * width
    tau, bright = _cell(shape)
    with np.errstate(invalid="ignore"):
        # The photons of a gate: bright * photons * share of the decay within it, sinh over half widths.
        a = np.where(bright > 0.0, photons * bright * 2.0 * np.sinh(width / 2.0 / tau), 0.0)
        signal = np.where(bright > 0.0, a * np.exp(-t[:, None, None] / tau), 0.0)
    counts = rng.poisson(signal + background)
    truth = {"a": a, "tau": tau, "b": np.full(shape, background)}
    return t, np.minimum(counts, 65535).astype(np.uint16), truth


def _cell(shape: tuple[int, int]) -> tuple[Array, Array]:
    """Lifetimes and brightness of the scene: nan and 0 outside the cell."""
    rows, columns = np.meshgrid(np.linspace(-1, 1, shape[0]), np.linspace(-1, 1, shape[1]), indexing="ij")
    inside = (rows / 0.8) ** 2 + (columns / 0.9) ** 2 < 1.0
    tau = np.where(inside, 2.2 - 0.44 * columns, np.nan)
    bright = np.where(inside, 0.5 - 0.2 * rows**2, 0.0)
    for row, column in ((-0.35, -0.3), (0.3, 0.15), (-0.1, 0.5)):
        hot = (rows - row) ** 2 + (columns - column) ** 2 < 0.15**2
        tau, bright = np.where(hot, 0.9, tau), np.where(hot, 1.0, bright)
    return tau, bright


def _pixels(size: int) -> tuple[Array, Array]:
    """x (the column) and y (the row) of every pixel, row by row."""
    y, x = np.indices((size, size), dtype=np.float64)
    return x.ravel(), y.ravel()


def _law(model: Callable[..., Any], *x: Array, names: tuple[str, ...] | None = None) -> Any:
    def of(truth: Mapping[str, Array], k: int) -> Array:
        chosen = names or tuple(truth)
        return np.asarray(model(*x, **{name: truth[name][:k, None] for name in chosen}))

    return of


def _normal(sigma: float) -> Noise:
    return lambda rng, mean: mean + sigma * rng.standard_normal(mean.shape)


def _camera(em_gain: float | None, read_noise: float) -> Noise:
    if em_gain is not None and not em_gain > 0.0:
        raise OptionError(f"em_gain is the mean number of electrons for each one, above 0, not {em_gain!r}")
    gain = 1.0 if em_gain is None else em_gain

    def noise(rng: Generator, mean: Array) -> Array:
        seen = rng.poisson(mean).astype(np.float64)
        if em_gain is not None:
            seen = gain * rng.standard_gamma(seen)
        if read_noise:
            seen += read_noise * rng.standard_normal(mean.shape)
        return seen / gain

    return noise


def _blocks(
    n: int, seed: int, dtype: DTypeLike, points: int, draw: Draw, law: Any, noise: Noise
) -> tuple[dict[str, Array], NDArray[Any]]:
    """Truth and data, block by block: memory beside the result is that of one block."""
    if n < 1:
        raise OptionError(f"n is the number of fits, at least 1, not {n!r}")
    y = np.empty((n, points), dtype)
    parts: list[dict[str, Array]] = []
    for k, stream in enumerate(np.random.SeedSequence(seed).spawn(-(-n // BLOCK))):
        rng = np.random.default_rng(stream)
        truth = draw(rng, BLOCK)
        rows = slice(k * BLOCK, min((k + 1) * BLOCK, n))
        count = rows.stop - rows.start
        y[rows] = noise(rng, law(truth, count))
        parts.append({name: values[:count] for name, values in truth.items()})
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}, y
