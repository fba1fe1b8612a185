"""Progress of a fit that takes long: a line in the terminal, or the caller's own function."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TextIO

SILENT_SECONDS = 2.0
BETWEEN_SECONDS = 0.2


class ProgressLine:
    """Show evaluations and cost on one line of a terminal once a fit has taken more than two seconds."""

    every = BETWEEN_SECONDS
    """The minimizer reports no more often than this."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self.stream, self.clock = stream, clock
        self.begin = clock()
        self.next_time = self.begin + SILENT_SECONDS
        self.width = 0
        self.pace: Pace | None = None
        self.said = "reading the data"

    def __call__(self, progress: Any) -> None:
        self.said = f"fitting: {progress.nfev} evaluations, cost {progress.cost:.6g}"
        if self.pace is not None:
            self.pace.evaluated(progress.nfev)
        self._show()

    def read(self, rows: int) -> None:
        """So many more rows of long data were gone over."""
        if self.pace is None:
            self.pace = Pace(None, self.clock)
        self.pace.read(rows)
        self._show()

    def goes_over(self, n_rows: int) -> None:
        """Every evaluation takes so many rows."""
        self.pace = Pace(n_rows, self.clock)

    def _show(self) -> None:
        now = self.clock()
        if now < self.next_time:
            return
        self.next_time = now + BETWEEN_SECONDS
        pace = "" if self.pace is None else f", {self.pace.points_per_second:.3g} points/s"
        line = f"{self.said}{pace} (Ctrl-C keeps the best point)"
        self.stream.write("\r" + line.ljust(self.width))
        self.stream.flush()
        self.width = len(line)

    def close(self) -> None:
        """Wipe the line, if there is one."""
        if self.width:
            self.stream.write("\r" + " " * self.width + "\r")
            self.stream.flush()


class Pace:
    """How many rows a fit of long data goes over in a second."""

    def __init__(self, n_rows: int | None, clock: Callable[[], float] = time.monotonic) -> None:
        self.n_rows, self.clock, self.begin = n_rows, clock, clock()
        self.rows = 0

    def read(self, rows: int) -> None:
        """So many more."""
        self.rows += rows

    def evaluated(self, nfev: int) -> None:
        """So many evaluations of all rows are done."""
        self.rows = max(self.rows, nfev * (self.n_rows or 0))

    @property
    def points_per_second(self) -> float:
        return self.rows / max(self.clock() - self.begin, 1e-9)


@dataclass(frozen=True)
class LongProgress:
    """What a callback sees of a fit of long data."""

    nfev: int
    njev: int
    cost: float
    x: Any
    n_rows: int
    """Rows that every evaluation goes over."""
    points_per_second: float
    """Rows gone over in a second, all evaluations counted."""


class Told:
    """The caller's function, told of a fit of long data."""

    def __init__(self, callback: Callable[[Any], Any], n_rows: int) -> None:
        self.callback, self.pace = callback, Pace(n_rows)
        self.every = float(getattr(callback, "every", 0.0))

    def __call__(self, progress: Any) -> Any:
        self.pace.evaluated(progress.nfev)
        p, pace = progress, self.pace
        return self.callback(
            LongProgress(p.nfev, p.njev, p.cost, p.x, pace.n_rows or 0, pace.points_per_second)
        )


def observer(callback: Callable[[Any], Any] | None) -> Callable[[Any], Any] | None:
    """What watches a fit: the caller's function, a line in the terminal, or nothing."""
    if callback is not None:
        return callback
    stream = sys.stderr
    if _SEEN[0] is not stream:  # asking the system each time costs as much as a hundredth of a small fit
        _SEEN[:] = [stream, stream is not None and stream.isatty()]
    return ProgressLine(stream) if _SEEN[1] else None


_SEEN: list[Any] = [None, False]
"""The last standard error stream, and whether it is a terminal."""
