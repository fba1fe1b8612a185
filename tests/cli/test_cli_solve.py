"""``marquardt solve``: problems in, solutions, clouds and views out, words, an exit code."""

from __future__ import annotations

import gzip
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from marquardt.cli import main
from marquardt.datasets import BalProblem, PoseGraph, read_bal, read_colmap, read_g2o, scenes, write_colmap
from marquardt.datasets.bal import reprojection
from tests.datasets.test_colmap import model


def town(noise: float = 0.5, seed: int = 0) -> BalProblem:
    """Eight cameras around sixty points, all seen by all."""
    rng = np.random.default_rng(seed)
    n, m = 8, 60
    cameras = np.zeros((n, 9))
    cameras[:, 1] = np.linspace(-0.6, 0.6, n)
    cameras[:, 5], cameras[:, 6] = -6.0, 500.0
    points = rng.uniform(-1, 1, (m, 3))
    camera, point = (v.ravel() for v in np.meshgrid(np.arange(n), np.arange(m), indexing="ij"))
    seen = reprojection(cameras[camera], points[point], rng.normal(0, noise, (n * m, 2)))
    return BalProblem("town", cameras, points, camera, point, seen)


def moved(problem: BalProblem, size: float = 0.02) -> BalProblem:
    rng = np.random.default_rng(1)
    cameras = problem.cameras + size * rng.normal(size=problem.cameras.shape) * ([1] * 6 + [50, 0, 0])
    return problem.with_values(cameras, problem.points + size * rng.normal(size=problem.points.shape))


