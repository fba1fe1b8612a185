"""Sums of products of one-axis factors: found, refused where there are none, equal to what they replace."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marquardt.expr.derive import jacobian
from marquardt.expr.formula import parse
from marquardt.expr.graph import Graph, reachable
from marquardt.expr.interpret import interpret
from marquardt.expr.product import MAX_TERMS, agrees, decompose, work

SPOT = "z ~ a*exp(-((x - xc)**2 + (y - yc)**2)/(2*s**2)) + b"
PIXEL = "(erf((x - xc + 0.5)/s) - erf((x - xc - 0.5)/s))*(erf((y - yc + 0.5)/s) - erf((y - yc - 0.5)/s))"
# formula: distinct factors along x and y, products; of the model and all its derivatives
FOUND = {
    SPOT: (4, 4, 6),
    "z ~ a*exp(-(x - xc)**2/(2*sx**2) - (y - yc)**2/(2*sy**2)) + b": (4, 4, 6),
    "z ~ a*exp(-(x - xc)**2/(2*sx**2))*exp(-(y - yc)**2/(2*sy**2)) + b": (4, 4, 6),
    SPOT + " + c*x + d*y": (5, 5, 8),
    "z ~ a/(1 + ((x - xc)/w)**2)/(1 + ((y - yc)/v)**2) + b": (4, 4, 6),
    "z ~ a/((1 + ((x - xc)/w)**2)*(1 + ((y - yc)/v)**2)) + b": (4, 4, 6),
    SPOT + " + c*exp(-((x - xd)**2 + (y - yd)**2)/(2*s**2))": (7, 7, 11),
    f"z ~ a*{PIXEL} + b": (6, 6, 10),
    "z ~ a*sin(k*x + l*y + phi) + b": (5, 5, 13),
    "z ~ a*exp(-x/t)*(1 - exp(-y/u)) + b": (3, 3, 4),
    "z ~ a*x**p*y**q": (2, 2, 3),
    "z ~ a*2**(k*x + l*y)": (2, 2, 3),
    "z ~ a + b*x + c*y + d*x*y": (2, 2, 4),
}
REFUSED = [
    "z ~ a/(1 + ((x - xc)/w)**2 + ((y - yc)/v)**2)",
    "z ~ a*exp(-(x - xc)**2 - (y - yc)**2 - k*x*y)",
    "z ~ a*exp(-sqrt((x - xc)**2 + (y - yc)**2)/s)",
    "z ~ a*log(1 + k*x + l*y)",
    "z ~ a*(x + y)**p",
    "z ~ a*sqrt((x - xc)*(y - yc))",  # both factors may be negative
    "z ~ a*((1 + x + y)*(k + l*x + y)*(1 + x)*(k + y))**7",
]
X, Y = (axis.ravel() for axis in np.meshgrid(np.linspace(0.3, 3.1, 5), np.linspace(0.2, 2.0, 7)))


def made(text):
    """Graph and expressions (model, derivatives), number of parameters."""
    formula = parse(text, ["x", "y", "z"])
    n = len(formula.param_names)
    rows = jacobian(formula.graph, [formula.node], [formula.graph.param(i) for i in range(n)])
    return formula.graph, [formula.node, *rows[0]], n


def points(n, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.uniform(0.5, 2.0, n) for _ in range(3)]


@pytest.mark.parametrize("text", FOUND)
def test_a_model_and_its_derivatives_share_few_factors(text):
    g, outputs, _ = made(text)
    found = decompose(g, outputs, [0, 1])
    assert (len(found.factors[0]), len(found.factors[1]), len(found.monomials)) == FOUND[text]


@pytest.mark.parametrize("text", FOUND)
def test_the_products_are_the_expressions(text):
    g, outputs, n = made(text)
    assert agrees(decompose(g, outputs, [0, 1]), outputs, points(n), [X, Y])


@pytest.mark.parametrize("text", FOUND)
def test_factors_depend_on_one_axis_and_coefficients_on_none(text):
    g, outputs, _ = made(text)
    found = decompose(g, outputs, [0, 1])
    for axis, factors in enumerate(found.factors):
        columns = {int(n.value) for n in reachable(factors) if n.op == "data"}
        assert columns <= {axis}
    coefficients = [c for row in found.outputs for _, c in row]
    assert all(n.op != "data" for n in reachable(coefficients))


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_no_small_sum_of_products_is_refused(text):
    g, outputs, _ = made(text)
    assert decompose(g, outputs, [0, 1]) is None


def test_one_exponential_along_each_axis_serves_model_and_derivatives():
    g, outputs, _ = made(SPOT)
    found = decompose(g, outputs, [0, 1])
    for factors in found.factors:
        assert sum(n.op == "exp" for n in reachable(factors)) == 1
        assert work(factors) < work(outputs)


def test_columns_of_one_axis_may_be_mixed_freely():
    g = Graph()
    x, t, y, p = g.data(0), g.data(1), g.data(2), g.param(0)
    mixed = g.mul(g.apply("exp", g.mul(p, g.mul(x, t))), g.apply("exp", y))
    assert decompose(g, [mixed], [0, 1, 2]) is None
    found = decompose(g, [mixed], [0, 0, 1])
    assert found.monomials == ((0, 0),)
    assert decompose(g, [g.add(mixed, g.mul(x, y))], [0, 0, 1]).monomials == ((0, 0), (1, 1))


def test_a_difference_from_a_center_is_one_factor():
    # x*1 - x0*1 would lose the digits of x - x0 where both are large.
    g, outputs, _ = made("z ~ a*(x - xc)*exp(-k*(y - yc)) + b")
    factors = decompose(g, outputs, [0, 1]).factors[0]
    x = g.data(0)
    assert x not in factors and g.sub(x, g.param(1)) in factors


@pytest.mark.parametrize("op", ["sqrt", "abs"])
def test_a_root_of_a_product_is_the_product_of_roots_where_nothing_is_negative(op):
    g = Graph()
    u, v = g.apply("exp", g.data(0)), g.apply("square", g.data(1))
    found = decompose(g, [g.apply(op, g.mul(u, v))], [0, 1])
    assert found.monomials == ((0, 0),)
    assert agrees(found, [g.apply(op, g.mul(u, v))], [np.array([])], [X - 1.0, Y - 1.0])


def test_three_axes_have_three_factors():
    g = Graph()
    total = g.add(g.add(g.data(0), g.mul(g.param(0), g.data(1))), g.data(2))
    found = decompose(g, [g.apply("exp", total)], [0, 1, 2])
    assert [len(axis) for axis in found.factors] == [1, 1, 1]
    rng = np.random.default_rng(1)
    assert agrees(found, [g.apply("exp", total)], [np.array([0.7])], list(rng.uniform(0, 1, (3, 9))))


def test_products_larger_than_their_sum_are_not_believed():
    g = Graph()
    x, y = g.data(0), g.data(1)
    difference = g.apply("square", g.sub(x, y))
    found = decompose(g, [difference], [0, 1])
    assert len(found.monomials) == 3  # x^2 - 2 x y + y^2
    near = np.linspace(1.0, 2.0, 9)
    assert agrees(found, [difference], [np.array([])], [near, near[::-1].copy()])
    assert not agrees(found, [difference], [np.array([])], [1e4 + near, 1e4 + near[::-1]])


def test_another_expression_is_not_believed():
    g, outputs, n = made(SPOT)
    other, others, _ = made(SPOT.replace("2*s**2", "3*s**2"))
    assert not agrees(decompose(g, outputs, [0, 1]), others, points(n), [X, Y])
    assert agrees(decompose(other, others, [0, 1]), others, points(n), [X, Y])


def test_values_that_are_not_finite_prove_nothing():
    g, outputs, n = made("z ~ a*exp(k*x + l*y)")
    assert not agrees(decompose(g, outputs, [0, 1]), outputs, [np.full(n, 1e3)], [X, Y])


def test_too_many_products_are_refused():
    g = Graph()
    x, y = g.data(0), g.data(1)
    total = g.const(0.0)
    for k in range(MAX_TERMS + 1):
        total = g.add(total, g.mul(g.apply("sin", g.scale(k + 1.0, x)), g.apply("cos", g.scale(k + 1.0, y))))
    assert decompose(g, [total], [0, 1]) is None


_ONE_AXIS = ("exp", "square", "cosh", "sin", "arctan", "abs")


@st.composite
def separable_sums(draw):
    """A random expression of x and y that is a small sum of products, built by the operations of models."""
    g = Graph()
    axes = [g.data(0), g.data(1)]

    def factor(axis):
        node = g.add(g.mul(g.param(draw(st.integers(0, 2))), axes[axis]), g.const(draw(st.floats(-1, 1))))
        for op in draw(st.lists(st.sampled_from(_ONE_AXIS), max_size=2)):
            node = g.apply(op, g.scale(0.5, node))
        return node

    def product():
        u, v = factor(0), factor(1)
        kind = draw(st.sampled_from(["mul", "div", "exp", "sin", "turn"]))
        if kind == "div":
            return g.div(u, g.add(g.const(1.5), g.apply("square", v)))
        if kind in ("exp", "sin"):
            return g.apply(kind, g.sub(g.apply("arctan", u), g.apply("arctan", v)))
        return g.mul(g.neg(u) if kind == "turn" else u, v)

    terms = [product() for _ in range(draw(st.integers(1, 3)))]
    total = g.mul(g.param(0), terms[0])
    for term in terms[1:]:
        total = g.apply(draw(st.sampled_from(["add", "sub"])), total, term)
    return g, total


@settings(max_examples=60, deadline=None)
@given(separable_sums(), st.lists(st.floats(-1.2, 1.2), min_size=3, max_size=3))
def test_random_sums_of_products_are_found_and_equal(made_, params):
    g, total = made_
    outputs = [total, *jacobian(g, [total], [g.param(i) for i in range(3)])[0]]
    found = decompose(g, outputs, [0, 1])
    if found is None:  # derivatives of several factors may be too many products
        assert len(outputs) > 1 and decompose(g, [total], [0, 1]) is not None
        return
    values = np.array(params)
    plain = interpret(outputs, values, [X, Y])
    factors = [interpret(axis, values, [X, Y]) for axis in found.factors]
    for expected, row in zip(plain, found.outputs, strict=True):
        coefficients = interpret([c for _, c in row], values, ())
        terms = [
            c * factors[0][found.monomials[k][0]] * factors[1][found.monomials[k][1]]
            for (k, _), c in zip(row, coefficients, strict=True)
        ]
        size = sum(np.abs(t).max() for t in terms) + 1e-300
        assert np.abs(sum(terms, np.zeros(1)) - expected).max() <= 1e-12 * size
