"""Every example in the documentation runs: docstrings, and the pages, which print what they show."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
from pathlib import Path

import numpy as np
import pytest

import marquardt

from .pages import ROOT, run, same

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]
PICTURES = ROOT / "docs" / "pictures"
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
def test_a_page_runs_and_prints_and_draws_what_it_shows(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "src").symlink_to(ROOT / "src")  # the pages name files as seen from a checkout
    drawn = tmp_path / "docs" / "pictures"
    drawn.mkdir(parents=True)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    for printed in run(page):
        if printed.shown is not None:
            assert same(printed.actual, printed.shown), f"printed:\n{printed.actual}\nshown:\n{printed.shown}"
    for picture in drawn.iterdir():
        assert (PICTURES / picture.name).exists(), f"{picture.name} is not committed: python -m tests.pages"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_of_a_page_lead_to_files(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CONTRIBUTING.md"], ids=lambda p: p.name)
def test_source_files_that_a_page_names_exist(page: Path) -> None:
    """From the root, or by the last parts of its path."""
    sources = [
        path.as_posix()
        for folder in ("core", "src", "tests", "tools")
        for path in (ROOT / folder).rglob("*.*")
    ]
    for named in re.findall(r"`([\w/.]+\.(?:rs|py|sh))`", page.read_text()):
        assert any(source.endswith("/" + named) for source in sources), named


@pytest.mark.parametrize("picture", sorted(PICTURES.glob("*")), ids=lambda p: p.name)
def test_pictures_are_small_and_shown(picture: Path) -> None:
    assert picture.stat().st_size < 100_000
    assert any(f"pictures/{picture.name}" in page.read_text() for page in PAGES)


def test_output_may_differ_by_rounding_and_long_counts_but_not_in_words() -> None:
    assert same("go 3632 1.2e-29 cost  5.0", "go 4430 8.8e-27 cost 5.01")
    assert same("0.1 rounding errors", "4.2 rounding errors")
    assert not same("go 1.0", "stop 1.0")
    assert not same("cost 5.0", "cost 6.0")
    assert not same("1 2", "1 2 3")
