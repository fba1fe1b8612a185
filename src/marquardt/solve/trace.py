"""The record of a minimization: what was tried at each Jacobian, and what became of it."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import MissingPackageError

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

REASONS = ("certified", "noise", "spacing", "trials", "singular", "diverged", "budget", "interrupted")
"""What ended a search, in the order of the core's codes."""
MODELS = ("gauss-newton", "newton", "accelerated", "polish", "escape")
VERDICTS = (
    "go", "uphill", "too little gain", "not finite", "bends too much", "other model",
    "gradient rose", "jacobian not finite",
)  # fmt: skip

_FROM_CORE = (
    "iteration", "cost", "trial_cost", "actual", "predicted",
    "damping", "radius", "step", "gradient", "offset",
)  # fmt: skip
_TINY = float(np.finfo(float).tiny)
_DERIVED = ("gain_ratio", "cos_descent", "cos_gauss_newton", "condition")


@dataclass(frozen=True)
class Geometry:
    """One trial step and the linear model it was made from.

    ``x`` (n,) where it started · ``R`` (n, n), ``z`` (n,): the model ``|z + R p|^2`` · ``D`` (n,) scaling, 0
    for parameters that were projected out: nothing limits their steps · ``p`` (n,) the step tried ·
    ``damping``, ``radius`` of the step.
    """

    x: Vector
    R: Matrix
    z: Vector
    D: Vector
    p: Vector
    damping: float
    radius: float

    @property
    def gradient(self) -> Vector:
        """Gradient of the cost, ``J'f = R'z``."""
        return np.asarray(self.R.T @ self.z)

    @property
    def gauss_newton(self) -> Vector:
        """The Gauss-Newton step (n,), of least length in the norm of D where it is not unique."""
        unit = self._unit
        return np.asarray(np.linalg.lstsq(self.R / unit, -self.z, rcond=None)[0] / unit)

    @property
    def _unit(self) -> Vector:
        """D, with the column norm for a parameter that was projected out."""
        return np.where(self.D > 0.0, self.D, np.maximum(np.linalg.norm(self.R, axis=0), _TINY))

    def damped(self, damping: float) -> Vector:
        """The step (n,) that minimizes ``|z + R p|^2 + damping |D p|^2``."""
        unit = self._unit
        A = np.vstack([self.R / unit, np.sqrt(damping) * np.diag(self.D / unit)])
        b = np.concatenate([-self.z, np.zeros(self.D.size)])
        return np.asarray(np.linalg.lstsq(A, b, rcond=None)[0] / unit)


