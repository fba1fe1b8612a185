"""One fit of many groups: parameters that all share, and parameters of each."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, MarquardtError, OptionError, ParameterError, Status, suggestion
from ..options import Options
from ..problem.grouped import GroupedProblem
from ..problem.model import Model, compile_model, lend
from ..problem.traced import TracedProblem
from ..problem.verify import agrees_at_end
from ..solve.arrow import Pair
from ..solve.arrow_minimize import Outcome, minimize_groups
from ..solve.minimize import minimize
from .data import Data
from .groups import (
    Group,
    Many,
    Parts,
    Task,
    checked,
    group_name,
    groups_of,
    per_group,
    rows_given,
    start_value,
)  # fmt: skip
from .groups_result import GroupData, GroupFit
from .parameters import Parameters
from .partition import Label
from .setup import Request, Setup

Vector = NDArray[np.float64]
Array = NDArray[np.float64]

SAMPLE = 5
"""So many of the largest groups are fitted alone to find where all begin."""


def fit_groups(many: Many, wanted: Request, task: Task) -> GroupFit:
    """One fit of all groups."""
    start, own_start = per_group(wanted.start)
    setup = task.prepare(replace(wanted, start=start))
    _refuse(setup, task)
    n = rows_given(setup)
    groups = groups_of(many.group, wanted.data, n, "group", wanted.missing)
    checked(own_start, groups)
    parts = Parts(setup, n)
    data = [parts.data(g) for g in groups]
    for group, part in zip(groups, data, strict=True):
        if part.y.size == 0:
            raise DataError(f"group {group.label!r} has no row left: each has a value that is missing")
    joint = Joint(setup, groups, data, _shared(many.shared, setup.parameters))
    own, shared = joint.starts(own_start)
    searched = 0
    if np.isnan(own).any() or np.isnan(shared).any():
        own, shared, searched = joint.found(own, shared, task)
    outcome = joint.minimize(own, shared, task)
    if not outcome.status.success and outcome.status is not Status.INTERRUPTED:
        outcome = joint.again(outcome, own, shared, task)
    told = GroupData(
        group_name(many.group), tuple(g.label for g in groups), data, joint.models, setup, joint.own,
        joint.shared, own, shared, searched, n,
    )  # fmt: skip
    return GroupFit(outcome, told)


def _refuse(setup: Setup, task: Task) -> None:
    for there, what in (
        (setup.loss is not None, "loss="),
        (task.counts, "family="),
        (setup.penalty is not None, "prior= and ridge="),
        (setup.starts is not None, "starts="),
        (setup.data.of_prediction is not None, "sigma= or weights= as a formula of the prediction"),
        (task.options is not None and task.options.method != "auto", "another method than 'auto'"),
    ):
        if there:
            raise OptionError(f"{what} cannot be had with group= as yet: leave it out, or fit with by=")


def _shared(given: Any, parameters: Parameters) -> tuple[str, ...]:
    """Names of the shared parameters; a vector parameter stands for all its components."""
    if given is None:
        raise OptionError('group= needs shared=: the parameters that all groups share, as in shared=["Km"]')
    found: list[str] = []
    for name in [given] if isinstance(given, str) else list(given):
        names = [n for n in parameters.names if n == name or n.split("[")[0] == name]
        if not names:
            raise ParameterError(f"shared: no parameter {name!r}{suggestion(str(name), parameters.names)}")
        found.extend(names)
    return tuple(found)


class Joint:
    """The problem of all groups."""

    def __init__(self, setup: Setup, groups: list[Group], data: list[Data], shared: tuple[str, ...]) -> None:
        p = setup.parameters
        self.setup, self.groups, self.data = setup, groups, data
        self.shared = [i for i in p.free if p.names[i] in shared]
        self.own = [i for i in p.free if p.names[i] not in shared]
        if not self.own:
            raise OptionError("every free parameter is shared: leave group= out and fit all data as one")
        self.values = p.provisional()
        self.models: list[Model] = []
        self._trace()

    def _trace(self) -> None:
        """One trace for all groups, whatever their number of rows."""
        p = self.setup.parameters
        whole = compile_model(self.setup.function, self.setup.data.arguments, p.shapes)
        if whole.reason is None and not whole.versions:
            whole.problem(self.setup.data.arguments, None, None, self.values, p.free)
        by_kind: dict[Any, Model] = {}
        for part in self.data:
            kind = tuple(np.shape(a) for a in part.arguments)
            if kind not in by_kind:
                by_kind[kind] = lend(whole, part.arguments, self.values, p.free)
            self.models.append(by_kind[kind])

    def _problem(self, g: int, values: Vector, free: list[int]) -> Any:
        y, w = self.data[g].flat()
        return self.models[g].problem(self.data[g].arguments, y, w, values, tuple(free))

    def starts(self, own_start: Any) -> tuple[Array, Vector]:
        """Start values of all groups, NaN where none was given."""
        p = self.setup.parameters
        own = np.tile(p.values[self.own], (len(self.groups), 1))
        for name, by_label in own_start.items():
            if name not in p.names:
                raise ParameterError(f"start: no parameter {name!r}{suggestion(name, p.names)}")
            place = p.names.index(name)
            if place not in self.own:
                raise ParameterError(f"start: {name!r} is shared or fixed: give it one value")
            for g, group in enumerate(self.groups):
                if group.label in by_label:
                    own[g, self.own.index(place)] = self._inside(name, place, group.label, by_label)
        return own, p.values[self.shared].copy()

    def _inside(self, name: str, place: int, label: Label, by_label: Any) -> float:
        p, value = self.setup.parameters, start_value(by_label[label], name, label)
        if not p.lower[place] <= value <= p.upper[place]:
            raise ParameterError(
                f"start: {name!r} of group {label!r} is {value:g}, outside its bounds "
                f"[{p.lower[place]:g}, {p.upper[place]:g}]"
            )
        return value

    def found(self, own: Array, shared: Vector, task: Task) -> tuple[Array, Vector, int]:
        """Starts where there are none: some of the largest groups are fitted alone, all begin at the medians
        of these, and then every group fits its own parameters, the shared ones held."""
        sizes = np.array([d.y.size for d in self.data])
        nfev, ends = 0, list[Vector]()
        for g in np.argsort(-sizes, kind="stable").tolist():
            if len(ends) == SAMPLE:
                break
            try:
                alone = task.run(replace(self.setup, data=self.data[g]), task.options, None)
            except MarquardtError:
                continue
            nfev += alone.nfev
            if alone.success:
                ends.append(alone.x)
            elif alone.status is Status.INTERRUPTED:
                raise KeyboardInterrupt
            if not ends and nfev > MOST_SEARCHED:
                break
        if not ends:
            raise ParameterError(
                "no start value was found by fitting groups alone: give start= for "
                + ", ".join(self.setup.parameters.names[i] for i in (*self.own, *self.shared))
            )
        middle = np.median(np.array(ends), axis=0)
        own = np.where(np.isnan(own), middle[self.own], own)
        shared = np.where(np.isnan(shared), middle[self.shared], shared)
        return self.own_alone(own, shared), shared, nfev

    def own_alone(self, own: Array, shared: Vector) -> Array:
        """Every group's own parameters, the shared ones held where they are."""
        p, out = self.setup.parameters, own.copy()
        lower, upper = p.lower[self.own], p.upper[self.own]
        for g in range(len(self.groups)):
            values = self.values.copy()
            values[self.own], values[self.shared] = own[g], shared
            end = minimize(self._problem(g, values, self.own), own[g].copy(), lower, upper, QUICK)
            if end.status.success and np.isfinite(end.x).all():
                out[g] = end.x
        found: Array = out
        return found

    def minimize(self, own: Array, shared: Vector, task: Task) -> Outcome:
        p = self.setup.parameters
        free = sorted([*self.own, *self.shared])
        values = self.values.copy()
        problems = []
        for g in range(len(self.groups)):
            values = values.copy()
            values[self.own], values[self.shared] = own[g], shared
            problems.append(self._problem(g, values, free))
        own_at, shared_at = ([free.index(i) for i in part] for part in (self.own, self.shared))
        problem = GroupedProblem(problems, own_at, shared_at)
        n_groups = len(self.groups)
        lower = Pair(np.tile(p.lower[self.own], (n_groups, 1)), p.lower[self.shared])
        upper = Pair(np.tile(p.upper[self.own], (n_groups, 1)), p.upper[self.shared])
        outcome = minimize_groups(problem, Pair(own, shared), lower, upper, task.options, task.watch)
        if outcome is None:
            self._refuse_start(problem, own, shared)
        assert outcome is not None
        if not self._agrees(problem, outcome):
            return self.minimize(own, shared, task)  # with the function called back; the model says why
        return outcome

    def _agrees(self, problem: GroupedProblem, end: Outcome) -> bool:
        """Does the function give at the end what its trace gives there?"""
        for g, one in enumerate(problem.problems):
            if isinstance(one, TracedProblem) and not one.model.settled:
                f = end.f[problem.starts[g] : problem.ends[g]]
                x = problem.point(g, end.x.own, end.x.shared)
                if not agrees_at_end(one, x, lambda step, f=f: f[::step]):  # type: ignore[misc]
                    for model in self.models:
                        model.distrust(str(one.model.reason))
                    return False
        return True

    def _refuse_start(self, problem: GroupedProblem, own: Array, shared: Vector) -> None:
        f = problem.residuals(own, shared)
        p = self.setup.parameters
        bad = ~np.isfinite(f)
        k = int(np.argmax(bad)) if bad.any() else 0
        g = int(np.searchsorted(problem.ends, k, side="right"))
        named = [
            *zip(self.own, own[g].tolist(), strict=True),
            *zip(self.shared, shared.tolist(), strict=True),
        ]
        at = ", ".join(f"{p.names[i]} = {v:g}" for i, v in named)
        row = self.data[g].row(k - int(problem.starts[g])) if bad.any() else 0
        what = f"the model is {f[k]} in row {row}" if bad.any() else "the derivatives are not finite"
        raise DataError(
            f"group {self.groups[g].label!r}: {what} at the start {at}: choose another start, if need be for "
            f"this group alone, start={{'{p.names[self.own[0]]}': {{{self.groups[g].label!r}: ...}}}}"
        )

    def again(self, first: Outcome, own: Array, shared: Vector, task: Task) -> Outcome:
        """Begin once more, where every group has fitted its own parameters; the lower end is kept."""
        if first.status is Status.MAX_EVALUATIONS:
            return first  # no evaluation is left for it
        try:
            second = self.minimize(self.own_alone(own, shared), shared, task)
        except DataError:
            return first
        better = second.status.success > first.status.success or second.cost < first.cost
        kept = second if better and math.isfinite(second.cost) else first
        return replace(kept, nfev=first.nfev + second.nfev, njev=first.njev + second.njev)


MOST_SEARCHED = 100_000
QUICK = Options(max_evaluations=200)
