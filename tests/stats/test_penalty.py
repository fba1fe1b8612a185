"""Effective parameters."""

from __future__ import annotations

import numpy as np

from marquardt.stats import covariance, effective_parameters, from_data

J = np.array([[1.0, 2.0, 0.5], [0.3, -1.0, 2.0], [2.0, 0.1, 1.0], [1.0, 1.0, 1.0], [0.0, 0.5, -1.0]])
P = np.array([0.5, 0.0, 4.0])


def test_effective_parameters_are_the_trace_of_the_hat_matrix() -> None:
    R = np.linalg.qr(np.vstack([J, np.diag(np.sqrt(P))]))[1]
    found = effective_parameters(covariance(R), np.sqrt(P))
    hat = J @ np.linalg.inv(J.T @ J + np.diag(P)) @ J.T
    assert np.isclose(found, np.trace(hat), rtol=1e-12)
    assert np.isclose(from_data(covariance(R), np.sqrt(P)).sum(), found, rtol=1e-12)


def test_an_undetermined_parameter_does_not_count() -> None:
    lost = np.column_stack([J[:, :2], np.zeros(5)])
    R = np.linalg.qr(lost)[1]
    assert effective_parameters(covariance(R), np.zeros(3)) == 2.0


def test_a_parameter_known_from_its_penalty_alone_does_not_count() -> None:
    R = np.linalg.qr(np.vstack([np.column_stack([J[:, :2], np.zeros(5)]), [[0.0, 0.0, 3.0]]]))[1]
    strength = np.array([0.0, 0.0, 3.0])
    assert np.isclose(effective_parameters(covariance(R), strength), 2.0)
    np.testing.assert_allclose(from_data(covariance(R), strength), [1.0, 1.0, 0.0], atol=1e-12)


def test_a_parameter_held_at_a_bound_counts() -> None:
    R = np.linalg.qr(np.vstack([J, np.diag(np.sqrt(P))]))[1]
    held = np.array([False, False, True])
    part = J[:, :2]
    hat = part @ np.linalg.inv(part.T @ part + np.diag(P[:2])) @ part.T
    assert np.isclose(effective_parameters(covariance(R, held), np.sqrt(P)), np.trace(hat) + 1.0)
