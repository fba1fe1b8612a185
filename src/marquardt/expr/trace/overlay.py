"""The overlay: a copy of the user's function whose surroundings know symbols. The original is never changed.

Globals, closure cells, defaults and attributes are replaced by versions for symbols; helper functions are
copied in turn, jitted ones by their Python body, methods with a copy of their object.
"""

from __future__ import annotations

import builtins
import functools
import types
from collections.abc import Callable
from typing import Any

import numpy as np

from .builtins_ import BUILTINS
from .captures import captured
from .context import Context
from .creators import Vectorized
from .fingerprint import Fingerprint
from .namespaces import Namespace, Opaque, namespace_of, replaced
from .number_types import TypeProxy
from .symbol import Symbol

MARK = "__marquardt_overlay__"
_NAMES: dict[types.CodeType, tuple[str, ...]] = {}
_FOREIGN = (
    "numpy",
    "scipy",
    "pandas",
    "builtins",
    "math",
    "cmath",
    "matplotlib",
    "logging",
    "warnings",
    "typing",
    "collections",
    "functools",
    "itertools",
    "os",
    "sys",
    "copy",
    "time",
    "abc",
    "enum",
    "dataclasses",
    "operator",
    "random",
    "re",
    "json",
    "string",
    "threading",
    "contextlib",
    "inspect",
    "numba",
)


def names_of(code: types.CodeType) -> tuple[str, ...]:
    """Global names (and attributes, harmlessly) that code and the code nested in it use."""
    found = _NAMES.get(code)
    if found is None:
        names = dict.fromkeys(code.co_names)
        for constant in code.co_consts:
            if isinstance(constant, types.CodeType):
                names.update(dict.fromkeys(names_of(constant)))
        found = _NAMES[code] = tuple(names)
    return found


