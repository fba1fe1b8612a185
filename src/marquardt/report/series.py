"""What a picture of a fit shows, in numbers: data, curve, band and residuals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import MarquardtError

if TYPE_CHECKING:
    from ..curve.result import FitResult

Vector = NDArray[Any]

MANY = 2000
"""Above this many points markers become dots and error bars are left out."""
GRID = 400


@dataclass(frozen=True)
class Series:
    """The data, a line through them and the residuals ``data - model``, all against one horizontal axis."""

    x: Vector
    y: Vector
    sigma: Vector | None
    x_name: str
    y_name: str
    line_x: Vector
    line_y: Vector
    line_name: str
    lower: Vector | None
    upper: Vector | None
    log_x: bool
    residuals: Vector
    residual_name: str
    outliers: NDArray[np.intp]
    """Positions of points to be marked: outliers of a robust fit."""

    @property
    def many(self) -> bool:
        return self.y.size > MANY

    def window(self, margin: float = 0.25) -> tuple[float, float]:
        """Limits of y from data and line: a band that runs away must not flatten them."""
        sigma = 0.0 if self.sigma is None else self.sigma
        both = np.concatenate([self.y - sigma, self.y + sigma, self.line_y])
        both = both[np.isfinite(both)]
        room = margin * (float(np.ptp(both)) or 1.0)
        return float(both.min()) - room, float(both.max()) + room


def series(fit: FitResult, level: float = 0.95) -> Series:
    """Against the independent variable; where there are several of them, observed against predicted."""
    seen = fit.sample
    y = as_rows(seen.observed)
    x, x_name = seen.single_x
    sigma = seen.sigma if seen.sigma is not None and seen.sigma.size == y.size else None
    name, y_name = residual_name(fit), fit.label(fit.response_name)
    residuals = -seen.residuals[: y.size]
    wild = outlier_positions(seen)
    if x is None or x.size != y.size:
        predicted = np.broadcast_to(as_rows(np.asarray(seen.predict())), y.shape)
        ends = np.array([min(predicted.min(), y.min()), max(predicted.max(), y.max())])
        return Series(
            predicted, y, sigma, f"predicted {y_name}", f"observed {y_name}",
            ends, ends, "observed = predicted", None, None, False, residuals, name, wild,
        )  # fmt: skip
    grid, log_x = grid_over(x)
    grid, curve, lower, upper = _curve(fit, x, grid, level)
    return Series(
        x, y, sigma, fit.label(x_name), y_name, grid, curve, "fit", lower, upper, log_x,
        residuals, name, wild,
    )  # fmt: skip


def residual_name(fit: FitResult) -> str:
    """What the residuals are, for an axis; a whitened one is what its row tells beyond those before it."""
    if fit.correlated:
        return "whitened residual"
    if fit.sigma is not None:
        return "residual / sigma"
    if fit.weighted:
        return "weighted residual"
    unit = fit.units.get(fit.response_name)
    return "residual" if unit is None else f"residual ({unit})"


def grid_over(x: Vector) -> tuple[Vector, bool]:
    """Points for a smooth curve over the data, and whether they are logarithmically spaced."""
    if np.all(x > 0) and x.max() > 1e3 * x.min():
        return np.geomspace(x.min(), x.max(), GRID), True
    return np.linspace(x.min(), x.max(), GRID), False


def outlier_positions(fit: FitResult) -> NDArray[np.intp]:
    """Positions of the outliers of a robust fit among the points used."""
    given = [] if fit.loss is None else [o.row for o in fit.outliers]
    return np.asarray(given if fit.rows is None else np.searchsorted(fit.rows, given), dtype=np.intp)


def _curve(
    fit: FitResult, x: Vector, grid: Vector, level: float
) -> tuple[Vector, Vector, Vector | None, Vector | None]:
    try:
        curve = np.broadcast_to(fit.predict(grid), grid.shape)
        lower, upper = fit.band(grid, level)
    except (MarquardtError, ArithmeticError, ValueError, TypeError, IndexError):
        # The model holds for the data it was given only (captured arrays): show it there.
        order = np.argsort(x, kind="stable")
        return x[order], fit.sample.predict().ravel()[order], None, None
    if np.isfinite(lower).all() and np.isfinite(upper).all():
        return grid, curve, lower, upper
    return grid, curve, None, None


def as_rows(y: Vector) -> Vector:
    """Flat; complex values as all real parts, then all imaginary parts."""
    return np.concatenate([y.real.ravel(), y.imag.ravel()]) if y.dtype.kind == "c" else y.ravel()
