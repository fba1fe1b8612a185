"""A model is traced once, noticed when it changes, and never trusted blindly."""

from __future__ import annotations

import math
import os
import subprocess
import sys

import numpy as np
import pytest

import marquardt as mq
from marquardt.problem import model as room
from marquardt.problem.hidden import has_hidden_state

X = np.linspace(0.1, 4.0, 30)
Y = 2.5 * np.exp(-1.3 * X) + 0.5 + 0.02 * np.sin(37 * X)


@pytest.fixture
def traces(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Every call of the tracer."""
    seen: list[object] = []
    from marquardt.expr.trace import tracer

    plain = tracer.trace

    def watched(function, *rest):
        seen.append(function)
        return plain(function, *rest)

    monkeypatch.setattr(tracer, "trace", watched)
    if hasattr(room, "trace"):
        monkeypatch.setattr(room, "trace", watched)
    return seen


def test_a_repeated_fit_does_not_trace_again(traces):
    def decay(x, a, b, c):
        return a * np.exp(-b * x) + c

    for shift in (0.0, 0.1, 0.2):
        fit = mq.fit(decay, X, Y + shift, start=[1, 1, 0])
        assert fit.success and fit.derivative == "exact (traced)"
    assert len(traces) == 1


def test_a_changed_closure_is_noticed():
    def make():
        offset = 0.5

        def decay(x, a, b):
            return a * np.exp(-b * x) + offset

        def move(value):
            nonlocal offset
            offset = value

        return decay, move

    decay, move = make()
    first = mq.fit(decay, X, Y, start=[1, 1])
    move(0.0)
    second = mq.fit(decay, X, Y, start=[1, 1])
    assert abs(first.x[1] - second.x[1]) > 0.1
    assert first.derivative == second.derivative == "exact (traced)"


def test_a_changed_global_array_and_attribute_are_noticed():
    class Decay:
        def __init__(self, offset):
            self.offset = offset
            self.table = np.array([offset])

        def __call__(self, x, a, b):
            return a * np.exp(-b * x) + self.offset + self.table[0]

    model = Decay(0.2)
    first = mq.fit(model, X, Y, start=[1, 1])
    model.table[0] = 0.3
    second = mq.fit(model, X, Y, start=[1, 1])
    model.offset = 0.0
    third = mq.fit(model, X, Y, start=[1, 1])
    assert len({round(float(f.x[1]), 6) for f in (first, second, third)}) == 3


def test_hidden_state_takes_the_callback_path_and_says_so():
    calls = [0]

    def drifting(x, a, b):
        calls[0] += 1
        return a * np.exp(-b * x) + 1e-3 * calls.copy()[0]

    fit = mq.fit(drifting, X, Y, start=[1, 1])
    assert fit.derivative.startswith("finite differences: ")
    assert "drifting" in fit.derivative


def test_what_cannot_be_traced_names_construct_line_and_function():
    from scipy.integrate import quad

    def area(x, a, b):
        return np.array([quad(lambda t: a * np.exp(-b * t), 0.0, end)[0] for end in x])

    y = area(X, 2.0, 0.7)
    fit = mq.fit(area, X, y, start=[1, 1])
    assert fit.derivative == "finite differences: `quad` on line 2 of `area` cannot be traced"
    assert fit.success and np.allclose(fit.x, [2.0, 0.7], rtol=1e-6)


def test_a_branch_that_flips_is_traced_again_and_the_fit_goes_on(traces):
    def kinked(x, a, t):
        if t > 1.0:
            return a * x + t
        return a * x + t**2

    fit = mq.fit(kinked, X, 2.0 * X + 0.25, start=[1, 3])
    assert fit.success and np.allclose(np.abs(fit.x), [2.0, 0.5])
    assert fit.derivative == "exact (traced)"
    assert len(traces) == 2


def test_where_the_model_raises_the_step_is_refused():
    def guarded(x, a, s):
        if s <= 0.0:
            raise ValueError("s must be positive")
        return a * np.exp(-(x**2) / s)

    fit = mq.fit(guarded, X, guarded(X, 2.0, 0.3), start=[1, 5])
    assert fit.success and np.allclose(fit.x, [2.0, 0.3])


def test_residuals_of_stacked_outputs_come_in_the_order_of_the_data():
    def both(x, a, b):
        return np.concatenate([a * np.exp(-b * x[::2]), a + b * x[1::2]])

    y = both(X, 2.0, 0.7) + 0.01 * np.cos(50 * X)
    w = np.linspace(0.5, 2.0, X.size)
    fit = mq.fit(both, X, y, start=[1, 1], weights=w**2)
    assert fit.derivative == "exact (traced)"
    assert np.allclose(fit.residuals, (both(X, *fit.x) - y) * w, atol=1e-12)


def test_operations_without_a_kernel_keep_exact_derivatives():
    from scipy.special import voigt_profile

    def voigt(x, height, center, sigma, gamma):
        return height * voigt_profile(x - center, sigma, gamma)

    y = voigt(X, 3.0, 2.0, 0.4, 0.2) + 0.01 * np.sin(31 * X)
    fit = mq.fit(voigt, X, y, start=[1, 1.8, 0.5, 0.5])
    assert fit.derivative == "exact (traced)" and fit.success


def test_a_fit_of_many_points_equals_one_that_starts_cold():
    x = np.linspace(0.0, 4.0, 250_000)
    y = 2.5 * np.exp(-1.3 * x) + 0.5 + 0.05 * np.random.default_rng(1).normal(size=x.size)

    def decay(x, a, b, c):
        return a * np.exp(-b * x) + c

    warm = mq.fit(decay, x, y, start=[1, 1, 0])
    cold = mq.fit(decay, x[:200_001], y[:200_001], start=[1, 1, 0], options=mq.Options(threads=1))
    one = mq.fit(decay, x, y, start=[1, 1, 0], options=mq.Options(threads=1))
    assert warm.success and cold.success
    assert np.array_equal(warm.x, one.x) and np.array_equal(warm.residuals, one.residuals)
    assert warm.nfev < 8


def test_the_trace_has_one_row_per_trial_step_and_ends_at_the_cost():
    fit = mq.fit(lambda x, a, b, c: a * np.exp(-b * x) + c, X, Y, start=[1, 1, 0])
    trace = fit.trace
    assert np.isfinite(trace["trial_cost"]).sum() == fit.nfev - 1
    assert trace["accepted"].sum() == fit.n_accepted
    assert np.isclose(trace["trial_cost"][trace["accepted"]][-1], fit.cost, rtol=1e-12)
    assert set(trace["model"]) <= {"gauss-newton", "newton", "accelerated", "polish"}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_fits_with_threads_of_its_own():
    code = """
import os, numpy as np, marquardt as mq
x = np.linspace(0, 4, 400_000)
y = 2.5 * np.exp(-1.3 * x) + 0.5 + 0.05 * np.sin(1e4 * x)
model = lambda x, a, b, c: a * np.exp(-b * x) + c
mine = mq.fit(model, x, y, start=[1, 1, 0], options=mq.Options(threads=2)).x
child = os.fork()
if child == 0:
    theirs = mq.fit(model, x, y, start=[1, 1, 0], options=mq.Options(threads=2)).x
    os._exit(0 if np.array_equal(mine, theirs) else 1)
assert os.waitpid(child, 0)[1] == 0
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, timeout=60)


