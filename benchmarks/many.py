"""Many fits of small models beside SciPy, JAX, Cpufit and lmfit, in one run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import many_peers as peers
import numpy as np
from harness import arguments, installed, machine, measure, publish, quantile, table
from many_cpufit import cpufit, library
from many_parts import accuracy, first_calls, memory, xarray_cube
from many_peers import Call, Found
from many_workloads import WORKLOADS, Array, Workload, columns, costs, reference, spot, starts

import marquardt as mq
from marquardt.datasets import Simulated

GRID = "marquardt, pixels row by row"
METHOD = """\
# Many fits

**Method.** The same simulated data (`marquardt.datasets.simulate`) and the same start for every program:
one for all fits, in G one for each, as in its source. Programs take turns; shown are medians over the
turns (quartiles) of fits per second, of whole calls from arrays to arrays. marquardt is given a plain
NumPy function, no derivatives; it works out standard errors and certifies every end. The others are given
analytic derivatives (but for lmfit and "JAX as usual") and return parameters, `curve_fit` covariances
too. Tolerances are 1e-8, in single precision 1e-5, in G 1e-4; marquardt has its own rule: a last step of
at most 1e-3 standard errors (in single precision 5e-3), which is still taken; fits that single precision
cannot tell it makes again in double. Its pixels are in no order, so that it finds no grid in them, but for
"pixels row by row", where it finds the product of two Gaussians if that pays (not in 5 x 5 pixels).

- SciPy: `curve_fit` (MINPACK) in a loop, in each of two processes. lmfit: `Model.fit` in a loop.
- JAX as usual: Levenberg-Marquardt by hand (damping / 10 or x 10), `while_loop`, `jacfwd`,
  `linalg.solve`, one `vmap` over all fits. JAX tuned: derivatives by hand, Cholesky unrolled over the
  parameters, `vmap` over 64 fits at a time (each runs to its slowest), a Python thread for each core.
  Compiling is shown, not counted.
- Cpufit: the CPU code of Gpufit, in single precision, compiled with -O3 -march=native; a thread for each
  part.

