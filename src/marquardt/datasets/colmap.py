"""Models of COLMAP (Schönberger, Frahm, CVPR 2016): cameras, images and points as arrays.

An image is a pose, world to camera, and belongs to a camera, whose parameters many images may share.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .. import geometry
from .held import Held, held_masks

if TYPE_CHECKING:
    from ..problem.large.problem import Problem
    from ..report.world import World

Matrix = NDArray[np.float64]
Index = NDArray[np.intp]


@dataclass(frozen=True)
class CameraModel:
    """How a point in the frame of a camera becomes a pixel."""

    parameters: tuple[str, ...]
    image: Callable[[Any, Any], Any]
    """Of parameters and point, (..., 2)."""


def _simple_pinhole(p: Any, P: Any) -> Any:
    return geometry.pinhole(np.stack([p[..., k] for k in (0, 0, 1, 2)], axis=-1), P)


def _simple_radial(p: Any, P: Any) -> Any:
    return geometry.radial(np.stack([*(p[..., k] for k in range(4)), 0.0 * p[..., 0]], axis=-1), P)


def _opencv(p: Any, P: Any) -> Any:
    return geometry.opencv(np.stack([*(p[..., k] for k in range(8)), 0.0 * p[..., 0]], axis=-1), P)


CAMERA_MODELS = {
    "SIMPLE_PINHOLE": CameraModel(("f", "cx", "cy"), _simple_pinhole),
    "PINHOLE": CameraModel(("fx", "fy", "cx", "cy"), geometry.pinhole),
    "SIMPLE_RADIAL": CameraModel(("f", "cx", "cy", "k"), _simple_radial),
    "RADIAL": CameraModel(("f", "cx", "cy", "k1", "k2"), geometry.radial),
    "OPENCV": CameraModel(("fx", "fy", "cx", "cy", "k1", "k2", "p1", "p2"), _opencv),
    "OPENCV_FISHEYE": CameraModel(("fx", "fy", "cx", "cy", "k1", "k2", "k3", "k4"), geometry.fisheye),
}
"""By COLMAP's names, with its order of the parameters."""


