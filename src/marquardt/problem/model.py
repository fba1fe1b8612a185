"""A model made ready once: traced to exact derivatives where possible, called back otherwise.

`compile_model` turns a function (or formula) with its arguments into a `Model` and remembers it, so
that repeated fits of one function do not trace again. `Model.problem` joins it with data.
"""

from __future__ import annotations

import inspect
from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import Untraceable
from ..expr.formula import Formula
from ..expr.interpret import interpret
from ..expr.substitute import in_trace
from ..expr.trace import Trace, trace
from ..expr.trace.calling import evaluate
from .callback import CallbackProblem
from .tied import Tied
from .traced import Problem, TracedProblem
from .verify import agrees_nearby
from .version import Version, common_shape, formula_trace

Vector = NDArray[np.float64]
Shapes = Mapping[str, tuple[int, ...]]


MAX_VERSIONS = 20
"""A function with more paths than this (a branch at every point) would be traced at every step."""


class Model:
    """One function (or formula) for arguments of one kind, with every traced version of it.

    A function that branches on its parameters has a version for each path taken so far; each holds
    where its guards hold.
    """

    __slots__ = (
        "base",
        "by_name",
        "function",
        "in_core",
        "names",
        "options",
        "other",
        "reason",
        "scalar",
        "settled",
        "shapes",
        "trusted",
        "versions",
    )

    def __init__(
        self,
        function: Callable[..., Any] | Formula | Tied,
        shapes: Shapes,
        options: Mapping[str, object],
    ) -> None:
        self.function, self.options, self.shapes = function, dict(options), dict(shapes)
        # Where its arguments are expressions of the parameters: the function itself.
        self.base: Model | None = None
        if isinstance(function, Tied):
            self.base = Model(function.function, dict(function.shapes), options)
        self.names = flat_names(self.shapes)
        self.by_name = is_called_by_name(function, self.shapes)
        self.scalar = all(shape == () for shape in self.shapes.values())
        self.versions: list[Version] = []
        self.reason: str | None = None
        self.other: tuple[int, Model] | None = None
        self.in_core = True  # until a version needs an operation that has no kernel there
        self.trusted = isinstance(function, Formula)  # a formula is its own definition: nothing to verify
        # Verified from start to end once, and nothing hidden could change it since.
        self.settled = self.trusted

    @property
    def derivative(self) -> str:
        """How derivatives are made, in words."""
        return "exact (traced)" if self.reason is None else f"finite differences: {self.reason}"

    def distrust(self, reason: str) -> None:
        """Take the callback path from now on, and say why."""
        self.reason, self.versions = reason, []

    def unused(self) -> frozenset[int]:
        """Parameters that the traced expressions do not hold; empty where another branch may use them."""
        if self.reason is not None or not self.versions or any([v.trace.guards for v in self.versions]):
            return frozenset()
        return self.versions[0].unused

    def of_length(self, n: int) -> Model:
        """A model of the same function for arguments of another length; the last one is remembered."""
        if self.other is None or self.other[0] != n:
            self.other = n, Model(self.function, self.shapes, self.options)
        return self.other[1]

    def call(self, arguments: Sequence[Any], values: Vector) -> NDArray[Any]:
        """The user's own function (or the formula) at flat parameter `values`."""
        if isinstance(self.function, Formula):
            found = interpret((self.function.node,), values.tolist(), arguments)[0]
            return np.array(np.broadcast_to(found, common_shape(arguments)))
        if isinstance(self.function, Tied):
            assert self.base is not None
            return self.base.call(arguments, self.function.put.values(values))
        if not self.by_name:
            return np.asarray(evaluate(self.function, arguments, self.unflatten(values), self.options))
        copies = [a.copy() if isinstance(a, np.ndarray) else a for a in arguments]  # it may write to them
        with np.errstate(all="ignore"):
            return np.asarray(self.function(*copies, **self.unflatten(values), **self.options))

    def unflatten(self, values: Vector) -> dict[str, Any]:
        """Flat values as the function's own arguments: numbers, and arrays for vector parameters."""
        if self.scalar:
            return dict(zip(self.shapes, values, strict=True))
        out: dict[str, Any] = {}
        at = 0
        for name, shape in self.shapes.items():
            size = int(np.prod(shape))
            out[name] = values[at] if shape == () else values[at : at + size].reshape(shape)
            at += size
        return out

    def version_at(self, arguments: Sequence[Any], values: Vector) -> Version | None:
        """The traced version that holds at `values`, tracing a new one where none does."""
        for version in self.versions:
            if version.holds_at(values):
                return version
        if len(self.versions) >= MAX_VERSIONS:
            self.distrust(_too_many(self.versions))
            return None
        return self._trace_at(arguments, values)

    def _trace_at(self, arguments: Sequence[Any], values: Vector) -> Version | None:
        if isinstance(self.function, Formula):
            version = Version(formula_trace(self.function, arguments))
        else:
            try:
                version = Version(self._traced(arguments, values))
            except Untraceable as error:
                self.distrust(str(error))
                return None
        self.versions.append(version)
        return version

    def _traced(self, arguments: Sequence[Any], values: Vector) -> Trace:
        if isinstance(self.function, Tied):
            assert self.base is not None
            return in_trace(self.base._traced(arguments, self.function.put.values(values)), self.function.put)
        return trace(self.function, arguments, self.unflatten(values), self.options)

    def problem(
        self,
        arguments: Sequence[Any],
        y: Vector | None,
        w: Vector | None,
        values: Vector,
        free: Sequence[int],
    ) -> Problem:
        """Residuals ``(model - y) * w`` as a function of the free parameters; the others keep `values`.

        `y` and `w` are flat, in the order of ``model(...).ravel()``; `free` lists flat parameter indices.
        """
        if self.reason is None:
            version = self.version_at(arguments, values)
            if version is not None:
                problem = TracedProblem(self, arguments, y, w, values, tuple(free), version)
                if self.trusted or agrees_nearby(problem):
                    self.trusted = True
                    return problem
        return CallbackProblem(self, arguments, y, w, values, tuple(free))


