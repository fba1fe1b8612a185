"""Losses: what a residual costs, so that outliers do not decide.

The cost is ``1/2 Σ c² ρ((f/c)²)`` with the scale c, as in SciPy. One row per loss gives ρ, ρ' and ρ'' of the
squared residual z, with ρ(0) = 0 and ρ'(0) = 1; ``core/src/loss.rs`` has the same table.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import OptionError
from .loss_formula import VARIABLE, formula_loss

Vector = NDArray[np.float64]
Rho = Callable[[Vector], tuple[Vector, Vector, Vector]]

FLOOR = 0.1
"""The curvature of the model is at least this part of ρ'."""
EFFICIENCY = 0.95
"""Of the estimates, were the noise normal, at the scale in `Row.tuning`."""


class Row(NamedTuple):
    """One loss."""

    rho: Rho
    tuning: float
    """c in units of the noise at which 5 % of the efficiency is paid."""
    redescends: bool
    """Does the pull of an outlier fall with its distance? Then there may be several minima."""


def _huber(z: Vector) -> tuple[Vector, Vector, Vector]:
    far = np.maximum(z, 1.0)
    r = np.sqrt(far)
    inside = z <= 1.0
    return (
        np.where(inside, z, 2.0 * r - 1.0), np.where(inside, 1.0, 1.0 / r),
        np.where(inside, 0.0, -0.5 / (far * r)),
    )  # fmt: skip


def _soft_l1(z: Vector) -> tuple[Vector, Vector, Vector]:
    r = np.sqrt(1.0 + z)
    return 2.0 * z / (1.0 + r), 1.0 / r, -0.5 / (r * (1.0 + z))


def _cauchy(z: Vector) -> tuple[Vector, Vector, Vector]:
    return np.log1p(z), 1.0 / (1.0 + z), -1.0 / (1.0 + z) ** 2


def _arctan(z: Vector) -> tuple[Vector, Vector, Vector]:
    d = 1.0 + z**2
    return np.arctan(z), 1.0 / d, -2.0 * (z / d) / d


def _geman_mcclure(z: Vector) -> tuple[Vector, Vector, Vector]:
    d = 1.0 / (1.0 + z)
    return z * d, d**2, -2.0 * d**3


def _tukey(z: Vector) -> tuple[Vector, Vector, Vector]:
    z = np.minimum(z, 1.0)
    return z * (1.0 - z + z**2 / 3.0), (1.0 - z) ** 2, -2.0 * (1.0 - z)


def _welsch(z: Vector) -> tuple[Vector, Vector, Vector]:
    slope = np.exp(-z)
    return -np.expm1(-z), slope, -slope


def _barron(a: float) -> Rho:
    def rho(z: Vector) -> tuple[Vector, Vector, Vector]:
        if a == 2.0:
            return z, np.ones_like(z), np.zeros_like(z)
        if a == -math.inf:
            slope = np.exp(-z / 2.0)
            return -2.0 * np.expm1(-z / 2.0), slope, -slope / 2.0
        b = abs(a - 2.0)
        log = np.log1p(z / b)
        slope = np.exp((a / 2.0 - 1.0) * log)
        cost = b * log if a == 0.0 else 2.0 * b / a * np.expm1(a / 2.0 * log)
        return cost, slope, (a / 2.0 - 1.0) * slope / (z + b)

    return rho


LOSSES = {
    "huber": Row(_huber, 1.345, False),
    "soft_l1": Row(_soft_l1, 1.287, False),
    "cauchy": Row(_cauchy, 2.385, True),
    "arctan": Row(_arctan, 2.571, True),
    "geman_mcclure": Row(_geman_mcclure, 3.787, True),
    "tukey": Row(_tukey, 4.685, True),
    "welsch": Row(_welsch, 2.985, True),
}
"""Huber (1964) · soft L1 · Cauchy · arctan (as in SciPy) · Geman, McClure (1985) · Tukey's biweight
(Beaton, Tukey 1974) · Welsch (Dennis, Welsch 1978). ``barron(alpha)`` is the family of Barron (2019)."""


@dataclass(frozen=True)
class Loss:
    """A loss by name, with its scale c in units of the (weighted) residuals.

    >>> Loss("huber", 1.0).cost(np.array([0.5, 3.0]))
    2.625
    """

    name: str
    scale: float = 1.0
    alpha: float | None = None
    """The shape of ``barron``: 1 soft L1, 0 Cauchy, -2 Geman-McClure, -inf Welsch."""
    formula: bool = False
    """Is the name a formula of z?"""

    @property
    def row(self) -> Row:
        if self.formula:
            return _by_formula(self.name)
        return LOSSES[self.name] if self.alpha is None else _family(self.alpha)

    @property
    def title(self) -> str:
        return self.name if self.alpha is None else f"{self.name}({self.alpha:g})"

    def at_scale(self, scale: float) -> Loss:
        return replace(self, scale=scale)

    def cost(self, f: Vector) -> float:
        """``1/2 Σ c² ρ((f/c)²)``."""
        return 0.5 * float((self.scale**2 * self.row.rho((f / self.scale) ** 2)[0]).sum())

    def slopes(self, f: Vector) -> Vector:
        """Derivative of the cost by each residual, ρ' f, shape (m,)."""
        return self.weights(f) * f

    def weights(self, f: Vector) -> Vector:
        """ρ' of each residual: 1 for one that counts in full, near 0 for an outlier; shape (m,)."""
        return self.row.rho((f / self.scale) ** 2)[1]

    def curvatures(self, f: Vector) -> tuple[Vector, Vector]:
        """Half the second derivative of each term, ``ρ' + 2ρ''z``, and that of the model: at least 0.1 ρ'."""
        z = (f / self.scale) ** 2
        _, slope, bend = self.row.rho(z)
        exact = slope + np.where(bend == 0.0, 0.0, 2.0 * bend * z)
        return exact, np.maximum(exact, FLOOR * slope)

    def rows(self, pick: Any) -> Loss:
        """The same of some of the rows."""
        return self

    def native(self) -> tuple[Any, ...]:
        """As the core takes it."""
        if self.formula:
            return formula_loss(self.name).tape, self.scale
        return self.name, self.scale, self.alpha


