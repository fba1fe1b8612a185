"""Stand-ins for numpy, math, cmath, scipy and builtins that know symbols."""

# mypy: disable-error-code="no-any-return"
from __future__ import annotations

import builtins
import cmath
import importlib
import math
import types
from collections.abc import Callable
from typing import Any

import numpy as np

from . import creation, functions, integrals, reduce
from .context import STATE, Abort
from .creation import has_symbol
from .functions import FUNCTIONS, frozen_function
from .symbol import Symbol, captured, current, lift
from .ufuncs import call


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


class TypeProxy:
    """A number type that passes symbols through; usable as a dtype and in isinstance."""

    def __init__(self, kind: type, convert: Callable[..., Any]) -> None:
        self.kind, self.convert = kind, convert
        self.__name__ = kind.__name__
        self.dtype: np.dtype[Any] = np.dtype(np.int64 if kind is int else kind)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.convert(*args, **kwargs) if has_symbol(args) else self.kind(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["kind"], name)

    def __eq__(self, other: object) -> bool:
        return other is self or other is self.kind

    def __hash__(self) -> int:
        return hash(self.kind)

    def __instancecheck__(self, value: Any) -> bool:
        return _isinstance(value, self)

    def __or__(self, other: Any) -> Any:
        return (self, other)


class Vectorized:
    """np.vectorize: rows together when the function allows it, else point by point."""

    def __init__(self, function: Callable[..., Any], signature: Any = None, excluded: Any = None) -> None:
        self.function, self.signature = function, signature

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        from .paths import explore

        ctx = current()
        if self.signature is not None:
            ctx.abort("vectorize with a signature")
        if not has_symbol(args) and not has_symbol(kwargs):
            return np.vectorize(self.function)(*args, **kwargs)
        return explore(ctx, self.function, args, kwargs)


# -- numpy -----------------------------------------------------------------------------------------------
def _array(value: Any, dtype: Any = None, copy: Any = True, ndmin: int = 0, **_: Any) -> Any:
    ctx = current()
    if not has_symbol(value):
        if dtype is object or isinstance(value, str):
            return np.array(value, dtype=dtype)
        made = np.array(
            list(value) if type(value).__name__ in _LAZY else value, dtype=_plain_dtype(dtype), ndmin=ndmin
        )
        if made.dtype == object:
            return creation.array(ctx, made.tolist(), _plain_dtype(dtype))
        return captured(ctx, made) if made.dtype.kind in "fc" and made.ndim else made
    result = creation.array(ctx, value, _plain_dtype(dtype))
    while result.ndim < ndmin:
        result = result[None]
    return result


_LAZY = ("generator", "zip", "map", "dict_values", "filter")


def _asarray(value: Any, dtype: Any = None, *_: Any, **__: Any) -> Any:
    if type(value) is Symbol:
        return value if dtype is None else creation.astype(value, _plain_dtype(dtype))
    return _array(value, dtype)


def _plain_dtype(dtype: Any) -> Any:
    return dtype.kind if isinstance(dtype, TypeProxy) else dtype


def _buffer(value: float) -> Callable[..., Any]:
    def make(shape: Any, dtype: Any = None, *_: Any, **__: Any) -> Any:
        kind = _plain_dtype(dtype)
        if kind is not None and np.dtype(kind).kind not in "biufc":
            return np.full(shape, value, dtype=kind)
        return creation.full(current(), shape, value, float if kind is None else kind)

    return make


def _like(value: float) -> Callable[..., Any]:
    def make(x: Any, dtype: Any = None, shape: Any = None, **_: Any) -> Any:
        x = x if type(x) is Symbol else np.asarray(creation.array(current(), x) if has_symbol(x) else x)
        return creation.full(
            current(), x.shape if shape is None else shape, value, _plain_dtype(dtype) or x.dtype
        )

    return make


def _full(shape: Any, value: Any, dtype: Any = None, **_: Any) -> Any:
    return creation.full(current(), shape, value, _plain_dtype(dtype))