GLOBAL_COUNTS = {"calls": 0}


def counting(x, a, b):
    GLOBAL_COUNTS["calls"] += 1
    return a * np.exp(-b * x)


@pytest.mark.parametrize(
    "function",
    [
        counting,
        lambda x, a, b: a * x + np.random.normal(),  # noqa: NPY002
        lambda x, a, b, table=[1.0]: a * x + table[0],
        lambda x, a, b: a * x.sum(),
        np.vectorize(lambda x, a: a * x),
    ],
)
def test_what_could_hide_state_is_verified_at_every_end(function):
    assert has_hidden_state(function)


def test_a_function_of_ufuncs_alone_hides_nothing():
    scale = 2.0
    assert not has_hidden_state(lambda x, a, b: scale * a * np.exp(-b * x) / math.sqrt(2) + abs(a) ** np.pi)


def test_state_that_appears_after_the_first_fit_is_still_noticed():
    state = {"shift": 0.0}

    def shifted(x, a, b, c):
        return a * np.exp(-b * x) + c + state["shift"]

    first = mq.fit(shifted, X, Y, start=[1, 1, 0])
    state["shift"] = 1.0
    second = mq.fit(shifted, X, Y, start=[1, 1, 0])
    assert np.isclose(second.x[2], first.x[2] - 1.0)
