"""SciPy's own test modules for the three functions, run on ours where SciPy was installed with its tests."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

MODULES = ("test_least_squares.py", "test_minpack.py")
ALWAYS = {
    "test_x_scale_options": "asks for x = 0 to the last bit; ours is 1e-20",
    "test_options": "asks for x = 0 to 1e-15 of x^2 + 5 with arctan; ours stalls at 1e-9 and says so",
    "test_numerical_jac": "asks for as many evaluations with jac_sparsity as without",
}
EXPLAINED = {
    "traced": {
        **ALWAYS, "test_gh4555b": "asks for seven digits; those of the minimum differ by 2e-6"
    },
    "called back": {**ALWAYS, "test_basic": "asks for x = 0 to 1e-10 where x^2 + 5 is flat to rounding"},
}  # fmt: skip
"""Tests that need not pass, and why: the list in docs/from-scipy.md."""
ENOUGH = 0.95

UNTRACED = """
import importlib
from marquardt.problem.model import Model

def model_for(function, arguments, shapes, options=None):
    model = Model(function, shapes, options or {})
    model.distrust("functions are called back here")
    return model

for room in ("least_squares", "curve_problem"):
    importlib.import_module("marquardt.compat." + room).model_for = model_for
"""

CONFTEST = """
import scipy.optimize
from marquardt.compat import scipy as ours

class Optimize:
    def __getattr__(self, name):
        return getattr(ours if name in ours.__all__ else scipy.optimize, name)

def pytest_configure(config):
    for mark in ("fail_slow", "parallel_threads_limit", "thread_unsafe", "xslow"):
        config.addinivalue_line("markers", mark + ": of SciPy's")

def pytest_collection_modifyitems(items):
    for module in {item.module for item in items}:
        for name in ours.__all__:
            if hasattr(module, name):
                setattr(module, name, getattr(ours, name))
        if hasattr(module, "optimize"):
            module.optimize = Optimize()
    items[:] = [i for i in items if i.module.__name__ == "test_least_squares"
                or i.nodeid.split("::")[1] in ("TestCurveFit", "TestLeastSq")]
"""


@pytest.mark.parametrize("mode", EXPLAINED)
def test_scipys_own_tests_pass_but_for_those_explained(tmp_path: Path, mode: str) -> None:
    spec = find_spec("scipy.optimize")
    assert spec is not None and spec.origin is not None
    theirs = Path(spec.origin).parent / "tests"
    if not all((theirs / name).exists() for name in MODULES):
        pytest.skip("SciPy is installed without its tests")
    for name in MODULES:
        shutil.copy(theirs / name, tmp_path)
    (tmp_path / "conftest.py").write_text(CONFTEST if mode == "traced" else CONFTEST + UNTRACED)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    command = [sys.executable, "-m", "pytest", "-q", "--tb=line", "-p", "no:cacheprovider", *MODULES]
    out = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=900).stdout
    failed = set(re.findall(r"^FAILED \S*::(\w+)", out, re.MULTILINE))
    passed = int(re.findall(r"(\d+) passed", out)[0])
    count = passed + sum(map(int, re.findall(r"(\d+) failed", out)))
    assert count >= 100, out
    assert passed >= ENOUGH * count, out
    assert failed <= set(EXPLAINED[mode]), out
