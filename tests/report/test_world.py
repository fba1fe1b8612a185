"""The world as a page in a real browser: it turns, goes from before to after, and asks for nothing."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from marquardt import geometry
from marquardt.errors import DataError
from marquardt.report import world_page as report
from marquardt.report.world import World
from marquardt.report.world_page import page

from .browser import Browser, find
from .test_browser import SHOTS

SUM = (
    "(() => { const c = document.getElementById('canvas'), d = c.getContext('2d')"
    ".getImageData(0, 0, c.width, c.height).data; let s = 0, b = d[0];"
    "for (let i = 0; i < d.length; i += 4) s += d[i] !== b; return s })()"
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = find()
    if program is None:
        pytest.skip("no browser: apt-get install chromium, or name one in MARQUARDT_BROWSER")
    with Browser(program) as started:
        yield started


def town(m: int = 4000) -> World:
    rng = np.random.default_rng(0)
    after = rng.uniform([-4, -2, 6], [4, 2, 14], (m, 3))
    w = np.column_stack([np.zeros(9), np.linspace(-0.5, 0.5, 9), np.zeros(9)])
    axes = np.swapaxes(geometry.matrix_of(w), 1, 2)
    centers = np.column_stack([np.linspace(-4, 4, 9), np.zeros((9, 2))])
    before = after + rng.normal(0, 0.8, after.shape)
    facts = {"cost": "1,234.5 → 12.3", "points": f"{m:,}"}
    moved = centers + rng.normal(0, 0.2, centers.shape)
    return World("A <town>", (before, after), (moved, centers), (axes, axes), facts=facts)


def loop() -> World:
    angle = np.linspace(0, 6, 60)
    after = np.column_stack([np.cos(angle), np.sin(angle), np.zeros(60)])
    links = np.vstack([np.column_stack([np.arange(59), np.arange(1, 60)]), [[0, 59]]])
    return World("loop", (after * np.linspace(1, 2, 60)[:, None], after), links=links, names=("", "pose"))


def show(browser: Browser, world: World, path: Path) -> None:
    path.write_text(page(world), encoding="utf-8")
    browser.errors.clear()
    browser.requests.clear()
    browser.open(path)
    browser.wait_for("!!window.view && view.state.frames > 0")


def data_of(world: World) -> dict:
    found = re.search(r"<script id='world'[^>]*>(.*?)</script>", page(world))
    assert found is not None
    return dict(json.loads(found[1]))


def floats(text: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), "<f4").reshape(-1, 3)


def test_the_page_shows_points_and_cameras_without_errors_and_without_network(browser, tmp_path) -> None:
    show(browser, town(), tmp_path / "town.html")
    full = browser.run(SUM)
    assert full > 5000
    browser.screenshot(SHOTS / "world.png")
    browser.run("document.getElementById('cameras').click(), view.draw()")
    without = browser.run(SUM)
    assert 0 < without < full
    browser.run("document.getElementById('points').click(), view.draw()")
    assert browser.run(SUM) == 0
    assert browser.errors == [] and len(browser.requests) == 1
    assert browser.run("document.querySelector('h1').textContent") == "A <town>"
    assert browser.run("document.querySelector('dd').textContent") == "1,234.5 → 12.3"


def test_buttons_lead_from_before_to_after(browser, tmp_path) -> None:
    show(browser, town(), tmp_path / "town.html")
    assert browser.run("view.state.time") == 1
    browser.run("document.getElementById('before').click()")
    browser.wait_for("view.state.time === 0")
    browser.screenshot(SHOTS / "world_before.png")
    browser.run("document.getElementById('after').click()")
    browser.wait_for("view.state.time === 1")
    browser.run(
        "(s => { s.value = 0.3; s.dispatchEvent(new Event('input')) })(document.getElementById('time'))"
    )
    assert browser.run("view.state.time") == pytest.approx(0.3)


def test_the_mouse_turns_and_the_keys_zoom_and_reset(browser, tmp_path) -> None:
    show(browser, town(), tmp_path / "town.html")
    yaw, pitch = browser.run("[view.state.yaw, view.state.pitch]")
    browser.mouse("mousePressed", 500, 400)
    browser.mouse("mouseMoved", 600, 430)
    browser.mouse("mouseReleased", 600, 430)
    browser.wait_for(f"view.state.yaw < {yaw} - 0.5 && view.state.pitch > {pitch} + 0.1")
    key = "document.getElementById('canvas').dispatchEvent(new KeyboardEvent('keydown', {key: '%s'}))"
    browser.run(key % "+")
    assert browser.run("view.state.distance") < 2.3
    browser.run(key % "r")
    assert browser.run("[view.state.yaw, view.state.pitch]") == [yaw, pitch]


def test_light_and_dark_are_a_button_apart(browser, tmp_path) -> None:
    show(browser, town(), tmp_path / "town.html")
    color = "getComputedStyle(document.body).backgroundColor"
    first = browser.run(color)
    browser.run("document.getElementById('theme').click()")
    browser.wait_for(f"{color} !== {first!r}")
    browser.run("document.getElementById('ghost').click(), view.draw()")
    browser.screenshot(SHOTS / "world_dark.png")
    browser.run("document.getElementById('theme').click()")
    browser.wait_for(f"{color} === {first!r}")


def test_a_pose_graph_shows_its_way_and_its_closures(browser, tmp_path) -> None:
    show(browser, loop(), tmp_path / "loop.html")
    assert browser.run("document.getElementById('cameras').closest('label').hidden")
    full = browser.run(SUM)
    browser.run("document.getElementById('links').click(), view.draw()")
    assert 0 < browser.run(SUM) < full
    browser.screenshot(SHOTS / "world_loop.png")
    assert browser.errors == []
    assert data_of(loop())["chain"] == 59 and data_of(loop())["pitch"] == 1.2


def test_a_hundred_thousand_points_are_a_small_page_that_moves(browser, tmp_path) -> None:
    show(browser, town(100_000), tmp_path / "town.html")
    assert (tmp_path / "town.html").stat().st_size < 4_000_000
    took = browser.run(
        "(() => { const t = performance.now(); for (let i = 0; i < 5; i++) view.draw();"
        "return (performance.now() - t) / 5 })()"
    )
    assert took < 200


def test_the_world_stands_upright_with_size_one() -> None:
    data = data_of(town())
    _, after = (floats(side) for side in data["points"])
    centers = floats(data["cameras"][1])
    assert np.linalg.norm(after, axis=1).max() < 2 and np.linalg.norm(centers, axis=1).max() < 2
    # The cameras looked along z of their world with y down: now z is up, and they are level.
    assert np.ptp(centers[:, 2]) < 1e-5 and np.ptp(centers[:, :2], axis=0).max() > 0.9
    town_height, page_height = town().points[1][:, 1], after[:, 2]
    assert np.corrcoef(town_height, page_height)[0, 1] < -0.9999


def test_too_many_points_are_thinned_evenly_and_those_not_finite_left_out(monkeypatch) -> None:
    monkeypatch.setattr(report, "MOST_POINTS", 1000)
    world = town()
    world.points[1][0] = np.nan
    shown = floats(data_of(world)["points"][1])
    assert 500 < len(shown) <= 1000 and np.isfinite(shown).all()


def test_own_colors_are_kept() -> None:
    world = town(2)
    colors = np.array([[255, 0, 0], [0, 0, 255]], dtype=np.uint8)
    found = data_of(World("t", world.points, colors=colors))["colors"]
    assert list(base64.b64decode(found)) == colors.ravel().tolist()


def test_nothing_to_show_is_said() -> None:
    nothing = np.full((3, 3), np.nan)
    with pytest.raises(DataError, match="nothing to show"):
        page(World("t", (nothing, nothing)))


def test_pictures_show_before_and_after_in_space_and_flat(tmp_path) -> None:
    for world in (town(), loop()):
        figure = world.plot()
        assert [axes.get_title() for axes in figure.axes] == ["before", "after"]
        assert all(axes.collections for axes in figure.axes)
        figure.savefig(tmp_path / "world.png")
    world = World("ball", (np.eye(3), 2 * np.eye(3)), links=np.array([[0, 1], [1, 2], [0, 2]]))
    assert len(world.plot().axes[1].collections) == 2
