"""Starting values nobody gave."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from marquardt.curve.candidates import Candidates, sample
from marquardt.curve.fit import fit
from marquardt.curve.parameters import arrange
from marquardt.curve.ranges import Ranges, ranges
from marquardt.curve.symmetry import canonical
from marquardt.datasets import nist, nist_names
from marquardt.errors import DataError, Status
from marquardt.expr.formula import parse

X = np.linspace(0.0, 50.0, 60)


@pytest.mark.parametrize("name", nist_names())
def test_nist_problems_are_solved_without_any_start(name: str) -> None:
    problem = nist(name)
    result = fit(problem.formula, data=problem)
    # Lanczos1 has no noise: its certified rss is the rounding of its data.
    assert result.rss == pytest.approx(problem.rss, rel=1e-6 if name != "Lanczos1" else 1e-2)
    assert np.allclose(result.x, [problem.certified[name] for name in result.names], rtol=1e-6)


def test_the_same_data_give_the_same_bits() -> None:
    y = 3 * np.exp(-0.2 * X) + np.sin(X)
    results = [fit("y ~ a*exp(-b*x) + c", data={"x": X, "y": y}) for _ in range(2)]
    assert np.array_equal(results[0].x, results[1].x) and results[0].nfev == results[1].nfev


def test_a_sine_of_unknown_frequency_is_found() -> None:
    t = np.linspace(0, 10, 100)
    result = fit("y ~ a*sin(w*t + f)", data={"t": t, "y": np.sin(7.3 * t + 0.4)})
    assert result.success and abs(result.params["w"].value) == pytest.approx(7.3)


@pytest.mark.parametrize("unit", [1e-9, 1.0, 1e9])
def test_units_of_the_data_do_not_matter(unit: float) -> None:
    def peak(x: Any, h: Any, m: Any, s: Any, c: Any) -> Any:
        return h * np.exp(-(((x - m) / s) ** 2)) + c

    x, y = X * unit, (5 * np.exp(-(((X - 31) / 2.5) ** 2)) + 1) / unit
    result = fit(peak, x, y)
    assert np.allclose(np.abs(result.x), [5 / unit, 31 * unit, 2.5 * unit, 1 / unit], rtol=1e-6)


def test_interchangeable_terms_come_in_rising_order_with_positive_widths() -> None:
    def model(p: Any) -> Any:
        h1, m1, s1, h2, m2, s2 = p[:, :, None].transpose(1, 0, 2)
        return h1 * np.exp(-(((X - m1) / s1) ** 2)) + h2 * np.exp(-(((X - m2) / s2) ** 2))

    mixed = np.array([1.0, 40.0, -3.0, 2.0, 10.0, 5.0])
    preferred = canonical(model, mixed, [0, 3], [1, 2, 4, 5])
    assert preferred.tolist() == [2.0, 10.0, 5.0, 1.0, 40.0, 3.0]
    assert np.array_equal(model(mixed[None]), model(preferred[None]))


def test_what_is_no_symmetry_is_left_alone() -> None:
    def model(p: Any) -> Any:
        return p[:, :1] * np.exp(-p[:, 1:2] * X) + np.cos(p[:, 2:3] * X + 1.0)

    x = np.array([1.0, 2.0, -0.5])
    assert canonical(model, x, [0], [1, 2]).tolist() == [1.0, 2.0, -0.5]


def test_long_data_are_searched_in_part_and_fitted_whole() -> None:
    t = np.linspace(0, 10, 20_000)
    y = 2 * np.sin(7.3 * t) + 0.1 * np.cos(1e4 * t)
    result = fit("y ~ a*sin(w*t)", data={"t": t, "y": y})
    again = fit("y ~ a*sin(w*t)", data={"t": t, "y": y}, start=result.x)
    assert result.n_points == 20_000 and np.allclose(result.x, again.x, rtol=1e-9)
    assert abs(result.params["w"].value) == pytest.approx(7.3, rel=1e-4)
    assert np.isnan(result.params["w"].start)


def test_ctrl_c_in_a_slow_search_returns_the_best_candidate() -> None:
    calls: list[int] = []

    def slow(t: Any, a: Any, b: Any) -> Any:
        calls.append(1)
        if len(calls) == 30:
            raise KeyboardInterrupt
        return np.array([float(f"{a * np.exp(-b * float(v)):.17g}") for v in t])

    result = fit(slow, X, 3 * np.exp(-0.2 * X))
    assert result.status is Status.INTERRUPTED and len(calls) < 60
    assert "interrupted after" in result.message and np.isfinite(result.x).all()


@pytest.mark.parametrize("n", [60, 20_000])
def test_a_search_that_is_stopped_returns_the_best_point_and_says_so(n: int) -> None:
    t = np.linspace(0, 10, n)
    seen: list[float] = []

    def stop(progress: Any) -> bool:
        seen.append(progress.cost)
        return len(seen) >= 20

    result = fit("y ~ a*exp(-b*t) + c", data={"t": t, "y": 2 * np.exp(-t) + np.cos(t)}, callback=stop)
    assert result.status is Status.INTERRUPTED and 20 <= len(seen) < 30
    assert np.isfinite(result.x).all() and result.n_points == n


def test_bounds_are_kept_during_the_search() -> None:
    y = 3 * np.exp(-0.2 * X)
    result = fit("y ~ a*exp(b*x)", data={"x": X, "y": y}, bounds={"b": (None, 0), "a": (0, 10)})
    assert np.allclose(result.x, [3, -0.2])


def test_given_starts_are_kept_and_the_rest_is_found() -> None:
    y = 3 * np.exp(-0.2 * X) + 2 * np.exp(-1.5 * X)
    result = fit("y ~ a*exp(-k*x) + b*exp(-l*x)", data={"x": X, "y": y}, start={"k": 1.0, "l": 0.3})
    assert result.params["k"].value == pytest.approx(1.5) and result.params["l"].value == pytest.approx(0.2)
    assert np.isnan(result.params["a"].start) and result.params["k"].start == 1.0


def test_a_model_that_is_finite_nowhere_says_so() -> None:
    with pytest.raises(DataError, match="not finite anywhere"):
        fit("y ~ a*log(-1 - x) + exp(b*x)", data={"x": X, "y": X**2})


def sizes(formula: str, y: Any) -> Ranges:
    parsed = parse(formula, ["x"])
    return ranges((parsed.node,), [X], np.asarray(y, dtype=float), len(parsed.param_names))


def test_sizes_follow_from_how_parameters_enter() -> None:
    found = sizes("a*exp(-b*x) + c", 1e6 * np.sin(X))
    assert found.size == pytest.approx([5.85, -1.46, 5.85], abs=0.1)


def test_a_subtracted_parameter_is_a_location_and_its_divisor_a_width() -> None:
    found = sizes("exp(-((x - m)/s)^2)", np.sin(X))
    assert (found.low[0], found.high[0]) == (0.0, 50.0) and np.isnan(found.low[1])
    assert found.size[1] == pytest.approx(np.log10(X.std()), abs=0.01)


def test_a_size_is_searched_as_far_as_the_data_that_it_meets() -> None:
    x = np.logspace(-4, 6, 60)
    parsed = parse("a/(1 + (x/k)^h)", ["x"])
    where = ranges((parsed.node,), [x], np.exp(-x), 3)
    drawn = sample(where, [1, 2], arrange(("a", "k", "h"), {}, None, None, None))
    assert np.abs(drawn[:, 1]).min() < 1e-3 and np.abs(drawn[:, 1]).max() > 1e5


def test_candidates_stay_within_their_bounds() -> None:
    parameters = arrange(("a", "b", "c"), {}, None, {"a": (0, None), "b": (-1, 1), "c": (None, -2)}, None)
    where = Ranges(np.array([2.0, 0.0, 1.0]), np.full(3, np.nan), np.full(3, np.nan), np.zeros(3, dtype=bool))
    drawn = sample(where, [0, 1, 2], parameters)
    assert (drawn >= parameters.lower).all() and (drawn <= parameters.upper).all()


def test_linear_parameters_of_all_candidates_solve_their_least_squares() -> None:
    rates = np.array([0.1, 0.5, 2.0])
    y = np.cos(X)
    parameters = arrange(("a", "b", "c"), {}, None, None, None)
    part = np.column_stack([np.full(3, np.nan), rates, np.full(3, np.nan)])
    costs = Candidates(lambda p: p[:, :1] * np.exp(-p[:, 1:2] * X) + p[:, 2:3], y, None).complete(
        part, [0, 2], parameters
    )
    for k, rate in enumerate(rates):
        basis = np.column_stack([np.exp(-rate * X), np.ones(X.size)])
        best, rss, *_ = np.linalg.lstsq(basis, y, rcond=None)
        assert np.allclose(part[k, [0, 2]], best, rtol=1e-6) and costs[k] == pytest.approx(rss[0])
