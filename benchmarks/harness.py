"""What the benchmarks share: interleaved timing, the machine in words, tables in Markdown."""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any


def arguments(description: str, parts: Sequence[str] = ()) -> argparse.Namespace:
    """The options of a benchmark: --write puts the page into a file as well, --only runs one of its parts."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--write", metavar="FILE", help="write the page to FILE, as in benchmarks/results/")
    if parts:
        parser.add_argument("--only", choices=parts, help="one part, without the others")
    parser.add_argument("--quick", action="store_true", help="few repeats: to see that it runs")
    return parser.parse_args()


BATCH = 0.01  # seconds: short calls are timed in batches, so that one contestant finds its caches warm


def measure(
    contestants: dict[str, Callable[[], Any]], rounds: int, seconds: float = 20.0
) -> dict[str, list[float]]:
    """Seconds per call of each contestant, in batches taken in turns; about `seconds` in all at most."""
    counts = {}
    for name, call in contestants.items():
        call()
        start = time.perf_counter()
        call()
        counts[name] = max(1, round(BATCH / (time.perf_counter() - start)))
    times: dict[str, list[float]] = {name: [] for name in contestants}
    began = time.perf_counter()
    for turn in range(rounds):
        if turn >= 3 and time.perf_counter() - began > seconds:
            break
        for name, call in contestants.items():
            call()
            start = time.perf_counter()
            for _ in range(counts[name]):
                call()
            times[name].append((time.perf_counter() - start) / counts[name])
    return times


def spread(times: Sequence[float]) -> str:
    """Median and quartiles in a readable unit."""
    unit, scale = next(
        (u, s)
        for u, s in (("s", 1.0), ("ms", 1e3), ("µs", 1e6))
        if statistics.median(times) * s >= 1 or u == "µs"
    )
    low, middle, high = (quantile(times, q) * scale for q in (0.25, 0.5, 0.75))
    return f"{middle:.3g} {unit} ({low:.3g}-{high:.3g})"


def quantile(times: Sequence[float], q: float) -> float:
    ordered = sorted(times)
    return ordered[min(int(q * len(ordered)), len(ordered) - 1)]


def machine(*more: str) -> str:
    """CPU, cores, load, and versions of what takes part, `more` packages included."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [
            line.split(":")[1].strip()
            for line in info.read_text().splitlines()
            if line.startswith("model name")
        ]
        cpu = names[0] if names else cpu
    load = f", load {os.getloadavg()[0]:.1f} at the start" if hasattr(os, "getloadavg") else ""
    packages = ", ".join(
        f"{name} {known}"
        for name in ("marquardt", "numpy", "scipy", "lmfit", *more)
        if (known := installed(name))
    )
    return f"{cpu}, {os.cpu_count()} cores{load}; Python {sys.version.split()[0]}, {packages}"


def installed(package: str) -> str | None:
    if package == "marquardt":
        import marquardt

        return marquardt.__version__
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A Markdown table, numbers to the right."""
    lines = ["| " + " | ".join(head) + " |", "|---" + "|---:" * (len(head) - 1) + "|"]
    return "\n".join(lines + ["| " + " | ".join(map(str, row)) + " |" for row in rows])


def publish(page: str, options: argparse.Namespace) -> None:
    print(page)
    if options.write:
        Path(options.write).parent.mkdir(parents=True, exist_ok=True)
        Path(options.write).write_text(page + "\n", encoding="utf-8")
