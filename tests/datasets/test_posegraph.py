"""Files of pose graphs: read, written, and refused by line."""

from __future__ import annotations

import bz2
import gzip
from pathlib import Path

import numpy as np
import pytest

import marquardt as mq
from marquardt import geometry
from marquardt.datasets import scenes
from marquardt.datasets.posegraph import is_g2o, parse_g2o, read_g2o, spatial_error, whitening
from marquardt.errors import FileError

PLANAR = """\
# two poses and back
VERTEX_SE2 0 0 0 0
VERTEX_SE2 5 1 0 1.5

FIX 0
EDGE_SE2 0 5 1 0 1.5 10 1 2 20 3 30
EDGE_SE2 5 0 0 1 -1.5 10 0 0 10 0 10
"""
TRIANGLE = [9, 2, 3, 4, 5, 6, 90, 8, 9, 10, 11, 90, 13, 14, 15, 90, 17, 18, 90, 20, 90]
SPATIAL = (
    "VERTEX_SE3:QUAT 0 0 0 0 0 0 0 1 \nVERTEX_SE3:QUAT 1 1 2 3 0 0 0.6 0.8000001 \n"
    "EDGE_SE3:QUAT 0 1 1 2 3 0 0 -1.2 1.6 " + " ".join(map(str, TRIANGLE)) + "\n"
)


def test_planar_graphs_are_read_with_their_own_names_of_poses() -> None:
    graph = parse_g2o(PLANAR, "two.g2o")
    assert graph.kind == "SE2" and graph.ids.tolist() == [0, 5] and graph.fixed.tolist() == [0]
    assert graph.edges.tolist() == [[0, 1], [1, 0]] and graph.poses[1].tolist() == [1.0, 0.0, 1.5]
    assert graph.information[0].tolist() == [[10, 1, 2], [1, 20, 3], [2, 3, 30]]
    assert repr(graph) == "two: 2 SE2 poses, 2 edges"


def test_quaternions_are_made_one_long() -> None:
    graph = parse_g2o(SPATIAL, "three.g2o")
    assert np.allclose(np.linalg.norm(graph.poses[:, 3:], axis=1), 1.0, rtol=1e-15)
    assert np.allclose(graph.measurements[0, 3:], [0, 0, -0.6, 0.8], rtol=1e-15)
    assert graph.information[0, 0].tolist() == [9, 2, 3, 4, 5, 6] and graph.information[0, 4, 5] == 20
    assert np.array_equal(graph.information[0], graph.information[0].T)


@pytest.mark.parametrize("text", [PLANAR, SPATIAL])
def test_what_was_written_is_read_again(text: str, tmp_path: Path) -> None:
    graph = parse_g2o(text, "graph.g2o")
    graph.write(tmp_path / "graph.g2o")
    again = read_g2o(tmp_path / "graph.g2o")
    for name in ("ids", "poses", "edges", "measurements", "information", "fixed"):
        assert np.allclose(getattr(graph, name), getattr(again, name), rtol=1e-15), name


def test_a_file_is_known_by_its_first_word() -> None:
    assert is_g2o(PLANAR) and is_g2o(SPATIAL) and not is_g2o("49 7776 31843\n0 0 1 2\n")


