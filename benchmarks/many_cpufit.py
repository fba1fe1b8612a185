"""Cpufit, the CPU code of Gpufit, built from its source and called by ctypes. Single precision only.

The source is taken from the folder in the environment variable GPUFIT, or fetched with git. Its CMake file
wants CUDA for the neighbor of Cpufit, so that the five files are given to the compiler directly.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from many_peers import Call, Found, halves
from many_workloads import Array, Workload

SOURCE = "https://github.com/gpufit/Gpufit"
FILES = ("cpufit", "info", "lm_fit", "lm_fit_cpp", "interface")
GAUSS_2D, LEAST_SQUARES = 1, 0
MAX_ITERATIONS = 50
_REAL, _INT = ctypes.POINTER(ctypes.c_float), ctypes.POINTER(ctypes.c_int)


@cache
def library() -> Any:
    """The library, or a sentence that says why there is none."""
    folder = Path(tempfile.mkdtemp())
    source = Path(os.environ.get("GPUFIT", folder / "Gpufit"))
    if not source.exists():
        clone = ["git", "clone", "--quiet", "--depth", "1", SOURCE, str(source)]
        if subprocess.run(clone, capture_output=True, timeout=120).returncode:
            return f"Cpufit did not take part: {SOURCE} cannot be reached, and GPUFIT names no copy."
    built = folder / "libcpufit.so"
    compiler = os.environ.get("CXX", "c++")
    flags = ["-O3", "-march=native", "-std=c++14", "-shared", "-fPIC", "-o", str(built)]
    files = [str(source / "Cpufit" / f"{name}.cpp") for name in FILES]
    try:
        done = subprocess.run([compiler, *flags, *files], capture_output=True, text=True)
    except FileNotFoundError:
        return f"Cpufit did not take part: there is no compiler {compiler}."
    if done.returncode:
        return f"Cpufit did not take part: {compiler} says {done.stderr.strip().splitlines()[0]}"
    return ctypes.CDLL(str(built))


def cpufit(work: Workload, y: Array, start: Array, threads: int) -> Call:
    """Fits of GAUSS_2D; it is serial, and is called for a part of the fits in each of `threads` threads."""
    y, start = np.ascontiguousarray(y, np.float32), np.ascontiguousarray(start, np.float32)
    # At most 10 iterations, as in its own comparison, where the tolerance is that of it.
    iterations = 10 if work.tol else MAX_ITERATIONS
    rows, pool = halves(len(y), threads), ThreadPoolExecutor(threads)

    def part(r: slice) -> tuple[Array, Array, Array]:
        return _call(y[r], start[r], work.tolerance("single"), iterations)

    def call() -> Found:
        found, counts, states = zip(*pool.map(part, rows), strict=True)
        return Found(np.concatenate(found), np.concatenate(counts), np.concatenate(states) == 0)

    return call


def _call(y: Array, start: Array, tol: float, iterations: int) -> tuple[Array, Array, Array]:
    n, points = y.shape
    p = start.shape[1]
    found, chi2 = np.zeros((n, p), np.float32), np.zeros(n, np.float32)
    states, counts = np.zeros(n, np.int32), np.zeros(n, np.int32)
    free = np.ones(p, np.int32)
    state = library().cpufit(
        ctypes.c_size_t(n),
        ctypes.c_size_t(points),
        y.ctypes.data_as(_REAL),
        None,
        ctypes.c_int(GAUSS_2D),
        start.ctypes.data_as(_REAL),
        ctypes.c_float(tol),
        ctypes.c_int(iterations),
        free.ctypes.data_as(_INT),
        ctypes.c_int(LEAST_SQUARES),
        ctypes.c_size_t(0),
        None,
        found.ctypes.data_as(_REAL),
        states.ctypes.data_as(_INT),
        chi2.ctypes.data_as(_REAL),
        counts.ctypes.data_as(_INT),
    )
    if state != 0:
        raise RuntimeError("Cpufit reports an error")
    return found, counts, states
