"""What a vanishing gradient does not tell: is the end a minimum, is what looks flat really flat, does a
parameter run away? Asked once, at the end; a lower point found on the way is where the search goes on."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..errors import Status
from .reference_state import Loop
from .reference_step import EPS, Matrix, Point, Rule, Spectrum, Trial, Vector, norm, propose

DIFFERENCES_LIMIT = 8  # parameters up to which a Hessian is worked out by differences, in doubt
MANY = 200_000  # residuals from which on the Hessian is asked for in doubt only
FLAT = 1e-9  # an eigenvalue above minus this part of the largest is zero to rounding
UNMOVED = 1e-8  # a search that lowered rss by less than this part has hardly left its start
INEXACT = 1e-8  # error of a Jacobian from differences, as a part of its columns
ESCAPES = 3  # saddles left at most
REAL = 10.0  # reductions are real above so many rounding errors of the cost
SILENT, HARDLY_HEARD = 1e3, 1e6  # rounding errors that hide an effect, at a certified end and elsewhere
FAR, GROWN = 1e3, 10.0  # times the start value: far away, and far away where nothing reacts


class Rank(NamedTuple):
    """Of the Jacobian with columns scaled to length one."""

    rank: int
    condition: float
    null_vectors: Matrix  # rows: combinations of the scaled parameters that leave the residuals unchanged


def rank_of(p: Point) -> Rank:
    unit = p.R / np.where(p.norms > 0, p.norms, 1.0)
    _, s, Vt = np.linalg.svd(unit)
    null = s <= p.threshold * np.max(s, initial=0.0)
    condition = float(s[0] / s[-1]) if s.size and s[-1] > 0 else np.inf
    return Rank(int(np.sum(~null)), condition, Vt[null])


def look_around(loop: Loop, p: Point) -> Point | None:
    """A lower point near the end, where the method goes on from it; what is found is noted in `p`."""
    if p.x.size == 0 or loop.reason == "budget":
        return None
    if not loop.certified(p) and not newton_has_arrived(loop, p):
        return far_away(loop, p)
    null, accepted = rank_of(p).null_vectors, any(row.verdict == "go" for row in loop.trace)
    # A gradient of rounding errors at the start may be followed by steps of rounding errors.
    unmoved = not accepted or loop.first_live - loop.live <= UNMOVED * loop.first_live
    doubtful = null.size > 0 or unmoved
    if not doubtful and p.f.size >= MANY:
        return None
    S = loop.hessian(p)
    if S is None and doubtful:
        S = p.S = hessian_by_differences(loop, p)
    if S is not None:
        curvature, direction = lowest_curvature(p, S)
        p.strict = curvature > FLAT
        found = downhill(loop, p, direction) if curvature < -FLAT else None
        if found is not None:
            return escape(loop, p, found, direction)
    if null.size == 0 or p.strict or runaway(loop, p):
        return None
    p.jumps = jumps_along(loop, p, null)
    if p.jumps:
        return None
    q = far_away(loop, p)
    if q is None and not p.lost:
        find_lost_together(loop, p, null)
    return q


class Lower(NamedTuple):
    """A point with a cost that is really lower."""

    v: Vector
    x: Vector
    f: Vector
    actual: float


def lower(loop: Loop, p: Point, v: Vector, noise: float) -> Lower | None:
    x1, f1, actual = loop.evaluate(p, p.x + v)
    return Lower(v, x1, f1, actual) if actual > REAL * noise else None


def escape(loop: Loop, p: Point, found: Lower, direction: Vector | None) -> Point | None:
    """Go on from a lower point, if the method does so; else note what was found."""
    goes_on = loop.method.escapes and loop.escapes < ESCAPES and loop.problem.njev < loop.budget
    trial = Trial(found.v, loop.D * found.v, 0.0, 0.0, 0.0, p.model, False)
    row = loop.row(p, trial, "escape")
    q = loop.linearize(found.x, found.f) if goes_on else None
    if q is None:
        p.descent = direction
        return None
    loop.live, loop.contraction, loop.reason = loop.after, 1.0, "certified"
    loop.escapes += 1
    loop.record(row, "go", found.f, found.actual)
    loop.restart(q)
    return q


def downhill(loop: Loop, p: Point, direction: Vector) -> Lower | None:
    """A lower point along +-direction, from the step that changes the residuals by their own size inwards.

    By the size of those that have moved; if they vanish, of all: what bends here may not have moved yet.
    """
    rss = loop.rss(p.f)
    for squares in (loop.live, rss) if loop.live < 0.5 * rss else (loop.live,):
        for length in np.sqrt(squares) * 10.0 ** -np.arange(10):
            for sign in (1, -1):
                found = lower(loop, p, sign * length * direction, loop.noise(p))
                if found is not None:
                    return found
    return None


def newton_has_arrived(loop: Loop, p: Point) -> bool:
    """Whether Newton's step proves a minimum where the residuals are stationary themselves (x^2 + 1 at 0).

    J knows no direction there, but the Hessian is positive definite, and the step below the rounding of x.
    """
    S = loop.hessian(p)
    if S is None or lowest_curvature(p, S)[0] <= FLAT:
        return False
    trial = propose(p, loop.D, S, Rule(Spectrum.within), np.inf, loop.box)
    p.arrived = norm(trial.t) <= 4 * EPS * loop.reach
    return p.arrived


def lowest_curvature(p: Point, S: Matrix) -> tuple[float, Vector]:
    """Smallest eigenvalue of C^-1 (J'J + S) C^-1, C = |J_j|, as a part of the largest; and its eigenvector
    in units of x."""
    own, direction = np.sqrt(np.abs(np.diag(S))), np.zeros_like(p.x)
    if p.free.size == 0:
        return 1.0, direction
    scale = np.where(p.norms > 0, p.norms, np.where(own > 0, own, 1.0))  # S for what J does not know
    w, V = np.linalg.eigh(((p.R.T @ p.R + S) / np.outer(scale, scale))[np.ix_(p.free, p.free)])
    direction[p.free] = V[:, 0] / scale[p.free]
    return float(w[0] / (np.max(np.abs(w)) or 1.0)), direction


def hessian_by_differences(loop: Loop, p: Point) -> Matrix | None:
    """sum f_i H_i from second differences of the residuals; None where they are not to be had."""
    n = p.x.size
    if n > DIFFERENCES_LIMIT:
        return None
    h = np.diag(EPS**0.25 * loop.magnitude)
    bent = np.array([[bend_along(loop, p, h[j] + (h[k] if k < j else 0)) if k <= j else 0.0 for k in range(n)]
                     for j in range(n)])  # fmt: skip
    alone = np.diag(bent)
    mixed = 0.5 * np.tril(bent - alone[:, None] - alone, -1)
    S: Matrix = (mixed + mixed.T + np.diag(alone)) / np.outer(np.diag(h), np.diag(h))
    S = loop.problem.cost.hessian(S, p.J, p.f)
    return S if np.all(np.isfinite(S)) else None


def bend_along(loop: Loop, p: Point, v: Vector) -> float:
    """f'(f(x + v) - 2 f(x) + f(x - v)); not finite where a bound is in the way."""
    total = 0.0
    for sign in (1, -1):
        x1, f1 = loop.probe(p, p.x + sign * v)
        total += float(loop.problem.cost.slopes(p.f) @ (f1 - p.f)) if np.all(x1 == p.x + sign * v) else np.nan
    return total


def jumps_along(loop: Loop, p: Point, null: Matrix) -> bool:
    """Whether the residuals change in steps along what the Jacobian calls flat.

    A smooth function changes there with the square of the step: by 100 between these two."""
    flat = np.sum(null, axis=0) / np.where(p.norms > 0, p.norms, loop.D)
    flat *= loop.reach / norm(loop.D * flat)
    far, near = (norm(loop.probe(p, p.x + part * flat)[1] - p.f) for part in (0.1, 0.01))
    # Flat to ten digits only, where J comes from differences.
    least = noise(p) + INEXACT * norm(p.norms * 0.01 * flat)
    smooth = far >= 20 * near if near > least else far <= max(1e-3 * max(p.terms, norm(p.f)), 20 * least)
    return not smooth


def noise(p: Point) -> float:
    """A change of the residuals that rounding errors can feign."""
    return 100 * EPS * max(p.noise, norm(p.f))


def far_away(loop: Loop, p: Point) -> Point | None:
    """A lower point where a parameter without effect here is much smaller or larger.

    If there is none, but the residuals change, the parameter has run out of the reach of the data.
    """
    for j in (int(j) for j in p.free if is_silent(loop, p, j)):
        own = np.zeros_like(p.x)
        own[j] = np.copysign(loop.magnitude[j], p.x[j])
        heard = False
        for factor in (0.1, 10.0, 0.01, 100.0):
            found = lower(loop, p, (factor - 1) * own, max(loop.noise(p), EPS * loop.live))
            if found is not None:
                p.lost.append(j)
                return escape(loop, p, found, None)
            heard = heard or norm(loop.problem.last - p.f) > noise(p)
        if heard:
            p.lost.append(j)
    return None


def find_lost_together(loop: Loop, p: Point, null: Matrix) -> None:
    """Parameters that have grown together until only a combination of them is felt.

    Going back along the flat direction changes the residuals both in a straight line and in proportion; where
    the data leave a + b or a b open, one of the two changes nothing.
    """
    usable = (p.x != 0) & (p.norms > 0)
    for direction in null:
        parts = np.where(usable, direction / np.where(usable, p.norms * p.x, 1.0), 0.0)
        leading = parts[np.argmax(np.abs(parts))]
        if leading == 0:
            continue
        parts /= leading
        members = np.flatnonzero(np.abs(parts) >= 0.3)
        if np.all(np.abs(p.x[members]) >= GROWN * loop.first[members]) and any(
            all(norm(loop.probe(p, p.x + v)[1] - p.f) > noise(p) for v in ways)
            for ways in ((p.x * (f - 1) * parts, p.x * (f**parts - 1)) for f in (0.1, 0.01))
        ):
            p.lost = sorted({*p.lost, *map(int, members)})  # several flat directions may share one


def is_silent(loop: Loop, p: Point, j: int, roundings: float = SILENT) -> bool:
    """Whether a change of parameter j by its own size would be lost in so many rounding errors.

    Residuals that are not told what they are a difference of seem exact when they vanish: then their size at
    the start is the measure.
    """
    untold = p.terms <= 2.02 * norm(p.f)
    size = max(p.terms, np.sqrt(loop.first_live)) if untold else p.terms
    return bool(p.norms[j] * loop.magnitude[j] <= roundings * EPS * size)


def runaway(loop: Loop, p: Point) -> list[int]:
    """Parameters that head for infinity: much larger than at the start, and hardly felt any more."""
    growth = np.abs(p.x) / loop.first
    if p.lost or not np.any(growth[p.free] >= GROWN):
        return p.lost
    roundings = SILENT if loop.certified(p) else HARDLY_HEARD
    alone = [int(j) for j in p.free if growth[j] >= GROWN and is_silent(loop, p, j, roundings)]
    if alone or loop.offset(p) <= loop.options.tolerance:
        return alone
    return [j for j in runaway_together(loop, p) if growth[j] >= GROWN]


def runaway_together(loop: Loop, p: Point) -> list[int]:
    """A combination that hardly matters any more, one member far away, with the cost falling outwards."""
    _, s, Vt = np.linalg.svd(p.R[:, p.free] * p.x[p.free], full_matrices=False)
    zero = p.threshold * np.max(s, initial=0.0)
    for weights in Vt[(s > zero) & (s <= np.sqrt(loop.live) / FAR)]:
        members = p.free[np.abs(weights) >= 0.3 * np.max(np.abs(weights))]
        outwards = p.gradient[members] @ p.x[members]
        if outwards <= 0 and np.any(np.abs(p.x[members]) >= FAR * loop.first[members]):
            return [int(j) for j in members]
    return []


def is_lost_in_underflow(loop: Loop, p: Point) -> bool:
    """The squares of the residuals are zero already at the start, the residuals are not."""
    started = any(row.verdict == "go" for row in loop.trace)
    return not started and bool(loop.rss(p.f) < np.finfo(float).tiny and np.any(p.f))


def status_of(loop: Loop, p: Point, rank: int) -> Status:
    """What the certificate and the look around grant."""
    if runaway(loop, p):
        return Status.RUNAWAY
    if not loop.certified(p) or is_lost_in_underflow(loop, p):
        return Status.MAX_EVALUATIONS if loop.reason == "budget" else Status.STALLED
    if p.descent is not None:
        return Status.NOT_A_MINIMUM
    if p.jumps:
        return Status.STALLED
    if rank < p.x.size and not p.strict:
        return Status.NOT_UNIQUE
    return Status.CONVERGED if p.free.size == p.x.size else Status.CONVERGED_AT_BOUND
