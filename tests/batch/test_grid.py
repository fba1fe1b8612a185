"""Grids are recognized in any order of axes, models on them only where products save work."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import marquardt as mq
from marquardt import _core
from marquardt.batch.chunks import some
from marquardt.batch.engine import CODES, Chunk, Ends, Engine
from marquardt.batch.grid import find_grids, on_whole_grid, separable
from marquardt.curve.parameters import arrange
from marquardt.errors import Status
from marquardt.expr.interpret import interpret
from tests.expr.test_product import FOUND, REFUSED, SPOT, made, points


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


def products_of(text, columns, seed=0):
    g, outputs, n = made(text)
    return separable(g, outputs, columns, n, points(n, seed))


def test_a_products_of_pixels_is_separable_and_says_so():
    found = products_of(SPOT, flat(PIXELS, PIXELS))
    assert str(found) == "separable on the 15 x 15 grid: factors at 30 positions for 225 points"
    assert [spec.outputs.size for spec in found.factors] == [4, 4]
    assert found.monomials.shape == (6, 2)


def run(spec, params, columns, n):
    """Outputs of a tape."""
    native = _core.Tape(
        spec.n_params, spec.constants, spec.prologue, spec.n_inputs, spec.code, spec.n_registers,
        spec.outputs, spec.guards,
    )  # fmt: skip
    return native.run(params, columns, n)


@pytest.mark.parametrize("text", FOUND)
def test_the_tapes_of_a_grid_compute_the_model_and_its_derivatives(text):
    g, outputs, n = made(text)
    columns = flat(PIXELS + 0.5, WIDE + 1.5)
    found = separable(g, outputs, columns, n, points(n))
    for values in points(n, seed=5):
        coefficients = run(found.coefficients, values, [], 1)[:, 0]
        u, v = [
            run(spec, values, list(along), along[0].size)
            for spec, along in zip(found.factors, found.grid.along, strict=True)
        ]
        sums = [np.zeros(found.grid.sizes) for _ in outputs]
        for output, product, coefficient in found.terms.tolist():
            k, l = found.monomials[product]
            sums[output] += coefficients[coefficient] * np.outer(u[k], v[l])
        for expected, value in zip(interpret(outputs, values, columns), sums, strict=True):
            assert np.allclose(value.ravel(), expected, rtol=1e-10, atol=1e-12 * np.abs(expected).max())


@pytest.mark.parametrize("text", REFUSED)
def test_a_model_that_is_no_product_is_left_alone(text):
    assert products_of(text, flat(PIXELS + 1.0, PIXELS + 1.0)) is None


def test_a_grid_of_few_points_is_left_alone():
    assert products_of(SPOT, flat(np.arange(2.0), np.arange(2.0))) is None


def test_of_three_coordinates_the_cheaper_cut_is_taken():
    from marquardt.expr.derive import jacobian
    from marquardt.expr.formula import parse

    formula = parse("v ~ a*exp(-(x - xc)**2 - (y - yc)**2 - k*x*y)*exp(-z/t) + b", ["x", "y", "z", "v"])
    n = len(formula.param_names)
    rows = jacobian(formula.graph, [formula.node], [formula.graph.param(i) for i in range(n)])
    columns = flat(np.arange(4.0), np.arange(5.0), np.arange(20.0), indexing="ij")
    found = separable(formula.graph, [formula.node, *rows[0]], columns, n, points(n))
    assert found.grid.sizes == (20, 20) and found.grid.axis_of == (0, 0, 1)


def spot(x, y, a, xc, yc, s, b):
    return a * np.exp(-((x - xc) ** 2 + (y - yc) ** 2) / (2 * s**2)) + b


def ellipse(x, y, a, xc, yc, sx, sy, b, c, d):
    return a * np.exp(-((x - xc) ** 2) / (2 * sx**2) - (y - yc) ** 2 / (2 * sy**2)) + b + c * x + d * y


def lorentzians(x, y, a, xc, yc, wx, wy, b):
    return a / (1 + ((x - xc) / wx) ** 2) / (1 + ((y - yc) / wy) ** 2) + b


def two_spots(x, y, a, xc, yc, s, b, a2, xd, yd):
    return spot(x, y, a, xc, yc, s, b) + spot(x, y, a2, xd, yd, s, 0.0)


TRUTH = {
    spot: {"a": 100.0, "xc": 7.2, "yc": 6.7, "s": 1.9, "b": 10.0},
    ellipse: {"a": 100.0, "xc": 7.2, "yc": 6.7, "sx": 1.7, "sy": 2.4, "b": 10.0, "c": 0.3, "d": -0.2},
    lorentzians: {"a": 100.0, "xc": 7.2, "yc": 6.7, "wx": 2.1, "wy": 2.9, "b": 10.0},
    two_spots: {
        "a": 100.0, "xc": 4.2, "yc": 4.7, "s": 1.6, "b": 10.0, "a2": 70.0, "xd": 10.1, "yd": 9.3,
    },
}  # fmt: skip


def simulated(model, n_fits, seed=0):
    """Pixels, counts of `n_fits` images, and a start some way off, wild for one in ten."""
    rng = np.random.default_rng(seed)
    x, y = flat(PIXELS, PIXELS[:13])
    truth = np.array(list(TRUTH[model].values()))
    own = truth * (1 + 0.08 * rng.normal(size=(n_fits, truth.size)))
    counts = np.stack([rng.poisson(np.maximum(model(x, y, *p), 0.0)) for p in own]).astype(float)
    wild = np.where(rng.random(n_fits) < 0.1, 0.8, 0.12)[:, None]
    return (x, y), counts, truth * (1 + wild * rng.normal(size=own.shape))


def engine(model, x, **options):
    values = TRUTH[model]
    return Engine(model, arrange(tuple(values), {}, values, {}, {}), x, **options)


def chunk(x, counts, start, weights=None, mask=None):
    p = start.shape[1]
    return Chunk(
        x=x, y=counts, weights=weights, mask=mask, start=start, lower=np.full(p, -np.inf),
        upper=np.full(p, np.inf),
    )  # fmt: skip


def in_lanes(made, chunk):
    """Ends of what lanes certify; what they doubt the minimizer of single fits makes, on a grid or not."""
    return made.run_in_lanes(chunk)


@pytest.mark.parametrize("model", TRUTH)
def test_two_thousand_fits_by_products_end_as_those_of_the_same_pixels_in_another_order(model):
    x, counts, start = simulated(model, 2000)
    order = np.random.default_rng(1).permutation(x[0].size)
    mixed = tuple(column[order] for column in x)
    by_products, by_points = engine(model, x), engine(model, mixed)
    assert by_products.remark == "separable on the 13 x 15 grid: factors at 28 positions for 195 points"
    assert by_points.remark is None
    a = in_lanes(by_products, chunk(x, counts, start))
    b = in_lanes(by_points, chunk(mixed, counts[:, order], start))
    assert np.array_equal(a.status, b.status)
    good = a.status == CODES[Status.CONVERGED]
    assert good.mean() > 0.8
    scale = (2 * b.cost[good] / (x[0].size - b.rank[good]))[:, None]
    errors = b.stderr[good] * np.sqrt(scale)
    assert np.abs((a.x - b.x)[good] / errors).max() < 1e-7
    assert np.allclose(a.cost[good], b.cost[good], rtol=1e-12)
    assert np.allclose(a.stderr[good], b.stderr[good], rtol=1e-8)


def test_how_a_fit_is_made_does_not_depend_on_those_beside_it():
    x, counts, start = simulated(spot, 200)
    mask = np.ones(counts.shape, dtype=bool)
    mask[::7, 3:50:5] = False
    of_all = engine(spot, x, covariance=True)
    together = in_lanes(of_all, chunk(x, counts, start, mask=mask))
    for rows in (np.arange(0, 200, 7), np.arange(1, 200, 7), np.arange(93)):
        alone = in_lanes(of_all, chunk(x, counts[rows], start[rows], mask=mask[rows]))
        for field in fields(Ends):
            ends = getattr(together, field.name)[rows], getattr(alone, field.name)
            assert np.array_equal(*ends, equal_nan=True), field.name
    whole = in_lanes(of_all, chunk(x, counts, start))
    unmasked = mask.all(axis=1)
    assert np.array_equal(whole.x[unmasked], together.x[unmasked], equal_nan=True)
    assert np.array_equal(np.unique(together.n_points), [x[0].size - 10, x[0].size])


def test_one_sigma_for_all_points_keeps_the_products_and_several_do_not():
    x, counts, start = simulated(spot, 40)
    plain = in_lanes(engine(spot, x), chunk(x, counts, start))
    equal = in_lanes(engine(spot, x), chunk(x, counts, start, weights=np.full(x[0].size, 0.25)))
    good = plain.status == CODES[Status.CONVERGED]
    assert np.array_equal(equal.status, plain.status) and good.sum() > 30
    assert np.allclose(equal.x[good], plain.x[good], rtol=1e-9)
    assert np.allclose(equal.cost[good], plain.cost[good] / 16, rtol=1e-12)
    assert np.allclose(equal.stderr[good], plain.stderr[good] * 4, rtol=1e-9)
    assert on_whole_grid(chunk(x, counts, start, weights=np.linspace(1.0, 2.0, x[0].size))) is None
    assert on_whole_grid(chunk(x, counts, start, weights=np.ones(counts.shape))) is None


def test_parameters_held_at_values_of_their_own_stay_there():
    x, counts, start = simulated(spot, 30)
    widths = np.linspace(1.5, 2.3, 30)[:, None]
    values = TRUTH[spot]
    held = Engine(spot, arrange(tuple(values), {}, values, {}, {"s": 1.9}), x)
    assert held.remark is not None
    free = chunk(x, counts, np.delete(start, 3, axis=1))
    many = held.run(replace(free, fixed=widths))
    for k in (0, 11, 29):
        alone = Engine(spot, arrange(tuple(values), {}, values, {}, {"s": widths[k, 0]}), x)
        one = alone.run(some(free, np.array([k])))
        assert np.allclose(many.x[k], one.x[0], rtol=1e-7)


def test_single_precision_data_are_fitted_by_products_too():
    x, counts, start = simulated(spot, 20)
    double = engine(spot, x).run(chunk(x, counts, start))
    single = engine(spot, x).run(chunk(x, counts.astype(np.float32), start))
    assert np.array_equal(double.x, single.x)


@pytest.mark.parametrize("size", [(4, 40), (40, 5), (17, 17), (33, 6)])
def test_axes_of_any_length_are_summed_whole(size):
    rng = np.random.default_rng(2)
    x = tuple(flat(np.linspace(3, 11, size[0]), np.linspace(3, 11, size[1])))
    truth = np.array(list(TRUTH[spot].values()))
    counts = spot(*x, *truth) + rng.normal(size=(37, x[0].size))
    start = np.tile(truth * 1.1, (37, 1))
    order = rng.permutation(x[0].size)
    mixed = tuple(column[order] for column in x)
    by_products = engine(spot, x)
    assert by_products.remark is not None
    a = in_lanes(by_products, chunk(x, counts, start))
    b = in_lanes(engine(spot, mixed), chunk(mixed, counts[:, order], start))
    assert np.array_equal(a.status, b.status)
    assert (a.status == CODES[Status.CONVERGED]).all() and np.allclose(a.x, b.x, rtol=1e-9)


def test_the_summary_says_that_products_were_used():
    x, counts, _ = simulated(spot, 20)
    many = mq.fit_many(spot, x, counts, start=TRUTH[spot])
    assert many.remark == "separable on the 13 x 15 grid: factors at 28 positions for 195 points"
    assert many.remark in many.summary()
    assert mq.fit_many(spot, x, counts, start=TRUTH[spot], loss="huber").remark is None
