"""One fit of data that lie elsewhere: workers sum up their rows, the sums are added in a tree.

All that the minimizer needs of long data are sums over the rows: the triangular factor R of [J f] (factors
of parts are stacked and factored again: Demmel, Grigori, Hoemmen, Langou 2012), the gradient J'f, what
rounding can do to it, and the reduction of the cost from one point to another. `RowSums` makes those of a
block of rows; it is small, can be pickled, and holds the model's programs instead of the function.

The seam for a cluster (``batch/dask.py``) has three parts. On the driver::

    from marquardt.curve.elsewhere import Elsewhere

    def total(work: RowSums, x, request) -> Sums:
        parts = [client.submit(sum_partition, work, x, request, part) for part in partitions]
        return tree(parts)                         # any tree, always the same one: `Sums.add` of two

    table = Elsewhere(sample=few_rows, n_rows=total_rows, total=total)
    fit = mq.fit("y ~ a*exp(-b*t)", data=table, start=...)

and on a worker, for a partition as a table of columns (a DataFrame, a mapping of arrays)::

    def sum_partition(work, x, request, table):
        return work.of_table(table, x, request)

`total` is called once per pass over the data with the same `work` (another one only where the model takes a
branch it has not taken before), so a cluster may keep it. The sums of a block are the same bits for any
number of threads; those of all rows depend on the blocks and on the shape of the tree, not on who did what.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..expr.tape import TapeSpec
from .programs import CorePrograms, core_tape

Vector = NDArray[np.float64]
Array = NDArray[Any]


class Request(NamedTuple):
    """What is to be summed up at a point; made by the core, handed on as it is."""

    kind: str
    """"compare", "some", "excess", "shortfall", "curvature", "hessian" or "beside"."""
    other: Sequence[float] | None
    """Another point (free parameters), or a direction."""
    picked: Sequence[int]
    """Positions of the parameters that [J f] is wanted by."""
    linearize: bool


class Sums(NamedTuple):
    """Sums over some rows: what is not asked for is empty or zero."""

    factor: Vector
    """R of [J f], (p + 1)², row after row."""
    gradient: Vector
    """J'f, (p,)."""
    rounding: Vector
    """What rounding errors can do to the gradient, in units of eps, (p,)."""
    scalars: Vector
    """Of the cost: its reduction, rows that changed, their sums before and after, the sum of all; of the
    residuals: their change times the slopes of the cost, and squared."""
    hessian: Vector
    """Σ slope_i H_i, (p²,)."""

    def add(self, other: Sums) -> Sums:
        """The sums over the rows of both; factors are stacked and factored again."""
        return Sums(*_core.add_sums(self.aligned(), other.aligned()))

    def aligned(self) -> Sums:
        """The same in aligned memory: what another process sent may lie anywhere."""
        return Sums(*(np.require(part, requirements="A") for part in self))


@dataclass(frozen=True)
class Packed:
    """The programs of a traced model as plain arrays."""

    specs: tuple[TapeSpec, ...]
    """Value, Jacobian, curvature along a direction, and Hessian where there is one."""
    pairs: tuple[tuple[int, int], ...] | None
    picks: tuple[int, ...]
    """Which of the model's arguments their columns are."""

    @classmethod
    def of(cls, programs: CorePrograms, picks: Sequence[int]) -> Packed:
        pairs = None if programs.pairs is None else tuple(programs.pairs)
        return cls(tuple(programs.specs), pairs, tuple(picks))

    def native(self) -> tuple[Any, tuple[int, ...]]:
        """The programs as the core runs them, with their columns."""
        tapes = [core_tape(s) for s in self.specs]
        hessian = None if self.pairs is None else (tapes[3], list(self.pairs))
        return _core.Programs(tapes[0], tapes[1], tapes[2], hessian), self.picks


@dataclass(frozen=True)
class Columns:
    """Which columns of a table the model's arguments, the response and the weights are."""

    arguments: tuple[str, ...]
    y: str
    weights: str | float | None = None
    says: str = "factor"
    """What the weights are: "sigma", "squares" (weights of the squares), or "factor" (their roots)."""

    @property
    def names(self) -> tuple[str, ...]:
        """All columns that are read."""
        weights = (self.weights,) if isinstance(self.weights, str) else ()
        return tuple(dict.fromkeys((*self.arguments, self.y, *weights)))


@dataclass(frozen=True)
class RowSums:
    """A model with its parameters, ready to sum up blocks of rows anywhere; see the module's text."""

    versions: tuple[Packed, ...]
    """One for each branch of the model that was taken."""
    values: Vector
    """All parameters: the fixed ones are kept."""
    free: tuple[int, ...]
    columns: Columns
    loss: tuple[Any, ...] | None = None
    _native: list[Any] = field(default_factory=list, compare=False, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_native": []}

    def of_table(self, table: Any, x: Vector, request: Request, threads: int = 1) -> Sums:
        """The sums over the rows of a table at free parameters `x`."""
        c = self.columns
        y = np.asarray(table[c.y])
        arguments = [np.asarray(table[name]) for name in c.arguments]
        w = c.weights
        weights = np.asarray(table[w]) if isinstance(w, str) else w
        return self.of_rows(arguments, y, weights, x, request, threads)

    def of_rows(
        self,
        arguments: Sequence[Array],
        y: Array,
        weights: Array | float | None,
        x: Vector,
        request: Request,
        threads: int = 1,
    ) -> Sums:
        """The sums over rows given as arrays of any number type."""
        if not self._native:
            self._native.extend(v.native() for v in self.versions)
        chunk = as_chunk(arguments, y, weights, self.columns.says)
        x = np.require(x, dtype=np.float64, requirements=("C", "A"))
        return Sums(
            *_core.sum_block(chunk, self._native, self.values, self.free, x, request, self.loss, threads)
        )


def as_chunk(arguments: Sequence[Array], y: Array, weights: Array | float | None, says: str) -> Any:
    """A block of rows as the core takes it: types it knows as they lie, others converted."""
    n = y.size
    columns = [as_series(a) for a in arguments]
    w = None if weights is None else (as_series(np.broadcast_to(np.asarray(weights), n)), says)
    return columns, as_series(y), w, n


def as_series(values: Array) -> Array:
    """A column the core can read: numbers of 1 to 8 bytes, with any stride and byte order."""
    values = np.asarray(values)
    kind, size = values.dtype.kind, values.dtype.itemsize
    known = kind in "iub" or (kind == "f" and size in (4, 8))
    return values if known else values.astype(np.float64)
