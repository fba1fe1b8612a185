"""Newton's step over the arrow is that of the dense system."""

from __future__ import annotations

import numpy as np
import pytest

from marquardt.solve.arrow import Pair
from marquardt.solve.arrow_newton import Quadratic

GROUPS, OWN, SHARED = 4, 3, 2
RNG = np.random.default_rng(7)


def quadratic(shift):
    """Random blocks, convex with a large shift."""
    p = OWN + SHARED
    a = RNG.standard_normal((GROUPS, p, p))
    slopes = RNG.standard_normal((GROUPS, p))
    slope = Pair(slopes[:, :OWN], slopes[:, OWN:].sum(axis=0))
    return Quadratic(a @ a.transpose(0, 2, 1) + shift * np.eye(p), slope, OWN), slopes


def dense(q):
    """The matrix over all own parameters, group after group, the shared ones last."""
    n = GROUPS * OWN
    H = np.zeros((n + SHARED, n + SHARED))
    for g, block in enumerate(q.matrix):
        at = np.r_[g * OWN : (g + 1) * OWN, n : n + SHARED]
        H[np.ix_(at, at)] += block
    return H


def test_a_convex_step_solves_the_dense_system():
    q, _ = quadratic(1.0)
    v = q.step(np.zeros(GROUPS), 0.0)
    np.testing.assert_allclose(dense(q) @ v.flat, -q.slope.flat, atol=1e-12)


def test_each_damping_stands_on_the_diagonal_of_its_own_block():
    q, _ = quadratic(1.0)
    lam = np.array([0.0, 0.5, 3.0, 20.0])
    v = q.step(lam, 0.7)
    H = dense(q) + np.diag([*np.repeat(lam, OWN), *[0.7] * SHARED])
    np.testing.assert_allclose(H @ v.flat, -q.slope.flat, atol=1e-11)


def test_the_predicted_reductions_of_the_groups_add_up_to_that_of_the_whole():
    q, slopes = quadratic(0.0)
    v = Pair(RNG.standard_normal((GROUPS, OWN)), RNG.standard_normal(SHARED))
    whole = -(2.0 * q.slope.flat @ v.flat + v.flat @ dense(q) @ v.flat)
    assert q.predicted(slopes, v).sum() == pytest.approx(whole)


@pytest.mark.parametrize("shift", [-3.0, -30.0])
def test_where_the_cost_bends_down_the_step_still_goes_downhill(shift):
    q, _ = quadratic(shift)
    v = q.step(np.zeros(GROUPS), 0.0)
    assert q.slope.flat @ v.flat < 0.0
