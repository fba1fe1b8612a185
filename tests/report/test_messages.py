"""How every ending is told: the sentence, both numbers, the guilty parameters, and what to do."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

import marquardt as mq
from marquardt.errors import Status

X = np.linspace(0.0, 4.0, 30)
Y = 2.5 * np.exp(-1.3 * X) + 0.5 + 0.05 * np.sin(37.0 * np.arange(30.0) ** 2)
DATA = {"x": X, "y": Y}


def test_a_certified_end_shows_the_number_that_proved_it() -> None:
    by_offset = mq.fit("y ~ a*exp(-b*x) + c", data=DATA, start=[1, 1, 0])
    assert by_offset.message.startswith("converged: relative offset ")
    assert by_offset.message.endswith("<= tolerance 1.0e-08")
    by_rounding = mq.fit("y ~ a*exp(-b*x)", data={"x": X, "y": 3 * np.exp(-0.7 * X)}, start=[1, 1])
    assert (
        "gradient zero to rounding" in by_rounding.message and "<= 8 rounding errors" in by_rounding.message
    )


def test_an_end_without_certificate_shows_both_numbers_that_failed() -> None:
    result = mq.fit("y ~ a*exp(-b*x) + c", data=DATA, start=[1, 1, 0], options=mq.Options(max_evaluations=2))
    assert result.status is Status.MAX_EVALUATIONS
    assert result.message.startswith("evaluation limit reached after ")
    assert "> tolerance 1.0e-08" in result.message and "> 8 rounding errors" in result.message
    assert "max_evaluations" in result.advice[0]


@pytest.mark.parametrize(
    ("formula", "names", "determined"),
    [
        ("y ~ a*b*exp(-c*x)", ("a", "b"), "a*b"),
        ("y ~ a/b*exp(-c*x)", ("a", "b"), "a/b"),
        ("y ~ (a + b)*exp(-c*x)", ("a", "b"), "a + b"),
        ("y ~ (a - 2*b)*exp(-c*x)", ("a", "b"), "a - 2*b"),
        ("y ~ a*b^2*exp(-x)", ("a", "b"), "a*b**2"),
        ("y ~ sqrt(a)*b*exp(-x)", ("a", "b"), "a*b**2"),
        ("y ~ a*b^2/c*exp(-x)", ("a", "b", "c"), "a*b**2/c"),
        ("y ~ (a + 2*b - 3*c)*exp(-x)", ("a", "b", "c"), "a + 2*b - 3*c"),
        ("y ~ a*exp(2*b - x)", ("a", "b"), "a*exp(2*b)"),
        ("y ~ a*b*exp(-(c + d)*x)", ("a", "b", "c", "d"), "a*b"),
    ],
)
def test_the_combination_that_is_determined_is_named(formula: str, names: Any, determined: str) -> None:
    start = {"a": 1.0, "b": 2.0, "c": 1.5, "d": 0.5}
    used = {n: v for n, v in start.items() if f"{n}" in formula.replace("exp", "").replace("sqrt", "")}
    result = mq.fit(formula, data=DATA, start=used)
    assert not result.unique
    for name in names:
        assert repr(name) in result.message
    assert f"{determined} = " in result.message.split(", only ")[1]
    group = next(g for g in result.flat if g.formula == determined)
    assert any(f"only {determined} = {group.value:.5g} is determined" in s for s in result.advice)


def test_the_value_of_the_combination_is_that_at_the_end() -> None:
    result = mq.fit("y ~ a*b^2*exp(-c*x)", data=DATA, start=[1, 2, 1])
    (group,) = result.flat
    assert group.names == ("a", "b")
    assert group.value == pytest.approx(result.params["a"].value * result.params["b"].value ** 2)


def test_equal_values_do_not_make_a_product_look_like_a_sum() -> None:
    result = mq.fit("y ~ a*b*exp(-c*x)", data=DATA, start=[1, 1, 1], method="more")
    assert result.params["a"].value == pytest.approx(result.params["b"].value)
    assert result.flat[0].formula == "a*b"


def test_a_flat_direction_without_a_simple_combination_is_told_in_numbers() -> None:
    result = mq.fit("y ~ (a + b^2)*exp(-c*x)", data=DATA, start=[1, 0.5, 1])
    (group,) = result.flat
    assert group.names == ("a", "b") and group.formula == ""
    told = next(s for s in result.advice if "cannot be told apart" in s)
    a, b = result.params["a"].value, result.params["b"].value
    change = dict(zip(group.names, group.directions[0], strict=True))
    assert change["a"] + 2.0 * b * change["b"] == pytest.approx(0.0, abs=1e-12)
    assert f"'b' {100 * change['b'] / b:+.2g} %" in told and f"'a' {100 * change['a'] / a:+.2g} %" in told


def test_a_parameter_without_effect_is_told_so() -> None:
    result = mq.fit(lambda x, a, idle: a * np.exp(-x) + 0 * idle * x, X, Y, start=[1, 1])
    assert "'idle'" in result.message and "'idle' has no effect on the model" in result.advice[0]


def test_a_staircase_is_told_apart_from_a_flat_direction() -> None:
    result = mq.fit(lambda x, a, b: a * np.floor(b * x), X, Y, start=[1, 1])
    assert result.status is Status.STALLED and result.reason == "jumps"
    assert "the residuals jump" in result.message and "not smooth" in result.advice[0]


def test_a_search_that_diverged_says_so_and_names_a_cure() -> None:
    result = mq.fit("y ~ a*log(b*x + c)", data=DATA, start=[1, 1, 9], method="gauss-newton")
    assert result.status is Status.STALLED and result.reason == "diverged"
    assert "not finite" in result.message and "damped method" in result.advice[0]


def test_a_singular_jacobian_stops_gauss_newton_and_is_told() -> None:
    result = mq.fit("y ~ a*exp(b - c*x)", data=DATA, start=[1, 2, 1], method="gauss-newton")
    assert result.status is Status.STALLED and result.reason == "singular"
    assert "the Jacobian is singular" in result.message and "damped method" in result.advice[0]
    assert any("only a*exp(b) = " in s for s in result.advice)


def test_a_parameter_that_runs_away_is_named_with_the_limit_of_the_sum_of_squares() -> None:
    y = np.where(X == 0.0, 3.0, -0.05)
    result = mq.fit("y ~ a*exp(-b*x)", data={"x": X, "y": y}, start=[1, 1])
    assert result.status is Status.RUNAWAY and result.runaway == ("b",)
    assert result.message.startswith("'b' runs away (from 1 to ")
    assert "the sum of squares tends to 0.0725" in result.message
    assert "lies at infinity" in result.advice[0] and not any("no effect" in s for s in result.advice)


def saddle(x: Any) -> Any:
    return np.stack([(x[0] - 1.0) ** 2 - 1.0, x[1] - 2.0])


@pytest.mark.parametrize("method", ["more", "dogleg", "levenberg", "marquardt"])
def test_no_minimum_is_told_with_the_direction_and_the_eigenvalue(method: str) -> None:
    """The second residual vanishes; the first, which bends, has not moved."""
    result = mq.least_squares(saddle, [1.0, 1.0], method=method)
    assert result.status is Status.NOT_A_MINIMUM and not result.success
    assert result.message.startswith("not a minimum, the cost falls along ('x[0]' ")
    assert "smallest eigenvalue -2 < 0" in result.message and "direction named" in result.advice[0]


def test_a_saddle_that_was_left_is_told() -> None:
    result = mq.least_squares(saddle, [1.0, 1.0])
    assert result.success and abs(result.x[0] - 1.0) == pytest.approx(1.0)
    assert result.n_escapes == 1 and "left a saddle" in str(result)


@pytest.mark.parametrize("status", list(Status))
def test_every_status_has_a_sentence_and_every_failure_an_advice(status: Status) -> None:
    assert status.value and (status.advice or status is Status.CONVERGED)
    assert status.success == (status.name in ("CONVERGED", "CONVERGED_AT_BOUND", "NOT_UNIQUE"))


def test_every_reason_for_stalling_has_words() -> None:
    from marquardt.report.sentences import REASONS as WORDS
    from marquardt.solve.trace import REASONS

    assert {*REASONS, "jumps"} - {"certified", "budget", "interrupted"} == set(WORDS)


def test_an_interrupted_fit_says_where_to_go_on() -> None:
    result = mq.fit("y ~ a*exp(-b*x) + c", data=DATA, start=[1, 1, 0], callback=lambda progress: True)
    assert result.message.startswith("interrupted after 1 evaluation")
    assert "start=fit.x" in result.advice[0]


def test_a_failed_fit_gets_no_advice_about_its_curve() -> None:
    result = mq.fit("y ~ a*log(b*x + c)", data=DATA, start=[1, 1, 9], method="gauss-newton")
    assert not any("barely determined" in s or "long runs" in s for s in result.advice)


def test_equations_with_as_many_unknowns_are_solved_without_advice() -> None:
    assert (
        mq.least_squares(lambda x: np.stack([x[0] + x[1] - 3.0, x[0] - x[1] - 1.0]), [0.0, 0.0]).advice == ()
    )


def test_fewer_residuals_than_unknowns_are_told_in_these_words() -> None:
    result = mq.least_squares(lambda x: x[:1] * x[1:] - 3.0, [1.0, 1.0])
    assert result.advice == (
        "1 residual cannot determine 2 parameters: fix at least 1 of them, or add residuals.",
    )


def test_the_verdict_goes_into_the_record() -> None:
    from marquardt.report.record import record

    numbers = record(mq.fit("y ~ a*b*exp(-c*x)", data=DATA, start=[1, 2, 1]))
    assert numbers["success"] and not numbers["unique"]
    assert json.loads(json.dumps(numbers))["certificate"]["digits"]["c"] > 10
