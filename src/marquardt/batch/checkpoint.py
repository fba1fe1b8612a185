"""What is done of a long run, on disk: written to a new file that then takes the place of the old one."""

from __future__ import annotations

import hashlib
import os
import time
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import FileError, OptionError
from .engine import Ends
from .job import Job

Array = NDArray[Any]

EVERY_SECONDS = 30.0
SHARE = 0.05
"""Of the time of a run writing may take no more than this part."""
SAMPLED = 4096
"""Values of the data that tell one job from another."""


class Checkpoint:
    """The file of one run. A process that is killed leaves the file of the last time, whole."""

    def __init__(self, path: Any, job: Job, covariance: bool) -> None:
        self.path = Path(path)
        if self.path.suffix != ".npz":
            raise OptionError(f"checkpoint = {str(path)!r}: a name that ends in .npz is needed")
        if not self.path.parent.is_dir():
            raise FileError(f"checkpoint {path}: there is no folder {self.path.parent}")
        self.job_mark = mark(job, covariance)
        self.wait = EVERY_SECONDS
        self.last = time.monotonic()

    def read(self, ends: Ends) -> int:
        """How many fits are done; their ends are read."""
        if not self.path.exists():
            return 0
        try:
            with np.load(self.path, allow_pickle=False) as file:
                found = {name: file[name] for name in file.files}
        except Exception as error:  # zipfile, zlib and NumPy have errors of their own
            raise FileError(
                f"checkpoint {self.path} cannot be read: {error}; remove it to begin anew"
            ) from None
        if found.get("job") is None or str(found["job"]) != self.job_mark:
            raise FileError(
                f"checkpoint {self.path} is of another run: the data, the model or an option differ; remove it, "  # noqa: E501
                "or give another name"
            )
        done = int(found["done"])
        for f in fields(Ends):
            to = getattr(ends, f.name)
            if to is not None:
                to[:done] = found[f.name]
        return done

    def due(self) -> bool:
        return time.monotonic() - self.last >= self.wait

    def write(self, ends: Ends, done: int) -> None:
        """The ends of the first `done` fits. Raises FileError where the disk is full; the old file stays."""
        began = time.monotonic()
        parts = {f.name: getattr(ends, f.name) for f in fields(Ends)}
        arrays = {name: part[:done] for name, part in parts.items() if part is not None}
        new = self.path.with_name(f"{self.path.name}.new")
        try:
            with open(new, "wb") as file:
                np.savez(file, allow_pickle=False, job=np.array(self.job_mark), done=np.array(done), **arrays)
                file.flush()
                os.fsync(file.fileno())
            os.replace(new, self.path)
        except OSError as error:
            new.unlink(missing_ok=True)
            raise FileError(
                f"checkpoint {self.path} cannot be written: {error.strerror or error}; what was there before stays"  # noqa: E501
            ) from None
        self.last = time.monotonic()
        self.wait = max(EVERY_SECONDS, (self.last - began) / SHARE)


def mark(job: Job, covariance: bool) -> str:
    """A name for what is fitted and how: another job has another one."""
    digest = hashlib.sha256()
    p = job.parameters
    told: list[Any] = [
        job.setup.title, p.names, p.free, job.places, job.known_sigma, job.loss, job.family, job.precision, covariance,  # noqa: E501
    ]  # fmt: skip
    digest.update(repr(told).encode())
    few = np.linspace(0, job.y.size - 1, min(job.y.size, SAMPLED)).astype(np.int64)
    rows, columns = np.unravel_index(few, job.y.shape)
    arrays = [job.y[rows, columns], p.values, p.lower, p.upper, *job.x, job.weights, job.trials, job.mask]
    for array in (*arrays, job.start, job.fixed):
        digest.update(b"-" if array is None else np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
