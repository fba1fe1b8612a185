"""NumPy functions that are not ufuncs: one table row each, keyed by the function's name."""

# mypy: disable-error-code="no-any-return"
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import creation, integrals, linear, order, reduce, shapes
from .complex_ import parts_angle
from .context import PARAM, Context
from .masks import MaskIndex, choose
from .methods import METHODS, clip, squeeze, take
from .symbol import Symbol, current, lift
from .ufuncs import call


def where(condition: Any, *branches: Any) -> Any:
    if not branches:
        return nonzero(condition)
    ctx = _context((condition, *branches))
    return choose(lift(ctx, condition), *branches)


def nonzero(condition: Symbol) -> Any:
    """Indices of a mask: kept as the mask itself while it depends on parameters or data."""
    if condition.kind != "b":
        condition = call("not_equal", condition, 0)
    if condition.ndim != 1:
        found = condition.frozen()
        if found is None:
            condition.ctx.abort("where with a mask of several axes")
        return np.nonzero(found)
    return (MaskIndex(condition),)


def select(conditions: Any, choices: Any, default: Any = 0) -> Any:
    ctx = _context((*conditions, *choices, default))
    result: Any = lift(ctx, default)
    for condition, choice in zip(reversed(list(conditions)), reversed(list(choices)), strict=True):
        result = choose(lift(ctx, condition), choice, result)
    return result


def piecewise(x: Any, conditions: Any, functions: Any, *args: Any, **kwargs: Any) -> Any:
    """Later conditions win; one more function than conditions is the default."""
    ctx = _context(
        (x, *(conditions if isinstance(conditions, (list, tuple)) else [conditions]), *functions, *args)
    )
    x = lift(ctx, x)
    if type(conditions) is Symbol and conditions.ndim == x.ndim:
        conditions = [conditions]
    conditions = [lift(ctx, c) for c in conditions]
    pieces = [f(x, *args, **kwargs) if callable(f) else f for f in functions]
    result: Any = lift(ctx, 0.0)
    if len(pieces) == len(conditions) + 1:
        result = pieces.pop()
    for condition, piece in zip(conditions, pieces, strict=True):
        result = choose(condition, piece, result)
    return shapes.broadcast_to(result, x.shape) if result.shape != x.shape else result


def interp(x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None) -> Any:
    """Piecewise linear; the nodes must not depend on parameters, values and points may."""
    ctx = _context((x, xp, fp))
    nodes = lift(ctx, xp).frozen()
    if nodes is None or period is not None or len(nodes) > 200:
        ctx.abort("interp")
    values = lift(ctx, fp)
    x = lift(ctx, x)
    n = len(nodes)
    result: Any = values[n - 1] if right is None else right
    for k in range(n - 2, -1, -1):
        slope = (values[k + 1] - values[k]) / (nodes[k + 1] - nodes[k])
        result = choose(x < nodes[k + 1], slope * (x - nodes[k]) + values[k], result)
    result = choose(x == nodes[n - 1], values[n - 1], result) if right is not None else result
    return choose(x < nodes[0], values[0] if left is None else left, result)