@dataclass(frozen=True, eq=False, repr=False)
class ColmapModel:
    """What COLMAP's folder of cameras, images and points3D holds."""

    name: str
    camera_ids: Index
    """(c,) what the files call the cameras"""
    camera_models: tuple[str, ...]
    """(c,) each a key of `CAMERA_MODELS`"""
    sizes: Index
    """(c, 2) width and height in pixels"""
    intrinsics: tuple[Matrix, ...]
    """(c,) parameters of each camera, in the order of `CAMERA_MODELS`"""
    image_ids: Index
    """(n,)"""
    image_names: tuple[str, ...]
    image_camera: Index
    """(n,) position of the camera of each image"""
    images: Matrix
    """(n, 7) pose, world to camera: translation, then quaternion with its scalar last"""
    point_ids: Index
    """(m,)"""
    points: Matrix
    """(m, 3)"""
    colors: NDArray[np.uint8]
    """(m, 3) red, green, blue"""
    keypoints: Matrix
    """(k, 2) places found in the images, those of one image together and in the order of the file"""
    keypoint_image: Index
    """(k,) position of its image"""
    keypoint_point: Index
    """(k,) position of the point that was seen there; -1 for none"""

    def __repr__(self) -> str:
        return (
            f"{self.name}: {len(self.image_ids)} images of {len(self.camera_ids)} cameras, "
            f"{len(self.points)} points, {int((self.keypoint_point >= 0).sum())} observations"
        )

    @property
    def seen(self) -> NDArray[np.bool_]:
        """(k,) which key points are observations of a point."""
        return np.asarray(self.keypoint_point >= 0)

    def families(self) -> dict[str, Index]:
        """Positions of the cameras of each camera model that is there."""
        names = dict.fromkeys(self.camera_models)
        return {name: np.flatnonzero([m == name for m in self.camera_models]) for name in names}

    def with_values(
        self, images: Matrix, points: Matrix, intrinsics: Mapping[str, Matrix] | None = None
    ) -> ColmapModel:
        """The same observations with other poses, points, and parameters of the cameras of some models.

        intrinsics : rows in the order of `families`, by the name of the camera model.
        """
        own = list(self.intrinsics)
        for model, rows in (intrinsics or {}).items():
            for position, row in zip(self.families()[model], rows, strict=True):
                own[position] = row
        return replace(self, images=images, points=points, intrinsics=tuple(own))

    def problem(self, loss: Any = None, fixed: Held | None = None) -> Problem:
        """The problem to solve: families "image" and "point", one of each camera model by its name, residuals
        "reprojection" of each.

        Parameters of a camera are shared by its images. Centers of images (cx, cy) are held, as COLMAP does:
        poses take their place.

        fixed : what is held where it is besides, ``{"image": [0], "PINHOLE": [0]}``.
        """
        from ..problem.large.problem import Problem

        families = self.families()
        widths = {name: len(CAMERA_MODELS[name].parameters) for name in families}
        sizes = {"image": (len(self.images), 6), "point": self.points.shape}
        masks = held_masks(fixed, sizes | {name: (len(families[name]), widths[name]) for name in families})
        problem = Problem()
        image = problem.variables("image", self.images, manifold="SE3", fixed=masks["image"])
        point = problem.variables("point", self.points, fixed=masks["point"])
        for name, members in families.items():
            table = np.array([self.intrinsics[k] for k in members])
            mask = np.tile([p in ("cx", "cy") for p in CAMERA_MODELS[name].parameters], (len(members), 1))
            own = masks[name]
            lens = problem.variables(name, table, fixed=mask if own is None else mask | own)
            rows, place = self._rows_of(members)
            problem.residuals(
                reprojection(name),
                image[self.keypoint_image[rows]],
                lens[place],
                point[self.keypoint_point[rows]],
                self.keypoints[rows],
                loss=loss,
                name=f"reprojection {name}",
            )
        return problem

    def _rows_of(self, members: Index) -> tuple[Index, Index]:
        """Key points that cameras saw a point at, and the place of each one's camera among these."""
        place = np.full(len(self.camera_ids), -1)
        place[members] = np.arange(len(members))
        own = place[self.image_camera[self.keypoint_image]]
        rows = np.flatnonzero(self.seen & (own >= 0))
        return rows, own[rows]

    def with_result(self, result: Any) -> ColmapModel:
        """The same observations with the poses, points and cameras of a solution."""
        return self.with_values(
            result["image"], result["point"], {name: result[name] for name in self.families()}
        )

    def poses(self) -> tuple[Matrix, Matrix]:
        """Centers (n, 3) of the images, and axes (n, 3, 3): columns to the right, down, along the view."""
        back = geometry.inverse_quaternion(self.images[:, 3:])
        axes = [geometry.rotate_by_quaternion(back, np.tile(np.eye(3)[c], (len(back), 1))) for c in range(3)]
        return -geometry.rotate_by_quaternion(back, self.images[:, :3]), np.stack(axes, axis=-1)

    def world(self, before: ColmapModel | None = None, facts: Mapping[str, str] | None = None) -> World:
        """The points and cameras as a page or a picture; `before` is the same model as it was.

        ``model.world(start).to_html("city.html")``, ``model.world(start).plot()``.
        """
        from ..report.world import World

        (first, first_axes), (last, last_axes) = (before or self).poses(), self.poses()
        points, colors = ((before or self).points, self.points), self.colors if self.colors.any() else None
        axes, named = (first_axes, last_axes), ("image", "point")
        return World(self.name, points, (first, last), axes, colors, facts=facts or {}, names=named)

    def residuals(self) -> Matrix:
        """Where points appear less where they were seen, in pixels, (observations, 2)."""
        out = np.empty_like(self.keypoints)
        for name, members in self.families().items():
            table = np.array([self.intrinsics[k] for k in members])
            rows, place = self._rows_of(members)
            image, point = self.images[self.keypoint_image[rows]], self.points[self.keypoint_point[rows]]
            out[rows] = reprojection(name)(image, table[place], point, self.keypoints[rows])
        return out[self.seen]

    def behind(self) -> NDArray[np.bool_]:
        """(observations,) which are of a point behind its camera."""
        image = self.images[self.keypoint_image[self.seen]]
        return np.asarray(in_frame(image, self.points[self.keypoint_point[self.seen]])[:, 2] <= 0.0)


def reprojection(model: str) -> Callable[[Any, Any, Any, Any], Any]:
    """Of image, camera, point and observation: where the point appears less where it was seen, (..., 2)."""
    image_of = CAMERA_MODELS[model].image

    def residual(image: Any, camera: Any, point: Any, observed: Any) -> Any:
        return image_of(camera, in_frame(image, point)) - observed

    return residual


def in_frame(image: Any, point: Any) -> Any:
    """A point of the world in the frame of an image, (..., 3): ``R(q) X + t``."""
    return geometry.rotate_by_quaternion(image[..., 3:], point) + image[..., :3]
