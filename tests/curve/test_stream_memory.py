"""Fits of data larger than memory, and what a long fit takes beside its data: each in its own process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest

pytest.importorskip("resource")
MEGABYTE = 1 << 20

PREPARE = """
import json, mmap, resource, sys
import numpy as np
import marquardt as mq

def status(name):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(name))

def decay(t, a, T, c):
    return a * np.exp(-t / T) + c

def report(fit, **more):
    print(json.dumps({"x": fit.x.tolist(), "status": fit.status.name, "n": fit.n_points, **more}))

few = np.linspace(0, 10, 1000)
mq.fit(decay, few, decay(few, 3, 2, 1), start=[1, 1, 1])  # what is loaded once
"""


def run(script, *arguments):
    code = PREPARE + textwrap.dedent(script)
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


LIMIT = 128 * MEGABYTE


@pytest.fixture(scope="module")
def three_times_the_limit(tmp_path_factory):
    """Two files of float64 with three times the memory that a process will have."""
    folder = tmp_path_factory.mktemp("large")
    n, block = 3 * LIMIT // 16, 1 << 20
    rng = np.random.default_rng(1)
    noise = 0.1 * rng.standard_normal(block)
    with open(folder / "t.bin", "wb") as times, open(folder / "y.bin", "wb") as values:
        for start in range(0, n, block):
            t = np.arange(start, min(start + block, n)) * (10.0 / n)
            times.write(t.tobytes())
            values.write((3.0 * np.exp(-t / 2.0) + 1.0 + noise[: t.size]).tobytes())
    yield folder, n
    (folder / "t.bin").unlink()
    (folder / "y.bin").unlink()


def assert_recovered(found, n):
    assert found["status"] == "CONVERGED" and found["n"] == n
    np.testing.assert_allclose(found["x"], [3.0, 2.0, 1.0], atol=5e-3)


def test_a_memory_map_three_times_larger_than_the_memory_limit_is_fitted(three_times_the_limit):
    folder, n = three_times_the_limit
    found = run(
        f"""
        resource.setrlimit(resource.RLIMIT_DATA, ({LIMIT}, {LIMIT}))
        t, y = (np.memmap(sys.argv[1] + name, dtype="f8", mode="r") for name in ("/t.bin", "/y.bin"))
        assert t.nbytes + y.nbytes >= 3 * {LIMIT} - 16
        try:
            np.array(t)
        except MemoryError:
            report(mq.fit(decay, t, y, start=[1, 1, 1]))
        """,
        folder,
    )
    assert_recovered(found, n)


def test_blocks_three_times_larger_than_the_memory_limit_are_fitted(three_times_the_limit):
    folder, n = three_times_the_limit
    found = run(
        f"""
        room = status("VmSize") + {LIMIT}
        resource.setrlimit(resource.RLIMIT_AS, (room, room))
        def tables():
            with open(sys.argv[1] + "/t.bin", "rb") as t, open(sys.argv[1] + "/y.bin", "rb") as y:
                while (times := np.fromfile(t, dtype="f8", count=1 << 19)).size:
                    yield {{"t": times, "y": np.fromfile(y, dtype="f8", count=1 << 19)}}
        report(mq.fit(decay, y="y", data=mq.blocks(tables), start=[1, 1, 1]))
        """,
        folder,
    )
    assert_recovered(found, n)


@pytest.mark.parametrize("given", ["start=[1, 1, 1]", "start=[1, 1, 1], sigma=0.1", ""])
def test_a_fit_of_a_million_points_takes_less_than_30_megabytes_beside_its_data(given):
    found = run(
        f"""
        str(mq.fit(decay, few, decay(few, 3, 2, 1), sigma=0.1))  # what is loaded once
        t = np.linspace(0, 10, 1_000_000)
        y = decay(t, 3, 2, 1)
        for k in range(0, 1_000_000, 100_000):
            y[k : k + 100_000] += 0.1 * np.random.default_rng(k).standard_normal(100_000)
        before = status("VmRSS")
        open("/proc/self/clear_refs", "w").write("5")  # the peak begins again
        fit = mq.fit(decay, t, y, {given})
        str(fit)
        report(fit, peak=status("VmHWM") - before)
        """
    )
    assert_recovered(found, 1_000_000)
    assert found["peak"] < 30 * MEGABYTE, found["peak"] / MEGABYTE
