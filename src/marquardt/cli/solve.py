"""``marquardt solve``: a file of a large problem becomes a solution, a report, a cloud, a view."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import FileError, OptionError, Status
from .scenes import LABELS, Scene, scene_of

if TYPE_CHECKING:
    from ..solve.large.gnc import GNC

CERTIFIED, NOT_CERTIFIED, INTERRUPTED = 0, 1, 130
METHODS, SOLVERS = ("lm", "dogleg", "gauss-newton"), ("auto", "dense", "sparse", "pcg")


def run(arguments: argparse.Namespace) -> int:
    """Read, solve, report and write what was asked for; 0 when a tolerance was reached, else 1."""
    _check_outputs(arguments)
    scene = scene_of(arguments.file)
    print(scene.data)
    if arguments.start == "chordal":
        scene = scene.chordal()
    known: dict[str, Any] = {"loss": loss(arguments.loss), "fixed": scene.positions(fixed(arguments.fix))}
    doubted = robust(arguments.robust)
    if doubted is not None and scene.kind == "graph" and scene.data.closures.any():
        known["closures"], doubted = True, replace(doubted, families=["closure"])
    problem = scene.data.problem(**known)
    if not arguments.quiet:  # before long work; the report holds them too
        for warning in problem.summary().warnings:
            print(f"- {warning}")
    result = _solve(problem, doubted, arguments)
    solved = Scene(scene.kind, scene.data.with_result(result))
    print(result)
    for line in solved.lines():
        print(line)
    if arguments.covariance:
        for line in solved.certainty(result):
            print(line)
    _write(solved, scene, result, arguments)
    if result.status is Status.INTERRUPTED:
        return INTERRUPTED
    return CERTIFIED if result.success else NOT_CERTIFIED


def _solve(problem: Any, doubted: GNC | None, arguments: argparse.Namespace) -> Any:
    from ..solve.large.solve import solve

    limits = {
        name: getattr(arguments, name)
        for name in ("max_iterations", "max_time", "ftol")
        if getattr(arguments, name) is not None
    }
    return solve(
        problem,
        method=arguments.method,
        solver=arguments.solver,
        robust=doubted,
        threads=arguments.threads,
        progress=not arguments.quiet,
        **limits,
    )


def loss(text: str | None) -> Any:
    """``huber:1`` is a loss and its scale in the units of the residuals: pixels, standard deviations."""
    if text is None:
        return None
    name, colon, scale = text.partition(":")
    from ..problem.losses import LOSSES, loss_of

    try:
        found = loss_of(name)
        value = float(scale) if colon else 1.0
    except ValueError:
        known = ", ".join(LOSSES)
        raise OptionError(f"--loss {text}: write NAME:SCALE, as in huber:1; names are {known}") from None
    if found is None or not value > 0.0:
        raise OptionError(f"--loss {text}: the scale is a positive number")
    return found.at_scale(value)


def robust(text: str | None) -> GNC | None:
    """``gnc``, or ``gnc:SCALE`` with the largest error that is believed."""
    from ..solve.large.gnc import GNC

    if text is None:
        return None
    name, colon, scale = text.partition(":")
    if name != "gnc":
        raise OptionError(f"--robust {text}: write gnc, or gnc:SCALE with the largest error that is believed")
    if not colon:
        return GNC()
    try:
        return GNC(scale=float(scale))
    except ValueError:
        raise OptionError(f"--robust {text}: {scale!r} is not a number") from None


def fixed(texts: Sequence[str]) -> dict[str, list[int]]:
    """``camera:0``, ``camera:0-9``, several by commas: numbers by family."""
    found: dict[str, list[int]] = {}
    for text in (part.strip() for given in texts for part in given.split(",")):
        name, colon, positions = text.partition(":")
        first, dash, last = positions.partition("-")
        if not (name and colon and first.isdigit() and (last.isdigit() or not dash)):
            raise OptionError(f"--fix {text}: write NAME:INDEX or NAME:FIRST-LAST, as in camera:0")
        found.setdefault(name, []).extend(range(int(first), int(last if dash else first) + 1))
    return found


def _check_outputs(arguments: argparse.Namespace) -> None:
    """Before anything is computed: a folder that is not there is not found out at the end."""
    for option in ("out", "ply", "html"):
        path = getattr(arguments, option)
        if path is not None and not Path(path).resolve().parent.is_dir():
            raise FileError(f"--{option} {path}: there is no folder {Path(path).parent}")


def _write(solved: Scene, start: Scene, result: Any, arguments: argparse.Namespace) -> None:
    if arguments.out:
        solved.write(arguments.out)
    if arguments.ply:
        solved.write_cloud(arguments.ply)
    if arguments.html:
        far = solved.errors()
        facts = {
            "cost": f"{result.initial_cost:,.6g} → {result.cost:,.6g}",
            "error": f"median {np.median(far):.3g}, 99 % {np.percentile(far, 99):.3g} {solved.unit}",
            "end": result.status.value,
            **{name: f"{n:,}" for name, n in solved.counts().items()},
        }
        solved.data.world(start.data, facts).to_html(arguments.html)
    for option in ("out", "ply", "html"):
        if getattr(arguments, option):
            print(f"{LABELS[option]}: {getattr(arguments, option)}", file=sys.stderr)
