"""Every example in the documentation runs: docstrings, and the Python and `marquardt` blocks of the pages."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
import shlex
from pathlib import Path

import numpy as np
import pytest

import marquardt
from marquardt.cli import main

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]
MODULES = [
    m.name
    for m in pkgutil.walk_packages(marquardt.__path__, "marquardt.")
    if m.name not in ("marquardt._core", "marquardt.__main__")
]


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples(name: str) -> None:
    with np.printoptions(legacy=False):
        failed, _ = doctest.testmod(importlib.import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert failed == 0


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_examples_of_the_pages(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "src").symlink_to(ROOT / "src")  # the pages name files as seen from a checkout
    monkeypatch.setenv("MPLBACKEND", "Agg")
    space: dict[str, object] = {}
    for language, block in re.findall(
        r"^```(python|sh)\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE
    ):
        if language == "python":
            exec(compile(block, str(page), "exec"), space)
            continue
        for line in re.sub(r"\\\n\s*", "", block).splitlines():
            if line.startswith("marquardt "):
                words = shlex.split(line, comments=True)[1:]
                assert main(words) == 0, line
