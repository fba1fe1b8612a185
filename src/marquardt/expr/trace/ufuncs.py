"""NumPy's universal functions on symbols."""

# mypy: disable-error-code="no-any-return"
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .context import MAX_GRAPH, Context
from .symbol import Symbol, lift
from .ufunc_rows import REAL

_BOOLEAN = {"bitwise_and", "bitwise_or", "bitwise_xor", "invert"}


def call(name: str, *operands: Any) -> Any:
    """One ufunc by name on symbols, numbers and arrays."""
    ctx = next(s.ctx for s in operands if type(s) is Symbol)
    if len(ctx.graph) > MAX_GRAPH:
        ctx.abort(f"an expression of more than {MAX_GRAPH} operations")
    symbols = [s if type(s) is Symbol else lift(ctx, s) for s in operands]
    if any(s.im is not None for s in symbols):
        from .complex_ import COMPLEX

        row = COMPLEX.get(name)
        if row is None:
            ctx.abort(f"{name} of complex numbers")
        return row(*symbols)
    row = REAL.get(name)
    if row is None or (name in _BOOLEAN and any(s.kind != "b" for s in symbols)):
        if name == "wofz":
            from .complex_ import COMPLEX

            return COMPLEX[name](*symbols)
        return frozen_call(ctx, name, symbols)
    if len(symbols) == 2 and symbols[0].kind == symbols[1].kind == "b" and name in _LOGICAL:
        row = REAL[_LOGICAL[name]]
    return row(*symbols)


_LOGICAL = {"add": "logical_or", "multiply": "logical_and", "maximum": "logical_or", "minimum": "logical_and"}


def frozen_call(ctx: Context, name: str, symbols: Sequence[Symbol]) -> Any:
    """A ufunc without a row: fine on data alone, otherwise named."""
    ufunc = getattr(np, name, None)
    if ufunc is None:
        from scipy import special

        ufunc = getattr(special, name, None)
    values = [s.frozen() for s in symbols]
    if ufunc is None or any(v is None for v in values):
        ctx.abort(name)
    return lift(ctx, ufunc(*values))


def dispatch(
    ctx: Context, ufunc: np.ufunc, method: str, inputs: Sequence[Any], kwargs: dict[str, Any]
) -> Any:
    """What NumPy calls for a ufunc with a symbol among its operands."""
    name = ufunc.__name__
    if method == "__call__":
        if "where" in kwargs and kwargs["where"] is not True:
            return _where(ufunc, inputs, dict(kwargs))
        if ufunc.nout > 1:
            result = _several(ctx, name, inputs)
        elif name == "matmul":
            from .linear import matmul

            result = matmul(lift(ctx, inputs[0]), lift(ctx, inputs[1]))
        elif name in ("ldexp",):
            result = call("multiply", inputs[0], 2.0 ** np.asarray(inputs[1], dtype=float))
        else:
            known = [s for s in (*inputs, *(kwargs.get("out") or ())) if type(s) is Symbol]
            operands = (
                list(inputs)
                if any(type(s) is Symbol for s in inputs)
                else [lift(known[0].ctx, s) for s in inputs]
            )
            result = call(name, *operands)
        out = kwargs.get("out")
        return result if not out or out[0] is None else _store(out[0], result)
    if method == "reduce":
        from .reduce import reduce_ufunc

        return reduce_ufunc(ctx, name, inputs[0], kwargs)
    if method == "outer":
        left, right = (lift(ctx, value) for value in inputs)
        spread = (..., *[None] * right.ndim)
        return call(name, left[spread], right)
    if method == "accumulate" and name == "add":
        from .reduce import cumulative

        return cumulative(lift(ctx, inputs[0]), kwargs.get("axis", 0), "add")
    if method == "accumulate" and name == "multiply":
        from .reduce import cumulative

        return cumulative(lift(ctx, inputs[0]), kwargs.get("axis", 0), "mul")
    ctx.abort(f"{name}.{method}")


def _store(out: Any, result: Symbol) -> Any:
    """``out=``: written in place for a symbol; a plain array cannot hold expressions, its name is rebound."""
    if type(out) is Symbol:
        out[...] = result
        return out
    return result


def _where(ufunc: np.ufunc, inputs: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    condition = kwargs.pop("where")
    out = kwargs.pop("out", None)
    result = ufunc(*inputs, **kwargs)
    if out is None or out[0] is None:
        return result
    from .masks import choose

    kept = choose(lift(result.ctx, condition), result, lift(result.ctx, out[0]))
    return _store(out[0], kept)


def _several(ctx: Context, name: str, inputs: Sequence[Any]) -> Any:
    if name == "modf":
        whole = call("trunc", inputs[0])
        return call("subtract", inputs[0], whole), whole
    if name == "divmod":
        return call("floor_divide", *inputs), call("remainder", *inputs)
    values = [s.frozen() if type(s) is Symbol else s for s in inputs]
    if any(v is None for v in values):
        ctx.abort(name)
    found = getattr(np, name, None)
    if found is None:
        from scipy import special

        found = getattr(special, name)
    return tuple(lift(ctx, v) for v in found(*values))
