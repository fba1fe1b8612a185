"""Progress of many fits: a line in the terminal, or the caller's own function."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TextIO

from ..errors import OptionError

SILENT_SECONDS = 2.0
BETWEEN_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is."""

    done: int
    total: int
    seconds: float
    """Since it began."""
    rate: float
    """Fits per second, in this run."""

    @property
    def left(self) -> float:
        """Seconds to go at this rate."""
        return (self.total - self.done) / self.rate if self.rate > 0.0 else float("inf")

    def __str__(self) -> str:
        """
        >>> str(Progress(2000, 10000, 4.0, 500.0))
        '2,000 of 10,000 fits, 500 a second, 16 s left'
        """
        return f"{self.done:,} of {self.total:,} fits, {self.rate:,.0f} a second, {_time(self.left)} left"


def _time(seconds: float) -> str:
    """Seconds in two units at most.

    >>> _time(7.2), _time(125), _time(7300)
    ('7 s', '2 min 5 s', '2 h 1 min')
    """
    if seconds == float("inf"):
        return "some time"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    return (
        f"{whole // 60} min {whole % 60} s" if whole < 3600 else f"{whole // 3600} h {whole % 3600 // 60} min"
    )


class Watch:
    """Called after every chunk; True when the caller's function asks to stop."""

    def __init__(self, tell: Callable[[Progress], Any] | None, stream: TextIO | None, total: int) -> None:
        self.tell, self.stream, self.total = tell, stream, total
        self.began = time.monotonic()
        self.first: int | None = None
        self.next_time, self.width = self.began + SILENT_SECONDS, 0

    def __call__(self, done: int, made: int) -> bool:
        """`done` fits are, `made` of them in this run."""
        now = time.monotonic()
        state = Progress(done, self.total, now - self.began, made / max(now - self.began, 1e-9))
        if self.stream is not None and now >= self.next_time:
            self.next_time = now + BETWEEN_SECONDS
            line = f"fitting: {state} (Ctrl-C keeps what is done)"
            self.stream.write("\r" + line.ljust(self.width))
            self.stream.flush()
            self.width = len(line)
        return self.tell is not None and self.tell(state) is True

    def close(self) -> None:
        """Wipe the line, if there is one."""
        if self.width and self.stream is not None:
            self.stream.write("\r" + " " * self.width + "\r")
            self.stream.flush()


def watch_of(progress: Any, total: int) -> Watch:
    """What `progress=` asks for."""
    if callable(progress):
        return Watch(progress, None, total)
    if progress is None or isinstance(progress, bool):
        show = progress if progress is not None else sys.stderr is not None and sys.stderr.isatty()
        return Watch(None, sys.stderr if show else None, total)
    raise OptionError(f"progress = {progress!r}: True, False, None or a function is needed")