def _full_like(x: Any, value: Any, dtype: Any = None, **_: Any) -> Any:
    shape = x.shape if hasattr(x, "shape") else np.shape(x)
    kind = _plain_dtype(dtype) or getattr(x, "dtype", None)
    return creation.astype(creation.full(current(), shape, value), kind)


def _arange(*args: Any, **kwargs: Any) -> Any:
    plain = {k: _plain_dtype(v) for k, v in kwargs.items()}
    if not has_symbol(args):
        made = np.arange(*args, **plain)
        return captured(current(), made) if made.dtype.kind == "f" else made
    start, stop, step = (0.0, args[0], 1.0) if len(args) == 1 else (*args, 1.0)[:3]
    n = math.ceil(lift(current(), (stop - start) / step))
    return start + step * np.arange(n)


def _linspace(*args: Any, **kwargs: Any) -> Any:
    if has_symbol(args[:2]):
        return functions.linspace(*args, **kwargs)
    made = np.linspace(*args, **kwargs)
    return captured(current(), made) if isinstance(made, np.ndarray) and made.ndim else made


def _fromiter(values: Any, dtype: Any = None, *_: Any, **__: Any) -> Any:
    return _array(list(values), dtype)


def _concatenating(name: str) -> Callable[..., Any]:
    real = getattr(np, name)
    return lambda *args, **kwargs: (
        functions.dispatch(current(), real, args, kwargs) if has_symbol(args) else real(*args, **kwargs)
    )


def _frompyfunc(function: Any, *_: Any, **__: Any) -> Any:
    return Vectorized(function)


def _vectorize(pyfunc: Any = None, otypes: Any = None, signature: Any = None, **_: Any) -> Any:
    return _vectorize_later if pyfunc is None else Vectorized(pyfunc, signature)


def _vectorize_later(function: Any) -> Any:
    return Vectorized(function)


def _real_if_close(x: Any, *_: Any, **__: Any) -> Any:
    return x


class Poly1d:
    """np.poly1d with symbols for coefficients."""

    def __init__(self, coefficients: Any, *_: Any, **__: Any) -> None:
        self.coeffs = self.c = list(coefficients)

    def __call__(self, x: Any) -> Any:
        from .linear import polyval

        return polyval(self.c, x)


def _poly1d(coefficients: Any, *args: Any, **kwargs: Any) -> Any:
    if not has_symbol(coefficients) or args or kwargs:
        coefficients = coefficients if type(coefficients) is not Symbol else list(coefficients)
    return Poly1d(coefficients)


