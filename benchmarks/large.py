"""Bundle adjustment and pose graphs beside Ceres, GTSAM and SciPy: time to the same cost, steps, memory.

``python benchmarks/large.py --data FOLDER`` takes real problems from FOLDER and the folders in it, .txt and
.g2o; generated ones are always there. Ceres is built from `large_ceres.cpp` where its headers are.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from harness import machine, publish, table

from marquardt.datasets import scenes

METHOD = """\
# Large problems

**Method.** Every run is a process of its own on {threads} threads; contestants take turns, {rounds} rounds,
medians are shown. Time begins where the data are in memory and includes whatever a program makes of them:
declaring and compiling here ("tracing": that part, in a new process; another thread analyzes the structure
meanwhile), building the problem, ordering and analysis elsewhere; "again" is the same problem declared and
solved a second time in the process. The programs of the library's own residual functions come with it; "own
function" is the same with a function that must be traced, differentiated and lowered first. All stop where
a step changed the cost by less than 1e-6 of itself. "1 %" and "0.01 %" are times until the cost was that
near to the best that any run found, "above best" is where a run ended. Ceres ({ceres}, -O3 -march=native,
automatic derivatives) with dense, sparse and iterative Schur (Schur-Jacobi); on pose graphs sparse normal
equations, nearly undamped (initial radius 1e12). GTSAM: Levenberg-Marquardt with `CeresDefaults`, on pose
graphs nearly undamped too, graph and values built beforehand; it leaves out observations from behind a
camera, and its pose graphs count rotations by the whole angle, so that it is compared with its own best
cost. SciPy: the recipe of its cookbook (trf, differences by sparsity). Memory is the peak of the resident
set beyond what was resident with the data read, for all alike. Who took longer than {limit} s ended
"never". Generated scenes are better conditioned than real ones."""
FLAGS = ["-O3", "-march=native", "-DNDEBUG", "-std=c++17", "-I/usr/include/eigen3"]
HERE = Path(__file__).parent
CERES = {"bal": ("dense", "sparse", "cg"), "graph": ("graph",)}
RADIUS = {"bal": "1e4", "graph": "1e12"}
LIMIT = 600
MOST_DENSE = 1000
"""Cameras above which Ceres' dense matrix is left out: 2.6 GB and a minute a step for 2,000."""


@cache
def ceres() -> str | None:
    """The driver, built; None where Ceres is not installed."""
    out = Path(tempfile.gettempdir()) / "marquardt_large_ceres"
    build = ["g++", *FLAGS, str(HERE / "large_ceres.cpp"), "-o", str(out), "-lceres", "-lglog"]
    return str(out) if subprocess.run(build, capture_output=True).returncode == 0 else None


def ceres_version() -> str:
    header = Path("/usr/include/ceres/version.h")
    words = header.read_text().split() if header.exists() else []
    numbers = [
        words[k + 1] for k, w in enumerate(words) if w.startswith("CERES_VERSION_") and k + 1 < len(words)
    ]
    return ".".join([n for n in numbers if n.isdigit()][:3]) or "not installed"


def n_cameras(path: str) -> int:
    with Path(path).open() as file:
        return int(file.readline().split()[0])


def commands(path: str, options: argparse.Namespace) -> dict[str, list[str]]:
    """What is run, by name."""
    kind = "graph" if path.endswith(".g2o") else "bal"
    threads = str(options.threads)
    loss = [str(options.huber)] if options.huber else []
    own = {"marquardt": "marquardt", "marquardt, own function": "traced"}
    found = {
        shown: [sys.executable, str(HERE / "large_run.py"), name, path, threads, *loss]
        for shown, name in own.items()
    }
    if (driver := ceres()) is not None:
        for solver in CERES[kind]:
            if solver == "dense" and n_cameras(path) > MOST_DENSE:
                continue
            found[f"Ceres {solver}"] = [driver, path, solver, threads, "1e-6", RADIUS[kind], "200", *loss]
    for name in ("gtsam", "scipy"):
        left_out = bool(loss) or (name == "scipy" and (kind == "graph" or not options.scipy))
        if find_spec(name) is not None and not left_out:
            found[name] = [sys.executable, str(HERE / "large_run.py"), name, path, threads]
    return found


def run(command: list[str]) -> dict[str, Any] | None:
    """The JSON that a run prints; None where it fails or takes too long."""
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}  # as of what pip installs
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, env=environment)
    except subprocess.TimeoutExpired:
        return None
    return dict(json.loads(done.stdout.splitlines()[-1])) if done.returncode == 0 else None


