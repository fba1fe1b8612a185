"""Speed, memory and start-up of curve fits beside SciPy and lmfit, in one run."""

from __future__ import annotations

import importlib.util
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from harness import arguments, installed, machine, measure, publish, spread, table
from scipy.optimize import curve_fit

import marquardt as mq
from marquardt.datasets import nist

METHOD = """\
# Curve fits: time, memory, start-up

**Method.** Each contestant solves the same problem from the same start with its default settings and no
user-written derivative. Contestants take turns; a turn is one untimed call and then as many as fill 10
ms. Shown: the median over turns (quartiles) of the time of one whole call, and the median divided by
that of marquardt. A result of marquardt works out uncertainties when they are asked for: the row "and
covariance" asks; SciPy and lmfit always give them. All contestants reach the same minimum: "difference"
is the largest relative difference of a parameter from marquardt's. Memory: one process per program; the
resident memory just before the fit (data made, packages imported, a small fit done) subtracted from its
peak during the fit. First call: functions never seen before, from a file, 20 points, in a warm process.
Import: fresh processes, `import marquardt` after `import numpy`.
"""


def decay(x: Any, a: Any, b: Any, c: Any) -> Any:
    return a * np.exp(-b * x) + c


def peaks(x: Any, p: Any) -> Any:
    """A line under 16 Gaussian peaks: 50 parameters."""
    y = p[0] + p[1] * x
    for k in range(16):
        y = y + p[2 + 3 * k] * np.exp(-(((x - p[3 + 3 * k]) / p[4 + 3 * k]) ** 2))
    return y


def decay_data(n: int) -> tuple[Any, Any, list[float]]:
    x = np.linspace(0, 4, n)
    y = decay(x, 2.5, 1.3, 0.5) + 0.02 * np.random.default_rng(1).standard_normal(n)
    return x, y, [2.0, 1.0, 0.0]


def peaks_data() -> tuple[Any, Any, Any]:
    """Heights, centers and widths of the peaks about 10 % off, on the scale of a height or a width."""
    rng = np.random.default_rng(2)
    x = np.linspace(0, 17, 10_000)
    shapes = [(rng.uniform(1, 3), k + 1, rng.uniform(0.25, 0.4)) for k in range(16)]
    truth = np.array([1.0, 0.05, *np.ravel(shapes)])
    scale = np.array([1.0, 0.1, *np.ravel([(2.0, 0.3, 0.3)] * 16)])
    y = peaks(x, truth) + 0.02 * rng.standard_normal(len(x))
    return x, y, truth + 0.1 * scale * rng.standard_normal(50)


Contestants = dict[str, Callable[[], Any]]


def ours(function: Any, x: Any, y: Any, start: Any) -> Callable[[], Any]:
    def solve() -> Any:
        result = mq.fit(function, x, y, start=start)
        assert result.success, result.message
        return result.x

    return solve


def ours_with_errors(function: Any, x: Any, y: Any, start: Any) -> Callable[[], Any]:
    def solve() -> Any:
        result = mq.fit(function, x, y, start=start)
        assert result.covariance is not None
        return result.x

    return solve


def by_scipy(function: Any, x: Any, y: Any, start: Any, method: str = "lm") -> Callable[[], Any]:
    return lambda: curve_fit(function, x, y, p0=start, method=method)[0]


def by_lmfit(function: Any, x: Any, y: Any, names: list[str], start: Any) -> Contestants:
    """lmfit's Model, made once; nothing where lmfit is not installed."""
    if not installed("lmfit"):
        return {}
    import lmfit

    model = lmfit.Model(function)
    values = dict(zip(names, start, strict=True))
    return {"lmfit Model": lambda: np.array(list(model.fit(y, x=x, **values).best_values.values()))}


def workloads() -> dict[str, tuple[Contestants, int]]:
    small, large, abc = decay_data(20), decay_data(1_000_000), ["a", "b", "c"]
    gauss = nist("Gauss1")
    g = (gauss.x[0], gauss.y, list(gauss.start1.values()))
    x, y, p0 = peaks_data()

    def spread_out(x: Any, *p: float) -> Any:
        return peaks(x, p)

    return {
        "exponential, 3 parameters, 20 points": (
            {
                "marquardt": ours(decay, *small),
                "marquardt and covariance": ours_with_errors(decay, *small),
                "marquardt, formula": formula("y ~ a*exp(-b*x) + c", *small),
                "curve_fit lm": by_scipy(decay, *small),
                "curve_fit trf": by_scipy(decay, *small, "trf"),
                **by_lmfit(decay, *small[:2], abc, small[2]),
            },
            40,
        ),
        "NIST Gauss1, 8 parameters, 250 points": (
            {
                "marquardt": ours(gauss.function, *g),
                "marquardt and covariance": ours_with_errors(gauss.function, *g),
                "curve_fit lm": by_scipy(gauss.function, *g),
                "curve_fit trf": by_scipy(gauss.function, *g, "trf"),
                **by_lmfit(gauss.function, *g[:2], list(gauss.param_names), g[2]),
            },
            40,
        ),
        "exponential, 3 parameters, 1,000,000 points": (
            {
                "marquardt": ours(decay, *large),
                "marquardt and covariance": ours_with_errors(decay, *large),
                "curve_fit lm": by_scipy(decay, *large),
                **by_lmfit(decay, *large[:2], abc, large[2]),
            },
            9,
        ),
        "16 peaks on a line, 50 parameters, 10,000 points": (
            {
                "marquardt": ours(peaks, x, y, {"p": p0}),
                "marquardt and covariance": ours_with_errors(peaks, x, y, {"p": p0}),
                "curve_fit lm": by_scipy(spread_out, x, y, p0),
            },
            7,
        ),
    }


