"""COLMAP's text models: written, read, and refused by file and line; clouds as PLY."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from marquardt import geometry
from marquardt.datasets import ColmapModel, read_colmap, write_colmap, write_ply
from marquardt.datasets.colmap import CAMERA_MODELS, in_frame
from marquardt.datasets.colmap_text import is_colmap
from marquardt.datasets.held import held_masks
from marquardt.errors import DataError, FileError, ParameterError

INTRINSICS = {
    "SIMPLE_PINHOLE": [800.0, 320, 240],
    "PINHOLE": [800.0, 810, 320, 240],
    "SIMPLE_RADIAL": [800.0, 320, 240, -0.05],
    "RADIAL": [800.0, 320, 240, -0.05, 0.01],
    "OPENCV": [800.0, 810, 320, 240, -0.05, 0.01, 1e-3, -2e-3],
    "OPENCV_FISHEYE": [800.0, 810, 320, 240, -0.05, 0.01, 1e-3, -2e-3],
}


def model(noise: float = 0.0, seed: int = 0) -> ColmapModel:
    """One camera of each model, two images each, of 20 points; every fourth key point shows none."""
    rng = np.random.default_rng(seed)
    kinds = tuple(INTRINSICS)
    n, m = 2 * len(kinds), 20
    points = rng.uniform(-1, 1, (m, 3))
    q = geometry.quaternion_of(rng.normal(0, 0.1, (n, 3)))
    images = np.column_stack([np.tile([0.0, 0, 5], (n, 1)) + rng.normal(0, 0.3, (n, 3)), q])
    image, point = (v.ravel() for v in np.meshgrid(np.arange(n), np.arange(m), indexing="ij"))
    point = np.where(np.arange(n * m) % 4 == 3, -1, point)
    found = ColmapModel(
        name="scene", camera_ids=np.arange(1, 7) * 10, camera_models=kinds, sizes=np.tile([640, 480], (6, 1)),
        intrinsics=tuple(np.array(INTRINSICS[k]) for k in kinds), image_ids=np.arange(n) + 5,
        image_names=tuple(f"shot {k}.jpg" for k in range(n)), image_camera=np.arange(n) // 2, images=images,
        point_ids=np.arange(m) + 100, points=points, colors=rng.integers(0, 256, (m, 3)).astype(np.uint8),
        keypoints=np.zeros((n * m, 2)), keypoint_image=image, keypoint_point=point,
    )  # fmt: skip
    found.keypoints[found.seen] = found.residuals() + rng.normal(0, noise, (int(found.seen.sum()), 2))
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_colmap(model(), tmp_path / "scene")
    return tmp_path / "scene"


def test_what_was_written_is_read_again_with_all_digits(folder: Path) -> None:
    found, truth = read_colmap(folder), model()
    assert is_colmap(folder) and not is_colmap(folder.parent)
    assert repr(found) == "scene: 12 images of 6 cameras, 20 points, 180 observations"
    for name in ("camera_ids", "sizes", "image_ids", "image_camera", "point_ids", "points", "colors",
                 "keypoints", "keypoint_image", "keypoint_point"):  # fmt: skip
        assert np.array_equal(getattr(found, name), getattr(truth, name)), name
    assert np.allclose(found.images, truth.images, rtol=1e-15)
    assert found.camera_models == truth.camera_models and found.image_names == truth.image_names
    assert all(map(np.array_equal, found.intrinsics, truth.intrinsics))


def test_the_quaternion_of_the_files_has_its_scalar_first(folder: Path) -> None:
    head = (folder / "images.txt").read_text().splitlines()[1].split()
    assert np.allclose([float(w) for w in head[1:8]], model().images[0, [6, 3, 4, 5, 0, 1, 2]])


@pytest.mark.parametrize("kind", CAMERA_MODELS)
def test_a_camera_of_each_model_sees_its_points_where_they_were_seen(kind: str) -> None:
    truth = model()
    own = truth.image_camera[truth.keypoint_image[truth.seen]] == list(CAMERA_MODELS).index(kind)
    assert own.sum() == 30 and np.abs(truth.residuals()[own]).max() < 1e-12


def test_radial_models_without_distortion_are_pinholes() -> None:
    rng = np.random.default_rng(0)
    P = rng.normal([0, 0, 6], 1.0, (9, 3))
    plain = geometry.pinhole(np.array([800.0, 800, 320, 240]), P)
    for kind in ("SIMPLE_PINHOLE", "SIMPLE_RADIAL", "RADIAL"):
        p = np.zeros(len(CAMERA_MODELS[kind].parameters))
        p[:3] = 800, 320, 240
        assert np.allclose(CAMERA_MODELS[kind].image(p, P), plain, rtol=1e-14)
    assert np.allclose(in_frame(np.array([1.0, 2, 3, 0, 0, 0, 1]), P), P + np.array([1, 2, 3]))


def test_the_error_of_a_point_is_its_mean_distance_in_pixels(tmp_path: Path) -> None:
    noisy = model(noise=1.0)
    write_colmap(noisy, tmp_path)
    row = (tmp_path / "points3D.txt").read_text().splitlines()[1].split()
    own = noisy.keypoint_point[noisy.seen] == 0
    assert np.isclose(float(row[7]), np.linalg.norm(noisy.residuals()[own], axis=1).mean())


def test_new_values_take_the_place_of_the_old_ones() -> None:
    truth = model()
    rows = {"RADIAL": np.array([[900.0, 1, 2, 3, 4]])}
    found = truth.with_values(truth.images + 1, truth.points + 1, rows)
    assert found.intrinsics[3].tolist() == [900, 1, 2, 3, 4] and found.intrinsics[0] is truth.intrinsics[0]
    assert np.array_equal(found.points, truth.points + 1)


def test_an_image_without_key_points_has_an_empty_line(folder: Path) -> None:
    path = folder / "images.txt"
    path.write_text(path.read_text() + "99 1 0 0 0 0 0 0 10 empty näme.png\n\n")
    found = read_colmap(folder)
    assert found.image_names[-1] == "empty näme.png" and len(found.keypoints) == 240
    write_colmap(found, folder)
    assert len(read_colmap(folder).image_ids) == 13


@pytest.mark.parametrize(
    ("name", "line", "change", "said"),
    [
        ("cameras", 2, "10 PINHOL 640 480 1 2 3 4", "PINHOL is not known; did you mean 'PINHOLE'"),
        ("cameras", 2, "10 PINHOLE 640 480 1 2 3", r"4 parameters \(fx, fy, cx, cy\), here are 3"),
        ("cameras", 2, "10 PINHOLE 640", "here are 3 words"),
        ("cameras", 2, "20 SIMPLE_PINHOLE 640 480 1 2 3", "camera 20 is there twice"),
        ("cameras", 2, "10 SIMPLE_PINHOLE 640 480 1 2 x", "'x' is not a number"),
        ("cameras", 2, "10 SIMPLE_PINHOLE 640 480 1 nan 3", "nan is not finite"),
        ("images", 2, "5 1 0 0 0 0 0 0 10", "here are 9 words"),
        ("images", 2, "5 0 0 0 0 0 0 0 10 a.jpg", "the quaternion is zero"),
        ("images", 2, "5 1 0 0 0 0 0 0 11 a.jpg", "there is no camera 11"),
        ("images", 2, "5.5 1 0 0 0 0 0 0 10 a.jpg", "image 5.5 is not a whole number"),
        ("images", 3, "1 2", "key points are X Y POINT3D_ID; here are 2 numbers"),
        ("images", 3, "1 2 ?", "'[?]' is not a number"),
        ("images", 3, "1 2 7", "there is no point 7"),
        ("points3D", 2, "100 0 0 0 0 0", "a point is POINT3D_ID X Y Z R G B ERROR .* here are 6"),
        ("points3D", 2, "100 0 0 0 0 0 256 1", "colors are whole numbers from 0 to 255"),
        ("points3D", 2, "100 0 0 0 0 0 0 1 4 0", "there is no image 4"),
        ("points3D", 2, "100 0 0 0 0 0 0 1 5 20", "there is no key point 20 in image 5; there are 20"),
        ("points3D", 2, "100 0 0 0 0 0 0 1 5 1", "key point 1 of image 5 is said to show this point, but"),
        ("points3D", 2, "100 0 0 0 0 0 0 1 5 0", "1 key points show this point, but in images.txt 12 do"),
        ("points3D", 3, "100 0 0 0 0 0 0 1", "point 100 is there twice"),
    ],
)  # fmt: skip
def test_an_error_names_file_and_line(folder: Path, name: str, line: int, change: str, said: str) -> None:
    path = folder / f"{name}.txt"
    lines = path.read_text().splitlines()
    lines[line - 1] = change
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(FileError, match=rf"{name}\.txt, line \d+: .*{said}"):
        read_colmap(folder)


def test_a_folder_that_is_cut_short_or_binary_is_told_so(folder: Path) -> None:
    path = folder / "images.txt"
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[:-1]) + "\n")
    with pytest.raises(FileError, match="ends after line 24: the key points of image 16 are missing"):
        read_colmap(folder)
    path.rename(folder / "images.bin")
    with pytest.raises(FileError, match=r"no images\.txt, but images\.bin: .* model_converter"):
        read_colmap(folder)
    with pytest.raises(FileError, match=r"no cameras\.txt and no images\.txt and no points3D\.txt: a COLMAP"):
        read_colmap(folder.parent)


def test_a_cloud_has_places_and_colors_and_leaves_out_what_is_not_finite(tmp_path: Path) -> None:
    points = np.array([[1.0, 2, 3], [np.nan, 0, 0], [4, 5, 6]])
    write_ply(tmp_path / "a.ply", points, np.array([[1, 2, 3], [0, 0, 0], [4, 5, 255]]))
    head, body = (tmp_path / "a.ply").read_bytes().split(b"end_header\n")
    assert b"element vertex 2\n" in head and len(body) == 54
    assert np.frombuffer(body[27:51], "<f8").tolist() == [4, 5, 6] and list(body[51:]) == [4, 5, 255]
    with pytest.raises(DataError, match="points are"):
        write_ply(tmp_path / "a.ply", points[0])
    with pytest.raises(DataError, match="colors are"):
        write_ply(tmp_path / "a.ply", points, colors=(1, 2, 300))


def test_images_stand_where_their_frames_have_their_origin() -> None:
    truth = model()
    centers, axes = truth.poses()
    assert np.allclose(in_frame(truth.images, centers), 0, atol=1e-14)
    assert np.allclose(in_frame(truth.images, centers + axes[:, :, 2]), [0, 0, 1], atol=1e-14)
    assert not truth.behind().any()
    assert truth.world().colors is truth.colors


def test_what_is_held_is_named_where_it_is_not_there() -> None:
    masks = held_masks({"camera": [1]}, {"camera": (3, 2), "point": (2, 3)})
    assert masks["camera"] is not None and masks["camera"].tolist() == [[False] * 2, [True] * 2, [False] * 2]
    assert masks["point"] is None
    with pytest.raises(ParameterError, match="nothing called 'camra' to hold; did you mean 'camera'"):
        held_masks({"camra": [1]}, {"camera": (3, 2)})
    with pytest.raises(ParameterError, match="camera 3 cannot be held: there are 3, counted from 0"):
        held_masks({"camera": [3]}, {"camera": (3, 2)})
