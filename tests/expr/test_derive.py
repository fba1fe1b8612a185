"""Derivatives of graphs: right by complex step, sparse, and never poisoned by what is not used."""

from __future__ import annotations

import numpy as np
import pytest

from marquardt.datasets.nist_models import FORMULAS, FUNCTIONS
from marquardt.expr.derive import _Sweep, directional, hessian, jacobian, jacobian_at, second_directional
from marquardt.expr.formula import parse
from marquardt.expr.graph import Graph
from marquardt.expr.interpret import interpret

X = np.linspace(0.5, 3.0, 7)


@pytest.fixture
def g():
    return Graph()


def complex_step(function, params, columns, j):
    shifted = [complex(p, 1e-40 * (i == j)) for i, p in enumerate(params)]
    return np.imag(function(*columns, *shifted)) * 1e40


def read(name):
    return parse(FORMULAS[name], ["x1", "x2", "y"] if name == "Nelson" else ["x", "y"])


def nist(name):
    """Graph, model, parameters and data of a NIST problem at a mild point."""
    formula = read(name)
    wrt = [formula.graph.param(i) for i in range(len(formula.param_names))]
    values = [0.9 + 0.13 * i for i in range(len(wrt))]
    return formula.graph, formula.node, wrt, values, [X, X[::-1]][: len(formula.data_names)]


@pytest.mark.parametrize("name", FORMULAS)
def test_jacobian_of_nist_models_is_the_complex_step_of_the_plain_function(name):
    g, node, wrt, values, columns = nist(name)
    names = sorted(f"b{j + 1}" for j in range(len(wrt)))
    appearance = [names.index(n) for n in read(name).param_names]
    plain = FUNCTIONS[name]
    in_order = [values[appearance.index(j)] for j in range(len(wrt))]
    for j, slope in enumerate(jacobian(g, [node], wrt)[0]):
        expected = complex_step(plain, in_order, columns, appearance[j])
        np.testing.assert_allclose(
            np.broadcast_to(interpret([slope], values, columns)[0], X.shape),
            np.broadcast_to(expected, X.shape),
            rtol=1e-11,
            atol=1e-14,
        )


