"""Nodes are unique, folded and never rewritten into something that hides a NaN."""

from __future__ import annotations

import copy
import math
import sys

import numpy as np
import pytest

from marquardt.expr import ops
from marquardt.expr.graph import DATA, PARAM, Graph, reachable
from marquardt.expr.interpret import compile_numpy, interpret


@pytest.fixture
def g():
    return Graph()


def test_equal_expressions_are_one_node(g):
    a, x = g.param(0), g.data(0)
    assert g.apply("exp", g.mul(a, x)) is g.apply("exp", g.mul(x, a))
    assert g.param(0) is a and g.data(0) is not g.data(1)


def test_constants_are_told_apart_by_bits(g):
    assert g.const(0.0) is not g.const(-0.0)
    assert g.const(math.nan) is g.const(math.nan)
    assert math.copysign(1.0, g.const(-0.0).value) == -1.0


def test_kind_says_what_a_node_depends_on(g):
    a, x = g.param(0), g.data(0)
    assert g.const(2.0).kind == 0
    assert (a.kind, x.kind, g.direction(0).kind) == (PARAM, DATA, PARAM)
    assert g.mul(a, x).kind == PARAM | DATA


def test_constants_fold(g):
    two, half = g.const(2.0), g.const(0.5)
    assert g.mul(two, half) is g.const(1.0)
    assert g.div(two, g.const(0.0)).value == math.inf
    assert g.apply("erfc", half).value == math.erfc(0.5)


def test_unknown_operation_is_an_error(g):
    with pytest.raises(KeyError, match="frobnicate"):
        g.apply("frobnicate", g.param(0))


def test_index_order_is_topological(g):
    x = g.data(0)
    node = g.add(g.apply("sin", g.mul(g.param(0), x)), g.param(1))
    order = reachable([node])
    assert all(order.index(a) < order.index(n) for n in order for a in n.args)


def test_a_graph_can_be_copied(g):
    node = g.mul(g.param(0), g.apply("exp", g.data(0)))
    _, twin = copy.deepcopy((g, node))
    assert twin is not node
    assert interpret([twin], [2.0], [np.array([0.0])])[0] == [2.0]


def test_interpreter_broadcasts_many_parameter_vectors(g):
    node = g.mul(g.param(0), g.data(0))
    values = interpret([node, g.param(0)], [np.array([[1.0], [2.0]])], [np.arange(3.0)])
    np.testing.assert_array_equal(values[0], [[0, 1, 2], [0, 2, 4]])


def test_interpreter_says_nothing_about_nan(g, recwarn):
    values = interpret([g.apply("log", g.data(0)), g.data(0)], [], [np.array([-1.0, 0.0])])
    assert np.isnan(values[0][0]) and values[0][1] == -np.inf and not recwarn


def test_compiled_program_runs_again_with_other_numbers(g):
    run = compile_numpy([g.mul(g.param(0), g.param(0)), g.direction(0)])
    assert run([3.0], [], [7.0]) == [9.0, 7.0]
    assert run([4.0], [], [8.0]) == [16.0, 8.0]


def test_both_parts_of_a_complex_function_cost_one_evaluation(g, monkeypatch):
    calls = []
    whole, part = ops.PARTS["wofz_re"]
    counted = lambda x, y: (calls.append(1), whole(x, y))[1]  # noqa: E731
    monkeypatch.setitem(ops.PARTS, "wofz_re", (counted, part))
    monkeypatch.setitem(ops.PARTS, "wofz_im", (counted, np.imag))
    x, y = g.data(0), g.param(0)
    run = compile_numpy([g.apply("wofz_re", x, y), g.apply("wofz_im", x, y)])
    re, im = run([0.5], [np.array([0.0, 1.0])])
    np.testing.assert_allclose(re + 1j * im, whole(np.array([0.0, 1.0]), 0.5))
    assert len(calls) == 1


def test_importing_expressions_does_not_import_scipy():
    import subprocess

    code = "import sys, marquardt.expr.interpret; sys.exit('scipy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
