"""Progress of a long fit: a line in the terminal, or the caller's own function."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any, TextIO

SILENT_SECONDS = 2.0
BETWEEN_SECONDS = 0.2


class ProgressLine:
    """Show evaluations and cost on one line of a terminal once a fit has taken more than two seconds."""

    every = BETWEEN_SECONDS
    """The minimizer reports no more often than this."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self.stream, self.clock = stream, clock
        self.next_time = clock() + SILENT_SECONDS
        self.width = 0

    def __call__(self, progress: Any) -> None:
        now = self.clock()
        if now < self.next_time:
            return
        self.next_time = now + BETWEEN_SECONDS
        line = f"fitting: {progress.nfev} evaluations, cost {progress.cost:.6g} (Ctrl-C keeps the best point)"
        self.stream.write("\r" + line.ljust(self.width))
        self.stream.flush()
        self.width = len(line)

    def close(self) -> None:
        """Wipe the line, if there is one."""
        if self.width:
            self.stream.write("\r" + " " * self.width + "\r")
            self.stream.flush()


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
