"""What a picture of a fit to complex data shows, in numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import MarquardtError
from .series import MANY, grid_over, outlier_positions, residual_name

if TYPE_CHECKING:
    from ..curve.result import FitResult

Complex = NDArray[Any]

MOSTLY = 0.9
"""With so large a part of the imaginary parts below zero their axis points down, as for impedances."""


@dataclass(frozen=True)
class Part:
    """The real, or the imaginary part of all there is to see."""

    name: str
    data: NDArray[Any]
    line: NDArray[Any]
    lower: NDArray[Any] | None
    upper: NDArray[Any] | None
    sigma: NDArray[Any] | None
    residuals: NDArray[Any]


@dataclass(frozen=True)
class Plane:
    """Complex data and curve, against the independent variable, or the row where there are several."""

    x: NDArray[Any]
    x_name: str
    log_x: bool
    z: Complex
    z_name: str
    line_x: NDArray[Any]
    line: Complex
    band: tuple[Complex, Complex] | None
    sigma: Complex | None
    """Standard deviations of both parts, as the parts of complex numbers."""
    residuals: Complex
    residual_name: str
    outliers: NDArray[np.intp]
    flipped: bool
    """Is the imaginary part shown with the other sign?"""

    @property
    def many(self) -> bool:
        return self.z.size > MANY

    @property
    def names(self) -> tuple[str, str]:
        """Names of the two axes of the complex plane."""
        return f"Re {self.z_name}", f"{'-' * self.flipped}Im {self.z_name}"

    def parts(self) -> Iterator[Part]:
        """The real, then the imaginary part; the latter as it is, whatever the plane shows."""
        for name, of in (("Re", np.real), ("Im", np.imag)):
            lower, upper = (None, None) if self.band is None else (of(self.band[0]), of(self.band[1]))
            sigma = None if self.sigma is None else of(self.sigma)
            yield Part(
                f"{name} {self.z_name}", of(self.z), of(self.line), lower, upper, sigma, of(self.residuals)
            )

    def imaginary(self, z: Complex) -> NDArray[Any]:
        """The imaginary part as the complex plane shows it."""
        return np.asarray(-z.imag if self.flipped else z.imag)


def plane(fit: FitResult, level: float = 0.95) -> Plane:
    """Data, curve with its band, and residuals ``data - model`` of a fit to complex data."""
    z = fit.observed.ravel()
    x, x_name = fit.single_x
    name = fit.label(fit.response_name)
    seen = z.imag[z.imag != 0.0]
    flipped = bool(seen.size and np.mean(seen < 0.0) >= MOSTLY)
    residuals = -(fit.residuals[: z.size] + 1j * fit.residuals[z.size :])
    rest = _sigma(fit, z.size), residuals, residual_name(fit), outlier_positions(fit), flipped
    if x is None or x.size != z.size:
        rows = np.arange(z.size) if fit.rows is None else fit.rows
        return Plane(rows, "row", False, z, name, rows, _at_data(fit, z), None, *rest)
    grid, log_x = grid_over(x)
    try:
        line = np.broadcast_to(fit.predict(grid), grid.shape)
        band = fit.band(grid, level)
    except (MarquardtError, ArithmeticError, ValueError, TypeError, IndexError):
        order = np.argsort(x, kind="stable")  # the model holds for the data it was given only
        return Plane(x, fit.label(x_name), log_x, z, name, x[order], _at_data(fit, z)[order], None, *rest)
    seen = (band.lower, band.upper) if np.isfinite(band.lower).all() else None
    return Plane(x, fit.label(x_name), log_x, z, name, grid, line, seen, *rest)


def _at_data(fit: FitResult, z: Complex) -> Complex:
    return np.broadcast_to(fit.predict().ravel(), z.shape)


def _sigma(fit: FitResult, n: int) -> Complex | None:
    if fit.sigma is None:
        return None
    return fit.sigma[:n] + 1j * fit.sigma[-n:]  # one per point serves both parts
