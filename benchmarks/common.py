"""What every benchmark says about itself: the machine, the versions, and how its table is written."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Sequence
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
PEERS = ("numpy", "scipy", "lmfit", "numba", "jax")


def describe_machine() -> str:
    """One paragraph: processor, cores, versions."""
    from marquardt import _core

    processor = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [
            line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if "model name" in line
        ]
        processor = names[0] if names else processor
    versions = [f"Python {platform.python_version()}"]
    for peer in PEERS:
        try:
            versions.append(f"{peer} {importlib.metadata.version(peer)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return f"{processor}, {os.cpu_count()} cores, CPU level {_core.cpu_level()}. {', '.join(versions)}."


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table that reads well as plain text too."""
    widths = [max(len(str(row[k])) for row in [header, *rows]) for k in range(len(header))]

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(str(c).ljust(w) for c, w in zip(cells, widths, strict=True)) + " |"

    return "\n".join([line(header), "|" + "|".join("-" * (w + 2) for w in widths) + "|", *map(line, rows)])


def write_result(name: str, method: str, report: str) -> None:
    """Keep a table together with the method that made it."""
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / name).write_text(f"{report.rstrip()}\n\n## Method\n\n{method.strip()}\n")
