"""Tracing: call the user's plain function with symbols and keep the expressions it returns."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...errors import Untraceable
from ..graph import Graph, Node
from . import ufuncs
from .containers import argument, parameter
from .context import STATE, Abort, Context, Guard
from .creation import array
from .fingerprint import Fingerprint
from .masks import MaskIndex
from .output import Family, families, transplant
from .overlay import Overlay
from .places import locate
from .symbol import Symbol, lift

_ = ufuncs  # its import gives symbols their operators


@dataclass(frozen=True)
class Trace:
    """A function as expressions of its parameters and data columns."""

    graph: Graph
    families: tuple[Family, ...]
    param_names: tuple[str, ...]
    guards: tuple[Guard, ...]
    shape: tuple[int, ...]
    """Shape of the function's result."""
    complex: bool
    """Complex result: family rows then count the real parts first, the imaginary parts after them."""
    data_bound: bool
    """Values of the data were used (a branch, a sum over them): the trace holds for these data only."""
    fingerprint: Fingerprint
    form: tuple[Any, ...]
    contents: tuple[Any, ...] | None

    def fits(self, arguments: Sequence[Any]) -> bool:
        """Whether the trace holds for these arguments: same kinds and shapes, same contents if data-bound."""
        if tuple(map(_form, arguments)) != self.form:
            return False
        return self.contents is None or all(
            a is b or _same(a, b) for a, b in zip(map(_frozen, arguments), self.contents, strict=True)
        )


def trace(
    function: Callable[..., Any],
    arguments: Sequence[object],
    parameters: Mapping[str, Any],
    options: Mapping[str, object] | None = None,
) -> Trace:
    """Trace ``function(*arguments, **parameters, **options)`` at the current values.

    Raises `Untraceable` naming construct, line and function; the function's own exceptions pass through.
    """
    ctx, fingerprint = Context(), Fingerprint()
    names: list[str] = []
    outer, STATE.current = STATE.current, ctx
    try:
        overlay = ctx.overlay = Overlay(ctx, fingerprint)
        result = _run(ctx, overlay, function, arguments, parameters, options or {}, names)
        symbol = _result(ctx, result)
        graph = Graph()
        found = families(ctx, symbol, graph)
    except Abort as stop:
        raise locate(stop, function) from None
    except Exception as error:
        _blame(function, arguments, parameters, options or {}, error)
        raise locate(error, function) from error
    finally:
        STATE.current = outer
    memo: dict[Node, Node] = {}
    guards = tuple(
        Guard(transplant(graph, g.node, None, memo), g.outcome, g.where) for g in ctx.guards.values()
    )
    return Trace(
        graph, found, tuple(names), guards, symbol.shape, symbol.kind == "c", ctx.data_bound, fingerprint,
        tuple(map(_form, arguments)), tuple(map(_frozen, arguments)) if ctx.data_bound else None,
    )  # fmt: skip


def _run(
    ctx: Context,
    overlay: Overlay,
    function: Any,
    arguments: Any,
    parameters: Any,
    options: Any,
    names: list[str],
) -> Any:
    symbols = [argument(ctx, a, (k,)) for k, a in enumerate(arguments)]
    params = {n: parameter(ctx, n, v, names) for n, v in parameters.items()}
    copy = overlay.entry(function)
    positional, keywords = bound(function, symbols, params, options)
    result = copy(*positional, **keywords)
    if ctx.aborted is not None:
        raise ctx.aborted
    return result


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


def _result(ctx: Context, result: Any) -> Symbol:
    """What the function returned, as one array."""
    if result is None or isinstance(result, (str, dict, MaskIndex)):
        ctx.abort(f"a result of type {type(result).__name__}")
    symbol = lift(ctx, result) if type(result) is Symbol else array(ctx, _listed(result))
    if symbol.mask is not None:
        from .indexing import unmasked

        symbol = unmasked(symbol)
    return symbol


def _listed(result: Any) -> Any:
    return list(result) if isinstance(result, (tuple, map, zip)) else result


def _blame(function: Any, arguments: Any, parameters: Any, options: Any, error: Exception) -> None:
    """Raise the function's own exception, if it fails on plain values in the same way."""
    if isinstance(error, Untraceable):
        raise error
    try:
        evaluate(function, arguments, parameters, options)
    except Exception as own:
        if type(own) is type(error):
            raise own from None


def evaluate(function: Any, arguments: Any, parameters: Any, options: Any) -> Any:
    """The function on plain values; it gets copies of arrays, in case it writes to them."""
    plain = {n: v if np.ndim(v) or isinstance(v, Mapping) else np.float64(v) for n, v in parameters.items()}
    copies = [a.copy() if isinstance(a, np.ndarray) else a for a in arguments]
    positional, keywords = bound(function, copies, plain, options)
    with np.errstate(all="ignore"):
        return function(*positional, **keywords)


def _form(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.shape, value.dtype.kind
    if isinstance(value, (tuple, list)):
        return type(value), tuple(map(_form, value))
    if isinstance(value, dict):
        return tuple((k, _form(v)) for k, v in value.items())
    return type(value), np.shape(value)


def _frozen(value: Any) -> Any:
    """Contents to compare later."""
    if isinstance(value, (tuple, list)):
        return tuple(map(_frozen, value))
    if isinstance(value, dict):
        return tuple((k, _frozen(v)) for k, v in value.items())
    return np.array(value) if np.ndim(value) else value


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, tuple):
        return isinstance(b, tuple) and len(a) == len(b) and all(map(_same, a, b))
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and a.shape == b.shape and a.tobytes() == b.tobytes()
    return bool(a == b)
