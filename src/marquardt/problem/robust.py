"""Losses by their names with a scale, for residuals of large problems: ``mq.Huber(1.0)``.

The scale c is where residuals begin to count less, in units of the (whitened) norm of an item's residuals.

>>> Huber(2.0)
Loss(name='huber', scale=2.0, alpha=None, formula=False)
"""

from __future__ import annotations

import math

from ..errors import OptionError
from .losses import Loss


def _scaled(name: str, scale: float, alpha: float | None = None) -> Loss:
    if not (scale > 0.0 and math.isfinite(scale)):
        raise OptionError(f"the scale of a loss must be above 0, not {scale!r}")
    return Loss(name, float(scale), alpha)


def Huber(scale: float = 1.0) -> Loss:
    """Squares within the scale, linear beyond (Huber 1964): one minimum, outliers pull with bounded force."""
    return _scaled("huber", scale)


def SoftL1(scale: float = 1.0) -> Loss:
    """``2 (√(1 + z) - 1)``: as Huber's, but smooth."""
    return _scaled("soft_l1", scale)


def Cauchy(scale: float = 1.0) -> Loss:
    """``log(1 + z)``: the pull of an outlier falls with its distance."""
    return _scaled("cauchy", scale)


def Arctan(scale: float = 1.0) -> Loss:
    """``arctan z``, as in SciPy: bounded."""
    return _scaled("arctan", scale)


def GemanMcClure(scale: float = 1.0) -> Loss:
    """``z / (1 + z)`` (Geman, McClure 1985): bounded."""
    return _scaled("geman_mcclure", scale)


def Tukey(scale: float = 1.0) -> Loss:
    """The biweight (Beaton, Tukey 1974), up to a factor: residuals beyond the scale do not count at all."""
    return _scaled("tukey", scale)


def Welsch(scale: float = 1.0) -> Loss:
    """``1 - exp(-z)`` (Dennis, Welsch 1978): bounded."""
    return _scaled("welsch", scale)


def Barron(alpha: float, scale: float = 1.0) -> Loss:
    """The family of Barron (2019): alpha = 1 soft L1, 0 Cauchy, -2 Geman-McClure, -inf Welsch."""
    if not alpha <= 2.0:
        raise OptionError(f"alpha = {alpha!r} must be at most 2 (squares)")
    return _scaled("barron", scale, float(alpha))


__all__ = ["Arctan", "Barron", "Cauchy", "GemanMcClure", "Huber", "SoftL1", "Tukey", "Welsch"]
