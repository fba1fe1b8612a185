"""Rank, gauge and covariance of large problems, beside dense linear algebra."""

import numpy as np
import pytest

import marquardt as mq
from marquardt.solve.large.reference_system import ReferenceSystem

from . import support


def dense(result, compiled):
    """J over all tangents at the end, and where each family of variables begins in it."""
    system = ReferenceSystem(compiled)
    system.linearize(list(result.values.values()))
    return system.J.toarray(), system.ends


def pseudo_inverse(J):
    """Of J'J in unknowns scaled by the lengths of J's columns; from J, as J'J has lost half of the digits."""
    D = np.linalg.norm(J, axis=0)
    inverse = np.linalg.pinv(J / D, rcond=1e-7)
    return inverse @ inverse.T / D[:, None] / D


def test_a_free_scene_has_seven_directions_as_expected():
    result = mq.solve(support.scene()[2], ftol=1e-12)
    c = result.certificate
    assert (c.gauge_freedom, c.rank, c.n_free) == (7, 5 * 9 + 40 * 3 - 7, 5 * 9 + 40 * 3)
    assert c.sentences == ("gauge freedom of 7: as expected for bundle adjustment",) and not c.unobservable
    assert c.remaining < 1e-7 and "rank" in repr(c) and c.to_dict()["gauge_freedom"] == 7


def test_a_fixed_camera_leaves_the_scale():
    compiled = support.scene()[2]
    compiled.variables[0].frozen[0, :6] = True
    c = mq.solve(compiled).certificate
    assert c.gauge_freedom == 1 and "leaves 1 of the 7" in c.sentences[0]


def test_a_pose_graph_is_free_to_move_unless_a_pose_is_fixed():
    free, fixed = (mq.solve(support.grid(fixed=f)[2]).certificate for f in (False, True))
    assert free.gauge_freedom == 3 and free.sentences[0].endswith("as expected for a pose graph")
    assert fixed.gauge_freedom == 0 and fixed.sentences == ()


def test_two_parts_that_nothing_joins_are_counted():
    compiled = support.grid(fixed=False)[2]
    n = len(compiled.variables[0].values)
    compiled.variables[0].values = np.vstack([compiled.variables[0].values] * 2)
    compiled.variables[0].frozen = np.zeros((2 * n, 3), dtype=bool)
    for family in compiled.families:
        slots = tuple((p, np.concatenate([i, i + n]).astype(np.uint32)) for p, i in family.slots)
        family.slots = family.callback.slots = slots
        family.callback.data = [np.vstack([d] * 2) if np.ndim(d) else d for d in family.callback.data]
        family.n *= 2
    c = mq.solve(compiled).certificate
    assert c.gauge_freedom == 6 and "2 parts that no residual joins" in c.sentences[0]


def test_points_seen_once_or_never_are_named():
    compiled = support.scene()[2]
    (_, camera), (_, point) = compiled.families[0].slots
    keep = (point != 3) & ((point != 8) | (camera == camera[point == 8][0]))
    family = compiled.families[0]
    family.slots = family.callback.slots = ((0, camera[keep]), (1, point[keep]))
    family.callback.data = [family.callback.data[0][keep]]
    family.n = int(keep.sum())
    result = mq.solve(compiled)
    c = result.certificate
    assert c.unobservable == ("point[3]", "point[8]") and c.gauge_freedom == 7
    assert "point[3], point[8]" in c.sentences[1]
    assert np.isinf(np.diag(result.covariance("point", 8))).all()
    assert np.isnan(result.covariance("camera", 0, "point", 3)).all()
    assert np.isfinite(result.covariance("point", 4)).all()
    blocks = result.covariance("point")
    assert np.isinf(np.diag(blocks[3])).all() and blocks[4] == pytest.approx(result.covariance("point", 4))


def test_blocks_are_those_of_the_inverse_where_the_gauge_is_fixed():
    compiled = support.grid()[2]
    result = mq.solve(compiled)
    J, _ = dense(result, compiled)
    inverse = np.zeros((J.shape[1], J.shape[1]))
    inverse[3:, 3:] = np.linalg.inv(J[:, 3:].T @ J[:, 3:])
    inverse *= result.reduced_chi2
    assert result.covariance("pose", 7) == pytest.approx(inverse[21:24, 21:24], rel=1e-8)
    assert result.covariance("pose", 7, "pose", 9) == pytest.approx(inverse[21:24, 27:30], rel=1e-8)
    assert not result.covariance("pose", 0).any()


def test_blocks_are_those_of_the_pseudo_inverse_where_the_scene_is_free():
    compiled = support.grid(fixed=False)[2]
    result = mq.solve(compiled)
    J, _ = dense(result, compiled)
    known = pseudo_inverse(J)
    blocks = result.covariance("pose", sigma_known=True)
    for k, block in enumerate(blocks):
        assert block == pytest.approx(known[3 * k : 3 * k + 3, 3 * k : 3 * k + 3], rel=1e-7, abs=1e-12)


def test_cameras_and_points_of_a_free_scene_have_the_covariance_of_the_pseudo_inverse():
    compiled = support.scene()[2]
    result = mq.solve(compiled, ftol=1e-12)
    J, ends = dense(result, compiled)
    known = pseudo_inverse(J)
    camera = slice(9, 18)
    point = slice(ends[1] + 15, ends[1] + 18)
    for found, exact in (
        (result.covariance("camera", 1, sigma_known=True), known[camera, camera]),
        (result.covariance("point", 5, sigma_known=True), known[point, point]),
        (result.covariance("camera", 1, "point", 5, sigma_known=True), known[camera, point]),
    ):
        assert np.abs(found - exact).max() < 1e-7 * np.abs(exact).max()
    for name, first, t in (("camera", 0, 9), ("point", ends[1], 3)):
        for k, block in enumerate(result.covariance(name, sigma_known=True)):
            exact = known[first + t * k :, first + t * k :][:t, :t]
            assert np.abs(block - exact).max() < 1e-6 * np.abs(exact).max()
    pair = result.covariance("point", [5, -1])
    assert pair.shape == (2, 3, 3)
    assert pair[0] == pytest.approx(result.reduced_chi2 * known[point, point], rel=1e-6)


def test_standard_errors_are_what_repeated_data_show():
    """Of 200 graphs with other noise the fixed frame's poses scatter as the covariance says."""
    truth, _, compiled = support.grid(seed=0, n=4)
    ends = mq.solve(compiled).covariance("pose", 15, sigma_known=True)
    found = np.array([mq.solve(support.grid_again(compiled, truth, s))["pose"][15] for s in range(200)])
    assert found.std(axis=0) == pytest.approx(np.sqrt(np.diag(ends)), rel=0.2)


def test_unknown_names_and_indices_are_told():
    result = mq.solve(support.scene()[2])
    with pytest.raises(mq.ParameterError, match="no variables 'cameras'"):
        result.covariance("cameras", 0)
    with pytest.raises(mq.ParameterError, match=r"camera\[9\]: there are 5"):
        result.covariance("camera", 9)
    with pytest.raises(mq.ParameterError, match="index of both"):
        result.covariance("camera", 0, "point")
