"""Data become problems: the same cost as their residuals in NumPy, families by name, what is held is held."""

from __future__ import annotations

import numpy as np
import pytest

import marquardt as mq
from marquardt import geometry
from marquardt.datasets import PoseGraph
from tests.cli.test_cli_solve import moved, ring, town
from tests.datasets.test_colmap import model
from tests.geometry.test_starts import spatial


def start_cost(data) -> float:
    return mq.solve(data.problem(), max_iterations=0).cost


@pytest.mark.parametrize("data", [moved(town()), model(noise=1.0)], ids=["bal", "colmap"])
def test_the_cost_is_half_the_sum_of_squared_pixels(data) -> None:
    assert start_cost(data) == pytest.approx(0.5 * (data.residuals() ** 2).sum(), rel=1e-12)


@pytest.mark.parametrize("graph", [ring(), spatial(noise=0.02)[0]], ids=["planar", "spatial"])
def test_the_cost_is_half_the_sum_of_squared_standard_deviations(graph: PoseGraph) -> None:
    assert start_cost(graph) == pytest.approx(0.5 * (graph.distances() ** 2).sum(), rel=1e-12)


@pytest.mark.parametrize("graph", [ring(), spatial()[0], moved(town()), model()])
def test_residuals_of_all_kinds_of_data_are_traced(graph) -> None:
    compiled = graph.problem().compile()
    assert all(family.callback is None for family in compiled.families)


def test_a_spatial_graph_from_its_chordal_start_ends_where_it_ends_from_the_truth() -> None:
    graph, truth = spatial(noise=0.02)
    far = graph.with_poses(geometry.chordal_start(graph))
    ends = [mq.solve(g.problem()) for g in (far, graph.with_poses(truth))]
    assert ends[0].success and ends[0].cost == pytest.approx(ends[1].cost, rel=1e-9)
    assert ends[0].cost < 0.5 * (far.distances() ** 2).sum()
    solved = far.with_result(ends[0])
    assert 0.5 * (solved.distances() ** 2).sum() == pytest.approx(ends[0].cost, rel=1e-9)
    assert np.array_equal(solved.poses[0], graph.poses[0])


def test_parameters_of_a_camera_are_shared_by_its_images_and_centers_are_held() -> None:
    truth = model(noise=0.2)
    far = truth.with_values(truth.images, truth.points * 1.01)
    result = mq.solve(far.problem(fixed={"image": [0]}))
    assert result.success and result["OPENCV"].shape == (1, 8)
    solved = far.with_result(result)
    assert np.array_equal(solved.images[0], truth.images[0])
    assert np.array_equal(solved.intrinsics[4][2:4], truth.intrinsics[4][2:4])
    assert solved.intrinsics[4][0] != truth.intrinsics[4][0]
    assert (solved.residuals() ** 2).sum() < (truth.residuals() ** 2).sum()


def test_a_loss_is_handed_on() -> None:
    spoiled = moved(town())
    spoiled.observed[7] += 100
    plain, robust = mq.solve(spoiled.problem()), mq.solve(spoiled.problem(loss="huber"))
    right = np.delete(np.arange(480), 7)
    errors = [np.linalg.norm(spoiled.with_result(r).residuals()[right], axis=1) for r in (plain, robust)]
    assert errors[1].max() < errors[0].max()


def test_an_edge_without_rotation_leaves_it_to_the_others() -> None:
    graph, truth = spatial()
    information = graph.information.copy()
    information[-1, 3:], information[-1, :, 3:] = 0.0, 0.0
    loose = PoseGraph("g", "SE3", graph.ids, truth, graph.edges, graph.measurements, information, graph.fixed)
    assert mq.solve(loose.problem()).cost < 1e-20
