"""``marquardt batch``: a file and a formula become many fits, their estimates a file, a map a picture."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..batch.engine import STATUSES
from ..errors import FileError, OptionError, Status
from .along import Layout, lay_out, model_of
from .fit import bounds, number, values
from .maps import ARRAYS, TABLES, check_out
from .stack import READERS, is_stack, package, read_stack
from .table import Table, read_table

CERTIFIED, NOT_CERTIFIED, INTERRUPTED = 0, 1, 130
_STACK_ONLY = ("along", "x", "variable", "mask", "map", "checkpoint")


def run(arguments: argparse.Namespace) -> int:
    """Fit, print the summary, and write what was asked for."""
    if arguments.out is None and arguments.map is None:
        print("marquardt: note: nothing is kept of the fits without --out or --map", file=sys.stderr)
    return _run_stack(arguments) if is_stack(arguments.file) else _run_table(arguments)


def _run_stack(arguments: argparse.Namespace) -> int:
    if arguments.by:
        raise OptionError(
            f"--by is for tables; {arguments.file} is an array: its fits run --along a dimension"
        )
    check_out(arguments.out, ARRAYS)
    layout = lay_out(read_stack(arguments.file, arguments.variable), arguments.along, arguments.x)
    stack = layout.stack
    formula = model_of(arguments.formula, layout, stack)

    from ..batch.many import fit_many

    many = fit_many(
        formula,
        layout.x,
        layout.data,
        sigma=_of_stack("--sigma", arguments.sigma, layout),
        trials=_of_stack("--trials", arguments.trials, layout),
        mask=None if arguments.mask is None else _mask(arguments.mask, layout),
        checkpoint=arguments.checkpoint,
        **_options(arguments),
    )
    print(many.summary())
    if arguments.out:
        ARRAYS[Path(arguments.out).suffix.lower()](arguments.out, many, layout)
    if arguments.map:
        _draw(many, arguments.map)
    return _code([STATUSES[code] for code in np.unique(many.status)])


def _options(arguments: argparse.Namespace) -> dict[str, Any]:
    """What stacks and tables have in common, as `fit_many` takes it."""
    texts = [part.strip() for text in arguments.start for part in text.split(",")]
    named = [text for text in texts if text != "neighbours"]
    start: Any = values(named, "--start") or None
    if len(named) < len(texts):
        start = "neighbours" if start is None else start | {"neighbours": True}
    scale = arguments.f_scale
    return {
        "start": start,
        "fixed": values(arguments.fix, "--fix") or None,
        "bounds": bounds(arguments.bounds) or None,
        "loss": arguments.loss,
        "f_scale": None if scale is None else number(scale, "--f-scale", "the scale"),
        "family": arguments.family,
        "precision": arguments.precision,
        "threads": arguments.threads,
        "progress": False if arguments.quiet else None,
    }


def _of_stack(option: str, text: str | None, layout: Layout) -> Any:
    if text is None:
        return None
    try:
        return float(text)
    except ValueError:
        return layout.beside(option, text, layout.data.shape[-1:])


def _mask(text: str, layout: Layout) -> Any:
    found = layout.beside("--mask", text, layout.grid)
    return np.isfinite(found) & (found != 0)


def _draw(many: Any, path: str) -> None:
    try:
        many.plot_map().savefig(path, dpi=150)
    except ValueError as error:  # matplotlib names the formats it can write
        raise OptionError(f"the map {path} cannot be written: {error}") from None


def _code(ends: list[Status]) -> int:
    """The exit code; what has no data counts neither way."""
    if Status.INTERRUPTED in ends or Status.NOT_DONE in ends:
        return INTERRUPTED
    return CERTIFIED if all(e.success or e is Status.NO_POINTS for e in ends) else NOT_CERTIFIED


# ---------------------------------------------------------------------------------------------------- tables


def _run_table(arguments: argparse.Namespace) -> int:
    given = [name for name in _STACK_ONLY if getattr(arguments, name)]
    if given:
        raise OptionError(f"--{given[0]} is for arrays ({', '.join(READERS)}); {arguments.file} is a table")
    if not arguments.by:
        raise OptionError(
            f"--by is needed: the columns of {arguments.file} that tell its groups, --by plate,well"
        )
    check_out(arguments.out, TABLES)
    by = [name.strip() for text in arguments.by for name in text.split(",") if name.strip()]
    data = _columns(arguments, by)

    from ..batch.groups import fit_groups

    sigma, trials = _of_table(arguments.sigma), _of_table(arguments.trials)
    found = fit_groups(data, arguments.formula, by, sigma=sigma, trials=trials, **_options(arguments))
    ends, counts = np.unique(found["status"], return_counts=True)
    said = ", ".join(
        f"{n} {end}" for n, end in sorted(zip(counts.tolist(), ends.tolist(), strict=True))[::-1]
    )
    print(f"{len(found['status'])} groups by {', '.join(by)}: {said}")
    if arguments.out:
        TABLES[Path(arguments.out).suffix.lower()](arguments.out, found)
    return _code([Status[end.upper().replace(" ", "_")] for end in ends.tolist()])


def _of_table(text: str | None) -> Any:
    try:
        return None if text is None else float(text)
    except ValueError:
        return text


def _columns(arguments: argparse.Namespace, by: list[str]) -> Mapping[str, Any]:
    """The columns of a table: those that tell groups as labels, the others as numbers."""
    if Path(arguments.file).suffix.lower() == ".parquet":
        return _parquet(arguments.file)
    table = read_table(arguments.file)
    return _Labelled(table, {name: np.asarray(table.labels(name)) for name in by})


@dataclass(frozen=True, eq=False)
class _Labelled(Mapping[str, Any]):
    """A table some of whose columns are labels, which may be text."""

    table: Table
    labels: Mapping[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.labels[name] if name in self.labels else self.table[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.table)

    def __len__(self) -> int:
        return len(self.table)


def _parquet(path: str) -> dict[str, Any]:
    parquet = package("pyarrow.parquet", ".parquet", "files")
    if not Path(path).exists():
        raise FileError(f"{path} cannot be read: there is no such file")
    try:
        table = parquet.read_table(path)
    except (ValueError, OSError) as error:  # pyarrow's own are among these
        raise FileError(f"{path} cannot be read as .parquet: {error}") from None
    return {name: table[name] for name in table.column_names}
