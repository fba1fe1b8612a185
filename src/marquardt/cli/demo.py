"""``marquardt demo``: an enzyme assay by a formula, a NIST problem by a function; reports and plots.

``marquardt demo NAME``: the methods walk a problem; see `demos`.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..datasets import fewest_digits, michaelis_menten, nist
from ..errors import OptionError, suggestion
from .demos import DEMOS, listing, show
from .fit import save_plot

_PROBLEM = "Thurber"


def run(arguments: argparse.Namespace) -> int:
    """The fits, or the demo that is named; 0 when all that should is certified, else 1."""
    if arguments.name == "list":
        print(listing())
        return 0
    if arguments.name is not None and arguments.name not in DEMOS:
        raise OptionError(f"no demo {arguments.name!r}{suggestion(arguments.name, DEMOS)}")
    folder = Path(arguments.out)
    folder.mkdir(parents=True, exist_ok=True)
    return fits(folder) if arguments.name is None else show(arguments.name, folder)


def fits(folder: Path) -> int:
    """Fit both, print the reports, write the files; 0 when both are certified, else 1."""
    from ..curve.fit import fit

    assay = michaelis_menten()
    _heading("1. An enzyme assay, by a formula and without starting values", assay.source)
    first: Any = fit(assay.formula, data=assay)
    print(first)
    _save(first, folder, "michaelis_menten")

    problem = nist(_PROBLEM)
    _heading(f"2. NIST {_PROBLEM} ({problem.level} difficulty), by a plain function", problem.source)
    second: Any = fit(mobility, problem.x[0], problem.y, start=problem.start1)
    print(second)
    found = {name: second.params[name].value for name in second.params}
    digits = fewest_digits(found, problem.certified)
    print(f"\nEvery parameter agrees with the value NIST certifies to {digits:.1f} digits or more, of 11.")
    _save(second, folder, _PROBLEM.lower())
    print('\nYour own data: marquardt fit FILE "y ~ a*exp(-b*x) + c"')
    print("The methods at work: marquardt demo list")
    return 0 if first.success and second.success else 1


def mobility(x: Any, b1: Any, b2: Any, b3: Any, b4: Any, b5: Any, b6: Any, b7: Any) -> Any:
    """Mobility of electrons against the logarithm of their density: the model as a user would write it."""
    return (b1 + b2 * x + b3 * x**2 + b4 * x**3) / (1 + b5 * x + b6 * x**2 + b7 * x**3)


def _heading(title: str, source: str) -> None:
    print(f"\n{title}\n{'=' * len(title)}\n{source}\n")


def _save(result: Any, folder: Path, name: str) -> None:
    save_plot(result, folder / f"{name}.png")
    result.to_html(folder / f"{name}.html")
    print(f"\nPlot: {folder / name}.png   Report: {folder / name}.html")
