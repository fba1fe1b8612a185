"""Starts from no start: pose graphs, points, two views."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from marquardt import geometry
from marquardt.datasets import PoseGraph, parse_g2o
from marquardt.errors import DataError
from marquardt.geometry.chordal import nearest_rotation

ONE = np.array([1.0, 1.0, 0.0, 0.0])


def spatial(n: int = 60, noise: float = 0.0, seed: int = 0) -> tuple[PoseGraph, np.ndarray]:
    """A helix around a sphere with closures, its poses forgotten, and the true poses."""
    rng = np.random.default_rng(seed)
    t = np.linspace(0, 1, n)
    r, a = np.sin(np.pi * (0.1 + 0.8 * t)), 12 * np.pi * t
    place = 10 * np.column_stack([r * np.cos(a), r * np.sin(a), np.cos(np.pi * (0.1 + 0.8 * t))])
    q = geometry.quaternion_of(rng.normal(0, 1.5, (n, 3)))
    truth = np.column_stack([place, q])
    i = np.concatenate([np.arange(n - 1), np.arange(n - 10)])
    j = np.concatenate([np.arange(1, n), np.arange(10, n)])
    back = geometry.inverse_quaternion(q[i])
    turn = geometry.quaternion_product(geometry.quaternion_product(back, q[j]), small(rng, len(i), noise))
    move = geometry.rotate_by_quaternion(back, place[j] - place[i]) + rng.normal(0, noise, (len(i), 3))
    information = np.tile(np.diag([4.0, 4, 9, 100, 100, 25]), (len(i), 1, 1))
    forgotten = truth.copy()
    forgotten[1:] = [0, 0, 0, 0, 0, 0, 1]
    edges, z = np.stack([i, j], 1), np.column_stack([move, turn])
    none = np.zeros(0, np.intp)
    return PoseGraph("helix", "SE3", np.arange(n), forgotten, edges, z, information, none), truth


def small(rng: np.random.Generator, n: int, noise: float) -> np.ndarray:
    return np.asarray(geometry.quaternion_of(rng.normal(0, noise, (n, 3))))


def planar(truth: np.ndarray, edges: np.ndarray) -> PoseGraph:
    i, j = edges.T
    c, s = np.cos(truth[i, 2]), np.sin(truth[i, 2])
    d = truth[j] - truth[i]
    z = np.column_stack([c * d[:, 0] + s * d[:, 1], c * d[:, 1] - s * d[:, 0], d[:, 2]])
    forgotten = truth.copy()
    forgotten[1:] = 0
    information = np.tile(np.array([[4.0, 1, 0], [1, 4, 0], [0, 0, 9]]), (len(edges), 1, 1))
    none = np.zeros(0, np.intp)
    return PoseGraph("plane", "SE2", np.arange(len(truth)), forgotten, edges, z, information, none)


def same_turn(p: np.ndarray, q: np.ndarray, tolerance: float) -> bool:
    return bool((np.abs((p * q).sum(axis=1)) > 1 - tolerance).all())


def test_without_noise_the_chordal_start_is_the_truth() -> None:
    graph, truth = spatial()
    found = geometry.chordal_start(graph)
    assert np.allclose(found[:, :3], truth[:, :3], atol=1e-9)
    assert same_turn(found[:, 3:], truth[:, 3:], 1e-12)


def test_with_noise_it_is_near_the_truth() -> None:
    graph, truth = spatial(noise=0.02)
    found = geometry.chordal_start(graph)
    assert np.abs(found[:, :3] - truth[:, :3]).max() < 0.5
    assert same_turn(found[:, 3:], truth[:, 3:], 2e-3)


def test_planar_graphs_have_one_too() -> None:
    rng = np.random.default_rng(1)
    truth = np.column_stack([rng.normal(0, 5, (40, 2)), rng.uniform(-3, 3, 40)])
    edges = np.concatenate([np.column_stack([np.arange(39), np.arange(1, 40)]), [[30, 2], [39, 11]]])
    found = geometry.chordal_start(planar(truth, edges))
    assert np.allclose(found[:, :2], truth[:, :2], atol=1e-9)
    assert np.allclose(np.exp(1j * found[:, 2]), np.exp(1j * truth[:, 2]), atol=1e-9)


def test_fixed_poses_stay_exactly_where_they_are() -> None:
    graph, truth = spatial(noise=0.02)
    poses = graph.poses.copy()
    poses[[20, 50]] = truth[[20, 50]]
    graph = replace(graph.with_poses(poses), fixed=np.array([20, 50]))
    found = geometry.chordal_start(graph)
    assert np.array_equal(found[[20, 50]], truth[[20, 50]])
    assert not np.array_equal(found[0], poses[0])


def test_each_part_of_a_graph_that_hangs_together_keeps_its_first_pose() -> None:
    truth = np.array([[0.0, 0, 0.1], [5, 0, 0.2], [1, 1, 0.3], [6, 1, 0.4]])
    graph = planar(truth, np.array([[0, 2], [1, 3]]))
    graph.poses[1] = truth[1]
    assert np.allclose(geometry.chordal_start(graph), truth, atol=1e-12)


def test_a_pose_without_edges_is_named() -> None:
    text = "VERTEX_SE2 4 0 0 0\nVERTEX_SE2 5 0 0 0\nVERTEX_SE2 6 0 0 0\nEDGE_SE2 4 6 1 0 0 1 0 0 1 0 1\n"
    with pytest.raises(DataError, match=r"pose 1 \(counted from 0\) has no edge"):
        geometry.chordal_start(parse_g2o(text, "a.g2o"))


def test_the_nearest_rotation_of_a_reflection_is_a_rotation() -> None:
    R = nearest_rotation(np.diag([1.0, 1.0, -0.5]) + 0.01)
    assert np.isclose(np.linalg.det(R), 1.0) and np.allclose(R @ R.T, np.eye(3))


def views(n: int = 6, m: int = 200, seed: int = 0):
    """Cameras on an arc, the points they look at, and where each is seen by some of them."""
    rng = np.random.default_rng(seed)
    X = rng.uniform([48, -2, -2], [52, 2, 2], (m, 3))
    w = np.column_stack([np.zeros(n), np.linspace(-0.6, 0.6, n), np.zeros(n)])
    R = geometry.matrix_of(w)
    t = np.array([0, 0, 8.0]) - R @ [50.0, 0, 0]
    camera, point = (v.ravel() for v in np.meshgrid(np.arange(n), np.arange(m), indexing="ij"))
    some = rng.random(n * m) < 0.6
    camera, point = camera[some], point[some]
    P = np.einsum("kab,kb->ka", R[camera], X[point]) + t[camera]
    return np.concatenate([R, t[:, :, None]], axis=2), X, camera, point, geometry.pinhole(ONE, P)


def test_points_are_found_from_tracks_of_any_length() -> None:
    cameras, X, camera, point, seen = views()
    found = geometry.triangulate(cameras, seen, camera, point, len(X))
    twice = np.bincount(point, minlength=len(X)) > 1
    assert twice.sum() < len(X)
    assert np.allclose(found[twice], X[twice], atol=1e-9) and np.isnan(found[~twice]).all()


def test_camera_matrices_may_hold_focal_lengths_and_centers() -> None:
    cameras, X, camera, point, seen = views()
    K = np.array([[900.0, 0, 320], [0, 910, 240], [0, 0, 1]])
    found = geometry.triangulate(K @ cameras, seen * [900, 910] + [320, 240], camera, point, len(X))
    twice = np.bincount(point, minlength=len(X)) > 1
    assert np.allclose(found[twice], X[twice], atol=1e-9)


def test_the_refining_step_brings_noisy_points_to_the_nearest_images() -> None:
    cameras, X, camera, point, seen = views()
    seen = seen + np.random.default_rng(1).normal(0, 2e-3, seen.shape)
    found = geometry.triangulate(cameras, seen, camera, point, len(X))

    def far(Y: np.ndarray) -> np.ndarray:
        P = np.einsum("kab,kb->ka", cameras[camera, :, :3], Y[point]) + cameras[camera, :, 3]
        return np.bincount(point, ((geometry.pinhole(ONE, P) - seen) ** 2).sum(1), len(X))

    twice = np.bincount(point, minlength=len(X)) > 1
    best = far(found)
    for step in 2e-3 * np.vstack([np.eye(3), -np.eye(3)]):
        assert (far(found + step)[twice] > best[twice]).mean() > 0.99


def test_parallel_rays_tell_no_depth() -> None:
    cameras = np.stack([np.eye(3, 4), np.eye(3, 4) - np.eye(3, 4, 3)])
    assert np.isnan(geometry.triangulate(cameras, [[0.3, 0.1], [0.3, 0.1]], [0, 1], [0, 0])).all()


@pytest.mark.parametrize(
    ("observed", "camera", "point", "said"),
    [
        ([[0, 0]], [2], [0], r"camera_index\[0\] = 2, but there are 2"),
        ([[0, 0]], [0], [5], r"point_index\[0\] = 5, but there are 3"),
        ([[0, np.nan]], [0], [1], r"observed\[0\] = \[0.0, nan\] is not finite"),
        ([[0, 0, 1]], [0], [1], "triangulate takes cameras"),
    ],
)
def test_wrong_tracks_are_named(observed, camera, point, said) -> None:
    with pytest.raises(DataError, match=said):
        geometry.triangulate(np.zeros((2, 3, 4)), observed, camera, point, 3)


def pairs(seed: int, wrong: float, noise: float = 5e-4):
    rng = np.random.default_rng(seed)
    X = rng.uniform([-3, -3, 4], [3, 3, 12], (400, 3))
    w, t = rng.normal(0, 0.3, 3), rng.normal(size=3)
    t /= np.linalg.norm(t)
    a = geometry.pinhole(ONE, X) + rng.normal(0, noise, (400, 2))
    b = geometry.pinhole(ONE, geometry.rotate(w, X) + t) + rng.normal(0, noise, (400, 2))
    bad = rng.random(400) < wrong
    b[bad] = rng.uniform(-1, 1, (int(bad.sum()), 2))
    return a, b, w, t, X, bad


@pytest.mark.parametrize("wrong", [0.0, 0.3])
@pytest.mark.parametrize("seed", range(3))
def test_the_pose_of_the_second_camera_is_found_among_wrong_pairs(seed: int, wrong: float) -> None:
    a, b, w, t, X, bad = pairs(seed, wrong)
    found = geometry.two_view_start(a, b)
    assert np.abs(found.w - w).max() < 0.01 and found.t @ t > np.cos(np.radians(2))
    assert found.agree[~bad].mean() > 0.97 and (found.agree & bad).sum() <= 0.05 * bad.sum()
    assert np.isnan(found.points[~found.agree]).all()
    near = found.agree & ~bad
    assert np.median(np.linalg.norm(found.points - X, axis=1)[near]) < 0.1


def test_two_views_that_do_not_agree_are_refused() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(DataError, match="of 12 pairs agree with any pose"):
        geometry.two_view_start(rng.random((12, 2)), 1e3 * rng.random((12, 2)), tolerance=1e-9)
    with pytest.raises(DataError, match="at least 8 pairs"):
        geometry.two_view_start(rng.random((7, 2)), rng.random((7, 2)))
    with pytest.raises(DataError, match="pair 3 is not finite"):
        bad = rng.random((9, 2))
        bad[3, 1] = np.inf
        geometry.two_view_start(bad, bad)
