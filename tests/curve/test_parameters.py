"""Start values, bounds and fixed parameters in all their forms."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from marquardt.curve.parameters import arrange, names_given, plain_parameters
from marquardt.curve.signature import signature_of
from marquardt.errors import ModelError, ParameterError

AB = ("a", "b")


def names_of(function: Any, independent: tuple[str, ...] = ("x",), *named: str) -> tuple[str, ...]:
    return signature_of(function).parameters(independent, frozenset(named))


def test_arguments_without_default_are_the_parameters() -> None:
    assert names_of(lambda x, a, b, power=2, *, log=False: x) == ("a", "b")


def test_numeric_defaults_are_parameters_when_there_is_nothing_else() -> None:
    assert names_of(lambda x, a=1.0, b=2, normalize=True, kind="s": x) == ("a", "b")


def test_whatever_is_named_is_a_parameter() -> None:
    assert names_of(lambda x, a, power=2.0: x, ("x",), "power") == ("a", "power")
    assert names_of(lambda x, a, *, c=0.0: x, ("x",), "c") == ("a", "c")
    assert names_given({"p[0]": 1}, {"b": (0, None)}, ["c"]) == {"p", "b", "c"}


def test_a_function_without_readable_signature_is_refused() -> None:
    with pytest.raises(ModelError, match="wrap it"):
        signature_of(min)


def test_star_parameters_and_arguments_out_of_order_are_called_rightly() -> None:
    def poly(x: Any, *p: Any) -> Any:
        return sum(c * x**k for k, c in enumerate(p))

    call = signature_of(poly).callable(("x",), ("p",))
    assert call(2.0, p=np.array([1.0, 1.0, 1.0])) == 7.0

    def odd(a: Any, x: Any, b: Any) -> Any:
        return a * x + b

    assert signature_of(odd).callable(("x",), ("a", "b"))(2.0, a=3.0, b=1.0) == 7.0

    def positional(x: Any, a: Any, b: Any, /) -> Any:
        return a * x + b

    assert signature_of(positional).callable(("x",), ("a", "b"))(2.0, a=3.0, b=1.0) == 7.0


def test_a_plain_function_is_called_itself() -> None:
    def line(x: Any, a: Any, b: Any) -> Any:
        return a * x + b

    assert signature_of(line).callable(("x",), ("a", "b")) is line


def test_start_is_taken_by_name_in_order_or_from_defaults() -> None:
    assert arrange(AB, {}, {"b": 2, "a": 1}, None, None).values.tolist() == [1, 2]
    assert arrange(AB, {}, np.array([1.0, 2.0]), None, None).values.tolist() == [1, 2]
    assert arrange(AB, {"a": 5.0, "b": 6}, {"b": 2}, None, None).values.tolist() == [5, 2]


def test_missing_start_values_are_unknown() -> None:
    parameters = arrange(AB, {}, {"a": 1}, {"b": (3, 4)}, None)
    assert parameters.any_unknown() and np.isnan(parameters.values[1])
    assert parameters.provisional().tolist() == [1, 3]


def test_vector_parameters_are_flattened_and_nested_back() -> None:
    parameters = arrange(
        ("p", "c"), {}, {"p": [1, 2, 3], "c": 4}, {"p": (0, None), "p[1]": (1, 5)}, {"p[2]": 9}
    )
    assert parameters.names == ("p[0]", "p[1]", "p[2]", "c")
    assert parameters.free == (0, 1, 3) and parameters.values[2] == 9
    assert parameters.lower.tolist() == [0, 1, 0, -np.inf]
    assert parameters.nested(parameters.values)["p"].tolist() == [1, 2, 9]


def test_star_parameters_take_the_rest_of_the_start() -> None:
    parameters = arrange(("a", "p"), {}, [1, 2, 3], None, None, star="p")
    assert parameters.names == ("a", "p[0]", "p[1]")
    with pytest.raises(ParameterError, match="how many"):
        arrange(("p",), {}, None, None, None, star="p")


def test_bounds_come_by_name_as_arrays_or_as_scipy_bounds() -> None:
    from scipy.optimize import Bounds

    for bounds in (
        {"a": (0, None), "b": (None, 5)},
        ([0, -np.inf], [np.inf, 5]),
        Bounds([0, -np.inf], [np.inf, 5]),
    ):
        parameters = arrange(AB, {}, [1, 2], bounds, None)
        assert parameters.lower.tolist() == [0, -np.inf] and parameters.upper.tolist() == [np.inf, 5]
    assert arrange(AB, {}, [1, 2], (0, None), None).lower.tolist() == [0, 0]


def test_fixed_parameters_hold_a_value_or_their_start() -> None:
    assert arrange(AB, {}, {"a": 1}, None, {"b": 7}).values.tolist() == [1, 7]
    parameters = arrange(AB, {}, [1, 2], None, ["b"])
    assert parameters.free == (0,) and parameters.free_names == ("a",) and parameters.values[1] == 2


@pytest.mark.parametrize(
    ("start", "bounds", "fixed", "message"),
    [
        ({"aa": 1, "b": 2}, None, None, "start names 'aa'.*did you mean 'a'"),
        ([1, 2], {"Km": (0, 1)}, None, "bounds names 'Km'"),
        ([1, 2], None, {"c": 1}, "fixed names 'c'"),
        ([1, 2, 3], None, None, "3 values, the model has 2 parameters: a, b"),
        ([1, np.nan], None, None, "start of 'b' is nan"),
        ([1, "x"], None, None, "start of 'b' is 'x', not a number"),
        ([1, 2], {"a": (2, 3)}, None, r"start 1 of 'a' is outside its bounds \[2, 3\]"),
        ([1, 2], {"a": (3, 2)}, None, "bounds of 'a' are crossed: lower 3 > upper 2"),
        ([1, 2], {"a": (1, 1)}, None, "use fixed="),
        ([1, 2], {"a": 1}, None, "must be a pair"),
        ([1, 2], ([0, 0, 0], 1), None, "3 values for 2 parameters"),
        ([1, 2], {"a": (np.nan, 1)}, None, "a bound of 'a' is NaN"),
        (None, None, ["a"], "'a' is fixed but has no value"),
        ([1, 2], None, ["a", "b"], "every parameter is fixed"),
    ],
)
def test_each_mistake_names_the_parameter(start: Any, bounds: Any, fixed: Any, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        arrange(AB, {}, start, bounds, fixed)


def test_the_short_way_agrees_with_the_long_one() -> None:
    short, long = plain_parameters(AB, {"b": 2, "a": 1}), arrange(AB, {}, {"b": 2, "a": 1}, None, None)
    assert short is not None
    assert short.names == long.names and short.free == long.free and np.array_equal(short.values, long.values)
    assert np.array_equal(short.lower, long.lower) and short.shapes == long.shapes
    for start in ({"a": 1}, [1, np.nan], {"a": 1, "c": 2}, None, [[1], [2]], 3.0):
        assert plain_parameters(AB, start) is None
