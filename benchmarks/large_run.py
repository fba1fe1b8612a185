"""One large problem, solved in a process of its own: ``large_run.py CONTESTANT FILE THREADS [HUBER]``
prints JSON. HUBER: scale of Huber's loss of a BAL problem.

``path`` holds seconds since the start and the cost after each step that was taken; ``mib`` the peak of the
resident set beyond what was resident when the data were there.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from marquardt import datasets

FTOL = 1e-6
Found = dict[str, Any]


def load(path: str) -> Any:
    return datasets.read_g2o(path) if path.endswith(".g2o") else datasets.read_bal(path)


def resident(key: str = "VmRSS") -> float:
    """MiB of this process now; with VmHWM at its peak (getrusage would tell that of the parent, too)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(key))


def with_marquardt(path: str, threads: int) -> Found:
    """Declared, traced, compiled and solved; and declared and solved once more."""
    import marquardt as mq

    data, before = load(path), resident()
    begin = time.perf_counter()
    loss = mq.Huber(float(sys.argv[4])) if sys.argv[4:] else None
    problem = data.problem(loss=loss)
    declared = time.perf_counter() - begin
    result = mq.solve(problem, ftol=FTOL, threads=threads)
    total = time.perf_counter() - begin
    traced = declared + result.seconds["compile"]
    before_steps = result.seconds["compile"] + result.seconds["analyze"]
    lead = declared + before_steps
    rows = result.trace[result.trace["accepted"]]
    steps = zip(rows["seconds"].tolist(), rows["trial_cost"].tolist(), strict=True)
    taken = [[lead, result.initial_cost], *([lead + s, c] for s, c in steps)]
    peak = resident("VmHWM")
    again = time.perf_counter()
    mq.solve(data.problem(loss=loss), ftol=FTOL, threads=threads)
    again = time.perf_counter() - again
    found = {"path": taken, "steps": len(result.trace), "total": total, "traced": traced, "again": again}
    found["step"] = (result.seconds["total"] - before_steps) / len(result.trace)
    return {**found, "mib": peak - before, "solver": result.solver.get("solver", "")}


def with_tracing(path: str, threads: int) -> Found:
    """The same were the residual functions not the library's own, whose programs come with it."""
    from marquardt.problem.large import families

    families.shipped = lambda declared, repaid: None
    return with_marquardt(path, threads)


def with_gtsam(path: str, threads: int) -> Found:
    """Levenberg-Marquardt with its Ceres-like defaults; the parameters of its pose graphs are its own."""
    import gtsam

    before = resident()
    graph, values = _gtsam_graph(path) if path.endswith(".g2o") else _gtsam_bal(path)
    begin = time.perf_counter()
    parameters = gtsam.LevenbergMarquardtParams.CeresDefaults()
    if path.endswith(".g2o"):
        parameters.setlambdaInitial(1e-12)
    optimizer = gtsam.LevenbergMarquardtOptimizer(graph, values, parameters)
    cost = optimizer.error()
    taken = [[time.perf_counter() - begin, cost]]
    while len(taken) < 200:
        optimizer.iterate()
        last, cost = cost, optimizer.error()
        taken.append([time.perf_counter() - begin, cost])
        if last - cost <= FTOL * last:
            break
    peak = resident("VmHWM")
    return {"path": taken, "steps": len(taken) - 1, "total": taken[-1][0], "mib": peak - before}


def _gtsam_bal(path: str) -> tuple[Any, Any]:
    import gtsam
    from gtsam.symbol_shorthand import P

    data = gtsam.SfmData.FromBalFile(path)
    noise, graph, values = (
        gtsam.noiseModel.Isotropic.Sigma(2, 1.0),
        gtsam.NonlinearFactorGraph(),
        gtsam.Values(),
    )
    for j in range(data.numberTracks()):
        track = data.track(j)
        for k in range(track.numberMeasurements()):
            i, uv = track.measurement(k)
            graph.add(gtsam.GeneralSFMFactorCal3Bundler(uv, noise, i, P(j)))
        values.insert(P(j), track.point3())
    for i in range(data.numberCameras()):
        values.insert(i, data.camera(i))
    return graph, values


def _gtsam_graph(path: str) -> tuple[Any, Any]:
    import gtsam

    spatial = "SE3" in Path(path).read_text()[:20]
    graph, values = gtsam.readG2o(path, spatial)
    first = values.atPose3(0) if spatial else values.atPose2(0)
    kind = gtsam.NonlinearEqualityPose3 if spatial else gtsam.NonlinearEqualityPose2
    graph.add(kind(0, first))
    return graph, values


def with_scipy(path: str, threads: int) -> Found:
    """The recipe "large-scale bundle adjustment" of SciPy's cookbook: trf, differences by sparsity."""
    from scipy.optimize import least_squares
    from scipy.sparse import lil_matrix

    data = load(path)
    n, m, k = len(data.cameras), len(data.points), len(data.observed)
    before, begin = resident(), time.perf_counter()
    pattern = lil_matrix((2 * k, 9 * n + 3 * m), dtype=int)
    rows = np.arange(k)
    for s in range(9):
        pattern[2 * rows, 9 * data.camera_index + s] = pattern[2 * rows + 1, 9 * data.camera_index + s] = 1
    for s in range(3):
        column = 9 * n + 3 * data.point_index + s
        pattern[2 * rows, column] = pattern[2 * rows + 1, column] = 1

    def residuals(x: Any) -> Any:
        return data.with_values(x[: 9 * n].reshape(n, 9), x[9 * n :].reshape(m, 3)).residuals().ravel()

    taken: list[list[float]] = []

    def note(intermediate_result: Any) -> None:
        taken.append([time.perf_counter() - begin, float(intermediate_result.cost)])

    start = np.concatenate([data.cameras.ravel(), data.points.ravel()])
    found = least_squares(
        residuals,
        start,
        jac_sparsity=pattern,
        x_scale="jac",
        ftol=FTOL,
        method="trf",
        max_nfev=40,
        callback=note,
    )
    peak = resident("VmHWM")
    total = time.perf_counter() - begin
    taken.append([total, float(found.cost)])
    return {"path": taken, "steps": int(found.nfev), "total": total, "mib": peak - before}


CONTESTANTS: dict[str, Callable[[str, int], Found]] = {
    "marquardt": with_marquardt,
    "traced": with_tracing,
    "gtsam": with_gtsam,
    "scipy": with_scipy,
}

if __name__ == "__main__":
    print(json.dumps(CONTESTANTS[sys.argv[1]](sys.argv[2], int(sys.argv[3]))))
