"""Files of bundle adjustment problems: read, written, and refused by line."""

from __future__ import annotations

import bz2
import gzip
from pathlib import Path

import numpy as np
import pytest

from marquardt import geometry
from marquardt.datasets.bal import BalProblem, is_bal, parse_bal, read_bal
from marquardt.errors import FileError


def scene(n: int = 2, m: int = 3) -> BalProblem:
    rng = np.random.default_rng(0)
    pairs = [(c, p) for p in range(m) for c in range(n)]
    camera, point = (np.array(v, dtype=np.intp) for v in zip(*pairs, strict=True))
    values = rng.standard_normal((n, 9)), rng.standard_normal((m, 3)), rng.standard_normal((len(pairs), 2))
    return BalProblem("scene", values[0], values[1], camera, point, values[2])


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "scene.txt"
    scene().write(path)
    return path


def same(a: BalProblem, b: BalProblem) -> bool:
    names = ("cameras", "points", "camera_index", "point_index", "observed")
    return all(np.array_equal(getattr(a, n), getattr(b, n)) for n in names)


def test_what_was_written_is_read_again_with_all_digits(written: Path) -> None:
    found = read_bal(written)
    assert same(found, scene()) and found.name == "scene"
    assert repr(found) == "scene: 2 cameras, 3 points, 6 observations"


@pytest.mark.parametrize(("pack", "suffix"), [(gzip.compress, "gz"), (bz2.compress, "bz2")])
def test_packed_files_are_read_as_they_are(written: Path, pack, suffix) -> None:
    packed = written.with_name(f"scene.txt.{suffix}")
    packed.write_bytes(pack(written.read_bytes()))
    assert same(read_bal(packed), scene())
    packed.write_bytes(pack(written.read_bytes())[:-9])
    with pytest.raises(FileError, match="damaged"):
        read_bal(packed)


def test_a_file_is_known_by_its_first_lines(written: Path) -> None:
    assert is_bal(written.read_text()) and not is_bal("x y z\n1 2 3 4\n") and not is_bal("")


@pytest.mark.parametrize(
    ("line", "instead", "said"),
    [
        (1, "2 3", "line 1: three whole numbers are expected, of cameras, points and observations"),
        (1, "2 3 -6", "line 1: three whole numbers"),
        (3, "0 1 2.5", "line 3: an observation has 4 numbers, here are 3"),
        (3, "0 1 2.5 u", "line 3: 'u' is not a number"),
        (3, "0 1 2.5 nan", "line 3: nan is not finite"),
        (4, "2 1 2.5 2.5", "line 4: camera 2 does not exist; there are 2, counted from 0"),
        (4, "0 -1 2.5 2.5", "line 4: point -1 does not exist"),
        (4, "0 0.5 2.5 2.5", "line 4: point 0.5 does not exist"),
        (3, None, "line 3: camera 0 and point 0 as on line 2, with the same numbers; leave one out"),
        (9, "1.0 2.0", "line 9: a parameter has a line of its own, here are 2"),
        (9, "", "line 9: the line is empty"),
        (9, "1e", "line 9: '1e' is not a number"),
    ],
)
def test_an_error_names_the_line(written: Path, line: int, instead: str | None, said: str) -> None:
    lines = written.read_text().splitlines()
    lines[line - 1] = lines[line - 2] if instead is None else instead
    with pytest.raises(FileError, match=said):
        parse_bal("\n".join(lines), "scene.txt")


def test_a_truncated_file_tells_how_many_numbers_are_missing(written: Path) -> None:
    lines = written.read_text().splitlines()
    with pytest.raises(FileError, match="ends after line 30: 4 numbers are missing"):
        parse_bal("\n".join(lines[:30]), "scene.txt")
    with pytest.raises(FileError, match="line 35: a number too many"):
        parse_bal("\n".join([*lines, "1.0"]), "scene.txt")


def test_what_is_no_text_is_refused_by_line(tmp_path: Path) -> None:
    path = tmp_path / "binary"
    path.write_bytes(b"1 1 1\n\xff\xfe")
    with pytest.raises(FileError, match="line 2: this is not a file of plain text"):
        read_bal(path)
    with pytest.raises(FileError, match="cannot be read"):
        read_bal(tmp_path / "missing")


def test_residuals_are_those_of_the_format_and_a_camera_looks_along_negative_z() -> None:
    camera = np.array([[0.0, 0, 0, 0, 0, -4, 500, 0.1, 0.01]])
    points = np.array([[0.4, 0.2, 0.0], [0.4, 0.2, 9.0]])
    none = np.zeros(2, dtype=np.intp)
    problem = BalProblem("one", camera, points, none, np.array([0, 1]), np.zeros((2, 2)))
    r2 = 0.1**2 + 0.05**2
    scale = 500 * (1 + 0.1 * r2 + 0.01 * r2**2)
    assert np.allclose(problem.residuals()[0], scale * np.array([0.1, 0.05]), rtol=1e-15)
    assert problem.behind().tolist() == [False, True]


def test_a_camera_stands_where_its_frame_has_its_origin_and_sees_along_its_axes() -> None:
    problem = scene()
    centers, axes = problem.poses()
    w, t = problem.cameras[:, :3], problem.cameras[:, 3:6]
    assert np.allclose(geometry.rotate(w, centers) + t, 0, atol=1e-14)
    ahead = centers + axes[:, :, 2]
    assert np.allclose(geometry.rotate(w, ahead) + t, [0, 0, -1], atol=1e-14)
    assert np.allclose(np.linalg.det(axes), 1.0)


def test_the_world_is_shown_before_and_after() -> None:
    problem = scene()
    moved = problem.with_values(problem.cameras, problem.points + 1)
    world = moved.world(problem, {"cost": "1"})
    assert np.array_equal(world.points[0] + 1, world.points[1]) and world.facts == {"cost": "1"}
    assert np.array_equal(*world.centers) and world.title == "scene"
