"""What is done of a long run, on disk, so that it can go on: parts that are never touched again.

A part is a new file that takes its name when it is whole: a process may be killed at any moment.
``run.npz`` collects its parts in ``run.npz.parts/`` and becomes one file at the end of the run;
``run.zarr`` is a Zarr group with one array for each result.
"""

from __future__ import annotations

import json
import os
import shutil
import time
import warnings
from abc import ABC, abstractmethod
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import FileError, MissingPackageError, OptionError
from .engine import STATUSES, Ends
from .fingerprint import fingerprint
from .job import Job

Array = NDArray[Any]

EVERY_SECONDS = 1.0
"""So long is collected what is done, unless one chunk takes longer."""
OF_THE_RUN = 1e-3
"""Or for this part of the time so far, that hours do not leave ten thousand files."""
SHARE = 0.05
"""Of the time of a run writing may take no more than this part."""
ROWS = 1 << 15
"""Fits in a chunk of a Zarr array."""


class Checkpoint(ABC):
    """The results of a run on disk. ``done`` fits are there; `finished` when nothing is left to do."""

    def __init__(self, path: Path, job: Job, covariance: bool, neighbours: bool) -> None:
        if not path.parent.is_dir():
            raise FileError(f"checkpoint {path}: there is no folder {path.parent}")
        self.path, self.n_fits, self.neighbours = path, len(job), neighbours
        self.job = fingerprint(job, covariance, neighbours)
        self.done, self.finished = 0, False
        self.began = self.last = time.monotonic()
        self.wait = EVERY_SECONDS
        self.warned = False

    @abstractmethod
    def read(self, ends: Ends) -> int:
        """Read the ends of the fits that are done, and say how many. Raises FileError where the file is of
        another run, or cannot be read."""

    @abstractmethod
    def _write(self, ends: Ends, done: int, finished: bool) -> None: ...

    def due(self) -> bool:
        return time.monotonic() - self.last >= self.wait

    def write(self, ends: Ends, done: int, finished: bool = False) -> None:
        """Write the ends of the first `done` fits, as far as they are not written yet.

        A disk that is full is a warning, not the end of the run: what was written stays, the rest is tried
        again later.
        """
        began = time.monotonic()
        try:
            self._write(ends, done, finished)
            self.done, self.warned = done, False
        except OSError as error:
            if not self.warned:
                warnings.warn(
                    f"checkpoint {self.path} cannot be written ({error.strerror or error}): the run goes on, "
                    f"{self.done:,} of {self.n_fits:,} fits are in it; make room, the rest is tried again",
                    RuntimeWarning,
                    stacklevel=3,
                )
            self.warned = True
        self.last = time.monotonic()
        took = self.last - began
        self.wait = max(EVERY_SECONDS, took / SHARE, OF_THE_RUN * (self.last - self.began))

    def check(self, other: Any) -> None:
        """Raises FileError, naming what differs, where the checkpoint is of another run."""
        known = other if isinstance(other, dict) else {}
        differ = [name for name, value in self.job.items() if known.get(name) != value]
        if differ:
            raise FileError(
                f"checkpoint {self.path} is of another run, with other {', '.join(differ)}: remove it, or "
                "give another name"
            )

    def unreadable(self, error: Exception) -> FileError:
        return FileError(f"checkpoint {self.path} cannot be read ({error}): remove it to begin anew")


def checkpoint_of(given: Any, job: Job, covariance: bool, neighbours: bool) -> Checkpoint | None:
    """What ``checkpoint=`` asks for."""
    if given is None:
        return None
    path = Path(given)
    kinds: dict[str, type[Checkpoint]] = {".npz": Parts, ".zarr": Zarr}
    if path.suffix not in kinds:
        raise OptionError(f"checkpoint = {str(given)!r}: a name that ends in .npz or .zarr is needed")
    return kinds[path.suffix](path, job, covariance, neighbours)


