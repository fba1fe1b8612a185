"""The minimizer loop for many groups: the trust region of `auto` over the arrow's linear solver.

Step, judge by the gain ratio, move or retreat, stop? As in the core: D from the magnitudes of the parameters,
radius by Moré (1978), actual reduction as a sum of products, bounds by an inner active set, a polish accepted
on the gradient, and a certificate.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import Status
from ..options import Options
from .arrow import EPS, Arrow, Flags, Pair, Triangles
from .arrow_newton import each_by_itself
from .arrow_verdict import runaway as ways_out

Vector = NDArray[np.float64]
Array = NDArray[np.float64]

CERTIFIED = 8.0
"""A gradient component below so many times its rounding error is zero to rounding."""
SLACK = 1.1
ACCEPT = 1e-4
NOISE_FACTOR = 10.0
MAX_TRIALS = 60
POLISH_STEPS = 30
POLISHED = 3
"""So many steps beyond the certificate."""
ROUNDS = 12
PATIENCE = 30
"""After so many Jacobians every group goes on with a damping of its own."""


class Problem(Protocol):
    size: int
    starts: Any

    def residuals(self, own: Array, shared: Vector) -> Vector: ...
    def fold(self, own: Array, shared: Vector, f: Vector) -> tuple[Array, Array, Array]: ...
    def residual_hessians(self, own: Array, shared: Vector, f: Vector) -> Array | None: ...


@dataclass(frozen=True)
class Progress:
    """What an observer sees: `x` is group after group, the shared parameters last."""

    nfev: int
    njev: int
    cost: float
    x: Vector


@dataclass(frozen=True)
class Point:
    """Parameters, residuals and their linearization."""

    x: Pair
    f: Vector
    triangles: Triangles
    gradient: Pair
    rounding: Pair
    norms: Pair
    active: Flags
    """Held at a bound by the gradient."""

    @property
    def rss(self) -> float:
        return float(np.sum(self.f * self.f))

    @property
    def noise(self) -> float:
        """What rounding errors can do to the residuals, in units of eps."""
        n = self.norms
        ratio = self.rounding / n.where(Flags(n.own > 0.0, n.shared > 0.0), Pair(n.own + 1.0, n.shared + 1.0))
        return ratio.largest

    @property
    def scaled_gradient(self) -> float:
        """max |g_j| / (eps rounding_j) over the parameters that may move."""
        floor = self.rounding * Pair(np.float64(EPS), np.float64(EPS))
        good = Flags((floor.own > 0.0) & ~self.active.own, (floor.shared > 0.0) & ~self.active.shared)
        one = Pair(np.ones_like(floor.own), np.ones_like(floor.shared))
        zero = Pair(np.zeros_like(floor.own), np.zeros_like(floor.shared))
        return (abs(self.gradient) / floor.where(good, one)).where(good, zero).largest


@dataclass(frozen=True)
class Outcome:
    """Where a minimization of many groups ended, and what is known there."""

    x: Pair
    f: Vector
    status: Status
    offset: float
    tolerance: float
    scaled_gradient: float
    gradient: Pair
    active: Pair
    """-1 at the lower bound, 1 at the upper, 0 free."""
    factor: Arrow
    """Of the Jacobian with columns of length `norms`; own and shared scaled by them."""
    norms: Pair
    runaway: Flags
    nfev: int
    njev: int
    n_accepted: int

    @property
    def cost(self) -> float:
        return 0.5 * float(np.sum(self.f * self.f))


class _Stop(Exception):
    pass


class Loop:
    """What the minimizer remembers from one Jacobian to the next."""

    def __init__(
        self,
        problem: Problem,
        lower: Pair,
        upper: Pair,
        options: Options,
        observe: Callable[[Any], Any] | None,
    ) -> None:
        self.problem, self.lower, self.upper = problem, lower, upper
        self.options, self.observe = options, observe
        self.nfev = self.njev = self.n_accepted = 0
        self.live = self.after = 0.0

    # ------------------------------------------------------------------------------------------- evaluations

    def start(self, x: Pair) -> None:
        x = x.clip(self.lower, self.upper)
        f = self.evaluate(x)
        self.rows = np.zeros(f.size, dtype=bool)
        self.live = float(np.sum(f * f))
        here = self.linearize(x, f)
        if here is None:
            self.here = Point(x, f, Triangles(np.zeros((0, 0, 0)), 0), x, x, x, self.none(x))
            return
        self.here = here
        n, size = here.norms, math.sqrt(self.live)
        effect = n.where(Flags(n.own > 0.0, n.shared > 0.0), Pair(n.own + size, n.shared + size))
        one = Pair(np.ones_like(n.own), np.ones_like(n.shared))
        guess = Pair(size / effect.own, size / effect.shared) if size > 0.0 else one
        self.magnitude = abs(x).where(Flags(x.own != 0.0, x.shared != 0.0), guess)
        self.first, self.first_norms = self.magnitude, n
        self.arrive(here)
        self.radius = (self.d * self.magnitude).norm * (self.options.radius_factor or 1.0)

    def none(self, x: Pair) -> Flags:
        return Flags(np.zeros(x.own.shape, dtype=bool), np.zeros(x.shared.shape, dtype=bool))

    def evaluate(self, x: Pair) -> Vector:
        self.nfev += 1
        with np.errstate(all="ignore"):
            return self.problem.residuals(x.own, x.shared)

    def linearize(self, x: Pair, f: Vector) -> Point | None:
        """None where the Jacobian is not finite."""
        self.njev += 1
        with np.errstate(all="ignore"):
            rows, gradient, rounding = self.problem.fold(x.own, x.shared, f)
        if not np.isfinite(rows).all():
            return None
        k = x.own.shape[1]
        triangles = Triangles(rows, k)
        g = Pair(gradient[:, :k], gradient[:, k:].sum(axis=0))
        norms = triangles.norms
        reach = _per_group_reach(rows, x)
        floor = Pair(norms.own * reach[:, None], norms.shared * float(np.linalg.norm(reach)))
        noise = Pair(rounding[:, :k], rounding[:, k:].sum(axis=0)).maximum(floor)
        lo, up = self.lower, self.upper
        active = Flags(
            ((x.own <= lo.own) & (g.own >= 0)) | ((x.own >= up.own) & (g.own <= 0)),
            ((x.shared <= lo.shared) & (g.shared >= 0)) | ((x.shared >= up.shared) & (g.shared <= 0)),
        )
        return Point(x, f, triangles, g, noise, norms, active)

    def arrive(self, point: Point) -> None:
        self.here = point
        self.magnitude = self.magnitude.maximum(abs(point.x))
        self.d = Pair(1.0 / self.magnitude.own, 1.0 / self.magnitude.shared)
        self.whole = self.factor(point, self.d)
        self.explained = self.whole.explained

    @property
    def threshold(self) -> float:
        """Numerical zero beside the largest singular value of a group."""
        return max(self.problem.size // max(len(self.here.x.own), 1), 20) * EPS

    def factor(self, point: Point, d: Pair) -> Arrow:
        return Arrow(point.triangles, d, 0.0, point.active, threshold=self.threshold)

    # --------------------------------------------------------------------------------------------- the search

    def run(self) -> Status | None:
        """Go on until nothing is to be won; the status where something other than the end was reached."""
        budget = self.options.max_evaluations or 1000
        while not self.certified():
            if self.njev >= min(budget, PATIENCE) or not self.advance(4 * budget):
                break
        if self.options.polish and (self.certified() or self.njev < PATIENCE):
            self.polish(budget)
        if not self.certified():
            each_by_itself(self, budget)
            if self.options.polish:
                self.polish(budget)
        return Status.MAX_EVALUATIONS if self.njev >= budget and not self.certified() else None

    def advance(self, most: int) -> bool:
        """Find and take one acceptable step; False: the search ends here."""
        for _ in range(MAX_TRIALS):
            v, size, damping = self.propose(self.radius)
            predicted = self.here.triangles.predicted(v)
            if self.is_too_short(v) or predicted <= NOISE_FACTOR * self.cost_noise() or self.nfev >= most:
                return False
            first = self.nfev == 1
            there, f, actual = self.try_step(v)
            if first:
                self.radius = min(self.radius, size)
            if not math.isfinite(actual):
                self.radius = 0.25 * min(size, self.radius)
                self.report()
                continue
            gain = actual / predicted
            slope = float((self.here.gradient * v).own.sum() + (self.here.gradient * v).shared.sum())
            self.judge(gain, actual, size, slope, damping)
            if gain > ACCEPT and actual > 0.0:
                point = self.linearize(there, f)
                if point is not None:
                    self.live, self.n_accepted = self.after, self.n_accepted + 1
                    self.arrive(point)
                    self.report()
                    return True
                self.radius = 0.25 * min(size, self.radius)
            self.report()
        return False

    def propose(self, radius: float) -> tuple[Pair, float, float]:
        """The step in |D v| <= radius that stays in the box, its length, and its damping."""
        t = self.whole.step()
        size, damping = t.norm, 0.0
        if not size <= SLACK * radius:
            t, damping = self.within(radius, t, size)
            size = t.norm
        return self.boxed(t / self.d, damping), size, damping

    def within(self, radius: float, t: Pair, size: float) -> tuple[Pair, float]:
        """Newton's iteration for |t(damping)| = radius, from below, where |t| is convex (Moré 1978)."""
        low = (size - radius) * size / self.whole.decay(t) if math.isfinite(size) else 0.0
        slopes = self.here.gradient / self.d
        free = self.here.active
        slope = Pair(np.where(free.own, 0.0, slopes.own), np.where(free.shared, 0.0, slopes.shared)).norm
        damping = max(low, 1e-3 * slope / radius)
        for _ in range(10):
            arrow = Arrow(self.here.triangles, self.d, damping, self.here.active)
            t = arrow.step()
            size = t.norm
            if abs(size - radius) <= 0.1 * radius:
                break
            if size > radius:
                low = max(low, damping)
            decay = arrow.decay(t)
            if decay == 0.0:
                break
            damping = max(low, damping + (size - radius) * size / decay * size / radius)
        return t, damping

    def boxed(self, v: Pair, damping: float) -> Pair:
        """Components that leave the box go to their bound, and the others are solved for again."""
        x, held = self.here.x, self.here.active
        for _ in range(ROUNDS):
            to = x + v
            out = Flags(
                (to.own < self.lower.own) | (to.own > self.upper.own),
                (to.shared < self.lower.shared) | (to.shared > self.upper.shared),
            )
            if not out.any:
                break
            held = held | out
            zero = Pair(np.zeros_like(v.own), np.zeros_like(v.shared))
            moved = (to.clip(self.lower, self.upper) - x).where(held, zero)
            arrow = Arrow(self.here.triangles, self.d, damping, held, moved, self.threshold)
            v = moved + arrow.step() / self.d
        return (x + v).clip(self.lower, self.upper) - x

    def try_step(self, v: Pair) -> tuple[Pair, Vector, float]:
        x = (self.here.x + v).clip(self.lower, self.upper)
        f, f0 = self.evaluate(x), self.here.f
        with np.errstate(all="ignore"):
            actual = float(np.sum((f0 - f) * (f0 + f)))
        if math.isfinite(actual):
            self.rows |= f != f0
            self.live, self.after = (float(np.sum(p[self.rows] ** 2)) for p in (f0, f))
        return x, f, actual

    def judge(self, gain: float, actual: float, size: float, slope: float, damping: float) -> None:
        """Moré's rules for the radius."""
        if gain <= 0.25:
            part = 0.5 if actual >= 0.0 else -slope / (-2.0 * slope - actual)
            shrink = 0.1 if actual < -99.0 * self.live or part < 0.1 else part
            self.radius = shrink * min(self.radius, 10.0 * size)
        elif gain >= 0.75 or damping == 0.0:
            self.radius = (4.0 if abs(gain - 1.0) <= 0.2 else 2.0) * size

    def polish(self, budget: int) -> None:
        """Undamped steps, each accepted when |Q1'f| falls and rss rises by no more than rounding."""
        for k in range(POLISH_STEPS):
            close = self.offset() <= self.options.tolerance
            if (self.here.scaled_gradient <= 1.0 and (close or k > 0)) or (k >= POLISHED and close):
                return
            if self.njev >= budget:
                return
            explained, before = self.explained, (self.here, self.whole, self.magnitude, self.live)
            v, _, _ = self.propose(math.inf)
            there, f, actual = self.try_step(v)
            rise = max(1e-10 * self.live, EPS * math.sqrt(self.live) * self.here.noise)
            if not (math.isfinite(actual) and actual >= -rise) or self.is_too_short(v):
                return
            point = self.linearize(there, f)
            if point is None:
                return
            self.arrive(point)
            contraction = self.explained / explained if explained > 0.0 else 1.0
            if not contraction < 1.0:
                self.here, self.whole, self.magnitude, self.live = before
                self.d = Pair(1.0 / self.magnitude.own, 1.0 / self.magnitude.shared)
                self.explained = explained
                return
            self.live = self.after
            self.report()
            if contraction > 0.5 and self.certified():
                return

    # ------------------------------------------------------------------------------------------------ verdict

    def offset(self) -> float:
        """Relative offset |Q1'f| / |Q2'f| (Bates, Watts 1981); infinite before the first trial."""
        if self.explained == 0.0:
            return 0.0
        rest = math.sqrt(max(self.live - self.explained**2, 0.0))
        floor = CERTIFIED * EPS * self.here.noise
        return self.explained / max(rest, floor, 5e-324) if self.rows.any() else math.inf

    def certified(self) -> bool:
        if self.offset() <= self.options.tolerance:
            return True
        noise = max(self.here.noise, math.sqrt(self.live))
        floor = noise + max(self.whole.conditions) * math.sqrt(self.live)
        return self.here.scaled_gradient <= CERTIFIED and self.explained <= CERTIFIED * EPS * floor

    def cost_noise(self) -> float:
        return EPS * math.sqrt(self.live) * self.here.noise

    def is_too_short(self, v: Pair) -> bool:
        to = self.here.x + v
        return bool((to.own == self.here.x.own).all() and (to.shared == self.here.x.shared).all())

    def report(self) -> None:
        if self.observe is not None and self.observe(
            Progress(self.nfev, self.njev, 0.5 * self.here.rss, self.here.x.flat)
        ):
            raise _Stop

    def conclude(self, status: Status | None) -> Outcome:
        here, n = self.here, self.here.norms
        one = Pair(np.ones_like(n.own), np.ones_like(n.shared))
        unit = n.where(Flags(n.own > 0.0, n.shared > 0.0), one)
        factor = self.factor(here, unit)
        certified = self.certified()
        runaway = ways_out(self, factor, certified)
        if status is not Status.INTERRUPTED:
            if runaway.any:
                status = Status.RUNAWAY
            elif certified:
                status = Status.NOT_UNIQUE if factor.n_null else Status.CONVERGED
                if here.active.any and not factor.n_null:
                    status = Status.CONVERGED_AT_BOUND
            elif status is None:
                status = Status.STALLED
        side = here.active
        active = Pair(
            np.where(side.own, np.where(here.x.own <= self.lower.own, -1.0, 1.0), 0.0),
            np.where(side.shared, np.where(here.x.shared <= self.lower.shared, -1.0, 1.0), 0.0),
        )
        return Outcome(
            here.x, here.f, status or Status.STALLED, self.offset(), self.options.tolerance,
            here.scaled_gradient, here.gradient, active, factor, unit, runaway,
            self.nfev, self.njev, self.n_accepted,
        )  # fmt: skip


def _per_group_reach(rows: Array, x: Pair) -> Vector:
    """How far the residuals of each group move when every parameter does by itself."""
    norms = np.sqrt(np.einsum("gij,gij->gj", rows, rows))
    k = x.own.shape[1]
    reach: Vector = (norms[:, :k] * np.abs(x.own)).sum(axis=1) + norms[:, k:-1] @ np.abs(x.shared)
    return reach


def minimize_groups(
    problem: Problem,
    x0: Pair,
    lower: Pair,
    upper: Pair,
    options: Options | None = None,
    observe: Callable[[Any], Any] | None = None,
) -> Outcome | None:
    """Minimize the sum of squares over own and shared parameters; None where it is not finite at the start.

    Ctrl-C, or an observer that returns True, ends it at the best point so far.
    """
    loop = Loop(problem, lower, upper, options or Options(), observe)
    loop.start(x0)
    if loop.here.triangles.rows.size == 0:
        return None
    with np.errstate(all="ignore"):  # far out numbers overflow: such trials are refused
        try:
            status = loop.run()
        except (KeyboardInterrupt, _Stop):
            status = Status.INTERRUPTED
        return loop.conclude(status)
