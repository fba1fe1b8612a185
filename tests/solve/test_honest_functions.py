"""Functions that end, bend, tremble, forget or fail on the way: what is said of them is true."""

import numpy as np
import pytest

import marquardt as mq
from marquardt.errors import DataError, ModelError, Status

from .ways import PATHS, WAYS, end, solve

T = np.linspace(0, 4, 30)
each_way = pytest.mark.parametrize("way", WAYS)
each_path = pytest.mark.parametrize("path", PATHS)


def decay(t, a, b):
    return a * np.exp(-b * t)


DECAY = 3 * np.exp(-0.7 * T) + 0.01 * np.sin(9 * T)


# --------------------------------------------------------------------------------------------- edges, kinks


@each_way
@pytest.mark.parametrize("start", [np.nextafter(4.0, 5), 50.0])
def test_a_logarithm_is_fitted_from_the_edge_of_its_domain_or_given_up(way, start):
    y = np.log(6.5 - T) + 0.01 * np.sin(20 * T)
    r = end(way, lambda t, b: np.log(b - t), T, y, [start])
    assert r.success or (way.endswith("called back") and start < 5)  # differences need a neighborhood
    assert abs(r.x[0] - 6.499) < 1e-3 or not r.success


@each_way
def test_roots_of_negative_numbers_are_refused_steps(way):
    y = 2 * np.sqrt(0.05 + T) + 0.001 * np.sin(20 * T)
    r = end(way, lambda t, a, b: a * np.sqrt(b + t), T, y, [0.1, 30.0])
    assert r.success and r.cost < 1e-4


@each_way
def test_powers_of_negative_numbers_are_refused_steps(way):
    y = 2 * np.sqrt(0.05 + T) + 0.001 * np.sin(20 * T)
    r = end(way, lambda t, a, b, c: a * (b + t) ** c, T, y, [0.1, 3.0, 2.0])
    assert r.success and r.cost < 1e-4


@each_path
def test_a_kink_is_not_called_a_smooth_minimum(path):
    r = solve(path, lambda x: np.abs(x) + 1, [3.0])
    assert not r.success and abs(r.x[0]) < 1e-6


@each_path
def test_a_cusp_is_certified_only_where_it_is_exactly_met(path):
    r = solve(path, lambda x: np.abs(x - 1) ** 0.5, [3.0])
    assert abs(r.x[0] - 1) < (1e-12 if r.success else 1e-5)


@each_way
def test_two_rates_that_become_equal_give_their_limit_or_a_doubt(way):
    def compartment(t, absorption, elimination, dose):
        fast, slow = np.exp(-absorption * t), np.exp(-elimination * t)
        return dose * absorption / (absorption - elimination) * (slow - fast)

    r = end(way, compartment, T, 3 * T * np.exp(-T), [1.5, 0.5, 2.0])
    assert r.cost < 1e-12
    assert not r.success or np.allclose(r.x, [1, 1, 3], rtol=1e-3)


@each_way
@pytest.mark.parametrize("start", [[0.0, 1.0], [0.0, 0.0]])
def test_a_start_at_zero_is_no_obstacle(way, start):
    r = end(way, decay, T, DECAY, start)
    assert r.status is Status.CONVERGED
    np.testing.assert_allclose(r.x, [3, 0.7], atol=0.05)


# ------------------------------------------------------------------------------------------- bad data, none


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_data_that_are_not_finite_are_refused_by_name(value):
    y = DECAY.copy()
    y[7] = value
    with pytest.raises(DataError, match="7"):
        mq.fit(decay, T, y, start=[1, 1])


def test_a_known_standard_deviation_of_zero_is_refused():
    with pytest.raises(DataError, match="sigma"):
        mq.fit(decay, T, DECAY, start=[1, 1], sigma=np.where(np.arange(30) == 4, 0.0, 1.0))


