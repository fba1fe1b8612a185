"""What a data set is here: named columns, a formula that fits them, and where they come from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Column = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Dataset(Mapping[str, Column]):
    """Named columns of equal length (a mapping, so it serves as ``data=``) and a ``formula`` that fits them.

    >>> from marquardt.datasets import michaelis_menten
    >>> assay = michaelis_menten()
    >>> list(assay), assay["v"].shape
    (['S', 'v'], (12,))
    """

    name: str
    formula: str
    source: str
    columns: Mapping[str, Column]
    units: Mapping[str, str] = field(default_factory=dict, kw_only=True)
    """Units of columns and parameters, for the axes of pictures."""

    def __getitem__(self, key: str) -> Column:
        return self.columns[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def __len__(self) -> int:
        return len(self.columns)

    def __repr__(self) -> str:
        rows = len(next(iter(self.columns.values())))
        return f"{type(self).__name__}({self.name!r}, {rows} rows, columns {', '.join(self.columns)})"
