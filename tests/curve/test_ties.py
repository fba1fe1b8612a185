"""Tied parameters, bounds on expressions, expressions of a finished fit."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

import marquardt as mq
from marquardt import fit
from marquardt.errors import FormulaError, ParameterError

X = np.linspace(0.0, 10.0, 60)
RNG = np.random.default_rng(0)


def two(x: Any, h1: Any, x1: Any, w1: Any, h2: Any, x2: Any, w2: Any) -> Any:
    return h1 * np.exp(-(((x - x1) / w1) ** 2)) + h2 * np.exp(-(((x - x2) / w2) ** 2))


def opaque(x: Any, h1: Any, x1: Any, w1: Any, h2: Any, x2: Any, w2: Any) -> Any:
    values = [float(str(float(v))) for v in (h1, x1, w1, h2, x2, w2)]
    return two(x, *values)


def written(x: Any, h1: Any, x1: Any, w1: Any, h2: Any, dx: Any) -> Any:
    return two(x, h1, x1, w1, h2, x1 + dx, 2 * w1)


TWO = two(X, 3.0, 3.0, 0.7, 2.0, 6.0, 1.4) + 0.05 * RNG.standard_normal(X.size)
TIES = {"w2": "2*w1", "x2": "x1 + dx"}
START = {"h1": 1.0, "x1": 2.5, "w1": 1.0, "h2": 1.0, "dx": 2.5}
BY_HAND = fit(written, X, TWO, start=START)

FORMULA = "y ~ h1*exp(-((x - x1)/w1)^2) + h2*exp(-((x - x2)/w2)^2)"
DECAYS = "y ~ a*exp(-k1*x) + b*exp(-k2*x)"
DATA = {"x": X, "y": 2.0 * np.exp(-X) + np.exp(-0.2 * X) + 0.02 * RNG.standard_normal(X.size)}
GUESS = {"a": 1.0, "k1": 0.8, "b": 1.0, "k2": 0.1}


# ----------------------------------------------------------------------------------------------------- ties


def ways() -> dict[str, Any]:
    return {
        "function": lambda **more: fit(two, X, TWO, ties=TIES, **more),
        "formula": lambda **more: fit(FORMULA, data={"x": X, "y": TWO}, ties=TIES, **more),
        "callback": lambda **more: fit(opaque, X, TWO, ties=TIES, **more),
    }


@pytest.mark.parametrize("way", ways())
def test_a_tied_fit_is_the_fit_of_the_model_written_with_the_ties(way: str) -> None:
    result = ways()[way](start=START)
    digits = 1e-6 if way == "callback" else 1e-9
    assert result.free_names == ("h1", "x1", "w1", "h2", "dx")
    np.testing.assert_allclose(result.x, BY_HAND.x, rtol=digits)
    np.testing.assert_allclose(result.stderr, BY_HAND.stderr, rtol=1e-4 if way == "callback" else 1e-7)
    assert result.derivative.startswith("finite" if way == "callback" else "exact")


def test_the_evaluations_are_those_of_the_model_written_with_the_ties() -> None:
    result = fit(two, X, TWO, ties=TIES, start=START)
    assert (result.nfev, result.njev) == (BY_HAND.nfev, BY_HAND.njev)


@pytest.mark.parametrize("way", ["function", "formula"])
def test_no_start_value_is_needed_for_the_free_ones(way: str) -> None:
    result = ways()[way]()
    found = {name: abs(p.value) for name, p in result.params.items()}
    assert result.success and result.cost == pytest.approx(BY_HAND.cost, rel=1e-9)
    assert found["w2"] == pytest.approx(2 * found["w1"])


def test_a_tied_parameter_has_value_standard_error_and_start() -> None:
    result = fit(two, X, TWO, ties=TIES, start=START)
    w2, x2 = result.params["w2"], result.params["x2"]
    assert w2.value == 2 * result.params["w1"].value
    assert w2.stderr == pytest.approx(2 * result.params["w1"].stderr, rel=1e-12)
    assert (w2.start, x2.start, w2.expression) == (2.0, 5.0, "2*w1")
    i, j = result.free_names.index("x1"), result.free_names.index("dx")
    C = result.covariance
    assert x2.stderr == pytest.approx(math.sqrt(C[i, i] + C[j, j] + 2 * C[i, j]), rel=1e-12)
    assert list(result.derived) == ["x2", "w2"] and result.covariance.shape == (5, 5)


def test_ties_stand_in_report_page_and_dictionary() -> None:
    result = fit(two, X, TWO, ties=TIES, start=START)
    assert "= 2*w1" in str(result) and "= x1 + dx" in result._repr_html_()
    told = json.loads(json.dumps(result.to_dict()))
    assert told["parameters"]["w2"]["expression"] == "2*w1" and told["derived"] == ["x2", "w2"]
    assert told["parameters"]["w1"]["expression"] is None


def test_values_predictions_and_bands_are_those_of_the_whole_model() -> None:
    result = fit(two, X, TWO, ties=TIES, start=START)
    assert set(result.values) == {"h1", "x1", "w1", "h2", "x2", "w2", "dx"}
    new = [2.0, 4.5]
    np.testing.assert_allclose(result.predict(new), BY_HAND.predict(new), rtol=1e-9)
    np.testing.assert_allclose(result.band(new), BY_HAND.band(new), rtol=1e-7)


def test_the_values_of_a_fit_start_it_again() -> None:
    first = fit(two, X, TWO, ties=TIES, start=START)
    again = fit(two, X, TWO, ties=TIES, start=first.values)
    assert again.nfev <= 3 and again.cost == pytest.approx(first.cost)


def test_ties_may_refer_to_one_another() -> None:
    ties = {"w2": "k*w1", "x2": "x1 + dx", "k": "1 + h", "h": "dx/3"}
    result = fit(two, X, TWO, ties=ties, start=START)
    p = result.params
    assert p["w2"].value == pytest.approx((1 + p["dx"].value / 3) * p["w1"].value, rel=1e-12)
    assert set(result.derived) == {"w2", "x2", "k", "h"}


def test_all_functions_of_formulas_may_stand_in_a_tie() -> None:
    result = fit(DECAYS, data=DATA, ties={"k1": "exp(u) + k2", "b": "max(a, 0)*expit(v)"})
    assert result.success and result.params["k1"].value > result.params["k2"].value
    assert 0.0 < result.params["b"].value < result.params["a"].value


def test_a_tie_to_a_number_fixes() -> None:
    tied = fit(DECAYS, data=DATA, ties={"k1": "2/2", "k2": 0.2}, start={"a": 1, "b": 1})
    fixed = fit(DECAYS, data=DATA, fixed={"k1": 1, "k2": 0.2}, start={"a": 1, "b": 1})
    assert tied.params["k1"].fixed and tied.params["k2"].value == 0.2
    np.testing.assert_array_equal(tied.covariance, fixed.covariance)


def test_a_tie_to_fixed_parameters_alone_has_no_error() -> None:
    result = fit(DECAYS, data=DATA, ties={"k1": "5*k2"}, fixed={"k2": 0.2}, start={"a": 1, "b": 1})
    assert result.params["k1"].value == 1.0 and result.params["k1"].stderr == 0.0


def test_linear_parameters_are_still_projected_out() -> None:
    assert fit(two, X, TWO, ties=TIES, start=START).linear_params == ("h1", "h2")
    rates = {"k1": 0.8, "k2": 0.1}
    assert fit(DECAYS, data=DATA, start=rates, ties={"b": "a/2"}).linear_params == ("a",)
    ordered = fit(DECAYS, data=DATA, start=GUESS, bounds={"k1 - k2": (0, None)})
    assert ordered.linear_params == ("a", "b")
    summed = fit(DECAYS, data=DATA, start=GUESS, bounds={"a + b": (None, 2.9)})
    assert summed.linear_params == ("b",)  # the bounded expression stays


def test_a_built_in_model_keeps_its_start_rule_when_tied() -> None:
    result = fit(mq.models.get("gaussian2"), X, TWO, ties={"width2": "2*width1"})
    assert result.multistart is not None and result.multistart.rule == "gaussian2"
    assert result.cost == pytest.approx(BY_HAND.cost, rel=1e-9)


def vector(x: Any, p: Any) -> Any:
    return p[0] * np.exp(-p[1] * x) + p[2]


@pytest.mark.parametrize(
    "start", [[1.0, 1.0, 1.0], {"p": [1.0, 1.0, 1.0]}, {"p[0]": 1.0, "p[2]": 1.0}], ids=str
)
def test_components_of_vectors_are_tied(start: Any) -> None:
    y = vector(X, [3.0, 0.6, 0.3])
    result = fit(vector, X, y, ties={"p[1]": "2*p[2]"}, start=start)
    np.testing.assert_allclose(result.values["p"], [3.0, 0.6, 0.3], rtol=1e-9)
    assert result.free_names == ("p[0]", "p[2]") and result.params["p[1]"].expression == "2*p[2]"


def test_a_branch_on_a_tied_parameter_is_followed() -> None:
    def branch(x: Any, a: Any, b: Any, k: Any) -> Any:
        return a * np.exp(-k * x) + (b if b > 0.4 else 2 * b - 0.4)

    y = branch(X, 2.0, 0.5, 1.5)
    result = fit(branch, X, y, ties={"b": "a/4"}, start={"a": 1.0, "k": 0.5})
    assert result.derivative == "exact (traced)"
    np.testing.assert_allclose(result.x, [2.0, 1.5], rtol=1e-9)


def test_an_argument_with_a_default_that_a_tie_names_is_a_parameter() -> None:
    def power(x: Any, a: Any, b: Any, n: float = 2.0) -> Any:
        return a * x**n + b

    result = fit(power, X, power(X, 2.0, 3.0, 1.5), ties={"b": "2*n"}, start={"a": 1.0, "n": 1.0})
    np.testing.assert_allclose([result.values["n"], result.values["b"]], [1.5, 3.0], rtol=1e-9)


def test_ties_go_with_priors_losses_and_pairs_of_bounds() -> None:
    for more in ({"prior": {"dx": (3.0, 1.0)}}, {"loss": "huber"}, {"bounds": (-10, 10)}):
        result = fit(two, X, TWO, ties=TIES, start=START, **more)
        assert result.success and result.params["w2"].value == 2 * result.params["w1"].value


def test_pictures_pages_and_comparisons_know_ties_and_bounded_expressions() -> None:
    tied = fit(two, X, TWO, ties=TIES, start=START)
    ordered = fit(DECAYS, data=DATA, start={**GUESS, "k1": 1.2}, bounds={"k1 - k2": (0.9, None)})
    for result in (tied, ordered):
        result.plot()
        result.plot_landscape()
    table = mq.compare(DECAYS, data=DATA, bounds={"k1 - k2": (0.9, None)})
    assert table.lowest == pytest.approx(ordered.cost, rel=1e-9)


def test_repeated_fits_do_not_trace_again() -> None:
    first, second = (fit(two, X, TWO, ties=TIES, start=START) for _ in range(2))
    assert first._model is second._model


@pytest.mark.parametrize(
    ("ties", "more", "message"),
    [
        ({"w2": "2*w1", "w1": "w2/2"}, {}, "in a circle: w1 -> w2 -> w1"),
        ({"w2": "2*w2"}, {}, "in a circle: w2 -> w2"),
        ({"w3": "2*w1"}, {}, "ties name 'w3', which is no parameter"),
        ({"w2": "2*W1"}, {}, "names 'W1', which is no parameter of the model; did you mean 'w1'"),
        ({"w2": "2*w1"}, {"fixed": {"w2": 1}}, "fixed names 'w2', which is tied to 2\\*w1"),
        ({"w2": "2*w1"}, {"prior": {"w2": (1, 1)}}, "'w2' has a prior or a ridge, but is tied to 2\\*w1"),
        ({"w2": "2*w1"}, {"start": {"w1": 1, "w2": 3}}, "start 3 of 'w2' contradicts its tie, 2\\*w1 = 2"),
        ({"w2": "1/0"}, {}, "the tie of 'w2', 1/0, is inf"),
        ({"w2": 5}, {"bounds": {"w2": (0, 1)}}, "'w2' is tied to 5, which is outside its bounds"),
        ({"w2": None}, {}, "the tie of 'w2' is None: an expression"),
        ({"w2": "w1 ~ 2"}, {}, "the tie of 'w2' is 'w1 ~ 2': an expression"),
        ("w2=2*w1", {}, "a mapping is needed"),
        ({"w2": "2*w1[0]"}, {}, "the tie of 'w2' names 'w1\\[0\\]', which is no parameter"),
    ],
)
def test_a_wrong_tie_is_named(ties: Any, more: Any, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        fit(two, X, TWO, ties=ties, **more)


def test_a_tie_that_cannot_be_read_is_shown() -> None:
    with pytest.raises(FormulaError, match=r"the tie of 'w2': (?s:.*)2\*\*\*w1"):
        fit(two, X, TWO, ties={"w2": "2***w1"})


def test_a_tie_to_a_column_is_refused() -> None:
    with pytest.raises(ParameterError, match="the tie of 'b' names the column 'x'"):
        fit("y ~ a*x + b", data=DATA, ties={"b": "2*x"})


def test_a_whole_vector_is_not_tied() -> None:
    with pytest.raises(ParameterError, match=r"'p' is a vector: tie its components, as in 'p\[0\]'"):
        fit(vector, X, TWO, ties={"p": "2*a"}, start=[1.0, 1.0, 1.0])


# ----------------------------------------------------------------------------------- bounds on expressions


@pytest.mark.parametrize("start", [GUESS, None], ids=["start", "no start"])
@pytest.mark.parametrize(
    "expression", ["k1 - k2", "log(k1/k2)", "k1/k2 - 1", "2*(k1 - k2)/k2", "(k1 - k2)*exp(3)"]
)
def test_an_order_of_rates_can_be_demanded(expression: str, start: Any) -> None:
    result = fit(
        DECAYS, data=DATA, start=start, bounds={expression: (0, None), "k1": (0, None), "k2": (0, None)}
    )
    assert result.success and result.params["k1"].value > result.params["k2"].value
    assert result.params[expression].value > 0.0
    free = fit(DECAYS, data=DATA, start=GUESS)
    assert result.cost == pytest.approx(free.cost, rel=1e-9)
    for name in GUESS:
        assert result.params[name].value == pytest.approx(free.params[name].value, rel=1e-6)
        assert result.params[name].stderr == pytest.approx(free.params[name].stderr, rel=1e-5)


def test_the_start_decides_nothing_but_the_way() -> None:
    """Without the bound this start leads to the optimum with the labels exchanged."""
    wrong = {"a": 1.0, "k1": 0.1, "b": 1.0, "k2": 0.8}
    assert fit(DECAYS, data=DATA, start=wrong).params["k1"].value < 0.5
    start = {**wrong, "k1": 0.9}
    assert fit(DECAYS, data=DATA, start=start, bounds={"k1 - k2": (0, None)}).params["k1"].value > 0.5


def test_a_bound_on_an_expression_that_binds_gives_the_constrained_optimum() -> None:
    scipy = pytest.importorskip("scipy.optimize")
    result = fit(DECAYS, data=DATA, start=GUESS, bounds={"a + b + k1": (None, 3.5)})

    def cost(p: Any) -> float:
        return 0.5 * float(((p[0] * np.exp(-p[1] * X) + p[2] * np.exp(-p[3] * X) - DATA["y"]) ** 2).sum())

    kept = {"type": "ineq", "fun": lambda p: 3.5 - p[0] - p[1] - p[2]}
    other = scipy.minimize(cost, list(GUESS.values()), constraints=[kept], options={"ftol": 1e-14})
    assert result.cost <= other.fun * (1 + 1e-9)
    np.testing.assert_allclose([result.values[n] for n in GUESS], other.x, rtol=1e-3)
    row = result.params["a + b + k1"]
    assert row.value == pytest.approx(3.5, rel=1e-14) and row.at_bound == 1 and row.pull < 0
    assert "'a + b + k1' at its upper bound 3.5" in result.message
    assert any("a + b + k1 ended at its upper bound 3.5: the data pull it above" in s for s in result.advice)


def test_chains_of_orders_leave_one_parameter_for_each() -> None:
    bounds = {"a - b": (0, None), "b - c": (0, None), "c": (0, None)}
    y = 3.0 + 2.0 * X + 1.0 * X**2
    result = fit("y ~ a + b*x + c*x^2", data={"x": X, "y": y}, bounds=bounds)
    np.testing.assert_allclose([result.values[n] for n in "abc"], [3.0, 2.0, 1.0], rtol=1e-8)
    assert set(result.derived) == {"a - b", "b - c"}


def test_a_bound_that_follows_from_others_costs_no_parameter() -> None:
    bounds = {"a + b": (0, None), "a": (0, None), "b": (0, None)}
    assert fit(DECAYS, data=DATA, start=GUESS, bounds=bounds).free_names == tuple(GUESS)


def test_two_bounds_on_one_expression_share_its_parameter() -> None:
    bounds = {
        "a - b": (-1, None),
        "b - a": (None, 0.5),
        "k1/k2": (1, None),
        "k2/k1": (0.1, None),
        "k2": (0, 1),
    }
    result = fit(DECAYS, data=DATA, start=GUESS, bounds=bounds)
    assert result.success and result.free_names == ("a - b", "k1/k2", "b", "k2")
    with pytest.raises(ParameterError, match=r"bounds of 'b - a' cannot be kept: .* lies in"):
        fit(DECAYS, data=DATA, start=GUESS, bounds={"a - b": (1, None), "b - a": (0, 3)})


def test_the_start_values_are_those_of_the_caller() -> None:
    """Whatever was fitted in the place of what: the model starts where it was told to."""
    for bounds in (
        {"k1 - k2": (0, None)},
        {"a*b": (0.5, None), "a": (0, None)},
        {"exp(a - b)/k1": (1, None)},
    ):
        result = fit(DECAYS, data=DATA, start=GUESS, bounds=bounds)
        begun = result._parameters.nested(result._parameters.values)
        assert begun == pytest.approx(GUESS, rel=1e-12)
        assert {name: result.params[name].start for name in GUESS} == pytest.approx(GUESS, rel=1e-12)


def test_a_bound_on_a_tied_parameter_of_several_takes_its_place() -> None:
    ties, bounds = {"w2": "k*w1", "x2": "x1 + dx"}, {"w2": (None, 1.2), "w1": (0, None)}
    result = fit(two, X, TWO, ties=ties, bounds=bounds, start={**START, "k": 1.1})
    assert result.free_names == ("h1", "x1", "w1", "h2", "w2", "dx")
    assert result.params["w2"].value == 1.2 and result.params["w2"].expression == "k*w1"
    assert result.params["k"].value == pytest.approx(1.2 / result.params["w1"].value)
    assert "= k*w1, at upper bound" in str(result)


def test_a_bound_on_a_tied_parameter_binds() -> None:
    result = fit(two, X, TWO, ties=TIES, bounds={"w2": (None, 1.2)}, start={**START, "w1": 0.5})
    assert result.params["w2"].value == 1.2 and result.params["w2"].at_bound == 1
    assert result.params["w1"].at_bound == 1


def test_an_expression_of_one_parameter_moves_its_bounds() -> None:
    result = fit(DECAYS, data=DATA, start=GUESS, bounds={"log(k1)": (-1, -0.2)})
    assert result.params["k1"].value == pytest.approx(math.exp(-0.2)) and result.params["k1"].at_bound == 1
    assert result.params["log(k1)"].at_bound == 1 and result.free_names == tuple(GUESS)


def test_the_parameter_that_has_a_start_stays() -> None:
    result = fit(DECAYS, data=DATA, start={"k1": 1.0}, bounds={"k1 - k2": (0, None)})
    assert "k1" in result.free_names and "k2" not in result.free_names


@pytest.mark.parametrize(
    ("bounds", "more", "message"),
    [
        (
            {"a + b": (None, 1), "a": (0, 1), "b": (0, 1)},
            {},
            r"bounds of 'a \+ b' cannot be kept: .*'a': it has bounds of its own, \[0, 1\]",
        ),
        ({"sin(a) + cos(b)": (0.5, 1)}, {}, "'a': `sin` cannot be undone; 'b': `cos` cannot be undone"),
        ({"a*b": (None, 1)}, {}, "its factor may be zero: give that a bound at 0"),
        ({"a^2 + b^2": (None, 1)}, {}, "several roots: give it a bound at 0"),
        ({"a - b": (1, 1)}, {}, "both bounds of 'a - b' are 1: write it as a tie"),
        ({"a - b": (2, 1)}, {}, "bounds of 'a - b' are crossed"),
        ({"a - q": (0, 1)}, {}, "the bound of 'a - q' names 'q', which is no parameter"),
        ({"a - b": (0, None)}, {"start": {**GUESS, "b": 2.0}}, "start -1 of 'a - b' is outside its bounds"),
        (
            {"a - b": (0, None), "b": (-1, None)},
            {"start": {"a": 1.0}},
            "start of 'a' cannot be used: 'a - b', which is bounded, takes its place, and 'b' has no start",
        ),
        (
            {"a - b": (0, None)},
            {"prior": {"a": (2, 1), "b": (1, 1)}},
            "'a': it has a prior or a ridge; 'b': it has a prior or a ridge",
        ),
        ({"exp(a)": (-2, -1)}, {}, r"bounds of 'exp\(a\)' cannot be kept: .* it lies in \[0, inf\]"),
    ],
)
def test_what_cannot_be_reparametrised_is_refused_by_name(bounds: Any, more: Any, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        fit(DECAYS, data=DATA, bounds=bounds, **more)


# ------------------------------------------------------------------------------------- bounds of parameters


def test_a_start_on_a_bound_leaves_it() -> None:
    start = {**GUESS, "k2": 0.0}
    result = fit(DECAYS, data=DATA, start=start, bounds={"k2": (0, None), "a": (1.0, None)})
    assert result.success and result.params["k2"].value == pytest.approx(0.2, rel=0.2)


def test_equal_bounds_point_to_fixed_with_or_without_start() -> None:
    for start in (None, GUESS):
        with pytest.raises(ParameterError, match="both bounds of 'a' are 1: use fixed"):
            fit(DECAYS, data=DATA, start=start, bounds={"a": (1, 1)})


def test_a_vertex_is_an_optimum() -> None:
    result = fit("y ~ a + b*x", data={"x": X, "y": 3 + 2 * X}, start=[1, 1], bounds=([0, 0], [2, 1.5]))
    assert result.x.tolist() == [2.0, 1.5]
    assert [p.at_bound for p in result.params.values()] == [1, 1]
    assert all(p.pull < 0 for p in result.params.values())


def test_the_pull_at_a_bound_is_the_slope_of_the_cost_there() -> None:
    result = fit(DECAYS, data=DATA, start=GUESS, bounds={"k1": (None, 0.9)})
    row = result.params["k1"]
    beyond = fit(DECAYS, data=DATA, start=GUESS, fixed={"k1": 0.9 + 1e-6})
    assert row.at_bound == 1 and row.pull == pytest.approx((beyond.cost - result.cost) / 1e-6, rel=1e-3)
    below = fit(DECAYS, data=DATA, start={**GUESS, "k1": 1.2}, bounds={"k1": (1.1, None)})
    assert below.params["k1"].at_bound == -1 and below.params["k1"].pull > 0


def test_a_free_optimum_on_the_bound_is_not_called_pulled() -> None:
    y = 2.0 * np.exp(-X) + 0.1 * np.sin(40 * X)
    free = fit("y ~ a*exp(-k*x)", data={"x": X, "y": y}, start=[1, 1])
    result = fit("y ~ a*exp(-k*x)", data={"x": X, "y": y}, start=[1, 1], bounds={"k": (None, free.x[1])})
    assert result.success
    np.testing.assert_allclose(result.x, free.x, rtol=1e-8)
    row = result.params["k"]
    assert row.pull == 0.0
    if row.at_bound:
        assert "at upper bound, no pull" in str(result) and "just where the data put it" in str(result)


def test_bounds_may_lie_as_near_as_numbers_do() -> None:
    low = 0.9
    high = float(np.nextafter(low, 1.0))
    result = fit(DECAYS, data=DATA, start={**GUESS, "k1": low}, bounds={"k1": (low, high)})
    assert result.success and result.params["k1"].value == high and result.params["k1"].at_bound == 1


def test_bounds_that_do_not_bind_change_nothing() -> None:
    bounds = {"k1": (0, None), "a": (None, 100), "k2": (-1, 1)}
    free, boxed = fit(DECAYS, data=DATA, start=GUESS), fit(DECAYS, data=DATA, start=GUESS, bounds=bounds)
    np.testing.assert_allclose(boxed.x, free.x, rtol=1e-9)


# -------------------------------------------------------------------------------------------------- evaluate


def test_an_expression_of_a_fit_has_the_error_of_the_model_written_with_it() -> None:
    rate = fit("y ~ Vmax*x/(Km + x)", data={"x": X, "y": 5 * X / (2 + X) + 0.05 * np.sin(9 * X)})
    other = fit("y ~ r*Km*x/(Km + x)", data={"x": X, "y": 5 * X / (2 + X) + 0.05 * np.sin(9 * X)})
    found = rate.evaluate("Vmax/Km")
    assert found.value == pytest.approx(other.params["r"].value, rel=1e-7)
    assert found.stderr == pytest.approx(other.params["r"].stderr, rel=1e-6)
    np.testing.assert_allclose(found.interval(), other.params["r"].interval(), rtol=1e-6)
    assert str(found).startswith("Vmax/Km = ")


def test_a_product_is_determined_where_its_factors_are_not() -> None:
    result = fit("y ~ a*b*exp(-c*x)", data=DATA, start=[1, 2, 1])
    assert math.isinf(result.params["a"].stderr) and math.isinf(result.evaluate("a/b").stderr)
    single = fit("y ~ a*exp(-c*x)", data=DATA, start=[2, 1])
    assert result.evaluate("a*b").stderr == pytest.approx(single.params["a"].stderr, rel=1e-5)


def test_the_covariance_of_parameters_named_is_that_of_the_free_ones() -> None:
    result = fit(DECAYS, data=DATA, start=GUESS)
    np.testing.assert_allclose(result.covariance_of(*GUESS), result.covariance, rtol=1e-12)
    ordered = fit(DECAYS, data=DATA, start=GUESS, bounds={"k1 - k2": (0, None)})
    np.testing.assert_allclose(ordered.covariance_of(*GUESS), result.covariance, rtol=1e-5)


def test_an_unknown_name_in_an_expression_is_named() -> None:
    with pytest.raises(ParameterError, match="the expression 'w1/q' names 'q', which is no parameter"):
        BY_HAND.evaluate("w1/q")
    vectors = fit(vector, X, vector(X, [3.0, 0.6, 0.3]), start=[1.0, 1.0, 1.0])
    assert vectors.evaluate("p[0]*p[1]").value == pytest.approx(1.8)
    with pytest.raises(
        ParameterError, match=r"names 'p', which is no parameter: name a component, as in p\[0\]"
    ):
        vectors.evaluate("2*p")


def test_fitted_components_may_be_compared() -> None:
    assert mq.fit(two, X, TWO, ties=TIES, start=START).evaluate("w2/w1").stderr == pytest.approx(0, abs=1e-12)
