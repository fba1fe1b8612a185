"""What a trace is when it is done: expressions in families of rows, with what they depend on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..graph import Graph, Node
from .context import Guard
from .fingerprint import Fingerprint
from .leaves import Column


@dataclass(frozen=True, slots=True)
class Family:
    """Rows that share expressions: ``outputs[j]`` at row i is the function's flat result at ``rows[j, i]``.

    ``node.value`` of a data leaf in the outputs indexes ``columns``.
    """

    outputs: tuple[Node, ...]
    columns: tuple[Column, ...]
    rows: NDArray[np.intp]

    @property
    def n_rows(self) -> int:
        return int(self.rows.shape[1])


@dataclass(frozen=True)
class Trace:
    """A function as expressions of its parameters and data columns."""

    graph: Graph
    families: tuple[Family, ...]
    param_names: tuple[str, ...]
    guards: tuple[Guard, ...]
    shape: tuple[int, ...]
    """Shape of the function's result."""
    complex: bool
    """Complex result: family rows then count the real parts first, the imaginary parts after them."""
    data_bound: bool
    """Values of the data were used (a branch, a sum over them): the trace holds for these data only."""
    fingerprint: Fingerprint
    form: tuple[Any, ...]
    contents: tuple[Any, ...] | None

    def fits(self, arguments: Sequence[Any]) -> bool:
        """Whether the trace holds for these arguments: same kinds and shapes, same contents if data-bound."""
        if tuple(map(form_of, arguments)) != self.form:
            return False
        return self.contents is None or all(
            a is b or _same(a, b) for a, b in zip(map(frozen_copy, arguments), self.contents, strict=True)
        )


@dataclass(frozen=True)
class Elements:
    """A function as one expression for each element of its result, in flat order.

    Data leaf k is component k of its parameters; what the function brought along are constants.
    """

    graph: Graph
    outputs: tuple[Node, ...]
    shape: tuple[int, ...]
    complex: bool
    """Complex result: the outputs are its real parts."""
    asked: tuple[str, ...]
    """Where values decided about a branch, in words."""
    fingerprint: Fingerprint


def form_of(value: Any) -> Any:
    """Kinds and shapes of an argument."""
    if isinstance(value, np.ndarray):
        return value.shape, value.dtype.kind
    if isinstance(value, (tuple, list)):
        return type(value), tuple(map(form_of, value))
    if isinstance(value, dict):
        return tuple((k, form_of(v)) for k, v in value.items())
    return type(value), np.shape(value)


def frozen_copy(value: Any) -> Any:
    """Contents to compare later."""
    if isinstance(value, (tuple, list)):
        return tuple(map(frozen_copy, value))
    if isinstance(value, dict):
        return tuple((k, frozen_copy(v)) for k, v in value.items())
    return np.array(value) if np.ndim(value) else value


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, tuple):
        return isinstance(b, tuple) and len(a) == len(b) and all(map(_same, a, b))
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and a.shape == b.shape and a.tobytes() == b.tobytes()
    return bool(a == b)
