"""Fits of counts: the start by weighted least squares, then the maximum of the likelihood."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, Status
from ..options import Options
from ..problem.model import Model, compile_model
from ..solve.minimize import minimize
from .count_result import CountFit
from .counts import Counted, start_weights
from .data import thin
from .search import Search, Searching, search
from .setup import Setup, check_used

Vector = NDArray[np.float64]
Watch = Callable[[Any], Any] | None

SEARCHED = 2000
"""Points among which start values are searched."""


def fit_counts(setup: Setup, counted: Counted, options: Options | None, watch: Watch) -> CountFit:
    """Minimize half the deviance.

    Where a start is no mean of such counts, weighted least squares lead into the range of means; where there
    is no start, both costs are searched.
    """
    run = _Run(setup, counted, options, watch)
    parameters = setup.parameters
    found: Search | None = None
    if parameters.any_unknown() or setup.starts is not None:
        few = thin(counted.data, SEARCHED)
        if few is None:
            found = run.search()
            outcome = found.outcome
        else:
            part = _Run(setup, counted.part(few), options, watch).search()
            outcome = run.descend(part.outcome.x)
            found = part.all_counted()
    else:
        outcome = run.descend(parameters.values[parameters.free_index])
    return CountFit(counted, outcome, run.model, parameters, counted.data, setup.title, found, setup.rebuild)


class _Run:
    """One model and its counts, with the two costs."""

    def __init__(self, setup: Setup, counted: Counted, options: Options | None, watch: Watch) -> None:
        data, parameters = counted.data, setup.parameters
        self.counted, self.parameters, self.options, self.watch = counted, parameters, options, watch
        self.starts = setup.starts
        values = parameters.provisional() if parameters.any_unknown() else parameters.values
        y, _ = data.flat()
        self.model: Model = compile_model(setup.function, data.arguments, parameters.shapes)
        plain = self.model.problem(data.arguments, y, None, values, parameters.free)
        check_used(self.model, parameters)
        w = start_weights(counted)
        self.likely = plain.with_loss(counted.likelihood)
        self.squares = self.model.problem(data.arguments, y, w, values, parameters.free)
        self.squares.project(parameters.bounded_positions)
        self.data = replace(data, w=w)
        free = parameters.free_index
        self.box = parameters.lower[free], parameters.upper[free]

    def descend(self, x: Vector) -> Any:
        """The fit from `x`, by way of weighted least squares where the model is no mean there."""
        if self._allowed(x):
            return minimize(self.likely, np.array(x), *self.box, self.options, self.watch)
        near = minimize(self.squares, np.array(x), *self.box, None, self.watch)
        if not self._allowed(near.x):
            self._refuse(near.x)
        outcome = minimize(self.likely, near.x, *self.box, self.options, self.watch)
        outcome.add(near.nfev, near.njev)
        return outcome

    def search(self) -> Search:
        """The better end of two searches: of the deviance itself, and of weighted squares followed by it."""
        found: Search | None = None
        with suppress(DataError):  # the best candidates of least squares may be no means
            found = self._searched(self.likely, self.options)
        if found is not None and found.outcome.status is Status.INTERRUPTED:
            return found
        squares = self._searched(self.squares, None)
        near = squares.outcome
        if not self._allowed(near.x):
            if found is None:
                self._refuse(near.x)
            return found
        outcome = minimize(self.likely, near.x, *self.box, self.options, self.watch)
        outcome.add(near.nfev, near.njev)
        other = squares.led_to(outcome, self.parameters.free_names)
        if found is None:
            return other
        best, rest = (found, other) if found.outcome.cost <= outcome.cost else (other, found)
        rest = rest.all_counted()
        return replace(best, nfev=best.nfev + rest.nfev, njev=best.njev + rest.njev)

    def _searched(self, problem: Any, options: Options | None) -> Search:
        parameters, starts = self.parameters, self.starts
        work = Searching(self.model, problem, self.data, parameters, options, self.watch, n_starts=starts)
        return search(work if parameters.any_unknown() else work.everywhere())

    def _allowed(self, x: Vector) -> bool:
        f = self.likely.trial_residuals(x)
        return bool(np.isfinite(f).all() and self.counted.likelihood.allows(f).all())

    def _refuse(self, x: Vector) -> NoReturn:
        """Name the first row where the model is no mean."""
        f = self.likely.trial_residuals(x)
        data, likelihood = self.counted.data, self.counted.likelihood
        row = int(np.argmax(~likelihood.allows(f)))
        where = data.arguments[0] if len(data.arguments) == 1 else None
        place = ""
        if isinstance(where, np.ndarray) and where.ndim == 1 and where.size == f.size:
            place = f" ({data.names[0]} = {where[row]:g})"
        free = self.parameters.free_names
        at = ", ".join(f"{n} = {v:g}" for n, v in zip(free, x.tolist(), strict=True))
        number = row if data.rows is None else int(data.rows[row])
        kind = (
            "a mean of counts is positive" if likelihood.family == "poisson" else "a probability is in (0, 1)"
        )
        raise DataError(
            f"the model is {likelihood.y[row] + f[row]:g} in row {number}{place} at {at}, from where the "
            f"fit would start, but {kind}: choose another start, bounds, or a model that stays there"
        )
