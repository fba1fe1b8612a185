"""Rotations: SciPy's, fifty digits at the smallest angles, and exact derivatives through the trace."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from marquardt import geometry as g
from marquardt.problem.model import compile_model

SMALL = [0.0, 1e-300, 1e-160, 1e-20, 1e-8, 1e-3, 0.7, 1.0 - 1e-12, 1.0, 2.0, np.pi - 1e-12, np.pi, 6.0]
DIRECTION = np.array([0.36, -0.48, 0.8])


def drawn(n: int = 200) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((n, 3)) * 1.5


def jacobian(function, x: np.ndarray) -> np.ndarray:
    """Exact derivatives of a function of one vector, as a fit has them."""
    model = compile_model(lambda dummy, x: function(x), (np.zeros(1),), {"x": x.shape})
    problem = model.problem((np.zeros(1),), None, None, x, tuple(range(x.size)))
    assert problem.exact, model.derivative
    return problem.jacobian(x)


def test_vectors_quaternions_and_matrices_turn_points_as_scipys_do() -> None:
    w, X = drawn(), drawn()[::-1]
    theirs, q = Rotation.from_rotvec(w), g.quaternion_of(w)
    assert np.allclose(g.rotate(w, X), theirs.apply(X), rtol=0, atol=4e-15)
    assert np.allclose(g.rotate_by_quaternion(q, X), theirs.apply(X), rtol=0, atol=4e-15)
    assert np.allclose(g.matrix_of(w), theirs.as_matrix(), rtol=0, atol=2e-15)
    assert np.allclose(np.abs((q * theirs.as_quat()).sum(1)), 1.0, rtol=4e-16)


def test_products_and_inverses_compose_rotations() -> None:
    p, q = g.quaternion_of(drawn()), g.quaternion_of(drawn()[::-1])
    X = np.array([1.0, -2.0, 0.5])
    both = g.rotate_by_quaternion(g.quaternion_product(p, q), X)
    assert np.allclose(both, g.rotate_by_quaternion(p, g.rotate_by_quaternion(q, X)), rtol=0, atol=4e-15)
    none = g.quaternion_product(p, g.inverse_quaternion(p))
    assert np.allclose(none, [0, 0, 0, 1], rtol=0, atol=1e-15)


@pytest.mark.parametrize("angle", SMALL)
def test_there_and_back_keeps_the_vector_at_any_angle_up_to_pi(angle: float) -> None:
    w = angle * DIRECTION
    back = g.rotation_vector_of(g.quaternion_of(w))
    expected = w if angle <= np.pi else (angle - 2 * np.pi) * DIRECTION
    assert np.allclose(back, expected, rtol=4e-15, atol=0)
    assert np.allclose(g.rotation_vector_of(-g.quaternion_of(w)), back, rtol=4e-15, atol=0)


def test_matrices_give_quaternions_at_half_turns_too() -> None:
    vectors = np.concatenate([drawn(), np.pi * np.eye(3), (np.pi - 1e-9) * DIRECTION[None], np.zeros((1, 3))])
    q = g.quaternion_of_matrix(Rotation.from_rotvec(vectors).as_matrix())
    same = np.abs((q * Rotation.from_rotvec(vectors).as_quat()).sum(1))
    assert np.allclose(same, 1.0, rtol=1e-15) and (q[:, 3] >= 0).all()


@pytest.mark.parametrize("angle", SMALL)
def test_stumpff_functions_are_exact_to_rounding(angle: float) -> None:
    z = angle * angle
    with mpmath.workdps(60):
        root = mpmath.sqrt(mpmath.mpf(z))
        s = mpmath.sin(root) / root if z else mpmath.mpf(1)
        c = 2 * (mpmath.sin(root / 2) / root) ** 2 if z else mpmath.mpf(0.5)
    assert abs(float(g.sin_ratio(np.float64(z)) - s)) <= 3e-16
    assert abs(float(g.cos_ratio(np.float64(z)) - c)) <= 2e-16


@pytest.mark.parametrize("angle", SMALL)
def test_derivatives_are_exact_at_any_angle(angle: float) -> None:
    w, X = angle * DIRECTION, np.array([0.3, -1.1, 2.0])
    found = jacobian(lambda p: g.rotate(p[:3], p[3:]), np.concatenate([w, X]))

    def turned(k: int, *p):
        v, x = mpmath.matrix(p[:3]), mpmath.matrix(p[3:])
        z = sum(e * e for e in v)
        root = mpmath.sqrt(z)
        s = mpmath.sin(root) / root if abs(z) > 1e-40 else 1 - z / 6
        c = (1 - mpmath.cos(root)) / z if abs(z) > 1e-40 else mpmath.mpf(1) / 2 - z / 24
        a = cross(v, x)
        b = cross(v, a)
        return x[k] + s * a[k] + c * b[k]

    def cross(a, b):
        return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]

    with mpmath.workdps(60):
        at = [mpmath.mpf(v) for v in (*w, *X)]
        for i in range(3):
            for j in range(6):
                h = mpmath.mpf(10) ** -15
                ahead, behind = list(at), list(at)
                ahead[j] += h
                behind[j] -= h
                slope = float((turned(i, *ahead) - turned(i, *behind)) / (2 * h))
                assert abs(found[i, j] - slope) <= 2e-14, (i, j)
