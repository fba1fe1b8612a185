"""Manifolds: what every one of them keeps."""

from __future__ import annotations

import numpy as np
import pytest

import marquardt as mq
from marquardt import geometry
from marquardt.expr.interpret import compile_numpy
from marquardt.problem.large.manifolds import manifold_of
from marquardt.problem.large.motions import PlainMotion, TapeMotion, motion_of
from marquardt.problem.large.tangents import tangents

M = mq.manifolds
ALL = [
    M.Euclidean(4), M.SO2, M.SO3, M.RotationVector, M.SE2, M.SE3, M.Sim3, M.Sphere(2), M.Sphere(3),
    M.Sphere(5), M.Product(M.SE3, "SO2", M.Sphere(3), M.Euclidean(2)),
]  # fmt: skip
ANGLES = [0.0, 1e-300, 1e-160, 1e-8, 1e-4, 1e-3, 0.999, 1.001, 3.0]

each = pytest.mark.parametrize("manifold", ALL, ids=lambda m: m.name)


def points(manifold, n=40, seed=0):
    x = np.random.default_rng(seed).standard_normal((n, manifold.ambient))
    for k in manifold.positive:
        x[:, k] = np.exp(x[:, k])
    return manifold.project(x)


def steps(manifold, size, n=40):
    d = np.random.default_rng(1).standard_normal((n, manifold.tangent))
    return d * (size / np.linalg.norm(d, axis=1))[:, None]


@each
def test_no_step_moves_nothing(manifold):
    x = points(manifold)
    tolerance = 1e-15 if manifold is M.RotationVector else 0.0
    assert np.abs(manifold.retract(x, np.zeros((40, manifold.tangent))) - x).max() <= tolerance


@each
@pytest.mark.parametrize("size", ANGLES)
def test_local_finds_the_step(manifold, size):
    x, d = points(manifold), steps(manifold, size)
    # Toward the opposite point of a sphere the sine of the angle hides its direction.
    rounding = 2e-15 * max(1.0, size / max(np.sin(size), 1e-300))
    assert np.allclose(manifold.local(x, manifold.retract(x, d)), d, rtol=0, atol=rounding)


@each
def test_local_leads_there_near_half_a_turn(manifold):
    x, d = points(manifold), steps(manifold, np.pi - 1e-12)
    y = manifold.retract(x, d)
    found = manifold.retract(x, manifold.local(x, y))
    for first, end in manifold.units:  # q and -q are one rotation
        sign = np.sign((found[:, first:end] * y[:, first:end]).sum(axis=1))
        if end - first == 4:
            found[:, first:end] *= sign[:, None]
    if manifold is M.RotationVector:
        found, y = geometry.matrix_of(found), geometry.matrix_of(y)
    assert np.allclose(found, y, rtol=0, atol=2e-14)


@pytest.mark.parametrize("size", [1e-300, 1e-160, 1e-8])
def test_tiny_turns_keep_their_digits_at_no_rotation(size):
    d = steps(M.SO3, size)
    x = np.tile([0.0, 0.0, 0.0, 1.0], (40, 1))
    assert np.allclose(M.SO3.local(x, M.SO3.retract(x, d)) / size, d / size, rtol=1e-14, atol=1e-15)


@each
def test_values_stay_on_the_manifold(manifold):
    x = points(manifold)
    for _ in range(100):
        x = motion_of(manifold)(x, steps(manifold, 0.7))
    for first, end in manifold.units:
        assert np.allclose(np.linalg.norm(x[:, first:end], axis=1), 1.0, rtol=0, atol=4e-16)
    for k in manifold.angles:
        assert np.abs(x[:, k]).max() <= np.pi


@each
def test_the_core_moves_as_the_functions_do(manifold):
    x, d = points(manifold), steps(manifold, 0.3)
    motion = motion_of(manifold)
    assert isinstance(motion, PlainMotion if manifold.flat else TapeMotion)
    assert np.allclose(motion(x, d), manifold.project(manifold.retract(x, d)), rtol=0, atol=1e-15)


@pytest.mark.parametrize("manifold", [m for m in ALL if not m.flat], ids=lambda m: m.name)
def test_the_derivative_of_the_motion_is_exact(manifold):
    x, h = points(manifold), 6e-6
    entries = compile_numpy([e for row in tangents(manifold) for e in row])((), list(x.T))
    exact = np.stack([np.broadcast_to(e, 40) for e in entries], axis=1)
    columns = []
    for j in range(manifold.tangent):
        d = np.zeros((40, manifold.tangent))
        d[:, j] = h
        columns.append((manifold.retract(x, d) - manifold.retract(x, -d)) / (2 * h))
    assert np.allclose(exact.reshape(40, manifold.ambient, -1), np.stack(columns, axis=2), rtol=0, atol=1e-9)


def test_names_find_manifolds():
    assert manifold_of("SE3", 7) is M.SE3
    assert manifold_of("Sphere", 3).tangent == 2
    assert manifold_of(None, 5).flat
    with pytest.raises(mq.ParameterError, match="did you mean 'SE3'"):
        manifold_of("SE33", 7)
    with pytest.raises(mq.ParameterError, match="SO3 needs values of 4 components, these have 3"):
        manifold_of("SO3", 3)


def test_an_own_manifold_is_three_plain_things():
    def retract(x, d):
        return x * np.exp(d)

    positive = mq.Manifold(retract, lambda x, y: np.log(y / x), tangent=1, name="positive")
    problem = mq.Problem()
    x = problem.variables("x", [[2.0]], positive)
    problem.residuals(lambda x: x - 0.01, x)
    result = mq.solve(problem)
    assert result["x"][0, 0] == pytest.approx(0.01)


def test_an_own_manifold_that_cannot_be_traced_is_called_back():
    def retract(x, d):
        return np.array([float(str(v)) for v in x.ravel()]).reshape(x.shape) * np.exp(d)

    positive = mq.Manifold(retract, lambda x, y: np.log(y / x), tangent=1)
    problem = mq.Problem()
    x = problem.variables("x", [[2.0]], positive)
    problem.residuals(lambda x: x - 0.01, x)
    compiled = problem.compile()
    assert isinstance(compiled.motions[0], PlainMotion)
    assert "finite differences" in compiled.families[0].derivative
    assert mq.solve(compiled)["x"][0, 0] == pytest.approx(0.01, rel=1e-6)
