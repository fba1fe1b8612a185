"""Sensible parameters and places for every model: rising and falling, broad and narrow, far from zero."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from marquardt.models.row import Row
from marquardt.models.table import row_named


class Case(NamedTuple):
    model: str
    x: tuple[np.ndarray, ...]
    truth: Sequence[float]

    @property
    def row(self) -> Row:
        row = row_named(self.model)
        assert row is not None
        return row

    def clean(self) -> np.ndarray:
        return np.asarray(self.row.function(*self.x, *self.truth))

    def noisy(self, seed: int, noise: float = 0.02) -> np.ndarray:
        """Normal noise, by default 2 % of the range of the values."""
        y = self.clean()
        return y + noise * np.ptp(y) * np.random.default_rng(seed).normal(size=y.size)


def lin(a: float, b: float, n: int) -> tuple[np.ndarray, ...]:
    return (np.linspace(a, b, n),)


def log(a: float, b: float, n: int) -> tuple[np.ndarray, ...]:
    return (np.geomspace(a, b, n),)


def assay(S: Sequence[float], I: Sequence[float]) -> tuple[Any, ...]:
    s, i = np.meshgrid(S, I)
    return s.ravel(), i.ravel()


DOSES = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0)
INHIBITOR = (0.0, 1.0, 3.0, 10.0)

CASES = [
    Case("exponential_decay", lin(0, 10, 30), (3.0, 0.7, 1.0)),
    Case("exponential_decay", lin(0, 1e-6, 50), (-40.0, 8e6, 5.0)),
    Case("exponential_decay", lin(100, 130, 25), (1e-4, -0.12, 3.0)),
    Case("exponential_rise", lin(0, 10, 30), (3.0, 0.7, 1.0)),
    Case("exponential_rise", log(0.1, 300, 20), (-3.0, 0.05, 7.0)),
    Case("biexponential", lin(0, 20, 120), (4.0, 1.5, 2.0, 0.15, 0.5)),
    Case("biexponential", lin(0, 5e-3, 200), (-3.0, 4000.0, 5.0, 500.0, 1.0)),
    Case("triexponential", lin(0, 40, 400), (5.0, 4.0, 3.0, 0.6, 2.0, 0.08, 0.3)),
    Case("stretched_exponential", lin(0, 20, 60), (3.0, 4.0, 0.6, 1.0)),
    Case("stretched_exponential", lin(0, 2e3, 60), (-3.0, 700.0, 1.8, 9.0)),
    Case("gaussian", lin(-5, 5, 40), (3.0, 0.7, 0.9)),
    Case("gaussian", lin(400, 700, 301), (-200.0, 655.0, 2.5)),
    Case("lorentzian", lin(-5, 5, 40), (3.0, 0.7, 0.9)),
    Case("lorentzian", lin(1e9, 1.1e9, 500), (-2e-3, 1.03e9, 3e5)),
    Case("voigt", lin(-5, 5, 80), (3.0, 0.7, 0.6, 0.4)),
    Case("voigt", lin(400, 700, 301), (50.0, 520.0, 5.0, 8.0)),
    Case("pseudo_voigt", lin(-5, 5, 80), (3.0, 0.7, 0.8, 0.4)),
    Case("pseudo_voigt", lin(20, 80, 400), (900.0, 44.0, 0.5, 0.7)),
    Case("logistic3", lin(0, 12, 25), (5.0, 6.0, 1.1)),
    Case("logistic3", lin(-1e3, 1e3, 40), (-5.0, -100.0, -8e-3)),
    Case("logistic4", lin(0, 12, 25), (1.0, 5.0, 6.0, 1.1)),
    Case("logistic4", lin(-9, -3, 16), (2.0, 100.0, -6.0, -2.5)),
    Case("logistic5", lin(0, 12, 60), (1.0, 5.0, 6.0, 1.5, 0.4)),
    Case("logistic5", lin(0, 12, 60), (1.0, 5.0, 5.0, -1.1, 2.5)),
    Case("gompertz", lin(0, 30, 25), (8.0, 9.0, 0.25)),
    Case("gompertz", lin(2000, 2020, 30), (700.0, 2008.0, 0.4)),
    Case("weibull", lin(0, 30, 30), (1.0, 8.0, 12.0, 2.2)),
    Case("weibull", lin(0, 3e4, 40), (90.0, 10.0, 9e3, 0.9)),
    Case("hill", lin(0, 20, 25), (8.0, 5.0, 2.5)),
    Case("hill", log(1e-9, 1e-4, 24), (100.0, 3e-7, 1.0)),
    Case("dose_response", log(1e-9, 1e-4, 16), (2.0, 100.0, 3e-7, -1.2)),
    Case("dose_response", log(0.01, 100, 24), (5.0, 40.0, 2.0, 3.0)),
    Case("michaelis_menten", log(0.02, 2, 12), (200.0, 0.07)),
    Case("michaelis_menten", (np.repeat([1.0, 3, 5, 10, 20], 3),), (2.0, 8.0)),
    Case("substrate_inhibition", log(0.1, 200, 20), (12.0, 3.0, 40.0)),
    Case("competitive_inhibition", assay(DOSES, INHIBITOR), (30.0, 4.0, 2.0)),
    Case("uncompetitive_inhibition", assay(DOSES, INHIBITOR), (30.0, 4.0, 2.0)),
    Case("noncompetitive_inhibition", assay(DOSES, INHIBITOR), (30.0, 4.0, 2.0)),
    Case("mixed_inhibition", assay(DOSES, INHIBITOR), (30.0, 4.0, 2.0, 6.0)),
    Case("power_law", lin(1, 50, 30), (3.0, 0.65)),
    Case("power_law", log(1e-3, 10, 30), (-3.0, -1.6)),
    Case("arrhenius", lin(290, 370, 17), (2e11, 6e4)),
    Case("arrhenius", lin(800, 1500, 20), (3e5, 1.5e5)),
    Case("antoine", lin(10, 100, 19), (8.07131, 1730.63, 233.426)),
    Case("antoine", lin(280, 370, 19), (10.2, 1730.0, -39.7)),
    Case("sine", lin(0, 10, 80), (2.0, 0.73, 0.4, 1.0)),
    Case("sine", (np.sort(np.random.default_rng(5).uniform(0, 1, 300)),), (2.0, 77.0, -2.0, 10.0)),
    Case("damped_sine", lin(0, 10, 100), (3.0, 0.3, 0.8, 0.4, 1.0)),
    Case("damped_sine", lin(0, 1e-3, 800), (-3.0, 4000.0, 2.2e4, 1.0, 0.0)),
    Case("polynomial3", lin(-2, 5, 30), (1.0, -2.0, 0.5, 0.3)),
    Case("rational11", lin(0, 10, 30), (1.0, 3.0, 0.6)),
    Case("rational22", lin(-3, 5, 60), (1.0, 2.0, 3.0, 0.4, 0.6)),
    Case("gaussian2", lin(0, 10, 100), (3.0, 3.0, 0.6, 2.0, 6.0, 1.1)),
    Case("gaussian2", lin(0, 10, 100), (3.0, 4.0, 0.7, 2.0, 5.7, 0.9)),
    Case("gaussian3", lin(0, 20, 200), (3.0, 4.0, 0.7, 2.0, 8.0, 1.4, -1.0, 13.0, 0.8)),
    Case("lorentzian2", lin(0, 10, 120), (3.0, 3.5, 0.4, 2.0, 6.0, 0.7)),
    Case("lorentzian3", lin(0, 30, 240), (3.0, 6.0, 0.4, 2.0, 12.0, 1.0, 4.0, 20.0, 0.6)),
    Case("voigt2", lin(0, 20, 240), (6.0, 6.0, 0.5, 0.5, 4.0, 13.0, 0.8, 0.4)),
    Case("pseudo_voigt2", lin(0, 20, 240), (6.0, 6.0, 0.7, 0.5, 4.0, 13.0, 1.1, 0.3)),
]
