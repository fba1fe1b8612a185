"""The minimizer's loop in plain NumPy: the executable explanation of `core/src/minimize`.

Minimize ``rss = f'f`` over a box. Each round builds a quadratic model of rss in scaled parameters ``D v``,
either Gauss-Newton (``J'J``) or Newton (``J'J + sum f_i H_i``), takes a step by the method's rule, within the
method's limit, and judges it by ``gain = actual / predicted`` reduction: move and widen the limit, or stay
and tighten it.

Unless another method is asked for, the step is the model's minimizer in ``|D v| <= radius`` (Moré 1978), bent
by the geodesic acceleration (Transtrum, Sethna 2012); what counts as the end is the relative offset (Bates,
Watts 1981). The other methods are rows of the table in `reference_methods`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import Status
from ..options import Options
from ..problem.likelihood import Likelihood
from ..problem.losses import Loss
from .reference_cost import cost_of
from .reference_methods import ACCEPT, Free, Judged
from .reference_projected import Projected
from .reference_state import Loop, Problem, Row
from .reference_step import EPS, Box, Matrix, Point, Rule, Spectrum, Trial, Vector, norm, propose, reduction
from .reference_verdict import look_around, rank_of, runaway, status_of

MAX_TRIALS = 60  # at one Jacobian
BEND_LIMIT, STRAIGHT = 0.75, 0.02  # acceleration / step: too much, and not worth asking for
ATTEMPTS: tuple[dict[str, Any], ...] = ({"radius_factor": 0.003}, {"radius_factor": 0.001, "scaling": "mix"})
SLOW = 1e-3  # undamped steps that leave more of |Q1'f| call for the exact Hessian,
NEAR = 0.01  # before the polish at a smaller relative offset
SHORT = 1.0  # no parameter is projected out where the undamped step is at most this part of |D s|
WILD = 0.5  # where parameters are projected out, no first step with a gain ratio further from 1 is taken
CLOSE = 1e-3  # a stall with a smaller offset is near a minimum: another attempt would end there too


@dataclass
class Round:
    """What is remembered from trial to trial at one Jacobian."""

    before: Free  # the control it began with
    switched: bool = False  # the other model was given its chance
    held_back: bool = False  # the last proposal bent too much
    straight: bool = False  # from now on none is bent


def advance(loop: Loop, p: Point) -> Point | None:
    """Trials at one Jacobian until a step is accepted; None: the search ends here, for a `reason`."""
    round_ = Round(loop.control)
    loop.reason = "trials"
    for _ in range(MAX_TRIALS):
        trial = aim(loop, p, round_)
        if isinstance(trial, str):
            loop.reason = trial
            return None
        q = attempt(loop, p, round_, trial) if trial else None
        if q is not None:
            return q
        if trial and not loop.control.retreats:
            loop.reason = "diverged"
            return None
    return None


def aim(loop: Loop, p: Point, round_: Round) -> Trial | str | None:
    """A step worth an evaluation, None where the limit was tightened instead, or why the search is over."""
    S = loop.second(p) if wants_newton(loop, p) else None
    trial = loop.propose(p, S)
    if S is not None and not np.isfinite(norm(trial.t)):
        S, trial = None, loop.propose(p, None)  # its spectrum overflows
    loop.newton = S is not None
    if undamped_step_is_missing(loop, p):
        return "singular"
    if np.all(p.x + trial.v == p.x):
        if not round_.held_back:
            return "spacing"
        round_.held_back, round_.straight = False, True  # bends at the spacing of x mean nothing
        loop.control = round_.before
        return None
    if trial.predicted <= 10 * loop.noise(p) and ends_in_noise(loop):
        if not (trial.clipped and loop.control.retreats):
            return "noise"
        loop.control = loop.control.refused(norm(trial.t))  # a step bent by the box may lead uphill
        return None
    if not round_.straight and not bend(loop, p, trial):
        round_.held_back = True
        loop.record(loop.row(p, trial), "bends too much")
        loop.control = loop.control.bent(norm(trial.t), loop.bend)
        return None
    return "budget" if loop.problem.nfev >= 4 * loop.budget else trial


def attempt(loop: Loop, p: Point, round_: Round, trial: Trial) -> Point | None:
    """Evaluate the step, judge it by the gain ratio, and move or retreat."""
    row, first, size = loop.row(p, trial), loop.problem.nfev == 1, norm(trial.t)
    x1, f1, actual = loop.evaluate(p, p.x + trial.v)
    if first:
        loop.control = loop.control.tried_first(size)
    gain, q = actual / trial.predicted, None
    if first and loop.problem.projected and abs(gain - 1) > WILD:
        verdict = "too little gain"
        loop.control = loop.control.cut(0.1 * size)
    elif actual == -np.inf:
        verdict = "not finite"
        loop.control = loop.control.refused(size)
        loop.newton, loop.at_edge = loop.newton and not loop.problem.cost.edge, loop.problem.cost.edge
    elif not round_.switched and switches_model(loop, p, trial, actual):
        round_.switched, verdict = True, "other model"
    else:
        loop.control = loop.control.judged(Judged(gain, actual, loop.live, size, trial.slope, trial.damping))
        verdict = "too little gain" if actual > 0 else "uphill"
        if loop.control.accepts(gain, actual):
            q = arrive(loop, p, trial, x1, f1)
            verdict = "go" if q else "jacobian not finite"
            loop.control = loop.control if q else loop.control.refused(size)
    loop.record(row, verdict, f1, actual)
    return q


def ends_in_noise(loop: Loop) -> bool:
    """Where every step is taken, the cost has no say: the search goes on while the gradient falls."""
    falls = loop.contraction < 1 or loop.problem.njev == 1
    return loop.control.retreats or not falls


def wants_newton(loop: Loop, p: Point) -> bool:
    """In "auto" also where undamped steps converge slowly near the end."""
    if loop.method.newton is not None:
        return loop.method.newton
    if loop.at_edge:
        return False
    return loop.newton or (SLOW < loop.contraction < 1 and loop.offset(p) < NEAR)


def undamped_step_is_missing(loop: Loop, p: Point) -> bool:
    """The undamped method has no step where the data do not determine every parameter."""
    return loop.control.limit == np.inf and not loop.newton and bool(np.any(p.model.w == 0))


def bend(loop: Loop, p: Point, trial: Trial) -> bool:
    """Let the step be v + a/2, ``(J'J + damping D^2) a = -J'f_vv``; False where it bends too much."""
    f_vv_of, s = loop.problem.f_vv, trial.spectrum
    wanted = loop.method.accelerated and not loop.newton and not trial.clipped
    if f_vv_of is None or not wanted or (trial.damping == 0 and loop.bend < STRAIGHT):
        return True
    f_vv = loop.problem.cost.bends(p.f, f_vv_of(p.x, trial.v))
    if not np.all(np.isfinite(f_vv)):
        return True
    push = np.where(s.c != 0, s.V.T @ ((p.J.T @ f_vv)[s.free] / loop.D[s.free]), 0.0)
    t = Spectrum(s.w, push, s.V, s.free).step(trial.damping)
    loop.bend = norm(t) / norm(trial.t)
    loop.bent = loop.bend <= BEND_LIMIT or loop.control.retreats
    if loop.bend > BEND_LIMIT:
        return not loop.control.retreats
    v = trial.v.copy()
    v[s.free] += 0.5 * (s.V @ t) / loop.D[s.free]
    trial.v = trial.v if np.any(loop.box.leaves(p.x + v)) else v
    return True


def switches_model(loop: Loop, p: Point, trial: Trial, actual: float) -> bool:
    """Let the other model make the next step where it predicted this one better (as in NL2SOL).

    True where that replaces a step that failed."""
    gain = actual / trial.predicted
    if loop.method.newton is not None or loop.at_edge or (not loop.newton and abs(gain - 1) <= 0.25):
        return False  # the Hessian is asked for only after a poor prediction
    S = loop.second(p)
    if S is None:
        return False
    other = reduction(p, trial.v, None if loop.newton else S)
    better = abs(other - actual) < abs(trial.predicted - actual)
    loop.newton ^= better
    return better and gain < ACCEPT


def arrive(loop: Loop, p: Point, trial: Trial, x1: Vector, f1: Vector) -> Point | None:
    """The accepted point; None where its Jacobian is not finite."""
    undamped, before = trial.damping == 0, p.explained
    if loop.after > loop.live and (loop.lowest is None or loop.rss(p.f) < loop.rss(loop.lowest.f)):
        loop.lowest = p
    q = loop.linearize(x1, f1)
    if q is not None:
        loop.live = loop.after
        loop.contraction = q.explained / before if undamped and before > 0 else 1.0
    return q


def return_to_lowest(loop: Loop, p: Point) -> Point:
    """Back to the best point met, after a search that also went uphill: by more than rounding."""
    best, loop.lowest = loop.lowest, None
    if best is None or loop.rss(best.f) >= loop.rss(p.f) - 1e-10 * loop.live:
        return p
    x1, f1, _ = loop.evaluate(p, best.x)
    q = loop.linearize(x1, f1)
    loop.live = loop.after
    return q or p


def polish(loop: Loop, p: Point) -> Point:
    """Undamped steps, each accepted when |Q1'f| falls: 6, or up to 30 while the end is not certified.

    With 100,000 residuals or more a certified end is left as it is: a step would be a pass over all data.
    """
    steps = 6 if p.f.size < 100_000 else 0
    slow = loop.newton or loop.contraction > SLOW
    for k in range(30):
        close = loop.offset(p) <= loop.options.tolerance
        if (p.scaled_gradient() <= 1 and (close or k > 0)) or (k >= steps and close):
            break
        if loop.problem.njev >= loop.budget:
            break
        S = loop.second(p) if slow else None
        trial = undamped(loop, p, S)
        if S is not None and not np.isfinite(norm(trial.t)):  # no minimum
            S, trial = None, undamped(loop, p, None)
        row = loop.row(p, trial, "polish")
        x1, f1, actual = loop.evaluate(p, p.x + trial.v)
        if np.all(x1 == p.x):
            break
        if not actual >= -max(1e-10 * loop.live, EPS * np.sqrt(loop.live) * p.noise):
            loop.record(row, "uphill" if np.isfinite(actual) else "not finite", f1, actual)
            break
        q = loop.linearize(x1, f1)
        if q is None:
            loop.record(row, "jacobian not finite", f1, actual)
            break
        contraction = q.explained / p.explained if p.explained > 0 else np.inf
        loop.record(row, "go" if contraction < 1 else "gradient rose", f1, actual)
        if contraction < 1:
            loop.live, p = loop.after, q
        slow = slow or contraction > SLOW
        if contraction >= 1 or (contraction > 0.5 and (S is not None or loop.certified(p))):
            break
    return p


def undamped(loop: Loop, p: Point, S: Matrix | None) -> Trial:
    return propose(p, loop.D, S, Rule(Spectrum.within), np.inf, loop.box)


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
    linear: Sequence[int] = (),
    loss: Loss | Likelihood | None = None,
) -> Outcome:
    """Minimize ``sum(residuals(x)**2)`` for ``lower <= x <= upper``.

    ``jacobian(x)`` (m, n); ``f_vv(x, v)`` (m,) second derivative along v; ``hessian(x, f)`` (n, n) is
    ``sum f_i H_i``; `size` is |y| in weighted units. The residuals must be finite at the start. A search that
    stalls, runs away or loses parameters that had an effect at the start is begun again, more carefully; the
    lowest end is kept. The first search projects out
    the parameters `linear`, in which the residuals are affine together and which have no bounds. With `loss`
    that of the residuals is minimized, or the deviance of a likelihood.
    """
    options = options or Options()
    x = np.clip(np.asarray(x0, float), lower, upper)
    box = Box(np.broadcast_to(lower, x.shape), np.broadcast_to(upper, x.shape))
    problem = Problem(residuals, jacobian, f_vv, hessian, size, cost=cost_of(loss))
    best = search(problem, x, box, options, linear)
    turned = best.projected and len(linear) < x.size and any(x[j] * best.x[j] < 0 for j in linear)
    attempts = (*(({},) if turned else ()), *ATTEMPTS)
    whole: int | None = None
    for k, careful in enumerate(attempts if options.retry and options.method == "auto" and hessian else ()):
        left = options.max_evaluations and max(options.max_evaluations - problem.njev, 0)
        if left == 0:
            break
        if best.status is Status.NOT_UNIQUE and whole is None:
            start = Loop(problem, box, options).linearize(x, problem.value(x))
            whole = rank_of(start).rank if start else 0
        lost = best.status is Status.NOT_UNIQUE and whole is not None and whole > best.rank
        failed = best.status is Status.RUNAWAY or (best.status is Status.STALLED and best.offset > CLOSE)
        if not (failed or lost or (turned and k == 0)):
            break
        end = search(problem, x, box, replace(options, max_evaluations=left, **careful))
        best = end if end.cost < best.cost * (1 - 1e-10) else best
    return replace(best, nfev=problem.nfev, njev=problem.njev)


def search(problem: Problem, x: Vector, box: Box, options: Options, linear: Sequence[int] = ()) -> Outcome:
    loop = Loop(replace(problem, nfev=0, njev=0), box, options)
    loop.budget = options.max_evaluations or 100 * (x.size + 1)
    p = begin(loop, x)
    if linear and not is_near(loop, p):
        p = search_projected(loop, x, linear)
    while True:
        p = return_to_lowest(loop, descend(loop, p))
        if loop.method.polished:
            p = polish(loop, p)
        q = look_around(loop, p)
        if q is None:
            break
        p = q
    nfev, njev = loop.before
    problem.nfev, problem.njev = (
        problem.nfev + nfev + loop.problem.nfev,
        problem.njev + njev + loop.problem.njev,
    )
    return conclude(loop, p)


def begin(loop: Loop, x: Vector) -> Point:
    p = loop.linearize(x, loop.problem.value(x))
    if p is None:
        raise ValueError("the Jacobian is not finite at the start")
    loop.live = loop.rss(p.f)
    loop.restart(p)
    return p


def is_near(loop: Loop, p: Point) -> bool:
    """From where the undamped step is short, projection takes as many points."""
    return norm(undamped(loop, p, None).t) <= SHORT * loop.reach


def search_projected(loop: Loop, x: Vector, linear: Sequence[int]) -> Point:
    """Where a search without the parameters `linear` ends; the loop of all takes over what it knows."""
    projected = Projected(loop.problem, x, linear)
    inner = Loop(projected.problem, projected.without(loop.box), loop.options)
    inner.budget = loop.options.max_evaluations or 100 * (len(projected.others) + 1)
    start = begin(inner, x[projected.others])
    first = np.abs(projected.complete(start.x))
    p = descend(inner, start)
    if inner.method.polished and inner.reason != "budget":
        p = polish(inner, p)
    loop.D = np.zeros(0)  # scaled anew
    end = loop.linearize(projected.complete(p.x), p.f)
    assert end is not None
    loop.first = np.where(first > 0, first, loop.first)
    for name in ("rows", "live", "first_live", "trace"):
        setattr(loop, name, getattr(inner, name))
    loop.restart(end)
    loop.budget -= inner.problem.njev
    loop.before = inner.problem.nfev, inner.problem.njev
    loop.problem.nfev = loop.problem.njev = 0
    return end


def descend(loop: Loop, p: Point) -> Point:
    """Step, judge, move or retreat, until the end is certified or there is nothing left to do."""
    while not loop.certified(p):
        if loop.problem.njev >= loop.budget:
            loop.reason = "budget"
            return p
        q = advance(loop, p)
        if q is None:
            return p
        p = q
    return p


@dataclass
class Outcome:
    """Where the minimization ended; fields as in the core."""

    x: Vector
    f: Vector
    status: Status
    reason: str
    offset: float
    scaled_gradient: float
    rank: int
    condition: float
    active: NDArray[np.int8]
    descent: Vector | None
    runaway: list[int]
    escapes: int
    nfev: int
    njev: int
    projected: bool  # linear parameters were projected out on the way
    trace: list[Row]
    rss: float  # or the sum of the terms of another cost

    @property
    def cost(self) -> float:
        return 0.5 * self.rss


def conclude(loop: Loop, p: Point) -> Outcome:
    """The end point, and what it is worth."""
    rank = rank_of(p)
    active = np.where(p.x <= loop.box.lower, -1, 1).astype(np.int8)
    active[p.free] = 0
    status = status_of(loop, p, rank.rank)
    reason = "certified" if loop.certified(p) else loop.reason
    return Outcome(p.x, p.f, status, reason, loop.offset(p), p.scaled_gradient(), rank.rank, rank.condition,
                   active, p.descent, runaway(loop, p), loop.escapes, loop.problem.nfev, loop.problem.njev,
                   loop.before[0] > 0, loop.trace, loop.rss(p.f))  # fmt: skip
