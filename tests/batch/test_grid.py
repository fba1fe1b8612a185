"""Grids are recognized in any order of axes, models on them only where products save work."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marquardt.batch.grid import find_grids, separable
from tests.expr.test_product import REFUSED, SPOT, made, points


def flat(*axes, indexing="xy"):
    return [np.ascontiguousarray(column.ravel()) for column in np.meshgrid(*axes, indexing=indexing)]


PIXELS = np.arange(15.0)
WIDE = np.linspace(-1.0, 1.0, 9)


@pytest.mark.parametrize("indexing", ["xy", "ij"])
@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_grid_is_found_in_any_order_of_its_axes(indexing, order):
    columns = flat(PIXELS, WIDE, indexing=indexing)
    (grid,) = find_grids([columns[k] for k in order])
    assert grid.sizes == ((9, 15) if indexing == "xy" else (15, 9))
    slow = (1 if indexing == "xy" else 0) ^ (order == (1, 0))
    assert grid.axis_of.index(0) == slow
    for axis in (0, 1):
        (values,) = grid.along[axis]
        assert np.array_equal(values, [PIXELS, WIDE][order[grid.axis_of.index(axis)]])


def test_unequal_and_falling_coordinates_make_a_grid():
    (grid,) = find_grids(flat(np.array([3.0, 1.0, 0.5]), np.array([2.0, -7.0])))
    assert grid.sizes == (2, 3) and np.array_equal(grid.along[1][0], [3.0, 1.0, 0.5])


def test_points_that_are_no_grid_are_refused():
    x, y = flat(PIXELS, WIDE)
    moved = x.copy()
    moved[20] += 1e-9
    assert find_grids([moved, y]) == []
    order = np.random.default_rng(0).permutation(x.size)
    assert find_grids([x[order], y[order]]) == []
    assert find_grids([x[:-1], y[:-1]]) == []
    assert find_grids([np.where(x == 3.0, np.nan, x), y]) == []
    assert find_grids([np.arange(12.0)]) == []
    assert find_grids([]) == []


def test_three_coordinates_may_be_cut_in_two_places():
    columns = flat(np.arange(3.0), np.arange(4.0), np.arange(5.0), indexing="ij")
    assert [grid.sizes for grid in find_grids(columns)] == [(12, 5), (3, 20)]
    assert [grid.axis_of for grid in find_grids(columns)] == [(0, 0, 1), (0, 1, 1)]


def test_several_columns_may_vary_along_one_axis():
    x, y = flat(PIXELS, WIDE)
    (grid,) = find_grids([x, y, np.sqrt(x), np.full_like(x, 2.0)])
    assert grid.axis_of == (1, 0, 1, 0)
    assert np.array_equal(grid.along[1][1], np.sqrt(PIXELS))


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=6, unique=True),
    st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=6, unique=True),
    st.booleans(),
)
def test_the_points_are_the_pairs_of_the_positions(a, b, swapped):
    columns = flat(np.array(a), np.array(b))[:: -1 if swapped else 1]
    (grid,) = find_grids(columns)
    n, m = grid.sizes
    for k, axis in enumerate(grid.axis_of):
        (values,) = grid.along[axis]
        table = np.broadcast_to(values[:, None] if axis == 0 else values[None, :], (n, m))
        assert np.array_equal(table.ravel(), columns[k])


def on_grid(text, columns, seed=0):
    g, outputs, n = made(text)
    return separable(g, outputs, columns, n, points(n, seed))


def test_a_spot_on_pixels_is_separable_and_says_so():
    found = on_grid(SPOT, flat(PIXELS, PIXELS))
    assert str(found) == "separable on the 15 x 15 grid: factors at 30 positions for 225 points"
    assert [spec.n_inputs for spec in found.factors] == [1, 1]
    assert [spec.outputs.size for spec in found.factors] == [4, 4]
    assert found.monomials.shape == (6, 2)


@pytest.mark.parametrize("text", REFUSED)
def test_a_model_that_is_no_product_is_left_alone(text):
    assert on_grid(text, flat(PIXELS + 1.0, PIXELS + 1.0)) is None


def test_a_grid_of_few_points_is_left_alone():
    assert on_grid(SPOT, flat(np.arange(2.0), np.arange(2.0))) is None


def test_of_three_coordinates_the_cheaper_cut_is_taken():
    from marquardt.expr.derive import jacobian
    from marquardt.expr.formula import parse

    formula = parse("v ~ a*exp(-(x - xc)**2 - (y - yc)**2 - k*x*y)*exp(-z/t) + b", ["x", "y", "z", "v"])
    n = len(formula.param_names)
    rows = jacobian(formula.graph, [formula.node], [formula.graph.param(i) for i in range(n)])
    columns = flat(np.arange(4.0), np.arange(5.0), np.arange(20.0), indexing="ij")
    found = separable(formula.graph, [formula.node, *rows[0]], columns, n, points(n))
    assert found.grid.sizes == (20, 20) and found.grid.axis_of == (0, 0, 1)
