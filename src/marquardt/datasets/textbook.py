"""Eighteen textbook curves as plain functions, each with parameters to draw noisy data from.

They are what a search for starting values is tried on: none of them is known to the package by name.

>>> from marquardt.datasets import textbook
>>> hill = textbook.load("hill")
>>> hill.param_names, hill.truth
(('vmax', 'k', 'n'), (5.0, 3.0, 2.5))
>>> hill.draw(seed=1).shape == hill.x.shape
True
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, suggestion

Vector = NDArray[np.float64]
GAS_CONSTANT = 8.314  # J/(mol K)


@dataclass(frozen=True, eq=False, repr=False)
class Textbook:
    """One curve: ``function(x, *parameters)``, where it is measured, true parameters and standard deviation.

    `relative`: the standard deviation is that of ``y / f``, otherwise that of ``y``.
    """

    name: str
    function: Callable[..., Any]
    x: Vector
    truth: tuple[float, ...]
    noise: float
    relative: bool = False

    @property
    def param_names(self) -> tuple[str, ...]:
        code = self.function.__code__
        return code.co_varnames[1 : code.co_argcount]

    def draw(self, seed: int) -> Vector:
        """Data: the true curve and normal noise, the same for the same `seed`."""
        curve = np.asarray(self.function(self.x, *self.truth), dtype=np.float64)
        errors = self.noise * np.random.default_rng([seed, *self.name.encode()]).standard_normal(self.x.size)
        return curve + errors * (curve if self.relative else 1.0)

    def start(self, seed: int, decades: float = 0.5) -> dict[str, float]:
        """Each true value times ``10^u``, u uniform in ±`decades`, the same for the same `seed`."""
        rng = np.random.default_rng([seed, 1, *self.name.encode()])
        factors = 10.0 ** rng.uniform(-decades, decades, len(self.truth))
        return dict(zip(self.param_names, (np.array(self.truth) * factors).tolist(), strict=True))

    def __repr__(self) -> str:
        return f"Textbook({self.name!r}, {', '.join(self.param_names)})"


def names() -> tuple[str, ...]:
    """The names of the 18 curves."""
    return tuple(_CURVES)


def load(name: str) -> Textbook:
    """One curve by name; DataError names those there are where there is none of that name."""
    if name not in _CURVES:
        raise DataError(f"there is no textbook curve {name!r}{suggestion(name, _CURVES)}")
    return _CURVES[name]


def curves() -> tuple[Textbook, ...]:
    """All of them.

    >>> len(curves())
    18
    """
    return tuple(_CURVES.values())


_CURVES: dict[str, Textbook] = {}
_Function = Callable[..., Any]


def _measured(
    x: Vector, truth: list[float], noise: float, relative: bool = False
) -> Callable[[_Function], _Function]:
    """Put a function into the table under its name."""

    def enter(function: _Function) -> _Function:
        name = function.__name__
        _CURVES[name] = Textbook(name, function, x, tuple(map(float, truth)), noise, relative)
        return function

    return enter


@_measured(np.logspace(-3, 2, 30), [0.1, 2.0, 1.2, 1.5], 0.03)
def logistic_4(x: Any, a: Any, d: Any, c: Any, b: Any) -> Any:
    """Dose and response: from a to d, half-way at the dose c."""
    return d + (a - d) / (1 + (x / c) ** b)


@_measured(np.linspace(0, 30, 40), [10, 4, 0.3], 0.2)
def gompertz(t: Any, a: Any, b: Any, c: Any) -> Any:
    """Growth whose rate decays exponentially."""
    return a * np.exp(-b * np.exp(-c * t))


@_measured(np.linspace(0.1, 10, 40), [70, 60, 0.05, 2.2], 0.8)
def weibull(t: Any, a: Any, b: Any, c: Any, d: Any) -> Any:
    """Growth as in Ratkowsky (1983), from a - b to a."""
    return a - b * np.exp(-c * t**d)


@_measured(np.linspace(0.2, 20, 30), [5, 3, 2.5], 0.08)
def hill(s: Any, vmax: Any, k: Any, n: Any) -> Any:
    """Cooperative binding."""
    return vmax * s**n / (k**n + s**n)


@_measured(np.linspace(0, 10, 100), [3, 0.3, 4.2, 0.5, 1], 0.15)
def damped_sine(t: Any, a: Any, g: Any, w: Any, p: Any, c: Any) -> Any:
    """An oscillation that dies away, seven periods of it."""
    return a * np.exp(-g * t) * np.sin(w * t + p) + c


@_measured(np.linspace(0, 100, 150), [10, 35, 5, 6, 62, 8, 0.02, 1], 0.2)
def two_gaussians_line(x: Any, a1: Any, m1: Any, s1: Any, a2: Any, m2: Any, s2: Any, b: Any, c: Any) -> Any:
    """Two peaks on a straight background."""
    peaks = a1 * np.exp(-(((x - m1) / s1) ** 2) / 2) + a2 * np.exp(-(((x - m2) / s2) ** 2) / 2)
    return peaks + b * x + c


@_measured(np.linspace(-10, 10, 100), [5, 1.2, 1.8, 0.4, 0.5], 0.06)
def pseudo_voigt(x: Any, a: Any, m: Any, w: Any, eta: Any, c: Any) -> Any:
    """A Lorentzian (eta) and a Gaussian (1 - eta) of the same half width w, and a constant."""
    u = ((x - m) / w) ** 2
    return a * (eta / (1 + u) + (1 - eta) * np.exp(-np.log(2) * u)) + c


@_measured(np.linspace(280, 360, 25), [1e10, 55e3], 0.02, relative=True)
def arrhenius(T: Any, A: Any, E: Any) -> Any:
    """A rate and its temperature: prefactor and activation energy in J/mol."""
    return A * np.exp(-E / (GAS_CONSTANT * T))


@_measured(np.linspace(0.1, 50, 30), [10, 3, 20], 0.1)
def substrate_inhibition(s: Any, vmax: Any, km: Any, ki: Any) -> Any:
    """Michaelis-Menten kinetics with too much of a good thing."""
    return vmax * s / (km + s + s * s / ki)


@_measured(np.linspace(0, 20, 60), [3, 1.5, 2, 0.2, 0.5], 0.03)
def biexponential_offset(t: Any, a: Any, k1: Any, b: Any, k2: Any, c: Any) -> Any:
    """Two decays and a constant."""
    return a * np.exp(-k1 * t) + b * np.exp(-k2 * t) + c


@_measured(np.linspace(0.05, 20, 60), [4, 3, 0.6, 0.5], 0.04)
def stretched_exponential(t: Any, a: Any, tau: Any, b: Any, c: Any) -> Any:
    """Kohlrausch's decay and a constant."""
    return a * np.exp(-((t / tau) ** b)) + c


