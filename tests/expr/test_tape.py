"""Lowering: the tape computes what the interpreter computes, with little work and few registers."""

from __future__ import annotations

import numpy as np
import pytest

from marquardt.datasets.nist_models import FORMULAS
from marquardt.expr.derive import hessian, jacobian, second_directional
from marquardt.expr.formula import parse
from marquardt.expr.graph import Graph
from marquardt.expr.interpret import interpret
from marquardt.expr.tape import derived_columns, in_core, lower

from .executor import NAMES, OPCODES, run

X = np.linspace(0.5, 3.0, 5)


@pytest.fixture
def g():
    return Graph()


def names(spec):
    return [NAMES[row[0]] for row in spec.code]


@pytest.mark.parametrize("name", FORMULAS)
@pytest.mark.parametrize("hoist", [False, True])
def test_tape_of_nist_models_equals_the_interpreter(name, hoist):
    formula = parse(FORMULAS[name], ["x1", "x2", "y"] if name == "Nelson" else ["x", "y"])
    g, node, p = formula.graph, formula.node, len(formula.param_names)
    wrt, v = [g.param(i) for i in range(p)], [g.direction(i) for i in range(p)]
    outputs = [node, *jacobian(g, [node], wrt)[0], *second_directional(g, [node], wrt, v)]
    outputs += hessian(g, node, wrt).values()
    values, along = [0.9 + 0.13 * i for i in range(p)], list(np.linspace(1, 2, p))
    columns = [X, X[::-1]][: len(formula.data_names)]
    derived = derived_columns(outputs) if hoist else []
    spec = lower(g, outputs, p, p, derived=derived, opcodes=OPCODES)
    got, _ = run(spec, values + along, columns + interpret(derived, [], columns))
    for a, b in zip(got, interpret(outputs, values, columns, along), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


def test_parameter_only_work_is_in_the_prologue(g):
    width, x = g.param(0), g.data(0)
    node = g.div(x, g.apply("square", g.apply("exp", width)))
    spec = lower(g, [node], 1, opcodes=OPCODES)
    assert names(spec) == ["mul"] and len(spec.prologue) == 3


def test_products_are_fused_into_sums(g):
    a, x, y = g.param(0), g.data(0), g.data(1)
    z = g.apply("sin", x)
    outputs = [
        g.add(g.mul(a, x), y),
        g.sub(g.mul(z, x), y),
        g.sub(y, g.mul(z, y)),
        g.add(g.apply("square", z), a),
    ]
    spec = lower(g, outputs, 1, opcodes=OPCODES)
    assert names(spec) == ["fma", "sin", "fms", "fnma", "fma"]
    got, _ = run(spec, [3.0], [X, X**2])
    np.testing.assert_allclose(got[3], np.sin(X) ** 2 + 3.0)


def test_a_product_used_twice_is_not_fused(g):
    x, y = g.data(0), g.data(1)
    product = g.mul(x, y)
    assert "mul" in names(lower(g, [product, g.add(product, x)], 0, opcodes=OPCODES))


def test_dead_code_is_gone(g):
    x = g.data(0)
    g.apply("exp", x)
    assert names(lower(g, [g.apply("sin", x)], 0, opcodes=OPCODES)) == ["sin"]


def test_a_shared_reciprocal_replaces_divisions(g):
    x, y = g.data(0), g.apply("sinh", g.data(1))
    spec = lower(g, [g.div(x, y), g.div(g.const(1.0), y)], 0, opcodes=OPCODES)
    assert sorted(names(spec)) == ["mul", "recip", "sinh"]
    got, _ = run(spec, [], [X, X])
    np.testing.assert_allclose(got[0], X / np.sinh(X))


def test_a_reciprocal_used_once_becomes_a_division(g):
    x, y = g.data(0), g.data(1)
    assert names(lower(g, [g.mul(x, g.apply("recip", y))], 0, opcodes=OPCODES)) == ["div"]


def test_registers_are_reused(g):
    node = g.data(0)
    for _ in range(50):
        node = g.apply("sin", g.apply("exp", node))
    assert lower(g, [node], 0, opcodes=OPCODES).n_registers == 2


def test_outputs_may_be_scalars_inputs_and_repeated(g):
    a, x = g.param(0), g.data(0)
    node = g.mul(a, x)
    spec = lower(g, [a, x, node, node, g.const(4.0), g.apply("exp", a)], 1, opcodes=OPCODES)
    got, _ = run(spec, [2.0], [X])
    assert len(spec.code) == 1 and got[0] == 2.0 and got[4] == 4.0 and got[5] == np.exp(2.0)
    np.testing.assert_array_equal(got[1], X)
    np.testing.assert_array_equal(got[2], got[3])


def test_guards_are_scalar_slots(g):
    a, x = g.param(0), g.data(0)
    guard = g.apply("lt", a, g.const(1.0))
    spec = lower(g, [g.mul(a, x)], 1, guards=[(guard, True), (guard, False)], opcodes=OPCODES)
    assert run(spec, [0.5], [X])[1] == [True, False]
    assert run(spec, [1.5], [X])[1] == [False, True]


def test_expensive_data_only_work_becomes_columns(g):
    a, x = g.param(0), g.data(0)
    log_x = g.apply("log", g.shift(2.0, x))
    node = g.mul(a, g.add(g.mul(g.apply("square", x), log_x), g.apply("exp", g.mul(a, x))))
    derived = derived_columns([node])
    assert derived == [g.mul(g.apply("square", x), log_x)]
    spec = lower(g, [node], 1, derived=derived, opcodes=OPCODES)
    assert "log" not in names(spec) and spec.n_inputs == 2


def test_cheap_data_only_work_stays(g):
    assert derived_columns([g.mul(g.param(0), g.apply("square", g.data(0)))]) == []


def test_a_later_tape_may_use_the_columns_of_an_earlier_one(g):
    a, x = g.param(0), g.data(0)
    derived = [g.apply("log", x), g.apply("exp", x)]
    spec = lower(g, [g.mul(a, derived[1])], 1, n_columns=3, derived=derived, opcodes=OPCODES)
    assert spec.n_inputs == 5
    got, _ = run(spec, [2.0], [X, X, X, np.log(X), np.exp(X)])
    np.testing.assert_array_equal(got[0], 2 * np.exp(X))


def test_an_operation_without_kernel_is_named(g):
    node = g.apply("sin", g.apply("digamma", g.data(0)))
    assert in_core([node], opcodes={"sin"}) == "digamma"
    assert in_core([node], opcodes={"sin", "digamma"}) is None
    assert in_core([node], derived=[node.args[0]], opcodes={"sin"}) is None
