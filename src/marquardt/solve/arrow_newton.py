"""Newton's steps for many groups, each with a damping of its own.

One radius for all lets the worst group set the pace: a group without signal, whose parameters head for
infinity or out of the model's domain, shortens the steps of all others. And where residuals stay large beside
what the parameters explain, Gauss-Newton creeps. So, where the first search does not arrive:
``(J'J + S + diag(lam)) v = -J'f``, S = Σ f_i H_i of every group, eliminated group by group, with a damping
`lam` of each group that follows Nielsen's rule (1999) on what that group gained, and one of the shared
parameters.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .arrow import EPS, Pair
from .arrow_verdict import together

if TYPE_CHECKING:
    from .arrow_minimize import Loop

Vector = NDArray[np.float64]
Array = NDArray[np.float64]

STEPS = 150
TRIALS = 40
BROKEN = 0.2
"""Where more than this part of the groups gain nothing, it is the shared step that is too long."""
ACCEPT = 1e-4
FIRST = 1e-3
"""Damping at first, in units of the largest curvature of its block."""
LEAST = 1e-14
"""A damping below so much of the curvature is none."""
CONVEX = 1e-8
"""Curvature is lifted to at least this part of the largest of its block."""


@dataclass
class Quadratic:
    """Model of the cost in scaled parameters, block by block: own and shared ones of every group."""

    matrix: Array
    """J'J + S over (own, shared), (G, k + s, k + s)."""
    slope: Pair
    k: int

    def step(self, lam: Vector, lam_shared: float) -> Pair:
        """The minimizer with damping; negative curvature is lifted until there is one."""
        k = self.k
        A, B = self.matrix[:, :k, :k], self.matrix[:, :k, k:]
        w, V = np.linalg.eigh(A)
        w = _lifted(w) + lam[:, None]
        inverse = np.einsum("gij,gj,glj->gil", V, 1.0 / w, V)
        pull = inverse @ B
        alone = np.einsum("gij,gj->gi", inverse, self.slope.own)
        if not self.slope.shared.size:
            return Pair(-alone, self.slope.shared)
        C = self.matrix[:, k:, k:].sum(axis=0) - np.einsum("gik,gij->kj", B, pull)
        right = self.slope.shared - np.einsum("gik,gi->k", B, alone)
        w, V = np.linalg.eigh(0.5 * (C + C.T))
        shared = -V @ ((V.T @ right) / (_lifted(w) + lam_shared))
        return Pair(-alone - pull @ shared, shared)

    def predicted(self, own_slope: Array, v: Pair) -> Vector:
        """Reduction of rss that the model predicts in each group; `own_slope` is J'f of each, (G, k + s)."""
        both = np.concatenate([v.own, np.broadcast_to(v.shared, (len(v.own), v.shared.size))], axis=1)
        bent = np.einsum("gi,gij,gj->g", both, self.matrix, both)
        found: Vector = -(2.0 * (own_slope * both).sum(axis=1) + bent)
        return found


def _lifted(w: Array) -> Array:
    """Eigenvalues with those that are not safely positive replaced by their size, or a floor."""
    largest = np.abs(w).max(axis=-1, keepdims=True, initial=0.0)
    floor = np.where(largest > 0.0, CONVEX * largest, 1.0)
    found: Array = np.where(w > floor, w, np.maximum(np.abs(w), floor))
    return found


class Dampings:
    """One damping for every group and one for the shared parameters, by Nielsen's rule."""

    def __init__(self, q: Quadratic) -> None:
        k = q.k
        diagonal = np.einsum("gii->gi", np.abs(q.matrix))
        self.size = np.maximum(diagonal[:, :k].max(axis=1, initial=0.0), 1e-300)
        self.shared_size = float(np.abs(diagonal[:, k:].sum(axis=0)).max(initial=1e-300))
        self.lam, self.lam_shared = FIRST * self.size, FIRST * self.shared_size
        self.nu, self.nu_shared = np.full(len(self.size), 2.0), 2.0

    def judge(self, actual: Vector, predicted: Vector, noise: Vector, taken: bool) -> None:
        """Follow what each group gained; `noise` is the gain that rounding can feign."""
        with np.errstate(all="ignore"):
            gain = np.where(predicted > noise, actual / predicted, np.where(actual >= -noise, 1.0, -1.0))
        bad = ~np.isfinite(actual) | (gain < 0.25)
        factor = np.maximum(1.0 / 3.0, 1.0 - (2.0 * np.clip(np.nan_to_num(gain), 0.0, 1.0) - 1.0) ** 3)
        self.lam = np.where(bad, np.clip(self.lam, 1e-6 * self.size, 1e200) * self.nu, self.lam * factor)
        self.nu = np.where(bad, np.minimum(2.0 * self.nu, 1e6), 2.0)
        self.lam[self.lam < LEAST * self.size] = 0.0
        if taken:
            self.lam_shared, self.nu_shared = self.lam_shared / 3.0, 2.0
            if self.lam_shared < LEAST * self.shared_size:
                self.lam_shared = 0.0
        elif not bad.any() or bad.mean() > BROKEN:
            self.lam_shared = max(self.lam_shared, 1e-6 * self.shared_size) * self.nu_shared
            self.nu_shared *= 2.0