"÷": the first row by this one. "Worse": share of fits whose cost is more than 1e-3 above the least that
any program, or a reference in NumPy that starts at the truth, finds for the same data. "Evaluations": of
a model and its derivatives, or iterations. "Bar": fits/s to reach, on an older CPU with AVX2 / on one
with AVX-512.
"""


@dataclass(frozen=True)
class Entry:
    """A program in a table: its fits, on the first `fits` rows, and what compiling took."""

    name: str
    precision: str
    threads: int
    fits: int
    call: Call
    compiled: float | None = None


def ours(data: Simulated, precision: str, threads: int) -> Call:
    y = data.y if precision == "double" else data.y.astype(np.float32)

    def call() -> Found:
        fits = mq.fit_many(data.model, data.x, y, start=data.start, precision=precision, threads=threads)
        assert fits.names == tuple(data.truth)
        return Found(fits.x.reshape(fits.n_fits, -1), fits.nfev)

    return call


def entries(work: Workload, data: Simulated) -> list[Entry]:
    """Everyone who takes part in a workload."""
    n, start = len(data), starts(data)
    found: list[Entry] = []
    for precision in ("double", "single"):
        if precision not in work.bars:
            continue
        for threads in (2, 1):
            call = ours(unordered(data), precision, threads)
            found.append(Entry("marquardt", precision, threads, n, call))
            if data.shape:
                found.append(Entry(GRID, precision, threads, n, ours(data, precision, threads)))
    if installed("jax"):
        for precision in work.bars:
            for tuned, threads in ((True, 2), (True, 1), (False, 2)):
                name = "JAX tuned" if tuned else "JAX as usual"
                part = n if tuned else n // 8
                call, compiled = peers.jax(work, data, start[:part], precision, threads, tuned)
                found.append(Entry(name, precision, threads, part, call, compiled))
    if work.law is spot and not isinstance(library(), str):
        part = n // 4
        for threads in (2, 1):
            call = cpufit(work, data.y[:part], start[:part], threads)
            found.append(Entry("Cpufit", "single", threads, part, call))
    part = min(work.scipy_fits, n)
    found.append(Entry("SciPy loop", "double", 2, part, peers.scipy(work, data, start[:part], 2)))
    if installed("lmfit"):
        part = work.lmfit_fits
        found.append(Entry("lmfit loop", "double", 1, part, peers.lmfit(work, data, start[:part])))
    return found


def rates(work: Workload, quick: bool) -> str:
    data = work.data(work.fits // 10 if quick else work.fits)
    entered = entries(work, data)
    calls: dict[str, Callable[[], Any]] = {str(k): e.call for k, e in enumerate(entered)}
    times = measure(calls, 3 if quick else 9, 20.0 if quick else 60.0)
    ends = [e.call() for e in entered]
    best, spent = best_costs(work, data, ends)
    speeds = [[e.fits / t for t in times[str(k)]] for k, e in enumerate(entered)]
    rows = []
    for entry, end, cost, speed in zip(entered, ends, spent, speeds, strict=True):
        low, rate, high = (quantile(speed, q) for q in (0.25, 0.5, 0.75))
        rows.append(
            [
                entry.name,
                "f64" if entry.precision == "double" else "f32",
                entry.threads,
                f"{rate:,.0f} ({low:,.0f}-{high:,.0f})",
                f"{quantile(speeds[0], 0.5) / rate:.1f}",
                bar(work, entry),
                "" if end.counts is None else f"{np.mean(end.counts):.1f}",
                f"{np.mean(cost > best[: len(cost)] * (1.0 + 1e-3)):.0e}",
                f"{len(cost):,}",
                "" if entry.compiled is None else f"{entry.compiled:.1f} s",
            ]
        )
    head = ["program", "", "threads", "fits/s", "÷", "bar", "evaluations", "worse", "fits", "compiling"]
    middles = [quantile(speed, 0.5) for speed in speeds]
    return f"## {work.title}\n\n" + table(head, rows) + ratios(entered, middles) + work.remark


def ratios(entered: list[Entry], rates: list[float]) -> str:
    """Of fits on a grid to the peers, in double precision and on two threads."""
    found = {
        e.name: r for e, r in zip(entered, rates, strict=True) if (e.precision, e.threads) == ("double", 2)
    }
    if GRID not in found:
        return ""
    peers = [name for name in found if "marquardt" not in name]
    against = ", ".join(f"{found[GRID] / found[name]:.3g} times {name}" for name in peers)
    return f"\n\nPixels row by row, f64, two threads: {against}."


def bar(work: Workload, entry: Entry) -> str:
    """What is to be reached on two threads."""
    if entry.threads != 2:
        return ""
    if entry.name == "marquardt":
        return " / ".join(f"{fits:,.0f}" for fits in work.bars[entry.precision] if fits)
    return "600,000" if entry.name == GRID and (work.key, entry.precision) == ("A", "double") else ""


def best_costs(work: Workload, data: Simulated, ends: list[Found]) -> tuple[Array, list[Array]]:
    """The least cost known of each fit, and the costs of each program's ends."""
    truth = np.stack(list(data.truth.values()), axis=1)
    best = reference.minimize(work.law_in_numpy, columns(data), data.y, truth)[1]
    spent = [costs(work, data, end.parameters) for end in ends]
    for cost in spent:
        np.minimum(best[: len(cost)], cost, out=best[: len(cost)])
    return best, spent


def unordered(data: Simulated) -> Simulated:
    """Pixels in any order: no grid is found in them."""
    if not data.shape:
        return data
    order = np.random.default_rng(0).permutation(data.y.shape[1])
    return replace(data, x=tuple(c[order] for c in data.x), y=np.ascontiguousarray(data.y[:, order]))


def main() -> None:
    options = arguments(__doc__ or "", tuple(WORKLOADS))
    if options.only:
        return publish(rates(WORKLOADS[options.only], options.quick), options)
    page = [METHOD, f"{machine('jax', 'xarray')}.\n"]
    if isinstance(library(), str):
        page.append(library() + "\n")
    page += [rates(work, options.quick) + "\n" for work in WORKLOADS.values()]
    page += [accuracy(options.quick), "", memory(options.quick), "", first_calls(options.quick), ""]
    page.append(xarray_cube(options.quick))
    publish("\n".join(page), options)


if __name__ == "__main__":
    main()