class Joined:
    """np.r_ and np.c_ with symbols among the pieces."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __getitem__(self, key: Any) -> Any:
        parts = key if isinstance(key, tuple) else (key,)
        if not has_symbol(parts):
            return getattr(np, self.name)[key]
        pieces = [getattr(np, self.name)[p] if isinstance(p, slice) else p for p in parts]
        arrays = [lift(current(), p) for p in pieces]
        if self.name == "c_":
            return FUNCTIONS["column_stack"](arrays)
        return FUNCTIONS["concatenate"]([FUNCTIONS["atleast_1d"](a) for a in arrays])


def _issubdtype(a: Any, b: Any) -> Any:
    return np.issubdtype(_plain_dtype(a), _plain_dtype(b))


def _zero(x: Any) -> Any:
    return lift(current(), x)


_CREATORS: dict[str, Any] = {
    "zeros": _buffer(0.0),
    "ones": _buffer(1.0),
    "empty": _buffer(0.0),
    "full": _full,
    "full_like": _full_like,
    "zeros_like": _like(0.0),
    "ones_like": _like(1.0),
    "empty_like": _like(0.0),
    "array": _array,
    "asarray": _asarray,
    "asanyarray": _asarray,
    "ascontiguousarray": _asarray,
    "asfarray": _asarray,
    "asarray_chkfinite": _asarray,
    "fromiter": _fromiter,
    "require": _asarray,
    "arange": _arange,
    "linspace": _linspace,
    "vectorize": _vectorize,
    "frompyfunc": _frompyfunc,
    "r_": Joined("r_"),
    "c_": Joined("c_"),
    "poly1d": _poly1d,
    "real_if_close": _real_if_close,
    "issubdtype": _issubdtype,
}


def _number(kind: type) -> TypeProxy:
    return TypeProxy(kind, lambda x, *_: creation.astype(lift(current(), x), kind))


def _float(x: Any, *_: Any) -> Any:
    """float() keeps the expression: a bare number would lose the derivative."""
    if type(x) is Symbol:
        if x.size != 1 and not x.ctx.scalar_rows:
            raise TypeError("only length-1 arrays can be converted to Python scalars")
        if x.im is not None:
            raise TypeError("can't convert complex to float")
        return x if x.size != 1 or x.shape == () else x.reshape(())
    return lift(current(), x)


def _int(x: Any, *_: Any) -> Any:
    return x.__int__()


def _complex(re: Any = 0.0, im: Any = 0.0) -> Any:
    return call(
        "add", creation.astype(lift(current(), re), complex), call("multiply", 1j, lift(current(), im))
    )


FLOAT, INT, COMPLEX = TypeProxy(float, _float), TypeProxy(int, _int), TypeProxy(complex, _complex)


# -- builtins --------------------------------------------------------------------------------------------
_REAL_TYPES = (float, np.floating, np.float64, np.number, np.generic, np.inexact)


def _isinstance(value: Any, kinds: Any) -> bool:
    """A symbol is the array (or, without axes, the number) that it stands for."""
    options = _flat_types(kinds)
    if type(value) is not Symbol:
        return isinstance(value, options)
    if value.shape != () and not value.ctx.scalar_rows:
        return any(
            o in (np.ndarray, object) or getattr(o, "__name__", "") in ("Iterable", "Sequence", "Sized")
            for o in options
        )
    sample: Any = {"f": np.float64(0), "i": np.int64(0), "b": np.bool_(False), "c": np.complex128(0)}[
        value.kind
    ]
    return isinstance(sample, options)


def _flat_types(kinds: Any) -> tuple[Any, ...]:
    if isinstance(kinds, tuple):
        return tuple(o for k in kinds for o in _flat_types(k))
    if isinstance(kinds, types.UnionType):
        return tuple(o for k in kinds.__args__ for o in _flat_types(k))
    return (kinds.kind if isinstance(kinds, TypeProxy) else kinds,)


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
    "isinstance": _isinstance,
    "sum": _sum,
    "pow": _pow,
    "type": _type,
    "max": _extreme("maximum", max, lambda a, b: a > b),
    "min": _extreme("minimum", min, lambda a, b: a < b),
    "__import__": _import,
    "hasattr": _hasattr,
    "print": _print,
}


# -- math, cmath ------------------------------------------------------------------------------------------
_MATH = {
    "exp": "exp",
    "expm1": "expm1",
    "exp2": "exp2",
    "log1p": "log1p",
    "log2": "log2",
    "log10": "log10",
    "sqrt": "sqrt",
    "cbrt": "cbrt",
    "sin": "sin",
    "cos": "cos",
    "tan": "tan",
    "asin": "arcsin",
    "acos": "arccos",
    "atan": "arctan",
    "atan2": "arctan2",
    "sinh": "sinh",
    "cosh": "cosh",
    "tanh": "tanh",
    "asinh": "arcsinh",
    "acosh": "arccosh",
    "atanh": "arctanh",
    "pow": "float_power",
    "hypot": "hypot",
    "fabs": "absolute",
    "fmod": "fmod",
    "copysign": "copysign",
    "erf": "erf",
    "erfc": "erfc",
    "gamma": "gamma",
    "lgamma": "gammaln",
    "isnan": "isnan",
    "isfinite": "isfinite",
    "isinf": "isinf",
    "radians": "radians",
    "degrees": "degrees",
}


def _mathematical(real: Callable[..., Any], name: str) -> Callable[..., Any]:
    def function(*args: Any) -> Any:
        if not has_symbol(args):
            return real(*args)
        for a in args:
            if type(a) is Symbol and a.size != 1 and not a.ctx.scalar_rows:
                raise TypeError("only length-1 arrays can be converted to Python scalars")
        result = call(name, *args)
        return result.reshape(()) if result.shape and result.size == 1 else result

    function.__name__ = real.__name__
    return function


def _math_log(x: Any, base: Any = None) -> Any:
    if not has_symbol((x, base)):
        return math.log(x) if base is None else math.log(x, base)
    top = _mathematical(math.log, "log")(x)
    return top if base is None else top / _mathematical(math.log, "log")(base)


def _whole(real: Callable[..., Any]) -> Callable[..., Any]:
    name = {"floor": "floor", "ceil": "ceil", "trunc": "trunc"}[real.__name__]
    return lambda x: (
        (call(name, x) if x.ctx.scalar_rows else int(call(name, x))) if type(x) is Symbol else real(x)
    )


def _math_sum(values: Any) -> Any:
    items = list(values)
    return builtins.sum(items, 0.0) if has_symbol(items) else math.fsum(items)


def _math_prod(values: Any, *, start: Any = 1) -> Any:
    for value in values:
        start = start * value
    return start


def _math_isclose(a: Any, b: Any, *, rel_tol: float = 1e-9, abs_tol: float = 0.0) -> Any:
    if not has_symbol((a, b)):
        return math.isclose(a, b, rel_tol=rel_tol, abs_tol=abs_tol)
    larger = call("maximum", abs(lift(current(), a)), abs(b))
    return call("less_equal", abs(a - b), call("maximum", rel_tol * larger, abs_tol))


MATH: dict[str, Any] = {
    **{n: _mathematical(getattr(math, n), u) for n, u in _MATH.items() if hasattr(math, n)},
    "log": _math_log,
    "fsum": _math_sum,
    "prod": _math_prod,
    "isclose": _math_isclose,
    "floor": _whole(math.floor),
    "ceil": _whole(math.ceil),
    "trunc": _whole(math.trunc),
}


def _to_complex(name: str) -> Callable[..., Any]:
    real = getattr(cmath, name)
    return lambda z: call(name, creation.astype(z, complex)) if type(z) is Symbol else real(z)


def _phase(z: Any) -> Any:
    return functions.FUNCTIONS["angle"](creation.astype(z, complex)) if type(z) is Symbol else cmath.phase(z)


def _rect(r: Any, phi: Any) -> Any:
    return r * call("exp", 1j * phi) if has_symbol((r, phi)) else cmath.rect(r, phi)


CMATH: dict[str, Any] = {
    **{
        n: _to_complex(n)
        for n in ("exp", "sqrt", "log", "log10", "sin", "cos", "tan", "sinh", "cosh", "tanh")
    },
    "phase": _phase,
    "rect": _rect,
    "polar": lambda z: (abs(z), _phase(z)) if type(z) is Symbol else cmath.polar(z),
}


# -- which stand-in for which object -------------------------------------------------------------------------
_SPACES: dict[str, Namespace] = {}
_TABLE: dict[int, Any] = {}
_FLOATS = (np.float64, np.float32, np.complex128, np.int64, np.int32)


def _fill_table() -> None:
    for name, made in _CREATORS.items():
        if hasattr(np, name):
            _TABLE[id(getattr(np, name))] = made
    for name, made in MATH.items():
        _TABLE[id(getattr(math, name))] = made
    for name, made in CMATH.items():
        _TABLE[id(getattr(cmath, name))] = made
    for kind in _FLOATS:
        _TABLE[id(kind)] = _number(kind)


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
            own = {n: made for n, made in _CREATORS.items()}
            own["trapz"] = own["trapezoid"] = _concatenating(
                "trapezoid" if hasattr(np, "trapezoid") else "trapz"
            )
        elif name == "numpy.polynomial.polynomial":
            from .linear import polynomial_value

            own = {"polyval": polynomial_value}
        elif name in ("math", "cmath"):
            own = dict(MATH if name == "math" else CMATH)
        found = _SPACES[name] = Namespace(importlib.import_module(name), own)
    return found
