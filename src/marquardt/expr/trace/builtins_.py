"""Stand-ins for Python's builtins."""

# mypy: disable-error-code="no-any-return"
from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Any

import numpy as np

from . import reduce
from .creation import has_symbol
from .number_types import COMPLEX, FLOAT, INT, is_instance
from .symbol import Symbol
from .ufuncs import call


def _extreme(name: str, real: Callable[..., Any], better: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    def function(*args: Any, key: Any = None, **kwargs: Any) -> Any:
        if key is not None or not has_symbol(args):
            return real(*args, key=key, **kwargs) if key is not None else real(*args, **kwargs)
        if len(args) == 1 and type(args[0]) is Symbol:
            return reduce.fold(args[0], name, 0)
        items = list(args[0]) if len(args) == 1 else list(args)
        if any(type(i) is Symbol and i.size > 1 and i.ctx.scalar_rows for i in items):
            best = items[0]
            for item in items[1:]:
                best = call(name, best, item) if has_symbol((best, item)) else real(best, item)
            return best
        best = items[0]
        for item in items[1:]:
            if better(item, best):
                best = item
        return best

    return function


def _sum(values: Any, start: Any = 0) -> Any:
    if type(values) is Symbol and values.ndim:
        return reduce.total(values, 0) + start
    return builtins.sum(values, start)


def _pow(base: Any, exponent: Any, modulus: Any = None) -> Any:
    return base**exponent if modulus is None else pow(base, exponent, modulus)


def _type(*args: Any) -> Any:
    if len(args) == 1 and type(args[0]) is Symbol:
        s = args[0]
        if s.shape != ():
            return np.ndarray
        return {"f": np.float64, "i": np.int64, "b": np.bool_, "c": np.complex128}[s.kind]
    return type(*args)


def _import(name: str, scope: Any = None, local: Any = None, names: Any = (), level: int = 0) -> Any:
    """`import numpy as np` inside the function finds the stand-ins too."""
    from .namespaces import namespace_of

    module = builtins.__import__(name, scope, local, names, level)
    known = namespace_of(module)
    return module if known is None else known


def _hasattr(value: Any, name: str) -> bool:
    if type(value) is Symbol:
        return hasattr(np.empty(value.shape) if value.shape else np.float64(0.0), name)
    return hasattr(value, name)


def _print(*values: Any, **options: Any) -> None:
    """What is printed cannot come back as a number: the current values will do."""
    print(*[v.concrete()[()] if type(v) is Symbol else v for v in values], **options)


def _callable(value: Any) -> bool:
    return callable(value) and type(value) is not Symbol


BUILTINS: dict[str, Any] = {
    **vars(builtins),
    "float": FLOAT,
    "int": INT,
    "complex": COMPLEX,
    "isinstance": is_instance,
    "sum": _sum,
    "pow": _pow,
    "type": _type,
    "max": _extreme("maximum", max, lambda a, b: a > b),
    "min": _extreme("minimum", min, lambda a, b: a < b),
    "__import__": _import,
    "hasattr": _hasattr,
    "print": _print,
}