def isclose(a: Any, b: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Any:
    near = call("less_equal", abs(a - b), atol + rtol * abs(b))
    return call("logical_and", near, call("isfinite", lift(near.ctx, b)))


def convolve(a: Any, v: Any, mode: str = "full") -> Any:
    """By its definition, when one operand is short enough to unroll."""
    ctx = _context((a, v))
    a, v = lift(ctx, a), lift(ctx, v)
    n, m = a.size, v.size
    if m > n:
        a, v, n, m = v, a, m, n
    if m > 60 or n > 2000:
        ctx.abort("convolve")
    start, stop = {"full": (0, n + m - 1), "same": ((m - 1) // 2, (m - 1) // 2 + n), "valid": (m - 1, n)}[
        mode
    ]
    total: Any = None
    for k in range(m):
        index = np.arange(start, stop) - k
        inside = (index >= 0) & (index < n)
        shifted = a[np.clip(index, 0, n - 1)]
        term = shifted * v[k] if inside.all() else shifted * v[k] * inside.astype(float)
        total = term if total is None else total + term
    return total


def gradient(f: Symbol, *spacing: Any, **_: Any) -> Any:
    if f.ndim != 1 or len(spacing) > 1:
        f.ctx.abort("gradient")
    h: Any = spacing[0] if spacing else 1.0
    if np.ndim(h) or (type(h) is Symbol and h.ndim):
        a, b = h[1:-1] - h[:-2], h[2:] - h[1:-1]
        inner = (a * a * f[2:] + (b * b - a * a) * f[1:-1] - b * b * f[:-2]) / (a * b * (a + b))
        first, last = (f[1] - f[0]) / (h[1] - h[0]), (f[-1] - f[-2]) / (h[-1] - h[-2])
    else:
        inner = (f[2:] - f[:-2]) / (2.0 * h)
        first, last = (f[1] - f[0]) / h, (f[-1] - f[-2]) / h
    return shapes.concatenate([shapes.reshape(first, (1,)), inner, shapes.reshape(last, (1,))])


def copyto(target: Symbol, source: Any, casting: str = "same_kind", where: Any = True) -> None:
    if type(target) is not Symbol:
        current().abort("copyto")
    target[...] = source if where is True else choose(lift(target.ctx, where), source, target)


def putmask(target: Symbol, mask: Any, values: Any) -> None:
    """np.putmask and np.place with one value."""
    if np.ndim(values) and np.size(values) != 1:
        target.ctx.abort("putmask")
    target[...] = choose(lift(target.ctx, mask), values, target)


def average(x: Any, axis: Any = None, weights: Any = None, **_: Any) -> Any:
    if weights is None:
        return reduce.mean(x, axis)
    ctx = _context((x, weights))
    x, weights = lift(ctx, x), lift(ctx, weights)
    return reduce.total(x * weights, axis) / reduce.total(weights, axis if weights.ndim == x.ndim else None)


def linspace(start: Any, stop: Any, num: Any = 50, endpoint: bool = True, **_: Any) -> Any:
    steps = np.linspace(0.0, 1.0, int(num), endpoint=endpoint)
    steps = steps.reshape(-1, *[1] * max(np.ndim(start), np.ndim(stop)))  # arrays of ends: steps come first
    return start + (stop - start) * steps


def broadcast_arrays(*arrays: Any, **_: Any) -> Any:
    ctx = _context(arrays)
    symbols = [lift(ctx, a) for a in arrays]
    shape = np.broadcast_shapes(*[s.shape for s in symbols])
    return tuple(shapes.broadcast_to(s, shape) for s in symbols)


def meshgrid(*arrays: Any, indexing: str = "xy", **_: Any) -> Any:
    ctx = _context(arrays)
    symbols = [lift(ctx, a) for a in arrays]
    n = len(symbols)
    order = [1, 0, *range(2, n)] if indexing == "xy" and n > 1 else list(range(n))
    spread = []
    for k, s in enumerate(symbols):
        key: list[Any] = [None] * n
        key[order[k]] = slice(None)
        spread.append(shapes.ravel(s)[tuple(key)])
    return list(broadcast_arrays(*spread))


def atleast(n: int) -> Callable[..., Any]:
    def function(*arrays: Any) -> Any:
        ctx = _context(arrays)
        out = []
        for a in arrays:
            s = lift(ctx, a)
            if s.ndim < n:
                s = shapes.reshape(s, (1,) * n) if s.ndim == 0 else s[None, :] if n == 2 else s
            out.append(s)
        return out[0] if len(out) == 1 else out

    return function


def nan_to_num(
    x: Symbol, copy: bool = True, nan: float = 0.0, posinf: Any = None, neginf: Any = None
) -> Symbol:
    big = np.finfo(float).max
    fixed = choose(call("isnan", x), nan, x)
    fixed = choose(call("equal", x, np.inf), big if posinf is None else posinf, fixed)
    fixed = choose(call("equal", x, -np.inf), -big if neginf is None else neginf, fixed)
    if not copy:
        x[...] = fixed
        return x
    return fixed


def _stacked(arrays: Any, axis: int, n: int = 0) -> Any:
    symbols = _symbols(arrays, n)
    return shapes.concatenate(symbols, axis)


def _symbols(arrays: Any, n: int = 0) -> list[Symbol]:
    items = list(arrays)
    ctx = _context(items)
    symbols = [lift(ctx, a) for a in items]
    return [atleast(n)(s) if n else s for s in symbols]


def _hstack(arrays: Any, **_: Any) -> Any:
    symbols = _symbols(arrays, 1)
    return shapes.concatenate(symbols, 0 if symbols[0].ndim == 1 else 1)


def _column_stack(arrays: Any) -> Any:
    return shapes.concatenate([s[:, None] if s.ndim == 1 else s for s in _symbols(arrays, 1)], 1)


def _expand(x: Symbol, axis: Any) -> Symbol:
    axes = axis if isinstance(axis, tuple) else (axis,)
    ndim = x.ndim + len(axes)
    new = {a % ndim for a in axes}
    return x[tuple(None if a in new else slice(None) for a in range(ndim))]


def _concatenate(arrays: Any, axis: Any = 0, **_: Any) -> Any:
    return shapes.concatenate(_symbols(arrays), axis)


def _like(value: float) -> Callable[..., Any]:
    def function(
        x: Symbol, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None, **_: Any
    ) -> Any:
        return creation.full(
            x.ctx, x.shape if shape is None else shape, value, x.dtype if dtype is None else dtype
        )

    return function


def _full_like(x: Any, value: Any, dtype: Any = None, **_: Any) -> Any:
    ctx = _context((x, value))
    result = creation.full(ctx, np.shape(x) if type(x) is not Symbol else x.shape, value)
    return creation.astype(result, dtype if dtype is not None else x.dtype)


def _moving(function: Callable[..., Any]) -> Callable[..., Any]:
    """Functions that only move elements of their first argument."""

    def moved(x: Symbol, *args: Any, **kwargs: Any) -> Any:
        return shapes.move(lambda p: function(p[0], *args, **kwargs), [x])

    return moved


def _method(name: str) -> Callable[..., Any]:
    return lambda x, *args, out=None, **kwargs: METHODS[name](x, *args, **kwargs)


def _finite(part: float) -> Callable[..., Any]:
    return lambda x, *a, **k: METHODS["sum" if part == 0 else "prod"](
        choose(call("isnan", x), part, x), *a, **k
    )


def _split(x: Symbol, parts: Any, axis: int = 0) -> Any:
    pieces = np.array_split(np.arange(x.shape[axis]), parts)
    lead = (slice(None),) * (axis % x.ndim)
    keys = [(*lead, slice(int(p[0]), int(p[-1]) + 1)) for p in pieces]
    return [x[key] for key in keys]


def _append(x: Any, values: Any, axis: Any = None) -> Any:
    symbols = _symbols([x, values])
    return shapes.concatenate([shapes.ravel(s) if axis is None else s for s in symbols], axis or 0)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "where": where,
    "nonzero": nonzero,
    "flatnonzero": lambda x: nonzero(x)[0],
    "select": select,
    "piecewise": piecewise,
    "clip": clip,
    "interp": interp,
    "isclose": isclose,
    "allclose": lambda a, b, *args, **kw: METHODS["all"](isclose(a, b, *args, **kw)),
    "convolve": convolve,
    "copyto": copyto,
    "putmask": putmask,
    "place": putmask,
    "gradient": gradient,
    "average": average,
    "linspace": linspace,
    "logspace": lambda a, b, num=50, base=10.0, **k: call("power", base, linspace(a, b, num, **k)),
    "broadcast_arrays": broadcast_arrays,
    "broadcast_to": lambda x, shape, **_: shapes.broadcast_to(x, tuple(np.atleast_1d(shape).tolist())),
    "meshgrid": meshgrid,
    "atleast_1d": atleast(1),
    "atleast_2d": atleast(2),
    "nan_to_num": nan_to_num,
    "angle": lambda x, deg=False: parts_angle(x) * (180.0 / np.pi) if deg else parts_angle(x),
    "real": lambda x: x.real,
    "imag": lambda x: x.imag,
    "sinc": lambda x: _sinc(x),
    "i0": lambda x: x.ctx.abort("i0"),
    "concatenate": _concatenate,
    "stack": lambda arrays, axis=0, **_: shapes.stack(_symbols(arrays), axis),
    "hstack": _hstack,
    "vstack": lambda arrays, **_: _stacked(arrays, 0, 2),
    "row_stack": lambda arrays, **_: _stacked(arrays, 0, 2),
    "column_stack": _column_stack,
    "dstack": lambda arrays: shapes.stack(_symbols(arrays), -1),
    "append": _append,
    "array_split": _split,
    "split": _split,
    "expand_dims": _expand,
    "squeeze": squeeze,
    "take": take,
    "zeros_like": _like(0.0),
    "ones_like": _like(1.0),
    "empty_like": _like(0.0),
    "full_like": _full_like,
    "copy": lambda x, **_: creation.copy(x),
    "sum": _method("sum"),
    "prod": _method("prod"),
    "product": _method("prod"),
    "mean": _method("mean"),
    "std": _method("std"),
    "var": _method("var"),
    "min": _method("min"),
    "max": _method("max"),
    "amin": _method("min"),
    "amax": _method("max"),
    "any": _method("any"),
    "all": _method("all"),
    "ptp": lambda x, axis=None: METHODS["max"](x, axis) - METHODS["min"](x, axis),
    "nansum": _finite(0.0),
    "nanprod": _finite(1.0),
    "nanmean": lambda x, axis=None, **_: _finite(0.0)(x, axis) / METHODS["sum"](call("equal", x, x), axis),
    "count_nonzero": lambda x, axis=None, **_: METHODS["sum"](call("not_equal", x, 0), axis),
    "cumsum": _method("cumsum"),
    "cumprod": _method("cumprod"),
    "argmin": _method("argmin"),
    "argmax": _method("argmax"),
    "argsort": _method("argsort"),
    "sort": lambda x, axis=-1, **_: order.sort(x, axis),
    "searchsorted": order.searchsorted,
    "median": lambda x, **k: _median(x, **k),
    "diff": reduce.diff,
    "ediff1d": reduce.diff,
    "trapezoid": reduce.trapezoid,
    "trapz": reduce.trapezoid,
    "reshape": lambda x, shape=None, order="C", newshape=None, **_: shapes.reshape(
        x, shape if newshape is None else newshape, order
    ),
    "ravel": _method("ravel"),
    "transpose": lambda x, axes=None: shapes.transpose(x, axes),
    "swapaxes": _method("swapaxes"),
    "moveaxis": _moving(np.moveaxis),
    "rollaxis": _moving(np.rollaxis),
    "tile": _moving(np.tile),
    "repeat": _moving(np.repeat),
    "roll": _moving(np.roll),
    "flip": _moving(np.flip),
    "flipud": _moving(np.flipud),
    "fliplr": _moving(np.fliplr),
    "rot90": _moving(np.rot90),
    "delete": _moving(np.delete),
    "diagonal": _moving(np.diagonal),
    "resize": _moving(np.resize),
    **integrals.NUMPY,
    "trace": lambda x, **_: reduce.total(METHODS["diagonal"](x), -1),
    "round": _method("round"),
    "around": _method("round"),
    "dot": linear.dot,
    "inner": linear.dot,
    "vdot": lambda a, b: linear.dot(call("conjugate", a) if type(a) is Symbol else np.conj(a), b),
    "outer": linear.outer,
    "cross": linear.cross,
    "einsum": linear.einsum,
    "tensordot": lambda a, b, axes=2: linear.dot(a, b) if axes == 1 else _context((a, b)).abort("tensordot"),
    "norm": linear.norm,
    "inv": linear.inverse,
    "det": linear.determinant,
    "solve": linear.solve,
    "matrix_power": linear.matrix_power,
    "kron": linear.kron,
    "polyval": linear.polyval,
    "vander": linear.vander,
    "iscomplexobj": lambda x: x.kind == "c",
    "isrealobj": lambda x: x.kind != "c",
    "isreal": lambda x: call("equal", x.imag, 0.0),
    "isscalar": lambda x: False,
    "shape": lambda x: x.shape,
    "ndim": lambda x: x.ndim,
    "size": lambda x, axis=None: x.size if axis is None else x.shape[axis],
    "result_type": lambda *a: np.dtype(float),
    "array2string": lambda x, *a, **k: str(x),
    "array_repr": lambda x, *a, **k: repr(x),
    "array_str": lambda x, *a, **k: str(x),
    "may_share_memory": lambda a, b: a is b,
}


def _median(x: Symbol, axis: Any = None, **_: Any) -> Any:
    if axis is not None and x.ndim > 1:
        x.ctx.abort("median")
    ranked = order.sort(shapes.ravel(x))
    n = x.size
    return ranked[n // 2] if n % 2 else 0.5 * (ranked[n // 2 - 1] + ranked[n // 2])


def _sinc(x: Symbol) -> Symbol:
    from .ufuncs import cellwise

    return cellwise((x,), lambda node: x.ctx.graph.apply("sinc", node), "f")


def _context(values: Sequence[Any]) -> Context:
    for value in values:
        if type(value) is Symbol:
            return value.ctx
        if isinstance(value, (list, tuple)) and value:
            for item in value:
                if type(item) is Symbol:
                    return item.ctx
    return current()


def dispatch(ctx: Context, function: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """What NumPy calls for a function with a symbol among its arguments."""
    row = FUNCTIONS.get(function.__name__)
    if row is None or (function.__module__ or "").startswith(("numpy.fft", "scipy")):
        from .namespaces import Opaque

        return Opaque(function)(*args, **kwargs)
    out = kwargs.pop("out", None)
    first = args[0] if args else None
    if function.__name__ in _ON_ARRAYS and type(first) is not Symbol:
        args = (lift(ctx, first), *args[1:])
    result = row(*args, **kwargs)
    if type(out) is Symbol:
        out[...] = result
        return out
    return result


_ON_ARRAYS = set(
    [
        "nonzero",
        "flatnonzero",
        "clip",
        "gradient",
        "nan_to_num",
        "angle",
        "real",
        "imag",
        "sinc",
        "expand_dims",
        "squeeze",
        "take",
        "sum",
        "prod",
        "mean",
        "std",
        "var",
        "min",
        "max",
        "amin",
        "amax",
        "any",
        "all",
        "ptp",
        "nansum",
        "nanprod",
        "nanmean",
        "count_nonzero",
        "cumsum",
        "cumprod",
        "diff",
        "ediff1d",
        "reshape",
        "ravel",
        "transpose",
        "swapaxes",
        "moveaxis",
        "rollaxis",
        "tile",
        "repeat",
        "roll",
        "flip",
        "flipud",
        "fliplr",
        "rot90",
        "delete",
        "diagonal",
        "resize",
        "trace",
        "round",
        "around",
        "norm",
        "inv",
        "det",
        "shape",
        "ndim",
        "size",
        "copy",
        "broadcast_to",
    ]
)


def frozen_function(ctx: Context, function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    """Any other function: computed when only data go in, named when parameters do."""
    name = getattr(function, "__name__", type(function).__name__)
    result = function(
        *[plain(ctx, a, name) for a in args], **{k: plain(ctx, v, name) for k, v in kwargs.items()}
    )
    return back(ctx, result)


def back(ctx: Context, result: Any) -> Any:
    """Float arrays computed from data are symbols again, so that masks on them work."""
    if isinstance(result, np.ndarray) and result.dtype.kind in "fc" and result.ndim:
        return lift(ctx, result)
    if isinstance(result, tuple) and type(result) is tuple:
        return tuple(back(ctx, r) for r in result)
    return result


def plain(ctx: Context, value: Any, name: str) -> Any:
    """The value without symbols; parameters in it end the trace."""
    if type(value) is Symbol:
        found = value.frozen()
        if found is None:
            ctx.abort(name)
        return found
    if isinstance(value, MaskIndex):
        if value.mask.depends & PARAM:
            ctx.abort(name)
        return np.flatnonzero(value.mask.frozen())
    if isinstance(value, (list, tuple)) and creation.has_symbol(value):
        return type(value)(plain(ctx, item, name) for item in value)
    if isinstance(value, dict) and creation.has_symbol(value):
        return {k: plain(ctx, item, name) for k, item in value.items()}
    return value
