"""One step of the reference loop: a quadratic model of rss, and its minimizer in trust region and box."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]
Indices = NDArray[np.intp]

EPS = float(np.finfo(float).eps)


@dataclass
class Point:
    """A point with its linearization: ``[J f] = Q [R z; 0 rho]``."""

    x: Vector
    f: Vector
    J: Matrix
    R: Matrix
    z: Vector
    gradient: Vector
    norms: Vector  # of the columns of J
    rounding: Vector  # what rounding errors can do to the gradient, in units of eps
    free: Indices  # parameters not held at a bound by the gradient
    model: Spectrum  # Gauss-Newton's
    terms: float  # size of the terms whose difference the residuals are, over the rows that depend on x
    explained: float = 0.0  # |Q1'f| over the free parameters
    S: Matrix | None = None  # sum f_i H_i, once asked for
    descent: Vector | None = None  # along which the cost falls although the gradient vanishes
    jumps: bool = False  # the residuals change in steps where J says that they do not change
    lost: list[int] = field(default_factory=list)  # without effect here, but with one elsewhere
    strict: bool = False  # the full Hessian is positive definite
    arrived: bool = False  # Newton's step is as small as rounding errors of x

    @property
    def noise(self) -> float:
        """What rounding errors can do to the residuals, in units of eps."""
        return per_column(self.rounding, self.norms)

    @property
    def threshold(self) -> float:
        """Numerical zero beside a largest singular value of 1."""
        return max(self.f.size, self.x.size) * EPS

    def scaled_gradient(self) -> float:
        """``max |g_j| / (eps rounding_j)`` over the free parameters."""
        g, floor = np.abs(self.gradient[self.free]), EPS * self.rounding[self.free]
        return float(np.max(np.where(g > 0, g / np.where(floor > 0, floor, np.inf), 0.0), initial=0.0))


@dataclass
class Spectrum:
    """A quadratic model, diagonal over the parameters `free`: ``rss + sum(2 c t + w t^2)``, ``D v = V t``."""

    w: Vector
    c: Vector
    V: Matrix
    free: Indices

    def step(self, damping: float) -> Vector:
        """t = -c / (w + damping), 0 where the model knows nothing."""
        return np.where(self.c != 0, -self.c / np.where(self.c != 0, self.w + damping, 1.0), 0.0)

    def explained(self) -> float:
        """|Q1'f|, for Gauss-Newton."""
        return float(np.sqrt(np.sum(self.c * -self.step(0.0))))

    def within(self, radius: float) -> tuple[Vector, float]:
        """Minimizer in ``|t| <= radius`` to a tenth of the radius, and its damping (Moré 1978)."""
        lowest = float(np.min(self.w))
        low = max(0.0, -lowest)
        if lowest >= 0:
            t = self.step(0.0)
            size = norm(t)
            if size <= 1.1 * radius:
                return t, 0.0
            low = (size - radius) * size / float(np.sum(t**2 / np.where(t != 0, self.w, 1.0)))
        largest = float(np.max(np.abs(self.c))) or 1.0  # c^2 may overflow
        high = largest * norm(self.c / largest) / radius + max(0.0, -lowest)
        if lowest < 0:
            low += 1e-10 * float(np.max(np.abs(self.w), initial=0.0))
            t = self.step(low)
            if norm(t) < radius:  # the hard case: go on along the lowest eigenvector
                k = int(np.argmin(self.w))
                t[k] += np.copysign(np.sqrt(radius**2 - norm(t) ** 2), t[k])
                return t, low
        damping = max(low, 1e-3 * high)  # from below: |t| is convex in the damping
        for _ in range(10):
            t = self.step(damping)
            size = norm(t)
            if abs(size - radius) <= 0.1 * radius:
                break
            low, high = (max(low, damping), high) if size > radius else (low, min(high, damping))
            slope = float(np.sum(t**2 / np.where(t != 0, self.w + damping, 1.0))) / size
            damping = max(low, damping + (size - radius) / slope * size / radius)
        return t, damping


