"""The native tape machine runs what `lower` writes, and its kernels agree with the table of operations."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from marquardt.datasets.nist_models import FORMULAS
from marquardt.expr.derive import jacobian, second_directional
from marquardt.expr.formula import parse
from marquardt.expr.graph import Graph
from marquardt.expr.interpret import interpret
from marquardt.expr.ops import OPS
from marquardt.expr.tape import core_opcodes, derived_columns, lower

from .test_properties import TREES, VALUES, to_graph

core = pytest.importorskip("marquardt._core")
KERNELS = [name for name in OPS if name in {n for n, _, _ in core.opcodes()}]
SPECIAL = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1e-300, -1e300, 1.0, -1.0, 0.5, 2.0])


def run(outputs, params, columns, n_direction=0, guards=(), hoist=True):
    derived = derived_columns(outputs) if hoist else []
    s = lower(
        Graph(),
        outputs,
        len(params) - n_direction,
        n_direction,
        guards,
        n_columns=len(columns),
        derived=derived,
    )
    tape = core.Tape(
        s.n_params, s.constants, s.prologue, s.n_inputs, s.code, s.n_registers, s.outputs, s.guards
    )
    n = len(columns[0])
    extra = [np.broadcast_to(c, n) for c in interpret(derived, [], columns)]
    columns = [np.ascontiguousarray(c, dtype=float) for c in [*columns, *extra]]
    return tape.run(np.array(params, dtype=float), columns, n), tape


@pytest.mark.parametrize("name", KERNELS)
def test_kernel_agrees_with_numpy_and_scipy(name):
    g = Graph()
    points = [*OPS[name].at]
    if OPS[name].arity == 1:
        points += [(x,) for x in SPECIAL]
    columns = [np.array(c, dtype=float) for c in zip(*points, strict=True)]
    node = g.raw(name, *[g.data(k) for k in range(len(columns))])
    with np.errstate(all="ignore"):
        expected = OPS[name].value(*columns)
    np.testing.assert_allclose(run([node], [], columns, hoist=False)[0][0], expected, rtol=2e-14, atol=1e-100)


@pytest.mark.parametrize("name", KERNELS)
def test_prologue_gives_the_value_of_the_block(name):
    g = Graph()
    for point in OPS[name].at:
        node = g.raw(name, *[g.param(k) for k in range(len(point))])
        got = run([node], point, [np.zeros(1)])[0][0, 0]
        np.testing.assert_allclose(got, OPS[name].fold(*point), rtol=2e-14)


def test_arities_of_the_core_are_those_of_the_table():
    arity = {name: n for name, _, n in core.opcodes()}
    assert all(arity[name] == OPS[name].arity for name in KERNELS)
    assert {"fma", "fms", "fnma"} <= core_opcodes().keys()


@pytest.mark.parametrize("name", FORMULAS)
def test_core_runs_nist_models_with_their_derivatives(name):
    formula = parse(FORMULAS[name], ["x1", "x2", "y"] if name == "Nelson" else ["x", "y"])
    g, node, p = formula.graph, formula.node, len(formula.param_names)
    wrt, v = [g.param(i) for i in range(p)], [g.direction(i) for i in range(p)]
    outputs = [node, *jacobian(g, [node], wrt)[0], *second_directional(g, [node], wrt, v)]
    x = np.linspace(0.5, 3.0, 700)
    columns = [x, x[::-1]][: len(formula.data_names)]
    values, along = [0.9 + 0.13 * i for i in range(p)], list(np.linspace(1, 2, p))
    got, _ = run(outputs, values + along, columns, p)
    for a, b in zip(got, interpret(outputs, values, columns, along), strict=True):
        np.testing.assert_allclose(a, np.broadcast_to(b, x.shape), rtol=1e-8, atol=1e-11)


def test_guards_are_checked_by_the_core():
    g = Graph()
    a, x = g.param(0), g.data(0)
    guard = g.apply("lt", a, g.const(1.0))
    _, tape = run([g.mul(a, x)], [0.5], [np.zeros(1)], guards=[(guard, True)])
    assert tape.guards_hold(np.array([0.5])) and not tape.guards_hold(np.array([1.5]))


@settings(max_examples=100, deadline=None)
@given(TREES, VALUES)
def test_core_agrees_with_the_interpreter_on_random_expressions(tree, values):
    g = Graph()
    node, x = to_graph(g, tree), np.array([0.4, 1.3, -0.8])
    expected = np.broadcast_to(interpret([node], values, [x])[0], x.shape)
    slopes = jacobian(g, [node], [g.param(j) for j in range(3)])[0]
    got = run([node, *slopes], values, [x])[0][0]
    finite = np.isfinite(expected) & (np.abs(expected) < 1e6)
    np.testing.assert_allclose(got[finite], expected[finite], rtol=1e-7, atol=1e-7)
