"""The arrow's linear solver is that of the whole dense system."""

from __future__ import annotations

import numpy as np
import pytest

from marquardt.solve.arrow import Arrow, Flags, Pair, Triangles

G, K, S, M = 5, 3, 2, 8
RNG = np.random.default_rng(2)
OWN, SHARED, F = RNG.normal(size=(G, M, K)), RNG.normal(size=(G, M, S)), RNG.normal(size=(G, M))
D = Pair(RNG.uniform(0.1, 10.0, (G, K)), RNG.uniform(0.1, 10.0, S))
NONE = Flags(np.zeros((G, K), dtype=bool), np.zeros(S, dtype=bool))


def folded(own=OWN, shared=SHARED, f=F):
    rows = np.linalg.qr(np.concatenate([own, shared, f[:, :, None]], axis=2), mode="r")
    return Triangles(rows[:, : K + S], K)


def whole(own=OWN, shared=SHARED):
    J = np.zeros((G * M, G * K + S))
    for g in range(G):
        J[g * M : (g + 1) * M, g * K : (g + 1) * K] = own[g]
        J[g * M : (g + 1) * M, G * K :] = shared[g]
    return J


@pytest.mark.parametrize("damping", [0.0, 1e-6, 0.3, 1e4])
def test_a_step_is_that_of_the_dense_system(damping):
    J = whole() / D.flat
    A = np.vstack([J, np.sqrt(damping) * np.eye(J.shape[1])])
    expected = -np.linalg.lstsq(A, np.append(F.ravel(), np.zeros(J.shape[1])), rcond=None)[0]
    arrow = Arrow(folded(), D, damping, NONE, threshold=1e-12)
    t = arrow.step()
    np.testing.assert_allclose(t.flat, expected, rtol=1e-9)
    decay = expected @ np.linalg.solve(A.T @ A, expected)
    assert arrow.decay(t) == pytest.approx(decay, rel=1e-9)


def test_what_a_whole_step_takes_away_is_what_was_explained():
    triangles, J = folded(), whole()
    arrow = Arrow(triangles, D, 0.0, NONE, threshold=1e-12)
    v = arrow.step() / D
    left = F.ravel() + J @ v.flat
    assert triangles.predicted(v) == pytest.approx(F.ravel() @ F.ravel() - left @ left)
    assert arrow.explained**2 == pytest.approx(triangles.predicted(v))


def test_held_parameters_stay():
    held = Flags(np.zeros((G, K), dtype=bool), np.array([True, False]))
    held.own[2, 1] = True
    v = (Arrow(folded(), D, 0.0, held, threshold=1e-12).step() / D).flat
    keep = np.ones(v.size, dtype=bool)
    keep[[2 * K + 1, G * K]] = False
    expected = -np.linalg.lstsq(whole()[:, keep], F.ravel(), rcond=None)[0]
    np.testing.assert_allclose(v[keep], expected, rtol=1e-9)
    np.testing.assert_allclose(v[~keep], 0.0, atol=1e-14)


def test_undetermined_combinations_are_counted_and_do_not_spoil_the_others():
    own, shared = OWN.copy(), SHARED.copy()
    own[3, :, 2] = 2.0 * own[3, :, 0]
    arrow = Arrow(folded(own, shared), D, 0.0, NONE, threshold=1e-12)
    assert arrow.n_null == 1
    assert np.abs(arrow.null_own[3]).max(axis=0)[1] < 1e-12
    v = (arrow.step() / D).flat
    J = whole(own, shared)
    np.testing.assert_allclose(J.T @ (F.ravel() + J @ v), 0.0, atol=1e-9)


def test_a_shared_column_that_the_own_ones_hold_is_not_determined():
    shared = SHARED.copy()
    shared[:, :, 1] = OWN @ np.array([1.0, -2.0, 0.5])
    arrow = Arrow(folded(OWN, shared), D, 0.0, NONE, threshold=1e-12)
    assert arrow.n_null == 1 and arrow.null_shared.shape == (S, 1)
    J = whole(OWN, shared)
    np.testing.assert_allclose(J.T @ (F.ravel() + J @ (arrow.step() / D).flat), 0.0, atol=1e-9)
