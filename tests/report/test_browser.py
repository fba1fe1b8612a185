"""The page in a real browser: it loads without errors and without network, and its slider moves."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import marquardt as mq
from marquardt.datasets import mgh, michaelis_menten, nist

from .browser import Browser, find

SHOTS = Path(os.environ.get("MARQUARDT_SCREENSHOTS", Path(__file__).parents[2] / "screenshots"))
STEP = "document.getElementById('explorer')._fullLayout.sliders[0].active"
TITLE = "document.getElementById('explorer')._fullLayout.title.text"
BOX = "document.querySelector('#explorer .slider-%s-rect').getBoundingClientRect()"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = find()
    if program is None:
        pytest.skip("no browser: apt-get install chromium, or name one in MARQUARDT_BROWSER")
    with Browser(program) as started:
        yield started


def show(browser: Browser, fit: mq.FitResult, path: Path) -> None:
    fit.to_html(path)
    browser.errors.clear()
    browser.requests.clear()
    browser.open(path)
    browser.wait_for("!!document.querySelector('#explorer .slider-grip-rect')")


def drag_slider(browser: Browser, part: float) -> None:
    """With the mouse, as a person would: grip the handle and pull it to a part of the rail."""
    browser.run("document.getElementById('explorer').scrollIntoView({block: 'end'})")
    x, y = browser.run(f"(e => [e.x + e.width / 2, e.y + e.height / 2])({BOX % 'grip'})")
    left, width = browser.run(f"(e => [e.x, e.width])({BOX % 'rail'})")
    browser.mouse("mousePressed", x, y)
    browser.mouse("mouseMoved", left + part * width, y)
    browser.mouse("mouseReleased", left + part * width, y)


def test_a_page_loads_without_errors_and_without_network(browser: Browser, tmp_path: Path) -> None:
    data = michaelis_menten()
    fit = mq.fit(data.formula, data=data, start={"Vmax": 80, "Km": 1.0})
    show(browser, fit, tmp_path / "page.html")
    browser.screenshot(SHOTS / "michaelis.png")
    assert browser.errors == []
    assert all(url.startswith(("file:", "data:", "blob:")) for url in browser.requests)


def test_the_slider_moves_through_the_dance(browser: Browser, tmp_path: Path) -> None:
    problem = nist("Thurber")
    fit = mq.fit(problem.formula, data=problem, start=problem.start1)
    show(browser, fit, tmp_path / "page.html")
    first = browser.run(TITLE)
    assert browser.run(STEP) == 0 and "Step 1 of" in first
    drag_slider(browser, 0.4)
    browser.wait_for(f"{STEP} > 1 && {TITLE} !== {first!r}")
    step = int(browser.run(STEP))
    browser.wait_for(f"{TITLE}.startsWith('Step {step + 1} of')")
    browser.screenshot(SHOTS / "thurber.png")
    assert browser.errors == []


def test_a_page_of_one_parameter_moves_too(browser: Browser, tmp_path: Path) -> None:
    data = michaelis_menten()
    fit = mq.fit(data.formula, data=data, start={"Vmax": 212, "Km": 1.0}, fixed=["Vmax"])
    show(browser, fit, tmp_path / "page.html")
    drag_slider(browser, 0.6)
    browser.wait_for(f"{STEP} > 0")
    browser.screenshot(SHOTS / "one_parameter.png")
    assert browser.errors == []


def test_a_comparison_loads_with_an_explorer_for_every_method(browser: Browser, tmp_path: Path) -> None:
    problem = mgh.load("rosenbrock")
    found = mq.compare(problem.residuals, x0=problem.start, methods=["gauss-newton", "levenberg", "auto"])
    found.to_html(tmp_path / "page.html")
    browser.errors.clear()
    browser.open(tmp_path / "page.html")
    browser.wait_for("document.querySelectorAll('.slider-grip-rect').length === 3")
    browser.screenshot(SHOTS / "comparison.png")
    assert browser.errors == []