@pytest.mark.parametrize(
    ("line", "instead", "said"),
    [
        (2, "VERTEX_SE2 0 0 0", "line 2: VERTEX_SE2 has 4 numbers, here are 3"),
        (3, "VERTEX_SE2 0 0 0 0", "line 3: pose 0 is there twice"),
        (3, "VERTEX_SE2 5.5 0 0 0", "line 3: pose 5.5 is not a whole number"),
        (3, "VERTEX_SE3:QUAT 5 0 0 0 0 0 0 1", "line 3: VERTEX_SE3:QUAT in a graph of SE2 poses"),
        (3, "VERTEX_XY 5 0 0", "line 3: `VERTEX_XY` is not known; known are EDGE_SE2, EDGE_SE3:QUAT, FIX"),
        (5, "FIX 3", "line 5: there is no pose 3"),
        (6, "EDGE_SE2 0 4 1 0 1.5 10 1 2 20 3 30", "line 6: there is no pose 4"),
        (6, "EDGE_SE2 0 5 1 0 1.5 10 1 2 20 3 x", "line 6: 'x' is not a number"),
        (6, "EDGE_SE2 0 5 1 0 inf 10 1 2 20 3 30", "line 6: a number is not finite"),
        (6, "EDGE_SE2 0 5 1 0 1.5 10 1 2 20 3", "line 6: EDGE_SE2 has 11 numbers, here are 10"),
        (6, "EDGE_SE2 0 0 1 0 1.5 10 1 2 20 3 30", "line 6: the edge from 0 to 0 joins a pose with itself"),
        (
            6,
            "EDGE_SE2 0 5 1 0 1.5 0 0 0 0 0 0",
            "line 6: the edge from 0 to 5 has .* zeros: it says",
        ),
        (
            6,
            "EDGE_SE2 0 5 1 0 1.5 1 2 0 1 0 1",
            "line 6: the edge .* with a negative eigenvalue",
        ),
        (6, "EDGE_SE2 5 0 0 1 -1.5 10 0 0 10 0 10", "line 7: the edge from 5 to 0 is that of line 6, with"),
    ],
)
def test_an_error_names_the_line(line: int, instead: str, said: str) -> None:
    lines = PLANAR.splitlines()
    lines[line - 1] = instead
    with pytest.raises(FileError, match=said):
        parse_g2o("\n".join(lines), "two.g2o")


def test_two_measurements_between_the_same_poses_are_two_edges() -> None:
    more = "EDGE_SE2 0 5 1 0.01 1.5 10 1 2 20 3 30\n"
    assert len(parse_g2o(PLANAR + more, "two.g2o").edges) == 3


@pytest.mark.parametrize(("pack", "suffix"), [(gzip.compress, "gz"), (bz2.compress, "bz2")])
def test_packed_files_are_read_as_they_are(tmp_path: Path, pack, suffix) -> None:
    packed = tmp_path / f"two.g2o.{suffix}"
    packed.write_bytes(pack(PLANAR.encode()))
    graph = read_g2o(packed)
    assert graph.name == "two" and np.array_equal(graph.information, parse_g2o(PLANAR, "x").information)
    packed.write_bytes(pack(PLANAR.encode())[:-9])
    with pytest.raises(FileError, match="damaged"):
        read_g2o(packed)


def test_a_zero_quaternion_and_a_file_without_poses_are_refused() -> None:
    with pytest.raises(FileError, match="line 2: the quaternion is zero"):
        parse_g2o(SPATIAL.replace("0 0 0.6 0.8000001", "0 0 0 0"), "a.g2o")
    with pytest.raises(FileError, match="holds no poses"):
        parse_g2o("# nothing\n", "a.g2o")


def test_errors_vanish_where_poses_agree_and_count_in_standard_deviations() -> None:
    graph = parse_g2o(PLANAR, "two.g2o")
    agree = graph.with_poses(np.array([[0.0, 0, 0], [1, 0, 1.5 + 2 * np.pi]]))
    assert np.allclose(agree.residuals()[0], 0, atol=1e-15)
    off = graph.with_poses(np.array([[0.0, 0, 0], [1, 0.1, 1.5]]))
    e = off.residuals()[0]  # in the frame of the measurement, turned by 1.5
    assert np.allclose(e, [0.1 * np.sin(1.5), 0.1 * np.cos(1.5), 0], atol=1e-15)
    assert np.isclose(off.distances()[0] ** 2, e @ graph.information[0] @ e)


def test_a_rotation_counts_by_the_sine_of_half_its_angle_whatever_the_sign_of_the_quaternion() -> None:
    angle = np.array([0.3, -0.2, 0.5])
    q = geometry.quaternion_of(angle)
    expected = np.sin(np.linalg.norm(angle) / 2) * angle / np.linalg.norm(angle)
    none = np.array([0.0, 0, 0, 0, 0, 0, 1])
    for sign in (1, -1):
        e = spatial_error(none, np.concatenate([[1.0, 2, 3], sign * q]), none)
        assert np.allclose(e, [1, 2, 3, *expected], atol=1e-15)


def test_turning_and_moving_the_whole_graph_changes_no_error() -> None:
    rng = np.random.default_rng(0)
    graph = parse_g2o(SPATIAL, "three.g2o")
    q = geometry.quaternion_of(rng.normal(size=3))
    places = geometry.rotate_by_quaternion(np.tile(q, (2, 1)), graph.poses[:, :3]) + rng.normal(size=3)
    turned = geometry.quaternion_product(np.tile(q, (2, 1)), graph.poses[:, 3:])
    moved = graph.with_poses(np.column_stack([places, turned]))
    assert np.allclose(moved.residuals(), graph.residuals(), atol=1e-14)


