"""What must hold for any step of the loop."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marquardt.errors import OptionError
from marquardt.options import Options
from marquardt.solve import reference

from .jets import Exact
from .support import in_core, in_numpy

T = np.linspace(0, 4, 20)
NOISY = 5 * np.exp(-1.3 * T) + 1 + 0.05 * np.sin(17 * T)
both = pytest.mark.parametrize("code", [in_core, in_numpy])


def decay(b):
    return b[0] * np.exp(-b[1] * T) + b[2] - NOISY


def linearized(x):
    exact = Exact(decay)
    free = np.full(3, np.inf)
    loop = reference.Loop(
        reference.Problem(exact.residuals, exact.jacobian), -free, free, Options(scaling="magnitude")
    )
    x = np.array(x, float)
    return loop, loop.linearize(x, exact.residuals(x))


points = st.tuples(st.floats(0.5, 9), st.floats(0.1, 3), st.floats(0.1, 3))


@settings(max_examples=50, deadline=None)
@given(points, st.floats(1e-3, 10))
def test_predicted_reduction_is_the_linear_models_and_the_step_lies_in_the_region(x, radius):
    loop, p = linearized(x)
    trial = reference.propose(p, loop.D, None, radius, loop.lower, loop.upper)
    linear = p.f @ p.f - np.sum((p.f + p.J @ trial.v) ** 2)
    damping_term = trial.damping * np.sum((loop.D * trial.v) ** 2)  # lambda |D v|^2
    # v solves the damped system, so rss - |f + J v|^2 = |J v|^2 + 2 lambda |D v|^2
    assert np.isclose(trial.predicted, linear, rtol=1e-7, atol=1e-11 * (p.f @ p.f))
    assert np.isclose(trial.predicted, np.sum((p.J @ trial.v) ** 2) + 2 * damping_term, rtol=1e-7)
    assert np.isclose(reference.reduction(p, trial.v, None), linear, rtol=1e-9, atol=1e-11 * (p.f @ p.f))
    assert np.linalg.norm(loop.D * trial.v) <= 1.1 * radius * (1 + 1e-9)


@settings(max_examples=50, deadline=None)
@given(points, st.floats(1e-3, 10))
def test_step_solves_the_damped_normal_equations(x, radius):
    loop, p = linearized(x)
    trial = reference.propose(p, loop.D, None, radius, loop.lower, loop.upper)
    left = (p.J.T @ p.J + trial.damping * np.diag(loop.D**2)) @ trial.v
    scale = np.linalg.norm(p.J, axis=0) * np.linalg.norm(p.f)
    assert np.all(np.abs(left + p.J.T @ p.f) <= 1e-9 * scale)


@settings(max_examples=30, deadline=None)
@given(points)
def test_a_large_radius_gives_the_gauss_newton_step(x):
    loop, p = linearized(x)
    trial = reference.propose(p, loop.D, None, 1e9, loop.lower, loop.upper)
    step = np.linalg.lstsq(p.J, -p.f, rcond=None)[0]
    assert trial.damping == 0
    np.testing.assert_allclose(trial.v, step, rtol=1e-7, atol=1e-9 * np.max(np.abs(step)))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(1e-3, 1e3))
def test_an_indefinite_model_is_minimized_on_the_border(seed, radius):
    rng = np.random.default_rng(seed)
    w, c = np.sort(rng.normal(size=4)) - 0.5, rng.normal(size=4)
    model = reference.Spectrum(w, c, np.eye(4), np.arange(4))
    t, damping = model.within(radius)
    value = 2 * c @ t + w @ t**2
    assert damping >= max(0, -w[0]) * (1 - 1e-9) and np.linalg.norm(t) <= 1.1 * radius * (1 + 1e-9)
    for other in rng.normal(size=(200, 4)):
        s = other * (min(radius, np.linalg.norm(t)) / np.linalg.norm(other))
        assert value <= 2 * c @ s + w @ s**2 + 1e-9 * abs(value)


@settings(max_examples=20, deadline=None)
@given(st.integers(-40, 40), st.integers(-40, 40), st.integers(-40, 40))
def test_units_that_are_powers_of_two_give_the_same_bits_in_the_core(i, j, k):
    a, b, r = 2.0**i, 2.0**j, 2.0**k
    plain = in_core(Exact(decay), [1, 1, 0.5])
    scaled = in_core(Exact(lambda p: r * decay([a * p[0], b * p[1], p[2]])), [1 / a, 1 / b, 0.5])
    assert np.array_equal(scaled.x * [a, b, 1], plain.x)
    assert np.array_equal(scaled.costs / r**2, plain.costs)


@both
def test_the_order_of_the_rows_does_not_matter(code):
    order = np.random.default_rng(0).permutation(T.size)
    plain, shuffled = code(Exact(decay), [1, 1, 0.5]), code(Exact(lambda b: decay(b)[order]), [1, 1, 0.5])
    np.testing.assert_allclose(shuffled.x, plain.x, rtol=1e-12)


@both
def test_every_accepted_cost_before_the_polish_is_lower(code):
    costs = code(Exact(decay), [1, 1, 0.5], options=Options(polish=False)).costs
    assert np.all(np.diff(costs) < 0)


@both
def test_the_budget_of_jacobians_is_kept(code):
    end = code(Exact(decay), [1, 1, 0.5], options=Options(max_evaluations=3))
    assert end.njev == 3 and end.status.name == "MAX_EVALUATIONS"


@both
@pytest.mark.parametrize(
    "change", [{"acceleration": False}, {"newton": False}, {"scaling": "mix"}, {"polish": False}]
)
def test_every_choice_of_method_reaches_the_same_minimum(code, change):
    plain, other = code(Exact(decay), [1, 1, 0.5]), code(Exact(decay), [1, 1, 0.5], options=Options(**change))
    np.testing.assert_allclose(other.x, plain.x, rtol=1e-6)
    assert other.status.success or change == {
        "polish": False
    }  # the cost alone cannot certify the last digits


@pytest.mark.parametrize(
    "bad",
    [{"tolerance": 0}, {"tolerance": np.nan}, {"max_evaluations": 0}, {"max_evaluations": 1.5}, {"polish": 1},
     {"scaling": "none"}, {"radius_factor": -1.0}, {"threads": True}],
)  # fmt: skip
def test_an_impossible_option_is_named(bad):
    with pytest.raises(OptionError, match=next(iter(bad))):
        Options(**bad)
