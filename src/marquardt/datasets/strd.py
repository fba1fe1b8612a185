"""Reader of NIST StRD nonlinear regression files, and the 27 problems that come with the package.

The header names the lines of its parts (counted from 1): parameters with two starts, certified values and
standard deviations, then the certified residual sum of squares, and the data (y first, then the predictors).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import FileError
from .dataset import Column, Dataset
from .nist_models import FORMULAS, FUNCTIONS

_RANGE = r"{}\s+\(lines\s+(\d+)\s+to\s+(\d+)\)"
_SUMS = {
    "rss": "Residual Sum of Squares",
    "residual_stderr": "Residual Standard Deviation",
    "dof": "Degrees of Freedom",
    "n_points": "Number of Observations",
}


@dataclass(frozen=True, eq=False, repr=False)
class NistProblem(Dataset):
    """One certified problem: its columns (a mapping: ``problem["x"]``), two starts and the certified answer.

    ``formula`` and ``function`` are the same model; both are empty or None for a file with an unknown name.
    ``response`` is what the function gives: ``y``, and log(y) for Nelson. ``dof`` is points minus parameters
    (the file of Rat43 prints another number, which its own standard deviations contradict).
    """

    level: str  # "lower", "average" or "higher": how hard NIST calls it
    observed: bool  # False: generated data
    start1: dict[str, float]
    start2: dict[str, float]
    certified: dict[str, float]
    certified_stderr: dict[str, float]
    rss: float
    residual_stderr: float
    function: Callable[..., Any] | None

    @property
    def param_names(self) -> tuple[str, ...]:
        return tuple(self.certified)

    @property
    def x(self) -> tuple[Column, ...]:
        """The predictor columns."""
        return tuple(column for name, column in self.columns.items() if name != "y")

    @property
    def y(self) -> Column:
        return self.columns["y"]

    @property
    def response(self) -> Column:
        return np.log(self.y) if self.formula.startswith("log(y)") else self.y

    @property
    def dof(self) -> int:
        return len(self.y) - len(self.certified)


def nist_names() -> tuple[str, ...]:
    """The names of the 27 problems."""
    return tuple(FORMULAS)


def nist(name: str) -> NistProblem:
    """One of the 27 problems, by name.

    >>> nist("Misra1a").certified["b1"]
    238.94212918
    """
    from importlib.resources import files  # not at the top: it would cost `import marquardt` 10 ms

    known = {key.casefold(): key for key in FORMULAS}
    if name.casefold() not in known:
        raise FileError(f"there is no NIST problem {name!r}; the names are: {', '.join(FORMULAS)}")
    place = files(__package__) / "nist" / f"{known[name.casefold()]}.dat"
    return parse_nist(place.read_text("ascii"), place.name)


def read_nist(path: str | Path) -> NistProblem:
    """Read a NIST StRD ``.dat`` file; FileError names file and line where it is malformed."""
    try:
        text = Path(path).read_text("latin-1")
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error.strerror}") from None
    return parse_nist(text, str(path))


def is_nist(text: str) -> bool:
    """True when `text` starts like a NIST StRD file."""
    return text.lstrip().startswith("NIST/ITL StRD")


def parse_nist(text: str, origin: str) -> NistProblem:
    """Read the text of a file; `origin` is named in errors."""
    reader = _Reader(text.splitlines(), origin)
    name = reader.find(r"Dataset Name:\s+(\w+)").group(1)
    start1, start2, certified, stderr = reader.parameters()
    sums = {key: reader.sum(title) for key, title in _SUMS.items()}
    columns = reader.data(int(sums["n_points"]))
    return NistProblem(
        name=name,
        formula=FORMULAS.get(name, ""),
        source=reader.source(),
        columns=columns,
        level=reader.find(r"(Lower|Average|Higher) Level of Difficulty").group(1).lower(),
        observed="Observed Data" in text,
        start1=start1,
        start2=start2,
        certified=certified,
        certified_stderr=stderr,
        rss=sums["rss"],
        residual_stderr=sums["residual_stderr"],
        function=FUNCTIONS.get(name),
    )


@dataclass(frozen=True)
class _Reader:
    lines: list[str]
    origin: str

    def fail(self, problem: str, line: int | None = None) -> FileError:
        place = self.origin if line is None else f"{self.origin}, line {line}"
        return FileError(f"{place}: {problem}")

    def find(self, pattern: str) -> re.Match[str]:
        for line in self.lines:
            if match := re.search(pattern, line):
                return match
        raise self.fail(f"this is not a NIST StRD file: nothing like {pattern!r} in it")

    def span(self, title: str) -> range:
        """The line numbers the header gives for a part."""
        match = self.find(_RANGE.format(title))
        first, last = int(match.group(1)), int(match.group(2))
        if not 1 <= first <= last <= len(self.lines):
            raise self.fail(f"the header promises lines {first} to {last}, the file has {len(self.lines)}")
        return range(first, last + 1)

    def numbers(self, line: int, cells: list[str], count: int) -> list[float]:
        try:
            values = [float(cell) for cell in cells]
        except ValueError as error:
            raise self.fail(
                str(error).replace("could not convert string to float", "not a number"), line
            ) from None
        if len(values) != count:
            raise self.fail(f"{count} numbers are expected, not {len(values)}", line)
        return values

    def parameters(self) -> tuple[dict[str, float], ...]:
        tables: tuple[dict[str, float], ...] = ({}, {}, {}, {})
        for number in self.span("Starting Values"):
            name, equals, rest = self.lines[number - 1].partition("=")
            if not equals:
                raise self.fail("a line `name = start 1, start 2, value, deviation` is expected", number)
            for table, value in zip(tables, self.numbers(number, rest.split(), 4), strict=True):
                table[name.strip()] = value
        return tables

    def sum(self, title: str) -> float:
        return float(self.find(rf"{title}:\s+(\S+)").group(1))

    def source(self) -> str:
        """The citation: the lines from ``Reference:`` to the next blank one."""
        start = next((k for k, line in enumerate(self.lines) if line.startswith("Reference:")), None)
        if start is None:
            return ""
        words: list[str] = self.lines[start].split()[1:]
        for line in self.lines[start + 1 :]:
            if not line.strip():
                break
            words += line.split()
        return " ".join(words)

    def data(self, n_points: int) -> dict[str, Column]:
        span = self.span("Data")
        if len(span) != n_points:
            raise self.fail(f"{n_points} observations are stated, but the data take {len(span)} lines")
        names = self.lines[span.start - 2].replace("Data:", "").split()
        rows = [self.numbers(number, self.lines[number - 1].split(), len(names)) for number in span]
        table = np.array(rows, dtype=np.float64)
        return {name: np.ascontiguousarray(table[:, k]) for k, name in enumerate(names)}
