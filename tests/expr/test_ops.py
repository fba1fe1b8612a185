"""Every row of the operation table, at birth: value and partials against 60-digit arithmetic."""

from __future__ import annotations

import numpy as np
import pytest

from marquardt.expr.graph import Graph
from marquardt.expr.interpret import interpret
from marquardt.expr.ops import OPS

from . import precise

ROWS = [(name, tuple(point)) for name, op in OPS.items() for point in op.at]
# The first argument of these is an order, not a variable.
ORDERS = {("polygamma", 0), ("jn", 0), ("select", 0)}


def at_point(name, point, build):
    """`build(graph, node, arguments)` evaluated where argument i is parameter i (orders are constants)."""
    g = Graph()
    args = [
        g.const(v) if (name, i) in ORDERS and name != "select" else g.param(i) for i, v in enumerate(point)
    ]
    node = build(g, g.raw(name, *args), args)
    return float(interpret([node], point, [])[0]) if node is not None else 0.0


def test_every_operation_has_a_precise_partner():
    assert set(precise.FUNCTIONS) == set(OPS)


@pytest.mark.parametrize(("name", "point"), ROWS)
def test_value_agrees_with_high_precision(name, point):
    expected = float(precise.value(name, *point))
    assert np.isclose(at_point(name, point, lambda g, out, args: out), expected, rtol=2e-14, atol=0)


@pytest.mark.parametrize(("name", "point"), ROWS)
def test_partials_agree_with_high_precision(name, point):
    for i, rule in enumerate(OPS[name].partials):
        if (name, i) in ORDERS or OPS[name].choice is not None:
            continue
        expected = float(precise.partial(name, i, *point))
        got = at_point(name, point, lambda g, out, args, rule=rule: rule(g, out, *args))
        assert np.isclose(got, expected, rtol=1e-10, atol=0), (i, got, expected)


@pytest.mark.parametrize("name", OPS)
def test_arrays_and_numbers_give_the_same_value(name):
    columns = [np.array(c) for c in zip(*OPS[name].at, strict=True)]
    together = OPS[name].value(*columns)
    one_by_one = [OPS[name].fold(*point) for point in OPS[name].at]
    np.testing.assert_allclose(together, one_by_one, rtol=1e-15)


@pytest.mark.parametrize(
    ("name", "args"), [("sqrt", (0.0,)), ("cbrt", (0.0,)), ("hypot", (0.0, 0.0)), ("pow", (0.0, 0.5))]
)
def test_slope_is_zero_where_it_would_be_infinite(name, args):
    assert at_point(name, args, lambda g, out, a: OPS[name].partials[0](g, out, *a)) == 0.0


@pytest.mark.parametrize(("p", "slope"), [(0.5, 0.0), (1.0, 1.0), (1.5, 0.0), (2.0, 0.0)])
def test_power_at_zero_has_finite_slopes(p, slope):
    assert at_point("pow", (0.0, p), lambda g, out, a: OPS["pow"].partials[0](g, out, *a)) == slope
    assert at_point("pow", (0.0, p), lambda g, out, a: OPS["pow"].partials[1](g, out, *a)) == 0.0
