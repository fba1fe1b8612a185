"""What the reference loop remembers: the problem, the scaling, the limits, and the record of its trials."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from ..options import Options
from .reference_cost import SQUARES, Squares
from .reference_methods import SCALINGS, Columns, Free, Method, chosen
from .reference_step import (
    EPS,
    Box,
    Matrix,
    Point,
    Spectrum,
    Trial,
    Vector,
    gauss_newton,
    norm,
    per_column,
    propose,
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
    last: Vector = field(default_factory=lambda: np.zeros(0))  # residuals
    projected: bool = False  # linear parameters were projected out
    cost: Squares = SQUARES
    rounding: Callable[[Vector], tuple[Vector, float]] | None = None  # where J does not tell it: sums, terms

    def value(self, x: Vector) -> Vector:
        self.nfev += 1
        self.last = self.residuals(x)
        return self.last


class Row(NamedTuple):
    """One trial step."""

    iteration: int  # which Jacobian, from 1
    cost: float
    trial_cost: float
    actual: float
    predicted: float
    damping: float
    radius: float
    step: float
    model: str
    verdict: str


def changed(cost: Squares, f: Vector, f1: Vector) -> tuple[float, int, float, float]:
    """Reduction of rss term by term, exact beside huge constants; how many rows changed, and their
    sums of terms before and after."""
    rows = f != f1
    actual = float(np.sum(cost.falls(f, f1)))
    before, after = (float(np.sum(cost.terms(g)[rows])) for g in (f, f1))
    return actual, int(np.sum(rows)), before, after


@dataclass
class Loop:
    """What the minimizer remembers from one Jacobian to the next."""

    problem: Problem
    box: Box
    options: Options
    method: Method = field(init=False)
    control: Free = field(init=False)
    budget: int = 0
    reason: str = "certified"  # what ended the search
    D: Vector = field(default_factory=lambda: np.zeros(0))
    magnitude: Vector = field(default_factory=lambda: np.zeros(0))  # running max of |x_j|
    first: Vector = field(default_factory=lambda: np.zeros(0))  # the magnitudes at the start
    columns: Vector = field(default_factory=lambda: np.zeros(0))  # running max of |J_j|
    f0: float = 0.0
    bend: float = np.inf  # last |D a| / |D v|
    bent: bool = False  # whether this trial is accelerated
    newton: bool = False
    rows: int = 0  # rows that depend on x, as far as seen
    live: float = 0.0  # their sum of squares
    after: float = 0.0  # `live` at the last trial
    first_live: float = 0.0  # of the start
    contraction: float = 1.0  # of |Q1'f| by the last undamped step
    lowest: Point | None = None  # of a method that also goes uphill
    escapes: int = 0
    at_edge: bool = False  # a trial went beyond the edge of the cost: no Newton steps from here on
    before: tuple[int, int] = (0, 0)  # residual and Jacobian evaluations of the search that led to the start
    trace: list[Row] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.method = chosen(self.options, exact=self.problem.hessian is not None)
        self.control = self.method.control or Free()

    def rss(self, f: Vector) -> float:
        """The sum of squares, or of the terms of another cost."""
        return float(np.sum(self.problem.cost.terms(f)))

    def scale(self, p: Point) -> None:
        """Start the scaling at the first point, or let it follow."""
        if self.D.size == 0:
            lower, upper = self.box
            self.f0 = norm(p.f)
            width = np.where(np.isfinite(upper - lower), upper - lower, 1.0)
            explained = norm(p.z)  # at a stationary start only rounding errors
            change = explained if explained > 1e3 * EPS * self.f0 else self.f0
            at_zero = np.where(p.norms > 0, change / np.where(p.norms > 0, p.norms, 1.0), width)
            self.magnitude = np.where(p.x != 0, np.abs(p.x), np.where(at_zero > 0, at_zero, 1.0))
            self.first, self.columns = self.magnitude, p.norms
        self.magnitude = np.maximum(self.magnitude, np.abs(p.x))
        self.columns = np.maximum(self.columns, p.norms)
        beside = 0.1 * self.f0 / self.magnitude
        self.D = SCALINGS[self.method.scaling](Columns(self.magnitude, self.columns, p.norms, beside))

    def linearize(self, x: Vector, f: Vector) -> Point | None:
        """The point with its Gauss-Newton model; None where the Jacobian is not finite."""
        self.problem.njev += 1
        J, n = self.problem.jacobian(x), x.size
        if not np.all(np.isfinite(J)):
            return None
        J, pulls, grows = self.problem.cost.rows(J, f)
        padded = np.vstack([np.column_stack([J, pulls]), np.zeros((n + 1, n + 1))])
        factor: Matrix = np.asarray(np.linalg.qr(padded, mode="r"))
        gradient, norms = J.T @ pulls, np.sqrt(np.sum(factor[:n, :n] ** 2, axis=0))
        rounding = np.abs(J).T @ ((np.abs(self.problem.size) + 2 * np.abs(f)) * grows)
        terms = per_column(rounding, norms)
        if self.problem.rounding is not None:
            rounding, terms = self.problem.rounding(x)
        # Where nothing is subtracted, x itself is known to eps only: that moves f by eps |J_k x_k|.
        rounding = np.maximum(rounding, norms * np.sum(norms * np.abs(x)))
        held = ((x <= self.box.lower) & (gradient >= 0)) | ((x >= self.box.upper) & (gradient <= 0))
        free, none = np.flatnonzero(~held), Spectrum(norms, norms, J, np.zeros(0, np.intp))
        p = Point(x, f, J, factor[:n, :n], factor[:n, n], gradient, norms, rounding, free, none, terms)
        self.scale(p)
        p.model = gauss_newton(p, self.D, free, np.zeros(n))
        # What counts as determined is decided with columns of length 1: D may differ much from the columns.
        unit = np.where(norms > 0, norms, 1.0)
        p.explained = gauss_newton(p, unit, free, np.zeros(n)).explained()
        return p

    @property
    def reach(self) -> float:
        """|D s|, s the sizes of x."""
        return norm(self.D * self.magnitude)

    def restart(self, p: Point) -> None:
        """Let the control begin at this point."""
        diagonal = float(np.max((p.norms / self.D) ** 2, initial=0.0))
        self.control = self.control.started(self.reach, diagonal)
        self.newton, self.bend = False, np.inf

    def offset(self, p: Point) -> float:
        """|Q1'f| over the free parameters, as a multiple of |Q2'f| over the rows that depend on x.

        Infinite until a first trial has shown which rows do."""
        if p.explained == 0 or self.rows == 0:
            return 0.0 if p.explained == 0 else np.inf
        rest = np.sqrt(max(self.live - p.explained**2, 0.0))
        return p.explained / float(max(rest, CERTIFIED * EPS * p.noise))

    def certified(self, p: Point) -> bool:
        small = self.offset(p) <= self.options.tolerance or self.is_zero_to_rounding(p)
        return (small or p.arrived) and bool(np.isfinite(self.rss(p.f)))

    def is_zero_to_rounding(self, p: Point) -> bool:
        """Every component of the gradient is below its rounding errors, and so is Q1'f: where columns nearly
        cancel, J'f may be lost in rounding errors while QR still sees a reduction."""
        if p.scaled_gradient() > CERTIFIED:
            return False
        noise = max(p.noise, float(np.sqrt(self.first_live)))
        s = np.linalg.svd(p.R / np.where(p.norms > 0, p.norms, 1.0), compute_uv=False)
        if s[-1] > 0:
            noise += s[0] / s[-1] * np.sqrt(self.live)
        return bool(p.explained <= CERTIFIED * EPS * noise)

    def noise(self, p: Point) -> float:
        """The reduction of rss that rounding errors of the residuals can feign; x itself counts as exact."""
        return float(EPS * np.sqrt(self.live) * p.terms)

    def propose(self, p: Point, S: Matrix | None) -> Trial:
        self.bent = False
        return propose(p, self.D, S, self.method.rule, self.control.limit, self.box)

    def evaluate(self, p: Point, x: Vector) -> tuple[Vector, Vector, float]:
        """The point in the box, its residuals and the actual reduction of rss (-inf where not finite)."""
        x1 = np.clip(x, *self.box)
        f1 = self.problem.value(x1)
        if not np.all(np.isfinite(f1 * f1)):
            return x1, f1, -np.inf
        actual, rows, before, after = changed(self.problem.cost, p.f, f1)
        if not np.isfinite(actual):
            return x1, f1, -np.inf
        if self.rows == 0:
            self.first_live = before
        if rows >= self.rows:
            self.rows, self.live, self.after = rows, before, after
        else:
            self.after = max(self.live - actual, after)  # rounding could make it negative
        return x1, f1, actual

    def probe(self, p: Point, x: Vector) -> tuple[Vector, Vector]:
        """The same off the path: what is known of the rows that depend on x stays as it is."""
        known = self.rows, self.first_live, self.live, self.after
        x1, f1, _ = self.evaluate(p, x)
        self.rows, self.first_live, self.live, self.after = known
        return x1, f1

    def second(self, p: Point) -> Matrix | None:
        """sum f_i H_i for steps, where the method uses it and it can be had."""
        return self.hessian(p) if self.method.newton is not False else None

    def hessian(self, p: Point) -> Matrix | None:
        if self.problem.hessian is None or p.x.size > NEWTON_LIMIT:
            return None
        if p.S is None:
            cost = self.problem.cost
            p.S = cost.hessian(self.problem.hessian(p.x, cost.slopes(p.f)), p.J, p.f)
        return p.S if np.all(np.isfinite(p.S)) else None

    def record(self, row: Row, verdict: str, f1: Vector | None = None, actual: float = np.nan) -> None:
        cost = np.nan if f1 is None else 0.5 * self.rss(f1)
        self.trace.append(row._replace(trial_cost=cost, actual=0.5 * actual, verdict=verdict))

    def row(self, p: Point, trial: Trial, model: str | None = None) -> Row:
        """What is known of a trial before it is evaluated."""
        usual = "newton" if self.newton else "accelerated" if self.bent else "gauss-newton"
        cost = 0.5 * self.rss(p.f)
        njev = self.before[1] + self.problem.njev
        return Row(njev, cost, np.nan, np.nan, 0.5 * trial.predicted, trial.damping, self.control.radius,
                   norm(trial.t), model or usual, "")  # fmt: skip
