"""One fit of ten and a hundred million points beside SciPy and chunked NumPy: time, CPU, memory."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from harness import arguments, machine, publish, table

METHOD = """\
# One giant fit

**Method.** a exp(-t/T) + c, three parameters, noise 3 % of a, from the start (1, 1, 1). Every run is a
process of its own: the data are made (in slices, so that nothing is left of it), one fit of 20 points is
done, and then the fit is timed, once; each contestant runs three times in turns with the others, the median
is shown. CPU is that of all threads; other work on the machine shows in its difference to the time. Memory is
the peak of the resident set during the fit minus what was resident before, so beside the data. Passes are
evaluations of all points. SciPy: `curve_fit` with its defaults, and with the analytic Jacobian. Chunked NumPy
is the code one writes by hand: Gauss-Newton by normal equations with the analytic Jacobian over chunks of
65,536 points, on one and on two threads, until the step is 1e-8 of the parameters. All but the float32
columns, which are other data, end within 1e-2 standard errors of marquardt's parameters. "memory map" is a
file of float64 in the page cache; "blocks" are slices of such a map, a million rows each, read by a second
thread; they are gone over once more to count and check them, as are arrays to look for what is not finite.
"""

START = (1.0, 1.0, 1.0)
CHUNK = 65_536


def decay(t: Any, a: Any, T: Any, c: Any) -> Any:
    return a * np.exp(-t / T) + c


def jacobian(t: Any, a: float, T: float, c: float) -> Any:
    e = np.exp(-t / T)
    return np.stack([e, a * e * t / T**2, np.ones_like(t)], axis=1)


def fill(n: int, kind: str = "f8", folder: str | None = None) -> tuple[Any, Any]:
    """t and y in memory, or in files that are mapped."""
    if folder is None:
        t, y = np.empty(n, kind), np.empty(n, kind)
    else:
        t, y = (np.memmap(f"{folder}/{name}", dtype=kind, mode="w+", shape=n) for name in "ty")
    rng = np.random.default_rng(1)
    for start in range(0, n, 1 << 20):
        stop = min(start + (1 << 20), n)
        part = np.arange(start, stop) * (10.0 / n)
        t[start:stop] = part
        y[start:stop] = decay(part, 3.0, 2.0, 1.0) + 0.1 * rng.standard_normal(part.size)
    if folder is None:
        return t, y
    return tuple(np.memmap(f"{folder}/{name}", dtype=kind, mode="r") for name in "ty")


# ------------------------------------------------------------------------------------------- the contestants


def ours(t: Any, y: Any) -> tuple[Any, int]:
    import marquardt as mq

    fit = mq.fit(decay, t, y, start=START)
    assert fit.success, fit.message
    return [fit.x, fit.stderr], fit.nfev


def ours_in_blocks(t: Any, y: Any) -> tuple[Any, int]:
    import marquardt as mq

    fit = mq.fit(decay, y="y", data=mq.blocks({"t": t, "y": y}), start=START)
    assert fit.success, fit.message
    return [fit.x, fit.stderr], fit.nfev


def scipys(jac: Any) -> Callable[[Any, Any], tuple[Any, int]]:
    def run(t: Any, y: Any) -> tuple[Any, int]:
        from scipy.optimize import curve_fit

        x, cov, info, _, _ = curve_fit(decay, t, y, p0=START, jac=jac, full_output=True)
        return [x, np.sqrt(np.diag(cov))], int(info["nfev"])

    return run


def chunked(threads: int) -> Callable[[Any, Any], tuple[Any, int]]:
    def run(t: Any, y: Any) -> tuple[Any, int]:
        def sums(start: int) -> Any:
            s = t[start : start + CHUNK]
            e = np.exp(-s / x[1])
            r = x[0] * e + x[2] - y[start : start + CHUNK]
            e2 = e * s * (x[0] / x[1] ** 2)
            one = np.ones_like(s)
            J = (e, e2, one)
            return [[a @ b for b in J] for a in J], [a @ r for a in J], r @ r

        x, passes = np.array(START), 0
        with ThreadPoolExecutor(threads) as pool:
            while passes < 50:
                passes += 1
                gram, gradient, rss = np.zeros((3, 3)), np.zeros(3), 0.0
                for part in pool.map(sums, range(0, len(t), CHUNK)):
                    gram += part[0]
                    gradient += part[1]
                    rss += part[2]
                step = np.linalg.solve(gram, -gradient)
                x = x + step
                if np.all(np.abs(step) <= 1e-8 * np.abs(x)):
                    break
        cov = np.linalg.inv(gram) * rss / (len(t) - 3)
        return [x, np.sqrt(np.diag(cov))], passes

    return run


CONTESTANTS: dict[str, tuple[Callable[[Any, Any], tuple[Any, int]], str, bool]] = {
    "marquardt": (ours, "f8", False),
    "marquardt, float32 columns": (ours, "f4", False),
    "marquardt, memory map": (ours, "f8", True),
    "marquardt, blocks": (ours_in_blocks, "f8", True),
    "SciPy curve_fit": (scipys(None), "f8", False),
    "SciPy curve_fit, analytic Jacobian": (scipys(jacobian), "f8", False),
    "chunked NumPy": (chunked(1), "f8", False),
    "chunked NumPy, two threads": (chunked(2), "f8", False),
}
LARGEST = {"SciPy curve_fit": 10**7, "SciPy curve_fit, analytic Jacobian": 10**7}
"""SciPy takes 8 GB and more, and minutes, for a hundred million."""


# ------------------------------------------------------------------------------------------------ one run


def resident(name: str) -> int:
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(name))


def child(name: str, n: int) -> None:
    """Time one fit and print what it took as JSON."""
    solve, kind, mapped = CONTESTANTS[name]
    with tempfile.TemporaryDirectory() as folder:
        t, y = fill(n, kind, folder if mapped else None)
        few = np.linspace(0, 10, 20)
        solve(few, decay(few, 3, 2, 1) + 0.01 * np.sin(9 * few))
        for column in (t, y):
            column[::512].sum()  # every page of a map is resident before
        before = resident("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")
        wall, cpu = time.perf_counter(), time.process_time()
        (x, stderr), passes = solve(t, y)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        peak = resident("VmHWM") - before
        found = {
            "wall": wall,
            "cpu": cpu,
            "peak": peak,
            "passes": passes,
            "x": list(x),
            "stderr": list(stderr),
        }
        print(json.dumps(found))


def run(name: str, n: int) -> dict[str, Any]:
    done = subprocess.run([sys.executable, __file__, "--child", name, str(n)], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def compared(n: int, rounds: int) -> str:
    """The table of one size."""
    names = [name for name in CONTESTANTS if n <= LARGEST.get(name, n)]
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    for _ in range(rounds):
        for name in names:
            runs[name].append(run(name, n))
    first = runs["marquardt"][0]
    rows = []
    median = {
        key: {name: statistics.median(r[key] for r in runs[name]) for name in names}
        for key in ("wall", "cpu")
    }
    for name in names:
        one = runs[name][0]
        off = np.abs(np.array(one["x"]) - first["x"]) / first["stderr"]
        assert off.max() < 1e-2 or "float32" in name, (name, off)
        each = 1e9 * median["cpu"][name] / (n * one["passes"])
        rows.append(
            [
                name, f"{median['wall'][name]:.3g} s", f"{median['cpu'][name]:.3g} s", one["passes"],
                f"{each:.1f} ns", f"{max(r['peak'] for r in runs[name]) / 2**20:.0f} MB",
                f"{median['wall'][name] / median['wall']['marquardt']:.1f}",
                f"{median['cpu'][name] / median['cpu']['marquardt']:.1f}",
            ]
        )  # fmt: skip
    head = [
        f"{n:,} points", "time", "CPU", "passes", "CPU per point and pass", "memory beside the data",
        "time / marquardt's", "CPU / marquardt's",
    ]  # fmt: skip
    return table(head, rows)


def main() -> None:
    if sys.argv[1:2] == ["--child"]:
        return child(sys.argv[2], int(sys.argv[3]))
    options = arguments(__doc__ or "")
    sizes, rounds = ([10**6], 1) if options.quick else ([10**7, 10**8], 3)
    parts = [METHOD, f"Machine: {machine()}.", *(compared(n, rounds) for n in sizes)]
    publish("\n\n".join(parts), options)


if __name__ == "__main__":
    main()
