"""Rows that lie elsewhere, such as the partitions of a cluster: one fit by map and reduce.

See `marquardt.problem.sums` for what the workers do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..errors import DataError
from ..problem.source import Moments, Rows
from ..problem.streamed import StreamProblem
from ..problem.sums import Columns, Request, RowSums, Sums
from .columns import column, column_names
from .long import LongTable

Vector = NDArray[np.float64]


class Total(Protocol):
    """Sums over all rows: the same parts in the same tree at every call."""

    def __call__(self, work: RowSums, x: Vector, request: Request) -> Sums: ...


@dataclass(frozen=True)
class Elsewhere(LongTable):
    """A table of which only a sample is here, as ``fit(model, data=Elsewhere(...))`` takes it.

    sample : a table of some thousand rows, spread over all of them: it gives names, start and trace, and
        is what pictures and the scale of a robust loss look at.
    n_rows : how many rows there are in all.
    total : ``total(work, x, request)`` sums ``work.of_table(part, x, request)`` over all parts, in a tree.
    moments : of the response and the weights over all rows (`marquardt.problem.source.moments` of every
        part, added): without it the result has no R², and weights of zero are counted as points.

    >>> import marquardt as mq
    >>> t = np.linspace(0, 4, 3000)
    >>> parts = [{"t": s, "y": 3 * np.exp(-0.5 * s)} for s in (t[:1000], t[1000:])]
    >>> def total(work, x, request):
    ...     first, second = (work.of_table(part, x, request) for part in parts)
    ...     return first.add(second)
    >>> fit = mq.fit("y ~ a*exp(-b*t)", data=Elsewhere(parts[1], 3000, total), start=[1, 1])
    >>> fit.n_points, round(fit.params["b"].value, 6)
    (3000, 0.5)
    """

    sample: Any
    n_rows: int
    total: Total
    moments: Moments | None = None

    def head(self) -> Any:
        """Some rows."""
        return self.sample

    def open(
        self, columns: Columns, missing: str, count: int, seen: Any = None
    ) -> tuple[Mapping[str, Vector], RowsElsewhere]:
        """A sample of the columns, and the source of their rows."""
        names = [n for n in column_names(self.sample) if n in columns.names]
        return {n: column(self.sample, n) for n in names}, RowsElsewhere(self, columns)


@dataclass(frozen=True)
class RowsElsewhere:
    """The source of a fit whose rows only `Elsewhere.total` can reach."""

    table: Elsewhere
    columns: Columns

    @property
    def says(self) -> str:
        return self.columns.says

    @property
    def n_rows(self) -> int:
        return self.table.n_rows

    @property
    def moments(self) -> Moments:
        """Of the response and the weights; what is not known is NaN."""
        known = self.table.moments
        nan = float("nan")
        return known or Moments(self.n_rows, nan, nan, nan, nan)

    def blocks(self) -> Iterator[Rows]:
        raise DataError("the rows of this fit lie elsewhere: ask for what needs single ones of fit.sample")

    def minimize(
        self, problem: StreamProblem, x0: Vector, box: tuple[Vector, Vector], options: Any, watch: Any
    ) -> Any:
        """The minimizer here, with the sums of all rows from there."""
        work = self._work(problem)

        def total(x: Vector, request: Any) -> Any:
            nonlocal work
            asked = Request(*request)
            beside = asked.kind in ("compare", "beside") and asked.other is not None
            for point in (x, np.asarray(asked.other)) if beside else (x,):
                if problem.retrace(point) is None:
                    return None
            if len(problem.model.versions) > len(work.versions):
                work = self._work(problem)
            return self.table.total(work, x, asked)

        curved = (True, problem.part.twice(x0))
        return _core.minimize_sums(
            total, self.n_rows, curved, x0, *box, options, watch, problem.penalty_rows, problem.native_loss,
            problem.linear,
        )  # fmt: skip

    def _work(self, problem: StreamProblem) -> RowSums:
        return RowSums(
            problem.packed(), problem.values, tuple(problem.free), self.columns, problem.native_loss
        )
