"""A trace is made once for functions that are the same, and not over and over for one that changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from marquardt.compat.reuse import PATIENCE, same_function
from marquardt.compat.scipy import curve_fit, least_squares

from .models import X, Y, decay


def line_through(offset: Any) -> Callable[..., Any]:
    return lambda x, a: a * x + offset


def test_functions_of_one_code_that_read_the_same_are_one() -> None:
    data = np.arange(3.0)
    assert same_function(line_through(1.5)) is same_function(line_through(1.5))
    assert same_function(line_through(data)) is same_function(line_through(data))


def test_functions_that_read_other_things_are_others() -> None:
    for one, two in [(1.5, 2.5), (1, 1.0), (np.arange(3.0), np.arange(3.0)), ([1], [1])]:
        first, second = line_through(one), line_through(two)
        assert same_function(first) is not same_function(second)


def test_a_changed_closure_changes_the_fit() -> None:
    found = [curve_fit(line_through(c), X, 2.0 * X + 1.0 + c)[0][0] for c in (0.0, 1.0, 2.0)]
    assert np.allclose(found, found[0])


def test_defaults_tell_functions_apart() -> None:
    found = [curve_fit(lambda x, a, s=k: a * s * x, X, 6.0 * X, p0=[1.0])[0][0] for k in (1.0, 2.0, 3.0)]
    assert np.allclose(found, [6.0, 3.0, 2.0])


def test_a_function_that_counts_its_calls_is_called_back_in_the_end() -> None:
    calls = [0]

    def counted(p: Any) -> Any:
        calls[0] += 1
        return decay(X, *p) - Y

    results = [least_squares(counted, [1.0, 1.0]) for _ in range(PATIENCE + 3)]
    assert results[0].derivative == "exact (traced)"
    assert "changes from call to call" in results[-1].derivative
    assert all(np.allclose(r.x, results[0].x, rtol=1e-5) for r in results)


def test_a_global_that_changes_is_seen_however_the_function_is_run() -> None:
    scale = {"value": 1.0}

    def model(x: Any, a: Any) -> Any:
        return a * scale["value"] * x

    for k in range(1, PATIENCE + 5):
        scale["value"] = float(k)
        assert np.isclose(curve_fit(model, X, 6.0 * X)[0][0], 6.0 / k, rtol=1e-6)