@each_path
def test_residuals_that_are_not_finite_at_the_start_are_refused(path):
    with pytest.raises(DataError, match="residual 0 is nan"):
        solve(path, lambda x: np.array([np.log(x[0]), x[0] - 1]), [-1.0])


@each_path
def test_with_every_unknown_held_nothing_is_moved(path):
    r = solve(path, lambda x: decay(T, *x) - DECAY, [1.0, 2.0], bounds=([1.0, 2.0], [1.0, 2.0]))
    assert np.array_equal(r.x, [1.0, 2.0])
    assert np.isclose(2 * r.cost, np.sum((decay(T, 1, 2) - DECAY) ** 2))


# ----------------------------------------------------------------------------------------------- callbacks


def recorder(residuals, fail):
    """Residuals whose k-th call is handed to `fail`."""
    calls = [0]

    def called(x):
        calls[0] += 1
        return fail(calls[0], x, residuals(np.array([float(f"{value:.17g}") for value in x])))

    return called


def residuals(x):
    return decay(T, *x) - DECAY


def test_a_callback_that_refuses_a_point_is_asked_elsewhere():
    def refuse(_, x, f):
        if x[1] < 0.3:
            raise ValueError("rate too small")
        return f

    r = mq.least_squares(recorder(residuals, refuse), [10.0, 3.0])
    assert r.success and np.allclose(r.x, [3, 0.7], atol=0.05)


def test_an_error_of_a_callback_is_not_swallowed():
    def fail(call, x, f):
        if call > 6:
            raise KeyError("the bath of the thermostat")
        return f

    with pytest.raises(KeyError, match="thermostat"):
        mq.least_squares(recorder(residuals, fail), [10.0, 3.0])


def test_a_callback_that_changes_its_shape_midway_is_refused():
    def shrink(call, x, f):
        return f[:-1] if call > 6 else f

    with pytest.raises(ModelError, match="29"):
        mq.least_squares(recorder(residuals, shrink), [10.0, 3.0])


def test_noise_of_a_callback_does_not_spoil_the_estimates():
    random = np.random.default_rng(3)

    def tremble(_, x, f):
        return f + 1e-8 * random.normal(size=f.size)

    r = mq.least_squares(recorder(residuals, tremble), [10.0, 3.0])
    best = mq.least_squares(residuals, [10.0, 3.0])
    np.testing.assert_allclose(r.x, best.x, rtol=1e-4)
    assert not r.derivative.startswith("exact")


def test_a_callback_that_remembers_is_never_certified():
    last = [0.0]

    def drag(_, x, f):
        f = f + 0.05 * np.sin(T) * np.tanh(x[1] - last[0])
        last[0] = float(x[1])
        return f

    r = mq.least_squares(recorder(residuals, drag), [10.0, 3.0])
    assert not r.success


# ------------------------------------------------------------------------------------- the caller's Jacobian


def jacobian(x):
    return np.transpose([np.exp(-x[1] * T), -x[0] * T * np.exp(-x[1] * T)])


def test_the_callers_jacobian_is_used_when_it_is_right():
    r = mq.least_squares(residuals, [10.0, 3.0], jac=jacobian)
    assert r.status is Status.CONVERGED and r.derivative.startswith("given")


@pytest.mark.parametrize("wrong", [lambda J: 2 * J, lambda J: -J, lambda J: J * [1, 1.01], lambda J: 0 * J])
def test_a_wrong_jacobian_is_refused_and_its_entry_named(wrong):
    with pytest.raises(ModelError, match=r"jac is wrong at the start: .*x\[[01]\]"):
        mq.least_squares(residuals, [10.0, 3.0], jac=lambda x: wrong(jacobian(x)))


def test_a_jacobian_that_is_wrong_only_near_the_end_is_not_trusted():
    def fades(x):
        return jacobian(x) * [1.0, 1.0 if x[1] > 1 else 0.0]

    assert not mq.least_squares(residuals, [10.0, 3.0], jac=fades).success
