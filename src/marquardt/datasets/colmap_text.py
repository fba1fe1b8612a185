"""COLMAP's text files: cameras.txt, images.txt, points3D.txt; what is wrong is named by file and line.

cameras.txt    CAMERA_ID MODEL WIDTH HEIGHT PARAMETERS...
images.txt     IMAGE_ID QW QX QY QZ TX TY TZ CAMERA_ID NAME      and on the next line
               X Y POINT3D_ID ...                                (-1: no point; the line may be empty)
points3D.txt   POINT3D_ID X Y Z R G B ERROR  IMAGE_ID POINT2D ...
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import FileError, suggestion
from .colmap import CAMERA_MODELS, ColmapModel, Index, Matrix
from .text import integers, numbers, parse, quaternion_lengths, read_text

FILES = ("cameras.txt", "images.txt", "points3D.txt")


def is_colmap(folder: str | Path) -> bool:
    """True for a folder with COLMAP's three text files."""
    return all((Path(folder) / name).is_file() for name in FILES)


def read_colmap(folder: str | Path) -> ColmapModel:
    """Read the text model in a folder; FileError names file and line where it is malformed.

    Camera models that are known: SIMPLE_PINHOLE, PINHOLE, SIMPLE_RADIAL, RADIAL, OPENCV, OPENCV_FISHEYE.
    Binary models are turned into text by ``colmap model_converter --output_type TXT``.
    """
    folder = Path(folder)
    missing = [name for name in FILES if not (folder / name).is_file()]
    if missing:
        binary = [name for name in missing if (folder / name).with_suffix(".bin").is_file()]
        raise FileError(
            f"{folder} holds no {' and no '.join(missing)}"
            + (
                f", but {Path(binary[0]).stem}.bin: turn the model into text with `colmap model_converter "
                "--output_type TXT`"
                if binary
                else ": a COLMAP model is a folder with all three"
            )
        )
    cameras, images, points = (folder / name for name in FILES)
    camera_ids, models, sizes, intrinsics = _cameras(str(cameras))
    heads, names, head_lines, keypoints, keypoint_image, ids, lines = _images(str(images))
    image_ids = _unique(heads[:, 0], "image", str(images), head_lines)
    point_ids, table, colors, tracks, point_lines = _points(str(points))
    seen = np.flatnonzero(ids != -1)
    keypoint_point = np.full(len(ids), -1, dtype=np.intp)
    keypoint_point[seen] = _places(ids[seen], point_ids, "point", str(images), lines[keypoint_image[seen]])
    _compare_tracks(tracks, image_ids, keypoint_image, keypoint_point, str(points), point_lines)
    return ColmapModel(
        name=folder.resolve().name,
        camera_ids=camera_ids,
        camera_models=models,
        sizes=sizes,
        intrinsics=intrinsics,
        image_ids=image_ids,
        image_names=names,
        image_camera=_places(heads[:, 8], camera_ids, "camera", str(images), head_lines),
        images=_poses(heads, str(images), head_lines),
        point_ids=point_ids,
        points=table,
        colors=colors,
        keypoints=keypoints,
        keypoint_image=keypoint_image,
        keypoint_point=keypoint_point,
    )


def _rows(origin: str) -> Iterator[tuple[int, list[str]]]:
    """Line numbers and words of the lines that are neither comments nor empty."""
    for number, line in enumerate(read_text(origin, "utf-8").splitlines(), start=1):
        if line.strip() and not line.startswith("#"):
            yield number, line.split()


def _numbers(words: Sequence[str], origin: str, line: int) -> list[float]:
    found = [parse(word, origin, line) for word in words]
    if not np.isfinite(found).all():
        raise FileError(f"{origin}, line {line}: {words[int(np.argmin(np.isfinite(found)))]} is not finite")
    return found


def _cameras(origin: str) -> tuple[Index, tuple[str, ...], Index, tuple[Matrix, ...]]:
    ids, models, sizes, intrinsics, lines = [], [], [], [], []
    for line, words in _rows(origin):
        if len(words) < 4:
            raise FileError(
                f"{origin}, line {line}: CAMERA_ID MODEL WIDTH HEIGHT and parameters are expected, here are "
                f"{len(words)} words"
            )
        model = words[1]
        if model not in CAMERA_MODELS:
            raise FileError(
                f"{origin}, line {line}: the camera model {model} is not known"
                f"{suggestion(model, CAMERA_MODELS)}"
            )
        wanted = CAMERA_MODELS[model].parameters
        if len(words) != 4 + len(wanted):
            raise FileError(
                f"{origin}, line {line}: {model} has {len(wanted)} parameters ({', '.join(wanted)}), "
                f"here are {len(words) - 4}"
            )
        found = _numbers([words[0], *words[2:]], origin, line)
        ids.append(found[0])
        models.append(model)
        sizes.append(found[1:3])
        intrinsics.append(np.array(found[3:]))
        lines.append(line)
    camera_ids = _unique(np.array(ids), "camera", origin, np.array(lines, dtype=np.intp))
    return camera_ids, tuple(models), np.array(sizes, dtype=np.intp).reshape(-1, 2), tuple(intrinsics)


