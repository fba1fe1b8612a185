"""Tracing: call the user's plain function with symbols and keep the expressions it returns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from ...errors import Untraceable
from ..graph import Graph, Node
from . import indexing, operators
from .calling import bound, evaluate
from .containers import argument, parameter
from .context import STATE, Abort, Context, Guard
from .creation import array
from .fingerprint import Fingerprint
from .masks import MaskIndex
from .output import elements, families, transplant
from .overlay import Overlay
from .places import locate
from .record import Elements, Trace, form_of, frozen_copy
from .symbol import Symbol, lift

Made = TypeVar("Made")
_Call = tuple[Any, Any, Any, Any]
"""Function, arguments, parameters, options."""
_ = operators, indexing  # the import of the first gives symbols their operators; nearly all need the second


def trace(
    function: Callable[..., Any],
    arguments: Sequence[object],
    parameters: Mapping[str, Any],
    options: Mapping[str, object] | None = None,
) -> Trace:
    """Trace ``function(*arguments, **parameters, **options)`` at the current values.

    Raises `Untraceable` naming construct, line and function; the function's own exceptions pass through.
    """
    ctx, fingerprint, graph = Context(), Fingerprint(), Graph()
    names: list[str] = []
    symbol, found = _called(
        ctx, fingerprint, names, (function, arguments, parameters, options or {}),
        lambda result: families(ctx, result, graph),
    )  # fmt: skip
    memo: dict[Node, Node] = {}
    guards = tuple(
        Guard(transplant(graph, g.node, None, memo), g.outcome, g.where) for g in ctx.guards.values()
    )
    return Trace(
        graph, found, tuple(names), guards, symbol.shape, symbol.kind == "c", ctx.data_bound, fingerprint,
        tuple(map(form_of, arguments)), tuple(map(frozen_copy, arguments)) if ctx.data_bound else None,
    )  # fmt: skip


def trace_elements(
    function: Callable[..., Any], parameters: Mapping[str, Any], options: Mapping[str, object]
) -> Elements:
    """Trace ``function(**parameters, **options)``, its result element by element.

    Where no row is like another, looking for rows of equal structure takes as long as the function itself.
    """
    ctx, fingerprint, graph = Context(), Fingerprint(), Graph()
    symbol, outputs = _called(
        ctx, fingerprint, [], (function, (), parameters, options), lambda result: elements(ctx, result, graph)
    )
    asked = tuple(g.where for g in ctx.guards.values())
    return Elements(graph, tuple(outputs), symbol.shape, symbol.kind == "c", asked, fingerprint)


def _called(
    ctx: Context, fingerprint: Fingerprint, names: list[str], call: _Call, made: Callable[[Symbol], Made]
) -> tuple[Symbol, Made]:
    """The result of a call with symbols, and what is made of it."""
    outer, STATE.current = STATE.current, ctx
    try:
        overlay = ctx.overlay = Overlay(ctx, fingerprint)
        symbol = _result(ctx, _run(ctx, overlay, *call, names))
        return symbol, made(symbol)
    except Abort as stop:
        raise locate(stop, call[0]) from None
    except Exception as error:
        _blame(*call, error)
        raise locate(error, call[0]) from error
    finally:
        STATE.current = outer


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
