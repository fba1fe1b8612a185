"""A symbol: an array of expressions that behaves like the NumPy array it stands for."""

# mypy: disable-error-code="no-any-return"
from __future__ import annotations

import weakref
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ..graph import Node
from .cells import Segments, objects, units
from .context import DATA, PARAM, STATE, Context, ObjectArray
from .leaves import Shape

MAX_UNROLL = 5000
_DTYPES = {
    "b": np.dtype(bool),
    "i": np.dtype(np.int64),
    "f": np.dtype(np.float64),
    "c": np.dtype(np.complex128),
}


class Symbol:
    """An array of expressions: its shape and dtype are known, its value is computed when asked for.

    ``nodes`` (and ``im`` for complex numbers) hold one node per cell, see `cells`. ``mask`` marks the
    full-length form of ``x[m]`` with a mask that depends on parameters.
    """

    __slots__ = (
        "__weakref__",
        "_views",
        "ctx",
        "im",
        "kind",
        "mask",
        "nodes",
        "owner",
        "pending",
        "segments",
        "shape",
    )
    __array_priority__ = 1000.0
    __hash__: None  # type: ignore[assignment]
    pending: Any
    if TYPE_CHECKING:  # given to the class by `ufuncs`

        def __add__(self, other: Any) -> Any: ...
        def __radd__(self, other: Any) -> Any: ...
        def __sub__(self, other: Any) -> Any: ...
        def __rsub__(self, other: Any) -> Any: ...
        def __mul__(self, other: Any) -> Any: ...
        def __rmul__(self, other: Any) -> Any: ...
        def __truediv__(self, other: Any) -> Any: ...
        def __rtruediv__(self, other: Any) -> Any: ...
        def __neg__(self) -> Any: ...

    def __init__(
        self,
        ctx: Context,
        shape: Shape,
        segments: Segments,
        nodes: ObjectArray,
        im: ObjectArray | None = None,
        kind: str = "f",
    ) -> None:
        self.ctx, self.shape, self.segments, self.nodes, self.im, self.kind = (
            ctx,
            shape,
            segments,
            nodes,
            im,
            kind,
        )
        self.mask: Symbol | None = None
        self.pending = None
        self.owner: tuple[Any, Any] | None = None
        self._views: list[Any] | None = None

    def __getattr__(self, name: str) -> Any:
        if name in ("nodes", "im", "segments"):  # a lazy rearrangement, needed now
            from .cells import rearrange

            base, positions = self.pending
            full = rearrange([base], positions)
            self.nodes, self.im, self.segments = full.nodes, full.im, full.segments
            self.pending = None
            return getattr(self, name)
        from . import methods

        return methods.attribute(self, name)

    def like(self, shape: Shape, segments: Segments, nodes: ObjectArray, im: ObjectArray | None) -> Symbol:
        return Symbol(self.ctx, shape, segments, nodes, im, self.kind)

    # -- what arrays have --------------------------------------------------------------------------
    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return int(np.prod(self.shape))

    @property
    def dtype(self) -> np.dtype[Any]:
        return _DTYPES[self.kind]

    @property
    def real(self) -> Symbol:
        return self if self.im is None else Symbol(self.ctx, self.shape, self.segments, self.nodes)

    @property
    def imag(self) -> Symbol:
        zero = self.ctx.graph.const(0.0)
        nodes = objects(self.nodes.shape, zero) if self.im is None else self.im
        return Symbol(self.ctx, self.shape, self.segments, nodes)

    @property
    def T(self) -> Symbol:
        from .shapes import transpose

        return self.lend(transpose(self))

    # -- what it depends on ----------------------------------------------------------------------------
    @property
    def depends(self) -> int:
        kind = 0
        for node in self.nodes.flat:
            kind |= node.kind
        if self.im is not None:
            for node in self.im.flat:
                kind |= node.kind
        return kind

    @property
    def scalar(self) -> Node:
        """The node of a single real element."""
        if self.size != 1 or self.im is not None:
            raise TypeError("only length-1 arrays can be converted to Python scalars")
        node: Node = self.nodes.flat[0]
        return node

    def concrete(self) -> Any:
        """The current value as a NumPy array."""
        if self.mask is not None:
            full = Symbol(self.ctx, self.shape, self.segments, self.nodes, self.im, self.kind)
            return full.concrete()[self.mask.concrete()]
        parts = [self.nodes] if self.im is None else [self.nodes, self.im]
        values = [self._evaluate(part) for part in parts]
        value = values[0] if self.im is None else values[0] + 1j * values[1]
        return value.astype(self.dtype, copy=False)

    def _evaluate(self, nodes: ObjectArray) -> Any:
        from .cells import blocks

        out = np.empty(self.shape)
        for cell, where in blocks(self.segments):
            out[where] = self.ctx.evaluate(nodes[cell])
        return out

    def frozen(self) -> Any:
        """The value of data alone, which binds the trace to them; None if parameters are involved."""
        depends = self.depends | (0 if self.mask is None else self.mask.depends)
        if depends & PARAM:
            return None
        if depends & DATA:
            self.ctx.data_bound = True
        value = self.concrete()
        return value[()] if value.ndim == 0 else value

    # -- conversions -----------------------------------------------------------------------------------
    def __bool__(self) -> bool:
        if self.size != 1:
            if self.ctx.scalar_rows:
                return self._decide(self.nodes.flat[0])
            raise ValueError("The truth value of an array with more than one element is ambiguous.")
        from .ufuncs import call

        node = self.nodes.flat[0] if self.kind == "b" else call("not_equal", self, 0).nodes.flat[0]
        return self.ctx.truth(node, "if")

    def _decide(self, node: Node) -> bool:
        if self.ctx.decide is None:
            self.ctx.abort("if")
        return self.ctx.decide(node)

    def __int__(self) -> int:
        return self._whole("int")

    def __index__(self) -> int:
        if self.kind not in "ib" or self.size != 1:
            raise TypeError("only integer scalar arrays can be converted to a scalar index")
        return self._whole("index")

    def _whole(self, where: str) -> int:
        """A whole number of the current value, guarded: the trace holds while it stays the same."""
        ctx = self.ctx
        node = ctx.graph.apply("trunc", self.scalar)
        value = int(ctx.evaluate(ctx.bake(node)))
        ctx.truth(ctx.graph.apply("eq", node, ctx.graph.const(float(value))), where)
        return value

    def __float__(self) -> float:
        value = self.frozen()
        if value is None:
            self.ctx.abort("float()")
        return float(value)

    def __complex__(self) -> complex:
        value = self.frozen()
        if value is None:
            self.ctx.abort("complex()")
        return complex(value)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        value = self.frozen()
        if value is None:
            self.ctx.abort("conversion to a plain array")
        return np.asarray(value, dtype=dtype)

    def __repr__(self) -> str:
        return repr(self._spoken())

    def __str__(self) -> str:
        return str(self._spoken())

    def __format__(self, spec: str) -> str:
        return format(self._spoken(), spec)

    def _spoken(self) -> Any:
        """The value behind a text. A text made of parameters could be read back as a bare number."""
        value = self.frozen() if STATE.current is self.ctx else self.concrete()[()]
        if value is None:
            self.ctx.abort("str")
        return value

    # -- containers ----------------------------------------------------------------------------------
    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of unsized object")
        if self.mask is not None:
            from .masks import count

            return int(count(self))
        return self.shape[0]

    def __iter__(self) -> Iterator[Symbol]:
        if not self.shape:
            raise TypeError("iteration over a 0-d array")
        if self.shape[0] > MAX_UNROLL:
            self.ctx.abort(f"a loop over {self.shape[0]} points")
        return (self[i] for i in range(self.shape[0]))

    def __getitem__(self, key: Any) -> Any:
        from .indexing import get

        return get(self, key)

    def __setitem__(self, key: Any, value: Any) -> None:
        from .indexing import put

        put(self, key, value)

    def __contains__(self, item: Any) -> bool:
        return any(bool(element == item) for element in self)

    # -- writing: aliases and views follow --------------------------------------------------------------
    def replace(self, other: Symbol) -> None:
        """Become ``other`` in place; views of this array and arrays it is a view of follow."""
        self.segments, self.nodes, self.im = other.segments, other.nodes, other.im
        self.mask, self.pending = other.mask, None
        if self.owner is not None:
            base, key = self.owner
            if key is not None:
                base[key] = self
            elif base() is not None:
                self.ctx.abort("writing through a reshaped view")
        self.refresh()

    def refresh(self) -> None:
        for reference, key in self._views or ():
            view = reference()
            if view is not None and key is None:
                self.ctx.abort("writing to an array with a reshaped view")
            if view is not None and view.owner is not None:
                from .indexing import read

                fresh = read(self, key)
                view.segments, view.nodes, view.im = fresh.segments, fresh.nodes, fresh.im
                view.refresh()

    def lend(self, view: Symbol) -> Symbol:
        """A reshaped array shares memory too: writing to either while both live is refused."""
        if view is not self:
            view.owner = (weakref.ref(self), None)
            if self._views is None:
                self._views = []
            self._views.append((weakref.ref(view), None))
        return view

    def __copy__(self) -> Symbol:
        from .creation import copy

        return copy(self)

    def __deepcopy__(self, memo: Any) -> Symbol:
        return self.__copy__()

    def watch(self, view: Symbol, key: Any) -> None:
        """Remember a view: basic indexing of an array shares memory."""
        view.owner = (self, key)
        if self._views is None:
            self._views = []
        self._views.append((weakref.ref(view), key))

    # -- NumPy's protocols ----------------------------------------------------------------------------
    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        from .ufuncs import dispatch

        return dispatch(self.ctx, ufunc, method, inputs, kwargs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        from .functions import dispatch

        return dispatch(self.ctx, function, args, kwargs)


def wrap(ctx: Context, node: Node, kind: str = "f") -> Symbol:
    """A 0-d symbol."""
    return Symbol(ctx, (), (), objects((), node), None, kind)


def unrolled(ctx: Context, nodes: ObjectArray, im: ObjectArray | None = None, kind: str = "f") -> Symbol:
    """A symbol with one cell per element."""
    return Symbol(ctx, nodes.shape, tuple(units(n) for n in nodes.shape), nodes, im, kind)


def constant(ctx: Context, value: Any, shape: Shape, kind: str = "f") -> Symbol:
    """One constant everywhere: a single cell."""
    number = complex(value)
    nodes = objects((1,) * len(shape), ctx.graph.const(number.real))
    im = objects(nodes.shape, ctx.graph.const(number.imag)) if kind == "c" else None
    return Symbol(ctx, shape, tuple((n,) for n in shape), nodes, im, kind)


def unroll(symbol: Symbol) -> Symbol:
    """The symbol with one cell per element."""
    from .cells import split

    for axis in range(-symbol.ndim, 0):
        if symbol.shape[axis] > MAX_UNROLL:
            symbol.ctx.abort(f"an operation over {symbol.shape[axis]} rows")
        symbol = split(symbol, axis, units(symbol.shape[axis]))
    return symbol


def lift(ctx: Context, value: Any) -> Symbol:
    """Any operand as a symbol: numbers become constants, arrays data columns or unrolled constants."""
    if type(value) is Symbol:
        return value
    if isinstance(value, (bool, np.bool_)):
        return wrap(ctx, ctx.graph.const(float(value)), "b")
    if isinstance(value, (int, np.integer)):
        return wrap(ctx, ctx.graph.const(float(value)), "i")
    if isinstance(value, (float, np.floating)):
        return wrap(ctx, ctx.graph.const(float(value)))
    if isinstance(value, (complex, np.complexfloating)):
        return constant(ctx, value, (), "c")
    if isinstance(value, (list, tuple)):
        from .creation import array

        return array(ctx, value)
    if hasattr(value, "__marquardt__"):
        inner = value.__marquardt__()
        return lift(ctx, inner)
    found = np.asarray(value)
    if found.dtype == object:
        from .creation import array

        return array(ctx, found.tolist())
    if found.dtype.kind not in "biufc":
        raise TypeError(f"unsupported operand type: {type(value).__name__} of dtype {found.dtype}")
    from .captures import captured

    return captured(ctx, found)


def current() -> Context:
    """The context of the trace that is running."""
    if STATE.current is None:
        raise RuntimeError("no trace is running")
    return STATE.current


__all__ = ["Symbol", "constant", "current", "lift", "unroll", "unrolled", "wrap"]