def each_by_itself(loop: Loop, budget: int) -> None:
    """Go on from where the loop stands, until the end is certified or nothing is won any more."""
    dampings: Dampings | None = None
    for _ in range(STEPS):
        if loop.certified() or loop.njev >= budget or together(loop).any:
            return
        q, slopes = _model(loop)
        if q is None:
            return
        if dampings is None:
            dampings = Dampings(q)
        if not _advance(loop, q, slopes, dampings):
            return


def _model(loop: Loop) -> tuple[Quadratic | None, Array]:
    """The model where the loop stands, None where it is not finite; and J'f of each group, scaled."""
    here, d, k = loop.here, loop.d, loop.here.x.own.shape[1]
    rows = here.triangles.rows
    n_groups, s = rows.shape[0], rows.shape[1] - k
    J = rows[:, :, :-1]
    matrix = np.einsum("gij,gil->gjl", J, J)
    S = loop.problem.residual_hessians(here.x.own, here.x.shared, here.f)
    if S is not None and np.isfinite(S).all():
        matrix = matrix + S
    slopes = np.einsum("gij,gi->gj", J, rows[:, :, -1])
    scale = np.concatenate([d.own, np.broadcast_to(d.shared, (n_groups, s))], axis=1)
    held = np.concatenate([here.active.own, np.broadcast_to(here.active.shared, (n_groups, s))], axis=1)
    matrix = matrix / (scale[:, :, None] * scale[:, None, :])
    matrix[held[:, :, None] | held[:, None, :]] = 0.0
    at = np.arange(k)
    size = np.abs(matrix).max(axis=(1, 2), initial=0.0)
    matrix[:, at, at] += np.where(held[:, :k], np.where(size > 0.0, size, 1.0)[:, None], 0.0)
    slopes = np.where(held, 0.0, slopes / scale)
    if not (np.isfinite(matrix).all() and np.isfinite(slopes).all()):
        return None, slopes
    return Quadratic(matrix, Pair(slopes[:, :k], slopes[:, k:].sum(axis=0)), k), slopes


def _advance(loop: Loop, q: Quadratic, slopes: Array, dampings: Dampings) -> bool:
    """Find and take one acceptable step."""
    here = loop.here
    starts = np.asarray(loop.problem.starts)
    noise = EPS * np.add.reduceat(here.f * here.f, starts) + 1e-300
    for _ in range(TRIALS):
        v = _within_bounds(loop, q.step(dampings.lam, dampings.lam_shared))
        predicted = q.predicted(slopes, v * loop.d)
        last = float(predicted.sum()) <= 10.0 * loop.cost_noise()
        if last:  # the cost tells nothing any more: a whole step, judged by what is left of the gradient
            v = _within_bounds(loop, q.step(np.zeros_like(dampings.lam), 0.0))
        if loop.is_too_short(v):
            return False
        there, f, total = loop.try_step(v)
        with np.errstate(all="ignore"):
            actual = np.add.reduceat((here.f - f) * (here.f + f), starts)
        good = math.isfinite(total) and total > ACCEPT * float(predicted.sum()) and total > 0.0
        if last and math.isfinite(total):
            good = total >= -max(1e-10 * loop.live, loop.cost_noise())
        if good:
            point = loop.linearize(there, f)
            if point is not None:
                explained, before = loop.explained, (loop.here, loop.whole, loop.magnitude, loop.d)
                loop.arrive(point)
                if last and not loop.explained < explained:
                    (loop.here, loop.whole, loop.magnitude, loop.d), loop.explained = before, explained
                    return False
                loop.live, loop.n_accepted = loop.after, loop.n_accepted + 1
                dampings.judge(actual, predicted, noise, True)
                loop.report()
                return True
        if last:
            return False
        dampings.judge(actual, predicted, noise, False)
        loop.report()
    return False


def _within_bounds(loop: Loop, t: Pair) -> Pair:
    """The step as far as the box lets it, in parameters as they are."""
    x = loop.here.x
    return (x + t / loop.d).clip(loop.lower, loop.upper) - x
