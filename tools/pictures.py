"""Draws pictures of the pages into docs/: python tools/pictures.py (the tutorial draws its own: make docs)

The picture of the explorer needs a browser (chromium) and is left as it is without one.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import marquardt as mq  # noqa: E402
from marquardt.cli.demos import DEMOS  # noqa: E402
from marquardt.datasets import michaelis_menten  # noqa: E402
from tests.report.browser import Browser, find  # noqa: E402

DOCS = ROOT / "docs"
STEP = 10
"""The trial step that the picture of the explorer shows."""


def main() -> None:
    assay = michaelis_menten()
    save(mq.fit(assay.formula, data=assay).plot(), "michaelis")
    rosenbrock = DEMOS["rosenbrock"].run()
    ways = rosenbrock.plot_landscape()
    ways.axes[0].set_ylim(-0.6, 1.25)  # the sprinter leaps out of this picture, for the sake of the others
    save(ways, "rosenbrock_ways")
    program = find()
    if program is None:
        print("no browser: docs/explorer.png is left as it is")
        return
    explorer(program, mq.fit(assay.formula, data=assay, start={"Vmax": 80, "Km": 1.0}, method="marquardt"))


def save(figure: Any, name: str) -> None:
    figure.savefig(DOCS / f"{name}.png", dpi=110)
    shrink(DOCS / f"{name}.png")


def explorer(program: str, fit: Any) -> None:
    """A screenshot of the explorer at one step."""
    with tempfile.TemporaryDirectory() as folder, Browser(program) as browser:
        page = Path(folder) / "page.html"
        fit.to_html(page)
        browser.open(page)
        browser.wait_for("!!document.querySelector('#explorer .slider-grip-rect')")
        jump = f"Plotly.relayout('explorer', {{'sliders[0].active': {STEP - 1}}})"
        show = f"Plotly.animate('explorer', ['{STEP}'], {{mode: 'immediate', transition: {{duration: 0}}}})"
        browser.run(f"{show}.then(() => {jump}).then(() => 1)")
        browser.screenshot(DOCS / "explorer.png", "#explorer")


def shrink(path: Path) -> None:
    """Fewer colors: a third of the bytes, and no difference to the eye."""
    from PIL import Image

    Image.open(path).convert("RGB").quantize(128).save(path, optimize=True)


if __name__ == "__main__":
    main()
