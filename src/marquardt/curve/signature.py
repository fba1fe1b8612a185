"""What a model function's signature says: which arguments may be parameters, and how it is called."""

from __future__ import annotations

import inspect
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from numbers import Real
from typing import Any

import numpy as np

from ..errors import ModelError

Function = Callable[..., Any]


@dataclass(frozen=True)
class Signature:
    """Arguments of a function: those without a default, those with one, and the name of ``*args``."""

    function: Function
    name: str
    required: tuple[str, ...]
    defaults: dict[str, object]
    star: str | None
    positional_only: bool
    keywords: frozenset[str]
    """Arguments that can only be given by name (they stay Python options unless named in start)."""
    code: object
    wrappers: dict[tuple[object, ...], Function] = field(default_factory=dict)

    @property
    def positional(self) -> tuple[str, ...]:
        """Arguments that may be given by position, in order."""
        return self.required + tuple(n for n in self.defaults if n not in self.keywords)

    @cached_property
    def simple(self) -> tuple[str, ...] | None:
        """The first argument, where ``f(x, a=..., b=...)`` is how the function is called; else None."""
        if not self.positional or self.star is not None or self.positional_only:
            return None
        return self.positional[:1]

    @cached_property
    def plain_parameters(self) -> tuple[str, ...]:
        """The parameters after one independent variable, when nothing is named."""
        return self.parameters(self.positional[:1], frozenset())

    def parameters(self, independent: tuple[str, ...], named: frozenset[str]) -> tuple[str, ...]:
        """The arguments that are parameters.

        Those without default after the independent variables; if there are none, those with a numeric
        default; and any argument in `named` (it has a start value, a bound or is fixed).
        """
        plain = [n for n in self.required if n not in independent]
        if not plain and self.star is None:
            plain = [n for n, v in self.defaults.items() if is_number(v) and n not in self.keywords]
        chosen = {*plain, *named}
        names = [n for n in (*self.required, *self.defaults) if n in chosen and n not in independent]
        return (*names, self.star) if self.star is not None else tuple(names)

    def callable(self, independent: tuple[str, ...], parameters: tuple[str, ...]) -> Function:
        """A function called as ``f(*independent values, **parameters)``: the user's own wherever possible."""
        leading = self.positional[: len(independent)] == independent
        if leading and self.star is None and not self.positional_only:
            return self.function
        key = (independent, parameters)
        if key not in self.wrappers:
            self.wrappers[key] = _wrap(self.function, self.positional, independent, parameters, self.star)
        return self.wrappers[key]


def _wrap(
    function: Function,
    positional: tuple[str, ...],
    independent: tuple[str, ...],
    parameters: tuple[str, ...],
    star: str | None,
) -> Function:
    """Put independent variables and parameters where the signature wants them."""
    order = tuple(n for n in positional if n in independent or n in parameters)

    def by_name(*columns: Any, **values: Any) -> Any:
        for name, column in zip(independent, columns, strict=True):
            values[name] = column
        return function(**values)

    def by_position(*columns: Any, **values: Any) -> Any:
        for name, column in zip(independent, columns, strict=True):
            values[name] = column
        rest = values[star] if star is not None else ()
        return function(*[values[name] for name in order], *rest)

    return by_name if star is None and order[: len(independent)] != independent else by_position


_KNOWN: OrderedDict[object, Signature] = OrderedDict()
_REMEMBERED = 256


def signature_of(function: Function) -> Signature:
    """The (remembered) signature of a function.

    >>> signature_of(lambda x, a, b, power=2: a * x**power + b).required
    ('x', 'a', 'b')
    """
    try:
        known = _KNOWN.get(function)
    except TypeError:  # not hashable
        return _inspect(function)
    code = _code(function)
    if known is None or known.code != code:
        known = _KNOWN[function] = _inspect(function)
        if len(_KNOWN) > _REMEMBERED:
            _KNOWN.popitem(last=False)
    return known


def _code(function: Function) -> object:
    defaults = getattr(function, "__defaults__", None)
    return id(getattr(function, "__code__", None)), id(defaults)


def _inspect(function: Function) -> Signature:
    name = getattr(function, "__name__", type(function).__name__)
    try:
        body = function.pyfunc if isinstance(function, np.vectorize) else function
        arguments = inspect.signature(body).parameters
    except (TypeError, ValueError):
        raise ModelError(
            f"the arguments of `{name}` cannot be read; wrap it in a plain function such as "
            "`def model(x, a, b): ...`"
        ) from None
    required, defaults, keywords, star, only = [], {}, set(), None, False
    for argument in arguments.values():
        if argument.kind is argument.VAR_POSITIONAL:
            star = argument.name
        elif argument.kind is argument.VAR_KEYWORD:
            continue
        else:
            only = only or argument.kind is argument.POSITIONAL_ONLY
            if argument.kind is argument.KEYWORD_ONLY:
                keywords.add(argument.name)
            if argument.default is argument.empty:
                required.append(argument.name)
            else:
                defaults[argument.name] = argument.default
    return Signature(
        function, name, tuple(required), defaults, star, only, frozenset(keywords), _code(function)
    )


def is_number(value: object) -> bool:
    """A real number that is not a truth value: ``background=0.0`` but not ``normalize=True``."""
    return isinstance(value, Real) and not isinstance(value, bool)
