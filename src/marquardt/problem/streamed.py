"""A problem whose rows are read again at every pass: nothing as long as the data is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelError
from .callback import REJECTS, native_loss, penalty_rows
from .programs import CorePrograms
from .source import Rows, Source, factors
from .sums import Packed
from .traced import LostTrace, TracedProblem
from .version import Version

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

MANY_ROWS = 1 << 62
"""Too many for columns of derived data."""


def can_stream(part: Any) -> bool:
    """Does the model, traced on some of the rows, hold for any others: row by row, in the core?"""
    if not isinstance(part, TracedProblem) or part.whitening is not None or part.spread:
        return False
    return all(_holds_anywhere(v) for v in part.model.versions) and part.model.in_core and _native(part)


def _native(part: TracedProblem) -> bool:
    programs = part.model.versions[0].programs(part.free, MANY_ROWS, True)
    return all(isinstance(p, CorePrograms) for p in programs)


def _holds_anywhere(version: Version) -> bool:
    return version.pointwise and not version.trace.data_bound


class StreamProblem:
    """Residuals ``(model - y) * w`` over all rows of a `source`; `part` is the same on a sample of them."""

    exact = True
    whitening = None

    def __init__(self, part: TracedProblem, source: Source) -> None:
        self.part, self.source, self.size = part, source, source.n_rows
        self.model, self.values, self.free = part.model, part.values, part.free
        self.loss, self.penalty = part.loss, part.penalty
        self.linear = part.linear

    @property
    def penalty_rows(self) -> Any:
        return penalty_rows(self.penalty)

    @property
    def native_loss(self) -> Any:
        """The loss as the core takes it, without data."""
        return native_loss(self.loss)

    def version_at(self, x: Vector) -> tuple[Any, list[int]]:
        """The programs that hold at `x`, and which of the arguments their columns are."""
        version = self.part.version(x)
        return self._programs(version).native, version.argument_of

    def _programs(self, version: Version) -> CorePrograms:
        made = version.programs(self.free, MANY_ROWS, True)[0]
        if not isinstance(made, CorePrograms) or not _holds_anywhere(version):
            raise ModelError(
                "on its way the model took a branch that cannot be worked out row by row in the core: "
                "long data need a model of each row alone; start nearer, or bound the parameters"
            )
        return made

    def packed(self) -> tuple[Packed, ...]:
        """The programs of every branch taken so far."""
        versions = self.model.versions
        return tuple(Packed.of(self._programs(v), v.argument_of) for v in versions)

    def retrace(self, x: Vector) -> Any:
        """The programs that hold at `x`, where none in use does; None where the model refuses `x`."""
        try:
            return self.version_at(x)
        except (ModelError, LostTrace):
            raise
        except REJECTS:
            return None

    def _columns(self, version: Version, rows: Rows) -> list[Any]:
        """The columns of a version in a block, as float64."""
        return [np.ascontiguousarray(rows.arguments[k], dtype=np.float64) for k in version.argument_of]

    def minimize(self, x0: Vector, lower: Vector, upper: Vector, options: Any, watch: Any) -> Any:
        """Run the core on this problem."""
        return self.source.minimize(self, x0, (lower, upper), options, watch)

    def sample(self, rows: int) -> TracedProblem:
        """The same problem on a sample of the rows, whatever their number."""
        return self.part

    def with_all_parameters(self) -> StreamProblem:
        """The same problem with no parameter projected out."""
        other = StreamProblem(self.part, self.source)
        other.linear = ()
        return other

    def each(
        self, x: Vector, of_block: Callable[[CorePrograms, Vector, list[Any], int], Any]
    ) -> Iterator[tuple[Any, Rows]]:
        """``of_block(programs, values, columns, n)`` and the rows, block after block."""
        version, values = self.part.version(x), self.part.full(x)
        programs = self._programs(version)
        for rows in self.source.blocks():
            yield of_block(programs, values, self._columns(version, rows), rows.y.size), rows

    def residual_blocks(self, x: Vector) -> Iterator[Vector]:
        """Weighted residuals of block after block."""
        for model, rows in self.each(x, lambda made, *block: made.value.run(*block)[0]):
            f = np.subtract(model, rows.y)
            w = factors(rows, self.source.says)
            yield f if w is None else f * w

    def residuals(self, x: Vector) -> Vector:
        """Weighted residuals of all rows, shape (m,): made anew, as long as the data."""
        f, at = np.empty(self.size), 0
        for part in self.residual_blocks(x):
            f[at : at + part.size] = part
            at += part.size
        return f

    def model_blocks(self, x: Vector) -> Iterator[Vector]:
        """Values of the model, block after block."""
        for model, rows in self.each(x, lambda made, *block: made.value.run(*block)[0]):
            yield np.broadcast_to(model, rows.y.shape)

    def argument_blocks(self) -> Iterator[tuple[Vector, ...]]:
        """The model's arguments as float64, block after block."""
        for rows in self.source.blocks():
            yield tuple(np.ascontiguousarray(a, dtype=np.float64) for a in rows.arguments)

    def jacobian(self, x: Vector, f: Vector | None = None) -> Matrix:
        """Jacobian of the residuals on the sample."""
        return self.part.jacobian(x)
