"""NumPy functions that are not ufuncs: one table row each, keyed by the function's name."""

# mypy: disable-error-code="no-any-return"
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import creation, integrals, linear, order, reduce, shapes
from .complex_ import parts_angle
from .context import PARAM, Context
from .masks import MaskIndex
from .methods import METHODS, clip, squeeze, take
from .numpy_rows import (
    append,
    atleast,
    average,
    broadcast_arrays,
    column_stack,
    concatenate,
    context_of,
    convolve,
    copyto,
    expand,
    filled_like,
    finite_in,
    full_like,
    gradient,
    hstack,
    interp,
    isclose,
    linspace,
    median,
    meshgrid,
    method_named,
    moving,
    nan_to_num,
    nonzero,
    piecewise,
    putmask,
    select,
    sinc,
    split_at,
    stacked,
    symbols_of,
    where,
)
from .symbol import Symbol, lift
from .ufuncs import call

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
    "sinc": lambda x: sinc(x),
    "i0": lambda x: x.ctx.abort("i0"),
    "concatenate": concatenate,
    "stack": lambda arrays, axis=0, **_: shapes.stack(symbols_of(arrays), axis),
    "hstack": hstack,
    "vstack": lambda arrays, **_: stacked(arrays, 0, 2),
    "row_stack": lambda arrays, **_: stacked(arrays, 0, 2),
    "column_stack": column_stack,
    "dstack": lambda arrays: shapes.stack(symbols_of(arrays), -1),
    "append": append,
    "array_split": split_at,
    "split": split_at,
    "expand_dims": expand,
    "squeeze": squeeze,
    "take": take,
    "zeros_like": filled_like(0.0),
    "ones_like": filled_like(1.0),
    "empty_like": filled_like(0.0),
    "full_like": full_like,
    "copy": lambda x, **_: creation.copy(x),
    "sum": method_named("sum"),
    "prod": method_named("prod"),
    "product": method_named("prod"),
    "mean": method_named("mean"),
    "std": method_named("std"),
    "var": method_named("var"),
    "min": method_named("min"),
    "max": method_named("max"),
    "amin": method_named("min"),
    "amax": method_named("max"),
    "any": method_named("any"),
    "all": method_named("all"),
    "ptp": lambda x, axis=None: METHODS["max"](x, axis) - METHODS["min"](x, axis),
    "nansum": finite_in(0.0),
    "nanprod": finite_in(1.0),
    "nanmean": lambda x, axis=None, **_: finite_in(0.0)(x, axis) / METHODS["sum"](call("equal", x, x), axis),
    "count_nonzero": lambda x, axis=None, **_: METHODS["sum"](call("not_equal", x, 0), axis),
    "cumsum": method_named("cumsum"),
    "cumprod": method_named("cumprod"),
    "argmin": method_named("argmin"),
    "argmax": method_named("argmax"),
    "argsort": method_named("argsort"),
    "sort": lambda x, axis=-1, **_: order.sort(x, axis),
    "searchsorted": order.searchsorted,
    "median": lambda x, **k: median(x, **k),
    "diff": reduce.diff,
    "ediff1d": reduce.diff,
    "trapezoid": reduce.trapezoid,
    "trapz": reduce.trapezoid,
    "reshape": lambda x, shape=None, order="C", newshape=None, **_: shapes.reshape(
        x, shape if newshape is None else newshape, order
    ),
    "ravel": method_named("ravel"),
    "transpose": lambda x, axes=None: shapes.transpose(x, axes),
    "swapaxes": method_named("swapaxes"),
    "moveaxis": moving(np.moveaxis),
    "rollaxis": moving(np.rollaxis),
    "tile": moving(np.tile),
    "repeat": moving(np.repeat),
    "roll": moving(np.roll),
    "flip": moving(np.flip),
    "flipud": moving(np.flipud),
    "fliplr": moving(np.fliplr),
    "rot90": moving(np.rot90),
    "delete": moving(np.delete),
    "diagonal": moving(np.diagonal),
    "resize": moving(np.resize),
    **integrals.NUMPY,
    "trace": lambda x, **_: reduce.total(METHODS["diagonal"](x), -1),
    "round": method_named("round"),
    "around": method_named("round"),
    "dot": linear.dot,
    "inner": linear.dot,
    "vdot": lambda a, b: linear.dot(call("conjugate", a) if type(a) is Symbol else np.conj(a), b),
    "outer": linear.outer,
    "cross": linear.cross,
    "einsum": linear.einsum,
    "tensordot": lambda a, b, axes=2: (
        linear.dot(a, b) if axes == 1 else context_of((a, b)).abort("tensordot")
    ),
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
