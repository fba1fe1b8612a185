"""What must not change a fit: units, order of rows, a constant in the cost; and what every path agrees on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import marquardt as mq
from marquardt import _core
from marquardt.expr.derive import jacobian
from marquardt.expr.interpret import interpret
from marquardt.expr.tape import in_core, lower
from marquardt.expr.trace import trace

X = np.linspace(0.1, 4.0, 40)
RNG = np.random.default_rng(5)
Y = 2.5 * np.exp(-1.3 * X) + 0.5 + 0.02 * RNG.normal(size=X.size)
VALUES = st.integers(-2000, 2000).map(lambda k: k / 1000)
START = np.array([1.0, 1.0, 0.1])


def decay(x, a, b, c):
    return a * np.exp(-b * x) + c


UNARY = {
    "exp": np.exp,
    "sin": np.sin,
    "tanh": np.tanh,
    "arctan": np.arctan,
    "sqrt1": lambda u: np.sqrt(1 + u * u),
}


@st.composite
def functions(draw):
    """A random smooth function of x, a, b as plain Python: closures over NumPy."""
    depth = draw(st.integers(1, 4))

    def build(level):
        kind = draw(
            st.sampled_from(["x", "a", "b", "number"] if level == 0 else [*UNARY, "+", "-", "*", "/"])
        )
        if kind == "x":
            return lambda x, a, b: x
        if kind == "a":
            return lambda x, a, b: a
        if kind == "b":
            return lambda x, a, b: b
        if kind == "number":
            value = draw(st.floats(-3, 3).map(lambda v: round(v, 2)))
            return lambda x, a, b: value
        left = build(level - 1)
        if kind in UNARY:
            outer = UNARY[kind]
            return lambda x, a, b: outer(left(x, a, b))
        right = build(level - 1)
        return {
            "+": lambda x, a, b: left(x, a, b) + right(x, a, b),
            "-": lambda x, a, b: left(x, a, b) - right(x, a, b),
            "*": lambda x, a, b: left(x, a, b) * right(x, a, b),
            "/": lambda x, a, b: left(x, a, b) / (1.5 + right(x, a, b) ** 2),
        }[kind]

    inner = build(depth)
    return lambda x, a, b: inner(x, a, b) + 0.0 * x


@settings(max_examples=150, deadline=None)
@given(functions(), VALUES, VALUES)
def test_trace_derive_and_tape_equal_the_function_and_complex_step(function, a, b):
    with np.errstate(all="ignore"):
        plain = function(X, a, b)
    assume(np.isfinite(plain).all() and np.abs(plain).max() < 1e8)
    traced = trace(function, (X,), {"a": a, "b": b})
    (family,) = traced.families
    g, wrt = traced.graph, [traced.graph.param(0), traced.graph.param(1)]
    outputs = [*family.outputs, *(d for row in jacobian(g, family.outputs, wrt) for d in row)]
    assert in_core(outputs) is None
    columns = [c.extract((X,)) for c in family.columns]
    s = lower(g, outputs, 2, n_columns=len(columns))
    tape = _core.Tape(
        s.n_params, s.constants, s.prologue, s.n_inputs, s.code, s.n_registers, s.outputs, s.guards
    )
    found = tape.run(np.array([a, b]), columns, X.size)
    oracle = np.array([np.broadcast_to(v, X.shape) for v in interpret(outputs, [a, b], columns)])
    with np.errstate(all="ignore"):
        steps = [function(X, a + 1e-30j, b).imag / 1e-30, function(X, a, b + 1e-30j).imag / 1e-30]
    assume(all(np.isfinite(d).all() and np.abs(d).max() < 1e8 for d in steps))
    exact = np.array([plain, *steps])
    # A derivative that is zero by cancellation is right to the rounding of its terms, which are of order 1.
    scale = np.abs(exact).max(axis=1, keepdims=True) + 1.0
    assert (np.abs(found - oracle) <= 1e-12 * scale).all()
    assert (np.abs(oracle - exact) <= 1e-10 * scale).all()


@settings(max_examples=25, deadline=None)
@given(st.integers(-40, 40), st.integers(-40, 40))
def test_units_of_parameters_and_data_do_not_matter(k, d):
    unit, size = 2.0**k, 2.0**d

    def scaled(x, a, b, c):
        return size * decay(x, a, b / unit, c)

    plain = mq.fit(decay, X, Y, start=START)
    other = mq.fit(scaled, X, size * Y, start=START * [1, unit, 1])
    assert other.nfev == plain.nfev and other.njev == plain.njev
    assert np.allclose(other.x, plain.x * [1, unit, 1], rtol=1e-13)
    assert np.allclose(other.stderr, plain.stderr * [1, unit, 1], rtol=1e-10)


@settings(max_examples=25, deadline=None)
@given(st.permutations(range(X.size)))
def test_the_order_of_the_rows_does_not_matter(order):
    plain = mq.fit(decay, X, Y, start=START)
    other = mq.fit(decay, X[order], Y[order], start=START)
    assert np.allclose(other.x, plain.x, rtol=1e-12)
    assert np.allclose(other.residuals, plain.residuals[order], atol=1e-11)


@pytest.mark.parametrize("constant", [1e4, 1e8, 1e12])
def test_a_constant_added_to_the_cost_changes_nothing(constant):
    def with_constant(x, a, b, c):
        return np.concatenate([decay(x[:-1], a, b, c), [constant]])

    plain = mq.fit(decay, X, Y, start=START)
    other = mq.fit(with_constant, np.append(X, 9.0), np.append(Y, 0.0), start=START)
    assert np.allclose(other.x, plain.x, rtol=1e-12)


def test_duplicated_data_give_the_same_estimates():
    plain = mq.fit(decay, X, Y, start=START)
    double = mq.fit(decay, np.tile(X, 2), np.tile(Y, 2), start=START)
    assert np.allclose(double.x, plain.x, rtol=1e-12)
