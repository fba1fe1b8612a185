"""Programs of the library's own functions that come with it."""

import numpy as np
import pytest

import marquardt as mq
from marquardt.datasets import bal, posegraph, scenes
from marquardt.problem.large import families, shipped
from marquardt.problem.large.tangents import tangents

FILES = dict(shipped.files())


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_a_file_holds_what_a_new_trace_gives(path):
    assert path.read_text(encoding="ascii") == FILES[path], "renew it: python tools/programs.py"


def test_there_are_no_other_files():
    assert set(shipped.FOLDER.iterdir()) == set(FILES)


def problem_of(function):
    """A planar way of three poses."""
    problem = mq.Problem()
    pose = problem.variables("pose", np.array([[0.0, 0.0, 0.0], [1.1, 0.2, 0.3], [2.0, 0.1, 0.5]]), "SE2")
    problem.residuals(function, pose[[0, 1]], pose[[1, 2]], np.array([[1.0, 0.1, 0.2], [0.9, 0.0, 0.1]]))
    return problem


def own_functions_are_traced(monkeypatch):
    monkeypatch.setattr(families, "shipped", lambda declared, repaid: None)


@pytest.mark.parametrize("kind", ["planar", "spatial", "camera"])
def test_programs_of_a_file_are_those_of_a_trace(kind, monkeypatch):
    makers = {
        "planar": lambda: scenes.manhattan(60),
        "spatial": lambda: scenes.sphere(60),
        "camera": lambda: scenes.street(6, 300),
    }
    declare = makers[kind]().start.problem
    read = declare().compile()
    own_functions_are_traced(monkeypatch)
    traced = declare().compile()
    values = [v.values for v in read.variables]
    for a, b in zip(read.families, traced.families, strict=True):
        assert np.array_equal(a.value.spec.code, b.value.spec.code)
        assert np.array_equal(a.linear.spec.code, b.linear.spec.code)
        one = a.linear.run(values, a.slots, a.columns)
        assert np.array_equal(one, b.linear.run(values, b.slots, b.columns), equal_nan=True)


def test_another_function_of_that_name_is_traced():
    def planar_error(first, second, measured):
        return 2.0 * posegraph.planar_error(first, second, measured)

    planar_error.__module__, planar_error.__qualname__ = posegraph.__name__, "planar_error"
    (changed,) = problem_of(planar_error).compile().families
    (own,) = problem_of(posegraph.planar_error).compile().families
    values = [np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.2], [2.0, 0.3, 0.4]])]
    once, twice = (f.value.run(values, f.slots, f.columns) for f in (own, changed))
    assert np.allclose(twice, 2.0 * once)


def test_other_arguments_are_traced():
    declared = problem_of(posegraph.planar_error)._residuals["planar_error"]
    assert shipped.shipped(declared, (False, False)) is not None
    assert shipped.shipped(declared, (True, False)) is None
    cameras = mq.Problem()
    camera, point = cameras.variables("camera", np.ones((1, 9))), cameras.variables("point", np.ones((1, 4)))
    cameras.residuals(bal.reprojection, camera[[0]], point[[0]], np.zeros((1, 2)), name="own")
    assert shipped.shipped(cameras._residuals["own"], (True, False)) is None


def test_a_manifold_of_the_same_name_moves_by_its_own_rule():
    own = mq.Manifold(lambda x, d: x + 2.0 * d, lambda x, y: (y - x) / 2.0, 3, 3, "SE2")
    assert shipped.shipped_motion(own) is None
    assert shipped.shipped_motion(mq.manifolds.SE2) is not None
    assert [[node.value for node in row] for row in tangents(own)] == (2 * np.eye(3)).tolist()
