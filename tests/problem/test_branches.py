"""Models that branch on their parameters, and what happens when a branch cannot go on as it began."""

from __future__ import annotations

import time

import numpy as np
from scipy.integrate import quad
from scipy.special import voigt_profile

from marquardt import fit
from marquardt.problem import model as model_module

X = np.linspace(-3.0, 3.0, 80)
NOISE = 0.001 * np.random.default_rng(0).normal(size=80)


def gauss_or_voigt(x, a, s, g):
    if g < 0.35:
        return a * np.exp(-(x**2) / 2 / s**2)
    return a * voigt_profile(x, s, g)


def broken_line(x, a, b, c):
    out = []
    for xi in x:
        if xi < c:
            out.append(a * xi)
        else:
            out.append(a * c + b * (xi - c))
    return np.array(out)


def logistic_map(t, r, K, y0):
    y = np.empty(len(t))
    y[0] = y0
    for i in range(1, len(t)):
        y[i] = y[i - 1] + r * y[i - 1] * (1 - y[i - 1] / K)
    return y


def test_branches_may_differ_in_what_the_core_can_run():
    y = gauss_or_voigt(X, 1.0, 0.5, 0.8) + NOISE
    result = fit(gauss_or_voigt, X, y, start=[0.8, 1.0, 0.4])
    assert result.success and result.derivative == "exact (traced)"
    np.testing.assert_allclose(result.x, [1.0, 0.5, 0.8], rtol=0.05)
    narrow = fit(gauss_or_voigt, X, np.exp(-(X**2) / 0.5) + NOISE, start=[0.8, 1.0, 0.4])
    np.testing.assert_allclose(narrow.x[:2], [1.0, 0.5], rtol=0.01)


def test_a_path_that_cannot_be_traced_is_called_back_and_named():
    def model(x, a, b):
        if b < 1.15:
            return a * np.exp(-b * x)
        return np.array([a * quad(lambda u: b * np.exp(-b * u), xi, 50)[0] for xi in x])

    y = 2 * np.exp(-1.3 * (X[::4] + 3)) + NOISE[::4]
    result = fit(model, X[::4] + 3, y, start=[0.8, 1.0])
    assert result.success
    assert result.derivative == "finite differences: `quad` on line 4 of `model` cannot be traced"


def test_a_branch_at_every_point_is_given_up_after_some_paths(monkeypatch):
    monkeypatch.setattr(model_module, "MAX_VERSIONS", 3)
    x = np.linspace(0, 10, 60)
    y = broken_line(x, 1.0, -0.5, 4.0) + NOISE[:60]
    result = fit(broken_line, x, y, start=[0.5, 0.0, 8.5])
    assert "`if` on line 4 of `broken_line` takes another path at every step" in result.derivative
    np.testing.assert_allclose(result.x, [1.0, -0.5, 4.0], rtol=0.01)


def test_long_recurrence_starts_without_its_hessian():
    t = np.arange(60.0)
    y = logistic_map(t, 0.2, 10.0, 1.0) + NOISE[:60]
    fit(logistic_map, t[:5], y[:5], start=[0.15, 9.0, 0.8])  # imports
    before = time.process_time()  # of this process alone: others may keep the machine busy
    result = fit(logistic_map, t, y, start=[0.15, 9.0, 0.8])
    assert time.process_time() - before < 1.5  # some 50 ms on a free machine; the Hessian took 5 s
    assert result.success and result.derivative == "exact (traced)"
    np.testing.assert_allclose(result.x, [0.2, 10.0, 1.0], rtol=0.01)
