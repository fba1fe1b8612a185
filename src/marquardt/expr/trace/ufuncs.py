"""Ufuncs and operators on symbols: one table row each, keyed by the ufunc's name."""

# mypy: disable-error-code="no-any-return"
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..graph import Node
from .cells import align, objects
from .context import MAX_GRAPH, Context, ObjectArray
from .symbol import Symbol, lift

Row = Callable[..., Symbol]


def cellwise(symbols: Sequence[Symbol], function: Callable[..., Node], kind: str) -> Symbol:
    """A new symbol with ``function`` applied to the real nodes of matching cells."""
    shape, segments, aligned = align(symbols)
    arrays = [s.nodes for s in aligned]
    out = _apply(function, arrays, len(shape))
    return _masked(Symbol(symbols[0].ctx, shape, segments, out, None, kind), symbols)


def _apply(function: Callable[..., Any], arrays: Sequence[ObjectArray], ndim: int) -> ObjectArray:
    if all(a.size == 1 for a in arrays):
        return objects((1,) * ndim, function(*[a.flat[0] for a in arrays]))
    spread = np.broadcast_arrays(*arrays)
    out = np.empty(spread[0].shape, dtype=object)
    for i, cell in enumerate(zip(*[a.reshape(-1) for a in spread], strict=True)):
        out.reshape(-1)[i] = function(*cell)
    return out


def pairwise(symbols: Sequence[Symbol], function: Callable[..., tuple[Node, Node]]) -> Symbol:
    """A new complex symbol: ``function`` takes and returns (re, im) pairs of nodes."""
    shape, segments, aligned = align(symbols)
    zero = symbols[0].ctx.graph.const(0.0)
    arrays: list[ObjectArray] = []
    for s in aligned:
        arrays += [s.nodes, objects(s.nodes.shape, zero) if s.im is None else s.im]

    def pairs(*flat: Node) -> _Pair:
        return _Pair(function(*zip(flat[::2], flat[1::2], strict=True)))

    both = _apply(pairs, arrays, len(shape))
    re, im = np.empty(both.shape, dtype=object), np.empty(both.shape, dtype=object)
    for cell in np.ndindex(both.shape):
        re[cell], im[cell] = both[cell].nodes
    return _masked(Symbol(symbols[0].ctx, shape, segments, re, im, "c"), symbols)


class _Pair:
    """Two nodes as one object: NumPy would unpack a tuple."""

    __slots__ = ("nodes",)

    def __init__(self, nodes: tuple[Node, Node]) -> None:
        self.nodes = nodes


def _masked(result: Symbol, symbols: Sequence[Symbol]) -> Symbol:
    masks = [s.mask for s in symbols if s.mask is not None]
    if masks:
        from .masks import same_mask

        result.mask = same_mask(masks, symbols)
    return result


def promoted(symbols: Sequence[Symbol]) -> str:
    """The kind of an arithmetic result; booleans count as integers."""
    order = "bifc"
    return order[max(1, *(order.index(s.kind) for s in symbols))] if symbols else "f"


# -- real rows ------------------------------------------------------------------------------------------
def _same(op: str, kind: str | None = None) -> Row:
    """The ufunc is one operation of the graph."""

    def row(*symbols: Symbol) -> Symbol:
        graph = symbols[0].ctx.graph
        return cellwise(symbols, lambda *nodes: graph.apply(op, *nodes), kind or promoted(symbols))

    return row


def _swapped(op: str) -> Row:
    def row(a: Symbol, b: Symbol) -> Symbol:
        graph = a.ctx.graph
        return cellwise((a, b), lambda x, y: graph.apply(op, y, x), "b")

    return row


def _made(build: Callable[..., Node], kind: str | None = None) -> Row:
    """The ufunc is a small expression: ``build(graph, *nodes)``."""

    def row(*symbols: Symbol) -> Symbol:
        graph = symbols[0].ctx.graph
        return cellwise(symbols, lambda *nodes: build(graph, *nodes), kind or promoted(symbols))

    return row


def _power(g: Any, a: Node, b: Node) -> Node:
    """Small whole powers are products: exact derivatives at 0 and cheap."""
    if b.op == "const":
        known = {2.0: "square", 0.5: "sqrt", -1.0: "recip"}.get(b.value)
        if known:
            return g.apply(known, a)
        if b.value == 1.0:
            return a
        if b.value == 0.0:
            return g.const(1.0)
    return g.apply("pow", a, b)


def _floor_divide(g: Any, a: Node, b: Node) -> Node:
    return g.apply("rint", g.div(g.sub(a, g.apply("mod", a, b)), b))


