"""A model function ``f(x, *parameters)`` with its data as a problem of the minimizer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..curve.signature import Signature, signature_of
from ..errors import ModelError
from ..problem.given import dense_jacobian
from ..problem.model import Model
from ..problem.traced import Problem
from ..problem.whitening import Full
from .derivatives import Called, Supplied
from .reuse import model_for, same_function

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]


def number_of_parameters(f: Callable[..., Any]) -> int:
    """Positional arguments after the first. Raises ValueError where their number cannot be told."""
    try:
        signature = signature_of(f)
    except ModelError:
        signature = None
    count = 0 if signature is None else len(_positional(signature))
    if count < 2:
        raise ValueError("Unable to determine number of fit parameters: give their start, p0.")
    return count - 1


def _positional(signature: Signature) -> tuple[str, ...]:
    return tuple([n for n in (*signature.required, *signature.defaults) if n not in signature.keywords])


def curve_problem(
    f: Callable[..., Any], x: Any, y: Vector, w: Vector | None, white: Full | None, start: Vector, jac: Any,
    step: Any,
) -> Problem:  # fmt: skip
    """Residuals ``(f(x, *p) - y) * w``, or these whitened, of parameters p, (n,).

    Traced where that can be done, else called back: with differences by the scheme `jac`, or with the
    caller's function `jac`.
    """
    f = same_function(f)
    call, shapes = called_as(f, start.size)
    if y.size == 1:
        y, w = _as_long_as_the_model(np.size(f(x, *start)), y, w)
    if callable(jac):
        supplied = Supplied(Model(call, shapes, {}), AtData(f, x), y, w, start)
        supplied.supply(_weighted(jac, x, w, white, y.size), start)
        problem: Problem = supplied
    else:
        model = model_for(call, (x,), shapes)
        problem = model.problem((x,), y, w, start, _all(start.size))
        if not problem.exact:
            problem = Called(model, AtData(f, x), y, w, start, jac or "2-point", step)
    return problem if white is None else problem.with_whitening(white)


@dataclass(frozen=True)
class AtData:
    """``f(x, *p)`` as a function of p; a process of a pool can be sent it."""

    f: Callable[..., Any]
    x: Any

    def __call__(self, p: Any) -> Any:
        return self.f(self.x, *p)


@lru_cache(maxsize=64)
def _all(n: int) -> tuple[int, ...]:
    return tuple(range(n))


def called_as(f: Callable[..., Any], n: int) -> tuple[Callable[..., Any], dict[str, tuple[int, ...]]]:
    """`f` as a function of x and of parameters by name, with their shapes.

    Raises TypeError where f takes fewer than n parameters.
    """
    try:
        signature = signature_of(f)
    except ModelError:  # a built-in function: nothing is known of its arguments
        return (lambda x, p: f(x, *p)), {"p": (n,)}
    known = _KNOWN.get((id(signature), n))
    if known is None:
        if len(_KNOWN) >= REMEMBERED:
            _KNOWN.clear()
        known = _KNOWN[id(signature), n] = (signature, *_by_name(f, signature, n))
    return known[1], known[2]


_KNOWN: dict[tuple[int, int], tuple[Signature, Callable[..., Any], dict[str, tuple[int, ...]]]] = {}
REMEMBERED = 256


def _by_name(
    f: Callable[..., Any], signature: Signature, n: int
) -> tuple[Callable[..., Any], dict[str, tuple[int, ...]]]:
    names = _positional(signature)
    if not names:
        return (lambda x, p: f(x, *p)), {"p": (n,)}
    scalars = names[1 : n + 1]
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys(scalars, ())
    left = n - len(scalars)
    if left and signature.star is None:
        raise TypeError(f"{signature.name}() takes {len(names) - 1} parameters after x, but p0 has {n}")
    if signature.star is not None:
        shapes[signature.star] = (left,)
    return signature.callable(names[:1], tuple(shapes)), shapes


def _as_long_as_the_model(m: int, y: Vector, w: Vector | None) -> tuple[Vector, Vector | None]:
    """One value of y is compared with all m of the model."""
    return np.full(m, y[0]), None if w is None else np.full(m, w[0])


def _weighted(
    jac: Callable[..., Any], x: Any, w: Vector | None, white: Full | None, m: int
) -> Callable[[Vector], Any]:
    if white is not None:
        return lambda p: white.white(dense_jacobian(jac(x, *p), m, p.size))
    if w is None:
        return lambda p: jac(x, *p)
    column = w[:, None]
    return lambda p: column * np.asarray(jac(x, *p))
