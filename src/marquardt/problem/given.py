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
        J: Any = self.given(x.copy())
        if hasattr(J, "toarray"):  # a sparse matrix
            J = J.toarray()
        dense: Matrix = np.ascontiguousarray(np.atleast_2d(np.asarray(J, dtype=np.float64)))
        if dense.shape != (self.size, x.size):
            raise ModelError(
                f"jac gives an array of shape {dense.shape}: {self.size} residuals of {x.size} parameters "
                f"need ({self.size}, {x.size})"
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
SURE = 10.0
"""An entry is wrong when it is outside the range of all differences by so many times that range,"""
RELATIVE = 1e-3
"""and by this part of the entry and of the difference."""
EPS = float(np.finfo(float).eps)


def wrong_entries(
    residuals: Callable[[Vector], Vector], J: Matrix, x: Vector, f: Vector, lower: Vector, upper: Vector,
    magnitude: Vector,
) -> list[Wrong]:  # fmt: skip
    """The worst wrong entry of each wrong column of `J` at `x`, where the residuals are `f`.

    `magnitude` (n,) tells the sizes of the parameters, 0 where nothing is known.

    Four evaluations along one direction that moves every parameter decide whether there is anything to
    look for; only then each column gets four of its own. Differences to both sides with two steps agree for a
    smooth function; where noise, a kink or a jump keeps them apart they prove nothing, and nothing is said.
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
    slopes = [(residuals(x + h * v) - f) / h for s in STEPS for h in (s, -s) if h > 0.0 or inside(x + h * v)]
    table = np.stack(slopes)
    low, high, slope = table.min(axis=0), table.max(axis=0), np.median(table, axis=0)
    spread = high - low + 100.0 * EPS * np.abs(f) / STEPS[-1]
    outside = np.maximum(low - claimed, claimed - high)
    wrong = np.isfinite(high - low) & (outside > SURE * spread + RELATIVE * np.maximum(scale, np.abs(slope)))
    still = wrong & (high == 0.0) & (low == 0.0)
    if still.any():  # constant, or a staircase that is level just here
        wrong &= ~(still & (residuals(x + FAR * v) != f))
    return wrong, slope


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
