"""Read a table of numbers from a file: CSV, TSV, semicolons or white space, gzip or not, and NIST ``.dat``.

The rules, chosen to hold no surprises:

- The first line that is neither blank nor a comment (``#``) tells the separator: a tab if it holds one, else
  ``;``, else ``,``, else white space. Every line must have as many cells as that one.
- That line is the header when it has text above a number, or text only. Without a header the names are those
  of a comment line directly above, if it has as many words; else x, y for two columns, and c1, c2, ...
- Empty cells, NA, N/A and NaN are missing: NaN. The decimal sign is the point.
- A column with text serves as long as nobody asks for it: then the first bad cell is named.
"""

from __future__ import annotations

import csv
import gzip
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..datasets import NistProblem
from ..datasets.strd import is_nist, parse_nist
from ..errors import FileError

_MISSING = frozenset({"", "na", "n/a", "nan"})
_SEPARATORS = {"\t": "tabs", ";": "semicolons", ",": "commas", None: "white space"}
Column = NDArray[np.float64]
Row = tuple[int, list[str]]  # line number in the file, cells


@dataclass(frozen=True, eq=False)
class Table(Mapping[str, Column]):
    """Columns of a file by name; ``lines`` holds the line of the file that each row stands in."""

    origin: str
    lines: Sequence[int]
    columns: Mapping[str, Column]
    refused: Mapping[str, str] = field(default_factory=dict)  # text columns: why they are not numbers
    nist: NistProblem | None = None
    texts: Mapping[str, Sequence[str]] = field(default_factory=dict)  # cells of the text columns

    def labels(self, name: str) -> Sequence[object]:
        """A column as labels of groups: numbers where it holds such, else its text."""
        if name in self.texts:
            return self.texts[name]
        if name not in self.columns:
            raise FileError(f"{self.origin} has no column `{name}`; the columns are: {', '.join(self)}")
        return [int(v) if v.is_integer() else v for v in self[name].tolist()]

    def __getitem__(self, name: str) -> Column:
        if name in self.refused:
            raise FileError(self.refused[name])
        return self.columns[name]

    def __contains__(self, name: object) -> bool:
        return name in self.columns or name in self.refused

    def __iter__(self) -> Iterator[str]:
        return iter([*self.columns, *self.refused])

    def __len__(self) -> int:
        return len(self.columns) + len(self.refused)


def read_table(path: str | Path) -> Table:
    """Read a file, or standard input for ``-``; FileError names file, line and column of what is wrong."""
    origin = "standard input" if str(path) == "-" else str(path)
    text = _text(path, origin)
    if is_nist(text):
        problem = parse_nist(text, origin)
        first = next(
            k for k, line in enumerate(text.splitlines(), 1) if line.startswith("Data:  ") and k > 50
        )
        return Table(origin, range(first + 1, first + 1 + len(problem.y)), dict(problem), nist=problem)
    return _Parser(origin, text).table()


def _text(path: str | Path, origin: str) -> str:
    try:
        raw = sys.stdin.buffer.read() if str(path) == "-" else Path(path).read_bytes()
    except OSError as error:
        raise FileError(f"{origin} cannot be read: {error.strerror or error}") from None
    if raw[:2] == b"\x1f\x8b":
        try:
            raw = gzip.decompress(raw)
        except (OSError, EOFError) as error:
            raise FileError(f"{origin} is a damaged gzip file: {error}") from None
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):  # what spreadsheets call Unicode text
        return raw.decode("utf-16", errors="replace")
    if b"\0" in raw[:65536]:
        raise FileError(f"{origin} is a binary file, not a table of text: export it as CSV")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _is_missing(cell: str) -> bool:
    return cell.strip().casefold() in _MISSING


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell


