"""Estimates of single parameters, and the table that holds them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ..errors import suggestion


@dataclass(frozen=True)
class Parameter:
    """One fitted (or fixed) parameter."""

    name: str
    value: float
    stderr: float
    """Standard error: 0 when fixed, infinite when not determined, NaN when held at its bound."""
    start: float
    """NaN when the start value was found, not given."""
    lower: float
    upper: float
    fixed: bool
    at_bound: int
    """-1 held at the lower bound, 1 at the upper one, 0 neither."""
    dof: float | None
    """Degrees of freedom of its interval; None with known standard deviations."""
    pull: float = 0.0
    """Derivative of the cost by a parameter at its bound (the multiplier of the bound): positive at a lower
    one, negative at an upper one; 0 where none can be told from rounding and noise."""
    expression: str = ""
    """What it is, for a tied parameter or another expression of the fitted ones."""

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Confidence interval ``value ± t * stderr`` (normal quantile with known sigma).

        The linear approximation: symmetric, and not cut at bounds.
        """
        if self.fixed:
            return self.value, self.value
        from ..stats import interval

        return interval(self.value, self.stderr, level, self.dof)

    @property
    def relative_error(self) -> float:
        """``stderr / |value|``; infinite for an estimate of zero."""
        if self.fixed:
            return 0.0
        return self.stderr / abs(self.value) if self.value else math.inf

    def __str__(self) -> str:
        tied = f" = {self.expression}" if self.expression not in ("", self.name) else ""
        shown = f"{self.name}{tied} = {self.value:.6g}"
        if self.at_bound:
            return f"{shown} (at its {'lower' if self.at_bound < 0 else 'upper'} bound)"
        return shown + ("" if self.fixed else f" ± {self.stderr:.2g}")


class ParameterTable(Mapping[str, Parameter]):
    """The parameters by name, in the order of the model."""

    def __init__(self, rows: tuple[Parameter, ...]) -> None:
        self._rows = {row.name: row for row in rows}

    def __getitem__(self, name: str) -> Parameter:
        try:
            return self._rows[name]
        except KeyError:
            raise KeyError(f"no parameter {name!r}{suggestion(name, self._rows)}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def __repr__(self) -> str:
        return "\n".join(str(row) for row in self._rows.values())
