"""Long runs: killed, interrupted or without room on the disk, they go on where they were and lose nothing."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import marquardt as mq
from marquardt.batch import checkpoint, many
from marquardt.errors import FileError, OptionError, Status

T = np.linspace(0, 6, 24)
KINDS = ("run.npz", "run.zarr")


def decay(t: Any, a: Any, tau: Any, c: Any) -> Any:
    return a * np.exp(-t / tau) + c


def data(k: int = 3000) -> Any:
    rng = np.random.default_rng(7)
    a, tau = rng.uniform(1, 5, (k, 1)), rng.uniform(0.5, 2, (k, 1))
    return decay(T, a, tau, 0.5) + 0.05 * rng.standard_normal((k, T.size))


def fitted(path: Any = None, **more: Any) -> mq.ManyFits:
    return mq.fit_many(decay, T, data(), start=[2, 1, 0], checkpoint=path, **more)


@pytest.fixture(autouse=True)
def short_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A part for every chunk, of few fits."""
    monkeypatch.setattr(many, "MOST", 100)
    monkeypatch.setattr(checkpoint, "EVERY_SECONDS", 0.0)
    monkeypatch.setattr(checkpoint, "SHARE", np.inf)
    monkeypatch.setattr(checkpoint, "OF_THE_RUN", 0.0)
    monkeypatch.setattr(checkpoint, "ROWS", 100)


def same(a: mq.ManyFits, b: mq.ManyFits) -> bool:
    pairs = [(a.x, b.x), (a.cost, b.cost), (a.status, b.status), (a.nfev, b.nfev)]
    pairs += [(a.stderr[name], b.stderr[name]) for name in a.names]
    return all(np.array_equal(one, other, equal_nan=True) for one, other in pairs)


CHILD = """
import sys, time
from marquardt.batch import checkpoint, many
from tests.batch.test_checkpoint import fitted
many.MOST = checkpoint.ROWS = 100
checkpoint.EVERY_SECONDS, checkpoint.SHARE, checkpoint.OF_THE_RUN = 0.0, float("inf"), 0.0
def tell(progress):
    print(progress.done, flush=True)
    time.sleep(0.005)
fitted(sys.argv[1], progress=tell)
"""


def child(path: Path) -> subprocess.Popen[str]:
    root = Path(__file__).parents[2]
    paths = os.pathsep.join([str(Path(mq.__file__).parents[1]), str(root)])
    environment = {**os.environ, "PYTHONPATH": paths}
    command = [sys.executable, "-c", CHILD, str(path)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=root)


@pytest.mark.parametrize("name", KINDS)
def test_a_run_killed_at_random_moments_loses_at_most_a_chunk(name: str, tmp_path: Path) -> None:
    pytest.importorskip("zarr") if name.endswith("zarr") else None
    rng, path, known = random.Random(name), tmp_path / name, 0
    for _ in range(2):
        process = child(path)
        assert process.stdout is not None
        first = int(process.stdout.readline() or 3000)
        assert first >= known  # the chunk that was told last may have to be made again
        timer = 0.005 + 0.05 * rng.random()
        try:
            process.wait(timer)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
        told = [first, *map(int, process.stdout.read().splitlines()[:-1])]
        process.wait()
        known = max(known, told[-1])
    seen: list[int] = []
    ends = fitted(path, progress=lambda p: seen.append(p.done))
    assert seen == [] or seen[0] >= known
    assert same(ends, fitted())
    assert {p.name for p in tmp_path.iterdir()} == {name}


@pytest.mark.parametrize("name", KINDS)
def test_a_run_that_was_stopped_goes_on_to_the_same_bits(name: str, tmp_path: Path) -> None:
    pytest.importorskip("zarr") if name.endswith("zarr") else None
    with pytest.warns(RuntimeWarning, match="run again to go on"):
        part = fitted(tmp_path / name, progress=lambda p: p.done >= 1000)
    assert part.counts[Status.NOT_DONE] == 2000 and part.interrupted
    seen: list[int] = []
    whole = fitted(tmp_path / name, progress=lambda p: seen.append(p.done))
    assert seen[0] == 1100 and same(whole, fitted())
    again = fitted(tmp_path / name, progress=lambda p: seen.append(p.done))
    assert seen[-1] == 3000 and len(seen) == 20 and same(again, whole)


def test_ctrl_c_keeps_what_is_done() -> None:
    def interrupt(progress: Any) -> None:
        if progress.done == 500:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.warns(RuntimeWarning, match=r"500 of 3,000 fits are done; give checkpoint="):
        ends = fitted(progress=interrupt)
    assert ends.counts == {Status.NOT_DONE: 2500, Status.CONVERGED: 500}
    assert np.array_equal(ends["tau"][:500], fitted()["tau"][:500])


