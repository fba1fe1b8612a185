"""Other ways to make many fits: SciPy in processes, JAX written by hand in two ways, lmfit.

Each takes a workload, its data, start values (n, p) and a precision, and returns a function without arguments
that makes the fits and returns `Found`. What is made once (processes, compilation) is made before.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from typing import Any

import numpy as np
from many_workloads import WORKLOADS, Array, Workload, columns
from numpy.typing import NDArray

from marquardt.datasets import Simulated

MAX_ITERATIONS = 50


@dataclass(frozen=True)
class Found:
    """Parameters (n, p), iterations or evaluations of each fit, and whether it says it converged."""

    parameters: Array
    counts: Array | None = None
    converged: Array | None = None


Call = Callable[[], Found]


def halves(n: int, parts: int) -> list[slice]:
    edges = np.linspace(0, n, parts + 1).astype(int)
    return [slice(a, b) for a, b in itertools.pairwise(edges)]


# ------------------------------------------------------------------------------------------- SciPy


def scipy_loop(key: str, x: tuple[Array, ...], y: Array, start: Array) -> tuple[Array, Array]:
    """`curve_fit` on every row, with the analytic Jacobian; rows that raise are nan."""
    from scipy.optimize import curve_fit

    law = WORKLOADS[key].law
    found, counts = np.full(start.shape, np.nan), np.zeros(len(y), int)

    def model(_: Any, *p: float) -> Any:
        return law(np, *x, p)[0]

    def jacobian(_: Any, *p: float) -> Any:
        return np.stack(law(np, *x, p)[1], axis=1)

    with np.errstate(all="ignore"):
        for i in range(len(y)):
            try:
                found[i], _, info, _, _ = curve_fit(
                    model, x[0], y[i], p0=start[i], jac=jacobian, full_output=True
                )
                counts[i] = info["nfev"]
            except (RuntimeError, ValueError):
                pass
    return found, counts


_pools: dict[int, ProcessPoolExecutor] = {}


def _pool(processes: int) -> ProcessPoolExecutor:
    """Processes with one thread each, started once."""
    if processes not in _pools:
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
            os.environ.setdefault(name, "1")
        pool = ProcessPoolExecutor(processes, mp_context=get_context("spawn"))
        list(pool.map(time.sleep, [0.2] * processes))
        _pools[processes] = pool
    return _pools[processes]


def scipy(work: Workload, data: Simulated, start: Array, processes: int) -> Call:
    pool, x = _pool(processes), columns(data)
    rows = halves(len(start), processes)

    def call() -> Found:
        parts = [pool.submit(scipy_loop, work.key, x, data.y[r], start[r]) for r in rows]
        found, counts = zip(*(part.result() for part in parts), strict=True)
        return Found(np.concatenate(found), np.concatenate(counts))

    return call


# ------------------------------------------------------------------------------------------- lmfit


def lmfit(work: Workload, data: Simulated, start: Array) -> Call:
    """`Model.fit`, one after the other, as its users do."""
    import lmfit

    x, names = columns(data), tuple(data.truth)
    model = lmfit.Model(data.model, independent_vars=["x", "y"][: len(x)] if len(x) > 1 else None)
    coordinates = dict(zip(model.independent_vars, x, strict=True))

    def call() -> Found:
        found = np.full(start.shape, np.nan)
        for i in range(len(start)):
            begin = dict(zip(names, start[i], strict=True))
            try:
                result = model.fit(data.y[i], **coordinates, **begin)
            except ValueError:  # the model is nan on the way: it gives up
                continue
            found[i] = [result.best_values[name] for name in names]
        return Found(found)

    return call


# --------------------------------------------------------------------------------------------- JAX


def _cholesky_solve(a: Any, b: Any) -> list[Any]:
    """Solve with the lower triangle `a` of a positive definite matrix, unrolled: no call of LAPACK."""
    import jax.numpy as jnp

    n = len(b)
    low: list[list[Any]] = [[None] * n for _ in range(n)]
    inverse: list[Any] = []
    for j in range(n):
        pivot = a[j][j] - sum(low[j][k] * low[j][k] for k in range(j))
        inverse.append(1.0 / jnp.sqrt(pivot))
        for i in range(j + 1, n):
            low[i][j] = (a[i][j] - sum(low[i][k] * low[j][k] for k in range(j))) * inverse[j]
    z: list[Any] = []
    for i in range(n):
        z.append((b[i] - sum(low[i][k] * z[k] for k in range(i))) * inverse[i])
    for i in reversed(range(n)):
        z[i] = (z[i] - sum(low[k][i] * z[k] for k in range(i + 1, n))) * inverse[i]
    return z


def _tuned(work: Workload, x: Any, tol: float, y: Any, start: Any) -> Any:
    """One fit: analytic derivatives, sums kept for the next step, everything unrolled over parameters."""
    import jax
    import jax.numpy as jnp

    p = start.shape[0]

    def sums(at: Any) -> Any:
        f, rows = work.law(jnp, *x, at)
        r = f - y
        a = [[jnp.sum(rows[i] * rows[j]) for j in range(i + 1)] for i in range(p)]
        return jnp.sum(r * r), a, [jnp.sum(row * r) for row in rows]

    def step(state: Any) -> Any:
        at, (chi2, a, g), lam, _, count = state
        damped = [[a[i][j] * (1.0 + lam) if i == j else a[i][j] for j in range(i + 1)] for i in range(p)]
        to = tuple(u + v for u, v in zip(at, _cholesky_solve(damped, [-v for v in g]), strict=True))
        there = sums(to)
        better = there[0] < chi2
        keep = partial(jnp.where, better)
        lam = keep(lam * 0.1, lam * 10.0)
        done = (jnp.abs(chi2 - there[0]) <= tol * chi2) | (lam > 1e12)
        best = jax.tree.map(keep, (to, there), (at, (chi2, a, g)))
        return *best, lam, done, count + 1

    begin = tuple(start[i] for i in range(p))
    state = (begin, sums(begin), jnp.asarray(1e-3, y.dtype), False, 0)
    at, _, _, done, count = jax.lax.while_loop(lambda s: ~s[3] & (s[4] < MAX_ITERATIONS), step, state)
    return jnp.stack(at), count, done


def _usual(work: Workload, x: Any, tol: float, y: Any, start: Any) -> Any:
    """One fit as it is usually written: `jacfwd`, matrix products, `linalg.solve`."""
    import jax
    import jax.numpy as jnp

    def residuals(at: Any) -> Any:
        return work.law(jnp, *x, at)[0] - y

    def sums(at: Any) -> Any:
        r, j = residuals(at), jax.jacfwd(residuals)(at)
        return r @ r, j.T @ j, j.T @ r

    def step(state: Any) -> Any:
        at, (chi2, a, g), lam, _, count = state
        to = at - jnp.linalg.solve(a + lam * jnp.diag(jnp.diag(a)), g)
        there = sums(to)
        better = there[0] < chi2
        done = jnp.abs(chi2 - there[0]) <= tol * chi2
        keep = partial(jnp.where, better)
        lam = keep(lam * 0.1, lam * 10.0)
        best = jax.tree.map(keep, (to, there), (at, (chi2, a, g)))
        return *best, lam, done | (lam > 1e12), count + 1

    state = (start, sums(start), jnp.asarray(1e-3, y.dtype), False, 0)
    at, _, _, done, count = jax.lax.while_loop(lambda s: ~s[3] & (s[4] < MAX_ITERATIONS), step, state)
    return at, count, done


CHUNK = 64
"""Fits of one `vmap` in the tuned program: of 64, 256, 1024 and 4096 the best (each runs to its slowest)."""


def jax(
    work: Workload, data: Simulated, start: Array, precision: str, threads: int, tuned: bool
) -> tuple[Call, float]:
    """The fits, and how long the first call took beyond the next: compilation.

    Tuned: chunks of 64 fits one after the other in each of `threads` Python threads. Usual: one `vmap` over
    all, threads as XLA has them.
    """
    import jax

    jax.config.update("jax_enable_x64", True)
    dtype: Any = np.float64 if precision == "double" else np.float32
    x = tuple(np.asarray(c, dtype) for c in columns(data))
    fit = jax.vmap(partial(_tuned if tuned else _usual, work, x, work.tolerance(precision)))
    parts = threads if tuned else 1
    chunk = CHUNK if tuned else len(start)
    rows = [slice(r.start, r.stop) for r in halves(len(start) // (chunk * parts) * parts, parts)]
    blocks = [slice(r.start * chunk, r.stop * chunk) for r in rows]

    def chunks(y: Any, begin: Any) -> Any:
        if not tuned:
            return fit(y, begin)
        pair = (y.reshape(-1, chunk, y.shape[1]), begin.reshape(-1, chunk, begin.shape[1]))
        return jax.lax.map(lambda one: fit(*one), pair)

    compiled: Any = jax.jit(chunks)
    y = [np.ascontiguousarray(data.y[r], dtype) for r in blocks]
    begin = [np.ascontiguousarray(start[r], dtype) for r in blocks]
    pool = ThreadPoolExecutor(parts)

    def one(k: int) -> list[NDArray[Any]]:
        return [np.asarray(part) for part in jax.block_until_ready(compiled(y[k], begin[k]))]

    def call() -> Found:
        found, counts, done = zip(*pool.map(one, range(parts)), strict=True)
        p = start.shape[1]
        return Found(
            np.concatenate([f.reshape(-1, p) for f in found]),
            np.concatenate([c.ravel() for c in counts]),
            np.concatenate([d.ravel() for d in done]),
        )

    times = []
    for _ in range(2):
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return call, max(0.0, times[0] - times[1])
