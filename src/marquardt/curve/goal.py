"""What the minimizations of a search aim at: least squares, or a robust loss whose scale is yet unknown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import MarquardtError, Status
from ..options import Options
from ..problem.losses import Loss
from ..solve.many import minimize_many
from ..solve.minimize import minimize
from ..solve.robust import CLOSE, FIRST, Plan, minimize_robust

Vector = NDArray[np.float64]

JUDGED = 16
"""Starts whose residuals tell the noise to begin with."""


@dataclass(frozen=True)
class Goal:
    """Minimizations of one problem within bounds, their ends compared by one cost."""

    problem: Any
    lower: Vector
    upper: Vector
    options: Options
    watch: Callable[[Any], Any] | None
    plan: Plan | None = None
    loss: Loss | None = None
    """With a `plan`: near least absolute residuals, by which starts are told apart."""

    def prepared(self, starts: Sequence[Vector]) -> Goal:
        """With the scale of the robust loss taken from the best of the first starts."""
        if self.plan is None or self.loss is not None:
            return self
        loss = FIRST.at_scale(CLOSE * self._noise(self.plan, starts) * FIRST.row.tuning)
        return replace(self, loss=loss, problem=self.problem.with_loss(loss))

    def _noise(self, plan: Plan, starts: Sequence[Vector]) -> float:
        if plan.unit_noise or plan.f_scale is not None:
            return 1.0 if plan.f_scale is None else plan.f_scale / plan.loss.row.tuning
        with np.errstate(all="ignore"):
            residuals = [self.problem.trial_residuals(x) for x in starts[:JUDGED]]
            found = [plan.noise(f, x.size) for f, x in zip(residuals, starts, strict=False)]
        noises = [s for s in found if np.isfinite(s) and s > 0.0]
        return min(noises, default=1.0)

    def polish(self, starts: Sequence[Vector], budget: int) -> list[Any]:
        """A few evaluations from each of `starts`; None where there is no end."""
        options = replace(self.options, max_evaluations=budget, trace=False, polish=False)
        return list(minimize_many(self.problem, starts, self.lower, self.upper, options, self.watch))

    def finish_all(self, starts: Sequence[Vector]) -> list[Any]:
        """To the end from each of `starts`; None where there is none. An interrupted one is the last."""
        ends: list[Any] = []
        for x0 in starts:
            try:
                ends.append(self.finish(x0))
            except (MarquardtError, ArithmeticError):
                ends.append(None)
            if ends[-1] is not None and ends[-1].status is Status.INTERRUPTED:
                break
        return ends

    def finish(self, x0: Vector) -> Any:
        """To the end."""
        if self.plan is not None:
            plain = self.problem.with_loss(None)
            return minimize_robust(plain, self.plan, x0, self.lower, self.upper, self.options, self.watch)
        return minimize(self.problem, x0, self.lower, self.upper, self.options, self.watch)

    def cost(self, outcome: Any) -> float:
        """What is compared: the cost, of a robust fit that by the loss common to all."""
        return float(outcome.cost) if self.loss is None else self.loss.cost(outcome.f)

    def stop_at(self, x: Vector) -> Any:
        """An outcome at `x`, marked as interrupted."""
        return minimize(self.problem, x, self.lower, self.upper, self.options, stop_at_once)


def stop_at_once(progress: Any) -> bool:
    """An observer that ends a fit where it starts."""
    return True
