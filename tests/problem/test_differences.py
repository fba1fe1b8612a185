"""Finite differences keep their digits where naive ones lose them."""

from __future__ import annotations

import numpy as np

from marquardt.problem.differences import Differences, estimate_noise

T = np.linspace(0.1, 4.0, 30)
FREE = np.array([-np.inf, -np.inf])


def decay(x: np.ndarray) -> np.ndarray:
    return x[0] * np.exp(-x[1] * T) - 2.0 * np.exp(-T)


def slopes(x: np.ndarray) -> np.ndarray:
    e = np.exp(-x[1] * T)
    return np.stack([e, -x[0] * T * e], axis=1)


def test_central_differences_give_nine_digits() -> None:
    x = np.array([3.0, 0.7])
    J = Differences(decay, FREE, -FREE).jacobian(x, decay(x))
    assert np.abs(J - slopes(x)).max() < 1e-9 * np.abs(slopes(x)).max()


def test_tiny_parameters_keep_their_digits() -> None:
    scale = np.array([1e-7, 1e5])
    x = np.array([3.0, 0.7]) * scale
    scaled = lambda z: decay(z / scale)  # noqa: E731
    J = Differences(scaled, FREE, -FREE).jacobian(x, scaled(x)) * scale
    assert np.abs(J - slopes(x / scale)).max() < 1e-9 * np.abs(slopes(x / scale)).max()


def test_a_parameter_at_zero_gets_a_step_in_scale() -> None:
    x = np.array([0.0, 0.7])
    J = Differences(decay, FREE, -FREE).jacobian(x, decay(x))
    assert np.allclose(J, slopes(x), atol=1e-9)


def test_differences_stay_inside_the_bounds() -> None:
    x, lower, upper = np.array([3.0, 0.7]), np.array([3.0, -np.inf]), np.array([np.inf, 0.7])
    seen: list[np.ndarray] = []

    def watched(z: np.ndarray) -> np.ndarray:
        seen.append(z.copy())
        return decay(z)

    d = Differences(watched, lower, upper)
    d.step = 2.2e-16 ** (1 / 3)
    J = d.jacobian(x, decay(x))
    assert all((z >= lower).all() and (z <= upper).all() for z in seen)
    assert np.abs(J - slopes(x)).max() < 1e-7


def test_noise_of_a_rough_function_is_found_and_the_step_grows() -> None:
    x = np.array([3.0, 0.7])

    def rough(z: np.ndarray) -> np.ndarray:
        jitter = np.random.default_rng(abs(hash(z.tobytes())) % 2**32).normal(size=T.size)
        return decay(z) * (1.0 + 1e-8 * jitter)

    noise = estimate_noise(rough, x, rough(x))
    assert 1e-9 < noise < 1e-7
    J = Differences(rough, FREE, -FREE).jacobian(x, rough(x))
    assert np.abs(J - slopes(x)).max() < 1e-4 * np.abs(slopes(x)).max()


def test_noise_of_plain_arithmetic_is_rounding() -> None:
    assert estimate_noise(decay, np.array([3.0, 0.7]), decay(np.array([3.0, 0.7]))) < 1e-14


def test_the_search_for_noise_stays_inside_the_bounds() -> None:
    seen = []

    def watched(z: np.ndarray) -> np.ndarray:
        seen.append(z.copy())
        return decay(z)

    x = np.array([3.0, 0.7])
    for lower, upper in ((x, x + 1.0), (x - 1.0, x), (x, x), (x, np.nextafter(x, 9.0))):
        assert estimate_noise(watched, x, decay(x), lower, upper) < 1e-14
        assert all((z >= lower).all() and (z <= upper).all() for z in seen)
        seen.clear()
