"""False observations in a real street: which cost finds the cameras that it finds without them?

python benchmarks/outliers.py --data bal   (a directory with ladybug-49-7776-pre.txt; README of datasets)
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from harness import machine, publish, table

import marquardt as mq

METHOD = """\
# False observations: ladybug-49

**Method.** To the 31,843 observations a tenth is added, of cameras and points that belong together, 50 to 500
pixels off in any direction. The centers of the cameras are moved, turned and scaled onto those that the same
cost finds without false observations; their distance from these is told relative to the size of the path:
of all cameras together (Frobenius norm), and of the one that is off the most. Draws of the false
observations: {draws}, for squares {few}; medians, and the worst draw. "Tells apart": true observations
not believed and false ones believed, in the worst draw.
"""

FILE = "ladybug-49-7776-pre.txt"
SETTINGS: dict[str, Any] = {"ftol": 1e-8, "max_iterations": 500}
WAYS: dict[str, Callable[[Any], Any]] = {
    "squares": lambda scene: mq.solve(scene.problem(), **SETTINGS),
    "Huber(0.3)": lambda scene: mq.solve(scene.problem(loss=mq.Huber(0.3)), **SETTINGS),
    "GNC(scale=10)": lambda scene: mq.solve(scene.problem(), robust=mq.GNC(scale=10), **SETTINGS),
    "GNC(scale=30)": lambda scene: mq.solve(scene.problem(), robust=mq.GNC(scale=30), **SETTINGS),
}


def with_false(scene: Any, seed: int) -> Any:
    """A tenth more observations, 50 to 500 pixels off."""
    rng = np.random.default_rng(seed)
    n = len(scene.observed) // 10
    of = rng.choice(len(scene.observed), n, replace=False)
    angle, far = rng.uniform(0.0, 2.0 * np.pi, n), rng.uniform(50.0, 500.0, n)
    wrong = scene.observed[of] + far[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    return replace(
        scene,
        camera_index=np.append(scene.camera_index, scene.camera_index[of]),
        point_index=np.append(scene.point_index, scene.point_index[of]),
        observed=np.vstack([scene.observed, wrong]),
    )


def aligned(scene: Any, reference: Any) -> tuple[Any, Any]:
    """Centers of the cameras, moved, turned and scaled onto those of the reference, and these, about their
    mean: relative to the root mean square of their distances from it (Umeyama 1991)."""
    a, b = (s.poses()[0] - s.poses()[0].mean(axis=0) for s in (scene, reference))
    u, s, vt = np.linalg.svd(a.T @ b)
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    size = np.sqrt(np.mean(np.sum(b * b, axis=1)))
    return (s @ sign) / np.sum(a * a) * a @ (u * sign) @ vt / size, b / size


def off(scene: Any, reference: Any) -> Any:
    """Of each camera."""
    a, b = aligned(scene, reference)
    return np.linalg.norm(a - b, axis=1)


def picture(name: str, ends: dict[str, Any], clean: dict[str, Any]) -> None:
    from matplotlib.figure import Figure

    figure = Figure((9.6, 3.4), layout="constrained")
    path, errors = figure.subplots(1, 2)
    a, b = aligned(ends["squares"], clean["squares"])
    plane = np.linalg.svd(b)[2][:2].T  # in which the car went
    path.plot(*(b @ plane).T, "o", ms=7, mfc="none", mec="0.5", label="without false observations")
    path.plot(*(a @ plane).T, ".", c="C3", label="squares, with them")
    for way, color in (("squares", "C3"), ("Huber(0.3)", "C0"), ("GNC(scale=30)", "C2")):
        errors.semilogy(off(ends[way], clean[way]), ".-", c=color, label=way)
    errors.axhline(1e-3, c="0.5", lw=0.8)
    path.set(title="Where the car went", xticks=[], yticks=[])
    errors.set(title="Off by, of the size of the path", xlabel="camera")
    for axes in (path, errors):
        axes.legend(fontsize=7)
    figure.savefig(name, dpi=80)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True, help=f"the directory of {FILE}")
    parser.add_argument("--write", metavar="FILE", help="write the page to FILE, as in benchmarks/results/")
    parser.add_argument("--picture", metavar="FILE", help="write a picture of the first draw")
    parser.add_argument("--quick", action="store_true", help="one draw")
    options = parser.parse_args()
    draws, few = (1, 1) if options.quick else (10, 3)
    scene = mq.datasets.read_bal(Path(options.data) / FILE)
    rows, clean, first = [], {}, {}
    for name, way in WAYS.items():
        clean[name] = scene.with_result(way(scene))
        together, largest, steps, seconds, lost, believed = [], [], [], [], [0], [0]
        for seed in range(few if name == "squares" else draws):
            spoiled = with_false(scene, seed)
            began = perf_counter()
            result = way(spoiled)
            seconds.append(perf_counter() - began)
            end = spoiled.with_result(result)
            first.setdefault(name, end)
            each = off(end, clean[name])
            together.append(np.sqrt(np.mean(each**2)))
            largest.append(each.max())
            steps.append(len(result.trace))
            if name.startswith("GNC"):
                w, k = result.weights["reprojection"], len(scene.observed)
                lost.append(np.count_nonzero(w[:k] < 0.5))
                believed.append(np.count_nonzero(w[k:] > 0.5))
        alone = np.sqrt(np.mean(off(clean[name], clean["squares"]) ** 2))
        rows.append(
            [
                name,
                *(f"{np.median(v):.1e} ({np.max(v):.1e})" for v in (together, largest)),
                f"{alone:.1e}",
                f"{max(lost)} / {max(believed)}" if name.startswith("GNC") else "",
                f"{np.median(steps):.0f}",
                f"{np.median(seconds):.1f}",
            ]
        )
    head = ["", "all cameras (worst)", "one camera (worst)", "from squares, without false ones"]
    page = table([*head, "tells apart", "steps", "seconds"], rows)
    publish("\n".join([METHOD.format(draws=draws, few=few), f"{machine()}.\n", page]), options)
    if options.picture:
        picture(options.picture, first, clean)


if __name__ == "__main__":
    main()
