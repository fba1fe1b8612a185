"""``marquardt fit``: a file and a formula become a fit, a report, a picture."""

from __future__ import annotations

import argparse
import json
import math
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..curve.partition import Labels
from ..curve.weights import MU
from ..errors import DataError, FormulaError, OptionError
from ..expr.formula import Formula, parse
from ..models.table import MODELS
from .stored import fit_stored, is_stored
from .table import Table, read_table


def run(arguments: argparse.Namespace) -> int:
    """Fit, report, and write what was asked for; 0 when the minimum is certified, else 1."""
    given = {
        "start": values(arguments.start, "--start") or None,
        "fixed": values(arguments.fix, "--fix") or None,
        "bounds": bounds(arguments.bounds) or None,
        "ties": ties(arguments.tie) or None,
        "method": arguments.method,
        "damping": arguments.damping,
        "loss": arguments.loss,
        "f_scale": None if arguments.f_scale is None else number(arguments.f_scale, "--f-scale", "the scale"),
        "starts": arguments.starts,
        "missing": "drop" if arguments.drop_missing else "error",
    }
    if is_stored(arguments.file):
        return _show(fit_stored(arguments, given), arguments, many=False)
    table = read_table(arguments.file)
    many = _groups(arguments, table)
    formula = _formula(arguments.formula, table)
    data = _data(table, formula, arguments)

    from ..curve.fit import fit

    result = fit(
        formula.text,
        data=data,
        sigma=_weighting(arguments.sigma, _SIGMA, table)
        if arguments.covariance is None
        else _covariance(arguments, table),
        weights=_weighting(arguments.weights, _WEIGHTS, table),
        prior=priors(arguments.prior) or None,
        ridge=ridge(arguments.ridge),
        family=arguments.family,
        trials=_TRIALS if arguments.trials else None,
        **given,
        **many,
    )
    return _show(result, arguments, bool(many))


def _show(result: Any, arguments: argparse.Namespace, many: bool) -> int:
    """Print and write what was asked for."""
    if many and (arguments.html or arguments.trace):
        raise OptionError("--html and --trace show a single fit: leave them out with --by and --group")
    if arguments.json == "-":
        print(as_json(result))
    else:
        print(result)
        if arguments.trace:
            print(f"\n{result.trace}")
    _write(result, arguments)
    return 0 if result.success and (not hasattr(result, "unique") or result.unique) else 1


def _groups(arguments: argparse.Namespace, table: Table) -> dict[str, Any]:
    """--by, --group and --shared as arguments of `fit`; the labels travel as columns of their own."""
    shared = [name.strip() for text in arguments.shared for name in text.split(",") if name.strip()]
    if arguments.by and arguments.group:
        raise OptionError("--by fits the groups one by one, --group all in one: give one of them")
    if bool(arguments.group) != bool(arguments.shared):
        raise OptionError("--group and --shared belong together: --group plate --shared Km")
    names = [name.strip() for text in arguments.by or arguments.group for name in text.split(",")]
    if not names:
        return {}
    columns = [table.labels(name) for name in names]
    labels = Labels(names, columns)
    return {"by": labels} if arguments.by else {"group": labels, "shared": shared}


# The evaluated --sigma and --weights travel as columns: rows with missing values then drop them too.
_SIGMA, _WEIGHTS, _TRIALS = " sigma", " weights", " trials"
_DROP = "--drop-missing leaves such rows out"


def _weighting(text: str | None, key: str, table: Table) -> str | None:
    """What `fit` is told: a formula of the prediction as it is, else the column of the values by row."""
    return text if text and _of_prediction(text, table) is not None else key if text else None


def _covariance(arguments: argparse.Namespace, table: Table) -> Any:
    """The matrix in the file of --covariance, (rows, rows)."""
    if arguments.sigma or arguments.weights:
        raise OptionError("--covariance says all of the errors: leave out --sigma and --weights")
    matrix = read_table(arguments.covariance)
    rows, n = len(matrix.lines), len(table.lines)
    if (rows, len(matrix)) != (n, n):
        raise OptionError(
            f"--covariance {arguments.covariance}: {rows} rows of {len(matrix)} numbers, where the {n} rows "
            f"of {table.origin} need {n} of {n}; a header line is not needed"
        )
    return np.column_stack([matrix[name] for name in matrix])


