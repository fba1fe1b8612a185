"""Expressions of the parameters of a finished fit: values and standard errors by the delta method."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import ParameterError, suggestion
from ..expr.derive import jacobian
from ..expr.graph import Graph, Node, rebuilt
from ..expr.interpret import interpret
from ..solve.estimates import Parameter, ParameterTable
from .expressions import read

if TYPE_CHECKING:
    from .limits import Bounded
    from .result import FitResult
    from .ties import Relations

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

FLAT = 1e-6
"""An expression changes along an undetermined direction from this part of what its parameters do alone on."""
NEAR = 1e-9
"""An expression is at its bound where it differs by at most this part."""


@dataclass(frozen=True)
class Derived:
    """Values (k,) of expressions and their gradients (k, p) by the free parameters, where a fit ended."""

    values: Vector
    gradient: Matrix

    @classmethod
    def of(cls, fit: FitResult, graph: Graph, nodes: Sequence[Node]) -> Derived:
        parameters = fit._parameters
        slopes = jacobian(graph, nodes, [graph.param(i) for i in parameters.free])
        found = interpret([*nodes, *[d for row in slopes for d in row]], fit.x.tolist(), ())
        numbers = np.array([float(v) for v in found])
        k = len(nodes)
        return cls(numbers[:k], numbers[k:].reshape(k, len(parameters.free)))

    def covariance(self, fit: FitResult) -> Matrix:
        """``G C G'``; NaN, or infinite on the diagonal, where parameters at bounds or without effect say so.

        Linear in the parameters, with exact gradients G (the delta method).
        """
        G, held = self.gradient, np.asarray(fit._outcome.active) != 0
        with np.errstate(invalid="ignore", over="ignore"):
            C: Matrix = G @ fit.covariance_space @ G.T
        still = (G[:, held] != 0.0).any(axis=1) & ~(G[:, ~held] != 0.0).any(axis=1)
        C[still, :] = C[:, still] = np.nan  # as that of the parameters at their bounds
        lost = self._changes_along(fit.undetermined_directions, fit.certificate.lengths)
        C[lost, :] = C[:, lost] = np.nan
        C[lost, lost] = np.inf
        return C

    def _changes_along(self, directions: Matrix, lengths: Vector) -> NDArray[np.bool_]:
        """Which expressions change along directions (n, p), given in column-scaled parameters."""
        if not len(directions):
            return np.zeros(len(self.values), dtype=bool)
        moves = directions / np.where(lengths > 0.0, lengths, 1.0)
        change, alone = np.abs(self.gradient @ moves.T), np.abs(self.gradient) @ np.abs(moves.T)
        return np.asarray((change > FLAT * alone).any(axis=1))


def evaluate(fit: FitResult, texts: Sequence[str]) -> tuple[Derived, list[str]]:
    """Expressions by name of parameters; ParameterError where a name is none."""
    graph = Graph()
    leaves = _leaves(fit, graph)
    nodes, shown = [], []
    for text in texts:
        expression = read(text, "the expression")
        for name in expression.names:
            if name not in leaves:
                vector = any(known.startswith(f"{name}[") for known in leaves)
                hint = f": name a component, as in {name}[0]" if vector else suggestion(name, leaves)
                raise ParameterError(
                    f"the expression {expression.text!r} names {name!r}, which is no parameter{hint}"
                )
        nodes.append(expression.at(graph, lambda name: leaves[name]))
        shown.append(expression.text)
    return Derived.of(fit, graph, nodes), shown


def estimate(fit: FitResult, text: str) -> Parameter:
    """One expression as a row of the table of parameters."""
    derived, (shown,) = evaluate(fit, [text])
    return _row(fit, derived, 0, shown, math.nan, shown)


def covariance_of(fit: FitResult, texts: Sequence[str]) -> Matrix:
    """Joint covariance of several expressions."""
    return evaluate(fit, texts)[0].covariance(fit)


def related_table(fit: FitResult, fitted: ParameterTable, relations: Relations) -> ParameterTable:
    """All parameters the caller speaks of, and bounded expressions below them."""
    graph = Graph()
    leaves = [graph.param(i) for i in range(len(relations.put.names))]
    bounded = {b.text: b for b in relations.bounded}
    names = list(dict.fromkeys([*relations.names, *bounded]))
    nodes = [*relations.put.nodes, *[bounded[name].node for name in names[len(relations.names) :]]]
    derived = Derived.of(fit, graph, rebuilt(graph, nodes, leaves))
    starts = [*relations.start, *relations.bounded_starts(fit._parameters.values, names)]
    rows = []
    for k, name in enumerate(names):
        text = relations.tied.get(name, name if name not in relations.names else "")
        if name in fitted and not text:
            rows.append(fitted[name])
            continue
        row = _row(fit, derived, k, name, float(starts[k]), text)
        if name in bounded:
            row = _with_bounds(row, bounded[name], fit, fitted, derived.gradient[k])
        elif k < len(relations.names):
            row = replace(row, lower=float(relations.lower[k]), upper=float(relations.upper[k]))
        rows.append(row)
    return ParameterTable(tuple(rows))


def _row(fit: FitResult, derived: Derived, k: int, name: str, start: float, text: str) -> Parameter:
    variance, value = float(derived.covariance(fit)[k, k]), float(derived.values[k])
    stderr = math.sqrt(variance) if variance >= 0.0 and value == value else math.nan
    still = not derived.gradient[k].any()
    return Parameter(
        name, value, 0.0 if still else stderr, start, -math.inf, math.inf, still, 0,
        fit._interval_dof, 0.0, text,
    )  # fmt: skip


def _with_bounds(
    row: Parameter, bounded: Bounded, fit: FitResult, fitted: ParameterTable, slopes: Vector
) -> Parameter:
    """The row of a bounded expression: at its bound where the parameter is that carries the bound."""
    row = replace(row, lower=bounded.lower, upper=bounded.upper)
    carrier = list(fitted.values())[bounded.place] if bounded.place >= 0 else None
    if carrier is None or not carrier.at_bound:
        return row
    size = NEAR * max(abs(row.value), abs(carrier.value))
    if abs(row.value - row.lower) <= size or abs(row.value - row.upper) <= size:
        side = -1 if abs(row.value - row.lower) <= size else 1
        slope = float(slopes[fit._parameters.free.index(bounded.place)])
        return replace(row, at_bound=side, stderr=math.nan, pull=carrier.pull / slope if slope else 0.0)
    return row


def _leaves(fit: FitResult, graph: Graph) -> dict[str, Node]:
    """Every parameter an expression may name, by those that are fitted."""
    parameters = fit._parameters
    relations = parameters.relations
    if relations is None:
        return {name: graph.param(i) for i, name in enumerate(parameters.names)}
    return dict(zip(relations.names, relations.put.leaves(graph), strict=True))
