"""scipy.special functions that are not ufuncs, and densities of scipy.stats distributions."""

# mypy: disable-error-code="no-any-return"
from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .creation import has_symbol
from .functions import frozen_function
from .symbol import Symbol, current, lift
from .ufuncs import call


def _logsumexp(a: Any, axis: Any = None, b: Any = None, **_: Any) -> Any:
    from .reduce import fold, total

    a = lift(current(), a)
    top = fold(a, "maximum", axis, True)
    terms = call("exp", a - top)
    summed = total(terms if b is None else b * terms, axis)
    return call("log", summed) + (top.reshape(summed.shape))


def _softmax(x: Any, axis: Any = None) -> Any:
    from .reduce import fold, total

    x = lift(current(), x)
    e = call("exp", x - fold(x, "maximum", axis, True))
    return e / total(e, axis, True)


def _polygamma(n: Any, x: Any) -> Any:
    from .cellwise import cellwise

    ctx, order = current(), int(n)
    x = lift(ctx, x)
    graph = ctx.graph
    if order == 0:
        return cellwise((x,), lambda node: graph.apply("digamma", node), "f")
    return cellwise((x,), lambda node: graph.apply("polygamma", graph.const(float(order)), node), "f")


def _factorial(n: Any, *_: Any, **__: Any) -> Any:
    return call("gamma", n + 1.0)


def _comb(n: Any, k: Any, *_: Any, **__: Any) -> Any:
    ln = (
        call("gammaln", n + 1.0) - call("gammaln", k + 1.0)
        if type(k) is Symbol
        else call("gammaln", n + 1.0) - math.lgamma(k + 1)
    )
    return call("exp", ln - call("gammaln", lift(current(), n - k + 1.0)))


def _sinc(x: Any) -> Any:
    from .functions import FUNCTIONS

    return FUNCTIONS["sinc"](x)


def _symbolic(name: str, row: Any) -> Callable[..., Any]:
    def function(*args: Any, **kwargs: Any) -> Any:
        if has_symbol(args) or has_symbol(kwargs):
            return row(*args, **kwargs)
        from scipy import special

        return getattr(special, name)(*args, **kwargs)

    function.__name__ = name
    return function


SPECIAL: dict[str, Callable[..., Any]] = {
    name: _symbolic(name, row)
    for name, row in {
        "logsumexp": _logsumexp,
        "softmax": _softmax,
        "polygamma": _polygamma,
        "factorial": _factorial,
        "comb": _comb,
        "sinc": _sinc,
        "log_softmax": lambda x, axis=None: x - _logsumexp(x, axis),
        "digamma": lambda x: call("psi", x),
    }.items()
}

_LOG_ROOT = 0.5 * math.log(2.0 * math.pi)


def _exp(x: Any) -> Any:
    return call("exp", x)


def _log(x: Any) -> Any:
    return call("log", x) if type(x) is Symbol else np.log(x)


def _gammaln(x: Any) -> Any:
    return call("gammaln", x) if type(x) is Symbol else math.lgamma(x)


def _gammaln_of(x: Any) -> Any:
    return call("gammaln", lift(current(), x))


def _inside(z: Any, value: Any, outside: float) -> Any:
    from .masks import choose

    return choose(z >= 0, value, outside)


# Log densities and distribution functions of (z, *shapes); True: zero below z = 0.
LOG_DENSITY: dict[str, tuple[Callable[..., Any], bool]] = {
    "norm": (lambda z: -0.5 * z * z - _LOG_ROOT, False),
    "cauchy": (lambda z: -_log(math.pi * (1.0 + z * z)), False),
    "logistic": (lambda z: -z - 2.0 * call("log1p", _exp(-z)), False),
    "laplace": (lambda z: -abs(z) - math.log(2.0), False),
    "gumbel_r": (lambda z: -z - _exp(-z), False),
    "gumbel_l": (lambda z: z - _exp(z), False),
    "expon": (lambda z: -z, True),
    "gamma": (lambda z, a: call("xlogy", a - 1.0, z) - z - _gammaln(a), True),
    "lognorm": (lambda z, s: -0.5 * (_log(z) / s) ** 2 - _log(s * z) - _LOG_ROOT, True),
    "weibull_min": (lambda z, c: _log(c) + call("xlogy", c - 1.0, z) - z**c, True),
    "rayleigh": (lambda z: _log(z) - 0.5 * z * z, True),
    "halfnorm": (lambda z: 0.5 * math.log(2 / math.pi) - 0.5 * z * z, True),
    "t": (
        lambda z, v: (
            _gammaln((v + 1.0) / 2.0)
            - _gammaln(v / 2.0)
            - 0.5 * _log(v * math.pi)
            - (v + 1.0) / 2.0 * call("log1p", z * z / v)
        ),
        False,
    ),
    "beta": (
        lambda z, a, b: call("xlogy", a - 1.0, z) + call("xlog1py", b - 1.0, -z) - call("betaln", a, b),
        True,
    ),
    "chi2": (
        lambda z, k: call("xlogy", 0.5 * k - 1.0, z) - 0.5 * z - _gammaln(0.5 * k) - 0.5 * k * math.log(2.0),
        True,
    ),
    "poisson": (lambda k, mu: call("xlogy", k, mu) - _gammaln_of(k + 1.0) - mu, True),
    "skewnorm": (lambda z, a: -0.5 * z * z - _LOG_ROOT + math.log(2.0) + call("log_ndtr", a * z), False),
}
CUMULATIVE: dict[str, tuple[Callable[..., Any], bool]] = {
    "norm": (lambda z: call("ndtr", z), False),
    "cauchy": (lambda z: 0.5 + call("arctan", z) / math.pi, False),
    "logistic": (lambda z: call("expit", z), False),
    "gumbel_r": (lambda z: _exp(-_exp(-z)), False),
    "expon": (lambda z: -call("expm1", -z), True),
    "lognorm": (lambda z, s: call("ndtr", _log(z) / s), True),
    "weibull_min": (lambda z, c: -call("expm1", -(z**c)), True),
    "rayleigh": (lambda z: -call("expm1", -0.5 * z * z), True),
    "halfnorm": (lambda z: call("erf", z / math.sqrt(2.0)), True),
}