def _images(origin: str) -> tuple[Matrix, tuple[str, ...], Index, Matrix, Index, Matrix, Index]:
    """Heads (n, 9), names, their lines; then all key points: places, images, points; the lines of images."""
    text = read_text(origin, "utf-8").splitlines()
    heads, names, head_lines, places, place_lines = [], [], [], [], []
    at = 0
    while at < len(text):
        line, at = text[at], at + 1
        if not line.strip() or line.startswith("#"):
            continue
        words = line.split(maxsplit=9)
        if len(words) != 10:
            raise FileError(
                f"{origin}, line {at}: IMAGE_ID QW QX QY QZ TX TY TZ CAMERA_ID NAME are expected, here are "
                f"{len(words)} words"
            )
        heads.append(_numbers(words[:9], origin, at))
        names.append(words[9].strip())
        head_lines.append(at)
        if at == len(text):
            raise FileError(f"{origin} ends after line {at}: the key points of image {words[0]} are missing")
        places.append(text[at])
        at += 1
        place_lines.append(at)
    table, counts = _ragged(places, place_lines, 0, 3, origin, "key points are X Y POINT3D_ID")
    table = table.reshape(-1, 3)
    image = np.repeat(np.arange(len(heads)), counts)
    as_lines = np.array(head_lines, dtype=np.intp)
    return (
        np.array(heads, dtype=np.float64).reshape(-1, 9),
        tuple(names),
        as_lines,
        table[:, :2].copy(),
        image,
        table[:, 2],
        np.array(place_lines, dtype=np.intp),
    )


def _points(origin: str) -> tuple[Index, Matrix, NDArray[np.uint8], tuple[Matrix, Index], Index]:
    """Ids, places, colors; tracks as rows (image id, place among its key points) and counts by point."""
    rows = [
        (number, line)
        for number, line in enumerate(read_text(origin, "utf-8").splitlines(), start=1)
        if line.strip() and not line.startswith("#")
    ]
    lines = [number for number, _ in rows]
    what = "a point is POINT3D_ID X Y Z R G B ERROR and pairs IMAGE_ID POINT2D"
    values, counts = _ragged([line for _, line in rows], lines, 8, 2, origin, what)
    first = np.concatenate([[0], np.cumsum(8 + 2 * counts)])[:-1].astype(np.intp)
    head = values[first[:, None] + np.arange(8)] if len(rows) else np.zeros((0, 8))
    in_track = np.ones(len(values), dtype=bool)
    in_track[(first[:, None] + np.arange(8)).ravel()] = False
    where = np.array(lines, dtype=np.intp)
    wrong = ((head[:, 4:7] < 0) | (head[:, 4:7] > 255) | (head[:, 4:7] % 1 != 0)).any(axis=1)
    if wrong.any():
        k = int(np.argmax(wrong))
        raise FileError(
            f"{origin}, line {where[k]}: colors are whole numbers from 0 to 255, not {head[k, 4:7]}"
        )
    ids = _unique(head[:, 0], "point", origin, where)
    tracks = values[in_track].reshape(-1, 2), counts
    return ids, head[:, 1:4].copy(), head[:, 4:7].astype(np.uint8), tracks, where


def _ragged(
    texts: Sequence[str], lines: Sequence[int], first: int, group: int, origin: str, what: str
) -> tuple[Matrix, Index]:
    """All numbers of lines of `first` numbers and any number of groups; how many groups each line has."""
    words = np.array([len(text.split()) for text in texts], dtype=np.intp)
    values = numbers(" ".join(texts))
    wrong = (words < first) | ((words - first) % group != 0)
    if wrong.any():
        k = int(np.argmax(wrong))
        raise FileError(f"{origin}, line {lines[k]}: {what}; here are {words[k]} numbers")
    if values is None or values.size != words.sum() or not np.isfinite(values).all():
        for text, line in zip(texts, lines, strict=True):
            _numbers(text.encode("ascii", "replace").decode().split(), origin, line)
        raise AssertionError("unreachable: some line is at fault")
    return values, (words - first) // group


def _unique(values: Matrix, what: str, origin: str, lines: Index) -> Index:
    ids = integers(values)
    again = np.ones(ids.size, dtype=bool)
    again[np.unique(ids, return_index=True)[1]] = False
    for wrong, said in ((ids != values, "is not a whole number"), (again, "is there twice")):
        if wrong.any():
            k = int(np.argmax(wrong))
            raise FileError(f"{origin}, line {lines[k]}: {what} {values[k]:g} {said}")
    return ids


def _places(values: Matrix, ids: Index, what: str, origin: str, lines: Index) -> Index:
    """Positions of the ids named; FileError names the line of one that is not there."""
    order = np.argsort(ids)
    place = np.minimum(np.searchsorted(ids[order], values), max(ids.size - 1, 0))
    found = order[place] if ids.size else np.zeros(len(values), dtype=np.intp)
    wrong = ids[found] != values if ids.size else np.ones(len(values), dtype=bool)
    if wrong.any():
        k = int(np.argmax(wrong))
        raise FileError(f"{origin}, line {lines[k]}: there is no {what} {values[k]:g}")
    return np.asarray(found, dtype=np.intp)