class Trace(np.ndarray[Any, Any]):
    """One row per trial step, a structured array: ``trace["cost"]``, ``trace[trace["accepted"]]``.

    ``iteration`` the Jacobian it started from, from 1 · ``cost`` there · ``trial_cost`` at the trial point
    (NaN: not evaluated) · ``actual`` and ``predicted`` reduction of the cost, ``gain_ratio`` their quotient
    · ``damping`` · ``radius`` (NaN where the method has none) · ``step`` = |D p| · ``gradient``: largest
    component in units of its rounding error · relative ``offset`` · ``cos_descent``, ``cos_gauss_newton``:
    cosines of the step with the scaled steepest descent and the Gauss-Newton step · ``condition`` of the
    scaled Jacobian · ``model`` that made the step · ``accepted``, and the ``verdict``: "go", or why it was
    refused · ``x`` (n,) the parameters tried.

    ``points`` (J, n), ``factors`` (J, n+1, n+1) and ``scales`` (J, n) are x, the triangular factor of [J f]
    and D at each Jacobian: row ``iteration - 1`` belongs to a trial. D is 0 for linear parameters while they
    were projected out. ``dropped`` counts steps beyond the
    room of the record (8 MB). `print` shows the rows as a log.
    """

    names: tuple[str, ...]
    points: Matrix
    factors: NDArray[np.float64]
    scales: Matrix
    dropped: int

    def __array_finalize__(self, other: Any) -> None:
        self.names = getattr(other, "names", ())
        self.dropped = getattr(other, "dropped", 0)
        for name in ("points", "factors", "scales"):
            setattr(self, name, getattr(other, name, np.empty((0, 0))))

    def geometry(self, row: int) -> Geometry:
        """The model and the step of one row."""
        r = self[row]
        k, n = int(r["iteration"]) - 1, len(self.names)
        x, factor = self.points[k], self.factors[k]
        return Geometry(
            x,
            factor[:n, :n],
            factor[:n, n],
            self.scales[k],
            r["x"] - x,
            float(r["damping"]),
            float(r["radius"]),
        )

    def to_pandas(self) -> Any:
        """A data frame, one column per number and one per parameter. Raises MissingPackageError."""
        try:
            import pandas  # type: ignore[import-untyped]
        except ImportError:
            raise MissingPackageError("to_pandas needs pandas: pip install pandas") from None
        return pandas.DataFrame(dict(zip(self._header(), self._columns(), strict=True)))

    def to_csv(self, path: Any) -> None:
        """Write the table as comma separated values with a header."""
        with open(path, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(self._header())
            writer.writerows(zip(*[c.tolist() for c in self._columns()], strict=True))

    def _header(self) -> list[str]:
        plain = [n for n in self.dtype.names or () if n != "x"]
        return [*plain, *(f"x[{n}]" if n in plain else n for n in self.names)]

    def _columns(self) -> list[NDArray[Any]]:
        plain = [np.asarray(self[n]) for n in self.dtype.names or () if n != "x"]
        return [*plain, *np.asarray(self["x"]).reshape(len(self), -1).T]

    def __str__(self) -> str:
        if self.dtype.names is None or "verdict" not in self.dtype.names or self.ndim != 1:
            return str(np.asarray(self))
        return log(self)

    def __repr__(self) -> str:
        if self.dtype.names is None or self.ndim != 1:
            return repr(np.asarray(self))
        return f"<Trace of {len(self)} steps, {int(np.sum(self['accepted']))} taken>"


def log(trace: Trace) -> str:
    """The dance in words, one line per trial.

    The cost is the trial's where it was evaluated. A polish shows no gain ratio: the gradient judged it.
    """
    with_radius = bool(np.any(np.isfinite(trace["radius"])))
    leash = "radius" if with_radius else "damping"
    lines = [f"{'step':>5} {'cost':>12} {'gain':>8} {leash:>9} {'|D p|':>9}  model         verdict"]
    shown = range(len(trace)) if len(trace) <= 60 else [*range(40), -1, *range(len(trace) - 15, len(trace))]
    for k in shown:
        if k == -1:
            lines.append(f"  ... {len(trace) - 55} more ...")
            continue
        row = trace[k]
        judged = np.isfinite(row["gain_ratio"]) and row["model"] != "polish"
        gain = f"{row['gain_ratio']:8.3g}" if judged else ""
        cost = row["trial_cost"] if np.isfinite(row["trial_cost"]) else row["cost"]
        word = "go" if row["accepted"] else f"stop: {row['verdict']}"
        numbers = f"{k + 1:5d} {cost:12.6g} {gain:>8} {row[leash]:9.2e} {row['step']:9.2e}"
        lines.append(f"{numbers}  {row['model']:<13} {word}")
    if not len(trace):
        return "no steps: the search ended where it began, or kept no trace"
    if trace.dropped:
        lines.append(f"  ... and {trace.dropped} steps that were not recorded")
    return "\n".join(lines)


def read(raw: Any, names: Sequence[str]) -> Trace:
    """The trace of a raw outcome of the core, with what follows from its factors worked out."""
    columns = dict(raw.trace)
    trials, n = raw.trials, len(names)
    points, scales, factors = np.split(raw.models, [n, 2 * n], axis=1)
    factors = factors.reshape(-1, n + 1, n + 1)
    rows = np.zeros(
        len(columns["cost"]),
        dtype=[
            ("iteration", "i4"), *((name, "f8") for name in _FROM_CORE[1:5]), ("gain_ratio", "f8"),
            *((name, "f8") for name in _FROM_CORE[5:]), *((name, "f8") for name in _DERIVED[1:]),
            ("model", "U13"), ("accepted", "?"), ("verdict", "U20"), ("x", "f8", (n,)),
        ],
    )  # fmt: skip
    for name in _FROM_CORE:
        rows[name] = columns[name]
    rows["model"] = np.array(MODELS)[np.array(columns["model"], dtype=int)]
    rows["verdict"] = np.array(VERDICTS)[np.array(columns["verdict"], dtype=int)]
    rows["accepted"] = rows["verdict"] == VERDICTS[0]
    rows["x"] = trials
    with np.errstate(all="ignore"):
        rows["gain_ratio"] = rows["actual"] / rows["predicted"]
        _add_geometry(rows, points, factors, scales)
    trace = rows.view(Trace)
    trace.names, trace.points, trace.scales = tuple(names), points, scales
    trace.factors, trace.dropped = factors, int(raw.trace_dropped)
    return trace


def _add_geometry(rows: NDArray[Any], points: Matrix, factors: NDArray[Any], scales: Matrix) -> None:
    """Cosines in the norm of D, and conditions, from the factor at each Jacobian."""
    n = points.shape[1]
    if rows.size == 0 or n == 0:
        return
    R, z = factors[:, :n, :n].copy(), factors[:, :n, n].copy()
    sizes = np.count_nonzero(scales, axis=1)
    for k in np.flatnonzero(sizes < n):
        R[k], z[k] = _without(factors[k], scales[k] == 0.0)
    scaled = R / np.where(scales == 0.0, 1.0, scales)[:, None, :]
    descent = -np.einsum("kij,ki->kj", scaled, z)
    usable: NDArray[np.bool_] = np.asarray(np.isfinite(scaled).all(axis=(1, 2)))
    U, s, Vt = np.linalg.svd(np.where(usable[:, None, None], scaled, 0.0))
    along = np.where(s > s[:, :1] * n * np.finfo(float).eps, np.einsum("kij,ki->kj", U, -z) / s, 0.0)
    gauss_newton = np.einsum("kij,ki->kj", Vt, along)
    at = rows["iteration"] - 1
    step = (rows["x"] - points[at]) * scales[at]
    rows["cos_descent"] = _cosines(step, descent[at])
    rows["cos_gauss_newton"] = _cosines(step, gauss_newton[at])
    least = np.take_along_axis(s, np.maximum(sizes - 1, 0)[:, None], axis=1)[:, 0]
    rows["condition"] = np.where(usable, s[:, 0] / least, np.nan)[at]


def _without(factor: Matrix, projected: NDArray[np.bool_]) -> tuple[Matrix, Vector]:
    """R and z of the problem without the projected parameters; zero in their columns and at the end."""
    n, count = projected.size, int(np.count_nonzero(projected))
    order = np.concatenate([np.flatnonzero(projected), np.flatnonzero(~projected), [n]])
    R, z = np.zeros((n, n)), np.zeros(n)
    if np.isfinite(factor).all():
        below = np.asarray(np.linalg.qr(factor[:, order], mode="r"))[count:n, count:]
        R[: n - count, ~projected], z[: n - count] = below[:, :-1], below[:, -1]
    return R, z


def _cosines(a: Matrix, b: Matrix) -> Vector:
    cosines: Vector = np.sum(a * b, axis=1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1))
    return np.clip(cosines, -1.0, 1.0)
