"""Parameters that enter linearly are found on the graph: NIST's models, and cases easy to get wrong."""

from __future__ import annotations

import pytest

from marquardt.datasets.nist_models import FORMULAS
from marquardt.expr.formula import parse
from marquardt.expr.graph import Graph
from marquardt.expr.separable import interactions, linear_parameters

LINEAR = {
    "Misra1a": "b1",
    "Misra1b": "b1",
    "Misra1c": "b1",
    "Misra1d": "b1",
    "Chwirut1": "",
    "Chwirut2": "",
    "DanWood": "b1",
    "Gauss1": "b1 b3 b6",
    "Gauss2": "b1 b3 b6",
    "Gauss3": "b1 b3 b6",
    "Lanczos1": "b1 b3 b5",
    "Lanczos2": "b1 b3 b5",
    "Lanczos3": "b1 b3 b5",
    "ENSO": "b1 b2 b3 b5 b6 b8 b9",
    "Kirby2": "b1 b2 b3",
    "Hahn1": "b1 b2 b3 b4",
    "Nelson": "b1 b2",
    "MGH17": "b1 b2 b3",
    "Roszman1": "b1 b2",
    "Bennett5": "b1",
    "BoxBOD": "b1",
    "Eckerle4": "b1",
    "MGH09": "b1",
    "MGH10": "b1",
    "Rat42": "b1",
    "Rat43": "b1",
    "Thurber": "b1 b2 b3 b4",
}


@pytest.mark.parametrize("name", FORMULAS)
def test_linear_parameters_of_the_nist_models(name):
    formula = parse(FORMULAS[name], ["x1", "x2", "y"] if name == "Nelson" else ["x", "y"])
    found = [formula.param_names[i] for i in linear_parameters([formula.node])]
    # Parameters are numbered by appearance in the formula.
    assert sorted(found) == LINEAR[name].split()


@pytest.fixture
def g():
    return Graph()


def test_a_product_of_two_linear_parameters_keeps_one(g):
    a, b, x = g.param(0), g.param(1), g.data(0)
    node = g.mul(g.mul(a, b), x)
    assert linear_parameters([node]) == (0,)
    assert linear_parameters([node], avoid=[0]) == (1,)


def test_a_larger_set_wins_over_avoided_bounds(g):
    a, b, c, x = *[g.param(i) for i in range(3)], g.data(0)
    node = g.add(g.mul(g.mul(a, b), x), g.mul(g.mul(a, c), g.apply("sin", x)))
    assert linear_parameters([node]) == (1, 2)
    assert linear_parameters([node], avoid=[1, 2]) == (1, 2)


def test_a_parameter_in_a_condition_is_not_linear(g):
    a, b, x = g.param(0), g.param(1), g.data(0)
    node = g.select(g.apply("lt", x, a), g.mul(a, x), g.mul(b, x))
    assert linear_parameters([node]) == (1,)


def test_all_outputs_must_be_linear_together(g):
    a, b = g.param(0), g.param(1)
    assert linear_parameters([g.mul(a, g.data(0)), g.mul(b, g.apply("exp", a))]) == (1,)


def test_a_square_interacts_with_itself(g):
    a, x = g.param(0), g.data(0)
    assert interactions([g.add(g.mul(a, x), g.mul(a, a))])[0] & 1


def test_many_linear_parameters_are_found_without_search(g):
    total = g.const(0.0)
    for i in range(60):
        total = g.add(total, g.mul(g.param(i), g.apply("cos", g.scale(float(i + 1), g.data(0)))))
    assert linear_parameters([total]) == tuple(range(60))
