"""Scenes with known truth: the truth fits, the start does not, and what is asked for is there."""

from __future__ import annotations

import numpy as np
import pytest

import marquardt as mq
from marquardt import geometry
from marquardt.datasets import parse_bal, scenes
from marquardt.errors import OptionError


@pytest.mark.parametrize("make", [scenes.street, scenes.collection])
@pytest.mark.parametrize("cameras", [20, 150])
def test_the_truth_is_off_by_the_noise_and_the_start_leads_back_to_it(make, cameras: int) -> None:
    scene = make(cameras, 40 * cameras, noise=0.5)
    truth, start = scene.truth, scene.start
    numbers = truth.observed.size
    assert len(truth.observed) == pytest.approx(40 * cameras, rel=0.03)
    assert (truth.residuals() ** 2).sum() == pytest.approx(0.25 * numbers, rel=0.1)
    assert not truth.behind().any() and np.abs(truth.observed).max() < 2500
    result = mq.solve(start.problem(), ftol=1e-6)
    free = numbers - (9 * cameras + 3 * len(truth.points) - 7)
    assert result.initial_cost > 100 * result.cost
    assert result.cost == pytest.approx(0.5 * 0.25 * free, rel=0.15)


def test_files_of_scenes_are_read_again(tmp_path) -> None:
    scenes.collection(20, 2000).start.write(tmp_path / "c.txt")
    assert len(parse_bal((tmp_path / "c.txt").read_text(), "c").cameras) == 20


def test_a_street_is_a_band_and_a_collection_is_not() -> None:
    def spread(problem) -> float:
        order = np.argsort(problem.point_index, kind="stable")
        camera = problem.camera_index[order]
        same = np.diff(problem.point_index[order]) == 0
        apart = np.abs(np.diff(camera))[same]
        return float(np.mean(np.minimum(apart, 150 - apart)))

    assert spread(scenes.street(150, 6000).start) < 2 < 20 < spread(scenes.collection(150, 6000).start)


def test_nearly_half_the_points_are_seen_twice_and_none_twice_by_one_camera() -> None:
    for make in (scenes.street, scenes.collection):
        problem = make(150, 20_000).start
        seen = np.bincount(problem.point_index)
        assert 0.4 < np.mean(seen == 2) < 0.55 and seen.max() > 10
        pairs = problem.camera_index * len(problem.points) + problem.point_index
        assert np.unique(pairs).size == pairs.size
        assert (np.diff(problem.point_index) >= 0).all()


def test_the_same_seed_gives_the_same_scene() -> None:
    a, b, c = (scenes.street(30, 900, seed=s).start for s in (1, 1, 2))
    assert np.array_equal(a.observed, b.observed) and np.array_equal(a.points, b.points)
    assert a.observed.shape != c.observed.shape or not np.array_equal(a.observed, c.observed)


def test_false_observations_are_known_and_all_others_are_as_they_were() -> None:
    start = scenes.street(20, 1000).start
    problem, false = scenes.spoiled(start, 0.1, 50.0)
    moved = np.abs(problem.observed - start.observed).max(axis=1)
    assert false.sum() == len(false) // 10
    assert (moved[false] > 0).all() and moved.max() <= 50 and not moved[~false].any()


def test_a_sphere_from_its_chordal_start_has_the_cost_of_its_noise() -> None:
    scene = scenes.sphere(10, 20)
    graph = scene.start
    result = mq.solve(graph.with_poses(geometry.chordal_start(graph)).problem())
    dof = 6 * (len(graph.edges) - len(graph.poses) + 1)
    assert (graph.distances() ** 2).sum() > 100 * dof
    assert result.success and result.cost == pytest.approx(0.5 * dof, rel=0.15)


def test_false_closures_of_a_walk_are_found() -> None:
    scene = scenes.manhattan(300, 150, false=5)
    edges = scene.start.edges[scene.false]
    apart = np.linalg.norm(scene.truth.poses[edges[:, 0], :2] - scene.truth.poses[edges[:, 1], :2], axis=1)
    assert len(edges) == 5 and apart.min() > 3
    far = scene.truth.distances()
    assert far[scene.false].min() > 10 > np.delete(far, scene.false).max()


@pytest.mark.parametrize("call", [
    lambda: scenes.street(2, 1000), lambda: scenes.collection(20, 100),
    lambda: scenes.spoiled(scenes.street(20, 1000).start, 1.5),
])  # fmt: skip
def test_impossible_scenes_are_refused(call) -> None:
    with pytest.raises(OptionError, match="needed"):
        call()
