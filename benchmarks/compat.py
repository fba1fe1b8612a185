"""SciPy's functions and those of ``marquardt.compat.scipy``, on the same calls, in one run."""

from __future__ import annotations

import contextlib
import statistics
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import scipy.optimize
from curve import decay, decay_data, peaks, peaks_data
from harness import arguments, machine, measure, publish, spread, table
from scipy.integrate import solve_ivp

from marquardt.compat import scipy as ours
from marquardt.datasets import fewest_digits, nist, nist_names

METHOD = """\
# The same calls, SciPy's functions and ours

**Method.** Each row is one call, made of `scipy.optimize` and of `marquardt.compat.scipy` with equal
arguments: default method, tolerances and derivatives, unless the row says otherwise. The two take turns;
a turn is one untimed call and then as many as fill 10 ms. Shown: the median over turns (quartiles) of the
time of one whole call, SciPy's median divided by ours, and the relative difference of the results.
"Called back" are functions that cannot be traced: their Jacobian is made by differences, or is given.
For them the calls of the function are counted as well; the rest of the time is the library's own.
The last table counts the calls for the 27 NIST problems from both starts. A run is solved where every
parameter has 4 correct digits; calls and ratios are those of the runs that both solve.
"""

Pair = tuple[Callable[..., Any], dict[str, Any]]


def curve_fits() -> dict[str, tuple[tuple[Any, ...], int]]:
    gauss = nist("Gauss1")

    def spread_out(x: Any, *p: Any) -> Any:
        return peaks(x, p)

    return {
        "exponential, 3 parameters, 20 points": ((decay, *decay_data(20)), 40),
        "NIST Gauss1, 8 parameters, 250 points": (
            (gauss.function, gauss.x[0], gauss.y, list(gauss.start1.values())),
            40,
        ),
        "exponential, 3 parameters, 1,000,000 points": ((decay, *decay_data(1_000_000)), 7),
        "16 peaks on a line, 50 parameters, 10,000 points": ((spread_out, *peaks_data()), 7),
    }


class CalledBack:
    """Residuals of a model behind something that no trace can follow; counts its calls."""

    def __init__(self, model: Callable[..., Any], x: Any, y: Any) -> None:
        self.model, self.x, self.y, self.calls = model, x, y, 0

    def __call__(self, p: Any) -> Any:
        self.calls += 1
        return self.model(self.x, *[float(str(v)) for v in p]) - self.y


def kinetics(t: Any, k1: float, k2: float) -> Any:
    """A -> B -> C by an ODE solver: the amounts of B."""
    solution = solve_ivp(
        lambda _, y: [-k1 * y[0], k1 * y[0] - k2 * y[1]], (0.0, 8.0), [1.0, 0.0], t_eval=t,
        rtol=1e-10, atol=1e-12, method="LSODA",
    )  # fmt: skip
    return solution.y[1]


def decay_jacobian(p: Any) -> Any:
    x = decay_data(20)[0]
    e = np.exp(-p[1] * x)
    return np.stack([e, -p[0] * x * e, np.ones_like(x)], axis=1)


def called_back() -> dict[str, tuple[CalledBack, Any, dict[str, Any], int]]:
    x, y, start = decay_data(20)
    decays = CalledBack(decay, x, y)
    gauss, thurber = nist("Gauss1"), nist("Thurber")
    t = np.linspace(0.0, 8.0, 25)
    amounts = kinetics(t, 1.1, 0.4) + 0.01 * np.random.default_rng(3).standard_normal(t.size)
    lm = {"method": "lm"}
    return {
        "exponential, 20 points": (decays, start, {}, 60),
        'exponential, method="lm"': (decays, start, lm, 40),
        'exponential, jac="3-point"': (decays, start, {"jac": "3-point"}, 40),
        "exponential, jac given": (decays, start, {"jac": decay_jacobian}, 40),
        "exponential, bounds": (decays, start, {"bounds": ([0, 0, 0], [2.4, 5, 5])}, 40),
        "NIST Gauss1": (of(gauss), list(gauss.start1.values()), {}, 60),
        'NIST Gauss1, method="lm"': (of(gauss), list(gauss.start1.values()), lm, 60),
        "NIST Thurber, second start": (of(thurber), list(thurber.start2.values()), {}, 60),
        "two rates by an ODE solver": (CalledBack(kinetics, t, amounts), [0.5, 1.0], {}, 60),
        'two rates by an ODE solver, method="lm"': (CalledBack(kinetics, t, amounts), [0.5, 1.0], lm, 40),
    }


