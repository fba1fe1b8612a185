"""Long data: prepared and started on a sample of the rows, fitted and judged on all of them.

The caller's columns are neither converted nor copied. What `fit` makes of its arguments (names, start
values, a trace) it makes of a sample, and each sampled column knows which whole one it stands for.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from ..problem.source import Arrays, Source, first_bad, is_readable
from ..problem.sums import Columns
from .columns import column_names, is_table
from .setup import Request, Setup

Vector = NDArray[np.float64]
Array = NDArray[Any]

LONG = 200_000
"""From so many rows on."""
SAMPLE = 8_192
"""Rows that a fit starts on, where its start values are given."""
PART = 64
"""And this part of the rows where that is more, up to `SEARCHED`: from there two Gauss-Newton steps lead to
the end; from 8,192 of 4 million rows the second took the exact Hessian, one pass more."""
SEARCHED = 65_536
"""Rows on which start values are looked for: a narrow peak may hide between fewer."""


class LongTable(ABC):
    """A table that is not here as a whole: any class with these methods."""

    @classmethod
    def __subclasshook__(cls, other: type) -> bool:
        return cls is LongTable and hasattr(other, "head") and hasattr(other, "open")

    @abstractmethod
    def head(self) -> Any:
        """A table of some rows, to begin with."""

    @abstractmethod
    def open(
        self, columns: Columns, missing: str, count: int, seen: Callable[[int], None] | None = None
    ) -> tuple[Mapping[str, Vector], Source]:
        """A sample of `count` rows or somewhat more, and all of them; ``seen(n)`` is told what is read."""


class NotLong(Exception):
    """These data are not columns that could be read row by row: they go the way of all others."""


def spread_rows(n: int, count: int) -> NDArray[np.intp]:
    """Positions of `count` of n rows, one at random in each of as many equal runs (always the same ones).

    Evenly spread, as a sample should be; not evenly spaced, as every k-th row would alias an oscillation.
    """
    if count >= n:
        return np.arange(n)
    edges = np.linspace(0.0, n, count + 1)
    inside = np.random.default_rng(0).random(count)
    return (edges[:-1] + inside * np.diff(edges)).astype(np.intp)


class Sampler:
    """Samples of columns, and what each of them stands for."""

    def __init__(self, n: int, count: int, missing: str) -> None:
        self.n, self.missing = n, missing
        self.at = spread_rows(n, count)
        self._whole: dict[int, Array] = {}
        self._samples: list[Vector] = []
        self.by_name: dict[str, Array] = {}

    def take(self, values: Any, name: str) -> Vector:
        """The sample of a column; NotLong where it is none, DataError where it holds what is not finite."""
        whole = _as_array(values)
        if whole is None or not is_readable(whole, self.n):
            raise NotLong
        sample = np.array(whole[self.at], dtype=np.float64)
        self._whole[id(sample)] = self.by_name[name] = whole
        self._samples.append(sample)  # so that no other array gets its id
        if not np.isfinite(sample).all():
            self.refuse([(name, whole)])
        return sample

    def whole(self, sample: Any) -> Array:
        """The column that a sample stands for."""
        if id(sample) not in self._whole:
            raise NotLong
        return self._whole[id(sample)]

    def refuse(self, columns: list[tuple[str, Array]]) -> None:
        """Raises DataError for the first row that is missing or not finite, if there is one."""
        bad = first_bad(columns)
        if bad is None:
            return
        if self.missing == "drop":
            raise NotLong
        name, row, count = bad
        more = f" ({count} rows in all)" if count > 1 else ""
        raise DataError(
            f"column {name!r} is missing or not finite in row {row}{more}, counting from 0; "
            "remove it, or say missing='drop'"
        )


class SampledTable(Mapping[str, Any]):
    """A table of samples, each column taken when it is asked for."""

    def __init__(self, table: Any, sampler: Sampler) -> None:
        self.table, self.sampler, self.names = table, sampler, column_names(table)
        self._taken: dict[str, Vector] = {}

    def __getitem__(self, name: str) -> Vector:
        if name not in self._taken:
            if name not in self.names:
                raise KeyError(name)
            self._taken[name] = self.sampler.take(self.table[name], name)
        return self._taken[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)


def _as_array(values: Any) -> Array | None:
    """A column without a copy, or None."""
    if isinstance(values, np.ndarray):
        return np.asarray(values) if isinstance(values, np.memmap) else values
    if hasattr(values, "__array__") and not isinstance(values, np.generic):  # a Series: its own memory
        return np.asarray(values)
    return None


def length_of(wanted: Request) -> int | None:
    """How many rows the data have, where they are columns; None where that is not seen at once."""
    if wanted.data is not None:
        if not is_table(wanted.data):
            return None
        names = column_names(wanted.data)
        if not names:
            return None
        try:
            return len(wanted.data[names[0]])
        except (KeyError, TypeError):
            return None
    shape = getattr(wanted.y, "shape", None)
    return int(shape[0]) if shape is not None and len(shape) == 1 else None


def sampled(wanted: Request, sampler: Sampler) -> Request:
    """The request with samples in place of columns."""
    x, y, data = wanted.x, wanted.y, wanted.data
    if data is not None:
        data = SampledTable(data, sampler)
    elif x is None:
        raise NotLong
    elif is_table(x):
        x = SampledTable(x, sampler)
    elif isinstance(x, tuple) or (isinstance(x, np.ndarray) and x.ndim == 2):
        x = tuple(sampler.take(a, f"x[{k}]") for k, a in enumerate(x))
    else:
        x = sampler.take(x, "x")
    if y is not None and not isinstance(y, str):
        y = sampler.take(y, str(getattr(y, "name", None) or "y"))
    sigma, weights = (
        _weighting(v, n, sampler) for v, n in ((wanted.sigma, "sigma"), (wanted.weights, "weights"))
    )
    return replace(wanted, x=x, y=y, data=data, sigma=sigma, weights=weights)


def _weighting(given: Any, name: str, sampler: Sampler) -> Any:
    if given is None or isinstance(given, str) or np.ndim(given) == 0:
        return given
    return sampler.take(given, name)


def arrays_of(setup: Setup, wanted: Request, sampler: Sampler) -> Arrays:
    """The whole columns behind a setup made of samples; DataError where one holds what cannot be fitted."""
    data = setup.data
    if data.of_prediction is not None or data.whitening is not None:
        raise NotLong
    arguments = tuple(sampler.whole(a) for a in data.arguments)
    y = sampler.whole(data.y)
    says = "factor" if wanted.sigma is None and wanted.weights is None else _says(wanted)
    given = wanted.sigma if wanted.weights is None else wanted.weights
    weights = None if given is None else _whole_weights(given, sampler)
    columns = [*zip(data.names, arguments, strict=True), (data.y_name, y)]
    if weights is not None:
        columns.append((says_name(says), weights))
    sampler.refuse([(n, c) for n, c in columns if c.strides != (0,)])
    if weights is not None:
        check_weights(weights, says, 0)
    return Arrays(arguments, y, weights, says)


def _says(wanted: Request) -> str:
    return "sigma" if wanted.sigma is not None else "squares"


def says_name(says: str) -> str:
    """The argument of `fit` that weights came by."""
    return "sigma" if says == "sigma" else "weights"


def _whole_weights(given: Any, sampler: Sampler) -> Array:
    if isinstance(given, str):
        if given not in sampler.by_name:  # a formula
            raise NotLong
        return sampler.by_name[given]
    if np.ndim(given) == 0:
        return np.broadcast_to(np.float64(given), (sampler.n,))
    whole = _as_array(given)
    if whole is None:
        raise NotLong
    return whole


def check_weights(weights: Array, says: str, first_row: int) -> None:
    """Raises DataError for the first standard deviation or weight that cannot be one."""
    if weights.strides == (0,):
        weights = weights[:1]
    low = weights.min() if weights.size else 1
    if low > 0 or (low == 0 and says != "sigma"):
        return
    row = int(np.argmax(weights <= 0 if says == "sigma" else weights < 0))
    why = "a standard deviation must be positive" if says == "sigma" else "a weight must not be negative"
    raise DataError(f"{says_name(says)} is {float(weights[row]):g} in row {first_row + row}: {why}")
