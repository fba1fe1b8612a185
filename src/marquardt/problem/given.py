"""A problem whose Jacobian the caller gives, and the comparison that tells whether it is right."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelError
from .callback import CallbackProblem

if TYPE_CHECKING:
    from .model import Model

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]


class GivenProblem(CallbackProblem):
    """Residuals of a function that is called back, with the caller's Jacobian ``given(x, *arguments)``."""

    def __init__(
        self, model: Model, arguments: Sequence[Any], values: Vector, given: Callable[[Vector], Any]
    ) -> None:
        super().__init__(model, arguments, None, None, values, tuple(range(values.size)))
        self.given = given

    def jacobian(self, x: Vector, f: Vector | None = None) -> Matrix:
        """The caller's Jacobian at `x`, shape (m, n), dense.

        Raises ModelError where it has another shape.
        """
        return dense_jacobian(self.given(x.copy()), self.size, x.size)


def dense_jacobian(J: Any, m: int, n: int) -> Matrix:
    """What a caller's function gave, as an (m, n) array.

    Raises ModelError where it has another shape.
    """
    if hasattr(J, "toarray"):  # a sparse matrix
        J = J.toarray()
    dense: Matrix = np.ascontiguousarray(np.atleast_2d(np.asarray(J, dtype=np.float64)))
    if dense.shape != (m, n):
        raise ModelError(
            f"jac gives an array of shape {dense.shape}: {m} residuals of {n} parameters need ({m}, {n})"
        )
    return dense


@dataclass(frozen=True)
class Wrong:
    """One entry of a Jacobian that differences of the residuals contradict."""

    row: int
    column: int
    given: float
    found: float


STEPS = (1e-4, 1e-5)
"""Steps of the differences, in units of the size of each parameter."""
FAR = 0.1
"""A step that shows whether residuals that do not change at all over the small ones are a staircase."""
OTHERS = (0.7, 1.3)
"""Factors of the steps with which a suspicion is confirmed."""
SURE = 10.0
"""An entry is wrong when it is off by so many times what makes the differences doubtful,"""
RELATIVE = 1e-6
"""and by this part of the entry and of the difference."""
EPS = float(np.finfo(float).eps)


def wrong_entries(
    residuals: Callable[[Vector], Vector], J: Matrix, x: Vector, f: Vector, lower: Vector, upper: Vector,
    magnitude: Vector,
) -> list[Wrong]:  # fmt: skip
    """The worst wrong entry of each wrong column of `J` at `x`, where the residuals are `f`.

    `magnitude` (n,) tells the sizes of the parameters, 0 where nothing is known.

    Four evaluations along one direction that moves every parameter decide whether there is anything to
    look for; only then each column gets four of its own. Of a smooth function central differences with two
    steps agree, and one-sided ones differ in proportion to the step; where noise, a kink or a jump spoils
    that they prove nothing, and nothing is said.
    """

    def inside(near: Vector) -> bool:
        return bool(np.all((lower <= near) & (near <= upper)))

    moves = _moves(J, x, f, lower, upper, magnitude)
    v = moves * _irregular(x.size)
    found = []
    with np.errstate(all="ignore"):
        if not _contradicted(residuals, J @ v, np.abs(J) @ np.abs(v), x, f, v, inside)[0].any():
            return []
        for j in np.flatnonzero(moves).tolist():
            v = np.zeros(x.size)
            v[j] = moves[j]
            claimed = J[:, j] * v[j]
            wrong, slope = _contradicted(residuals, claimed, np.abs(claimed), x, f, v, inside)
            for other in OTHERS:  # noise may agree with itself by chance, but not again and again
                if wrong.any():
                    scaled = other * claimed
                    wrong &= _contradicted(residuals, scaled, np.abs(scaled), x, f, other * v, inside)[0]
            if wrong.any():
                i = int(np.argmax(np.where(wrong, np.abs(slope - claimed), 0.0)))
                found.append(Wrong(i, j, float(J[i, j]), float(slope[i] / v[j])))
    return found


