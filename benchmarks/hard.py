"""Success and evaluations on hard problems, from the same starts, beside SciPy, lmfit, optimistix, nlsq."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from counts import poisson_part
from harness import arguments, machine, publish, table
from peers import End, Peer, Task, absent, present

import marquardt as mq
from marquardt.datasets import fewest_digits, mgh, mgh_bounded, nist, nist_names, textbook

METHOD = """\
# Hard problems: who solves them, and at what price

**Method.** Every program with its default settings, from the same starts, without user-written derivatives,
all in one run. SciPy: `curve_fit` for curves, `least_squares` for residuals; lmfit: `minimize`, which is
MINPACK; optimistix: `LevenbergMarquardt` with rtol = atol = 1e-8, as it has no default; nlsq: `CurveFit`,
which fits curves only. optimistix and nlsq differentiate the same functions with JAX, in double precision.
RALFit is not on PyPI; the bindings of GSL, pygsl and pygsl_lite, could not be built from there; nlsq needs
Python 3.12 and is not in the extra `bench`: it brings 150 packages along.
"Solved" is judged by the parameters or the cost at the end, whatever the program says; "claims": what it
calls success; "false": success claimed where the problem is not solved. An error is neither. Evaluations:
calls of the model, those for finite differences included; where derivatives are exact, evaluations of
residuals and of Jacobians (optimistix: two a step). Time includes tracing and compilation, on a machine that
others used.
"""

NIST = """
## NIST: {n} runs

27 problems from both published starts. Digits: log relative error against the certified values, of the worst
parameter. False: success claimed with fewer than 4 digits.
"""

MGH = """
## Moré, Garbow, Hillstrom: standard start x {factor}

35 problems. Solved: the least known sum of squares to 1e-6 of itself or 1e-14 absolutely; +: another known
minimum. False: success claimed where no minimum is known.
"""

BOUNDED = """
## Within bounds

Nine of these problems within the bounds of Gay (1984), from the standard start times 1 and 10, clipped into
the box. Solved: the least sum of squares in the box, as above; "+": nearly, to 1e-3 of itself or 1e-10.
False: success claimed farther off. lmfit transforms bounded parameters by a sine; MINPACK and optimistix know
no bounds.
"""

TEXTBOOK = """
## 18 textbook curves, {draws} draws of noise each: {title}