def _poses(heads: Matrix, origin: str, lines: Index) -> Matrix:
    q = heads[:, [2, 3, 4, 1]]
    return np.column_stack([heads[:, 5:8], q / quaternion_lengths(q, lines, origin)[:, None]])


def _compare_tracks(
    tracks: tuple[Matrix, Index], image_ids: Index, image: Index, point: Index, origin: str, lines: Index
) -> None:
    """The tracks say what the key points say, the other way round."""
    rows, counts = tracks
    owner = np.repeat(np.arange(len(counts)), counts)
    places = _places(rows[:, 0], image_ids, "image", origin, lines[owner])
    sizes = np.bincount(image, minlength=len(image_ids))
    first = np.concatenate([[0], np.cumsum(sizes)])[:-1]
    number = integers(rows[:, 1])
    wrong = (number != rows[:, 1]) | (number < 0) | (number >= sizes[places])
    if wrong.any():
        k = int(np.argmax(wrong))
        raise FileError(
            f"{origin}, line {lines[owner[k]]}: there is no key point {rows[k, 1]:g} in image "
            f"{rows[k, 0]:g}; there are {sizes[places[k]]}, counted from 0"
        )
    other = point[first[places] + number] != owner
    if other.any():
        k = int(np.argmax(other))
        raise FileError(
            f"{origin}, line {lines[owner[k]]}: key point {number[k]} of image {rows[k, 0]:g} is said to "
            "show this point, but in images.txt it does not"
        )
    absent = np.bincount(point[point >= 0], minlength=len(counts)) != counts
    if absent.any():
        k = int(np.argmax(absent))
        raise FileError(
            f"{origin}, line {lines[k]}: {counts[k]} key points show this point, but in images.txt "
            f"{int((point == k).sum())} do"
        )


def write_colmap(model: ColmapModel, folder: str | Path) -> None:
    """Write cameras.txt, images.txt and points3D.txt with all digits; the folder is made where there is none.

    A point's error is its mean distance in the images, in pixels.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name, lines in zip(FILES, (_camera_lines, _image_lines, _point_lines), strict=True):
        with open(folder / name, "w", encoding="utf-8") as file:
            file.writelines(line + "\n" for line in lines(model))


def _words(values: Iterable[Any]) -> str:
    return " ".join(map(repr, values))


def _camera_lines(model: ColmapModel) -> Iterator[str]:
    yield "# CAMERA_ID MODEL WIDTH HEIGHT PARAMETERS"
    rows = zip(
        model.camera_ids.tolist(), model.camera_models, model.sizes.tolist(), model.intrinsics, strict=True
    )
    for number, kind, size, parameters in rows:
        yield f"{number} {kind} {_words(size)} {_words(np.asarray(parameters).tolist())}"


def _image_lines(model: ColmapModel) -> Iterator[str]:
    yield "# IMAGE_ID QW QX QY QZ TX TY TZ CAMERA_ID NAME, then X Y POINT3D_ID of its key points"
    ids = np.where(model.seen, np.append(model.point_ids, -1)[model.keypoint_point], -1).tolist()
    places, cameras = model.keypoints.tolist(), model.camera_ids[model.image_camera].tolist()
    ends = np.searchsorted(model.keypoint_image, np.arange(len(model.image_ids) + 1))
    for k, number in enumerate(model.image_ids.tolist()):
        pose = model.images[k, [6, 3, 4, 5, 0, 1, 2]].tolist()
        yield f"{number} {_words(pose)} {cameras[k]} {model.image_names[k]}"
        yield " ".join(f"{places[i][0]!r} {places[i][1]!r} {ids[i]}" for i in range(ends[k], ends[k + 1]))


def _point_lines(model: ColmapModel) -> Iterator[str]:
    yield "# POINT3D_ID X Y Z R G B ERROR, then IMAGE_ID POINT2D of its track"
    rows = np.flatnonzero(model.seen)
    point, image = model.keypoint_point[rows], model.keypoint_image[rows]
    first = np.searchsorted(model.keypoint_image, np.arange(len(model.image_ids)))
    number = (rows - first[image]).tolist()
    names = model.image_ids[image].tolist()
    counts = np.bincount(point, minlength=len(model.points))
    far = np.linalg.norm(model.residuals(), axis=1)
    error = (np.bincount(point, far, minlength=len(model.points)) / np.maximum(counts, 1)).tolist()
    order = np.argsort(point, kind="stable").tolist()
    ends = np.concatenate([[0], np.cumsum(counts)]).tolist()
    for k, (place, color) in enumerate(zip(model.points.tolist(), model.colors.tolist(), strict=True)):
        track = " ".join(f"{names[i]} {number[i]}" for i in order[ends[k] : ends[k + 1]])
        yield f"{model.point_ids[k]} {_words(place)} {_words(color)} {error[k]!r} {track}".rstrip()