class _Parser:
    def __init__(self, origin: str, text: str) -> None:
        self.origin = origin
        self.comment: tuple[int, list[str]] | None = (
            None  # the last comment before the first line of the table
        )
        self.numbers: list[int] = []  # line numbers, and the lines themselves
        self.lines: list[str] = []
        # Not splitlines(): it also breaks at form feeds and at the byte that Windows uses for an ellipsis.
        for number, line in enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), 1):
            stripped = line.strip()
            if stripped.startswith("#"):
                if not self.lines:
                    self.comment = (number, stripped.lstrip("# ").replace(",", " ").split())
            elif stripped:
                self.numbers.append(number)
                self.lines.append(line)
        if not self.lines:
            raise FileError(f"{origin} is empty: it has no line that is neither blank nor a comment")
        self.separator = next((s for s in ("\t", ";", ",") if s in self.lines[0].strip()), None)

    def table(self) -> Table:
        first = self.cells(0)
        header = self.has_header(first)
        names = self.names(first) if header else self.default_names(len(first))
        start = int(header)
        if start == len(self.lines):
            raise self.fail("there is a header, but no row of data below it", self.numbers[0])
        lines = self.numbers[start:]
        block = self.block(start, len(names))
        if block is not None:
            columns = {name: np.ascontiguousarray(block[:, k]) for k, name in enumerate(names)}
            return Table(self.origin, lines, columns)
        return self.by_cells(start, names, lines)

    def fail(self, problem: str, line: int, column: str | None = None) -> FileError:
        place = f"{self.origin}, line {line}" + (f", column `{column}`" if column else "")
        return FileError(f"{place}: {problem}")

    def cells(self, k: int) -> list[str]:
        if self.separator is None and '"' not in self.lines[k]:
            return self.lines[k].split()
        try:
            space = self.separator is None
            line = " ".join(self.lines[k].split()) if space else self.lines[k]
            reader = csv.reader([line], delimiter=self.separator or " ", skipinitialspace=True, strict=True)
            return [cell.strip() for cell in next(reader)]
        except csv.Error as error:
            raise self.fail(f"the quotes do not match ({error})", self.numbers[k]) from None

    # -- names
    def has_header(self, first: list[str]) -> bool:
        text = [
            not _is_missing(cell) and not _is_number(cell) and not _is_comma_number(cell) for cell in first
        ]
        if not any(text):
            return False
        if all(text) or len(self.lines) == 1:
            return True
        below = self.cells(1)
        return len(below) != len(first) or any(
            t and (_is_number(cell) or _is_missing(cell)) for t, cell in zip(text, below, strict=True)
        )

    def names(self, first: list[str]) -> list[str]:
        names = [cell or f"c{k}" for k, cell in enumerate(first, 1)]
        twice = next((name for k, name in enumerate(names) if name in names[:k]), None)
        if twice is not None:
            raise self.fail("two columns have this name: rename one", self.numbers[0], twice)
        return names

    def default_names(self, count: int) -> list[str]:
        if self.comment is not None and self.comment[0] == self.numbers[0] - 1:
            words = self.comment[1]
            if len(words) == len(set(words)) == count and not any(map(_is_number, words)):
                return words
        return ["x", "y"] if count == 2 else [f"c{k}" for k in range(1, count + 1)]

    # -- numbers
    def block(self, start: int, width: int) -> NDArray[np.float64] | None:
        """All rows at once, when every cell is a plain number; None when a closer look is needed."""
        try:
            block = np.loadtxt(self.lines[start:], delimiter=self.separator, comments=None, ndmin=2)
        except ValueError:
            return None
        return block if block.shape == (len(self.lines) - start, width) else None

    def by_cells(self, start: int, names: list[str], lines: list[int]) -> Table:
        """Cell by cell: missing values, text columns, and the exact place of what is wrong."""
        rows = [self.row(k, len(names)) for k in range(start, len(self.lines))]
        columns: dict[str, Column] = {}
        refused: dict[str, str] = {}
        texts: dict[str, Sequence[str]] = {}
        for k, name in enumerate(names):
            cells = [row[k] for row in rows]
            bad = next(
                (i for i, cell in enumerate(cells) if not (_is_number(cell) or _is_missing(cell))), None
            )
            if bad is None:
                columns[name] = np.array([np.nan if _is_missing(c) else float(c) for c in cells])
            else:
                units = bad == 0 and len(cells) > 1 and _is_number(cells[1])
                texts[name] = cells
                refused[name] = str(self.fail(self.why(cells[bad], lines[bad], units), lines[bad], name))
        if not columns:
            raise FileError(next(iter(refused.values())))
        return Table(self.origin, lines, columns, refused, texts=texts)

    def row(self, k: int, width: int) -> list[str]:
        cells = self.cells(k)
        if len(cells) != width:
            line, first = self.numbers[k], self.numbers[0]
            separator = f"(separated by {_SEPARATORS[self.separator]})"
            hint = ""
            if self.separator == "," and len(cells) == 2 * width:
                hint = "; decimal commas? The decimal sign is the point"
            elif self.separator is None and k == 1:
                hint = "; names that hold spaces need quotes"
            noun = "cell" if len(cells) == 1 else "cells"
            raise self.fail(f"{len(cells)} {noun} {separator}, but line {first} has {width}{hint}", line)
        return cells

    def why(self, cell: str, line: int, units: bool) -> str:
        if _is_comma_number(cell):
            return f"`{cell}` holds a comma: write a decimal point, and no thousands separators"
        if len(cell.split()) > 1 and all(map(_is_number, cell.split())):
            raise self.fail(f"`{cell}` is two numbers: the separators (or decimal commas) are mixed up", line)
        return f"`{cell}` is not a number{'; if this row holds units, put a # before it' if units else ''}"


def _is_comma_number(cell: str) -> bool:
    return "," in cell and _is_number(cell.replace(",", ""))
