"""Camera models: closed forms, one another, and the start of a real problem."""

from __future__ import annotations

import numpy as np
import pytest

from marquardt import geometry as g
from marquardt import least_squares

P = np.array([[0.3, -0.2, 2.0], [-1.0, 0.4, 3.0], [0.0, 0.0, 1.5], [0.01, 0.02, 5.0]])
x, y = P[:, 0] / P[:, 2], P[:, 1] / P[:, 2]


def test_without_distortion_all_cameras_are_pinholes() -> None:
    plain = g.pinhole(np.array([800.0, 800.0, 320.0, 240.0]), P)
    assert np.allclose(plain, np.stack([800 * x + 320, 800 * y + 240], axis=1), rtol=1e-15)
    assert np.allclose(g.radial(np.array([800.0, 320.0, 240.0, 0.0, 0.0]), P), plain, rtol=1e-15)
    assert np.allclose(g.opencv(np.array([800.0, 800.0, 320.0, 240.0, 0, 0, 0, 0, 0]), P), plain, rtol=1e-15)
    flipped = g.bal(np.array([800.0, 0.0, 0.0]), P * [1, 1, -1])
    assert np.allclose(flipped, np.stack([800 * x, 800 * y], axis=1), rtol=1e-15)


def test_radial_distortions_are_those_of_the_larger_models() -> None:
    radial = g.radial(np.array([800.0, 320.0, 240.0, -0.2, 0.05]), P)
    assert np.allclose(g.opencv(np.array([800.0, 800.0, 320.0, 240.0, -0.2, 0.05, 0, 0, 0]), P), radial)
    assert np.allclose(g.bal(np.array([800.0, -0.2, 0.05]), P * [1, 1, -1]), radial - [320, 240])


def test_tangential_distortion_has_opencvs_signs() -> None:
    p1, p2, r2 = 0.01, -0.02, x**2 + y**2
    found = g.opencv(np.array([1.0, 1.0, 0.0, 0.0, 0, 0, p1, p2, 0]), P)
    assert np.allclose(found[:, 0], x + 2 * p1 * x * y + p2 * (r2 + 2 * x**2), rtol=1e-14)
    assert np.allclose(found[:, 1], y + p1 * (r2 + 2 * y**2) + 2 * p2 * x * y, rtol=1e-14)


def test_a_fisheye_sees_the_angle_also_beside_and_behind_itself() -> None:
    camera = np.array([100.0, 100.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    angles = np.array([0.0, 1e-12, 0.5, np.pi / 2, 2.5])
    seen = g.fisheye(camera, np.stack([np.sin(angles), 0 * angles, np.cos(angles)], axis=1))
    assert np.allclose(seen[:, 0], 100 * angles, rtol=1e-14) and (seen[:, 1] == 0).all()
    bent = g.fisheye(np.array([100.0, 100.0, 0.0, 0.0, 0.1, 0.02, 0.003, 0.0004]), np.array([1.0, 0.0, 1.0]))
    t = np.pi / 4
    assert bent[0] == pytest.approx(100 * t * (1 + 0.1 * t**2 + 0.02 * t**4 + 0.003 * t**6 + 0.0004 * t**8))


CAMERAS = {
    g.bal: [500.0, -0.1, 0.01],
    g.pinhole: [500.0, 480.0, 10.0, -5.0],
    g.radial: [500.0, 10.0, -5.0, -0.1, 0.01],
    g.opencv: [500.0, 480.0, 10.0, -5.0, -0.1, 0.01, 0.002, -0.003, 0.001],
    g.fisheye: [500.0, 480.0, 10.0, -5.0, -0.1, 0.01, 0.002, -0.003],
}


@pytest.mark.parametrize("camera", CAMERAS, ids=lambda c: c.__name__)
def test_a_pose_is_found_from_six_points_with_exact_derivatives(camera) -> None:
    rng = np.random.default_rng(1)
    X = rng.uniform(-1, 1, (6, 3))
    depth = -5.0 if camera is g.bal else 5.0
    truth, intrinsics = np.array([0.2, -0.1, 0.3, 0.1, 0.2, depth]), np.array(CAMERAS[camera])
    seen = camera(intrinsics, g.rotate(truth[:3], X) + truth[3:])

    def residuals(pose):
        return (camera(intrinsics, g.rotate(pose[:3], X) + pose[3:]) - seen).ravel()

    found = least_squares(residuals, [0, 0, 0, 0, 0, depth])
    assert found.derivative == "exact (traced)" and np.allclose(found.x, truth, rtol=1e-9, atol=1e-10)