def replace_whole(path: Path, write: Any) -> None:
    """Write a file under another name, and give it its own when it is on the disk."""
    new = path.with_name(f"{path.name}.new")
    try:
        with open(new, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise


def _arrays(ends: Ends, rows: slice) -> dict[str, Array]:
    """The results of some fits by name."""
    parts = {f.name: getattr(ends, f.name) for f in fields(Ends)}
    return {name: part[rows] for name, part in parts.items() if part is not None}


class Parts(Checkpoint):
    """``run.npz``: parts beside it while the run lasts, one file at its end."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.folder = self.path.with_name(f"{self.path.name}.parts")

    def read(self, ends: Ends) -> int:
        if self.path.exists():
            with self._opened(self.path) as file:
                self._take(file, ends, 0)
            self.done, self.finished = self.n_fits, True
            return self.done
        while (part := self._part(self.done)).exists():
            with self._opened(part) as file:
                self.done += self._take(file, ends, self.done)
        return self.done

    def _part(self, first: int) -> Path:
        """The part that begins with fit number `first`."""
        return self.folder / f"{first:012d}.npz"

    def _opened(self, path: Path) -> Any:
        try:
            file = np.load(path, allow_pickle=False)
            known = json.loads(str(file["job"]))
        except Exception as error:  # zipfile, zlib and NumPy have errors of their own
            raise self.unreadable(error) from None
        self.check(known)
        return file

    def _take(self, file: Any, ends: Ends, first: int) -> int:
        """Read a part to its place."""
        try:
            count = len(file["status"])
            for f in fields(Ends):
                to = getattr(ends, f.name)
                if to is not None:
                    to[first : first + count] = file[f.name]
        except Exception as error:
            raise self.unreadable(error) from None
        return count

    def _write(self, ends: Ends, done: int, finished: bool) -> None:
        if finished:
            self._save(self.path, ends, slice(0, done))
            shutil.rmtree(self.folder, ignore_errors=True)
            self.finished = True
        elif done > self.done:
            self.folder.mkdir(exist_ok=True)
            self._save(self._part(self.done), ends, slice(self.done, done))

    def _save(self, path: Path, ends: Ends, rows: slice) -> None:
        job = np.array(json.dumps(self.job))
        replace_whole(path, lambda file: np.savez(file, allow_pickle=False, job=job, **_arrays(ends, rows)))


class Zarr(Checkpoint):
    """``run.zarr``: a group with one array for each result, and ``done.json`` with their number."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        try:
            import zarr
        except ImportError:
            raise MissingPackageError("checkpoints named .zarr need zarr: pip install zarr") from None
        self.zarr, self.made = zarr, False

    @property
    def _state(self) -> Path:
        return self.path / "done.json"

    def read(self, ends: Ends) -> int:
        if not self._state.exists():
            if self.path.exists() and any(p.name != f"{self._state.name}.new" for p in self.path.iterdir()):
                raise FileError(f"checkpoint {self.path} holds something else: give another name")
            return 0
        try:
            state = json.loads(self._state.read_text(encoding="utf-8"))
            self.check(state.get("job"))
            group: Any = self.zarr.open_group(self.path, mode="r")
            if not state["made"]:  # killed before its arrays were there
                return 0
            done = int(state["done"])
            for name, to in _arrays(ends, slice(0, done)).items():
                to[:] = group[name][:done]
        except FileError:
            raise
        except Exception as error:
            raise self.unreadable(error) from None
        self.done, self.finished, self.made = done, bool(state["finished"]), True
        return done

    def _write(self, ends: Ends, done: int, finished: bool) -> None:
        if not self.made:
            self._create(ends)
        group: Any = self.zarr.open_group(self.path, mode="r+")
        first = 0 if finished and self.neighbours else self.done
        if done > first:
            for name, part in _arrays(ends, slice(first, done)).items():
                group[name][first:done] = part
        self._tell(done, finished)

    def write(self, ends: Ends, done: int, finished: bool = False) -> None:
        """As far as chunks of the arrays are whole: those that `done.json` counts are never touched again."""
        whole = done if done == self.n_fits else done - done % ROWS
        if whole > self.done or finished:
            super().write(ends, whole, finished)

    def _create(self, ends: Ends) -> None:
        self.path.mkdir(exist_ok=True)
        self._tell(0, False)  # now the folder is known as ours
        group = self.zarr.open_group(self.path, mode="a")
        for name, part in _arrays(ends, slice(0, None)).items():
            chunks = (min(ROWS, len(part)), *part.shape[1:])
            group.create_array(name, shape=part.shape, dtype=part.dtype, chunks=chunks, overwrite=True)
        group.attrs["status"] = [status.name for status in STATUSES]
        self.made = True
        self._tell(0, False)

    def _tell(self, done: int, finished: bool) -> None:
        state = json.dumps({"job": self.job, "made": self.made, "done": done, "finished": finished})
        replace_whole(self._state, lambda file: file.write(state.encode()))
        self.finished = finished