def formula(text: str, x: Any, y: Any, start: list[float]) -> Callable[[], Any]:
    data, values = {"x": x, "y": y}, dict(zip("abc", start, strict=True))
    return lambda: mq.fit(text, data=data, start=values).x


def speed(quick: bool) -> str:
    rows = []
    for title, (contestants, rounds) in workloads().items():
        times = measure(contestants, 3 if quick else rounds)
        reference = contestants["marquardt"]()
        base = statistics.median(times["marquardt"])
        for name, seconds in times.items():
            difference = np.max(np.abs(np.asarray(contestants[name]()) / reference - 1))
            ratio = statistics.median(seconds) / base
            rows.append([title, name, spread(seconds), f"{ratio:.1f}", f"{difference:.0e}", len(seconds)])
            title = ""
    return table(["problem", "program", "time of a fit", "÷ marquardt", "difference", "repeats"], rows)


# ------------------------------------------------------------------------------------------- fresh processes
_MEMORY = """
import json, sys
import numpy as np
sys.path.insert(0, {folder!r})
from curve import decay, decay_data, ours, by_scipy, by_lmfit
def status(key):
    return next(int(l.split()[1]) for l in open("/proc/self/status") if l.startswith(key)) / 1024
def contestant(n):
    x, y, start = decay_data(n)
    return {call}
contestant(20)()
fit = contestant(1_000_000)
before = status("VmRSS")
open("/proc/self/clear_refs", "w").write("5")
fit()
print(json.dumps([before, status("VmHWM") - before]))
"""


def memory() -> str:
    """Peak resident memory of a fit of 1e6 points above what was there before it."""
    calls = {"marquardt": "ours(decay, x, y, start)", "curve_fit lm": "by_scipy(decay, x, y, start)"}
    if installed("lmfit"):
        calls["lmfit Model"] = "by_lmfit(decay, x, y, list('abc'), start)['lmfit Model']"
    rows = []
    for name, call in calls.items():
        code = _MEMORY.format(folder=str(Path(__file__).parent), call=call)
        before, extra = json.loads(_fresh(code))
        rows.append([name, f"{before:.0f} MB", f"{extra:.1f} MB"])
    return table(["1,000,000 points (data: 16 MB)", "before the fit", "added at the peak"], rows)


def first_calls(count: int = 25) -> str:
    """Times of the first fit of functions never seen before."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fresh_models.py"
        lines = ["import numpy as np"]
        for k in range(count):
            lines.append(
                f"\n\ndef decay_{k}(x, a, b, c):\n    return a * np.exp(-b * x) + c + {k}.5 - {k}.5\n"
            )
        path.write_text("\n".join(lines))
        spec = importlib.util.spec_from_file_location("fresh_models", path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        x, y, start = decay_data(20)
        times = []
        for k in range(count):
            began = time.perf_counter()
            mq.fit(getattr(module, f"decay_{k}"), x, y, start=start)
            times.append(time.perf_counter() - began)
    return spread(times)


_IMPORT = """
import time, numpy
a = time.perf_counter(); import marquardt; b = time.perf_counter()
print(b - a)
"""
_FIRST = """
import sys, time, numpy as np, marquardt as mq
sys.path.insert(0, {folder!r})
x = np.linspace(0, 4, 20); y = 2.5 * np.exp(-1.3 * x) + 0.5 + 0.01 * np.cos(40 * x)
def f(x, a, b, c): return a * np.exp(-b * x) + c
a = time.perf_counter(); print(end=""); r = mq.fit(f, x, y, start=[2, 1, 0]); b = time.perf_counter()
str(r); print(b - a, time.perf_counter() - b)
"""


def startup(repeats: int) -> str:
    imports = [float(_fresh(_IMPORT)) for _ in range(repeats)]
    folder = str(Path(__file__).parent)
    first = [[float(t) for t in _fresh(_FIRST.format(folder=folder)).split()] for _ in range(repeats)]
    rows = [
        ["first fit of a new function, warm process", first_calls()],
        ["first fit in a fresh process (imports what it needs)", spread([t[0] for t in first])],
        ["printing its report", spread([t[1] for t in first])],
        ["`import marquardt`, beyond `import numpy`", spread(imports)],
    ]
    return table(["start-up", "time"], rows)


def _fresh(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def main() -> None:
    options = arguments(__doc__ or "")
    page = [METHOD, f"{machine()}.\n", speed(options.quick), ""]
    if Path("/proc/self/clear_refs").exists():
        page += [memory(), ""]
    page.append(startup(2 if options.quick else 7))
    publish("\n".join(page), options)


if __name__ == "__main__":
    main()
