"""A fit made ready, for formulas: their columns, response and parameters."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import DataError, ModelError
from ..expr.formula import Formula, parse
from ..models.table import MODELS
from .columns import column, column_names, is_table
from .data import gather, response_of
from .parameters import plain_parameters
from .rebuild import ForFormula
from .setup import Request, Setup
from .ties import arrange_related


def from_formula(model: str | Formula, wanted: Request) -> Setup:
    x, y, data = wanted.x, wanted.y, wanted.data
    table = data
    if table is None:
        table = {n: column(x, n) for n in column_names(x)} if is_table(x) else {} if x is None else {"x": x}
        if isinstance(x, tuple | list) and np.ndim(x[0] if len(x) else 0) > 0:
            raise DataError(
                "a formula takes several independent variables by name: data={'x': ..., 'z': ..., 'y': ...}"
            )
        if y is not None and not isinstance(y, str) and "y" not in table:  # y may be a variable beside x
            table = {**table, "y": y}
    elif x is not None:
        raise DataError("with data= a formula takes its columns by name; leave x out")
    known = column_names(table)
    formula = parse(model, known, MODELS) if isinstance(model, str) else model
    if not formula.data_names and known:
        raise ModelError(f"the formula {formula.text!r} uses none of the columns ({', '.join(known)})")
    response, y_name = _response(formula, y, table)
    arguments = tuple(column(table, n) for n in formula.data_names)
    gathered = gather(
        arguments, formula.data_names, response, y_name, wanted.sigma, wanted.weights, table, wanted.missing
    )
    if not formula.param_names:
        raise ModelError(f"the formula {formula.text!r} has no parameter: every name in it is a column")
    plain = wanted.bounds is None and wanted.fixed is None and wanted.ties is None and wanted.hints is None
    parameters = plain_parameters(formula.param_names, wanted.start) if plain else None
    if parameters is None:
        parameters = arrange_related(formula.param_names, wanted, columns=known)
        if parameters.relations is not None:
            formula = parameters.relations.apply(formula)
    return Setup(formula, formula.text, gathered, parameters, ForFormula(formula.data_names))


def _response(formula: Formula, y: Any, table: Any) -> tuple[Any, str]:
    if formula.response is not None:
        left = formula.response
        if isinstance(y, str) or (y is not None and "y" not in left.data_names):
            raise DataError("the response is given twice: by the left side of the formula and by y=")
        columns = {n: column(table, n) for n in left.data_names}
        if left.param_names:
            raise DataError(
                f"the left side of the formula names {left.param_names[0]!r}, which is no column "
                f"(columns: {', '.join(column_names(table))})"
            )
        if left.node.op == "data":
            return columns[left.data_names[0]], left.text.strip()
        return left(columns), left.text.strip()
    if y is None:
        raise DataError("a formula without left side needs y=: 'y ~ ...' names the response")
    return response_of(y, table)
