"""A fit made ready: from what the caller gives to arguments, data and parameters, for functions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import DataError, ModelError
from ..problem.callback import as_real
from ..problem.model import Model
from ..solve.robust import Plan
from .columns import is_table
from .data import Data, from_table, from_x, gather, plain_data, response_of
from .expressions import names_in
from .parameters import Parameters, names_given, plain_parameters
from .penalty import PenaltyTerms
from .rebuild import ForFunction, Rebuild
from .signature import Signature, signature_of
from .ties import arrange_related


@dataclass(slots=True)  # frozen it takes 0.6 µs more to make, a fiftieth of a small fit
class Request:
    """What the caller of `fit` gives beside the model: arguments as they come."""

    x: Any
    y: Any
    data: Any
    start: Any
    bounds: Any
    fixed: Any
    sigma: Any
    weights: Any
    missing: str
    ties: Any
    hints: dict[str, Any] | None
    """Start values for parameters that have none, such as the means of their priors."""

    @property
    def is_plain(self) -> bool:
        """Is there nothing beside x, y and start values?"""
        return (
            self.data is None
            and self.sigma is None
            and self.weights is None
            and self.bounds is None
            and self.fixed is None
            and self.ties is None
            and self.hints is None
        )


@dataclass(slots=True)
class Setup:
    """A fit made ready: what is called, on which data, with which parameters."""

    function: Any
    title: str
    data: Data
    parameters: Parameters
    rebuild: Rebuild
    penalty: PenaltyTerms | None = None
    loss: Plan | None = None
    starts: int | None = None
    """How many starts are asked for."""


def from_function(function: Callable[..., Any], wanted: Request) -> Setup:
    if not callable(function):
        raise ModelError(f"the model must be a function or a formula, not {type(function).__name__}")
    signature = signature_of(function)
    plain = plain_data(wanted.x, wanted.y) if wanted.is_plain else None
    if plain is not None and signature.simple is not None:
        names, start = signature.plain_parameters, wanted.start
        if signature.defaults and type(start) is dict:  # an argument with a default may be named
            names = signature.parameters(signature.simple, frozenset(start))
        parameters = plain_parameters(names, start)
        if parameters is not None:
            plain.names = signature.simple
            return Setup(signature.function, signature.name, plain, parameters, ForFunction(signature.simple))
    return _with_care(signature, wanted)


def _with_care(signature: Signature, wanted: Request) -> Setup:
    x, y, table = wanted.x, wanted.y, wanted.data
    start = wanted.start
    by_name = start if isinstance(start, dict) or hasattr(start, "items") else None
    mentioned = names_given(by_name, wanted.bounds, wanted.fixed, wanted.hints)
    mentioned |= names_in(wanted.ties, wanted.bounds)
    mentioned &= frozenset((*signature.required, *signature.defaults))
    if table is None and is_table(x) and isinstance(y, str):
        table, x = x, None
    if y is None:
        raise DataError("y is needed: the response, as an array or as the name of a column of data=")
    if table is not None:
        independent, arguments = from_table(signature, table, x, y, mentioned)
    else:
        n_start = len(start) if isinstance(start, list | tuple | np.ndarray) else None
        independent, arguments = from_x(signature, x, int(np.size(y)), mentioned, n_start)
    response, y_name = response_of(y, table)
    names = signature.parameters(independent, mentioned)
    if not names:
        raise ModelError(
            f"`{signature.name}` has no parameter: no argument without default after the independent ones"
        )
    parameters = arrange_related(names, wanted, signature.defaults, signature.star)
    function = signature.callable(independent, names)
    if parameters.relations is not None:
        function = parameters.relations.apply(function)

    def length(arguments: tuple[Any, ...]) -> int | None:
        return _length(function, arguments, parameters)

    gathered = gather(
        arguments, independent, response, y_name, wanted.sigma, wanted.weights, table, wanted.missing, length
    )
    return Setup(function, signature.name, gathered, parameters, ForFunction(independent))


def check_used(model: Model, parameters: Parameters) -> None:
    """A parameter that does not appear in the traced expression is a mistake in the model."""
    for i in model.unused():
        if i in parameters.free:
            raise ModelError(
                f"parameter {parameters.names[i]!r} is not used by the model: remove it, or hold it with "
                f"fixed={{{parameters.names[i]!r}: value}}"
            )


def _length(function: Any, arguments: tuple[Any, ...], parameters: Parameters) -> int | None:
    """How many numbers the function gives at the start (a complex one is two); None where it raises."""
    values = parameters.provisional()
    try:
        return as_real(Model(function, parameters.shapes, {}).call(arguments, values)).size
    except Exception:
        return None
