"""What a trace promises: guards, fingerprints, errors that name their place, arguments of the same kind."""

from __future__ import annotations

import numpy as np
import pytest

from marquardt.expr.interpret import interpret
from marquardt.expr.trace import Untraceable, trace

from .verify import check, values_of

X = np.linspace(0.5, 4.0, 30)
RATE = 0.5
TABLE = np.linspace(0.0, 1.0, 30)
SETTINGS = {"power": 2}


def decay(x, a, b):
    return a * np.exp(-b * x)


def test_trace_of_other_data_of_the_same_kind():
    traced = trace(decay, [X], {"a": 1.0, "b": 0.3})
    assert traced.fits([X + 1]) and not traced.data_bound
    assert np.allclose(values_of(traced, [X + 1], {"a": 2.0, "b": 0.1}), decay(X + 1, 2.0, 0.1), rtol=1e-15)
    assert not traced.fits([X[:5]])


def test_parameters_are_flattened_in_order():
    def model(x, p, c):
        return p[0] * x + p[1] + c

    assert trace(model, [X], {"p": np.array([1.0, 2.0]), "c": 3.0}).param_names == ("p[0]", "p[1]", "c")


def test_branch_on_a_parameter_is_a_guard_and_flips():
    def model(x, a):
        return a * x if a > 1 else x**2

    traced = trace(model, [X], {"a": 2.0})
    (guard,) = traced.guards
    assert guard.outcome is True
    assert interpret([guard.node], [0.5], [])[0] == 0.0
    assert check(trace(model, [X], {"a": 0.5}), model, [X], {"a": 0.5}) is True


def test_sum_over_data_binds_the_trace_to_them():
    traced = trace(lambda x, a: a * x / x.sum(), [X], {"a": 1.0})
    assert traced.data_bound
    assert traced.fits([X.copy()]) and not traced.fits([X + 1])


def test_elementwise_function_of_a_vector_is_one_family():
    def model(x, a):
        return np.array([a * np.sqrt(v) for v in x])

    (family,) = trace(model, [X], {"a": 1.0}).families
    assert family.n_rows == X.size and len(family.columns) == 1
    assert family.columns[0].extract([X]) is not None


def test_two_outputs_per_row_share_a_family():
    traced = trace(lambda x, a: np.column_stack([np.cos(a * x), np.sin(a * x)]).ravel(), [X], {"a": 1.0})
    (family,) = traced.families
    assert len(family.outputs) == 2
    assert np.array_equal(family.rows, np.arange(2 * X.size).reshape(-1, 2).T)


def test_plain_argument_is_read_without_a_copy():
    (family,) = trace(decay, [X], {"a": 1.0, "b": 0.3}).families
    assert np.shares_memory(family.columns[0].extract([X]), X)


def test_untraceable_names_construct_line_and_function():
    from scipy.integrate import quad

    def model(x, a):
        y = x + 1
        return y * quad(lambda t: np.exp(-a * t), 0, 1)[0]

    with pytest.raises(Untraceable, match="`quad` on line 3 of `model` cannot be traced"):
        trace(model, [X], {"a": 1.0})


def test_the_functions_own_exception_passes_through():
    def model(x, a):
        if a > 0:
            raise ValueError("a must not be positive")
        return a * x

    with pytest.raises(ValueError, match="a must not be positive"):
        trace(model, [X], {"a": 1.0})


def test_a_bare_except_does_not_hide_what_cannot_be_traced():
    def model(x, a):
        try:
            y = np.fft.fft(a * x).real
        except:  # noqa: E722
            y = x
        return y

    with pytest.raises(Untraceable, match="fft"):
        trace(model, [X], {"a": 1.0})


def test_hidden_state_is_found_by_check():
    calls = []

    def model(x, a):
        calls.append(1)
        return a * x + len(calls)

    traced = trace(model, [X], {"a": 1.0})
    assert "differs from the function" in check(traced, model, [X], {"a": 1.0})


def global_rate(x, a):
    return a * np.exp(-RATE * x) + TABLE ** SETTINGS["power"]


def test_fingerprint_notices_a_changed_global(monkeypatch):
    fingerprint = trace(global_rate, [X], {"a": 1.0}).fingerprint
    assert fingerprint.unchanged()
    monkeypatch.setitem(globals(), "RATE", 0.6)
    assert not fingerprint.unchanged()


def test_fingerprint_notices_a_changed_array_and_dictionary():
    fingerprint = trace(global_rate, [X], {"a": 1.0}).fingerprint
    TABLE[3] += 1
    assert not fingerprint.unchanged()
    TABLE[3] -= 1
    SETTINGS["power"] = 3
    assert not fingerprint.unchanged()
    SETTINGS["power"] = 2


def test_fingerprint_notices_a_changed_closure_and_helper():
    scale = 1.0

    def helper(x):
        return scale * x

    def model(x, a):
        return a * helper(x)

    fingerprint = trace(model, [X], {"a": 1.0}).fingerprint
    assert fingerprint.unchanged()
    scale = 2.0
    assert not fingerprint.unchanged()


class Instrument:
    def __init__(self):
        self.gain = 1.5

    def model(self, x, a):
        return self.gain * a * x


def test_fingerprint_notices_a_changed_attribute():
    instrument = Instrument()
    fingerprint = trace(instrument.model, [X], {"a": 1.0}).fingerprint
    assert fingerprint.unchanged()
    instrument.gain = 2.0
    assert not fingerprint.unchanged()


def test_the_users_module_and_objects_are_left_alone():
    counter = Instrument()

    def model(x, a):
        counter.gain = a
        return counter.gain * x

    trace(model, [X], {"a": 3.0})
    assert counter.gain == 1.5


def test_writing_to_an_argument_leaves_the_array_alone():
    def model(x, a):
        x[x < 1] = 0.0
        return a * x

    before = X.copy()
    traced = trace(model, [X], {"a": 2.0})
    assert np.array_equal(X, before)
    assert check(traced, model, [X], {"a": 2.0}) is True


def test_a_view_follows_its_array_and_the_array_its_view():
    def model(x, a):
        y = np.zeros((2, x.size))
        row = y[0]
        row[:] = a * x
        y[0] += 1
        return row + y[1]

    assert check(trace(model, [X], {"a": 2.0}), model, [X], {"a": 2.0}) is True


def test_complex_result_counts_real_parts_first():
    traced = trace(lambda w, r, c: r + 1 / (1j * w * c), [X], {"r": 1.0, "c": 2.0})
    assert traced.complex and traced.shape == X.shape
    assert sorted(np.concatenate([f.rows.ravel() for f in traced.families])) == list(range(2 * X.size))