@pytest.mark.parametrize("name", FORMULAS)
def test_forward_reverse_and_directional_agree(name):
    g, node, wrt, values, columns = nist(name)
    sweep = _Sweep(g, [node], wrt)
    forward, reverse = sweep.forward([node])[0], sweep.reverse([node])[0]
    assert forward.keys() == reverse.keys()
    f = np.array([X * 0 + v for v in interpret(list(forward.values()), values, columns)])
    r = np.array([X * 0 + v for v in interpret([reverse[j] for j in forward], values, columns)])
    np.testing.assert_allclose(f, r, rtol=1e-11, atol=1e-14)
    v = [g.direction(j) for j in range(len(wrt))]
    direction = np.linspace(1.0, 2.0, len(wrt))
    along = interpret(directional(g, [node], wrt, v), values, columns, direction)[0]
    np.testing.assert_allclose(along, direction[list(forward)] @ f, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("name", FORMULAS)
def test_jacobian_at_numbers_is_the_jacobian_with_them_put_in(name):
    g, node, wrt, values, columns = nist(name)
    at = jacobian_at(g, [node], wrt, values)[0]
    found, expected = interpret(at, (), columns), interpret(jacobian(g, [node], wrt)[0], values, columns)
    np.testing.assert_allclose([X * 0 + v for v in found], [X * 0 + v for v in expected], rtol=1e-11)


def test_jacobian_at_rest_leaves_out_what_vanishes(g):
    x, d = g.data(0), g.data(1)
    moved = g.add(x, g.mul(g.apply("sin", d), g.apply("exp", x)))
    assert jacobian_at(g, [moved, g.mul(d, d)], [d], [0.0]) == [[g.apply("exp", x)], [g.const(0.0)]]


def test_jacobian_at_numbers_takes_the_branch_they_choose(g):
    d = g.param(0)
    near = g.select(g.apply("lt", d, g.const(1.0)), g.scale(3.0, d), g.apply("log", d))
    assert jacobian_at(g, [near], [d], [0.0]) == [[g.const(3.0)]]


@pytest.mark.parametrize("name", FORMULAS)
def test_second_directional_is_the_hessian_form(name):
    g, node, wrt, values, columns = nist(name)
    second = hessian(g, node, wrt)
    direction = np.linspace(1.0, 2.0, len(wrt))
    v = [g.direction(j) for j in range(len(wrt))]
    along = interpret(second_directional(g, [node], wrt, v), values, columns, direction)[0]
    total, size = np.zeros_like(X), np.zeros_like(X)
    for (j, l), value in zip(second, interpret(list(second.values()), values, columns), strict=True):
        term = (1 + (j != l)) * direction[j] * direction[l] * value
        total, size = total + term, size + np.abs(term)
    assert np.all(np.abs(along - total) <= 1e-11 * size)
    assert all(j >= l for j, l in second)


def test_a_linear_model_has_no_second_derivatives(g):
    a, b, x = g.param(0), g.param(1), g.data(0)
    node = g.add(g.mul(a, x), b)
    assert hessian(g, node, [a, b]) == {}
    assert jacobian(g, [node], [a, b]) == [[x, g.const(1.0)]]


def test_an_absent_parameter_has_derivative_zero(g):
    assert jacobian(g, [g.param(0)], [g.param(0), g.param(1)]) == [[g.const(1.0), g.const(0.0)]]


def test_the_shorter_accumulation_is_chosen(g):
    wrt = [g.param(j) for j in range(6)]
    shared = g.const(1.0)
    for w in wrt:
        shared = g.apply("exp", g.mul(w, shared))
    few = [g.apply("sin", shared), g.apply("cos", shared)]
    many = [g.scale(float(k + 2), shared) for k in range(9)]
    assert not _Sweep(g, few, wrt).forward_is_shorter(few)
    assert _Sweep(g, many, wrt).forward_is_shorter(many)
    rows = interpret([d for row in jacobian(g, many, wrt) for d in row], [0.1] * 6, [])
    np.testing.assert_allclose(np.reshape(rows, (9, 6))[8], 5 * np.reshape(rows, (9, 6))[0], rtol=1e-12)


@pytest.mark.parametrize("mode", ["forward", "reverse"])
def test_untaken_branch_does_not_poison(g, mode):
    a, x = g.param(0), g.data(0)
    z = g.mul(a, x)
    positive = g.apply("lt", g.const(0.0), x)
    node = g.mul(a, g.select(positive, g.apply("log", z), z))
    row = getattr(_Sweep(g, [node], [a]), mode)([node])[0]
    np.testing.assert_allclose(
        interpret([row[0]], [2.0], [np.array([-1.0, 0.0, 3.0])])[0], [-4.0, 0.0, np.log(6.0) + 1.0]
    )


@pytest.mark.parametrize("mode", ["forward", "reverse"])
def test_maximum_takes_the_slope_of_the_larger(g, mode):
    a, x = g.param(0), g.data(0)
    node = g.apply("maximum", g.apply("log", g.mul(a, x)), g.scale(-5.0, a))
    row = getattr(_Sweep(g, [node], [a]), mode)([node])[0]
    np.testing.assert_allclose(interpret([row[0]], [2.0], [np.array([0.0, 3.0])])[0], [-5.0, 0.5])


def test_nested_choices_are_differentiated_branch_by_branch(g):
    a, x = g.param(0), g.data(0)
    node = g.const(0.0)
    for k in range(200):
        node = g.select(g.apply("eq", x, g.const(float(k))), g.apply("exp", g.scale(float(k), a)), node)
    slope = jacobian(g, [node], [a])[0][0]
    np.testing.assert_allclose(
        interpret([slope], [0.01], [np.array([3.0, 150.0])])[0], [3 * np.exp(0.03), 150 * np.exp(1.5)]
    )


def test_stretched_exponential_at_time_zero_has_finite_derivatives(g):
    tau, beta, x = g.param(0), g.param(1), g.data(0)
    node = g.apply("exp", g.neg(g.apply("pow", g.div(x, tau), beta)))
    v = [g.direction(0), g.direction(1)]
    nodes = [*jacobian(g, [node], [tau, beta])[0], *second_directional(g, [node], [tau, beta], v)]
    for p in (0.5, 1.0, 1.5):
        for value in interpret(nodes, [2.0, p], [np.array([0.0, 1.0])], [1.0, 1.0]):
            assert np.isfinite(value).all() and value[0] == 0.0


def test_radius_at_the_origin_has_slope_zero(g):
    a, b = g.param(0), g.param(1)
    node = g.apply("sqrt", g.add(g.mul(a, a), g.mul(b, b)))
    assert interpret(jacobian(g, [node], [a, b])[0], [0.0, 0.0], []) == [0.0, 0.0]


def test_derivatives_with_respect_to_data_are_possible(g):
    a, x = g.param(0), g.data(0)
    slope = jacobian(g, [g.apply("sin", g.mul(a, x))], [x])[0][0]
    np.testing.assert_allclose(interpret([slope], [2.0], [X])[0], 2 * np.cos(2 * X))


def test_logistic_derivative_survives_overflow(g):
    a, x = g.param(0), g.data(0)
    node = g.div(g.const(1.0), g.add(g.const(1.0), g.apply("exp", g.mul(a, x))))
    slope = jacobian(g, [node], [a])[0][0]
    assert interpret([slope], [1.0], [np.array([1000.0])])[0] == [0.0]
