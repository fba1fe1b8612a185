"""Rows of long data as the core reads them: arrays as they lie in memory, blocks read again at every pass."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from .. import _core
from ..errors import DataError
from ..masked import is_masked_array
from .sums import as_chunk

Vector = NDArray[np.float64]
Array = NDArray[Any]

ROWS = 1 << 17
"""Rows that NumPy works on at once."""


class Rows(NamedTuple):
    """A block of rows: the model's arguments, the response and what the weights are made of, of any type."""

    arguments: tuple[Array, ...]
    y: Array
    weights: Array | None


class Source(Protocol):
    """Where the rows of a long fit come from."""

    @property
    def says(self) -> str:
        """What the weights are: "sigma", "squares" (weights of the squares) or "factor"."""

    @property
    def n_rows(self) -> int: ...

    def blocks(self) -> Iterator[Rows]:
        """All rows in order, some at a time."""

    def minimize(self, problem: Any, x0: Vector, box: tuple[Vector, Vector], options: Any, watch: Any) -> Any:
        """Run the core over all rows."""


@dataclass(frozen=True)
class Arrays:
    """Columns in memory or in a memory map, none of them converted or copied as a whole."""

    arguments: tuple[Array, ...]
    y: Array
    weights: Array | None = None
    says: str = "factor"

    @property
    def n_rows(self) -> int:
        return int(self.y.size)

    def blocks(self) -> Iterator[Rows]:
        for start in range(0, self.n_rows, ROWS):
            part = slice(start, start + ROWS)
            w = self.weights
            yield Rows(tuple(a[part] for a in self.arguments), self.y[part], None if w is None else w[part])

    def minimize(self, problem: Any, x0: Vector, box: tuple[Vector, Vector], options: Any, watch: Any) -> Any:
        chunk = as_chunk(self.arguments, self.y, self.weights, self.says)
        return run(chunk, problem, x0, box, options, watch)


def run(source: Any, problem: Any, x0: Vector, box: tuple[Vector, Vector], options: Any, watch: Any) -> Any:
    """The minimizer over a chunk, or an object with ``rewind()`` and ``next()``."""
    return _core.minimize_stream(
        source, problem.size, problem.version_at(x0), problem.values, problem.free, problem.retrace,
        x0, *box, options, watch, problem.penalty_rows, problem.native_loss, problem.linear,
    )  # fmt: skip


@dataclass(frozen=True)
class Read:
    """Blocks from elsewhere: ``read()`` begins again from the first."""

    read: Callable[[], Iterator[Rows]]
    lengths: tuple[int, ...]
    says: str = "factor"
    moments: Moments | None = None
    dropped: int = 0
    """Rows left out because a value was missing."""
    observe: Callable[[int], None] | None = None
    """Told how many rows were read, after each block."""

    @property
    def n_rows(self) -> int:
        return sum(self.lengths)

    def blocks(self) -> Iterator[Rows]:
        """The blocks, each read while the one before is worked on; their lengths must be those known."""
        given = 0
        for k, rows in enumerate(ahead(self.read)):
            known = self.lengths[k] if k < len(self.lengths) else 0
            if rows.y.size != known:
                raise DataError(
                    f"block {k} holds {rows.y.size} rows now, {known} when it was first read: the blocks "
                    "must be the same at every pass"
                )
            given += 1
            yield rows
        if given != len(self.lengths):
            raise DataError(
                f"there are {given} blocks now, {len(self.lengths)} when they were first read: block {given} "
                "is missing, and the blocks must be the same at every pass"
            )

    def minimize(self, problem: Any, x0: Vector, box: tuple[Vector, Vector], options: Any, watch: Any) -> Any:
        feed = Feed(self)
        try:
            return run(feed, problem, x0, box, options, watch)
        finally:
            feed.close()


class Feed:
    """The blocks of a source one by one, as the core asks for them."""

    def __init__(self, source: Read) -> None:
        self.source = source
        self.blocks: Iterator[Rows] = iter(())

    def rewind(self) -> None:
        self.close()
        self.blocks = self.source.blocks()

    def next(self) -> Any:
        rows = next(self.blocks, None)
        if rows is None:
            return None
        if self.source.observe is not None:
            self.source.observe(int(rows.y.size))
        return as_chunk(rows.arguments, rows.y, rows.weights, self.source.says)

    def close(self) -> None:
        """Let the reading thread end."""
        close = getattr(self.blocks, "close", None)
        if close is not None:
            close()


