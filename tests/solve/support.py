"""The loop under test: the core through its callback binding, or the NumPy reference."""

from dataclasses import dataclass

import numpy as np

from marquardt.datasets import nist
from marquardt.errors import Status
from marquardt.options import METHODS, Options
from marquardt.solve import reference
from marquardt.solve.trace import REASONS, read

from .jets import Exact

EPS = np.finfo(float).eps
DAMPINGS = ("nielsen", "classic", "delayed")
STRATEGIES = [
    *({"method": m} for m in METHODS if m not in ("levenberg", "marquardt")),
    *({"method": m, "damping": d} for m in ("levenberg", "marquardt") for d in DAMPINGS),
    *({"method": m, "acceleration": True} for m in ("more", "levenberg", "marquardt", "gauss-newton")),
    {"method": "auto", "acceleration": False},
]


@dataclass
class End:
    """The common part of both outcomes."""

    x: np.ndarray
    f: np.ndarray
    status: Status
    offset: float
    scaled_gradient: float
    rank: int
    active: np.ndarray
    nfev: int
    njev: int
    costs: np.ndarray  # of the accepted points
    reason: str  # what ended the search
    escapes: int
    runaway: list[int]
    descent: np.ndarray  # empty where none was found
    rows: np.ndarray  # of the trial steps: a Trace of the core, the same names of the reference

    @property
    def rss(self):
        return float(self.f @ self.f)


def in_core(problem, x0, lower=-np.inf, upper=np.inf, options=None, observed=None, linear=(), loss=None):
    """Minimize by the core."""
    from marquardt import _core

    options = options or Options()
    x0 = np.array(x0, float)
    lower, upper = (np.array(np.broadcast_to(b, x0.shape), float) for b in (lower, upper))
    second = problem.hessian is not None
    native = _core.Options(**{**options.native(second_derivatives=second), "threads": None})
    m = problem.residuals(x0).size
    raw = _core.minimize_callback(
        problem.residuals, lambda x, f: problem.jacobian(x), problem.f_vv, problem.hessian,
        m, observed, x0, lower, upper, native, linear=linear, loss=None if loss is None else loss.native(),
    )  # fmt: skip
    rows = read(raw, [f"b{j}" for j in range(x0.size)])
    return End(raw.x, raw.f, tuple(Status)[raw.status], raw.offset, raw.scaled_gradient, raw.rank, raw.active,
               raw.nfev, raw.njev, accepted(rows), REASONS[raw.reason], raw.escapes,
               list(raw.runaway), raw.descent, rows)  # fmt: skip


def accepted(rows):
    """Costs of the accepted points."""
    return rows["trial_cost"][rows["verdict"] == "go"]


ROW = [("iteration", int), *((name, float) for name in reference.Row._fields[1:-2]), ("model", "U13"),
       ("verdict", "U20")]  # fmt: skip


def in_numpy(problem, x0, lower=-np.inf, upper=np.inf, options=None, observed=None, linear=(), loss=None):
    """Minimize by the reference."""
    with np.errstate(over="ignore"):  # trial steps may go far
        o = reference.minimize(
            problem.residuals, problem.jacobian, np.array(x0, float), lower, upper, options, problem.f_vv,
            problem.hessian, 0.0 if observed is None else observed, linear, loss,
        )  # fmt: skip
    rows = np.array([tuple(r) for r in o.trace], dtype=ROW)
    descent = np.zeros(0) if o.descent is None else o.descent
    return End(o.x, o.f, o.status, o.offset, o.scaled_gradient, o.rank, o.active, o.nfev, o.njev,
               accepted(rows), o.reason, o.escapes, o.runaway, descent, rows)  # fmt: skip


def differs(core, numpy, rows=12):
    """The first of so many rows where two searches part by more than rounding, or None.

    Some paths are chaotic; and all are where the cost is rounding error.
    """
    for k in range(min(len(core.rows), len(numpy.rows), rows)):
        a, b = core.rows[k], numpy.rows[k]
        if a["predicted"] < 1e-7 * a["cost"] or a["trial_cost"] < 1e-16 * core.rows["cost"][0]:
            return None
        if any(a[name] != b[name] for name in ("iteration", "model", "verdict")):
            return k
        for name in ("trial_cost", "predicted", "actual", "damping", "radius", "step"):
            if name in ("trial_cost", "actual") and not np.isfinite(a[name]) and not np.isfinite(b[name]):
                continue
            room = 1e-9 * a["cost"] if name in ("trial_cost", "predicted", "actual") else 0.0
            if not np.isclose(a[name], b[name], rtol=1e-5, atol=room, equal_nan=True):
                return k
    return None


class Differences(Exact):
    """The same residuals without derivatives: central differences, h = eps^(1/3) |x_j|."""

    hessian = None

    def jacobian(self, x, f=None):
        self.nj += 1
        columns = []
        for j in range(x.size):
            ahead, behind = x.copy(), x.copy()
            ahead[j] += EPS ** (1 / 3) * abs(x[j])
            behind[j] -= EPS ** (1 / 3) * abs(x[j])
            columns.append((self.residuals(ahead) - self.residuals(behind)) / (ahead[j] - behind[j]))
        return np.ascontiguousarray(np.transpose(columns))

    def f_vv(self, x, v, h=0.02):
        slope = self.jacobian(x) @ v
        return 2 / h * ((self.residuals(x + h * v) - self.residuals(x)) / h - slope)


def certified(name, kind=Exact):
    """A NIST problem as residuals of the parameter vector, and |y|."""
    data = nist(name)
    y = data.response
    return kind(lambda b: data.function(*data.x, *b) - y), np.abs(y), data
