"""The house rules that a machine can check."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import marquardt

SOURCE = Path(marquardt.__file__).parent
FLOORS = {  # imports look down: a room may import rooms of a lower floor and its own
    "errors": 0, "masked": 0, "options": 1, "geometry": 1, "expr": 2, "models": 3,
    "problem": 3, "solve": 4, "stats": 5, "curve": 6, "report": 7, "datasets": 7, "compat": 7,
    "batch": 8, "cli": 9,
}  # fmt: skip
# A result prints itself and works out its uncertainty: imported inside the method that is asked for it.
LATE = {
    ("problem", "report"), ("solve", "report"), ("solve", "stats"), ("curve", "report"),
    ("datasets", "report"),
}  # fmt: skip


def room(module: str) -> str:
    return module.split(".")[1] if module.count(".") else module


def imports(path: Path) -> list[tuple[str, bool]]:
    """Modules of ours that a file imports, and whether at its top."""
    tree = ast.parse(path.read_text())
    package = ["marquardt", *path.relative_to(SOURCE).with_suffix("").parts]
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level] if node.level else []
            if path.name == "__init__.py" and node.level:
                base = package[: len(package) - node.level]
            names = [".".join([*base, *(node.module or "").split(".")]).strip(".")]
            if node.module is None:
                names = [".".join([*base, alias.name]) for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        found += [(n, node in tree.body) for n in names if n.startswith("marquardt.")]
    return found


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda p: str(p.relative_to(SOURCE)))
def test_imports_look_down_never_up(path: Path) -> None:
    here = path.relative_to(SOURCE).with_suffix("").parts[0]
    if here not in FLOORS:
        return  # the front door (__init__, __main__) sees all rooms
    for module, at_top in imports(path):
        there = room(module)
        if there in ("_core", here):
            continue
        assert there in FLOORS, f"{path} imports {module}, a room without a floor"
        below = FLOORS[there] < FLOORS[here]
        assert below or (not at_top and (here, there) in LATE), (
            f"{path} imports {module}, which is not below it"
        )


def test_importing_marquardt_loads_neither_scipy_nor_matplotlib() -> None:
    code = "import sys, marquardt; print([m for m in ('scipy', 'matplotlib', 'pandas') if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_no_eval_no_pickle_in_the_sources() -> None:
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in ("eval", "exec"), f"{path}:{node.lineno}"
            if isinstance(node, ast.Import):
                assert all(a.name.split(".")[0] != "pickle" for a in node.names), f"{path}:{node.lineno}"
