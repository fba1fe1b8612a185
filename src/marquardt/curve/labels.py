"""Which of several equal copies of an optimum is returned, for a traced model."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..expr.separable import linear_parameters
from .data import Data
from .model_rows import ModelRows
from .parameters import Parameters
from .symmetry import canonical

Vector = NDArray[np.float64]


class Labels:
    """Equal terms interchanged and free signs chosen so that the labels do not depend on chance."""

    def __init__(self, trace: Any, data: Data, parameters: Parameters) -> None:
        self.rows, self.box = ModelRows.of(trace, data), (parameters.lower, parameters.upper)
        linear = linear_parameters(self.rows.outputs)
        self.linear = [i for i in parameters.free if i in linear]
        self.others = [i for i in parameters.free if i not in linear]
        where = self.rows.ranges(len(parameters.names))
        self.phases = where.phases
        self.frequencies = where.frequencies
        self.periods = [i for i, found in where.frequencies.items() if found.inverse]

    def __call__(self, values: Vector) -> Vector:
        """The preferred copy of all parameters."""
        kinds = self.periods, self.phases
        return canonical(self.rows.evaluate, np.array(values), self.linear, self.others, *kinds, self.box)

    def aliased(self, values: Vector) -> bool:
        """Is a frequency beyond half the rate of sampling? Even points do not tell it from a lower one."""
        with np.errstate(divide="ignore"):
            return any(
                (1.0 / abs(values[i]) if found.inverse else abs(values[i])) > found.highest
                for i, found in self.frequencies.items()
            )
