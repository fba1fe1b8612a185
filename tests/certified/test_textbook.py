"""Eighteen textbook curves, written as plain functions, are found without any start."""

from __future__ import annotations

import pytest

from marquardt.curve.fit import fit
from marquardt.datasets import textbook

DRAWS = 20


@pytest.mark.parametrize("name", textbook.names())
def test_no_start_ends_no_higher_than_the_truth_as_start(name: str) -> None:
    curve = textbook.load(name)
    for seed in range(DRAWS):
        y = curve.draw(seed)
        found = fit(curve.function, curve.x, y)
        known = fit(curve.function, curve.x, y, start=list(curve.truth))
        assert found.cost <= known.cost * (1 + 1e-6), f"draw {seed}: {found.multistart}"