def test_ctrl_c_amid_slow_fits_leaves_the_others_not_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(many, "MOST", 1 << 16)
    y = np.tile(data(), (40, 1))
    seen: list[int] = []

    def soon(progress: Any) -> None:
        if not seen:
            threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
        seen.append(progress.done)

    with pytest.warns(RuntimeWarning, match=r"[1-9][\d,]* of 120,000 fits are done; give checkpoint="):
        ends = mq.fit_many(decay, T, y, start=[2, 1, 0], loss="huber", progress=soon)
    assert seen[0] == 256  # slow fits are told of early
    assert set(ends.counts) <= {Status.CONVERGED, Status.INTERRUPTED, Status.NOT_DONE}
    made = ends.status == 0
    assert made.any() and not made.all()
    whole = mq.fit_many(decay, T, y[:3000], start=[2, 1, 0], loss="huber")
    assert np.array_equal(ends.x[:3000][made[:3000]], whole.x[made[:3000]])


@pytest.mark.parametrize("name", KINDS)
def test_a_checkpoint_of_another_run_is_refused_by_what_differs(name: str, tmp_path: Path) -> None:
    pytest.importorskip("zarr") if name.endswith("zarr") else None
    fitted(tmp_path / name)
    with pytest.raises(FileError, match=r"another run, with other bounds: remove it"):
        fitted(tmp_path / name, bounds={"tau": (0, None)})
    with pytest.raises(FileError, match=r"with other model, data:"):
        mq.fit_many(
            lambda t, a, tau, c: a / (1 + t / tau) + c,
            T,
            data() + 1,
            start=[2, 1, 0],
            checkpoint=tmp_path / name,
        )


def test_a_checkpoint_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "run.npz").write_bytes(b"PK\x03\x04 not a file")
    with pytest.raises(FileError, match=r"run\.npz cannot be read"):
        fitted(tmp_path / "run.npz")
    with pytest.raises(FileError, match="there is no folder"):
        fitted(tmp_path / "none" / "run.npz")
    with pytest.raises(OptionError, match=r"ends in \.npz or \.zarr"):
        fitted(tmp_path / "run.dat")


def test_a_folder_that_is_no_checkpoint_is_left_alone(tmp_path: Path) -> None:
    pytest.importorskip("zarr")
    (tmp_path / "run.zarr").mkdir()
    (tmp_path / "run.zarr" / "notes.txt").write_text("mine")
    with pytest.raises(FileError, match="holds something else"):
        fitted(tmp_path / "run.zarr")


@pytest.mark.skipif(not hasattr(signal, "SIGXFSZ"), reason="no limits on files here")
def test_a_disk_that_is_full_is_a_warning_and_nothing_is_lost(tmp_path: Path) -> None:
    import resource

    path = tmp_path / "run.npz"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(progress: Any) -> None:
        if progress.done == 1000:
            resource.setrlimit(resource.RLIMIT_FSIZE, (2000, before[1]))

    try:
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            ends = fitted(path, progress=fill)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    told = [str(w.message) for w in seen if "cannot be written" in str(w.message)]
    assert len(told) == 1 and "File too large" in told[0] and "of 3,000 fits are in it" in told[0]
    assert same(ends, fitted())
    assert len(list((tmp_path / "run.npz.parts").glob("*.npz"))) in (9, 10) and not path.exists()
    done: list[int] = []
    assert same(fitted(path, progress=lambda p: done.append(p.done)), ends)
    assert done[0] in (1000, 1100) and path.exists()


def test_neighbors_are_part_of_a_finished_run(tmp_path: Path) -> None:
    y = data(400).reshape(20, 20, -1)
    one = mq.fit_many(decay, T, y, start="neighbours", checkpoint=tmp_path / "run.npz")
    again = mq.fit_many(decay, T, y, start="neighbours", checkpoint=tmp_path / "run.npz")
    assert same(one, again)
    with pytest.raises(FileError, match="other start"):
        mq.fit_many(decay, T, y, checkpoint=tmp_path / "run.npz")


def test_ctrl_c_among_neighbors_keeps_all_fits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from marquardt.batch import neighbours

    def interrupt(*_: Any) -> bool:
        raise KeyboardInterrupt

    y, path = data(400).reshape(20, 20, -1), tmp_path / "run.npz"
    with (
        monkeypatch.context() as patched,
        pytest.warns(RuntimeWarning, match="ended the tries from neighbors"),
    ):
        patched.setattr(neighbours, "_rounds", interrupt)
        part = mq.fit_many(decay, T, y, start="neighbours", checkpoint=path)
    assert part.success.all() and not path.exists()
    whole = mq.fit_many(decay, T, y, start="neighbours", checkpoint=path)
    assert path.exists() and same(whole, mq.fit_many(decay, T, y, start="neighbours"))
