"""The hiker, the sprinter and those who dance, on problems that show what each is good for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import Status
from ..options import Options

if TYPE_CHECKING:
    from ..curve.compare import Comparison, Run

BUDGET = 10_000
"""Jacobians that each may spend: enough for the hiker on Rosenbrock's function."""
WALKERS = {
    "the hiker": {"method": "gradient-descent"},
    "the sprinter": {"method": "gauss-newton"},
    "Levenberg": {"method": "levenberg"},
    "Marquardt": {"method": "marquardt"},
    "marquardt (auto)": {"method": "auto"},
}


CRASHES = {"singular": "crashed: the Jacobian became singular", "diverged": "crashed: the steps diverged"}


@dataclass(frozen=True)
class Demo:
    """A problem, what it shows, and which parameters span its landscape."""

    shows: str
    run: Callable[[], Comparison]
    pair: tuple[str | None, str | None] = (None, None)


def _mgh(name: str) -> Callable[[], Comparison]:
    def run() -> Comparison:
        from ..curve.compare import compare
        from ..datasets import mgh

        problem = mgh.load(name)
        return compare(problem.residuals, x0=problem.start, methods=WALKERS, options=_options())

    return run


def _michaelis() -> Comparison:
    from ..curve.compare import compare
    from ..datasets import michaelis_menten

    assay = michaelis_menten()
    start = {"Vmax": 80.0, "Km": 1.0}
    return compare(assay.formula, data=assay, start=start, methods=WALKERS, options=_options())


def _gauss() -> Comparison:
    from ..curve.compare import compare
    from ..datasets import nist

    peaks = nist("Gauss1")
    return compare(peaks.formula, data=peaks, start=peaks.start1, methods=WALKERS, options=_options())


def _options() -> Options:
    return Options(max_evaluations=BUDGET)


_FIRST_TWO = ("x[0]", "x[1]")
DEMOS = {
    "rosenbrock": Demo("a curved valley: the hiker zigzags, the sprinter is lucky", _mgh("rosenbrock")),
    "beale": Demo("a plateau with a singular start: the sprinter has no step", _mgh("beale")),
    "powell": Demo("a singular minimum: everybody slows down", _mgh("powell_singular"), _FIRST_TWO),
    "brown-dennis": Demo(
        "large residuals: what Gauss-Newton leaves out matters", _mgh("brown_dennis"), _FIRST_TWO
    ),
    "michaelis": Demo("an enzyme assay from a poor start: the sprinter runs away", _michaelis),
    "gauss": Demo("two peaks on a falling baseline, NIST Gauss1: eight parameters", _gauss, ("b4", "b5")),
}


def listing() -> str:
    """One line per demo."""
    width = max(map(len, DEMOS))
    return "\n".join(f"{name:<{width}}  {demo.shows}" for name, demo in DEMOS.items())


def show(name: str, folder: Path) -> int:
    """Run one demo, print who arrived, write pictures and page; 0 when the default method arrived."""
    demo = DEMOS[name]
    comparison = demo.run()
    print(f"\n{name}: {demo.shows}\n")
    print(table(comparison))
    comparison.plot().savefig(folder / f"{name}.png", dpi=150)
    comparison.plot_landscape(*demo.pair).savefig(folder / f"{name}_landscape.png", dpi=150)
    comparison.to_html(folder / f"{name}.html", *demo.pair)
    place = folder / name
    print(f"\nPictures: {place}.png, {place}_landscape.png   A page to explore: {place}.html")
    last = comparison.results.get("marquardt (auto)")
    return 0 if last is not None and last.success else 1


def table(comparison: Comparison) -> str:
    """Who arrived after how many evaluations, who crashed, who is still on the way."""
    from ..report.sentences import align

    rows = [["", "evaluations", "cost", "  what became of it"]]
    for run in comparison.runs:
        r = run.result
        counts = ["-", "-"] if r is None else [str(r.nfev + r.njev), f"{r.cost:.7g}"]
        rows.append([run.name, *counts, f"  {fate(run, comparison)}"])
    return "\n".join(align(rows))


def fate(run: Run, comparison: Comparison) -> str:
    """In words how a walk ended."""
    from ..report.comparison import arrived, at_lowest

    r: Any = run.result
    if r is None:
        return f"crashed: {run.error}"
    if arrived(r, comparison):
        return "arrived"
    if r.success:
        return "arrived in another valley"
    if at_lowest(r, comparison):
        return f"there, but cannot prove it ({r.status.name.lower().replace('_', ' ')})"
    if r.status is Status.MAX_EVALUATIONS:
        return "still on the way"
    return CRASHES.get(r._outcome.reason, str(r.status.value))