{start} Plain functions, not built-in
models. Solved: the cost is at most 1e-6 above that of a fit that starts at the true parameters. In the table
of curves: draws solved. "False" is another minimum, as a rule.
"""
BLIND = "marquardt is given no starting values, no ranges; the others start from ones."
PERTURBED = "Every program starts from the true values, each times 10^u, u uniform in ±0.5."


@dataclass
class Count:
    """What one program did on one set of problems."""

    marks: list[str] = field(default_factory=list)  # of every run: "solved", "minimum", or ""
    false: int = 0
    claims: int = 0
    evaluations: int = 0
    seconds: float = 0.0
    digits: list[float] = field(default_factory=list)
    of: dict[str, int] = field(default_factory=dict)  # what each problem cost in evaluations

    @property
    def solved(self) -> int:
        return self.marks.count("solved")

    def cells(self) -> list[Any]:
        return [self.claims, self.false, self.evaluations, f"{self.seconds:.1f}"]


HEAD = ["claims", "false", "evaluations", "time, s"]
Counts = dict[str, Count]
Losses = list[list[Any]]


def run(peer: Peer, task: Task, count: Count) -> End:
    began = time.perf_counter()
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        end = peer.solve(task)
    count.seconds += time.perf_counter() - began
    count.evaluations += end.evaluations
    count.claims += end.claimed
    return end


def contest(
    peers: dict[str, Peer], tasks: Iterable[tuple[str, Task, Callable[[End], str]]], losses: Losses, part: str
) -> Counts:
    """Every task by every program; what marquardt does not solve and another does goes to `losses`."""
    counts = {name: Count() for name in peers}
    for title, task, judge in tasks:
        for name, peer in peers.items():
            count = counts[name]
            end = run(peer, task, count)
            count.marks.append(judge(end))
            count.false += end.claimed and not count.marks[-1]
        solved = [name for name, count in counts.items() if count.marks[-1] == "solved"]
        if solved and "marquardt" not in solved:
            losses.append([part, title, ", ".join(solved)])
    return counts


# ----------------------------------------------------------------------------------------------- the problems


def nist_part(peers: dict[str, Peer], losses: Losses) -> str:
    digits: dict[str, list[float]] = {name: [] for name in peers}

    def tasks() -> Iterable[tuple[str, Task, Callable[[End], str]]]:
        for problem in map(nist, nist_names()):
            assert problem.function is not None
            for k, start in enumerate((problem.start1, problem.start2), 1):
                seen = iter(peers)

                def judge(end: End, problem: Any = problem, seen: Any = seen) -> str:
                    found = 0.0
                    if end.x is not None and np.isfinite(end.x).all():
                        values = dict(zip(problem.param_names, end.x.tolist(), strict=True))
                        found = fewest_digits(values, problem.certified)
                    digits[next(seen)].append(found)
                    return "solved" if found >= 4 else ""

                x0 = np.array(list(start.values()))
                yield (
                    f"{problem.name}, start {k}",
                    Task(problem.function, x0, problem.x, problem.response),
                    judge,
                )

    counts = contest(peers, tasks(), losses, "NIST")
    rows = [
        [name, c.solved, sum(d >= 6 for d in digits[name]), f"{np.mean(digits[name]):.1f}", *c.cells()]
        for name, c in counts.items()
    ]
    head = ["", "≥ 4 digits", "≥ 6 digits", "mean digits", *HEAD]
    return NIST.format(n=2 * len(nist_names())) + "\n" + table(head, rows)


def mgh_part(peers: dict[str, Peer], factor: int, losses: Losses) -> str:
    def tasks() -> Iterable[tuple[str, Task, Callable[[End], str]]]:
        for problem in mgh.problems():
            task = Task(problem.residuals, problem.start_times(factor))

            def judge(end: End, problem: Any = problem, task: Task = task) -> str:
                kind = "" if end.x is None else problem.kind(2 * task.cost(end.x))
                return {"best": "solved", "minimum": "minimum"}.get(kind, "")

            yield f"{problem.name} x {factor}", task, judge

    counts = contest(peers, tasks(), losses, "MGH")
    rows = [[name, c.solved, c.marks.count("minimum"), *c.cells()] for name, c in counts.items()]
    return MGH.format(factor=factor) + "\n" + table(["", "solved", "+", *HEAD], rows)


def bounded_part(peers: dict[str, Peer], losses: Losses) -> str:
    def tasks() -> Iterable[tuple[str, Task, Callable[[End], str]]]:
        for problem in mgh_bounded.problems():
            for factor in (1, 10):
                box = (problem.lower, problem.upper)
                task = Task(problem.residuals, problem.start(factor), bounds=box)

                def judge(end: End, problem: Any = problem, task: Task = task) -> str:
                    rss = np.inf if end.x is None else 2 * task.cost(end.x)
                    if problem.solved(rss):
                        return "solved"
                    return "nearly" if rss <= problem.rss * 1.001 + 1e-10 else ""

                yield f"{problem.name} x {factor}", task, judge

    counts = contest(peers, tasks(), losses, "bounded")
    rows = [[name, c.solved, c.marks.count("nearly"), *c.cells()] for name, c in counts.items()]
    return BOUNDED + "\n" + table(["", "solved, of 18", "+", *HEAD], rows)


def textbook_part(peers: dict[str, Peer], draws: int, blind: bool, losses: Losses) -> str:
    def tasks() -> Iterable[tuple[str, Task, Callable[[End], str]]]:
        for curve in textbook.curves():
            for seed in range(draws):
                y = curve.draw(seed)
                x0 = None if blind else np.array(list(curve.start(seed).values()))
                task = Task(curve.function, x0, (curve.x,), y)
                near = mq.fit(curve.function, curve.x, y, start=list(curve.truth))
                enough = task.cost(near.x) * (1 + 1e-6)

                def judge(end: End, task: Task = task, enough: float = enough) -> str:
                    return "solved" if end.x is not None and task.cost(end.x) <= enough else ""

                yield f"{curve.name}, draw {seed}", task, judge

    title = "without starting values" if blind else "half a decade off"
    counts = contest(peers, tasks(), losses, title)
    text = TEXTBOOK.format(draws=draws, title=title, start=BLIND if blind else PERTURBED)
    rows = []
    for name, c in counts.items():
        curves = by_curve(c, draws)
        rows.append([name, c.solved, sum(n == draws for n in curves), *c.cells()])
    head = ["", f"solved, of {18 * draws}", f"curves with {draws} of {draws}", *HEAD]
    every = [
        [name, *(by_curve(c, draws)[k] for c in counts.values())] for k, name in enumerate(textbook.names())
    ]
    return f"{text}\n{table(head, rows)}\n\n{table(['curve', *counts], every)}"


def by_curve(count: Count, draws: int) -> list[int]:
    return [count.marks[k : k + draws].count("solved") for k in range(0, len(count.marks), draws)]


def ones(peer: Peer) -> Peer:
    """The program, started from ones where there is no start."""

    def solve(task: Task) -> End:
        n = task.function.__code__.co_argcount - len(task.x)
        return peer.solve(Task(task.function, np.ones(n), task.x, task.y))

    return Peer(peer.package, solve)


# --------------------------------------------------------------------------------------------------- the page


def lost(losses: Losses) -> str:
    text = "\n## What another program solves and marquardt does not\n\n"
    return text + (table(["part", "problem", "solved by"], losses) if losses else "Nothing.")


def versions() -> str:
    missing = absent()
    words = f"{machine('optimistix', 'jax', 'nlsq')}."
    return words + (f" Not installed, hence left out: {', '.join(missing)}." if missing else "")


def main() -> None:
    options = arguments(__doc__ or "")
    draws = 2 if options.quick else 20
    peers = present()
    free = {name: peer for name, peer in peers.items() if peer.unbounded}
    blind = {name: peer if name == "marquardt" else ones(peer) for name, peer in free.items()}
    losses: Losses = []
    parts: Sequence[str] = [
        METHOD,
        versions() + "\n",
        nist_part(free, losses),
        *(
            mgh_part({name: p for name, p in free.items() if p.residuals}, factor, losses)
            for factor in (1, 10, 100)
        ),
        bounded_part({name: p for name, p in peers.items() if p.bounds}, losses),
        textbook_part(blind, draws, True, losses),
        textbook_part(free, draws, False, losses),
        poisson_part(10 * draws),
    ]
    publish("\n".join([*parts, lost(losses)]), options)


if __name__ == "__main__":
    main()