class Distribution:
    """A scipy.stats distribution whose density and distribution function take symbols."""

    def __init__(
        self, real: Any, name: str, frozen: tuple[Any, ...] = (), keywords: dict[str, Any] | None = None
    ) -> None:
        self.real, self.name, self.frozen, self.keywords = real, name, frozen, keywords or {}

    def __call__(self, *args: Any, **kwargs: Any) -> Distribution:
        return Distribution(self.real, self.name, args, kwargs)

    def pdf(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        return self._density(x, args, kwargs, "pdf")

    def pmf(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        return self._density(x, args, kwargs, "pmf")

    def logpdf(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        return self._density(x, args, kwargs, "logpdf")

    def cdf(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        return self._cumulative(x, args, kwargs, "cdf")

    def sf(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        if self.name == "norm":
            return self._cumulative(x, args, kwargs, "sf", flip=True)
        return 1.0 - self._cumulative(x, args, kwargs, "cdf")

    def _density(self, x: Any, args: Any, kwargs: Any, method: str) -> Any:
        found = self._standard(x, args, kwargs, LOG_DENSITY, method)
        if not isinstance(found, _Standard):
            return found
        value = found.value - _log(found.scale)
        value = value if method == "logpdf" else _exp(value)
        return _inside(found.z, value, -np.inf if method == "logpdf" else 0.0) if found.half else value

    def _cumulative(self, x: Any, args: Any, kwargs: Any, method: str, flip: bool = False) -> Any:
        found = self._standard(x, args, kwargs, CUMULATIVE, method, flip)
        if not isinstance(found, _Standard):
            return found
        return _inside(found.z, found.value, 0.0) if found.half else found.value

    def _standard(self, x: Any, args: Any, kwargs: Any, table: Any, method: str, flip: bool = False) -> Any:
        args, kwargs = (*self.frozen, *args), {**self.keywords, **kwargs}
        if not (has_symbol((x, *args)) or has_symbol(kwargs)):
            return getattr(self.real, method)(x, *args, **kwargs)
        row = table.get(self.name)
        if row is None:
            return frozen_function(current(), getattr(self.real, method), (x, *args), kwargs)
        function, half = row
        shapes = [] if self.real.shapes is None else self.real.shapes.replace(" ", "").split(",")
        given = dict(zip((*shapes, "loc", "scale"), args, strict=False)) | kwargs
        loc, scale = given.get("loc", 0.0), given.get("scale", 1.0)
        z = lift(current(), (x - loc) / scale)
        z = -z if flip else z
        return _Standard(z, scale, function(z, *[given[s] for s in shapes]), half)

    def __getattr__(self, name: str) -> Any:
        real = self.__dict__["real"]
        args, kwargs = self.__dict__["frozen"], self.__dict__["keywords"]
        if name.startswith("__"):
            raise AttributeError(name)

        def method(*more: Any, **extra: Any) -> Any:
            return frozen_function(current(), getattr(real, name), (*more, *args), {**kwargs, **extra})

        return method


class _Standard:
    def __init__(self, z: Any, scale: Any, value: Any, half: bool) -> None:
        self.z, self.scale, self.value, self.half = z, scale, value, half


def distribution(value: Any) -> Any:
    """The stand-in for a scipy.stats distribution, frozen or not."""
    if hasattr(value, "dist") and hasattr(value, "kwds"):
        return Distribution(value.dist, value.dist.name, value.args, value.kwds)
    return Distribution(value, value.name) if hasattr(value, "cdf") and hasattr(value, "name") else None