def of(problem: Any) -> CalledBack:
    return CalledBack(lambda x, *p: problem.function(*x, *p), problem.x, problem.y)


def compare_curve_fits(quick: bool) -> str:
    rows = []
    for title, ((f, x, y, start), rounds) in curve_fits().items():
        calls = {
            "ours": lambda f=f, x=x, y=y, start=start: ours.curve_fit(f, x, y, p0=start),
            "scipy": lambda f=f, x=x, y=y, start=start: scipy.optimize.curve_fit(f, x, y, p0=start),
        }
        rows.append([title, *timed(calls, 3 if quick else rounds), difference(calls, lambda r: r[0])])
    return table(["`curve_fit`", "ours", "SciPy", "÷ ours", "difference"], rows)


def compare_called_back(quick: bool) -> str:
    rows = []
    for title, (fun, start, given, rounds) in called_back().items():
        calls = {
            "ours": lambda fun=fun, start=start, given=given: ours.least_squares(fun, start, **given),
            "scipy": lambda fun=fun, start=start, given=given: scipy.optimize.least_squares(
                fun, start, **given
            ),
        }
        times = timed(calls, 3 if quick else rounds)
        counts = [count(fun, call) for call in calls.values()]
        rows.append([title, *times, *counts, difference(calls, lambda r: r.x)])
    head = ["`least_squares`, called back", "ours", "SciPy", "÷ ours", "calls, ours", "SciPy", "difference"]
    return table(head, rows)


def compare_nist() -> str:
    """Calls of the function by both, from both starts of the NIST problems, with three methods."""
    rows = []
    for method in ("trf", "lm", "leastsq"):
        runs = [one_nist(name, start, method) for name in nist_names() for start in ("start1", "start2")]
        solved = [run for run in runs if min(run.digits) >= SOLVED]
        slower = [f"{run.title} {run.ratio:.2f}" for run in solved if run.ratio > ALLOWED]
        totals = [sum(run.calls[k] for run in solved) for k in (0, 1)]
        wins = [sum(run.digits[k] >= SOLVED for run in runs) for k in (0, 1)]
        rows.append([
            method, *(f"{won} of {len(runs)}" for won in wins), *(str(total) for total in totals),
            f"{statistics.geometric_mean(run.ratio for run in solved):.2f}", ", ".join(slower) or "none",
        ])  # fmt: skip
    head = [
        "NIST, called back", "solved, ours", "SciPy", "calls, ours", "SciPy", "mean ratio",
        f"more than {ALLOWED} times SciPy's calls",
    ]  # fmt: skip
    return table(head, rows)


SOLVED = 4.0
"""Correct digits of every parameter."""
ALLOWED = 1.2


class Run(NamedTuple):
    """One problem solved by both: calls of the function, and correct digits of the worst parameter."""

    title: str
    calls: list[int]
    digits: list[float]

    @property
    def ratio(self) -> float:
        return self.calls[0] / self.calls[1]


def one_nist(name: str, start: str, method: str) -> Run:
    problem, calls, digits = nist(name), [], []
    for library in (ours, scipy.optimize):
        fun, x0 = of(problem), list(getattr(problem, start).values())
        x = np.array(x0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with contextlib.suppress(ValueError):  # residuals that overflow
                x = (
                    library.leastsq(fun, x0)[0] if method == "leastsq"
                    else library.least_squares(fun, x0, method=method).x
                )  # fmt: skip
        calls.append(fun.calls)
        digits.append(fewest_digits(dict(zip(problem.certified, x, strict=True)), problem.certified))
    return Run(f"{name} {start[-1]}", calls, digits)


def timed(calls: dict[str, Callable[[], Any]], rounds: int) -> list[str]:
    times = measure(calls, rounds)
    ratio = statistics.median(times["scipy"]) / statistics.median(times["ours"])
    return [spread(times["ours"]), spread(times["scipy"]), f"{ratio:.1f}"]


def count(fun: CalledBack, call: Callable[[], Any]) -> int:
    before = fun.calls
    call()
    return fun.calls - before


def difference(calls: dict[str, Callable[[], Any]], of: Callable[[Any], Any]) -> str:
    return f"{np.max(np.abs(of(calls['scipy']()) / of(calls['ours']()) - 1)):.0e}"


def main() -> None:
    options = arguments(__doc__ or "")
    page = [METHOD, f"{machine()}.\n", compare_curve_fits(options.quick), ""]
    page += [compare_called_back(options.quick), "", compare_nist()]
    publish("\n".join(page), options)


if __name__ == "__main__":
    main()