def ring(n: int = 40) -> PoseGraph:
    """A way around twice, with closures; its start has drifted."""
    rng = np.random.default_rng(0)
    angle = np.linspace(0, 4 * np.pi, n, endpoint=False)
    truth = np.column_stack([5 * np.cos(angle), 5 * np.sin(angle), angle + np.pi / 2])
    i = np.concatenate([np.arange(n - 1), np.arange(n // 2)])
    j = np.concatenate([np.arange(1, n), np.arange(n // 2, n)])
    c, s, d = np.cos(truth[i, 2]), np.sin(truth[i, 2]), truth[j] - truth[i]
    z = np.column_stack([c * d[:, 0] + s * d[:, 1], c * d[:, 1] - s * d[:, 0], d[:, 2]])
    z[:, 2] = np.angle(np.exp(1j * z[:, 2]))
    information = np.tile(np.diag([400.0, 400, 2500]), (len(i), 1, 1))
    start = truth * np.linspace(1, 1.2, n)[:, None]
    start[:, 2] = truth[:, 2] + np.linspace(0, 0.5, n)
    edges, z = np.stack([i, j], 1), z + rng.normal(0, [0.05, 0.05, 0.02], z.shape)
    return PoseGraph("ring", "SE2", np.arange(n) + 100, start, edges, z, information, np.zeros(0, np.intp))


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    moved(town()).write("town.txt")
    ring().write("ring.g2o")
    noisy = model(noise=0.5)
    rng = np.random.default_rng(2)
    shift = np.zeros_like(noisy.images)
    shift[:, :3] = rng.normal(0, 0.05, (12, 3))
    write_colmap(noisy.with_values(noisy.images + shift, noisy.points), "colmap")


def cost(problem: BalProblem) -> float:
    return 0.5 * float((problem.residuals() ** 2).sum())


def test_a_town_is_solved_and_told_about(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["solve", "town.txt", "--out", "solved.txt"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("town: 8 cameras, 60 points, 480 observations\n")
    assert re.search(r"^ *1 +\d\.\d+e[+-]\d\d ", out, re.MULTILINE), "a line for each step"
    assert "converged: cost tolerance reached" in out
    assert re.search(
        r"reprojection error: median 0\.\d+, 90 % [\d.]+, 99 % [\d.]+, largest [\d.]+ pixels", out
    )
    assert re.search(r"worst cameras: \d \(rms 0\.\d+ in 60\), \d", out)
    assert re.search(r"worst points: \d+ \(rms [\d.]+ in 8\)", out) and "behind" not in out
    start, solved = read_bal("town.txt"), read_bal("solved.txt")
    expected = 0.5 * 0.25 * (2 * 480 - (8 * 9 + 60 * 3 - 7))
    assert cost(start) > 20 * expected and cost(solved) == pytest.approx(expected, rel=0.15)


def test_packed_files_are_solved_too_and_quietly(capsys) -> None:
    Path("town.txt.gz").write_bytes(gzip.compress(Path("town.txt").read_bytes()))
    assert main(["solve", "town.txt.gz", "--quiet"]) == 0
    out = capsys.readouterr().out
    assert not re.search(r"^ *1 +\d\.\d+e", out, re.MULTILINE)


def test_what_is_fixed_stays_where_it_is() -> None:
    assert main(["solve", "town.txt", "--quiet", "--fix", "camera:0,point:3-5", "--out", "o.txt"]) == 0
    start, solved = read_bal("town.txt"), read_bal("o.txt")
    assert np.array_equal(start.cameras[0], solved.cameras[0])
    assert np.array_equal(start.points[3:6], solved.points[3:6])
    assert not np.isclose(start.cameras[1:], solved.cameras[1:]).all(axis=1).any()


def test_cloud_view_and_uncertainty_are_written_on_request(capsys) -> None:
    code = main(["solve", "town.txt", "--quiet", "--covariance", "--ply", "a.ply", "--html", "a.html"])
    assert code == 0
    out = capsys.readouterr()
    assert re.search(r"standard deviation of translations: median \d", out.out)
    assert out.err == "cloud: a.ply\nview: a.html\n"
    assert b"element vertex 68\n" in Path("a.ply").read_bytes()
    page = Path("a.html").read_text(encoding="utf-8")
    assert "<h1>town</h1>" in page and "<dt>points</dt><dd>60</dd>" in page and "→" in page


@pytest.mark.parametrize("option", [["--loss", "huber:1"], ["--robust", "gnc:3"]])
def test_false_observations_do_not_decide(option: list[str]) -> None:
    clean = town()
    seen = clean.observed.copy()
    false = np.random.default_rng(3).choice(len(seen), 48, replace=False)
    seen[false] += np.random.default_rng(4).uniform(-30, 30, (48, 2))
    start = moved(clean)
    spoiled = BalProblem("s", start.cameras, start.points, clean.camera_index, clean.point_index, seen)
    spoiled.write("spoiled.txt")
    assert main(["solve", "spoiled.txt", "--quiet", "--out", "robust.txt", *option]) == 0
    assert main(["solve", "spoiled.txt", "--quiet", "--out", "plain.txt"]) == 0
    right = np.delete(np.arange(len(seen)), false)

    def error(path: str) -> float:
        return float(np.median(np.linalg.norm(read_bal(path).residuals()[right], axis=1)))

    assert error("robust.txt") < 0.7 < 1.4 < error("plain.txt")


@pytest.mark.parametrize("start", ["file", "chordal"])
def test_a_pose_graph_is_straightened(start: str, capsys) -> None:
    assert main(["solve", "ring.g2o", "--start", start, "--out", "o.g2o", "--html", "o.html"]) == 0
    out = capsys.readouterr().out
    assert "edge error: median" in out and "standard deviations; rms" in out
    assert re.search(r"worst poses: 1\d\d \(rms", out) and re.search(r"worst edges: 1\d\d-1\d\d \(", out)
    before, after = ring(), read_g2o("o.g2o")
    assert (before.distances() ** 2).sum() > 1000
    dof = 3 * (len(after.edges) - len(after.poses) + 1)
    assert (after.distances() ** 2).sum() == pytest.approx(dof, rel=0.5)
    assert np.array_equal(after.poses[0], before.poses[0])


def test_poses_and_images_are_held_by_the_numbers_of_their_files(capsys) -> None:
    assert main(["solve", "ring.g2o", "--quiet", "--fix", "pose:103-104", "--out", "o.g2o"]) == 0
    kept = (read_g2o("o.g2o").poses == ring().poses).all(axis=1)
    assert np.flatnonzero(kept).tolist() == [0, 3, 4]
    assert main(["solve", "colmap", "--quiet", "--fix", "image:5,point:101", "--out", "better"]) == 0
    before, after = read_colmap("colmap"), read_colmap("better")
    same = np.isclose(before.images, after.images, rtol=1e-13, atol=1e-13).all(axis=1)
    assert np.flatnonzero(same).tolist() == [0]
    kept = (before.points == after.points).all(axis=1)
    seen = np.bincount(before.keypoint_point[before.seen], minlength=20)
    assert np.flatnonzero(kept & (seen > 0)).tolist() == [1]
    assert main(["solve", "ring.g2o", "--fix", "pose:3"]) == 2
    assert "--fix pose:3: ring has no pose 3" in capsys.readouterr().err


def test_a_colmap_folder_is_solved_and_written_back(capsys) -> None:
    assert main(["solve", "colmap", "--quiet", "--out", "better", "--ply", "c.ply"]) == 0
    out = capsys.readouterr().out
    assert "worst images: shot" in out and "worst points: 1" in out
    before, after = read_colmap("colmap"), read_colmap("better")
    assert (before.residuals() ** 2).sum() > 20 * (after.residuals() ** 2).sum()
    for old, new, kind in zip(before.intrinsics, after.intrinsics, before.camera_models, strict=True):
        center = slice(1, 3) if len(old) in (4, 5) and kind != "PINHOLE" else slice(2, 4)
        if kind in ("RADIAL", "OPENCV"):
            assert np.array_equal(old[center], new[center])


def test_points_behind_their_camera_are_counted(capsys) -> None:
    problem = town()
    cameras = problem.cameras.copy()
    cameras[3, 5] = 6
    BalProblem(
        "b", cameras, problem.points, problem.camera_index, problem.point_index, problem.observed
    ).write("behind.txt")
    main(["solve", "behind.txt", "--quiet", "--max-iterations", "0"])
    assert "behind: 60 observations are of points behind their camera (camera 3)" in capsys.readouterr().out


def test_a_limit_ends_with_code_1(capsys) -> None:
    assert main(["solve", "town.txt", "--max-iterations", "1", "--quiet", "--out", "o.txt"]) == 1
    assert "1 steps >= max_iterations" in capsys.readouterr().out and Path("o.txt").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nothing.txt"], "nothing.txt cannot be read"),
        (["."], "is a folder without cameras.txt, images.txt and points3D.txt"),
        (["odd.txt"], "odd.txt is neither a bundle adjustment file .* nor a pose graph"),
        (["town.txt", "--loss", "hubert:1"], "--loss hubert:1: write NAME:SCALE, as in huber:1"),
        (["town.txt", "--loss", "huber:x"], "--loss huber:x: write NAME:SCALE"),
        (["town.txt", "--loss", "huber:-1"], "the scale is a positive number"),
        (["town.txt", "--robust", "gmc"], "--robust gmc: write gnc, or gnc:SCALE"),
        (["town.txt", "--robust", "gnc:x"], "--robust gnc:x: 'x' is not a number"),
        (["town.txt", "--fix", "camera"], "--fix camera: write NAME:INDEX or NAME:FIRST-LAST"),
        (["town.txt", "--fix", "camera:8"], "camera 8 cannot be held: there are 8, counted from 0"),
        (["town.txt", "--fix", "pose:0"], "nothing called 'pose' to hold"),
        (["town.txt", "--start", "chordal"], "--start chordal is for pose graphs"),
        (["town.txt", "--out", "no/where.txt"], "--out no/where.txt: there is no folder no"),
        (["town.txt", "--max-iterations", "-1"], "max_iterations = -1: a whole number is needed"),
    ],
)
def test_bad_input_is_named_and_nothing_is_written(arguments: list[str], said: str, capsys) -> None:
    Path("odd.txt").write_text("x y\n1 2\n")
    assert main(["solve", *arguments, "--html", "o.html"]) == 2
    assert re.search(said, capsys.readouterr().err) and not Path("o.html").exists()


def test_a_malformed_file_names_its_line(capsys) -> None:
    lines = Path("town.txt").read_text().splitlines()
    lines[5] = "0 60 1 1"
    Path("bad.txt").write_text("\n".join(lines))
    assert main(["solve", "bad.txt"]) == 2
    assert "bad.txt, line 6: point 60 does not exist; there are 60" in capsys.readouterr().err


def test_false_closures_of_a_pose_graph_are_found(capsys: pytest.CaptureFixture[str]) -> None:
    scene = scenes.manhattan(400, 150, false=20)
    scene.start.write("walk.g2o")
    assert main(["solve", "walk.g2o", "--quiet", "--robust", "gnc:5", "--out", "straight.g2o"]) == 0
    assert re.search(r" 20 of \d+ not believed", capsys.readouterr().out)
    off = read_g2o("straight.g2o").poses[:, :2] - scene.truth.poses[:, :2]
    assert np.abs(off).max() < 3.0


def test_what_is_not_determined_is_said_before_solving(capsys: pytest.CaptureFixture[str]) -> None:
    scene = scenes.street(12, 1500).start
    at_nine = scene.point_index == 9
    keep = (scene.point_index != 7) & (~at_nine | (np.cumsum(at_nine) == 1))
    parts = {name: getattr(scene, name)[keep] for name in ("camera_index", "point_index", "observed")}
    replace(scene, **parts).write("weak.txt")
    assert main(["solve", "weak.txt"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[1].startswith("- point[7] is in no residual")
    assert said[2].startswith("- point[9] has 2 residuals")
    assert main(["solve", "weak.txt", "--quiet"]) == 0
    again = capsys.readouterr().out.splitlines()
    assert said[1] not in again[:3] and set(said[1:3]) <= set(again)  # in the report