def gauss_newton(p: Point, D: Vector, free: Indices, moved: Vector) -> Spectrum:
    """Model ``J'J`` over the parameters `free`, the others moved; from the singular values of ``R D^-1``."""
    U, s, Vt = np.linalg.svd(p.R[:, free] / D[free], full_matrices=False)
    known = s > p.threshold * np.max(s, initial=0.0)
    c = s * (U.T @ (p.z + p.R @ moved))
    return Spectrum(np.where(known, s**2, 0.0), np.where(known, c, 0.0), Vt.T, free)


def newton(p: Point, S: Matrix, D: Vector, free: Indices, moved: Vector) -> Spectrum:
    """Model ``J'J + S``, ``S = sum f_i H_i``, over the parameters `free`, the others moved."""
    A, Sv = p.R[:, free] / D[free], S @ moved
    w, V = np.linalg.eigh(A.T @ A + S[np.ix_(free, free)] / np.outer(D[free], D[free]))
    return Spectrum(w, V.T @ (A.T @ (p.z + p.R @ moved) + Sv[free] / D[free]), V, free)


def reduction(p: Point, v: Vector, S: Matrix | None) -> float:
    """Reduction of rss predicted by the model ``J'J`` (+ S) for the step `v`."""
    Rv = p.R @ v
    return float(-(2 * p.z @ Rv + Rv @ Rv + (0.0 if S is None else v @ S @ v)))


@dataclass(frozen=True)
class Rule:
    """How a model and a limit make a step: ``t, damping``."""

    step: Callable[[Spectrum, float], tuple[Vector, float]]
    damped: bool = True
    """Steps are ``-(w + damping)^-1 c`` for some damping."""


class Box(NamedTuple):
    lower: Vector
    upper: Vector

    def leaves(self, x: Vector) -> NDArray[np.bool_]:
        return (x < self.lower) | (x > self.upper)


@dataclass
class Trial:
    """A step `v` of a model with its prediction."""

    v: Vector
    t: Vector
    damping: float
    predicted: float
    slope: float
    spectrum: Spectrum
    clipped: bool


def propose(p: Point, D: Vector, S: Matrix | None, rule: Rule, limit: float, box: Box) -> Trial:
    """The step of a rule in the box: what leaves the box is set to its bound, the rest solved again."""

    def model(free: Indices, moved: Vector) -> Spectrum:
        return gauss_newton(p, D, free, moved) if S is None else newton(p, S, D, free, moved)

    v, clipped = np.zeros_like(p.x), False
    spectrum = p.model if S is None else model(p.free, v)
    t, damping = rule.step(spectrum, limit)
    while True:
        free = spectrum.free
        v[free] = spectrum.V @ t / D[free]
        out = box.leaves(p.x + v)
        if not np.any(out[free]):
            break
        clipped = True
        v[out] = np.clip(p.x + v, *box)[out] - p.x[out]
        free = free[~out[free]]
        if free.size == 0:
            break
        v[free] = 0.0
        spectrum = model(free, v)
        t = spectrum.step(damping) if rule.damped else rule.step(spectrum, limit)[0]
    if clipped:
        return Trial(v, D * v, damping, reduction(p, v, S), float(p.gradient @ v), spectrum, True)
    slope = float(np.sum(spectrum.c * t))
    curved = float(np.sum(t**2 * (spectrum.w + 2 * damping)))  # = -(2 c't + t'wt), without its cancellation
    predicted = curved if rule.damped else -float(np.sum(t * (2 * spectrum.c + spectrum.w * t)))
    return Trial(v, t, damping, predicted, slope, spectrum, False)


def per_column(sums: Vector, norms: Vector) -> float:
    return float(np.max(sums[norms > 0] / norms[norms > 0], initial=0.0))


def norm(v: Vector) -> float:
    return float(np.sqrt(v @ v))
