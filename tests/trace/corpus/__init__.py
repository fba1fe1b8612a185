"""Model functions as scientists write them, by construct: arguments, parameters, what to expect."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

ROWS: list[Row] = []


@dataclass
class Row:
    """A function with values to trace it at; ``refused`` names the construct if it cannot be traced."""

    function: Any
    arguments: list[Any]
    parameters: dict[str, Any]
    options: dict[str, Any] = field(default_factory=dict)
    refused: str | None = None

    @property
    def name(self) -> str:
        module = getattr(self.function, "__module__", "").split(".")[-1]
        return f"{module}.{getattr(self.function, '__name__', type(self.function).__name__)}"


def case(
    *arguments: Any, options: Any = None, refused: str | None = None, **parameters: Any
) -> Callable[..., Any]:
    """Add a function to the corpus."""

    def add(function: Any) -> Any:
        ROWS.append(Row(function, list(arguments), parameters, options or {}, refused))
        return function

    return add


X = np.linspace(0.1, 5.0, 41)
T = np.linspace(0.0, 10.0, 37)
