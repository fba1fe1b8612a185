"""``marquardt fit`` of Parquet files: read block by block, so they may be larger than memory."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..errors import FormulaError, OptionError

ENDINGS = (".parquet", ".parq", ".pq")


def is_stored(path: str) -> bool:
    """Is it a Parquet file, a pattern of them, or a directory?"""
    return path.endswith(ENDINGS) or Path(path).is_dir()


def fit_stored(arguments: argparse.Namespace, given: dict[str, Any]) -> Any:
    """The fit of a formula to columns of Parquet files; `given` are the arguments of `fit` for any data."""
    from ..curve.blocks import blocks
    from ..curve.fit import fit

    for option in ("by", "group", "covariance", "family", "trials", "prior", "ridge"):
        if getattr(arguments, option):
            raise OptionError(f"--{option} needs all rows at once: Parquet files are fitted without it")
    if arguments.formula is None:
        raise FormulaError('a formula is needed, such as "y ~ a*x + b"')
    weighting = {name: _column(getattr(arguments, name)) for name in ("sigma", "weights")}
    return fit(arguments.formula, data=blocks(arguments.file), **weighting, **given)


def _column(text: str | None) -> str | float | None:
    """The name of a column, or a number."""
    if text is None:
        return None
    try:
        return float(text)
    except ValueError:
        return text
