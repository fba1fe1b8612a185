"""The pages of the documentation as programs: their blocks run in order, and what they print is compared.

``python -m tests.pages`` runs the pages in docs/ and writes what they print and draw back into them.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from marquardt.cli import main as marquardt

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```(python|sh|text)\n(.*?)^```", re.DOTALL | re.MULTILINE)
NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
ERRORS = re.compile(r"[\d.]+(?=( <= 8)? +rounding errors)")
ROUNDING = 1e-12


@dataclass(frozen=True)
class Printed:
    """What a block printed, and what the page shows below it (None: nothing); `span` of that in the page."""

    actual: str
    shown: str | None
    span: tuple[int, int]


def run(page: Path) -> Iterator[Printed]:
    """Run the `python` blocks of a page, and the lines of its `sh` blocks that begin with `marquardt`.

    A `text` block is what the block before it prints.
    """
    space: dict[str, object] = {}
    found = [*BLOCK.finditer(page.read_text()), None]
    for block, following in pairwise(found):
        assert block is not None
        if block[1] == "text":
            continue
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            if block[1] == "python":
                exec(compile(block[2], f"{page.name}: {_first_line(block[2])}", "exec"), space)
            else:
                _commands(block[2])
        shown = following is not None and following[1] == "text"
        yield Printed(
            out.getvalue(),
            following[2] if following and shown else None,
            following.span(2) if following and shown else (0, 0),
        )


def _first_line(source: str) -> str:
    return source.strip().splitlines()[0]


def _commands(source: str) -> None:
    for line in re.sub(r"\\\n\s*", "", source).splitlines():
        if line.startswith("marquardt "):
            assert marquardt(shlex.split(line, comments=True)[1:]) == 0, line


def same(actual: str, shown: str) -> bool:
    """Equal words; numbers may differ by a tenth, and counts above 1000 by a half: rounding errors, which
    differ between processors, move the end of a long walk. Those below 1e-12 or above 1e12, and how many
    rounding errors something is, may be any."""
    a, b = (ERRORS.sub("#", text).split() for text in (actual, shown))
    return len(a) == len(b) and all(map(_same_word, a, b))


def _same_word(a: str, b: str) -> bool:
    if a == b:
        return True
    numbers = [[float(m[0]) for m in NUMBER.finditer(word)] for word in (a, b)]
    if NUMBER.sub("#", a) != NUMBER.sub("#", b):
        return False
    return all(map(_same_number, *numbers))


def _same_number(p: float, q: float) -> bool:
    part = 0.5 if q > 1000 and q.is_integer() else 0.1
    return abs(p - q) <= max(part * abs(q), ROUNDING) or min(p, q) > 1 / ROUNDING


def update(page: Path) -> None:
    """Write what the blocks print into the page."""
    text, shift = page.read_text(), 0
    for printed in run(page):
        if printed.shown is not None:
            start, end = (place + shift for place in printed.span)
            new = "\n".join(line.rstrip() for line in printed.actual.strip("\n").splitlines()) + "\n"
            text = text[:start] + new + text[end:]
            shift += len(new) - (end - start)
    page.write_text(text)


if __name__ == "__main__":
    import sys

    os.chdir(ROOT)
    for page in map(Path, sys.argv[1:] or sorted(map(str, Path("docs").glob("*.md")))):
        update(page)
