"""Stand-ins for math and cmath."""

# mypy: disable-error-code="no-any-return"
from __future__ import annotations

import builtins
import cmath
import math
from collections.abc import Callable
from typing import Any

from . import creation, functions
from .creation import has_symbol
from .symbol import Symbol, current, lift
from .ufuncs import call

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
