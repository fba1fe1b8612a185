"""What `marquardt solve` reads, as one kind of thing: bundle adjustment, a COLMAP folder, a pose graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..datasets.bal import is_bal, parse_bal
from ..datasets.colmap_text import is_colmap, read_colmap, write_colmap
from ..datasets.ply import write_ply
from ..datasets.posegraph import is_g2o, parse_g2o
from ..datasets.text import read_text
from ..errors import FileError, OptionError
from ..report.errors3d import error_line, largest_line, worst_line

Kind = Literal["bal", "colmap", "graph"]
LABELS = {"out": "solution", "ply": "cloud", "html": "view"}
MOST_BLOCKS = 100
"""Each block of the covariance solves the normal equations for its tangents."""
_POINT, _CAMERA = (200, 200, 200), (220, 60, 40)


def scene_of(path: str) -> Scene:
    """Read a BAL file, a g2o file or a COLMAP folder. Raises FileError."""
    if Path(path).is_dir():
        if not is_colmap(path):
            raise FileError(
                f"{path} is a folder without cameras.txt, images.txt and points3D.txt, COLMAP's text model"
            )
        return Scene("colmap", read_colmap(path))
    text = read_text(path)
    if is_g2o(text):
        return Scene("graph", parse_g2o(text, path))
    if is_bal(text):
        return Scene("bal", parse_bal(text, path))
    raise FileError(
        f"{path} is neither a bundle adjustment file (line 1: cameras points observations) nor a pose graph "
        "(VERTEX_SE2, VERTEX_SE3:QUAT, EDGE_...), nor a COLMAP folder"
    )


@dataclass(frozen=True, eq=False)
class Scene:
    """Data of one of three kinds, and how they are told about."""

    kind: Kind
    data: Any

    @property
    def unit(self) -> str:
        return "standard deviations" if self.kind == "graph" else "pixels"

    @property
    def cameras(self) -> str:
        """What the family of cameras is called."""
        return {"bal": "camera", "colmap": "image", "graph": "pose"}[self.kind]

    def counts(self) -> dict[str, int]:
        """How many there are of what."""
        if self.kind == "graph":
            return {"poses": len(self.data.poses), "edges": len(self.data.edges)}
        return {f"{self.cameras}s": self._n_cameras, "points": len(self.data.points)}

    @property
    def _n_cameras(self) -> int:
        return len(self.data.cameras if self.kind == "bal" else self.data.images)

    def positions(self, numbers: Mapping[str, Sequence[int]]) -> dict[str, list[int]]:
        """Positions of what the file calls by these numbers: poses, images, points with their own ids."""
        ids: dict[str, Any] = {}
        if self.kind == "graph":
            ids = {"pose": self.data.ids}
        elif self.kind == "colmap":
            ids = {"image": self.data.image_ids, "point": self.data.point_ids}
        found: dict[str, list[int]] = {}
        for name, wanted in numbers.items():
            if name not in ids:
                found[name] = list(wanted)
                continue
            place = {int(k): n for n, k in enumerate(ids[name])}
            missing = next((k for k in wanted if k not in place), None)
            if missing is not None:
                raise OptionError(f"--fix {name}:{missing}: {self.data.name} has no {name} {missing}")
            found[name] = [place[k] for k in wanted]
        return found

    def chordal(self) -> Scene:
        """A pose graph from its chordal start."""
        if self.kind != "graph":
            raise OptionError("--start chordal is for pose graphs; this file brings its start along")
        from ..geometry import chordal_start

        return Scene(self.kind, self.data.with_poses(chordal_start(self.data)))

    def errors(self) -> NDArray[np.float64]:
        """How far off each observation or edge is, in `unit`."""
        if self.kind == "graph":
            return np.asarray(self.data.distances())
        return np.asarray(np.linalg.norm(self.data.residuals(), axis=1))

    def lines(self) -> Iterator[str]:
        """Percentiles of the errors, and the worst by index."""
        far = self.errors()
        if self.kind == "graph":
            ids = self.data.ids
            i, j = self.data.edges.T

            def edge(k: int) -> str:
                return f"{ids[i[k]]}-{ids[j[k]]}"

            yield error_line("edge error", far, self.unit)
            yield worst_line(
                "poses", np.tile(far, 2), np.concatenate([i, j]), len(ids), lambda k: str(ids[k])
            )
            yield largest_line("edges", far, edge)
            return
        camera, point, name_camera, name_point = self._views()
        yield error_line("reprojection error", far, self.unit)
        yield worst_line(f"{self.cameras}s", far, camera, self._n_cameras, name_camera)
        yield worst_line("points", far, point, len(self.data.points), name_point)
        behind = self.data.behind()
        if behind.any():
            which = sorted({name_camera(int(k)) for k in camera[behind]}, key=lambda s: (len(s), s))
            told = ", ".join(which[:5]) + (", ..." if len(which) > 5 else "")
            yield (
                f"behind: {int(behind.sum())} observations are of points behind their {self.cameras} "
                f"({self.cameras} {told})"
            )

    def _views(self) -> tuple[Any, Any, Callable[[int], str], Callable[[int], str]]:
        """Camera and point of each observation, and what each is called."""
        data = self.data
        if self.kind == "bal":
            return data.camera_index, data.point_index, str, str
        seen = data.seen
        return (
            data.keypoint_image[seen], data.keypoint_point[seen],
            lambda k: str(data.image_names[k]), lambda k: str(data.point_ids[k]),
        )  # fmt: skip

    def certainty(self, result: Any) -> Iterator[str]:
        """Standard deviations of the translations that are known least, of many cameras an even sample."""
        n = len(result[self.cameras])
        looked = np.unique(np.linspace(0, n - 1, min(n, MOST_BLOCKS)).round().astype(np.intp))
        blocks = np.asarray(result.covariance(self.cameras, looked))
        rows = {"bal": slice(3, 6), "colmap": slice(0, 3), "graph": slice(0, 3 if blocks.shape[1] > 3 else 2)}
        own = blocks[:, rows[self.kind], rows[self.kind]]
        sd = np.sqrt(np.maximum(np.einsum("naa->n", own), 0.0))
        order = np.argsort(-sd, kind="stable")[:5]
        told = ", ".join(f"{looked[k]} ({sd[k]:.3g})" for k in order)
        median = float(np.median(sd))
        some = f" ({len(looked)} of {n} looked at)" if len(looked) < n else ""
        yield (
            f"standard deviation of translations{some}: median {median:.3g}; largest of {self.cameras} {told}"
        )

    def write(self, path: str) -> None:
        """In the format it was read in."""
        if self.kind == "colmap":
            write_colmap(self.data, path)
        else:
            self.data.write(path)

    def write_cloud(self, path: str) -> None:
        """Points with their colors, and cameras or poses in red."""
        if self.kind == "graph":
            write_ply(path, self.data.places(), _CAMERA)
            return
        centers, _ = self.data.poses()
        colors = self.data.colors if self.kind == "colmap" else np.tile(_POINT, (len(self.data.points), 1))
        write_ply(
            path,
            np.vstack([self.data.points, centers]),
            np.vstack([colors, np.tile(_CAMERA, (len(centers), 1))]),
        )