def _irregular(n: int) -> Vector:
    """Numbers between 0.5 and 1.5, the same each time, without pattern: errors do not cancel by chance."""
    golden = 0.6180339887498949
    return 0.5 + np.asarray(golden * np.arange(1, n + 1) % 1.0)


def _moves(J: Matrix, x: Vector, f: Vector, lower: Vector, upper: Vector, magnitude: Vector) -> Vector:
    """How far each parameter may move, and to which side: its magnitude, away from the nearer bound.

    A parameter of unknown magnitude moves by what would change f by itself.
    """
    with np.errstate(all="ignore"):
        reach = np.linalg.norm(f) / np.linalg.norm(J, axis=0)
    reach = np.where(np.isfinite(reach) & (reach > 0.0), np.minimum(reach, 1.0), 1.0)
    size = np.where(magnitude > 0.0, magnitude, reach)
    width = upper - lower
    side = np.where(upper - x < x - lower, -1.0, 1.0)
    return side * np.where(width > 0.0, np.minimum(size, 0.5 * width), 0.0)


def _contradicted(
    residuals: Callable[[Vector], Vector], claimed: Vector, scale: Vector, x: Vector, f: Vector, v: Vector,
    inside: Callable[[Vector], bool],
) -> tuple[NDArray[np.bool_], Vector]:  # fmt: skip
    """Rows where the slope `claimed` along `v` cannot be that of the residuals, and their slope.

    `scale` is the size of the terms of which the claim is the sum.
    """
    slope, doubt = _slope(residuals, x, f, v, inside)
    off = np.abs(slope - claimed)
    wrong = np.isfinite(doubt) & (off > SURE * doubt + RELATIVE * np.maximum(scale, np.abs(slope)))
    still = wrong & (slope == 0.0)
    if still.any():  # constant, or a staircase that is level just here
        wrong &= ~(still & (residuals(x + FAR * v) != f))
    return wrong, slope


def _slope(
    residuals: Callable[[Vector], Vector], x: Vector, f: Vector, v: Vector, inside: Callable[[Vector], bool]
) -> tuple[Vector, Vector]:
    """Derivative of the residuals along `v`, and its doubt: truncation, noise, kinks."""
    ahead = [(residuals(x + h * v) - f) / h for h in STEPS]
    rounding = 4.0 * EPS * np.abs(f) / STEPS[1]
    if not inside(x - STEPS[0] * v):  # to one side only: extrapolated
        slope = (STEPS[0] * ahead[1] - STEPS[1] * ahead[0]) / (STEPS[0] - STEPS[1])
        return slope, np.abs(ahead[0] - ahead[1]) + rounding
    behind = [(f - residuals(x - h * v)) / h for h in STEPS]
    central = [(a + b) / 2.0 for a, b in zip(ahead, behind, strict=True)]
    bend = [(a - b) / h for a, b, h in zip(ahead, behind, STEPS, strict=True)]
    return central[1], np.abs(central[0] - central[1]) + STEPS[1] * np.abs(bend[0] - bend[1]) + rounding


def wrong_jacobian(wrong: Sequence[Wrong], names: Sequence[str]) -> str:
    """Which columns are wrong, each with its worst row.

    >>> wrong_jacobian([Wrong(3, 0, 2.0, -2.0)], ["x[0]"])
    'the column of x[0] disagrees with differences of the residuals (row 3: 2 given, -2 found)'
    """
    columns = [
        f"{names[w.column]} (row {w.row}: {w.given:.6g} given, {w.found:.6g} found)" for w in wrong[:4]
    ]
    more = f" and {len(wrong) - 4} more" if len(wrong) > 4 else ""
    if len(wrong) == 1:
        name, place = columns[0].split(" ", 1)
        return f"the column of {name} disagrees with differences of the residuals {place}"
    return f"columns disagree with differences of the residuals: {', '.join(columns)}{more}"
