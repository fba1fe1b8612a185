"""The parts of `many.py` that are no races: accuracy at size, memory, first calls, and the row of xarray."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from harness import installed, measure, spread, table
from many_workloads import WORKLOADS, columns, costs, reference

import marquardt as mq
from marquardt.batch.engine import CODES
from marquardt.errors import Status


def accuracy(quick: bool) -> str:
    """Against a reference from the truth, and coverage."""
    rows = []
    for key, n in (("A", 200_000), ("B", 1_000_000), ("C", 1_000_000)):
        work = WORKLOADS[key]
        data = work.simulate(n // 20 if quick else n, seed=1)
        truth = np.stack(list(data.truth.values()), axis=1)
        at, best, inverse = reference.minimize(work.law_in_numpy, columns(data), data.y, truth)
        dof = data.y.shape[1] - truth.shape[1]
        sd = np.sqrt(np.einsum("kii->ki", inverse) * (2.0 * best / dof)[:, None])
        for precision in ("double", "single"):
            y = data.y if precision == "double" else data.y.astype(np.float32)
            fits = mq.fit_many(data.model, data.x, y, start=data.start, precision=precision)
            found = np.stack([fits.params[name] for name in data.truth], axis=1)
            stderr = np.stack([fits.stderr[name] for name in data.truth], axis=1)
            excess = costs(work, data, found) / best - 1.0
            sure = (fits.status == CODES[Status.CONVERGED]) & np.isfinite(sd).all(axis=1)
            off = np.abs(stderr / sd - 1.0).max(axis=1)[sure]
            covered = np.mean(np.abs(found - truth) < _quantile(dof) * stderr, axis=0)
            rows.append(
                [
                    key,
                    "f64" if precision == "double" else "f32",
                    f"{len(y):,}",
                    f"{np.mean(excess > 1e-3):.1e}",
                    f"{np.mean(excess > 1e-6):.1e}",
                    np.count_nonzero(~sure),
                    f"{np.mean(off > 0.01):.1e}",
                    f"{np.max((np.abs(found - at) / sd)[sure]):.1e}",
                    " ".join(f"{100 * c:.1f}" for c in covered) if key != "A" else "",
                ]
            )
    head = ["", "", "fits", "worse", "> 1e-6", "not converged", "errors off", "farthest", "covered, %"]
    return _ACCURACY + table(head, rows)


_ACCURACY = """\
## Minima and standard errors

