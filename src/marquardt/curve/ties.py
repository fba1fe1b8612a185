"""Parameters that are expressions of others, and bounds on expressions: what the caller says, made ready.

A tied parameter leaves the fit: its expression takes its place in the model. A bounded expression enters
the fit in the place of one of its parameters; which one, is worked out in `limits`. Both happen on the
graph, so derivatives stay exact and linear parameters are found as ever.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ParameterError, suggestion
from ..expr.formula import Formula
from ..expr.graph import Graph, Node, rebuilt
from ..expr.interpret import interpret
from ..expr.substitute import Substitution, in_formula
from ..problem.tied import Tied
from .expressions import Read, bounded_expressions, read_ties
from .limits import Arranged, Bounded, Leaves, Limit, arrange_limits, leaves_of, start_of
from .parameters import (
    Parameters,
    arrange,
    check,
    flat_names,
    is_mapping,
    lay_out,
    limits_of,
    names_given,
    start_by_name,
)

if TYPE_CHECKING:
    from .setup import Request

Vector = NDArray[np.float64]

CLOSE = 1e-6
"""A start of a tied parameter may differ by this part from what the tie says."""


@dataclass(frozen=True)
class Relations:
    """How the parameters a caller speaks of follow from those that are fitted.

    ``put.nodes`` are those of the model and then the new ones that only ties name, flat, as expressions of
    the parameters that the minimizer sees.
    """

    names: tuple[str, ...]
    shapes: dict[str, tuple[int, ...]]
    """Of the caller's parameters, by name."""
    model_shapes: tuple[tuple[str, tuple[int, ...]], ...]
    """Of those that are arguments of the model."""
    put: Substitution
    tied: dict[str, str]
    """Expression by tied parameter."""
    start: Vector
    """Start values of the caller's parameters; NaN where none was given."""
    lower: Vector
    upper: Vector
    bounded: tuple[Bounded, ...]

    @property
    def of_model(self) -> Substitution:
        """The arguments of the model alone."""
        count = len(flat_names(dict(self.model_shapes)))
        return Substitution.of(self.put.names, self.put.nodes[:count])

    def bounded_starts(self, fitted: Vector, names: list[str]) -> list[float]:
        """Start values of those bounded expressions that are no parameters, by those of the fitted ones."""
        nodes = [b.node for b in self.bounded if b.text in names[len(self.names) :]]
        return [float(v) for v in interpret(nodes, fitted.tolist(), ())]

    def nested(self, fitted: Vector) -> dict[str, Any]:
        """Values of the caller's parameters: floats, and arrays for vector parameters."""
        every = Parameters(self.shapes, self.names, self.start, self.lower, self.upper, ())
        return every.nested(self.put.values(fitted))

    def apply(self, function: Any) -> Any:
        """The model as a function of the parameters that are fitted."""
        if isinstance(function, Formula):
            return in_formula(function, self.of_model)
        return Tied(function, self.model_shapes, self.of_model)


def arrange_related(
    names: tuple[str, ...],
    wanted: Request,
    defaults: Mapping[str, object] | None = None,
    star: str | None = None,
    columns: Collection[str] = (),
) -> Parameters:
    """The parameters of a fit, with ``relations`` where there are ties or bounds on expressions.

    Raises ParameterError, or FormulaError where an expression cannot be read.
    """
    defaults = defaults or {}
    ties, expressions = read_ties(wanted.ties), bounded_expressions(wanted.bounds, names)
    if ties or expressions:
        return _Arrangement(names, wanted, defaults, star, columns, ties, expressions).parameters()
    return arrange(names, defaults, wanted.start, wanted.bounds, wanted.fixed, star, wanted.hints)


# ----------------------------------------------------------------------------------------------- arrangement


