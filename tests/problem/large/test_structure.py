"""What is known of a problem before it is solved."""

from __future__ import annotations

import numpy as np
import pytest

import marquardt as mq
from marquardt.problem.large.structure import eliminated, reduced_pattern, separable

from .test_problem import city, reprojection


def seen(drop=(), extra_points=0, **options):
    """A city without some observations, (camera, point), and with points that nobody sees."""
    cameras, points, i, j, observed = city()
    keep = np.array([(a, b) not in drop for a, b in zip(i, j, strict=True)])
    problem = mq.Problem()
    camera = problem.variables("camera", cameras, **options)
    point = problem.variables("point", np.vstack([points, np.zeros((extra_points, 3))]))
    problem.residuals(reprojection, camera[i[keep]], point[j[keep]], observed[keep])
    return problem


def test_a_sound_problem_has_no_warnings():
    summary = seen().summary()
    assert summary.warnings == ()
    assert (summary.n_variables, summary.n_residuals) == (4 * 9 + 30 * 3, 240)


def test_unused_variables_are_named_before_solving():
    summary = seen(extra_points=7).summary()
    assert summary.unused["point"].tolist() == [30, 31, 32, 33, 34, 35, 36]
    assert summary.warnings == ("point[30, 31, 32, 33, 34] and 2 more are in no residual: leave out or fix",)


def test_a_point_that_one_camera_sees_is_named_with_it():
    summary = seen(drop=[(a, 7) for a in (0, 1, 3)]).summary()
    assert summary.weak["point"].tolist() == [7]
    (said,) = summary.warnings
    assert said.startswith("point[7] has 2 residuals for 3 free numbers, from item ")
    assert said.endswith(" of 'reprojection' with camera[2] only")


def test_fixed_variables_need_no_residuals():
    problem = seen()
    problem.variables("spare", np.zeros((3, 2)), fixed=True)
    assert problem.summary().warnings == ()


def test_parts_that_share_no_residual_are_counted():
    problem = mq.Problem()
    x = problem.variables("x", np.zeros((6, 2)))
    problem.residuals(lambda a, b: a - b - 1.0, x[[0, 1, 4]], x[[1, 2, 5]])
    summary = problem.summary()
    count, labels = summary.parts
    assert count == 2
    assert labels["x"][3] == -1
    assert labels["x"][0] == labels["x"][2] != labels["x"][4]
    assert any("2 parts share no residual" in w and "x[4, 5]" in w for w in summary.warnings)


def test_points_are_eliminated_and_poses_are_not():
    compiled = seen().compile()
    assert separable(compiled) == [0, 1]
    assert eliminated(compiled) == 1
    problem = mq.Problem()
    x = problem.variables("x", np.zeros((6, 2)))
    problem.residuals(lambda a, b: a - b - 1.0, x[[0, 1]], x[[1, 2]])
    assert eliminated(problem.compile()) is None
    assert "nothing is eliminated: residuals join two of each family" in str(problem.summary())


def test_fixed_variables_are_not_eliminated():
    problem = mq.Problem()
    _, points, i, j, observed = city()
    camera = problem.variables("camera", city()[0])
    point = problem.variables("point", points, fixed=True)
    problem.residuals(reprojection, camera[i], point[j], observed)
    assert eliminated(problem.compile()) is None


def test_the_pattern_of_the_reduced_system_joins_cameras_that_see_one_point():
    problem = mq.Problem()
    a, p = problem.variables("a", np.zeros((4, 1))), problem.variables("p", np.zeros((9, 1)))
    problem.residuals(lambda a, p: a - p, a[[0, 1, 1, 2, 3]], p[[0, 0, 1, 1, 2]])
    compiled = problem.compile()
    assert eliminated(compiled) == 1
    pattern, ends = reduced_pattern(compiled, 1)
    joined = {(i, j) for i, j in zip(*pattern.nonzero(), strict=True) if i < j}
    assert joined == {(0, 1), (1, 2)}
    assert ends.tolist() == [0, 4]


@pytest.mark.parametrize("n", [10, 1000])
def test_the_structure_has_a_picture(n):
    pytest.importorskip("matplotlib")
    problem = mq.Problem()
    x = problem.variables("x", np.zeros((n, 2)))
    problem.residuals(lambda a, b: a - b, x[np.arange(n - 1)], x[np.arange(1, n)])
    axes = problem.plot_structure().axes[0]
    assert axes.get_title().startswith(f"{n:,} variables: ")


def test_the_summary_is_a_table():
    text = str(seen(fixed=[0]).summary())
    assert (
        text
        == """\
variables   n  numbers  fixed  manifold
camera      4       27      9  Euclidean(9)
point      30       90      -  Euclidean(3)

residuals       n  numbers             of  loss, derivatives
reprojection  120      240  camera, point  squares, exact (traced)

117 numbers to be found from 240 residuals
'point' are eliminated: no residual joins two of them; 27 numbers are left"""
    )


def test_families_that_see_one_point_join_what_they_see_it_from():
    problem = mq.Problem()
    a, b = problem.variables("a", np.zeros((2, 1))), problem.variables("b", np.zeros((2, 1)))
    p = problem.variables("p", np.zeros((9, 1)))
    problem.residuals(lambda a, p: a - p, a[[0, 1]], p[[0, 1]], name="from a")
    problem.residuals(lambda b, p: b - p, b[[0, 1]], p[[1, 2]], name="from b")
    pattern, _ = reduced_pattern(problem.compile(), 2)
    joined = {(i, j) for i, j in zip(*pattern.nonzero(), strict=True) if i < j}
    assert joined == {(1, 2)}
