"""Enzymes: Michaelis-Menten and its inhibitions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .grid import MOST, Vector, by_columns, magnitudes, scan, thin, tidy
from .row import Row, Values


def michaelis_menten(S: Any, Vmax: Any, Km: Any) -> Any:
    """Michaelis-Menten: ``Vmax*S/(Km + S)``.

    S : substrate. Vmax : rate at saturation. Km : substrate at half of it.

    Start: the best of a grid of Km around the substrate concentrations, Vmax by linear least squares.
    Source: Michaelis, Menten (1913).

    >>> michaelis_menten(2.0, 6.0, 2.0)
    3.0
    """
    return Vmax * S / (Km + S)


def start_michaelis_menten(S: Vector, y: Vector) -> list[Values]:
    S, y = tidy(S, y)
    found = scan(y, lambda k: (S / (k + S),), magnitudes(S, 60))
    return [(v, k) for (k,), (v,) in by_columns(found)]


def substrate_inhibition(S: Any, Vmax: Any, Km: Any, Ki: Any) -> Any:
    """Michaelis-Menten inhibited by its substrate: ``Vmax*S/(Km + S*(1 + S/Ki))``.

    Vmax, Km : as in `michaelis_menten`, without the inhibition. Ki : substrate that halves the rate at
    saturation.

    Start: the best of a grid of Km and Ki, Vmax by linear least squares. Source: Haldane (1930).

    >>> substrate_inhibition(2.0, 6.0, 2.0, 1.0)
    1.5
    """
    return Vmax * S / (Km + S * (1.0 + S / Ki))


def start_substrate_inhibition(S: Vector, y: Vector) -> list[Values]:
    S, y = tidy(S, y)
    found = scan(y, lambda k, i: (substrate_inhibition(S, 1.0, k, i),), magnitudes(S, 30), magnitudes(S, 30))
    return [(v, k, i) for (k, i), (v,) in by_columns(found)]


def competitive_inhibition(S: Any, I: Any, Vmax: Any, Km: Any, Ki: Any) -> Any:
    """Competitive inhibition: ``Vmax*S/(Km*(1 + I/Ki) + S)``; two independent variables.

    S : substrate. I : inhibitor. Vmax, Km : as in `michaelis_menten`. Ki : dissociation constant of the
    inhibitor.

    Start: the best of a grid of Km and Ki, Vmax by linear least squares. Source: Cornish-Bowden,
    Fundamentals of Enzyme Kinetics (2012).

    >>> competitive_inhibition(2.0, 1.0, 6.0, 2.0, 1.0)
    2.0
    """
    return Vmax * S / (Km * (1.0 + I / Ki) + S)


def uncompetitive_inhibition(S: Any, I: Any, Vmax: Any, Km: Any, Ki: Any) -> Any:
    """Uncompetitive inhibition: ``Vmax*S/(Km + S*(1 + I/Ki))``; two independent variables.

    S : substrate. I : inhibitor. Vmax, Km : as in `michaelis_menten`. Ki : dissociation constant of the
    inhibitor from the complex with the substrate.

    Start: the best of a grid of Km and Ki, Vmax by linear least squares. Source: as for
    `competitive_inhibition`.

    >>> uncompetitive_inhibition(2.0, 1.0, 6.0, 2.0, 1.0)
    2.0
    """
    return Vmax * S / (Km + S * (1.0 + I / Ki))


def noncompetitive_inhibition(S: Any, I: Any, Vmax: Any, Km: Any, Ki: Any) -> Any:
    """Noncompetitive inhibition: ``Vmax*S/((Km + S)*(1 + I/Ki))``; two independent variables.

    S : substrate. I : inhibitor. Vmax, Km : as in `michaelis_menten`. Ki : dissociation constant of the
    inhibitor.

    Start: the best of a grid of Km and Ki, Vmax by linear least squares. Source: as for
    `competitive_inhibition`.

    >>> noncompetitive_inhibition(2.0, 1.0, 6.0, 2.0, 1.0)
    1.5
    """
    return Vmax * S / ((Km + S) * (1.0 + I / Ki))


def mixed_inhibition(S: Any, I: Any, Vmax: Any, Km: Any, Kic: Any, Kiu: Any) -> Any:
    """Mixed inhibition: ``Vmax*S/(Km*(1 + I/Kic) + S*(1 + I/Kiu))``; two independent variables.

    S : substrate. I : inhibitor. Vmax, Km : as in `michaelis_menten`. Kic, Kiu : competitive and
    uncompetitive dissociation constants of the inhibitor.

    Start: the best of a grid of Km, Kic and Kiu, Vmax by linear least squares. Source: as for
    `competitive_inhibition`.

    >>> mixed_inhibition(2.0, 1.0, 6.0, 2.0, 1.0, 1.0)
    1.5
    """
    return Vmax * S / (Km * (1.0 + I / Kic) + S * (1.0 + I / Kiu))


def _start_of(shape: Callable[..., Any], constants: int, count: int) -> Callable[..., list[Values]]:
    """A grid of Km in the range of S, and of `constants` in the range of I."""

    def start(S: Vector, I: Vector, y: Vector) -> list[Values]:
        S, I, y = thin(MOST, S, I, y)
        grids = [magnitudes(S, count), *[magnitudes(I, count)] * constants]
        found = scan(y, lambda *k: (shape(S, I, 1.0, *k),), *grids)
        return [(*linear, *nonlinear) for nonlinear, linear in by_columns(found)]

    return start


def _inhibition(shape: Callable[..., Any], formula: str, constants: int = 1, count: int = 30) -> Row:
    return Row(shape, _start_of(shape, constants, count), formula, n_x=2)


ROWS = (
    Row(michaelis_menten, start_michaelis_menten, "Vmax*S/(Km + S)"),
    Row(substrate_inhibition, start_substrate_inhibition, "Vmax*S/(Km + S*(1 + S/Ki))"),
    _inhibition(competitive_inhibition, "Vmax*S/(Km*(1 + I/Ki) + S)"),
    _inhibition(uncompetitive_inhibition, "Vmax*S/(Km + S*(1 + I/Ki))"),
    _inhibition(noncompetitive_inhibition, "Vmax*S/((Km + S)*(1 + I/Ki))"),
    _inhibition(mixed_inhibition, "Vmax*S/(Km*(1 + I/Kic) + S*(1 + I/Kiu))", constants=2, count=12),
)
