"""``marquardt models``: the built-in models that a formula may call by name."""

from __future__ import annotations

import argparse
import inspect

from ..models.table import get, listing, row_named


def run(arguments: argparse.Namespace) -> int:
    """Print all models with their formulas, or all about those named."""
    if not arguments.names:
        print(listing())
        print('\nBy name in a formula: marquardt fit data.csv "y ~ logistic4(x)"')
    print("\n\n".join(about(name) for name in arguments.names), end="\n" if arguments.names else "")
    return 0


def about(name: str) -> str:
    """Formula, parameters, start rule and source of a model.

    >>> print(about("polynomial1"))
    polynomial1(x, c0, c1)
    c0 + c1*x^1
    <BLANKLINE>
    Polynomial of degree 1.

    Raises ModelError where there is none of this name.
    """
    function, row = get(name), row_named(name)
    assert row is not None
    text = (inspect.getdoc(function) or "").split(">>>")[0].strip()
    return f"{name}({', '.join(row.arguments)})\n{row.formula}\n\n{text}"
