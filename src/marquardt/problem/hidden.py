"""Can anything but its arguments change what a function gives?"""

from __future__ import annotations

import dis
import math
from functools import lru_cache
from types import CodeType, FunctionType
from typing import Any

import numpy as np

_HARMLESS = frozenset({"abs", "float", "pow"})
_OUTWARD = frozenset(
    {"STORE_GLOBAL", "DELETE_GLOBAL", "STORE_ATTR", "STORE_DEREF", "IMPORT_NAME", "YIELD_VALUE"}
)


def has_hidden_state(function: Any) -> bool:
    """False for a plain function that calls nothing but NumPy's ufuncs and `math`, on arguments and numbers.

    Such a function always gives what its trace gives: there is no counter, no file, no random number it could
    reach, and a changed number among its globals is noticed by the trace's fingerprint.

    >>> has_hidden_state(lambda x, a, b: a * np.exp(-b * x))
    False
    >>> has_hidden_state(lambda x, a: a * x + np.random.normal())
    True
    """
    if type(function) is not FunctionType:
        return True
    code = function.__code__
    numbers = [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
    try:
        numbers += [cell.cell_contents for cell in function.__closure__ or ()]
    except ValueError:  # an empty cell
        return True
    if not all(_is_number(value) for value in numbers):
        return True
    if _reaches_out(code):
        return True
    return not all(_is_known(name, function.__globals__) for name in code.co_names)


@lru_cache(maxsize=256)
def _reaches_out(code: CodeType) -> bool:
    """Does it define a function, or write to anything but its own variables?"""
    if any(isinstance(c, CodeType) for c in code.co_consts):
        return True
    return any(i.opname in _OUTWARD for i in dis.get_instructions(code))


def _is_known(name: str, scope: dict[str, Any]) -> bool:
    """A global name or an attribute: numpy, math, a ufunc, a function of `math`, a number."""
    if name in scope:
        value = scope[name]
        return value is np or value is math or isinstance(value, np.ufunc) or _is_number(value)
    if name in _HARMLESS:
        return True
    return isinstance(getattr(np, name, None), (np.ufunc, float)) or callable(getattr(math, name, None))


def _is_number(value: Any) -> bool:
    return value is None or isinstance(value, (int, float, np.number, str))
