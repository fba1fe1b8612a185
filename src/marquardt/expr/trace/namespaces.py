"""Stand-ins for modules, and the table of which object has which stand-in."""

# mypy: disable-error-code="no-any-return"
from __future__ import annotations

import cmath
import importlib
import math
import types
from collections.abc import Callable
from typing import Any

import numpy as np

from . import functions, integrals, reduce
from .context import STATE, Abort
from .creation import has_symbol
from .creators import CREATORS, concatenating
from .functions import FUNCTIONS, frozen_function
from .mathematics import CMATH, MATH
from .number_types import number_type
from .symbol import current, lift


class Namespace:
    """A module whose functions take symbols; made attribute by attribute, when asked for."""

    def __init__(self, module: types.ModuleType, own: dict[str, Any]) -> None:
        self.__dict__["_module"] = module
        self.__dict__.update(own)

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._module, name)
        if isinstance(value, types.ModuleType):
            known = namespace_of(value)
            return value if known is None else known
        made = replaced(value)
        if made is None:
            made = Opaque(value) if _is_function(value) else value
        self.__dict__[name] = made
        return made


def _is_function(value: Any) -> bool:
    return isinstance(value, (types.FunctionType, types.BuiltinFunctionType)) or type(value).__name__ in (
        "_ArrayFunctionDispatcher",
        "cython_function_or_method",
        "fused_cython_function",
    )


_PYTHON = ("numpy.polynomial", "numpy.lib", "scipy.integrate._quadrature", "scipy.special._basic")


class Opaque:
    """A function that symbols cannot enter: computed on data alone, named otherwise."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.__name__ = getattr(function, "__name__", "function")
        self.__wrapped__ = function

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if STATE.current is None:
            return self.function(*args, **kwargs)
        home = self.function.__module__ or ""
        row = FUNCTIONS.get(self.__name__) if home.startswith("numpy") else None
        if home.startswith("scipy.integrate"):
            row = {**integrals.SCIPY, "trapezoid": reduce.trapezoid}.get(self.__name__)
            if row is not None and has_symbol(args):
                return row(*args, **kwargs)
            row = None
        if row is not None and (has_symbol(args) or has_symbol(kwargs)):
            return functions.dispatch(STATE.current, self.function, args, dict(kwargs))
        body = self._body()
        try:
            try:
                return frozen_function(STATE.current, self.function, args, kwargs)
            except Abort:
                if body is None:
                    raise
                STATE.current.aborted = None
                return STATE.current.overlay.function(body, inside=True)(*args, **kwargs)
        except Abort as stop:
            stop.construct = self.__name__
            raise

    def _body(self) -> types.FunctionType | None:
        """The Python code of a library function that works on arrays of any kind."""
        body = getattr(self.function, "_implementation", self.function)
        home = getattr(body, "__module__", None) or ""
        return body if isinstance(body, types.FunctionType) and home.startswith(_PYTHON) else None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["function"], name)


class Universal:
    """A ufunc that also takes lists of symbols."""

    def __init__(self, ufunc: np.ufunc) -> None:
        self.ufunc = ufunc
        self.__name__ = ufunc.__name__

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        ready = [lift(current(), a) if isinstance(a, (list, tuple)) and has_symbol(a) else a for a in args]
        return self.ufunc(*ready, **kwargs)

    def reduce(self, array: Any, *args: Any, **kwargs: Any) -> Any:
        ready = lift(current(), array) if isinstance(array, (list, tuple)) and has_symbol(array) else array
        return self.ufunc.reduce(ready, *args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["ufunc"], name)


# -- which stand-in for which object -------------------------------------------------------------------------
_SPACES: dict[str, Namespace] = {}
_TABLE: dict[int, Any] = {}
_FLOATS = (np.float64, np.float32, np.complex128, np.int64, np.int32)


def _fill_table() -> None:
    for name, made in CREATORS.items():
        if hasattr(np, name):
            _TABLE[id(getattr(np, name))] = made
    for name, made in MATH.items():
        _TABLE[id(getattr(math, name))] = made
    for name, made in CMATH.items():
        _TABLE[id(getattr(cmath, name))] = made
    for kind in _FLOATS:
        _TABLE[id(kind)] = number_type(kind)


_fill_table()


def replaced(value: Any) -> Any:
    """The stand-in for a NumPy, math or SciPy object, None for anything else."""
    known = _TABLE.get(id(value))
    if known is not None:
        return known
    if isinstance(value, np.ufunc):
        made: Any = Universal(value)
    elif type(value).__name__ == "_ArrayFunctionDispatcher":
        made = Opaque(value)
    elif (type(value).__module__ or "").startswith("scipy.stats"):
        from .scipy_ import distribution

        made = distribution(value)
        if made is None:
            return None
    elif (
        getattr(value, "__module__", None)
        and str(value.__module__).startswith("scipy.special")
        and callable(value)
    ):
        from .scipy_ import SPECIAL

        made = SPECIAL.get(getattr(value, "__name__", "")) or Opaque(value)
    else:
        return None
    _TABLE[id(value)] = made
    _KEPT.append(value)
    return made


_KEPT: list[Any] = []


def namespace_of(module: types.ModuleType) -> Namespace | None:
    """The stand-in for a module, if it needs one."""
    name = module.__name__
    if name.split(".")[0] not in ("numpy", "scipy", "math", "cmath"):
        return None
    found = _SPACES.get(name)
    if found is None:
        own: dict[str, Any] = {}
        if name == "numpy":
            own = {n: made for n, made in CREATORS.items()}
            own["trapz"] = own["trapezoid"] = concatenating(
                "trapezoid" if hasattr(np, "trapezoid") else "trapz"
            )
        elif name == "numpy.polynomial.polynomial":
            from .linear import polynomial_value

            own = {"polyval": polynomial_value}
        elif name in ("math", "cmath"):
            own = dict(MATH if name == "math" else CMATH)
        found = _SPACES[name] = Namespace(importlib.import_module(name), own)
    return found