class _Arrangement:
    """Ties resolved, limits placed, and what remains to be fitted."""

    def __init__(
        self, names: tuple[str, ...], wanted: Request, defaults: Mapping[str, object], star: str | None,
        columns: Collection[str], ties: dict[str, Read], expressions: dict[str, tuple[Read, Any]],
    ) -> None:  # fmt: skip
        self.model_names, self.wanted, self.columns = names, wanted, frozenset(columns)
        self.ties, self.expressions = ties, expressions
        self.graph = Graph()
        new = self._new_names()
        start = self._start(star)
        bounds = self._plain_bounds(defaults, start, star)
        self.full = lay_out((*names, *new), defaults, start, bounds, wanted.fixed, star, wanted.hints)
        self.place = {name: i for i, name in enumerate(self.full.names)}
        self.tied = {self._target(name): tie for name, tie in ties.items()}
        self.nodes = self._resolved()

    # -- what the caller gave
    def _new_names(self) -> list[str]:
        """Names that ties bring along."""
        known, found = self.model_names, list[str]()
        for target, tie in self.ties.items():
            for name in tie.names:
                if name in self.columns:
                    raise ParameterError(
                        f"the tie of {target!r} names the column {name!r}: a tie holds parameters only"
                    )
                if "[" not in name and name not in known and name not in found:
                    self._refuse_misspelt(target, name)
                    found.append(name)
        return found

    def _refuse_misspelt(self, target: str, name: str) -> None:
        """A new name that differs from a known one in case or underscores only, and has no start."""
        folded = {known.replace("_", "").casefold(): known for known in self.model_names}
        like = folded.get(name.replace("_", "").casefold())
        given = names_given(*[g for g in (self.wanted.start, self.wanted.bounds) if is_mapping(g)])
        if like is not None and name not in given:
            raise ParameterError(
                f"the tie of {target!r} names {name!r}, which is no parameter of the model; did you mean "
                f"{like!r}? A new parameter of that name needs a start value"
            )

    def _start(self, star: str | None) -> Any:
        """By name; components that ties give may be left out."""
        start = self.wanted.start
        if start is None or not is_mapping(start):
            return start_by_name(self.model_names, start, star)
        given = {str(name): value for name, value in start.items()}
        for target in self.ties:
            base = target.split("[")[0]
            if base != target and target not in given and any(n.startswith(f"{base}[") for n in given):
                given[target] = 0.0
        return dict(sorted(given.items(), key=_component_order))

    def _plain_bounds(self, defaults: Mapping[str, object], start: Any, star: str | None) -> Any:
        """Bounds by name, those of expressions left out."""
        bounds = self.wanted.bounds
        if bounds is None:
            return None
        if is_mapping(bounds):
            return {str(n): pair for n, pair in bounds.items() if str(n) not in self.expressions}
        own = {name: value for name, value in start.items() if name in self.model_names}
        alone = lay_out(self.model_names, defaults, own, bounds, None, star)
        return {
            name: (low, high) for name, low, high in zip(alone.names, alone.lower, alone.upper, strict=True)
        }

    # -- ties
    def _target(self, name: str) -> int:
        if name in self.place:
            return self.place[name]
        if name in self.full.shapes:
            raise ParameterError(f"{name!r} is a vector: tie its components, as in {name + '[0]'!r}")
        raise ParameterError(
            f"ties name {name!r}, which is no parameter of the model{suggestion(name, self.full.names)}"
        )

    def leaf(self, name: str, what: str) -> Node:
        """The parameter of that name in an expression."""
        if name in self.place:
            return self.graph.param(self.place[name])
        if name in self.full.shapes:
            raise ParameterError(
                f"{what} names the vector {name!r}: name a component, as in {name + '[0]'!r}"
            )
        raise ParameterError(
            f"{what} names {name!r}, which is no parameter of the model{suggestion(name, self.full.names)}"
        )

    def _resolved(self) -> list[Node]:
        """Each parameter by those that are not tied."""
        nodes: dict[int, Node] = {}
        stack: list[int] = []

        def resolve(i: int) -> Node:
            if i in stack:
                circle = [self.full.names[j] for j in [*stack[stack.index(i) :], i]]
                raise ParameterError(f"the ties go in a circle: {' -> '.join(circle)}; leave one of them out")
            if i not in nodes:
                stack.append(i)
                tie, name = self.tied.get(i), self.full.names[i]
                what = f"the tie of {name!r}"
                nodes[i] = (
                    self.graph.param(i)
                    if tie is None
                    else tie.at(self.graph, lambda n: resolve(int(self.leaf(n, what).value)))
                )
                stack.pop()
            return nodes[i]

        return [resolve(i) for i in range(len(self.full.names))]

    def _hold_constants(self, free: NDArray[np.bool_]) -> None:
        """A tie to a number fixes the parameter."""
        for i in list(self.tied):
            node = self.nodes[i]
            if node.op != "const":
                continue
            if not math.isfinite(node.value):
                name = self.full.names[i]
                raise ParameterError(f"the tie of {name!r}, {self.tied[i].text}, is {node.value:g}")
            low, high = self._bounds_of(i)
            if not low <= node.value <= high:
                raise ParameterError(
                    f"{self.full.names[i]!r} is tied to {node.value:g}, which is outside its bounds "
                    f"[{low:g}, {high:g}]"
                )
            self.full.values[i], free[i] = node.value, False
            self.nodes[i] = self.graph.param(i)
            del self.tied[i]

    # -- all of it
    def parameters(self) -> Parameters:
        full, n = self.full, len(self.full.names)
        free = np.zeros(n, dtype=bool)
        free[list(full.free)] = True
        for i, tie in self.tied.items():
            self._refuse_held(i, tie, bool(free[i]))
        self._hold_constants(free)
        limits = self._limits()
        lower, upper, values = full.lower.copy(), full.upper.copy(), full.values.copy()
        for i in self.tied:
            lower[i], upper[i], values[i], free[i] = -math.inf, math.inf, math.nan, False
        kept = frozenset(self.place[name] for name in self.wanted.hints or {} if name in self.place)
        leaves = Leaves(full.names, values, lower, upper, free, kept)
        arranged = arrange_limits(self.graph, leaves, limits)
        return self._joined(leaves, limits, arranged)

    def _refuse_held(self, i: int, tie: Read, free: bool) -> None:
        name = self.full.names[i]
        if not free:
            raise ParameterError(f"fixed names {name!r}, which is tied to {tie.text}: leave one of them out")
        if name in (self.wanted.hints or {}):
            raise ParameterError(
                f"{name!r} has a prior or a ridge, but is tied to {tie.text}: put it on a parameter in there"
            )

    def _limits(self) -> list[Limit]:
        """Bounds on tied parameters and on expressions."""
        found = []
        for i in self.tied:
            low, high = float(self.full.lower[i]), float(self.full.upper[i])
            if not low == -math.inf == -high:
                found.append(Limit(self.full.names[i], self.nodes[i], low, high))
        for text, (expression, pair) in self.expressions.items():
            found.append(Limit(text, self._node(expression, text), *map(float, limits_of(pair, text))))
        for limit in found:
            _refuse_crossed(limit)
        # Those of one parameter only move its bounds; nothing then has to leave for them.
        return sorted(found, key=lambda limit: len(leaves_of(limit.node)) > 1)

    def _node(self, expression: Read, text: str) -> Node:
        """A bounded expression, ties resolved."""
        what = f"the bound of {text!r}"
        return expression.at(self.graph, lambda name: self.nodes[int(self.leaf(name, what).value)])

    def _joined(self, leaves: Leaves, limits: list[Limit], arranged: Arranged) -> Parameters:
        """The parameters the minimizer sees: those that stayed, and expressions in the place of others."""
        n = len(leaves.names)
        came = [k for k in range(len(limits)) if arranged.carriers[k] == n + k]
        instead = dict(zip(arranged.solved, came, strict=True))
        order = [n + instead[i] if i in instead else i for i in range(n) if i not in self.tied]
        starts = [start_of(limit, leaves.values) for limit in limits]
        for i, k in instead.items():
            self._refuse_lost_start(i, limits[k], starts[k])
        names = tuple([leaves.names[i] if i < n else limits[i - n].text for i in order])
        box = [arranged.box[i] if i >= n or leaves.free[i] else self._bounds_of(i) for i in order]
        inner = Parameters(
            {name: () for name in names},
            names,
            np.array([leaves.values[i] if i < n else starts[i - n] for i in order]),
            np.array([low for low, _ in box]),
            np.array([high for _, high in box]),
            tuple(j for j, i in enumerate(order) if i >= n or leaves.free[i]),
        )
        check(inner)
        return replace(inner, relations=self._relations(inner, order, limits, arranged))

    def _bounds_of(self, i: int) -> tuple[float, float]:
        return float(self.full.lower[i]), float(self.full.upper[i])

    def _relations(
        self, inner: Parameters, order: list[int], limits: list[Limit], arranged: Arranged
    ) -> Relations:
        full, n = self.full, len(self.full.names)
        stays = [arranged.solved.get(i, self.graph.param(i)) for i in range(n)]
        nodes = rebuilt(self.graph, [*self.nodes, *[limit.node for limit in limits]], stays)
        graph, where = Graph(), {i: k for k, i in enumerate(order)}
        absent = graph.const(math.nan)
        leaves = [graph.param(where[i]) if i in where else absent for i in range(n + len(limits))]
        nodes = rebuilt(graph, nodes, leaves)
        bounded = tuple(
            Bounded(limit.text, node, limit.lower, limit.upper, where.get(carrier, -1))
            for limit, node, carrier in zip(limits, nodes[n:], arranged.carriers, strict=True)
        )
        put = Substitution.of(inner.names, nodes[:n])
        start, tied = full.values.copy(), list(self.tied)
        start[tied] = put.values(inner.values)[tied]
        self._refuse_contradiction(start)
        model_shapes = tuple((name, full.shapes[name]) for name in self.model_names)
        texts = {full.names[i]: tie.text for i, tie in self.tied.items()}
        return Relations(
            full.names, full.shapes, model_shapes, put, texts, start, full.lower, full.upper, bounded
        )

    def _refuse_lost_start(self, i: int, limit: Limit, value: float) -> None:
        if not math.isnan(self.full.values[i]) and math.isnan(value):
            others = [self.full.names[j] for j in leaves_of(limit.node) if math.isnan(self.full.values[j])]
            raise ParameterError(
                f"the start of {self.full.names[i]!r} cannot be used: {limit.text!r}, which is bounded, "
                f"takes its place, and {others[0]!r} has no start. Give that one too, or none of them"
            )

    def _refuse_contradiction(self, start: Vector) -> None:
        """A start that was given for a tied parameter by name."""
        given = self.wanted.start if is_mapping(self.wanted.start) else {}
        for label, value in given.items():
            name = str(label)
            i = self.place.get(name)
            if i not in self.tied or math.isnan(start[i]) or np.ndim(value):
                continue
            if abs(float(value) - start[i]) > CLOSE * max(abs(float(value)), abs(start[i])):
                raise ParameterError(
                    f"start {float(value):g} of {name!r} contradicts its tie, "
                    f"{self.tied[i].text} = {start[i]:g}: leave it out"
                )


def _component_order(item: tuple[str, Any]) -> tuple[str, tuple[int, ...]]:
    """Components of a vector in their order."""
    base, _, inside = item[0].partition("[")
    numbers = [part.strip() for part in inside.rstrip("]").split(",")] if inside else []
    return base, tuple(int(part) for part in numbers if part.isdigit())


def _refuse_crossed(limit: Limit) -> None:
    if limit.lower > limit.upper:
        raise ParameterError(
            f"bounds of {limit.text!r} are crossed: lower {limit.lower:g} > upper {limit.upper:g}"
        )
    if limit.lower == limit.upper:
        raise ParameterError(
            f"both bounds of {limit.text!r} are {limit.lower:g}: write it as a tie of one of its parameters, "
            "ties={name: expression}"
        )
