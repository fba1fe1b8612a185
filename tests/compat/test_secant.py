"""Second derivatives learnt on the way, for functions that are called back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.optimize

from marquardt import Options, _core
from marquardt.compat.scipy import least_squares
from marquardt.compat.secant import Secant, updated
from marquardt.datasets import nist
from marquardt.solve.minimize import native_options

from .models import Counted


def random_update(seed: int) -> tuple[Any, Any, Any, Any]:
    rng = np.random.default_rng(seed)
    S = rng.standard_normal((3, 3))
    return S + S.T, rng.standard_normal(3), rng.standard_normal(3), rng.standard_normal(3)


@pytest.mark.parametrize("seed", range(5))
def test_an_update_meets_the_secant_equation_and_stays_symmetric(seed: int) -> None:
    S, s, wanted, y = random_update(seed)
    new = updated(S, s, wanted, y)
    assert np.allclose(new @ s, wanted) and np.allclose(new, new.T)


@pytest.mark.parametrize("seed", range(5))
def test_an_update_does_not_depend_on_units(seed: int) -> None:
    S, s, wanted, y = random_update(seed)
    units = np.diag([1e-3, 1.0, 1e4])
    other = updated(units @ S @ units, np.linalg.solve(units, s), units @ wanted, units @ y)
    assert np.allclose(np.linalg.solve(units, other) @ np.linalg.inv(units), updated(S, s, wanted, y))


def test_nothing_is_learnt_from_a_step_without_change() -> None:
    S, s, wanted, _ = random_update(0)
    assert np.array_equal(updated(S, s, wanted, np.zeros(3)), S)


def test_nothing_is_told_before_a_step_or_at_another_point() -> None:
    secant = Secant()
    x, J, f = np.ones(2), np.eye(2), np.ones(2)
    secant.arrive(x, J, f)
    assert np.isnan(secant.at(x)).all()
    secant.arrive(x + 0.1, J + 0.01, 0.999 * f)
    assert np.isfinite(secant.at(x + 0.1)).all() and np.isnan(secant.at(x)).all()


@pytest.mark.parametrize(("name", "most"), [("Thurber", 0.9), ("ENSO", 0.9)])
def test_a_slow_end_takes_fewer_calls_than_scipys(name: str, most: float) -> None:
    """Where residuals are large, steps of Gauss and Newton shorten the way by a constant part each."""
    problem = nist(name)
    calls = []
    for solve in (least_squares, scipy.optimize.least_squares):
        fun = Counted(lambda p: problem.function(*problem.x, *p) - problem.y)
        solve(fun, list(problem.start1.values()))
        calls.append(fun.calls)
    assert calls[0] <= most * calls[1]


@pytest.mark.parametrize("approximate", [True, False])
def test_an_approximation_certifies_no_end(approximate: bool) -> None:
    """``(1 - x^2)^2`` has a maximum at 0; a Hessian that calls it a minimum must be the true one."""
    end = _core.minimize_callback(
        lambda x: 1.0 - x**2, lambda x, f: -2.0 * x[:, None], None, lambda x, f: np.ones((1, 1)), 1, None,
        np.zeros(1), np.full(1, -np.inf), np.full(1, np.inf),
        native_options(Options(), second_derivatives=False), approximate=approximate,
    )  # fmt: skip
    assert np.isclose(abs(end.x[0]), 1.0 if approximate else 0.0)
