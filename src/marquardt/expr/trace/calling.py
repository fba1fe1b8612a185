"""Calling a model function: which of its arguments are data, parameters and options."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np


def bound(
    function: Any, arguments: Sequence[Any], parameters: Mapping[str, Any], options: Mapping[str, Any]
) -> Any:
    """Positional and keyword arguments: by name, unless the signature has ``*p`` or parameters first."""
    code = getattr(function, "__code__", None)
    if code is not None and not code.co_flags & inspect.CO_VARARGS:
        first = code.co_varnames[: min(code.co_argcount, len(arguments))]
        if not any(n in parameters for n in first):
            return list(arguments), {**parameters, **options}
    try:
        signature = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return list(arguments), {**parameters, **options}
    left, known = list(arguments), {**parameters, **options}
    star = next((p.name for p in signature if p.kind is p.VAR_POSITIONAL), None)
    if star is None and not any(p.name in parameters for p in list(signature)[: len(arguments)]):
        return left, known
    positional: list[Any] = []
    for p in signature:
        if p.kind is p.VAR_POSITIONAL:
            positional += left if p.name not in known else [*left, *known.pop(p.name)]
            left = []
        elif p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD):
            if p.name in known:
                positional.append(known.pop(p.name))
            elif left:
                positional.append(left.pop(0))
            else:
                break
    return positional, known


def evaluate(function: Any, arguments: Any, parameters: Any, options: Any) -> Any:
    """The function on plain values; it gets copies of arrays, in case it writes to them."""
    plain = {n: v if np.ndim(v) or isinstance(v, Mapping) else np.float64(v) for n, v in parameters.items()}
    copies = [a.copy() if isinstance(a, np.ndarray) else a for a in arguments]
    positional, keywords = bound(function, copies, plain, options)
    with np.errstate(all="ignore"):
        return function(*positional, **keywords)