class Overlay:
    """Makes and remembers the replacements of one trace."""

    def __init__(self, ctx: Context, fingerprint: Fingerprint) -> None:
        self.ctx, self.fingerprint = ctx, fingerprint
        self.made: dict[int, Any] = {}
        self.alive: list[Any] = []  # ids stay valid while the objects live

    def value(self, value: Any) -> Any:
        """The replacement of any object that the function can reach, or the object itself."""
        kind = type(value)
        if kind in (int, float, str, bool, type(None), complex):
            return value
        found = self.made.get(id(value))
        if found is not None:
            return found
        result = self._make(value, kind)
        if result is not value:
            self.made[id(value)] = result
            self.alive.append(value)
        return result

    def _make(self, value: Any, kind: type) -> Any:
        known = replaced(value)
        if known is not None:
            return known
        if kind is types.ModuleType:
            return self._module(value)
        if kind is types.FunctionType:
            return self.function(value)
        if kind is types.MethodType:
            return self._method(value)
        if kind is functools.partial:
            keywords = {k: self.value(v) for k, v in value.keywords.items()}
            return functools.partial(self.value(value.func), *map(self.value, value.args), **keywords)
        if kind is np.vectorize:
            return Vectorized(self.value(value.pyfunc), value.signature)
        if isinstance(value, np.ndarray):
            return self._array(value)
        if isinstance(value, type):
            return self._class_of_user(value)
        if kind in (list, tuple, dict):
            return self._container(value)
        for attribute in ("py_func", "__wrapped__"):
            body = getattr(value, attribute, None)
            if callable(value) and isinstance(body, types.FunctionType):
                return self.function(body)
        return self._instance(value, kind)

    def _array(self, value: Any) -> Any:
        if value.dtype.kind not in "fc" or value.ndim == 0:
            return value
        symbol = captured(self.ctx, np.asarray(value))
        symbol.nodes.flags.writeable = True
        return symbol

    def _container(self, value: Any) -> Any:
        """Lists and dictionaries of functions, arrays or objects; plain ones stay."""
        items = value.values() if isinstance(value, dict) else value
        if len(items) > 200 or all(type(i) in (int, float, str, bool, complex, type(None)) for i in items):
            return value
        if isinstance(value, dict):
            return {k: self.value(v) for k, v in value.items()}
        return type(value)(self.value(v) for v in value)

    def _module(self, module: types.ModuleType) -> Any:
        known = namespace_of(module)
        if known is not None:
            return known
        if module.__name__.split(".")[0] in _FOREIGN or not hasattr(module, "__file__"):
            return module
        return Module(module, self)

    # -- functions ----------------------------------------------------------------------------------------
    def function(self, function: types.FunctionType, inside: bool = False) -> Any:
        """A copy of a Python function in overlaid surroundings; ``inside``: even one of a library."""
        found = self.made.get(id(function))
        if found is not None:
            return found
        module = (function.__module__ or "").split(".")[0]
        if module in ("numpy", "scipy") and not inside:
            return Opaque(function)
        if module in _FOREIGN and not inside:
            return function
        wrapped = getattr(function, "__wrapped__", None)
        scope: dict[str, Any] = {MARK: True, "__builtins__": BUILTINS, "__name__": function.__module__}
        cells = tuple(types.CellType() for _ in function.__closure__ or ())
        copy = types.FunctionType(function.__code__, scope, function.__name__, None, cells or None)
        self.made[id(function)] = copy
        self.alive.append(function)
        if not inside:
            self.fingerprint.function(function)
        copy.__defaults__ = tuple(map(self.value, function.__defaults__ or ())) or None
        copy.__kwdefaults__ = {k: self.value(v) for k, v in (function.__kwdefaults__ or {}).items()} or None
        copy.__dict__.update({k: v for k, v in function.__dict__.items() if v is not wrapped})
        self._fill(function, scope, cells)
        return copy

    def _fill(self, function: types.FunctionType, scope: dict[str, Any], cells: tuple[Any, ...]) -> None:
        around = function.__globals__
        for name in names_of(function.__code__):
            if name in around:
                value = around[name]
                scope[name] = self.value(value)
                self.fingerprint.name(around, name, value)
        for name, new, old in zip(
            function.__code__.co_freevars, cells, function.__closure__ or (), strict=True
        ):
            try:
                value = old.cell_contents
            except ValueError:  # not assigned yet
                continue
            new.cell_contents = value if name == "__class__" else self.value(value)
            self.fingerprint.cell(old, value)

    def _method(self, method: types.MethodType) -> Any:
        owner = method.__self__
        if isinstance(owner, type) or not isinstance(method.__func__, types.FunctionType):
            return method
        shadow = self.value(owner)
        if shadow is owner and (type(owner).__module__ or "").split(".")[0] in _FOREIGN:
            return method
        return types.MethodType(self.function(method.__func__), shadow)

    # -- objects --------------------------------------------------------------------------------------------
    def _instance(self, value: Any, kind: type) -> Any:
        """A shallow copy of a user's object whose methods are overlaid; other objects stay themselves."""
        module = (kind.__module__ or "").split(".")[0]
        if (
            isinstance(value, type)
            or module in _FOREIGN
            or module == "marquardt"
            or not hasattr(value, "__dict__")
        ):
            return value
        if not isinstance(value.__dict__, dict) or kind.__dictoffset__ == 0 or kind.__itemsize__:
            return value
        try:
            shadow: Any = object.__new__(self._class(kind))
        except TypeError:  # layouts that Python code cannot make
            return value
        self.made[id(value)] = shadow
        self.alive.append(value)
        self.fingerprint.attributes(value.__dict__)
        for name, attribute in value.__dict__.items():
            shadow.__dict__[name] = self.value(attribute)
        return shadow

    def _class_of_user(self, kind: type) -> type:
        """A user's class: objects made of it inside the function have overlaid methods too."""
        module = (kind.__module__ or "").split(".")[0]
        if module in _FOREIGN or module == "marquardt" or issubclass(kind, BaseException):
            return kind
        try:
            return self._class(kind)
        except TypeError:  # classes that cannot be derived from, like enumerations
            return kind

    def _class(self, kind: type) -> type:
        found = self.made.get(id(kind))
        if found is not None:
            return found  # type: ignore[no-any-return]
        body: dict[str, Any] = {"__slots__": ()} if kind.__dictoffset__ else {}
        shadow = type(kind)(kind.__name__, (kind,), body)
        self.made[id(kind)] = shadow
        self.alive.append(kind)
        for base in reversed(kind.__mro__):
            if (base.__module__ or "").split(".")[0] in _FOREIGN:
                continue
            for name, member in list(vars(base).items()):
                made = self._member(member)
                if made is not member:
                    type.__setattr__(shadow, name, made)
        return shadow

    def _member(self, member: Any) -> Any:
        if isinstance(member, types.FunctionType):
            return self.function(member)
        if isinstance(member, (staticmethod, classmethod)) and isinstance(
            member.__func__, types.FunctionType
        ):
            return type(member)(self.function(member.__func__))
        if isinstance(member, property) and isinstance(member.fget, types.FunctionType):
            return property(self.function(member.fget), member.fset)
        if isinstance(member, functools.cached_property):
            return property(self.function(member.func))  # type: ignore[arg-type]
        if isinstance(member, np.ndarray):
            return self.value(member)
        return member

    def entry(self, function: Any) -> Callable[..., Any]:
        """The copy of the function (or callable object) to be traced."""
        made = self.value(function)
        if made is function and isinstance(function, type):
            return function
        if made is function and not isinstance(function, (types.BuiltinFunctionType, np.ufunc)):
            call = vars(type(function)).get("__call__")
            if isinstance(call, types.FunctionType):
                return types.MethodType(self.function(call), self.value(function))
        return made  # type: ignore[no-any-return]


class Module:
    """A user's module: its functions are overlaid when they are reached."""

    def __init__(self, module: types.ModuleType, overlay: Overlay) -> None:
        self.__dict__.update(_module=module, _overlay=overlay)

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._module, name)
        made = self._overlay.value(value)
        self._overlay.fingerprint.name(vars(self._module), name, value)
        return made


__all__ = ["MARK", "Namespace", "Overlay", "Symbol", "TypeProxy", "builtins"]