def _too_many(versions: Sequence[Version]) -> str:
    """Which branch it is that changes over and over."""
    places = Counter(place for v in versions for place in {g.where for g in v.trace.guards})
    counts = Counter(g.where for v in versions for g in v.trace.guards)
    often = max(counts, key=lambda place: (counts[place], places[place]), default="a branch")
    return f"{often} takes another path at every step ({len(versions)} were traced)"


def flat_names(shapes: Shapes) -> tuple[str, ...]:
    """Scalar names of all parameters: ``a``, ``p[0]``, ``p[1]``, ``M[0,1]``.

    >>> flat_names({"a": (), "p": (2,)})
    ('a', 'p[0]', 'p[1]')
    """
    names: list[str] = []
    for name, shape in shapes.items():
        if shape == ():
            names.append(name)
        else:
            names.extend(f"{name}[{','.join(map(str, index))}]" for index in np.ndindex(shape))
    return tuple(names)


def is_called_by_name(function: Callable[..., Any] | Formula | Tied, names: Collection[str]) -> bool:
    """Can every parameter be passed by its name, after the positional arguments?"""
    code = getattr(function, "__code__", None)
    if code is None or code.co_flags & inspect.CO_VARARGS or code.co_posonlyargcount:
        return False
    return not any(name in names for name in code.co_varnames[: code.co_argcount - len(names)])


_MODELS: OrderedDict[Hashable, Model] = OrderedDict()
_REMEMBERED = 64


def compile_model(
    function: Callable[..., Any] | Formula | Tied,
    arguments: Sequence[Any],
    shapes: Shapes,
    options: Mapping[str, object] | None = None,
) -> Model:
    """The model of `function` for arguments of this kind, remembered while what it depends on stays.

    `shapes` are those of the parameters by name, ``()`` for a number.
    """
    options = options or {}
    key = _key(function, arguments, shapes, options)
    model = _MODELS.get(key) if key is not None else None
    if model is not None and all([v.is_current(arguments) for v in model.versions]):
        return model
    model = Model(function, shapes, options)
    if key is not None:
        _MODELS[key] = model
        if len(_MODELS) > _REMEMBERED:
            _MODELS.popitem(last=False)
    return model


def lend(model: Model, arguments: Sequence[Any], values: Vector, free: Sequence[int]) -> Model:
    """The model for arguments of another length: by the same trace where it holds there, else by a new one.

    Whether it holds is looked up in numbers, as a function may depend on the length of its arguments.
    """
    key = _key(model.function, arguments, model.shapes, model.options)
    known = _MODELS.get(key) if key is not None else None
    if known is not None and all([v.is_current(arguments) for v in known.versions]):
        return known
    other = Model(model.function, model.shapes, model.options)
    versions = [] if model.reason is not None else [v.of_length(arguments) for v in model.versions]
    if versions and None not in versions:
        other.versions = [v for v in versions if v is not None]
        other.in_core, other.trusted, other.settled = model.in_core, False, model.settled
        holds = isinstance(model.function, Formula)
        if not holds:
            other.problem(arguments, None, None, values, free)
            holds = other.reason is None
        if not holds:
            other = Model(model.function, model.shapes, model.options)
        other.trusted = holds
    if key is not None:
        _MODELS[key] = other
        if len(_MODELS) > _REMEMBERED:
            _MODELS.popitem(last=False)
    return other


def _key(
    function: Callable[..., Any] | Formula | Tied,
    arguments: Sequence[Any],
    shapes: Shapes,
    options: Mapping[str, object],
) -> Hashable | None:
    """What a trace depends on besides the function's own surroundings; None when it cannot be told."""
    kinds = tuple([_kind(a) for a in arguments])
    key = (function, kinds, tuple(shapes.items()), tuple(options.items()) if options else ())
    try:
        hash(key)
    except TypeError:
        return None
    return key


def _kind(argument: Any) -> Hashable:
    if isinstance(argument, np.ndarray):
        return (argument.shape, argument.dtype.char)
    if isinstance(argument, tuple | list):
        return tuple([_kind(a) for a in argument])
    return type(argument), np.shape(argument)
