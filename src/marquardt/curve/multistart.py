"""``fit.multistart``: what was done to find a start that nobody gave, and what else was found."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..errors import Status

SAME_COST = 1e-6
"""Costs that differ by less than this part of them are equal."""


@dataclass(frozen=True)
class Optimum:
    """An end of one or more starts."""

    cost: float
    params: dict[str, float]
    reached: int
    """Starts that ended here. Starts given up on the way are not counted, so it may be more."""
    status: Status


@dataclass(frozen=True)
class SearchRange:
    """Where a parameter was looked for: `low` to `high` in the way that `kind` says.

    ``size``: by magnitude, of both signs · ``location``: among the data · ``frequency``, ``period``: most at
    the peaks of the spectrum of the data · ``phase`` · ``bounds``: those given · ``linear``: follows from
    the others by linear least squares · ``start``: as given.
    """

    kind: str
    low: float
    high: float


@dataclass(frozen=True)
class Multistart:
    """The search for a start: prints as a table of the optima found and the ranges looked at.

    >>> import marquardt as mq, numpy as np
    >>> t = np.linspace(0, 10, 50)
    >>> fit = mq.fit("y ~ a*sin(w*t)", data={"t": t, "y": np.sin(7.3 * t)})
    >>> fit.multistart.rounds, round(abs(fit.multistart.optima[0].params["w"]), 6)
    (1, 7.3)
    """

    candidates: int
    """Points at which the model was evaluated to choose the starts."""
    starts: int
    """Points from which a minimization set out."""
    rounds: int
    optima: tuple[Optimum, ...]
    """Distinct ends, lowest cost first. The same curve with terms exchanged is the same."""
    expected: float
    """How many optima as low as twice the best cost are expected in all, those not seen included:
    ``w (n - 1)/(n - w - 2)`` where n starts found w (Boender, Rinnooy Kan 1987)."""
    ranges: dict[str, SearchRange] = field(repr=False)
    n_points: int
    """Points of the data that took part: many are searched in part."""
    rule: str
    """The built-in model whose start rule led to the best; empty where a search did."""
    time: float
    """Seconds."""

    @property
    def reached(self) -> int:
        """Starts that ended at the best optimum, as far as they were followed."""
        return self.optima[0].reached if self.optima else 0

    @property
    def rivals(self) -> tuple[Optimum, ...]:
        """Other optima whose cost is equal to the one chosen, or lower but not certified."""
        return tuple(o for o in self.optima[1:] if o.cost <= self.optima[0].cost * (1.0 + SAME_COST))

    @property
    def unseen(self) -> float:
        """Optima expected beside those found; see `expected`."""
        return self.expected - len(self.competitive)

    @property
    def competitive(self) -> tuple[Optimum, ...]:
        """Optima of at most twice the best cost."""
        return competitive(self.optima)

    def __repr__(self) -> str:
        from ..report.multistart import text

        return text(self)

    def _repr_html_(self) -> str:
        from ..report.multistart import html

        return html(self)


def competitive(optima: tuple[Optimum, ...]) -> tuple[Optimum, ...]:
    """Those of at most twice the lowest cost, lowest first."""
    return tuple(o for o in optima if o.cost <= 2.0 * optima[0].cost)


def expected_optima(starts: int, found: int) -> float:
    """How many optima there are when `starts` random starts found `found` of them: the posterior mean.

    ``w (n - 1)/(n - w - 2)``, all numbers and sizes of basins being equally likely beforehand (Boender,
    Rinnooy Kan 1987, Mathematical Programming 37). Infinite where starts are too few to tell.

    >>> expected_optima(32, 2)
    2.2142857142857144
    """
    return found * (starts - 1) / (starts - found - 2) if starts > found + 2 else float("inf")
