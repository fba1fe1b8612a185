"""A function whose arguments are expressions of other parameters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..expr.substitute import Substitution


@dataclass(frozen=True)
class Tied:
    """A function together with what its flat arguments are; `shapes` are those of its own arguments.

    Two of them are equal when the functions are the same and the expressions equal, so that the model made
    from one serves again.
    """

    function: Callable[..., Any]
    shapes: tuple[tuple[str, tuple[int, ...]], ...]
    put: Substitution

    @property
    def __name__(self) -> str:
        return getattr(self.function, "__name__", "the model")
