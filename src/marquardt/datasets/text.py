"""Text files of numbers: read at once, and looked at line by line only where something is wrong."""

from __future__ import annotations

import bz2
import gzip
import re
import warnings
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import FileError

Vector = NDArray[np.float64]

_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f\x7f]")
_PACKED = {b"\x1f\x8b": gzip.decompress, b"BZh": bz2.decompress}


def read_text(path: str | Path, encoding: str = "ascii") -> str:
    """The text of a file, unpacked where it is gzip or bzip2; FileError where it cannot be read."""
    try:
        content = Path(path).read_bytes()
        for magic, unpack in _PACKED.items():
            if content.startswith(magic):
                content = unpack(content)
        if (odd := _CONTROL.search(content)) is not None:
            line = content.count(b"\n", 0, odd.start()) + 1
            raise FileError(f"{path}, line {line}: this is not a file of plain text")
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise FileError(f"{path}, line {line}: this is not a file of plain text") from None
    except (EOFError, zlib.error, ValueError) as error:
        raise FileError(f"{path} is a damaged packed file: {error}") from None
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error.strerror or error}") from None


def numbers(text: str) -> Vector | None:
    """All numbers of a text split by blanks; None where something else is among them."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)  # how NumPy says that it met something else
        try:
            return np.fromstring(text, dtype=np.float64, sep=" ")
        except (DeprecationWarning, ValueError):
            return None


def parse(word: str, origin: str, line: int) -> float:
    """One number; FileError names file and line where it is none."""
    try:
        if "_" in word or not word.isascii():  # numbers to Python, but to nobody else
            raise ValueError
        return float(word)
    except ValueError:
        raise FileError(f"{origin}, line {line}: {word!r} is not a number") from None


def integers(values: Vector) -> NDArray[np.intp]:
    """Values as integers; those that are none, or are too large, come out as others."""
    return np.where(np.abs(values) < 2.0**53, values, -1.0).astype(np.intp)


def whole(
    values: Vector, limit: int, what: Sequence[str], origin: str, lines: NDArray[np.intp]
) -> NDArray[np.intp]:
    """Columns of indices as integers; FileError names the line of one that is no index below `limit`.

    `values` (k, len(what)), `what` names the columns in words, `lines` (k,) are the lines they stand in.
    """
    found = integers(values)
    wrong = (found != values) | (found < 0) | (found >= limit)
    if wrong.any():
        k, c = (int(i) for i in np.argwhere(wrong)[0])
        raise FileError(
            f"{origin}, line {lines[k]}: {what[c]} {values[k, c]:g} does not exist; "
            f"there are {limit}, counted from 0"
        )
    return found


def first_repeat(rows: NDArray[np.float64]) -> tuple[int, int] | None:
    """The first row that says once more what an earlier one says, number by number: (earlier, later)."""
    order = np.lexsort(rows.T[::-1])
    same = (np.diff(rows[order], axis=0) == 0.0).all(axis=1)
    if not same.any():
        return None
    later = order[1:][same]  # lexsort is stable: within equal rows the order is that of the file
    k = int(later.min())
    return int(np.argmax((rows == rows[k]).all(axis=1))), k


def quaternion_lengths(
    q: NDArray[np.float64], lines: Sequence[int] | NDArray[np.intp], origin: str
) -> Vector:
    """Lengths of quaternions (n, 4); FileError names the line of one that is no rotation."""
    with np.errstate(over="ignore"):
        length = np.sqrt((q * q).sum(axis=1))
    wrong = (length == 0.0) | ~np.isfinite(length)
    if wrong.any():
        k = int(np.argmax(wrong))
        raise FileError(
            f"{origin}, line {lines[k]}: the quaternion is {'zero' if length[k] == 0.0 else 'huge'}"
        )
    return np.asarray(length)