Against Levenberg-Marquardt in NumPy and double precision that starts at the true values and goes on to the
last digit. Worse: cost more than 1e-3 above (bar: 1e-5 of the fits); the next column: more than 1e-6 above.
Not converged: fits that say so, or do not determine all parameters; the two columns after it leave them
out. Errors off: share of fits with a standard error that differs by more than 1 % from that of the
reference (bar: none). Farthest: the largest distance of a parameter from the reference, in standard errors.
Covered: how often the 95 % interval (Student's t) holds the truth, by parameter (bar: 94 to 96); not said
of A, whose Poisson noise is fitted with equal weights.

"""


def _quantile(dof: int) -> float:
    from scipy.stats import t

    return float(t.ppf(0.975, dof))


_MEMORY = """
import json, marquardt as mq, numpy as np
from marquardt.datasets import simulate
part = simulate.spots({part})
model, x, start = part.model, part.x, part.start
mq.fit_many(model, x, part.y[:100], start=start)
before = status("VmRSS")
y = np.tile(part.y.astype({dtype!r}), ({n} // {part}, 1))
del part
fits = mq.fit_many(model, x, y, start=start, precision={precision!r})
kept = [*fits.params.values(), *fits.stderr.values(), fits.cost, fits.status, fits.nfev, fits.reduced_chi2]
print(json.dumps([before, y.nbytes / 1e6, sum(np.asarray(a).nbytes for a in kept) / 1e6, status("VmHWM")]))
"""
_STATUS = """
def status(key):
    with open("/proc/self/status") as lines:
        return next(float(line.split()[1]) for line in lines if line.startswith(key)) / 1024 * 1.048576
"""


def memory(quick: bool) -> str:
    """Peak of a million fits of A in a process of its own."""
    if not Path("/proc/self/status").exists():
        return "## Memory\n\nNot measured: there is no /proc here."
    n, rows = (100_000 if quick else 1_000_000), []
    for precision, dtype in (("double", "float64"), ("single", "float32")):
        code = _STATUS + _MEMORY.format(n=n, part=50_000, dtype=dtype, precision=precision)
        before, data, results, peak = json.loads(fresh(code))
        bar = data + 1.2 * results + 100
        rows.append([precision, f"{data:,.0f}", f"{results:,.0f}", f"{peak - before:,.0f}", f"{bar:,.0f}"])
    head = [f"{n:,} fits of A", "data, MB", "results, MB", "peak, MB", "bar, MB"]
    return _MEMORY_TEXT + table(head, rows)


_MEMORY_TEXT = """\
## Memory

A process of its own: resident memory before the data are made (packages imported, a small run done)
subtracted from the highest of all. Bar: data + 1.2 x results + 100 MB.

"""

_FIRST = """
import sys, time, numpy as np, marquardt as mq
x = np.linspace(0.0, 4.0, 32)
Y = 2.5 * np.exp(-1.3 * x) + 0.5 + 0.01 * np.cos(40.0 * x + np.arange(64)[:, None])
def f(x, a, b, c): return a * np.exp(-b * x) + c
def g(x, a, b, c): return a * np.exp(-b * x) + c + 1.0 - 1.0
def timed(f):
    began = time.perf_counter(); mq.fit_many(f, x, Y, start=[2, 1, 0]); return time.perf_counter() - began
print(timed(f), timed(f), timed(g), timed(g))
"""


def first_calls(quick: bool) -> str:
    """64 fits of a function never seen before: in a fresh process, and in one that has fitted another."""
    runs = [[float(t) for t in fresh(_FIRST).split()] for _ in range(3 if quick else 15)]
    cold, again, new, new_again = zip(*runs, strict=True)
    rows = [
        ["first call of a process (imports what it needs)", spread(cold), "5 ms"],
        ["the same call again", spread(again), ""],
        ["first call on another function", spread(new), "5 ms"],
        ["the same call again", spread(new_again), ""],
    ]
    return "## First calls\n\n64 fits of 32 points, in fresh processes.\n\n" + table(
        ["", "time", "bar"], rows
    )


def fresh(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return done.stdout


def xarray_cube(quick: bool) -> str:
    """A (100, 100, 32) cube: the accessor, its drop-in for `curvefit`, and `curvefit` of xarray."""
    head = "## xarray: a (100, 100, 32) cube, 3 parameters\n\n"
    if not installed("xarray") or find_spec("marquardt.batch.xarray") is None:
        return head + "Not measured: xarray, or the accessor, is not installed."
    import xarray

    import marquardt.batch.xarray as accessor
    from marquardt.datasets import simulate

    data = simulate.decays(10_000)
    cube = xarray.DataArray(
        data.y.reshape(100, 100, 32), dims=("row", "column", "time"), coords={"time": data.x}
    )
    small = cube[:10]
    start, model = dict(data.start), data.model
    contestants: dict[str, tuple[Callable[[], Any], int]] = {
        "accessor": (lambda: cube.marquardt.fit("time", model, start=start), 10_000),
        "marquardt's curvefit": (lambda: accessor.curvefit(cube, "time", model, p0=start), 10_000),
        "xarray's curvefit": (lambda: small.curvefit("time", model, p0=start), 1_000),
    }
    times = measure({name: call for name, (call, _) in contestants.items()}, 3 if quick else 9)
    rates = {name: n / statistics.median(times[name]) for name, (_, n) in contestants.items()}
    base, bars = rates["xarray's curvefit"], {"accessor": "300,000"}
    rows = [[name, f"{rate:,.0f}", f"{rate / base:.1f}", bars.get(name, "")] for name, rate in rates.items()]
    here = accessor.curvefit(small, "time", model, p0=start)
    theirs = contestants["xarray's curvefit"][0]()
    variance = theirs.curvefit_covariance.values.diagonal(axis1=-2, axis2=-1)
    apart = abs(here.curvefit_coefficients - theirs.curvefit_coefficients).values / np.sqrt(variance)
    same = f"\n\nThe two `curvefit` on 1,000 of the fits: at most {apart.max():.0e} standard errors apart."
    return head + table(["", "fits/s", "times xarray's", "bar"], rows) + same