@lru_cache(maxsize=32)
def _family(alpha: float) -> Row:
    rho = _barron(alpha)
    return Row(rho, tuning(rho) if alpha < 2.0 else 1.0, alpha < 1.0)


@lru_cache(maxsize=32)
def _by_formula(text: str) -> Row:
    loss = formula_loss(text)
    return Row(loss, tuning(loss), loss.redescends)


def tuning(rho: Rho, efficiency: float = EFFICIENCY) -> float:
    """The scale at which estimates have this efficiency, were the noise standard normal.

    The variance of an M-estimate is ``E ψ² / (E ψ')²`` with ``ψ(x) = ρ'((x/c)²) x`` (Huber 1964).

    >>> round(tuning(LOSSES["huber"].rho), 3)
    1.345
    """
    x = np.linspace(-10.0, 10.0, 40001)
    normal = np.exp(-(x**2) / 2.0)
    normal /= normal.sum()
    low, high = 0.05, 20.0
    for _ in range(50):
        c = math.sqrt(low * high)
        psi = rho((x / c) ** 2)[1] * x
        found = float((x * psi * normal).sum()) ** 2 / float((psi**2 * normal).sum())
        low, high = (c, high) if found < efficiency else (low, c)
    return math.sqrt(low * high)


def loss_of(given: Any) -> Loss | None:
    """``"huber"``, ``"barron(-2)"`` or a formula of z as a loss of scale 1; None for ``"linear"``.

    Raises OptionError listing what there is, or saying why a formula is no loss.

    >>> loss_of("barron(-2)").alpha, loss_of("linear")
    (-2.0, None)
    """
    if isinstance(given, str):
        name, _, rest = given.strip().partition("(")
        if name == "linear" and not rest:
            return None
        if name in LOSSES and not rest:
            return Loss(name)
        if name == "barron" and rest.endswith(")"):
            return _barron_of(rest[:-1], given)
        if VARIABLE.search(given):
            return Loss(formula_loss(given).text, formula=True)
    formula = "a formula of the squared residual such as '2*(sqrt(1 + z) - 1)'"
    known = ", ".join(("'linear'", *(repr(name) for name in LOSSES), f"'barron(alpha)', or {formula}"))
    raise OptionError(f"loss = {given!r} is unknown; there are {known}")


def _barron_of(text: str, given: str) -> Loss:
    try:
        alpha = float(text)
    except ValueError:
        alpha = math.nan
    if not alpha <= 2.0:
        raise OptionError(f"loss = {given!r}: alpha must be a number of at most 2 (squares), or -inf")
    return Loss("barron", alpha=alpha)


def noise(f: Vector, n_params: float) -> float:
    """Standard deviation of the good part of residuals (m,): ``1.4826 median |f| sqrt(m / (m - p))``.

    Up to half of the residuals may be wild. The factor makes up for the p parameters that were fitted: of 10
    normal residuals after 2 the mean is then 1.04, of 50 after 3 1.00 (without it 0.93 and 0.97).

    >>> noise(np.array([0.1, -0.2, 0.3, 99.0, -0.2]), 0)
    0.29652
    """
    left = f.size - n_params
    if f.size == 0 or left <= 0:
        return math.nan
    return 1.4826 * float(np.median(np.abs(f))) * math.sqrt(f.size / left)


FAR = 6.0
"""Residuals beyond so many noises do not count in the second estimate."""


def good_noise(f: Vector, n_params: float) -> float:
    """The noise once more, from all residuals that are not far: half as uncertain as `noise`.

    The square root of the biweight midvariance (Mosteller, Tukey 1977) about zero, times
    ``sqrt(m / (m - p))``: ``m Σ f² (1 - u)⁴ / (Σ (1 - u)(1 - 5u))²`` with ``u = (f / (6 noise))² < 1``. Of 40
    normal residuals it is known to 12 % where the median tells 18 %; with 30 % outliers it is 1.3 times too
    large, the median 1.6 times.

    >>> round(good_noise(np.array([0.1, -0.2, 0.3, 99.0, -0.2]), 0), 3)
    0.249
    """
    left = f.size - n_params
    s = noise(f, 0.0)
    if not s > 0.0 or left <= 0:
        return noise(f, n_params)
    u = (f / (FAR * s)) ** 2
    near = u < 1.0
    u = u[near]
    total = float((f[near] ** 2 * (1.0 - u) ** 4).sum())
    shape = float(((1.0 - u) * (1.0 - 5.0 * u)).sum())
    return math.sqrt(f.size * total * f.size / left) / abs(shape)
