"""Many problems of one model, each with parameters of its own and some that all share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .programs import CorePrograms
from .traced import Problem, TracedProblem

Vector = NDArray[np.float64]
Array = NDArray[np.float64]


class GroupedProblem:
    """Residuals of all groups, one after the other.

    `own` and `shared` are positions among the free parameters of each problem.
    """

    def __init__(self, problems: Sequence[Problem], own: Sequence[int], shared: Sequence[int]) -> None:
        self.problems = list(problems)
        self.own, self.shared = list(own), list(shared)
        self.order = [*self.own, *self.shared]
        self.ends = np.cumsum([p.size for p in self.problems])
        self.starts = self.ends - [p.size for p in self.problems]
        self.size = int(self.ends[-1])
        self._short = [_short_way(p) for p in self.problems]
        self._terms = [_terms(p) for p in self.problems]
        buckets: dict[int, list[int]] = {}
        for g, p in enumerate(self.problems):
            buckets.setdefault(p.size, []).append(g)
        self._buckets = [(m, np.asarray(found)) for m, found in buckets.items()]

    def _points(self, own: Array, shared: Vector) -> list[Vector]:
        """The free parameters of every problem, in its own order."""
        x = np.empty((len(own), len(self.order)))
        x[:, self.own], x[:, self.shared] = own, shared
        return list(x)

    def point(self, g: int, own: Array, shared: Vector) -> Vector:
        """The free parameters of one problem, in its own order."""
        return self._points(own[g : g + 1], shared)[0]

    def residuals(self, own: Array, shared: Vector) -> Vector:
        """Weighted residuals, NaN where the model refuses, shape (m,)."""
        parts = [
            problem.trial_residuals(x) if short is None else short.residuals(x)
            for problem, short, x in zip(self.problems, self._short, self._points(own, shared), strict=True)
        ]
        return np.concatenate(parts)

    def fold(self, own: Array, shared: Vector, f: Vector) -> tuple[Array, Array, Array]:
        """Triangles (G, p, p + 1) of [J f], and per group J'f and its rounding terms, (G, p) each."""
        n_groups, p = len(self.problems), len(self.order)
        rows = np.zeros((n_groups, p, p + 1))
        gradient, rounding = np.zeros((n_groups, p)), np.zeros((n_groups, p))
        points = self._points(own, shared)
        for m, groups in self._buckets:
            block = np.zeros((groups.size, max(m, p), p + 1))
            size = np.zeros((groups.size, m))
            for k, g in enumerate(groups.tolist()):
                x, problem, short = points[g], self.problems[g], self._short[g]
                part = f[self.starts[g] : self.ends[g]]
                block[k, :m, :p] = problem.jacobian(x, part) if short is None else short.jacobian(x)
                block[k, :m, p] = part
                size[k] = self._terms[g]
            block[:, :, :p] = block[:, :, self.order]
            J = block[:, :m, :p]
            size = size + 2.0 * np.abs(block[:, :m, p])
            gradient[groups] = np.einsum("gij,gi->gj", J, block[:, :m, p])
            rounding[groups] = np.einsum("gij,gi->gj", np.abs(J), size)
            with np.errstate(all="ignore"):
                finite = np.isfinite(block).all(axis=(1, 2))
                block[~finite] = 0.0
                folded: Any = np.linalg.qr(block, mode="r")
                rows[groups] = folded[:, :p]
            rows[groups[~finite]] = np.nan
        return rows, gradient, rounding

    def residual_hessians(self, own: Array, shared: Vector, f: Vector) -> Array | None:
        """sum_i f_i H_i of every group, (G, p, p), own parameters first; None where it cannot be had."""
        out = np.zeros((len(self.problems), len(self.order), len(self.order)))
        for g, x in enumerate(self._points(own, shared)):
            problem, short = self.problems[g], self._short[g]
            part = f[self.starts[g] : self.ends[g]]
            if short is not None and short.programs.pairs is not None:
                out[g] = short.hessian(x, part)
            elif short is None and isinstance(problem, TracedProblem) and problem.twice(x):
                out[g] = problem.residual_hessian(x, part)
            else:
                return None
        return out[:, self.order][:, :, self.order]


def _terms(problem: Problem) -> Any:
    """2 |y| in weighted units: with 2 |f| a bound of |y| + |model| + |f|."""
    if problem.y is None:
        return 0.0
    return 2.0 * np.abs(problem.y if problem.w is None else problem.y * problem.w)


class _Short:
    """One tape on the columns as they are: what most groups need."""

    def __init__(self, problem: TracedProblem, programs: CorePrograms, columns: list[Vector]) -> None:
        self.problem, self.programs, self.columns = problem, programs, columns
        self.values = problem.values.copy()
        self.free = list(problem.free)

    def residuals(self, x: Vector) -> Vector:
        p = self.problem
        self.values[self.free] = x
        f = self.programs.value.run(self.values, self.columns, p.size)[0]
        if p.y is not None:
            f -= p.y
        if p.w is not None:
            f *= p.w
        return np.asarray(f)

    def jacobian(self, x: Vector) -> Array:
        p = self.problem
        self.values[self.free] = x
        d = self.programs.jacobian.run(self.values, self.columns, p.size)[1:].T
        return np.asarray(d if p.w is None else d * p.w[:, None])

    def hessian(self, x: Vector, f: Vector) -> Array:
        """sum_i f_i H_i, (p, p)."""
        self.values[self.free] = x
        weights = f if self.problem.w is None else f * self.problem.w
        return self.programs.hessian(self.values, self.columns, weights[None])


def _short_way(problem: Any) -> _Short | None:
    if not isinstance(problem, TracedProblem) or problem.spread or problem.whitening is not None:
        return None
    version = problem.version(problem.values[list(problem.free)])
    if version.trace.guards or not version.pointwise:
        return None
    made = version.programs(problem.free, problem.size, problem.model.in_core)[0]
    columns = [problem.arguments[k] for k in version.argument_of]
    plain = all(type(c) is np.ndarray and c.dtype == np.float64 and c.flags.c_contiguous for c in columns)
    if not isinstance(made, CorePrograms) or made.derive is not None or not plain:
        return None
    return _Short(problem, made, columns)
