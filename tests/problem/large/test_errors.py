"""Bad input is an error that names it, before any work."""

from __future__ import annotations

import numpy as np
import pytest

import marquardt as mq


def line(p, x, y):
    return p[0] * x + p[1] - y


def declared(**options):
    problem = mq.Problem()
    return problem, problem.variables("p", np.ones((3, 2)), **options)


VARIABLES = {
    "p[1] = [nan,  1.] is not finite": {"values": [[1, 1], [np.nan, 1]]},
    "must be real numbers": {"values": np.ones((2, 2), dtype=complex)},
    "must have shape (n, components)": {"values": np.ones((2, 2, 2))},
    "SE2 needs values of 3 components, these have 2": {"manifold": "SE2"},
    "there is no manifold 'se2'; did you mean 'SE2'?": {"manifold": "se2"},
    "fixed= of 'p' names p[3], there are 3": {"fixed": [0, 3]},
    "fixed= of 'p' is a mask of shape (2,)": {"fixed": [True, False]},
    "of 'p' must be True, a mask or indices": {"fixed": [0.5]},
    "of 'p' must be a list of different indices; a mask is of bool": {"fixed": [1, 0, 0]},
    "p[0] = [ 1., nan] is not finite": {"values": np.ma.masked_equal([[1.0, 2.0], [1.0, 1.0]], 2.0)},
    "bounds of p[0], component 1: the lower one, 3, is above the upper one, 2": {"bounds": (0, [2, 2])},
    "p[0] starts outside its bounds: component 0 is 1, not within [2, 3]": {"bounds": (2, 3)},
    "must be a pair (lower, upper)": {"bounds": 3},
    "prior of p[0]: sigma of component 1 is 0": {"prior": ([1, 1], [1, 0])},
    "mean of the prior of p[0]": {"prior": ([np.nan, 1], 1.0)},
    "must be a pair (mean, sigma)": {"prior": 1.0},
}
VARIABLES["bounds of p[0], component 1: the lower one, 3, is above the upper one, 2"]["bounds"] = ([0, 3], 2)


@pytest.mark.parametrize("message", VARIABLES)
def test_variables_that_cannot_be_are_named(message):
    options = {"values": np.ones((3, 2)), **VARIABLES[message]}
    with pytest.raises(mq.ParameterError) as error:
        mq.Problem().variables("p", **options)
    assert message in str(error.value)


RESIDUALS = {
    "'line', item 2: p[3] does not exist, there are 3 (0 to 2)": lambda p: {"pick": p[[0, 1, 3]]},
    "'line', item 0: p[-1] does not exist": lambda p: {"pick": p[[-1, 1, 2]]},
    "'line': the index of 'p' must be whole numbers": lambda p: {"pick": p[[0.0, 1.0, 2.0]]},
    "the index of 'p' has 2, data array 1 has 3": lambda p: {"pick": p[[0, 1]]},
    "'line', item 1: argument 3 is nan": lambda p: {"y": [0.0, np.nan, 1.0]},
    "'line', item 1: sqrt_information is zero": lambda p: {
        "sqrt_information": np.array([1.0, 0.0, 1.0]).reshape(3, 1, 1)
    },
    "sqrt_information is 2 x 2, but an item has 1 residuals": lambda p: {"sqrt_information": np.eye(2)},
    "'line', item 2: weight -1 is not a number of at least 0": lambda p: {"weight": [1.0, 1.0, -1.0]},
    "weight has shape (2,); a number or (3,)": lambda p: {"weight": [1.0, 1.0]},
    "loss = 3 is none; give mq.Huber(1.0)": lambda p: {"loss": 3},
    "'line' has no variables": lambda p: {"pick": np.ones((3, 2))},
    "'line', item 0: argument 3 is nan": lambda p: {"y": np.ma.masked_equal([0.0, 1.0, 2.0], 0.0)},
    "weight must be real numbers, not of type <U1": lambda p: {"weight": "a"},
    "sqrt_information must be real numbers": lambda p: {"sqrt_information": [[None]]},
    "argument 3 is object of object; give variables": lambda p: {"y": object()},
    "'line' has no items": lambda p: {"pick": p[[]], "x": np.ones(0), "y": np.ones(0)},
}


@pytest.mark.parametrize("message", RESIDUALS)
def test_residuals_that_cannot_be_are_named(message):
    problem, p = declared()
    options = {"pick": p, "x": np.arange(3.0), "y": np.arange(3.0), **RESIDUALS[message](p)}
    with pytest.raises(mq.MarquardtError) as error:
        problem.residuals(line, options.pop("pick"), options.pop("x"), options.pop("y"), **options)
        problem.compile()
    assert message in str(error.value)


def test_a_name_is_given_once():
    problem, p = declared()
    with pytest.raises(mq.ParameterError, match="there are variables 'p' already"):
        problem.variables("p", [1.0])
    problem.residuals(line, p, np.ones(3), np.ones(3), name="same")
    with pytest.raises(mq.ParameterError, match="there are residuals 'same' already"):
        problem.residuals(line, p, np.ones(3), np.ones(3), name="same")


def test_the_same_function_twice_gets_a_number():
    problem, p = declared()
    names = [problem.residuals(line, p, np.ones(3), np.ones(3)) for _ in range(3)]
    assert names == ["line", "line 2", "line 3"]


def test_variables_of_another_problem_are_refused():
    problem, _ = declared()
    _, other = declared()
    with pytest.raises(mq.ParameterError, match="'p' belong to another problem"):
        problem.residuals(line, other, np.ones(3), np.ones(3))


def test_bounds_are_for_free_numbers():
    with pytest.raises(mq.ParameterError, match="only free numbers"):
        mq.Problem().variables("q", [0.0, 0.0, 0.0, 1.0], manifold="SO3", bounds=(-1, 1))


def test_quaternions_near_length_one_are_normalized_and_others_named():
    problem = mq.Problem()
    family = problem.variables("q", [[0.0, 0.0, 0.0, 1.0 + 1e-6]], manifold="SO3")
    assert family.variables.values[0].tolist() == [0.0, 0.0, 0.0, 1.0]
    with pytest.raises(mq.ParameterError, match=r"r\[1\] = .*must be a vector of length 1 \(SO3\)"):
        problem.variables("r", [[0.0, 0.0, 0.0, 1.0], [0.0, 0.0, 1.0, 1.0]], manifold="SO3")


def test_a_function_that_fails_is_told_with_its_shapes():
    problem, p = declared()
    problem.residuals(lambda p, x: p @ np.ones(5) - x, p, np.ones(3), name="broken")
    with pytest.raises(mq.ModelError, match=r"'broken' cannot be called .* \(p \(2,\)\)"):
        problem.compile()


@pytest.mark.parametrize(
    ("function", "message"),
    {
        lambda p, x: None: "returns nothing; residuals are real numbers",
        lambda p, x: p * 1j: "returns complex numbers",
        lambda p, x: np.zeros(0): "returns no residuals",
    }.items(),
    ids=["nothing", "complex", "empty"],
)
def test_results_that_are_no_residuals_are_refused(function, message):
    problem, p = declared()
    problem.residuals(function, p, np.ones(3), name="odd")
    with pytest.raises(mq.ModelError, match=f"'odd' {message}"):
        problem.compile()
