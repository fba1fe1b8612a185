"""Results of many fits as files."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import FileError
from .checkpoint import replace_whole
from .engine import STATUSES
from .places import Places
from .result import ManyFits, Results

FORMAT = "marquardt many fits 1"


def save(many: ManyFits, path: Any) -> None:
    rows = many._rows
    arrays = {f.name: getattr(rows, f.name) for f in fields(Results) if getattr(rows, f.name) is not None}
    about = {
        "format": FORMAT, "title": many.title, "names": many.names, "free_names": many.free_names,
        "grid": many.shape, "points": many._places.points, "seconds": many.seconds,
        "statuses": [status.name for status in STATUSES],
    }  # fmt: skip
    told = np.array(json.dumps(about))
    replace_whole(Path(path), lambda file: np.savez(file, allow_pickle=False, about=told, **arrays))


def load(path: Any) -> ManyFits:
    try:
        with np.load(path, allow_pickle=False) as file:
            about = json.loads(str(file["about"]))
            arrays: dict[str, Any] = {f.name: file.get(f.name) for f in fields(Results)}
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error.strerror or error}") from None
    except Exception as error:  # zipfile, zlib, json and NumPy have errors of their own
        raise FileError(f"{path} holds no results of fit_many: {error}") from None
    if about.get("format") != FORMAT:
        raise FileError(f"{path} holds no results of fit_many, or those of a newer version")
    names = [status.name for status in STATUSES]
    codes = np.array([names.index(name) for name in about["statuses"]], dtype=np.int8)
    arrays["status"] = codes[arrays["status"]]
    places = Places(tuple(about["grid"]), tuple(about["points"]))
    rows = Results(**arrays)
    return ManyFits(
        about["title"], tuple(about["names"]), tuple(about["free_names"]), places, rows, about["seconds"]
    )
