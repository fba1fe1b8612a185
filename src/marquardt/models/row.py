"""What the package knows of a built-in model."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Values = Sequence[float]
"""One value for each parameter, in the order of the function's arguments."""
Start = Callable[..., list[Values]]
"""``start(x, ..., y)``: guesses of the parameters, best first; none where the data allow none."""


@dataclass(frozen=True)
class Row:
    """A model: the function, how its parameters are guessed, and its formula as `mq.fit` reads it."""

    function: Callable[..., Any]
    start: Start
    formula: str
    n_x: int = 1
    """How many of the first arguments are independent variables."""
    many_minima: bool = False
    """The fit from the guesses is not enough: a search may find a lower minimum."""

    @property
    def name(self) -> str:
        return str(self.function.__name__)

    @cached_property
    def arguments(self) -> tuple[str, ...]:
        return tuple(inspect.signature(self.function).parameters)

    @property
    def parameters(self) -> tuple[str, ...]:
        return self.arguments[self.n_x :]

    @property
    def about(self) -> str:
        """What the first sentence of the documentation says, without its formula."""
        first = (inspect.getdoc(self.function) or "").split("\n")[0]
        return re.split(r"(?:[:,] )?``|\.$", first)[0] + "."