def compare(path: str, options: argparse.Namespace) -> list[list[str]]:
    """A row for each contestant."""
    todo = commands(path, options)
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in todo}
    for turn in range(1 if options.quick else options.rounds):
        for name, command in todo.items():
            if (turn == 0 or runs[name]) and (found := run(command)) is not None:
                runs[name].append(found)
    least = {name: min(c for r in many for _, c in r["path"]) for name, many in runs.items() if many}
    own = {"gtsam"}
    best = min(c for name, c in least.items() if name not in own)
    return [row(name, many, least[name] if name in own else best) for name, many in runs.items()]


def row(name: str, many: list[dict[str, Any]], best: float) -> list[str]:
    def median(values: list[float]) -> str:
        return f"{statistics.median(values):.3g}" if values else "never"

    def until(part: float) -> str:
        times = [next((s for s, c in r["path"] if c <= best * (1 + part)), None) for r in many]
        return median([t for t in times if t is not None])

    if not many:
        return [name, "never", *[""] * (len(HEAD) - 2)]
    ours = [median([r[key] for r in many]) if key in many[0] else "" for key in ("traced", "again")]
    excess = min(c for _, c in many[0]["path"]) / best - 1
    return [
        name, median([r["total"] for r in many]), *ours, until(1e-2), until(1e-4), f"{max(excess, 0):.1e}",
        str(many[0]["steps"]), median([r["mib"] for r in many]),
    ]  # fmt: skip


HEAD = (
    "contestant", "ftol 1e-6, s", "tracing, s", "again, s", "to 1 %, s", "to 0.01 %, s", "above best",
    "steps", "MiB",
)  # fmt: skip


def by_size(options: argparse.Namespace, folder: str) -> str:
    """Streets of 500 observations to a camera: what a step takes and the memory, for each observation."""
    rows = []
    for observations in (30_000, 100_000, 300_000, 1_000_000):
        path = f"{folder}/street.txt"
        scenes.street(observations // 500, observations).start.write(path)
        found = [run(commands(path, options)["marquardt"]) for _ in range(options.rounds)]
        known = [r for r in found if r is not None]
        step, mib = (statistics.median([r[key] for r in known]) for key in ("step", "mib"))
        rows.append(
            [f"{observations:,}", f"{1e3 * step:.3g}", f"{1e9 * step / observations:.0f}", f"{mib:.0f}"]
        )
    return table(("observations", "a step, ms", "per observation, ns", "MiB"), rows)


def problems(options: argparse.Namespace, folder: str) -> list[str]:
    """Files: real ones, and scenes written for the occasion."""
    found = []
    for pattern in ("*.txt", "*.g2o"):
        found += sorted(map(str, Path(options.data).rglob(pattern))) if options.data else []
    sizes = [(150, 30_000)] if options.quick else [(150, 250_000), (500, 500_000), (2000, 1_000_000)]
    for cameras, observations in sizes:
        for make in (scenes.street, scenes.collection):
            if make is scenes.collection and cameras > options.dense:
                continue
            scene = make(cameras, observations).start
            path = f"{folder}/{scene.name}.txt"
            scene.write(path)
            found.append(path)
    return [path for path in found if not options.only or options.only in path]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", metavar="FOLDER", help="real problems: .txt (BAL) and .g2o")
    parser.add_argument("--only", metavar="TEXT", help="problems whose path holds this")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--dense", type=int, default=500, help="most cameras of a generated collection")
    parser.add_argument("--scipy", action="store_true", help="SciPy too: minutes for each problem")
    parser.add_argument("--huber", type=float, metavar="PIXELS", help="BAL problems with Huber's loss")
    parser.add_argument("--sizes", action="store_true", help="instead: time and memory by size")
    parser.add_argument("--write", metavar="FILE")
    parser.add_argument("--quick", action="store_true", help="one round, a small scene")
    options = parser.parse_args()
    rounds = 1 if options.quick else options.rounds
    method = METHOD.format(threads=options.threads, rounds=rounds, ceres=ceres_version(), limit=LIMIT)
    page = [method, machine("gtsam")]
    with tempfile.TemporaryDirectory() as folder:
        if options.sizes:
            page += [f"\n## {by_size.__doc__}\n", by_size(options, folder)]
        for path in [] if options.sizes else problems(options, folder):
            page += [f"\n## {Path(path).stem}\n", table(HEAD, compare(path, options))]
            print(*page[-2:], sep="\n", file=sys.stderr)  # an interrupted run loses nothing
    publish("\n".join(page), options)


if __name__ == "__main__":
    main()
