"""The minimizer's loop in plain NumPy: the executable explanation of `core/src/minimize`.

Minimize ``rss = f'f`` over a box. Each round builds one quadratic model of rss in scaled parameters ``D v``,
either Gauss-Newton (``J'J``) or Newton (``J'J + sum f_i H_i``), takes its minimizer in ``|D v| <= radius``,
bends it by the geodesic acceleration, and judges it by ``gain = actual / predicted`` reduction.

Moré (1978): trust region; Transtrum, Sethna (2012): acceleration; Bates, Watts (1981): relative offset.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..errors import Status
from ..options import Options
from .reference_step import (
    EPS,
    Matrix,
    Point,
    Spectrum,
    Trial,
    Vector,
    gauss_newton,
    norm,
    per_column,
    propose,
    reduction,
)

NEWTON_LIMIT = 32  # parameters up to which exact Hessians are worth their cost
CERTIFIED = 8.0  # a gradient component below 8 eps rounding_j is zero to rounding


@dataclass
class Problem:
    """Residuals, Jacobian, optionally second derivatives; counts the evaluations."""

    residuals: Callable[[Vector], Vector]
    jacobian: Callable[[Vector], Matrix]
    f_vv: Callable[[Vector, Vector], Vector] | None = None
    hessian: Callable[[Vector, Vector], Matrix] | None = None
    size: Vector | float = 0.0  # |y| in weighted units: what subtracting the data adds to the rounding error
    nfev: int = 0
    njev: int = 0

    def value(self, x: Vector) -> Vector:
        self.nfev += 1
        return self.residuals(x)


def changed(f: Vector, f1: Vector) -> tuple[float, int, float, float]:
    """Reduction of rss as a sum of products, exact beside huge constants; how many rows changed, and their
    sums of squares before and after."""
    rows = f != f1
    actual = float(np.sum((f - f1) * (f + f1)))
    return actual, int(np.sum(rows)), float(f[rows] @ f[rows]), float(f1[rows] @ f1[rows])


@dataclass
class Outcome:
    """Where the minimization ended; fields as in the core."""

    x: Vector
    f: Vector
    status: Status
    offset: float
    scaled_gradient: float
    rank: int
    condition: float
    active: NDArray[np.int8]
    nfev: int
    njev: int
    n_accepted: int
    costs: list[float]  # of every accepted point

    @property
    def cost(self) -> float:
        return 0.5 * float(self.f @ self.f)


@dataclass
class Loop:
    """What the minimizer remembers from one Jacobian to the next."""

    problem: Problem
    lower: Vector
    upper: Vector
    options: Options
    D: Vector = field(default_factory=lambda: np.zeros(0))
    magnitude: Vector = field(default_factory=lambda: np.zeros(0))  # running max of |x_j|
    columns: Vector = field(default_factory=lambda: np.zeros(0))  # running max of |J_j|
    f0: float = 0.0
    radius: float = 0.0
    bend: float = np.inf  # last |D a| / |D v|
    newton: bool = False
    rows: int = 0  # rows that depend on x, as far as seen
    live: float = 0.0  # their sum of squares
    budget: int = 0
    exhausted: bool = False
    contraction: float = 1.0  # of |Q1'f| by the last undamped step
    after: float = 0.0  # `live` at the last trial
    costs: list[float] = field(default_factory=list)

    def scale(self, p: Point) -> None:
        """Start the scaling at the first point, or let it follow."""
        if self.D.size == 0:
            self.f0 = norm(p.f)
            width = np.where(np.isfinite(self.upper - self.lower), self.upper - self.lower, 1.0)
            at_zero = np.where(p.norms > 0, norm(p.z) / np.where(p.norms > 0, p.norms, 1.0), width)
            self.magnitude = np.where(p.x != 0, np.abs(p.x), np.where(at_zero > 0, at_zero, 1.0))
            self.columns = p.norms
        self.magnitude = np.maximum(self.magnitude, np.abs(p.x))
        self.columns = np.maximum(self.columns, p.norms)
        mix = self.options.scaling == "mix" or (
            self.options.scaling == "auto" and self.problem.hessian is None
        )
        self.D = np.hypot(self.columns, 0.1 * self.f0 / self.magnitude) if mix else 1.0 / self.magnitude

    def linearize(self, x: Vector, f: Vector) -> Point | None:
        """The point with its Gauss-Newton model; None where the Jacobian is not finite."""
        self.problem.njev += 1
        J, n = self.problem.jacobian(x), x.size
        if not np.all(np.isfinite(J)):
            return None
        padded = np.vstack([np.column_stack([J, f]), np.zeros((n + 1, n + 1))])
        factor: Matrix = np.asarray(np.linalg.qr(padded, mode="r"))
        gradient, norms = J.T @ f, np.sqrt(np.sum(factor[:n, :n] ** 2, axis=0))
        rounding = np.abs(J).T @ (np.abs(self.problem.size) + 2 * np.abs(f))
        terms = per_column(rounding, norms)
        # Where nothing is subtracted, x itself is known to eps only: that moves f by eps |J_k x_k|.
        rounding = np.maximum(rounding, norms * np.sum(norms * np.abs(x)))
        held = ((x <= self.lower) & (gradient >= 0)) | ((x >= self.upper) & (gradient <= 0))
        free, none = np.flatnonzero(~held), Spectrum(norms, norms, J, np.zeros(0, np.intp))
        p = Point(x, f, J, factor[:n, :n], factor[:n, n], gradient, norms, rounding, free, none, terms)
        self.scale(p)
        p.model = gauss_newton(p, self.D, free, np.zeros(n))
        return p

    def offset(self, p: Point) -> float:
        """|Q1'f| over the free parameters, as a multiple of |Q2'f| over the rows that depend on x.

        Infinite until a first trial has shown which rows do."""
        explained = p.model.explained()
        if explained == 0 or self.rows == 0:
            return 0.0 if explained == 0 else np.inf
        rest = np.sqrt(max(self.live - explained**2, 0.0))
        return explained / float(max(rest, CERTIFIED * EPS * p.noise))

    def certified(self, p: Point) -> bool:
        return p.scaled_gradient() <= CERTIFIED or self.offset(p) <= self.options.tolerance

    def try_step(self, p: Point, v: Vector) -> tuple[Vector, Vector, float]:
        """Trial point, its residuals and the actual reduction of rss (-inf where not finite)."""
        x1 = np.clip(p.x + v, self.lower, self.upper)
        f1 = self.problem.value(x1)
        if not np.all(np.isfinite(f1 * f1)):
            return x1, f1, -np.inf
        actual, rows, before, after = changed(p.f, f1)
        if rows >= self.rows:
            self.rows, self.live, self.after = rows, before, after
        else:
            self.after = self.live - actual
        return x1, f1, actual

    def bent(self, p: Point, trial: Trial) -> Vector | None:
        """The step v + a/2; None when the bend is too strong to be trusted."""
        wanted = (
            self.options.acceleration is not False
            and self.problem.f_vv
            and not self.newton
            and not trial.clipped
        )
        if not wanted or (trial.damping == 0 and self.bend < 0.02):
            return trial.v
        f_vv = self.problem.f_vv(p.x, trial.v)  # type: ignore[misc]
        if not np.all(np.isfinite(f_vv)):
            return trial.v
        s = trial.spectrum
        push = Spectrum(
            s.w, np.where(s.c != 0, s.V.T @ ((p.J.T @ f_vv)[s.free] / self.D[s.free]), 0.0), s.V, s.free
        )
        t = push.step(trial.damping)
        self.bend = norm(t) / norm(trial.t)
        if self.bend > 0.75:
            return None
        v = trial.v.copy()
        v[s.free] += 0.5 * (s.V @ t) / self.D[s.free]
        inside = np.all((p.x + v >= self.lower) & (p.x + v <= self.upper))
        return v if inside else trial.v

    def adapt(self, trial: Trial, gain: float, actual: float) -> None:
        """Moré's rules for the radius after a finite trial."""
        size, slope = norm(trial.t), trial.slope
        if gain <= 0.25:
            worse = actual < -99 * self.live  # |f1| >= 10 |f|
            part = -slope / (2 * -slope - actual) if actual < 0 else 0.5
            shrink = 0.1 if worse or part < 0.1 else part
            self.radius = shrink * min(self.radius, 10 * size)
        elif gain >= 0.75 or trial.damping == 0:
            self.radius = 2 * size

    def advance(self, p: Point) -> Point | None:
        """Trials at one Jacobian until a step is accepted; None: the cost has no more to say."""
        S: Matrix | None = None
        switched = held_back = straight = False
        radius = self.radius
        for _ in range(60):
            if self.newton and S is None:
                S = self.second(p)
                self.newton = S is not None
            trial = propose(p, self.D, S if self.newton else None, self.radius, self.lower, self.upper)
            size = norm(trial.t)
            noise = EPS * np.sqrt(self.live) * p.terms  # of the cost; x itself counts as exact here
            if np.all(p.x + trial.v == p.x):
                if not held_back:
                    return None
                held_back, straight, self.radius = (
                    False,
                    True,
                    radius,
                )  # bends at the spacing of x mean nothing
                continue
            if trial.predicted <= 10 * noise:
                if not trial.clipped:
                    return None
                self.radius = 0.25 * min(size, self.radius)  # a step bent by the box may lead uphill
                continue
            v = trial.v if straight else self.bent(p, trial)
            if v is None:
                held_back = True
                self.radius = min(self.radius, size) * float(np.clip(0.75 / self.bend, 0.1, 0.5))
                continue
            if self.problem.nfev >= 4 * self.budget:
                self.exhausted = True
                return None
            first = self.problem.nfev == 1
            x1, f1, actual = self.try_step(p, v)
            if first:
                self.radius = min(self.radius, size)
            if actual == -np.inf:
                self.radius = 0.25 * min(size, self.radius)
                continue
            gain = actual / trial.predicted
            if not switched and self.may_switch(gain):
                if S is None:
                    S = self.second(p)
                other = reduction(p, v, None if self.newton else S)
                if S is not None and abs(other - actual) < abs(trial.predicted - actual):
                    self.newton = not self.newton
                    if gain < 1e-4:
                        switched = True
                        continue
            self.adapt(trial, gain, actual)
            if gain > 1e-4 and actual > 0:
                undamped, before = trial.damping == 0, p.model.explained()
                q = self.linearize(x1, f1)
                if q is None:
                    self.radius = 0.25 * min(size, self.radius)
                    continue
                self.live = self.after
                self.contraction = q.model.explained() / before if undamped and before > 0 else 1.0
                self.costs.append(0.5 * float(f1 @ f1))
                return q
        return None

    def may_switch(self, gain: float) -> bool:
        """Whether the last prediction was poor enough to ask the other model."""
        return self.newton or abs(gain - 1) > 0.25

    def second(self, p: Point) -> Matrix | None:
        if not self.options.newton or self.problem.hessian is None or p.x.size > NEWTON_LIMIT:
            return None
        S = self.problem.hessian(p.x, p.f)
        return S if np.all(np.isfinite(S)) else None

    def polish(self, p: Point) -> Point:
        """Undamped steps, each accepted when |Q1'f| falls: 6, or up to 30 while the end is not certified.

        With 100,000 residuals or more a certified end is left as it is: a step would be a pass over all data.
        """
        steps = 6 if p.f.size < 100_000 else 0
        slow = self.newton or self.contraction > 1e-3
        for k in range(30):
            close = self.offset(p) <= self.options.tolerance
            if (p.scaled_gradient() <= 1 and (close or k > 0)) or (k >= steps and close):
                break
            if self.problem.njev >= self.budget:
                break
            S = self.second(p) if slow else None
            trial = propose(p, self.D, S, np.inf, self.lower, self.upper)
            if S is not None and not np.isfinite(norm(trial.t)):  # no minimum
                S, trial = None, propose(p, self.D, None, np.inf, self.lower, self.upper)
            x1, f1, actual = self.try_step(p, trial.v)
            if not actual >= -1e-10 * self.live or np.all(x1 == p.x):
                break
            q = self.linearize(x1, f1)
            if q is None:
                break
            contraction = q.model.explained() / p.model.explained()
            if contraction < 1:
                self.live, p = self.after, q
                self.costs.append(0.5 * float(f1 @ f1))
            slow = slow or contraction > 1e-3
            if contraction >= 1 or (contraction > 0.5 and (S is not None or self.certified(p))):
                break
        return p


