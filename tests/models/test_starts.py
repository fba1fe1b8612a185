"""Start rules: from the data alone to the optimum that the truth leads to."""

from __future__ import annotations

import numpy as np
import pytest

import marquardt as mq
from marquardt.models.table import row_named

from .cases import CASES, Case

IDS = [f"{c.model}-{k}" for k, c in enumerate(CASES)]
DRAWS = 20


def fit(case: Case, x: tuple[np.ndarray, ...], y: np.ndarray, **more: object) -> mq.FitResult:
    return mq.fit(case.row.function, x if len(x) > 1 else x[0], y, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_no_start_ends_no_worse_than_the_truth(case: Case) -> None:
    """Noise of 2 % of the range, 20 draws: all of them, and but for sums of peaks by the rule alone."""
    by_rule = 0
    for seed in range(DRAWS):
        y = case.noisy(seed)
        found, best = fit(case, case.x, y), fit(case, case.x, y, start=list(case.truth))
        assert found.cost <= best.cost * (1 + 1e-6), f"draw {seed}: {found.cost / best.cost}"
        done = found.multistart  # None: linear in all its parameters
        by_rule += done is None or bool(done.rule)
    assert by_rule >= DRAWS - 1 or case.row.many_minima


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_units_do_not_matter(case: Case) -> None:
    """The rule itself: x and y in other units give the same curve in these units."""
    y = case.noisy(0)
    factors = (2.0**-30, 2.0**20) if case.model not in ("arrhenius",) else (1.0, 2.0**20)
    (guess, *_), here = case.row.start(*case.x, y), case.row.function
    scaled = tuple(v * factors[0] for v in case.x)
    (other, *_) = case.row.start(*scaled, y * factors[1])
    a = here(*case.x, *guess)
    b = here(*scaled, *other) / factors[1]
    assert np.allclose(a, b, rtol=1e-5, atol=1e-5 * np.ptp(y))


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_the_order_of_the_points_and_repeated_points_do_not_matter(case: Case) -> None:
    y = case.noisy(1)
    shuffled = np.random.default_rng(2).permutation(np.tile(np.arange(y.size), 2))
    twice = fit(case, tuple(v[shuffled] for v in case.x), y[shuffled])
    once = fit(case, case.x, y)
    assert twice.cost == pytest.approx(2 * once.cost, rel=1e-6)


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_upside_down(case: Case) -> None:
    """Negative amplitudes, where the model can be turned over."""
    if case.model == "antoine":
        pytest.skip("a pressure is positive")
    y = case.noisy(3)
    assert fit(case, case.x, -y).cost == pytest.approx(fit(case, case.x, y).cost, rel=1e-6)


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_few_points_and_flat_data_give_finite_guesses_or_none(case: Case) -> None:
    y = case.clean()
    for n in (2, 3, len(case.truth)):
        pick = np.linspace(0, y.size - 1, n).astype(int)
        for values in (y[pick], np.zeros(n), np.ones(n), -y[pick]):
            with np.errstate(all="ignore"):
                for guess in case.row.start(*(v[pick] for v in case.x), values):
                    assert len(guess) == len(case.truth)
    one_place = [np.full(4, v[-1]) for v in case.x]
    with np.errstate(all="ignore"):
        case.row.start(*one_place, np.array([1.0, 2.0, 3.0, 4.0]))


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_few_points_are_fitted(case: Case) -> None:
    """One point more than parameters: no worse than from the truth."""
    if "frequency" in case.row.parameters:
        pytest.skip("less than two points per period do not tell a frequency")
    n, y = len(case.truth) + 1, case.noisy(4, 0.005)
    pick = np.linspace(0, y.size - 1, n).astype(int)
    x = tuple(v[pick] for v in case.x)
    found, best = fit(case, x, y[pick]), fit(case, x, y[pick], start=list(case.truth))
    assert found.cost <= best.cost * (1 + 1e-6) + 1e-20 * float(y @ y)


def test_points_in_a_matrix() -> None:
    x = np.linspace(0, 10, 60).reshape(6, 10)
    found = mq.fit(mq.models.gaussian, x, mq.models.gaussian(x, 3.0, 4.0, 0.6))
    assert np.allclose(found.x, [3.0, 4.0, 0.6])
    assert found.multistart is not None and found.multistart.rule == "gaussian"


def test_a_narrow_peak_in_many_points_is_found() -> None:
    x = np.linspace(0, 100, 20_000)
    y = mq.models.gaussian(x, 3.0, 61.2, 0.05) + 0.05 * np.random.default_rng(0).normal(size=x.size)
    found = mq.fit(mq.models.gaussian, x, y)
    assert abs(found.params["center"].value - 61.2) < 0.01
    assert found.derivative == "exact (traced)"
    assert found.multistart is not None and found.multistart.rule == "gaussian"


def test_an_interrupted_fit_ends_at_once() -> None:
    x = np.linspace(0, 10, 60)
    y = mq.models.gaussian(x, 3.0, 4.0, 0.6) + 0.1 * np.sin(50 * x)
    assert mq.fit(mq.models.gaussian, x, y, callback=lambda progress: True).status is mq.Status.INTERRUPTED


@pytest.mark.parametrize("name", ["power_law", "weibull", "hill", "dose_response", "arrhenius"])
def test_a_rule_is_silent_where_the_model_has_no_meaning(name: str) -> None:
    row = row_named(name)
    assert row is not None and row.start(np.linspace(-1, 1, 9), np.arange(9.0)) == []


def test_weights_of_the_data_count() -> None:
    x = np.linspace(0, 10, 60)
    y = mq.models.gaussian(x, 3.0, 4.0, 0.6)
    y[40] = 50.0
    sigma = np.full(60, 0.01)
    sigma[40] = 1e6
    found = mq.fit(mq.models.gaussian, x, y, sigma=sigma)
    assert np.allclose(found.x, [3.0, 4.0, 0.6], rtol=1e-6)
