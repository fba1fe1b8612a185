"""Many starts of one problem at once: the bits of one after the other, for any number of threads."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from marquardt.options import Options
from marquardt.problem.losses import Loss
from marquardt.problem.model import compile_model
from marquardt.solve.many import minimize_many
from marquardt.solve.minimize import minimize

T = np.linspace(0.0, 6.0, 3000)
Y = 3.0 * np.exp(-0.8 * T) + 0.5 + 0.05 * np.cos(40.0 * T)
STARTS = [np.array([a, b, c]) for a in (1.0, 5.0) for b in (0.1, 1.0, 9.0) for c in (-2.0, 0.0)]
FREE = np.full(3, -np.inf), np.full(3, np.inf)
SHORT = Options(max_evaluations=5, trace=False, polish=False)


def decay(t: Any, a: Any, b: Any, c: Any) -> Any:
    return a * np.exp(-b * t) + c


def broken(t: Any, a: Any, b: Any, c: Any) -> Any:
    return np.where(t < 1.0, a, a * np.exp(-b * t)) + (c if c > 0 else 2.0 * c)


def problem_of(function: Any) -> Any:
    start = np.ones(3)
    model = compile_model(function, (T,), dict.fromkeys("abc", ()))
    return model.problem((T,), Y, None, start, (0, 1, 2))


@pytest.mark.parametrize("function", [decay, broken])
@pytest.mark.parametrize("loss", [None, Loss("huber", 0.05)])
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_the_ends_are_those_of_one_start_after_the_other(function: Any, loss: Any, threads: int) -> None:
    problem = problem_of(function).with_loss(loss)
    together = minimize_many(problem, STARTS, *FREE, replace(SHORT, threads=threads))
    for start, end in zip(STARTS, together, strict=True):
        alone = minimize(problem, start, *FREE, SHORT)
        assert end is not None and end.status is alone.status
        assert np.array_equal(end.x, alone.x) and end.cost == alone.cost
        assert (end.nfev, end.njev) == (alone.nfev, alone.njev)


def test_bounds_hold_for_every_start() -> None:
    lower, upper = np.array([0.0, 0.9, -1.0]), np.array([10.0, 2.0, 1.0])
    ends = minimize_many(problem_of(decay), STARTS, lower, upper, Options())
    assert all(end is not None and (end.x >= lower).all() and (end.x <= upper).all() for end in ends)
    assert {float(end.x[1]) for end in ends if end is not None} == {0.9}


def test_an_observer_has_one_start_follow_the_other_until_it_stops() -> None:
    seen: list[int] = []

    def stop(progress: Any) -> bool:
        seen.append(progress.nfev)
        return len(seen) == 12

    ends = minimize_many(problem_of(decay), STARTS, *FREE, SHORT, stop)
    assert len(seen) == 12 and len(ends) < len(STARTS)
    assert ends[-1] is not None and ends[-1].status.name == "INTERRUPTED"


def test_a_start_where_the_function_raises_has_no_finite_end() -> None:
    def picky(t: Any, a: Any, b: Any, c: Any) -> Any:
        if float(a) > 4.0:
            raise ArithmeticError("a is too large")
        return np.array([float(v) for v in decay(t, float(a), float(b), float(c))])

    ends = minimize_many(problem_of(picky), [STARTS[0], np.array([5.0, 1.0, 0.0])], *FREE, SHORT)
    assert ends[0] is not None and np.isfinite(ends[0].cost)
    assert ends[1] is None or not np.isfinite(ends[1].cost)
