"""The record of a solution: one row per trial step, as a table, a log, and a line while it runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from .point import Point, Step

COLUMNS = (
    ("iteration", "i4"), ("cost", "f8"), ("trial_cost", "f8"), ("actual", "f8"), ("predicted", "f8"),
    ("gain_ratio", "f8"), ("damping", "f8"), ("radius", "f8"), ("step", "f8"), ("gradient", "f8"),
    ("cg_steps", "i4"), ("seconds", "f8"), ("accepted", "?"), ("verdict", "U15"),
)  # fmt: skip
HEAD = (
    f"{'step':>5} {'cost':>14} {'change':>10} {'|g|':>9} {'damping':>9} {'radius':>9} {'gain':>8} {'CG':>4} "
    f"{'seconds':>8}"
)


@dataclass(frozen=True)
class Judged:
    """A trial step beside what the model had predicted; the reductions are those of the cost."""

    step: Step
    cost: float
    """Where the step started."""
    trial_cost: float
    accepted: bool
    held: bool = False
    """Was the trial before it refused? Then its step was kept short on purpose."""

    @property
    def actual(self) -> float:
        return self.cost - self.trial_cost

    @property
    def gain_ratio(self) -> float:
        """Actual over predicted reduction."""
        predicted = self.step.predicted
        return self.actual / predicted if predicted > 0.0 else -np.inf

    @property
    def verdict(self) -> str:
        if self.accepted:
            return "go"
        if not np.isfinite(self.trial_cost):
            return "not finite"
        return "uphill" if self.actual <= 0.0 else "too little gain"


class SolveTrace(np.ndarray[Any, Any]):
    """One row per trial step, a structured array: ``trace["cost"]``, ``trace[trace["accepted"]]``.

    ``iteration`` from 1 · ``cost`` where the step started, ``trial_cost`` at its end (NaN: not finite) ·
    ``actual`` and ``predicted`` reduction, ``gain_ratio`` their quotient · ``damping`` · ``radius`` (NaN
    where the method has none) · ``step`` = |D p| · ``gradient``: the largest cosine of a column of J with the
    residuals · ``cg_steps`` of conjugate gradients · ``seconds`` since the start · ``accepted``, and the
    ``verdict``: "go", or why it was refused. `print` shows the rows as a log.
    """

    def __str__(self) -> str:
        if self.dtype.names is None or self.ndim != 1:
            return str(np.asarray(self))
        return "\n".join([HEAD, *(line(row) for row in self)]) if len(self) else "no steps"

    def __repr__(self) -> str:
        if self.dtype.names is None or self.ndim != 1:
            return repr(np.asarray(self))
        return f"<SolveTrace of {len(self)} steps, {int(np.sum(self['accepted']))} taken>"


class Recorder:
    """Collects the rows; with `shown` it prints each as it comes."""

    def __init__(self, clock: Any, shown: bool) -> None:
        self.clock, self.shown = clock, shown
        self.rows: list[tuple[Any, ...]] = []
        self.initial_cost = np.nan

    def begin(self, start: Point) -> None:
        """A minimization starts; only the first of several is announced."""
        if self.rows:
            return
        self.initial_cost = start.cost
        if self.shown:
            print(f"{HEAD}\n{0:5d} {start.cost:14.7e}", flush=True)

    def add(self, judged: Judged) -> None:
        step = judged.step
        row = (
            len(self.rows) + 1, judged.cost, judged.trial_cost, judged.actual, step.predicted,
            judged.gain_ratio, step.damping, step.radius, step.length, step.point.cosine,
            step.cg_steps, self.clock(), judged.accepted, judged.verdict,
        )  # fmt: skip
        self.rows.append(row)
        if self.shown:
            print(line(dict(zip((name for name, _ in COLUMNS), row, strict=True))), flush=True)

    def trace(self) -> SolveTrace:
        return np.array(self.rows, dtype=list(COLUMNS)).view(SolveTrace)


def line(row: Any) -> str:
    """One step in words."""
    radius = f"{row['radius']:9.2e}" if np.isfinite(row["radius"]) else f"{'':9}"
    end = "" if row["accepted"] else f"  refused: {row['verdict']}"
    return (
        f"{row['iteration']:5d} {row['trial_cost']:14.7e} {row['actual']:10.2e} {row['gradient']:9.2e} "
        f"{row['damping']:9.2e} {radius} {row['gain_ratio']:8.3g} {row['cg_steps']:4d} "
        f"{row['seconds']:8.3f}{end}"
    )