_END = object()


def ahead(read: Callable[[], Iterator[Any]]) -> Iterator[Any]:
    """What ``read()`` yields, the next of it made in a second thread while this one is in use."""
    ready: queue.Queue[Any] = queue.Queue(maxsize=1)
    wanted = threading.Event()
    wanted.set()

    def hand(item: Any) -> bool:
        while wanted.is_set():
            try:
                ready.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def work() -> None:
        try:
            for item in read():
                if not hand((item, None)):
                    return
            hand((_END, None))
        except BaseException as error:  # raised where the items are used
            hand((_END, error))

    thread = threading.Thread(target=work, name="marquardt-read-ahead", daemon=True)
    thread.start()
    try:
        while True:
            item, error = ready.get()
            if error is not None:
                raise error
            if item is _END:
                return
            yield item
    finally:
        wanted.clear()


class Moments(NamedTuple):
    """Of the response and its weights, over all rows."""

    n_points: int
    """Rows with a weight above zero."""
    log_w: float
    """Σ log w over these."""
    total: float
    """Σ w²."""
    mean: float
    """Weighted mean of the response."""
    spread: float
    """Σ w² (y - mean)²."""

    def add(self, other: Moments) -> Moments:
        """Of the rows of both (Chan, Golub, LeVeque 1983)."""
        total = self.total + other.total
        if total == 0.0:
            return self._replace(n_points=self.n_points + other.n_points)
        step = other.mean - self.mean
        return Moments(
            self.n_points + other.n_points,
            self.log_w + other.log_w,
            total,
            self.mean + step * other.total / total,
            self.spread + other.spread + step * step * self.total * other.total / total,
        )


NOTHING = Moments(0, 0.0, 0.0, 0.0, 0.0)


def factors(rows: Rows, says: str) -> Vector | None:
    """Square-root weights of a block."""
    if rows.weights is None:
        return None
    given = np.asarray(rows.weights, dtype=np.float64)
    if says == "factor":
        return given
    return 1.0 / given if says == "sigma" else np.sqrt(given)


def moments(rows: Rows, says: str) -> Moments:
    """Of one block."""
    y, w = np.asarray(rows.y, dtype=np.float64), factors(rows, says)
    if y.size == 0:
        return NOTHING
    if w is None:
        mean = float(y.mean())
        off = y - mean
        return Moments(y.size, 0.0, float(y.size), mean, float(np.square(off, out=off).sum()))
    seen = w > 0.0
    weight = w * w
    total = float(weight.sum())
    mean = float((weight * y).sum()) / total if total else 0.0
    spread = float((weight * (y - mean) ** 2).sum())
    count = int(np.count_nonzero(seen))
    return Moments(count, float(np.log(w[seen]).sum()), total, mean, spread)


def all_moments(blocks: Iterator[Rows], says: str) -> Moments:
    """Of all blocks."""
    found = NOTHING
    for rows in blocks:
        found = found.add(moments(rows, says))
    return found


def is_readable(values: Any, n: int | None = None) -> bool:
    """Is it one column of real numbers that can be read as it lies?"""
    if not isinstance(values, np.ndarray) or is_masked_array(values) or values.ndim != 1:
        return False
    return values.dtype.kind in "iubf" and (n is None or values.size == n)


def first_bad(columns: Sequence[tuple[str, Array]]) -> tuple[str, int, int] | None:
    """The column and row of the first value that is not finite, and how many rows hold one."""
    clean = [c for _, c in columns if c.dtype.kind in "iub" or _core.finite_series(_native(c))]
    if len(clean) == len(columns):
        return None
    bad = np.zeros(columns[0][1].size, dtype=bool)
    guilty, first = "", bad.size
    for name, values in columns:
        wrong = ~np.isfinite(values)
        row = int(np.argmax(wrong))
        if wrong[row] and row < first:
            guilty, first = name, row
        bad |= wrong
    return guilty, first, int(bad.sum())


def _native(values: Array) -> Array:
    return values if values.dtype.itemsize in (4, 8) else values.astype(np.float64)
