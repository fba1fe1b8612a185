"""A declared problem becomes programs."""

from __future__ import annotations

import numpy as np
import pytest

import marquardt as mq
from marquardt import geometry


def reprojection(camera, point, observed):
    return geometry.bal(camera[6:], geometry.rotate(camera[:3], point) + camera[3:6]) - observed


def city(n_cameras=4, n_points=30, seed=0):
    rng = np.random.default_rng(seed)
    cameras = np.tile([0.1, 0.2, 0.3, 0, 0, -4, 500, 0.01, 0.001], (n_cameras, 1))
    cameras = cameras + 0.01 * rng.standard_normal(cameras.shape)
    points = rng.uniform(-1, 1, (n_points, 3))
    i, j = (a.ravel() for a in np.meshgrid(np.arange(n_cameras), np.arange(n_points), indexing="ij"))
    observed = np.array([reprojection(cameras[a], points[b], 0.0) for a, b in zip(i, j, strict=True)])
    return cameras, points, i, j, observed


def run(compiled, family, linear=False):
    """Outputs (n, outputs) of a program of a family."""
    program = family.linear if linear else family.value
    return program.run([v.values for v in compiled.variables], family.slots, family.columns)


def reference(compiled, family, function, *data):
    """Residuals by the function itself, and derivatives by the tangents by differences."""
    values = [v.values.copy() for v in compiled.variables]

    def residuals(values):
        picks = [values[p][i] for p, i in family.slots]
        return np.array([np.ravel(function(*[x[k] for x in (*picks, *data)])) for k in range(family.n)])

    columns = []
    picks = [values[p][i] for p, i in family.slots]
    for k, (p, _) in enumerate(family.slots):
        manifold = compiled.variables[p].manifold
        for j in range(manifold.tangent):
            d = np.zeros((family.n, manifold.tangent))
            size = np.maximum(1e-2, np.abs(picks[k][:, j])) if manifold.flat else np.ones(family.n)
            d[:, j] = 6e-6 * size
            ends = []
            for sign in (1.0, -1.0):
                moved = [*picks[:k], manifold.retract(picks[k], sign * d), *picks[k + 1 :]]
                ends.append([np.ravel(function(*[x[i] for x in (*moved, *data)])) for i in range(family.n)])
            columns.append((np.array(ends[0]) - ends[1]) / (2 * d[:, j : j + 1]))
    return residuals(values), np.stack(columns, axis=2)


def test_reprojection_is_traced_to_residuals_and_derivatives():
    cameras, points, i, j, observed = city()
    problem = mq.Problem()
    camera, point = problem.variables("camera", cameras), problem.variables("point", points)
    problem.residuals(reprojection, camera[i], point[j], observed + 0.5)
    compiled = problem.compile()
    (family,) = compiled.families
    assert (family.rows, family.n, family.derivative) == (2, len(i), "exact (traced)")
    r, J = reference(compiled, family, reprojection, observed + 0.5)
    out = run(compiled, family, linear=True)
    assert np.allclose(run(compiled, family), r, atol=1e-10)
    assert np.allclose(out[:, :2], r, atol=1e-10)
    assert np.allclose(out[:, 2:].reshape(-1, 2, 12), J, rtol=1e-6, atol=1e-4)


def test_a_city_is_solved():
    cameras, points, i, j, observed = city()
    problem = mq.Problem()
    rng = np.random.default_rng(1)
    camera = problem.variables("camera", cameras)
    point = problem.variables("point", points + 0.02 * rng.standard_normal(points.shape))
    problem.residuals(reprojection, camera[i], point[j], observed)
    result = mq.solve(problem)
    assert result.success
    assert result.cost < 1e-6


def test_a_problem_without_residuals_says_what_is_missing():
    problem = mq.Problem()
    problem.variables("x", [1.0])
    with pytest.raises(mq.ParameterError, match="no residuals"):
        problem.compile()
