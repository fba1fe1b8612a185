"""Graduated non-convexity: weights, rounds, and what false residuals do."""

from dataclasses import replace

import numpy as np
import pytest

import marquardt as mq
from marquardt.datasets import scenes
from marquardt.solve.large.gnc import geman_mcclure, truncated

from . import support


def test_weights_of_truncated_squares_are_one_then_fall_to_zero_without_a_jump():
    mu, c2 = 0.5, 4.0
    low, high = mu / (mu + 1) * c2, (mu + 1) / mu * c2
    assert truncated(np.array([0.0, 0.99 * low, 1.01 * high, 1e9]), c2, mu).tolist() == [1.0, 1.0, 0.0, 0.0]
    near = truncated(np.array([low * (1 + 1e-9), high * (1 - 1e-9)]), c2, mu)
    assert near == pytest.approx([1.0, 0.0], abs=1e-8)


def test_weights_of_geman_mcclure_are_the_slope_of_its_loss():
    s, c2, mu = np.array([0.0, 1.0, 9.0]), 4.0, 2.0

    def cost(s):
        return mu * c2 * s / (mu * c2 + s)

    slope = (cost(s + 1e-6) - cost(s - 1e-6)) / 2e-6
    assert geman_mcclure(s, c2, mu) == pytest.approx(slope, rel=1e-8)


@pytest.mark.parametrize("kind", ["truncated", "geman-mcclure"])
def test_thirty_percent_of_false_closures_are_found(kind):
    truth, wrong, compiled = support.grid(seed=1, n=8, false=0.3)
    plain = mq.solve(compiled)
    result = mq.solve(compiled, robust=mq.GNC(kind=kind, families=["closure"]))
    weights = result.weights["closure"]
    assert result.success and (weights[wrong] < 1e-3).all()
    assert np.delete(weights, wrong).mean() > 0.8 and (result.weights["odometry"] == 1.0).all()
    away = np.abs(result["pose"] - truth).max()
    assert away < 0.2 < 5 * away < np.abs(plain["pose"] - truth).max()
    assert "not believed" in str(result)


def test_without_false_residuals_nothing_is_left_out():
    compiled = support.grid(seed=2)[2]
    result = mq.solve(compiled, robust=mq.GNC(scale=10.0))
    assert all((w == 1.0).all() for w in result.weights.values())
    assert result.cost == pytest.approx(mq.solve(compiled).cost, rel=1e-9)


def test_wild_observations_of_a_scene_are_found():
    compiled = support.scene(seed=4, n_cameras=8, n_points=100)[2]
    clean = mq.solve(compiled)
    data = compiled.families[0].callback.data[0]
    rng = np.random.default_rng(0)
    wrong = rng.permutation(len(data))[: len(data) // 10]
    data[wrong] += rng.choice([-1, 1], (wrong.size, 2)) * rng.uniform(20, 100, (wrong.size, 2))
    result = mq.solve(compiled, robust=mq.GNC(scale=3.0))
    weights = result.weights["observations"]
    assert not weights[wrong].any() and np.delete(weights, wrong).all()
    assert result.n_residuals == 2 * (len(data) - wrong.size)
    found, known = result.residual_norms()[weights > 0], clean.residual_norms()[weights > 0]
    assert np.median(found) == pytest.approx(np.median(known), rel=0.1)


def test_a_second_solution_counts_every_residual_again():
    compiled = support.grid(seed=1, false=0.3)[2]
    before = mq.solve(compiled)
    norms = before.residual_norms("closure")
    mq.solve(compiled, robust=mq.GNC(families=["closure"]))
    assert np.array_equal(before.residual_norms("closure"), norms)
    assert mq.solve(compiled).cost == before.cost


def test_families_that_do_not_fit_are_named():
    compiled = support.grid()[2]
    with pytest.raises(mq.OptionError, match="no family 'closures'; did you mean 'closure'"):
        mq.solve(compiled, robust=mq.GNC(families=["closures"]))
    compiled.families[1].loss = ("huber", 1.0, None)
    with pytest.raises(mq.OptionError, match="'closure' has a loss already"):
        mq.solve(compiled, robust=mq.GNC(families=["closure"]))
    with pytest.raises(mq.OptionError, match="scale = -1"):
        mq.GNC(scale=-1)
    with pytest.raises(mq.OptionError, match="kind = 'tukey'"):
        mq.GNC(kind="tukey")


@pytest.mark.parametrize("make", [scenes.street, scenes.collection])
def test_points_that_two_cameras_saw_are_not_torn_away_by_false_observations(make):
    scene = make(20, 4000, seed=1).start
    n, rng = len(scene.observed), np.random.default_rng(1)
    of = rng.choice(n, n // 10, replace=False)
    angle, far = rng.uniform(0, 2 * np.pi, len(of)), rng.uniform(50, 500, len(of))
    off = far[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    spoiled = replace(
        scene,
        camera_index=np.append(scene.camera_index, scene.camera_index[of]),
        point_index=np.append(scene.point_index, scene.point_index[of]),
        observed=np.vstack([scene.observed, scene.observed[of] + off]),
    )
    result = mq.solve(spoiled.problem(), robust=mq.GNC(scale=10.0))
    weights = result.weights["reprojection"]
    assert result.success and weights[:n].all() and not weights[n:].any()