def _of_prediction(text: str, table: Table) -> Formula | None:
    """--sigma or --weights as a formula of mu, the prediction; None where it needs columns only."""
    if text in table or MU in table:
        return None
    expression = parse(text, (*table, MU))
    return expression if MU in expression.data_names and not expression.param_names else None


def values(texts: Sequence[str], option: str) -> dict[str, float]:
    """``["a=1,b=2"]`` as a mapping; OptionError says what is wrong with an item.

    >>> values(["a=1,b=-2e3"], "--start")
    {'a': 1.0, 'b': -2000.0}
    """
    return {name: number(text, option, name) for name, text in _items(texts, option, "a=1,b=2")}


def bounds(texts: Sequence[str]) -> dict[str, tuple[float | None, float | None]]:
    """``["a=0:,b=:5"]`` as a mapping to (low, high), None where a side is empty; also of expressions.

    >>> bounds(["a=0:,b=:5", "a - b=0:1"])
    {'a': (0.0, None), 'b': (None, 5.0), 'a - b': (0.0, 1.0)}
    """
    limits = {}
    for name, text in _items(texts, "--bounds", "a=0:,b=:5,c=1:2"):
        low, colon, high = text.partition(":")
        if not colon or not (low.strip() or high.strip()):
            raise OptionError(
                f"--bounds {name}={text}: write low:high, where one side may be empty, as in {name}=0:"
            )
        limits[name] = (number(low, "--bounds", name, True), number(high, "--bounds", name, True))
    return limits


def ties(texts: Sequence[str]) -> dict[str, str]:
    """``["w2=2*w1"]`` as a mapping; each option holds one tie, as expressions hold commas.

    >>> ties(["w2=2*w1", "x2=x1 + dx"])
    {'w2': '2*w1', 'x2': 'x1 + dx'}
    """
    found: dict[str, str] = {}
    for item in texts:
        name, equals, expression = (part.strip() for part in item.partition("="))
        if not (name and equals and expression):
            raise OptionError(f"--tie: `{item.strip()}` is not of the form name=expression, as in w2=2*w1")
        if name in found:
            raise OptionError(f"--tie names `{name}` twice")
        found[name] = expression
    return found


def priors(texts: Sequence[str]) -> dict[str, tuple[float, float]]:
    """``["a=1:0.1"]`` as a mapping to (mean, sd).

    >>> priors(["a=1:0.1"])
    {'a': (1.0, 0.1)}
    """
    found = {}
    for name, text in _items(texts, "--prior", "a=1:0.1,b=2:0.5"):
        mean, colon, sd = text.partition(":")
        if not colon:
            raise OptionError(f"--prior {name}={text}: write mean:sd, as in {name}=1:0.1")
        found[name] = (number(mean, "--prior", name), number(sd, "--prior", name))
    return found


def ridge(texts: Sequence[str]) -> float | dict[str, float] | None:
    """``["0.1"]`` as a number, ``["a=0.1,b=2"]`` as a mapping, None where nothing is given.

    >>> ridge(["0.1"]), ridge(["a=0.1"])
    (0.1, {'a': 0.1})
    """
    if len(texts) == 1 and "=" not in texts[0]:
        return float(number(texts[0], "--ridge", "all parameters"))
    return values(texts, "--ridge") or None


_OUTSIDE_PARENTHESES = re.compile(r",(?![^()]*\))")
"""A comma between items; those within a function's parentheses belong to an expression."""


def _items(texts: Sequence[str], option: str, example: str) -> list[tuple[str, str]]:
    items: list[tuple[str, str]] = []
    for item in _OUTSIDE_PARENTHESES.split(",".join(texts)):
        if not item.strip():
            continue
        name, equals, text = (part.strip() for part in item.partition("="))
        if not (name and equals and text):
            raise OptionError(
                f"{option}: `{item.strip()}` is not of the form name=value; write {option} {example}"
            )
        if name in dict(items):
            raise OptionError(f"{option} names `{name}` twice")
        items.append((name, text))
    return items


def number(text: str, option: str, name: str, optional: bool = False) -> Any:
    """A finite number, or None for an empty text where `optional`."""
    if optional and not text.strip():
        return None
    try:
        value = float(text)
    except ValueError:
        raise OptionError(f"{option}: `{text.strip()}`, given for `{name}`, is not a number") from None
    if not math.isfinite(value):
        hint = "; leave the side empty for no bound" if optional else ""
        raise OptionError(f"{option}: the value of `{name}` must be finite, not {text.strip()}{hint}")
    return value


