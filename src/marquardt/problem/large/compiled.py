"""A large problem made ready: arrays of variables, families of residuals as programs, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ...errors import ParameterError, suggestion
from .manifolds import Manifold
from .program import Program

Values = NDArray[np.float64]
Mask = NDArray[np.bool_]
Index = NDArray[np.uint32]


class Motion(Protocol):
    """How values move by steps."""

    def __call__(self, x: Values, d: Values) -> Values: ...


class Callback(Protocol):
    """Residuals of a family that has no programs."""

    def value(self, values: Sequence[Values]) -> Values:
        """Residuals (n, rows)."""
        ...

    def linear(self, values: Sequence[Values]) -> tuple[Values, Values]:
        """Residuals (n, rows), and derivatives by the tangents of all slots (n, rows, tangents)."""
        ...


@dataclass(frozen=True, eq=False)
class Variables:
    """A family of variables: ``values`` (n, ambient), which components of a step are fixed, bounds."""

    name: str
    values: Values
    manifold: Manifold
    frozen: Mask
    lower: Values | None = None
    upper: Values | None = None

    @property
    def n(self) -> int:
        return len(self.values)

    @property
    def tangent(self) -> int:
        return self.manifold.tangent


@dataclass(frozen=True, eq=False)
class Family:
    """A family of residuals: ``rows`` numbers for each of its n items.

    A slot is the position of its variables and which of them each item takes. Inputs of the programs are the
    components of the values of slot 0, slot 1, ..., then the data columns; outputs of ``value`` are the
    residuals, those of ``linear`` the residuals, then row by row their derivatives by the tangents of slot 0,
    slot 1, ... Weights and square roots of information are part of both.
    """

    name: str
    n: int
    rows: int
    slots: tuple[tuple[int, Index], ...]
    columns: tuple[Values, ...]
    value: Program | None
    linear: Program | None
    loss: tuple[Any, ...] | None = None
    callback: Callback | None = None
    derivative: str = "exact (traced)"
    """How derivatives are made, in words."""
    sigma_known: bool = False
    """Are residuals in units of their standard deviation?"""


@dataclass(frozen=True, eq=False)
class Items:
    """Which variables each item of a family of residuals takes: ``slots`` as those of a `Family`."""

    slots: tuple[tuple[int, Index], ...]


@dataclass(frozen=True, eq=False)
class Outline:
    """What is known of a problem before its functions are traced."""

    variables: tuple[Variables, ...]
    families: tuple[Items, ...]


@dataclass(frozen=True, eq=False)
class Structure:
    """What stays when values change: systems that were analyzed for one set of values serve another."""

    sizes: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, eq=False)
class Compiled:
    """A problem to be solved any number of times: `Problem.compile` makes it.

    ``with_values`` starts elsewhere without a new trace or analysis.
    """

    variables: tuple[Variables, ...]
    families: tuple[Family, ...]
    motions: tuple[Motion, ...]
    structure: Structure = field(repr=False)

    def retract(self, values: Sequence[Values], deltas: Sequence[Values]) -> list[Values]:
        """Values after a step, family by family; unit vectors are brought back to length 1."""
        moved = zip(self.motions, values, deltas, strict=True)
        return [motion(x, np.reshape(d, (len(x), -1))) for motion, x, d in moved]

    @property
    def values(self) -> dict[str, Values]:
        """Start values by name."""
        return {v.name: v.values for v in self.variables}

    def with_values(self, values: Mapping[str, Any]) -> Compiled:
        """The same problem from other values, by name; those not named stay. Raises ParameterError."""
        names = [v.name for v in self.variables]
        variables = list(self.variables)
        for name, given in values.items():
            if name not in names:
                raise ParameterError(f"there are no variables {name!r}{suggestion(name, names)}")
            k = names.index(name)
            variables[k] = replace(variables[k], values=_checked(variables[k], given))
        return replace(self, variables=tuple(variables))

    def position(self, name: str) -> int:
        """Which of the families of variables has this name. Raises ParameterError."""
        names = [v.name for v in self.variables]
        if name not in names:
            raise ParameterError(f"there are no variables {name!r}{suggestion(name, names)}")
        return names.index(name)


def _checked(variables: Variables, given: Any) -> Values:
    from .variables import proper

    array = np.asarray(given, dtype=np.float64)
    if array.ndim == 1 and variables.n == 1:
        array = array[None, :]
    if array.shape != variables.values.shape:
        raise ParameterError(
            f"variables {variables.name!r} have shape {variables.values.shape}, "
            f"the values given {array.shape}"
        )
    return proper(variables.name, array, variables.manifold)