@_measured(np.linspace(0, 20, 120), [4, 7, 0.8, 2.5, 12, 1.2], 0.08)
def two_lorentzians(x: Any, a1: Any, m1: Any, w1: Any, a2: Any, m2: Any, w2: Any) -> Any:
    """Two resonances."""
    return a1 / (1 + ((x - m1) / w1) ** 2) + a2 / (1 + ((x - m2) / w2) ** 2)


@_measured(np.linspace(280, 370, 25), [16.3, 3800, -46], 0.005, relative=True)
def antoine(T: Any, a: Any, b: Any, c: Any) -> Any:
    """Vapor pressure in kPa; water, nearly."""
    return np.exp(a - b / (T + c))


@_measured(np.linspace(0, 20, 40), [2, 1.5, 0.7], 0.1)
def shifted_power(x: Any, a: Any, b: Any, c: Any) -> Any:
    """A power of the distance to an unknown origin."""
    return a * (x + b) ** c


@_measured(np.linspace(0.3, 3, 50), [5, 4.8], 0.03)
def planck(wavelength: Any, a: Any, b: Any) -> Any:
    """The spectrum of a black body."""
    return a / wavelength**5 / (np.exp(b / wavelength) - 1)


@_measured(np.linspace(0, 10, 50), [1, 2, 0.5, 0.1, 0.3], 0.05)
def rational_2_2(x: Any, a: Any, b: Any, c: Any, d: Any, e: Any) -> Any:
    """A quotient of two parabolas."""
    return (a + b * x + c * x * x) / (1 + d * x + e * x * x)


@_measured(np.linspace(0, 24, 40), [10, 1.2, 0.2], 0.12)
def bateman(t: Any, d: Any, ka: Any, ke: Any) -> Any:
    """A drug that is absorbed and eliminated."""
    return d * ka / (ka - ke) * (np.exp(-ke * t) - np.exp(-ka * t))


@_measured(np.linspace(0.8, 4, 50), [4.5, 1.9, 1.3, -4.5], 0.05)
def morse(r: Any, D: Any, a: Any, r0: Any, c: Any) -> Any:
    """The potential of a diatomic molecule."""
    return D * (1 - np.exp(-a * (r - r0))) ** 2 + c