def minimize(
    residuals: Callable[[Vector], Vector],
    jacobian: Callable[[Vector], Matrix],
    x0: Vector,
    lower: Vector | float = -np.inf,
    upper: Vector | float = np.inf,
    options: Options | None = None,
    f_vv: Callable[[Vector, Vector], Vector] | None = None,
    hessian: Callable[[Vector, Vector], Matrix] | None = None,
    size: Vector | float = 0.0,
) -> Outcome:
    """Minimize ``sum(residuals(x)**2)`` for ``lower <= x <= upper``.

    ``jacobian(x)`` (m, n); ``f_vv(x, v)`` (m,) second derivative along v; ``hessian(x, f)`` (n, n) is
    ``sum f_i H_i``; `size` is |y| in weighted units. The residuals must be finite at the start.
    """
    options = options or Options()
    x = np.clip(np.asarray(x0, float), lower, upper)
    low, high = np.broadcast_to(lower, x.shape), np.broadcast_to(upper, x.shape)
    problem = Problem(residuals, jacobian, f_vv, hessian, size)
    loop = Loop(problem, low, high, options, budget=options.max_evaluations or 100 * (x.size + 1))
    p = loop.linearize(x, problem.value(x))
    if p is None:
        raise ValueError("the Jacobian is not finite at the start")
    loop.live = float(p.f @ p.f)
    loop.radius = (options.radius_factor or 1.0) * norm(loop.D * loop.magnitude)
    while not loop.certified(p):
        if problem.njev >= loop.budget:
            loop.exhausted = True
            break
        q = loop.advance(p)
        if q is None:
            break
        p = q
    if options.polish:
        p = loop.polish(p)
    return conclude(loop, p)


def conclude(loop: Loop, p: Point) -> Outcome:
    """Rank and condition of the column-scaled Jacobian, and the status the certificate grants."""
    unit = p.R / np.where(p.norms > 0, p.norms, 1.0)
    s = np.linalg.svd(unit, compute_uv=False)
    rank = int(np.sum(s > max(p.f.size, p.x.size) * EPS * np.max(s, initial=0.0)))
    active = np.where(p.x <= loop.lower, -1, 1).astype(np.int8)
    active[p.free] = 0
    if loop.certified(p):
        bound = Status.CONVERGED_AT_BOUND if np.any(active) else Status.CONVERGED
        status = bound if rank == p.x.size else Status.NOT_UNIQUE
    else:
        status = Status.MAX_EVALUATIONS if loop.exhausted else Status.STALLED
    condition = float(s[0] / s[-1]) if s.size and s[-1] > 0 else np.inf
    return Outcome(p.x, p.f, status, loop.offset(p), p.scaled_gradient(), rank, condition, active,
                   loop.problem.nfev, loop.problem.njev, len(loop.costs), loop.costs)  # fmt: skip