def test_whitening_squares_to_the_information_even_where_that_is_singular() -> None:
    graph = parse_g2o(SPATIAL, "three.g2o")
    full = graph.information.copy()
    half = full.copy()
    half[0, 3:], half[0, :, 3:] = 0.0, 0.0
    for omega in (full, half):
        W = whitening(omega)
        assert np.allclose(np.swapaxes(W, 1, 2) @ W, omega, atol=1e-12)
    assert np.allclose(whitening(full)[0], np.triu(whitening(full)[0]))


def test_a_graph_hangs_on_its_fixed_poses_or_its_first() -> None:
    assert parse_g2o(PLANAR, "two.g2o").anchors().tolist() == [True, False]
    assert parse_g2o(PLANAR.replace("FIX 0", "FIX 5"), "two.g2o").anchors().tolist() == [False, True]
    assert parse_g2o(PLANAR.replace("FIX 0", ""), "two.g2o").anchors().tolist() == [True, False]


@pytest.mark.parametrize("start", ["file", "chordal"])
def test_a_graph_in_parts_hangs_on_a_pose_of_each(start: str) -> None:
    lines = [f"VERTEX_SE2 {k} {k % 4} {0.1 * k} 0.05" for k in range(12)]
    lines += [f"EDGE_SE2 {k} {k + 1} 1 0 0.1 1 0 0 1 0 1" for k in range(11) if k % 4 != 3]
    graph = parse_g2o("\n".join([*lines, "FIX 6"]), "parts.g2o")
    assert np.flatnonzero(graph.anchors()).tolist() == [0, 6, 8]
    if start == "chordal":
        graph = graph.with_poses(geometry.chordal_start(graph))
    solved = mq.solve(graph.problem())
    assert solved.success and solved.cost < 1e-20


def test_the_way_is_shown_flat_or_in_space() -> None:
    flat, deep = parse_g2o(PLANAR, "two.g2o"), parse_g2o(SPATIAL, "three.g2o")
    assert flat.places()[:, 2].tolist() == [0, 0] and deep.places()[1].tolist() == [1, 2, 3]
    assert flat.world().links is flat.edges


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("1_0", "'1_0' is not a number"),
        ("0x10", "'0x10' is not a number"),
        ("1e999", "a number is not finite"),
        ("\x07", "line 6: this is not a file of plain text"),
        ("é", "line 6: this is not a file of plain text"),
    ],
)
def test_what_is_a_number_in_python_only_or_none_is_refused(word: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "odd.g2o"
    path.write_text(PLANAR.replace("0 5 1 0 1.5", f"0 5 {word} 0 1.5"), encoding="utf-8")
    with pytest.raises(FileError, match=said):
        read_g2o(path)


def test_names_and_quaternions_beyond_all_bounds_are_refused() -> None:
    with pytest.raises(FileError, match=r"pose 1e\+300 is not a whole number"):
        parse_g2o(PLANAR.replace("VERTEX_SE2 5", "VERTEX_SE2 1e300"), "a.g2o")
    with pytest.raises(FileError, match="line 2: the quaternion is huge"):
        parse_g2o(SPATIAL.replace("0 0 0.6 0.8000001", "0 0 1e200 1"), "a.g2o")


@pytest.mark.parametrize("seed", range(3))
def test_false_closures_are_found_where_the_way_is_believed(seed):
    scene = scenes.manhattan(400, 150, false=20, seed=seed)
    problem = scene.start.problem(closures=True)
    result = mq.solve(problem, robust=mq.GNC(scale=5.0, families=["closure"]))
    dropped = np.flatnonzero(scene.start.closures)[result.weights["closure"] < 0.5]
    assert result.success and np.array_equal(dropped, np.sort(scene.false))


def test_a_loss_concerns_closures_where_they_are_a_family():
    graph = scenes.manhattan(60, 20).start
    compiled = graph.problem(loss=mq.Huber(1.0), closures=True).compile()
    assert [(f.name, f.n, f.loss is None) for f in compiled.families] == [
        ("edge", 59, True), ("closure", int(graph.closures.sum()), False),
    ]  # fmt: skip
