"""Rows that lie in dask: the sums of one giant fit, made partition by partition, added in a tree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..curve.blocks import Scan, complete, picked
from ..curve.elsewhere import Elsewhere, RowsElsewhere
from ..errors import DataError, MissingPackageError
from ..problem.source import Moments
from ..problem.sums import Columns

Array = NDArray[Any]


def package() -> Any:
    """dask itself."""
    try:
        import dask
    except ImportError:
        raise MissingPackageError("dask is needed: pip install 'marquardt[dask]'") from None
    return dask


class Partitions:
    """A table that lies in dask, as ``fit(model, data=...)`` takes it."""

    def __init__(self, data: Any) -> None:
        self.data = data

    @classmethod
    def of(cls, data: Any) -> Partitions:
        """A dask DataFrame, or a mapping of dask arrays. Raises DataError where it is something else."""
        return cls(_parts(data))

    def delayed(self, names: Sequence[str]) -> list[Any]:
        """The partitions, with these columns only."""
        dask = package()
        if not isinstance(self.data, dict):
            return list(self.data[list(names)].to_delayed())
        blocks = [self.data[name].to_delayed().ravel() for name in names]
        return [dask.delayed(_table)(list(names), list(part)) for part in zip(*blocks, strict=True)]

    def head(self) -> Any:
        """Some rows."""
        if not isinstance(self.data, dict):
            for part in self.data.to_delayed():
                table = part.compute()
                if len(table):
                    return table.iloc[:4096]
            raise DataError("there are no data: no partition holds a row")
        return {name: np.asarray(column[:4096]) for name, column in self.data.items()}

    def open(
        self, columns: Columns, missing: str, count: int, seen: Any = None
    ) -> tuple[dict[str, Array], RowsElsewhere]:
        """A pass over all partitions: how long they are, what is missing, a sample, mean and spread."""
        dask = package()
        parts = self.delayed(columns.names)
        share = max(64, -(-count // len(parts)))
        look = dask.delayed(_look, pure=False)
        found = dask.compute(*[look(part, columns, missing, share, k) for k, part in enumerate(parts)])
        for k, guilty in enumerate(found):
            if guilty.fault is not None:  # looked at again now that the rows before it are counted
                before = sum(f.given for f in found[:k])
                raise DataError(look(parts[k], columns, missing, share, k, before).compute().fault)
        moments, rows = found[0].moments, sum(f.rows for f in found)
        for other in found[1:]:
            moments = moments.add(other.moments)
        if not rows:
            raise DataError("no row is left: every row has a value that is missing or not finite")
        drops = rows < sum(f.given for f in found)
        sample = {name: np.concatenate([f.sample[name] for f in found]) for name in columns.names}
        return sample, RowsElsewhere(Elsewhere(sample, rows, Total(parts, drops), moments), columns)


def _table(names: list[str], blocks: list[Array]) -> dict[str, Array]:
    return dict(zip(names, blocks, strict=True))


@dataclass(frozen=True, slots=True)
class Look:
    """What the first pass sees of a partition."""

    sample: dict[str, Array]
    rows: int
    given: int
    moments: Moments
    fault: str | None
    """What is wrong with it. Not raised there: which partition is the first to fail depends on the time."""


def _look(table: Any, columns: Columns, missing: str, count: int, k: int, before: int = 0) -> Look:
    """Look at partition number k, which comes after `before` rows."""
    scan, fault = Scan(columns, missing, count, before), None
    try:
        scan.look(k, table)
    except DataError as error:
        fault = str(error)
    sample = {} if fault else scan.sampler.sample()
    return Look(sample, sum(scan.lengths), scan.given, scan.moments, fault)


class Total:
    """Sums over all partitions, added in a tree."""

    def __init__(self, parts: list[Any], drops: bool) -> None:
        dask = package()
        self.parts, self.drops = parts, drops
        self.sums, self.add = dask.delayed(_sums, pure=False), dask.delayed(_add, pure=False)
        self.work: tuple[Any, Any] = (None, None)

    def __call__(self, work: Any, x: Any, request: Any) -> Any:
        dask = package()
        if self.work[0] is not work:
            self.work = work, dask.delayed(work, pure=False, traverse=False)
        x, asked = np.array(x), tuple(request)
        asked = dask.delayed(asked, pure=False, traverse=False)
        sums = [self.sums(part, self.work[1], x, asked, self.drops) for part in self.parts]
        while len(sums) > 1:
            pairs = [self.add(a, b) for a, b in zip(sums[::2], sums[1::2], strict=False)]
            sums = pairs + sums[len(pairs) * 2 :]
        return sums[0].compute()


def _sums(table: Any, work: Any, x: Array, asked: tuple[Any, ...], drops: bool) -> Any:
    from ..problem.sums import Request as Asked

    if drops:
        table = complete(picked(table, work.columns.names, 0))
    return work.of_table(table, x, Asked(*asked))


def _add(a: Any, b: Any) -> Any:
    return a.add(b)


def _parts(data: Any) -> dict[str, Any] | Any:
    """A dask DataFrame as it is; columns with the same chunks."""
    package()
    import dask.array as da

    if hasattr(data, "to_delayed") and hasattr(data, "columns"):
        return data
    if not isinstance(data, Mapping) or not all(
        isinstance(c, da.Array) and c.ndim == 1 for c in data.values()
    ):
        raise DataError(
            f"data is a {type(data).__name__}: a dask DataFrame is needed, or a mapping of dask arrays of "
            "one dimension"
        )
    first = next(iter(data.values()))
    for name, column in data.items():
        if column.shape != first.shape:
            raise DataError(f"lengths differ: {name!r} has {column.size} values, others {first.size}")
    return {str(name): column.rechunk(first.chunks) for name, column in data.items()}
