"""Tables of what one variable alone decides."""

import numpy as np
import pytest

import marquardt as mq
from marquardt import geometry
from marquardt.expr.graph import Graph
from marquardt.problem.large.program import program, table_nodes


def reprojection(camera, point, observed):
    return geometry.bal(camera[6:], geometry.rotate(camera[:3], point) + camera[3:6]) - observed


def scene(n_points):
    rng = np.random.default_rng(0)
    cameras = np.column_stack([rng.normal(0, 0.4, (3, 6)), np.full((3, 3), [500.0, -0.1, 0.02])])
    points = rng.normal(0, 1, (n_points, 3)) - [0.0, 0.0, 8.0]
    problem = mq.Problem()
    camera, point = problem.variables("camera", cameras), problem.variables("point", points)
    index = np.arange(n_points)
    problem.residuals(reprojection, camera[index % 3], point[index], rng.normal(0, 50, (n_points, 2)))
    return problem.compile()


def test_what_a_camera_decides_alone_is_read_from_a_table():
    few, many = scene(6).families[0], scene(60).families[0]
    assert few.linear.tables == (None, None)
    table, none = many.linear.tables
    assert none is None
    assert len(many.linear.spec.code) < 0.6 * len(few.linear.spec.code)
    assert len(table.code) > 100


@pytest.mark.parametrize("which", ["value", "linear"])
def test_tables_do_not_change_what_a_program_computes(which):
    compiled = scene(60)
    family = compiled.families[0]
    values = [v.values for v in compiled.variables]
    with_tables = getattr(family, which).run(values, family.slots, family.columns)
    plain = getattr(scene(6).families[0], which).run(values, family.slots, family.columns)
    assert np.allclose(with_tables, plain, rtol=1e-12, atol=1e-10 * np.abs(plain).max())


def test_cheap_work_gets_no_column():
    graph = Graph()
    x, y = graph.data(0), graph.data(1)
    out = graph.mul(graph.add(x, graph.const(1.0)), y)
    assert table_nodes([out], range(1)) == []
    out = graph.mul(graph.apply("sin", x), y)
    assert table_nodes([out], range(1)) == [graph.apply("sin", x)]


def test_an_output_that_one_variable_decides_is_a_column_itself():
    graph = Graph()
    sine = graph.apply("sin", graph.data(0))
    made = program(graph, [sine, graph.mul(sine, graph.data(1))], (1,), 2, (True,))
    values, data = [np.array([[0.3], [0.7]])], [np.array([1.0, 2.0, 3.0])]
    out = made.run(values, [(0, np.array([0, 1, 1]))], data)
    assert np.array_equal(out[:, 0], np.sin([0.3, 0.7, 0.7]))
    assert np.array_equal(out[:, 1], np.sin([0.3, 0.7, 0.7]) * [1.0, 2.0, 3.0])