def _bessel(g: Any, n: Node, x: Node) -> Node:
    if n.op != "const" or n.value != int(n.value):
        from .symbol import current

        current().abort("jv")
    if n.value in (0.0, 1.0):
        return g.apply("j0" if n.value == 0.0 else "j1", x)
    return g.apply("jn", n, x)


def _logit(g: Any, x: Node) -> Node:
    return g.apply("log", g.div(x, g.sub(g.const(1.0), x)))


def _logaddexp(g: Any, a: Node, b: Node) -> Node:
    larger, smaller = g.apply("maximum", a, b), g.apply("minimum", a, b)
    return g.add(larger, g.apply("log1p", g.apply("exp", g.sub(smaller, larger))))


def _signed(g: Any, x: Node) -> Node:
    return g.apply("lt", x, g.const(0.0))


def _scaled(op: str, factor: float, inside: bool) -> Callable[..., Node]:
    if inside:
        return lambda g, x: g.apply(op, g.scale(factor, x))
    return lambda g, x: g.scale(factor, g.apply(op, x))


_RAD = np.pi / 180.0
_ORDINARY = [
    "sqrt",
    "cbrt",
    "square",
    "floor",
    "ceil",
    "rint",
    "trunc",
    "exp",
    "expm1",
    "exp2",
    "log",
    "log1p",
    "log2",
    "log10",
    "sin",
    "cos",
    "tan",
    "arcsin",
    "arccos",
    "arctan",
    "arctan2",
    "sinh",
    "cosh",
    "tanh",
    "arcsinh",
    "arccosh",
    "arctanh",
    "hypot",
    "heaviside",
    "copysign",
    "erf",
    "erfc",
    "erfcx",
    "erfinv",
    "erfcinv",
    "expit",
    "log_expit",
    "gamma",
    "gammaln",
    "beta",
    "betaln",
    "xlogy",
    "xlog1py",
    "j0",
    "j1",
    "y0",
    "y1",
    "ndtr",
    "log_ndtr",
    "ndtri",
    "voigt_profile",
]
_NUMBER = {
    "add": "add",
    "subtract": "sub",
    "multiply": "mul",
    "negative": "neg",
    "absolute": "abs",
    "sign": "sign",
    "remainder": "mod",
    "fmod": "fmod",
    "minimum": "minimum",
    "maximum": "maximum",
}
_TRUTH = {
    "less": "lt",
    "less_equal": "le",
    "equal": "eq",
    "not_equal": "ne",
    "logical_and": "and",
    "logical_or": "or",
    "logical_not": "not",
    "isnan": "isnan",
    "isfinite": "isfinite",
}

REAL: dict[str, Row] = {
    **{name: _same(name, "f") for name in _ORDINARY},
    **{name: _same(op) for name, op in _NUMBER.items()},
    **{name: _same(op, "b") for name, op in _TRUTH.items()},
    "greater": _swapped("lt"),
    "greater_equal": _swapped("le"),
    "divide": _same("div", "f"),
    "floor_divide": _made(_floor_divide),
    "reciprocal": _same("recip", "f"),
    "power": _made(_power),
    "float_power": _made(_power, "f"),
    "positive": _made(lambda g, x: x),
    "conjugate": _made(lambda g, x: x),
    "fabs": _same("abs", "f"),
    "fmin": _made(
        lambda g, a, b: g.select(
            g.apply("isnan", a), b, g.select(g.apply("isnan", b), a, g.apply("minimum", a, b))
        )
    ),
    "fmax": _made(
        lambda g, a, b: g.select(
            g.apply("isnan", a), b, g.select(g.apply("isnan", b), a, g.apply("maximum", a, b))
        )
    ),
    "logaddexp": _made(_logaddexp, "f"),
    "logaddexp2": _made(
        lambda g, a, b: g.scale(
            1 / np.log(2.0), _logaddexp(g, g.scale(np.log(2.0), a), g.scale(np.log(2.0), b))
        ),
        "f",
    ),
    "deg2rad": _made(lambda g, x: g.scale(_RAD, x), "f"),
    "radians": _made(lambda g, x: g.scale(_RAD, x), "f"),
    "rad2deg": _made(lambda g, x: g.scale(1 / _RAD, x), "f"),
    "degrees": _made(lambda g, x: g.scale(1 / _RAD, x), "f"),
    "signbit": _made(_signed, "b"),
    "isinf": _made(lambda g, x: g.apply("eq", g.apply("abs", x), g.const(np.inf)), "b"),
    "bitwise_and": _same("and", "b"),
    "bitwise_or": _same("or", "b"),
    "bitwise_xor": _same("ne", "b"),
    "logical_xor": _made(
        lambda g, a, b: g.apply("ne", g.apply("ne", a, g.const(0.0)), g.apply("ne", b, g.const(0.0))), "b"
    ),
    "invert": _same("not", "b"),
    # scipy.special
    "psi": _same("digamma", "f"),
    "dawsn": _made(lambda g, x: g.scale(0.5 * np.sqrt(np.pi), g.apply("wofz_im", x, g.const(0.0))), "f"),
    "loggamma": _same("gammaln", "f"),
    "jv": _made(_bessel, "f"),
    "jn": _made(_bessel, "f"),
    "logit": _made(_logit, "f"),
    "exp10": _made(lambda g, x: g.apply("pow", g.const(10.0), x), "f"),
    "cosm1": _made(lambda g, x: g.scale(-2.0, g.apply("square", g.apply("sin", g.scale(0.5, x)))), "f"),
    "boxcox": _made(lambda g, x, lam: g.div(g.apply("expm1", g.mul(lam, g.apply("log", x))), lam), "f"),
    "rgamma": _made(lambda g, x: g.apply("recip", g.apply("gamma", x)), "f"),
    "poch": _made(
        lambda g, z, m: g.apply("exp", g.sub(g.apply("gammaln", g.add(z, m)), g.apply("gammaln", z))), "f"
    ),
    "sindg": _made(_scaled("sin", _RAD, True), "f"),
    "cosdg": _made(_scaled("cos", _RAD, True), "f"),
}
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


