"""The report of a search for a start, and its rule for stopping."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from marquardt.curve.candidates import choose, critical_distance
from marquardt.curve.fit import fit
from marquardt.curve.frequencies import frequencies
from marquardt.curve.multistart import expected_optima
from marquardt.curve.symmetry import canonical
from marquardt.errors import OptionError, Status
from marquardt.expr.formula import parse

T = np.linspace(0.0, 10.0, 100)
WAVE = np.sin(7.3 * T + 0.4) + 0.01 * np.cos(99 * T)
X = np.linspace(0.0, 1.0, 11)
QUARTIC = "y ~ a^4 - 3*a^2 + a + b*x"
LINE = 3.0 * X - 1.0 + 0.01 * np.cos(40.0 * X)


def test_a_fit_from_given_values_has_no_multistart() -> None:
    assert fit("y ~ a*sin(w*t)", data={"t": T, "y": WAVE}, start={"a": 1, "w": 7}).multistart is None


def test_the_report_agrees_with_the_fit() -> None:
    result = fit("y ~ a*sin(w*t + p)", data={"t": T, "y": WAVE})
    found = result.multistart
    assert found is not None
    assert found.optima[0].cost == result.cost and found.optima[0].status is result.status
    assert list(found.optima[0].params.values()) == result.x.tolist()
    assert sum(o.reached for o in found.optima) <= found.starts <= found.candidates
    assert found.n_points == 100 and found.rule == "" and found.time > 0.0
    assert [found.ranges[name].kind for name in ("a", "w", "p")] == ["linear", "frequency", "phase"]


def test_optima_that_are_as_low_are_named_and_advised_about() -> None:
    result = fit(QUARTIC, data={"x": X, "y": LINE})
    assert result.multistart is not None
    roots = sorted(o.params["a"] for o in (result.multistart.optima[0], *result.multistart.rivals))
    level = np.polynomial.Polynomial([-(roots[0] ** 4) + 3 * roots[0] ** 2 - roots[0], 1, -3, 0, 1])
    assert np.allclose(roots, np.sort(level.roots().real), atol=1e-6)
    assert "as low" in str(result.multistart) and "As low is the cost at a = " in str(result)
    assert "3 other optima as low" in " ".join(str(result).split())


def test_terms_exchanged_are_one_optimum() -> None:
    y = 3 * np.exp(-0.2 * T) + 2 * np.exp(-1.5 * T) + 0.01 * np.cos(99 * T)
    result = fit("y ~ a*exp(-k*t) + b*exp(-l*t)", data={"t": T, "y": y})
    assert result.multistart is not None and not result.multistart.rivals
    assert result.params["k"].value < result.params["l"].value


def test_text_and_html_show_every_optimum_and_range() -> None:
    found = fit(QUARTIC, data={"x": X, "y": LINE}).multistart
    assert found is not None
    for shown in (repr(found), found._repr_html_()):
        assert all(f"{o.params['a']:.6g}" in shown for o in found.optima)
        assert "by linear least squares" in shown and "magnitude" in shown
    assert found._repr_html_().count("<table>") == 2


def test_so_many_starts_as_asked_for_set_out() -> None:
    found = fit("y ~ a*exp(-b*t) + c", data={"t": T, "y": np.exp(-T)}, starts=75).multistart
    assert found is not None and found.starts == 75 and found.rounds == 3


def test_a_start_that_is_given_is_the_first_of_those_asked_for() -> None:
    near = fit("y ~ sin(w*t)", data={"t": T, "y": np.sin(7.3 * T)}, start={"w": 5.0})
    far = fit("y ~ sin(w*t)", data={"t": T, "y": np.sin(7.3 * T)}, start={"w": 5.0}, starts=40)
    assert near.params["w"].value == pytest.approx(5.274387, abs=1e-4)
    assert far.params["w"].value == pytest.approx(7.3) and far.params["w"].start == 5.0
    assert far.multistart is not None and far.multistart.starts == 40


@pytest.mark.parametrize("starts", [0, -3, 2.5, True, "many"])
def test_a_number_of_starts_that_is_none_is_refused(starts: Any) -> None:
    with pytest.raises(OptionError, match="starts = "):
        fit("y ~ a*t", data={"t": T, "y": T}, starts=starts)


def test_expected_optima_follow_the_formula_and_are_unknown_for_few_starts() -> None:
    assert expected_optima(20, 4) == pytest.approx(4 * 19 / 14)
    assert math.isinf(expected_optima(4, 2))


def three_sines() -> Any:
    t = np.linspace(0, 10, 80)
    y = np.sin(3.1 * t) + 0.8 * np.sin(4.4 * t + 1.0) + 0.6 * np.sin(9.0 * t + 2.0) + 0.01 * np.cos(77 * t)
    return fit("y ~ a*sin(u*t + p) + b*sin(v*t + q) + c*sin(w*t + r)", data={"t": t, "y": y})


def test_frequencies_that_the_points_cannot_tell_apart_are_no_rivals() -> None:
    result = three_sines()
    assert np.allclose(result.x, [1, 3.1, 0, 0.8, 4.4, 1, 0.6, 9, 2], atol=2e-3)
    assert len(result.multistart.optima) > 3 and not result.multistart.rivals


def test_a_search_ends_when_the_best_was_found_often_and_little_is_expected_unseen() -> None:
    for found in (three_sines().multistart, fit(QUARTIC, data={"x": X, "y": LINE}).multistart):
        enough = sum(o.reached for o in (found.optima[0], *found.rivals)) >= 4 and found.unseen < 0.5
        assert enough or found.rounds == 4


def test_the_starts_of_one_wide_basin_do_not_crowd_out_the_others() -> None:
    places = np.concatenate([np.linspace(0, 0.2, 200), np.linspace(0.6, 0.62, 20), np.linspace(0.7, 1, 780)])
    costs = np.concatenate([np.linspace(1.0, 1.1, 200), np.linspace(2, 2.1, 20), np.linspace(3, 4, 780)])
    places = places[:, None]
    chosen = np.array(choose(places, costs, places, 32))
    assert len(chosen) == 32 and (chosen > 0.5).any() and (chosen < 0.1).sum() >= 20


def test_neighbors_are_nearer_the_more_points_there_are() -> None:
    distances = [critical_distance(n, 3) for n in (64, 256, 1024)]
    assert distances == sorted(distances, reverse=True) and critical_distance(64, 0) == 0.0


@pytest.mark.parametrize(
    ("formula", "inverse", "true"),
    [
        ("a*sin(w*x + p)", False, 7.3),
        ("a*cos(2*pi*w*(x - p))", False, 7.3 / (2 * np.pi)),
        ("a*sin(2*pi*x/w)", True, 2 * np.pi / 7.3),
    ],
)
def test_frequencies_and_periods_are_seen_in_the_expression_and_in_the_data(
    formula: str, inverse: bool, true: float
) -> None:
    parsed = parse(formula, ["x"])
    found, _ = frequencies((parsed.node,), [T], np.sin(7.3 * T)[None], len(parsed.param_names))
    seen = found[parsed.param_names.index("w")]
    first = 1.0 / seen.peaks[0] if inverse else seen.peaks[0]
    assert seen.inverse is inverse and first == pytest.approx(true, rel=0.05)


def test_phases_are_told_from_frequencies() -> None:
    parsed = parse("sin(w*x + p) + cos(k*sqrt(x))*exp(-b*x)", ["x"])
    found, phases = frequencies((parsed.node,), [T], WAVE[None], 4)
    assert {parsed.param_names[i] for i in phases} == {"p"}
    assert {parsed.param_names[i] for i in found} == {"w", "k"}


def test_phases_are_unwound_and_amplitudes_made_positive() -> None:
    def model(p: Any) -> Any:
        return p[:, :1] * np.sin(p[:, 1:2] * T + p[:, 2:3])

    wound = np.array([-2.0, -3.0, 40.0])
    preferred = canonical(model, wound, [0], [1, 2], phases=[2])
    assert preferred[0] == 2.0 and preferred[1] == 3.0 and abs(preferred[2]) <= np.pi
    assert np.allclose(model(preferred[None]), model(wound[None]))


def test_copies_keep_to_their_bounds_and_leave_what_is_fixed() -> None:
    y = 2 * np.exp(-(((T - 3) / 0.8) ** 2)) + 0.01 * np.cos(99 * T)
    peak = "y ~ h*exp(-((t - m)/s)^2) + c"
    negative = fit(peak, data={"t": T, "y": y}, bounds={"s": (None, -0.1)}, fixed={"c": 0})
    positive = fit(peak, data={"t": T, "y": y}, bounds={"m": (0, 10)}, fixed={"c": 0})
    assert negative.params["s"].value == pytest.approx(-0.8, rel=0.01)
    assert positive.params["s"].value == pytest.approx(0.8, rel=0.01)


def test_a_sum_of_sines_comes_in_rising_order_of_frequency_also_as_periods() -> None:
    y = 2 * np.sin(2 * np.pi * T / 4.0) + np.sin(2 * np.pi * T / 1.3)
    result = fit("y ~ a*sin(2*pi*t/u) + b*sin(2*pi*t/v)", data={"t": T, "y": y})
    assert result.params["u"].value == pytest.approx(4.0) and result.params["v"].value == pytest.approx(1.3)


@pytest.mark.parametrize("loss", ["huber", "tukey"])
def test_outliers_do_not_mislead_the_search(loss: str) -> None:
    rng = np.random.default_rng(4)
    y = 5 * np.exp(-(((T - 6) / 0.7) ** 2)) + 1 + 0.05 * rng.standard_normal(T.size)
    wild = rng.random(T.size) < 0.2
    y = y + np.where(wild, rng.uniform(2, 9, T.size), 0.0)
    model = "y ~ h*exp(-((t - m)/s)^2) + c"
    blind = fit(model, data={"t": T, "y": y}, loss=loss)
    told = fit(model, data={"t": T, "y": y}, loss=loss, start={"h": 5, "m": 6, "s": 0.7, "c": 1})
    assert blind.status is Status.CONVERGED and np.allclose(blind.x, told.x, rtol=1e-5)


def test_a_function_that_is_called_back_is_searched_too() -> None:
    def called(t: Any, a: Any, b: Any, c: Any) -> Any:
        return np.array([float(f"{a * np.exp(-b * v) + c:.17g}") for v in t.tolist()])

    t = np.linspace(0, 20, 25)
    result = fit(called, t, 30 * np.exp(-0.7 * t) + 4 + 0.1 * np.cos(9 * t))
    assert "finite differences" in result.derivative and result.multistart is not None
    assert np.allclose(result.x, [30, 0.7, 4], rtol=0.02) and result.multistart.ranges["a"].kind == "size"