def _formula(text: str | None, table: Table) -> Formula:
    if text is None and table.nist is not None and table.nist.formula:
        text = table.nist.formula
    columns = ", ".join(table)
    if text is None:
        raise FormulaError(
            f'a formula is needed, such as "y ~ a*x + b"; the columns of {table.origin} are: {columns}'
        )
    formula = parse(text, tuple(table), MODELS)
    if formula.response is None:
        raise FormulaError(f"which column is fitted? Write `column ~ {text}`; the columns are: {columns}")
    if not formula.data_names:
        raise FormulaError(f"the model `{text}` uses no column; the columns are: {columns}")
    _remark(formula, table)
    return formula


def _remark(formula: Formula, table: Table) -> None:
    """Speak up where a column was probably meant: a parameter that differs from it in case only."""
    folded = {name.casefold(): name for name in table}
    for name in formula.param_names:
        if name.casefold() in folded:
            column = folded[name.casefold()]
            print(
                f"marquardt: note: `{name}` is fitted as a parameter; the column is `{column}`",
                file=sys.stderr,
            )


def _data(table: Table, formula: Formula, arguments: argparse.Namespace) -> dict[str, Any]:
    """The columns the fit needs; what is wrong in one is refused here, where its line is known."""
    assert formula.response is not None
    data: dict[str, Any] = {name: table[name] for name in (*formula.response.data_names, *formula.data_names)}
    for option, key in (("sigma", _SIGMA), ("weights", _WEIGHTS), ("trials", _TRIALS)):
        text = getattr(arguments, option)
        if text and (rule := _of_prediction(text, table)) is not None:
            data |= {name: table[name] for name in rule.data_names if name != MU}
        elif text:
            data[key] = _per_row(text, option, table)
    if not arguments.drop_missing:
        for name, column in data.items():
            _refuse(~np.isfinite(column), column, f"column `{name.strip()}`", table)
        with np.errstate(all="ignore"):
            response = formula.response(table)
        _refuse(~np.isfinite(response), response, f"`{formula.response.text}`", table)
    if _SIGMA in data:
        _refuse(data[_SIGMA] <= 0, data[_SIGMA], "sigma", table, "a standard deviation must be positive")
    if _WEIGHTS in data:
        _refuse(data[_WEIGHTS] < 0, data[_WEIGHTS], "weights", table, "a weight must not be negative")
    return data


def _per_row(text: str, option: str, table: Table) -> Any:
    """A column, a number or an expression of columns, one value for each row."""
    if text in table:
        return table[text]
    expression = parse(text, tuple(table))
    if expression.response is not None or expression.param_names:
        guilty = ", ".join(f"`{name}`" for name in expression.param_names) or "`~`"
        known = ", ".join(table) + ("" if MU in table else f"; {MU} is the prediction")
        raise OptionError(f"--{option} {text}: {guilty} is no column; the columns are: {known}")
    return np.broadcast_to(expression(table), (len(table.lines),))


def _refuse(bad: Any, column: Any, what: str, table: Table, why: str = _DROP) -> None:
    """DataError with the line of the first bad value, if there is one."""
    rows = np.flatnonzero(bad)
    if rows.size:
        value = column[rows[0]]
        problem = (
            "the value is missing"
            if np.isnan(value) and what.startswith("column")
            else f"the value is {value:g}"
        )
        count = f" (and {rows.size - 1} more)" if rows.size > 1 else ""
        raise DataError(f"{table.origin}, line {table.lines[rows[0]]}, {what}: {problem}{count}; {why}")


# ----------------------------------------------------------------------------------------------------- output


def as_json(result: Any) -> str:
    """``result.to_dict()`` as JSON text; numbers that are not finite are null."""
    return json.dumps(result.to_dict(), indent=2, ensure_ascii=False, allow_nan=False)


def _write(result: Any, arguments: argparse.Namespace) -> None:
    if arguments.json and arguments.json != "-":
        Path(arguments.json).write_text(as_json(result) + "\n", encoding="utf-8")
    if arguments.html:
        result.to_html(arguments.html)
    if arguments.plot:
        save_plot(result, arguments.plot)


def save_plot(result: Any, path: str | Path) -> None:
    """Draw a result into a file; the ending of its name chooses the format."""
    try:
        result.plot().savefig(path, dpi=150)
    except ValueError as error:  # matplotlib names the formats it can write
        raise OptionError(f"the plot {path} cannot be written: {error}") from None