# -- operators -----------------------------------------------------------------------------------------
def _binary(name: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    def forward(self: Symbol, other: Any) -> Any:
        if _foreign(other):
            return NotImplemented
        return call(name, self, other)

    def backward(self: Symbol, other: Any) -> Any:
        if _foreign(other):
            return NotImplemented
        return call(name, other, self)

    return forward, backward


def _foreign(other: Any) -> bool:
    return other is None or isinstance(other, (str, dict, set))


def _in_place(name: str) -> Callable[..., Any]:
    def update(self: Symbol, other: Any) -> Any:
        result = call(name, self, other)
        if self.shape == () or self.mask is not None:
            return result
        self[...] = result
        return self

    return update


_ARITHMETIC = {
    "add": "add",
    "sub": "subtract",
    "mul": "multiply",
    "truediv": "divide",
    "floordiv": "floor_divide",
    "mod": "remainder",
    "pow": "power",
    "and": "bitwise_and",
    "or": "bitwise_or",
    "xor": "bitwise_xor",
}
for _short, _name in _ARITHMETIC.items():
    _forward, _backward = _binary(_name)
    setattr(Symbol, f"__{_short}__", _forward)
    setattr(Symbol, f"__r{_short}__", _backward)
    setattr(Symbol, f"__i{_short}__", _in_place(_name))
for _short, _name in {"lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal"}.items():
    setattr(Symbol, f"__{_short}__", _binary(_name)[0])


def _equality(name: str, default: bool) -> Callable[..., Any]:
    def compare(self: Symbol, other: Any) -> Any:
        return default if _foreign(other) else call(name, self, other)

    return compare


def _unary(name: str) -> Callable[[Symbol], Symbol]:
    return lambda self: call(name, self)


for _short, _name in {"neg": "negative", "pos": "positive", "abs": "absolute", "invert": "invert"}.items():
    setattr(Symbol, f"__{_short}__", _unary(_name))
Symbol.__eq__ = _equality("equal", False)  # type: ignore[method-assign]
Symbol.__ne__ = _equality("not_equal", True)  # type: ignore[method-assign]


def _round(self: Symbol, digits: int | None = None) -> Any:
    if digits is None:
        return int(call("rint", self))
    scale = 10.0**digits
    return call("rint", self * scale) / scale


def _divmod(self: Symbol, other: Any) -> Any:
    return call("floor_divide", self, other), call("remainder", self, other)


def _matmul(self: Symbol, other: Any) -> Any:
    from .linear import matmul

    return matmul(self, lift(self.ctx, other))


def _rmatmul(self: Symbol, other: Any) -> Any:
    from .linear import matmul

    return matmul(lift(self.ctx, other), self)


for _short, _function in {
    "round": _round,
    "divmod": _divmod,
    "matmul": _matmul,
    "rmatmul": _rmatmul,
    "floor": lambda self: int(call("floor", self)),
    "ceil": lambda self: int(call("ceil", self)),
    "trunc": lambda self: int(call("trunc", self)),
}.items():
    setattr(Symbol, f"__{_short}__", _function)
