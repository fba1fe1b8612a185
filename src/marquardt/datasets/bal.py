"""Bundle adjustment problems as text, in the format of Agarwal et al., Bundle adjustment in the large (2010).

Line 1 is ``cameras points observations``; one line ``camera point u v`` for each observation; then 9 lines
for each camera (rotation vector, translation, focal length, radial k1, k2) and 3 for each point, one number
a line.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .. import geometry
from ..errors import FileError
from .held import Held, held_masks
from .text import first_repeat, numbers, parse, read_text, whole

if TYPE_CHECKING:
    from ..problem.large.problem import Problem
    from ..report.world import World

Matrix = NDArray[np.float64]
Index = NDArray[np.intp]


def reprojection(camera: Any, point: Any, observed: Any) -> Any:
    """Where a camera sees a point, less where it was seen, in pixels, (..., 2)."""
    P = geometry.rotate(camera[..., :3], point) + camera[..., 3:6]
    return geometry.bal(camera[..., 6:], P) - observed


@dataclass(frozen=True, eq=False, repr=False)
class BalProblem:
    """Cameras, points, and where which camera saw which point.

    A camera looks down its negative z axis; u points right and v up from the center of the image, in pixels.
    """

    name: str
    cameras: Matrix
    """(n, 9): rotation vector w (3), translation t (3), focal length f, radial k1, k2: ``Exp(w) X + t``"""
    points: Matrix
    """(m, 3)"""
    camera_index: Index
    """(k,) the camera of each observation"""
    point_index: Index
    """(k,)"""
    observed: Matrix
    """(k, 2): u, v in pixels"""

    def __repr__(self) -> str:
        return (
            f"{self.name}: {len(self.cameras)} cameras, {len(self.points)} points, "
            f"{len(self.observed)} observations"
        )

    def with_values(self, cameras: Matrix, points: Matrix) -> BalProblem:
        """The same observations with other cameras and points."""
        return replace(self, cameras=cameras, points=points)

    def residuals(self) -> Matrix:
        """(k, 2) where points appear less where they were seen, in pixels."""
        out = np.empty_like(self.observed)
        for rows in blocks(len(out)):
            camera, point = self.cameras[self.camera_index[rows]], self.points[self.point_index[rows]]
            out[rows] = reprojection(camera, point, self.observed[rows])
        return out

    def behind(self) -> NDArray[np.bool_]:
        """(k,) which observations are of a point behind its camera."""
        out = np.empty(len(self.observed), dtype=bool)
        for rows in blocks(len(out)):
            camera, point = self.cameras[self.camera_index[rows]], self.points[self.point_index[rows]]
            out[rows] = geometry.rotate(camera[:, :3], point)[:, 2] + camera[:, 5] >= 0.0
        return out

    def problem(self, loss: Any = None, fixed: Held | None = None) -> Problem:
        """The problem to solve: families "camera" and "point", residuals "reprojection".

        fixed : what is held where it is, ``{"camera": [0]}``.
        """
        from ..problem.large.problem import Problem

        masks = held_masks(fixed, {"camera": self.cameras.shape, "point": self.points.shape})
        problem = Problem()
        camera = problem.variables("camera", self.cameras, fixed=masks["camera"])
        point = problem.variables("point", self.points, fixed=masks["point"])
        seen = camera[self.camera_index], point[self.point_index], self.observed
        problem.residuals(reprojection, *seen, loss=loss, name="reprojection")
        return problem

    def with_result(self, result: Any) -> BalProblem:
        """The same observations with the cameras and points of a solution."""
        return self.with_values(result["camera"], result["point"])

    def poses(self) -> tuple[Matrix, Matrix]:
        """Centers (n, 3) of the cameras, and axes (n, 3, 3): columns to the right, down, along the view."""
        R = geometry.matrix_of(self.cameras[:, :3])
        centers = -np.einsum("nba,nb->na", R, self.cameras[:, 3:6])
        return centers, np.swapaxes(R, 1, 2) * np.array([1.0, -1.0, -1.0])

    def world(self, before: BalProblem | None = None, facts: Mapping[str, str] | None = None) -> World:
        """The points and cameras as a page or a picture; `before` is the same problem as it was.

        ``scene.world(start).to_html("city.html")``, ``scene.world(start).plot()``.
        """
        from ..report.world import World

        (first, first_axes), (last, last_axes) = (before or self).poses(), self.poses()
        points = (before or self).points, self.points
        return World(self.name, points, (first, last), (first_axes, last_axes), facts=facts or {})

    def write(self, path: str | Path) -> None:
        """Write the problem as text, with all digits."""
        sizes = len(self.cameras), len(self.points), len(self.observed)
        rows = zip(self.camera_index.tolist(), self.point_index.tolist(), self.observed.tolist(), strict=True)
        with open(path, "w", encoding="ascii") as file:
            file.write("{} {} {}\n".format(*sizes))
            file.writelines(f"{c} {p} {u!r} {v!r}\n" for c, p, (u, v) in rows)
            for part in (self.cameras, self.points):
                file.writelines(f"{value!r}\n" for value in part.ravel().tolist())


def blocks(n: int, size: int = 100_000) -> Iterator[slice]:
    """All rows in pieces, so that what is worked out for each stays small."""
    return (slice(start, start + size) for start in range(0, n, size))


def read_bal(path: str | Path) -> BalProblem:
    """Read a BAL text file, plain, gzip or bzip2; FileError names file and line where it is malformed.

    >>> import tempfile
    >>> text = "1 1 1\\n0 0 2.5 -1.0\\n" + "\\n".join(["0"] * 5 + ["-4", "500", "0", "0"] + ["0", "0", "1"])
    >>> with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
    ...     _ = file.write(text), file.flush()
    ...     problem = read_bal(file.name)
    >>> problem.cameras.shape, problem.observed.tolist()
    ((1, 9), [[2.5, -1.0]])
    """
    return parse_bal(read_text(path), str(path))


def is_bal(text: str) -> bool:
    """True when `text` begins like a BAL file: three whole numbers, then four numbers."""
    lines = text[:400].splitlines()[:2]
    counts = [len(line.split()) for line in lines]
    return counts == [3, 4] and all(w.isdigit() for w in lines[0].split())


def parse_bal(text: str, origin: str) -> BalProblem:
    """Read the text of a file; `origin` is named in errors."""
    head, _, body = text.partition("\n")
    n, m, k = _sizes(head, origin)
    values = numbers(body)
    if values is None or values.size != 4 * k + 9 * n + 3 * m or not np.isfinite(values).all():
        raise _find_fault(body, (n, m, k), origin)
    table = values[: 4 * k].reshape(k, 4)
    lines = np.arange(2, k + 2)
    camera = whole(table[:, :1], n, ["camera"], origin, lines)[:, 0]
    point = whole(table[:, 1:2], m, ["point"], origin, lines)[:, 0]
    _refuse_repeats(table, camera * m + point, origin)
    return BalProblem(
        name=Path(origin).name.split(".")[0],
        cameras=values[4 * k : 4 * k + 9 * n].reshape(n, 9).copy(),
        points=values[4 * k + 9 * n :].reshape(m, 3).copy(),
        camera_index=camera,
        point_index=point,
        observed=table[:, 2:].copy(),
    )


def _refuse_repeats(table: Matrix, pairs: Index, origin: str) -> None:
    """A camera may see a point at two places, but a line that is there twice would count twice."""
    order = np.argsort(pairs, kind="stable")
    again = np.diff(pairs[order]) == 0
    rows = np.sort(order[np.append(again, False) | np.append(False, again)])
    if (found := first_repeat(table[rows])) is None:
        return
    earlier, later = rows[list(found)]
    raise FileError(
        f"{origin}, line {later + 2}: camera {table[later, 0]:g} and point {table[later, 1]:g} as on line "
        f"{earlier + 2}, with the same numbers; leave one out"
    )


def _sizes(head: str, origin: str) -> tuple[int, int, int]:
    words = head.split()
    if len(words) != 3 or not all(w.isdigit() for w in words):
        raise FileError(
            f"{origin}, line 1: three whole numbers are expected, of cameras, points and observations, "
            f"not {head[:60]!r}"
        )
    n, m, k = (int(w) for w in words)
    return n, m, k


def _find_fault(body: str, sizes: tuple[int, int, int], origin: str) -> FileError:
    """What is wrong with the numbers of a file: the first line that is not what it should be."""
    n, m, k = sizes
    rows: list[Any] = body.splitlines()
    at = 0
    for row, line in enumerate(rows, start=2):
        words = line.split()
        if not words and at < 4 * k + 9 * n + 3 * m:
            return FileError(f"{origin}, line {row}: the line is empty")
        try:
            found = [parse(word, origin, row) for word in words]
        except FileError as error:
            return error
        wanted = 4 if at < 4 * k else 1
        if len(words) > wanted or (wanted == 4 and len(words) != 4):
            what = "an observation has 4 numbers" if wanted == 4 else "a parameter has a line of its own"
            return FileError(f"{origin}, line {row}: {what}, here are {len(words)}")
        if not np.isfinite(found).all():
            return FileError(
                f"{origin}, line {row}: {words[int(np.argmin(np.isfinite(found)))]} is not finite"
            )
        at += len(words)
        if at > 4 * k + 9 * n + 3 * m:
            return FileError(
                f"{origin}, line {row}: a number too many for {n} cameras, {m} points and {k} observations"
            )
    missing = 4 * k + 9 * n + 3 * m - at
    return FileError(f"{origin} ends after line {len(rows) + 1}: {missing} numbers are missing")
