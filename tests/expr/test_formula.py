"""The formula parser: what it reads, and what it says about what it cannot read."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from marquardt.datasets import nist, nist_names
from marquardt.errors import DataError, FormulaError
from marquardt.expr.formula import parse
from marquardt.expr.formula_functions import FUNCTIONS
from marquardt.expr.ops import OPS

VALUES = [
    ("1 + 2*3", 7.0),
    ("(1 + 2)*3", 9.0),
    ("2 - 3 - 4", -5.0),
    ("2/4/2", 0.25),
    ("-3^2", -9.0),
    ("(-3)^2", 9.0),
    ("2^3^2", 512.0),
    ("2**3**2", 512.0),
    ("2^-1", 0.5),
    ("2^-2^2", 2.0**-4),
    ("-2^-2", -0.25),
    ("--3", 3.0),
    ("3 - -2", 5.0),
    ("+3", 3.0),
    ("7 % 3", 1.0),
    ("-7 % 3", 2.0),
    ("7 // 2", 3.0),
    ("-7 // 2", -4.0),
    ("2*3 % 4", 2.0),
    ("1e-3 + .5 + 2. + 1E2", 102.501),
    ("pi", math.pi),
    ("1 < 2", 1.0),
    ("2 <= 1", 0.0),
    ("2 > 1", 1.0),
    ("2 >= 3", 0.0),
    ("2 == 2", 1.0),
    ("2 != 2", 0.0),
    ("1 < 2 < 3", 1.0),
    ("1 < 2 < 2", 0.0),
    ("3 > 2 >= 2 == 2", 1.0),
    ("1 + 1 < 3", 1.0),
    ("not 1 < 2", 0.0),
    ("not not 1", 1.0),
    ("1 or 0 and 0", 1.0),
    ("(1 or 0) and 0", 0.0),
    ("where(1 < 2, 5, 6)", 5.0),
    ("min(3, 1, 2)", 1.0),
    ("max(3, 1, 2)", 3.0),
    ("clip(5, 0, 2)", 2.0),
    ("ln(exp(2))", 2.0),
    ("abs(-2) + sqrt(9)", 5.0),
    ("erf(0.5)", math.erf(0.5)),
    ("atan2(1, 2)", math.atan2(1, 2)),
    ("heaviside(0) + heaviside(0, 1)", 1.5),
    ("norm_pdf(0.5)", math.exp(-0.125) / math.sqrt(2 * math.pi)),
    ("norm_cdf(0)", 0.5),
    ("jn(2, 1.5)", 0.23208767214421472),
    ("gamma(5)", 24.0),
    ("round(2.5)", 2.0),
]


@pytest.mark.parametrize(("text", "value"), VALUES)
def test_a_formula_means_what_python_means(text, value):
    assert np.isclose(float(parse(text)({})), value, rtol=1e-14, atol=0)


def test_parameters_and_columns_come_in_order_of_appearance():
    formula = parse("v ~ Vmax*S/(Km + S) + c*T + Vmax", columns=["T", "S", "v", "unused"])
    assert formula.param_names == ("Vmax", "Km", "c")
    assert formula.data_names == ("S", "T")
    assert formula.response.data_names == ("v",) and formula.response.text == "v"


def test_the_response_may_be_an_expression_of_columns():
    formula = parse("log(y) - x ~ a + b*x", columns={"x", "y"})
    data = {"x": np.array([1.0, 2.0]), "y": np.exp([3.0, 5.0])}
    assert formula.response.data_names == ("y", "x")
    assert np.allclose(formula.response(data), [2.0, 3.0])
    assert np.allclose(formula(data, a=1, b=10), [11.0, 21.0])


def test_without_a_tilde_it_is_a_model_only():
    assert parse("a*x", columns=["x"]).response is None


def test_names_hold_dots_underscores_and_letters_of_any_alphabet():
    formula = parse("peak.width*λ_1 + größe", columns=["λ_1"])
    assert formula.param_names == ("peak.width", "größe") and formula.data_names == ("λ_1",)


def test_back_quotes_name_columns_with_spaces():
    formula = parse("`signal (mV)` ~ a*`time, s`", columns=["signal (mV)", "time, s"])
    assert formula.data_names == ("time, s",) and formula.response.data_names == ("signal (mV)",)


def test_pi_is_a_column_when_there_is_one_and_e_is_a_parameter():
    assert parse("a*pi", columns=["pi"]).data_names == ("pi",)
    assert parse("a*e^x", columns=["x"]).param_names == ("a", "e")


def test_names_of_rare_functions_may_be_parameters():
    assert parse("beta*exp(-gamma*x)", columns=["x"]).param_names == ("beta", "gamma")
    assert parse("y0 + a*exp(-x/y1)", columns=["x"]).param_names == ("y0", "a", "y1")


def test_a_column_named_like_a_function_is_data_unless_called():
    assert parse("a*min + b", columns=["min"]).data_names == ("min",)


def test_a_formula_may_take_several_lines():
    assert parse("y ~ a*x\n  + b", columns=["x", "y"]).param_names == ("a", "b")


def test_long_sums_do_not_nest():
    formula = parse(" + ".join(f"a{k}*x" for k in range(2000)), columns=["x"])
    assert len(formula.param_names) == 2000


@pytest.mark.parametrize("name", nist_names())
def test_nist_formulas_agree_with_their_functions(name):
    problem = nist(name)
    formula = parse(problem.formula, columns=list(problem))
    assert sorted(formula.param_names) == list(problem.param_names)
    assert np.allclose(formula.response(problem), problem.response, rtol=1e-15)
    for parameters in (problem.start2, problem.certified):
        expected = problem.function(*problem.x, **parameters)
        assert np.allclose(formula(problem, **parameters), expected, rtol=1e-13, atol=1e-300)


def test_every_function_builds_operations_that_exist():
    class Recorder:
        def __init__(self):
            self.ops = set()

        def const(self, value):
            return value

        def apply(self, op, *args):
            assert len(args) == OPS[op].arity
            self.ops.add(op)
            return 0.0

    for name, function in FUNCTIONS.items():
        recorder = Recorder()
        function.build(recorder, *[1.0] * max(function.least, function.most or 0))
        assert recorder.ops, name


ERRORS = [
    ("y ~ a*expp(-x)", "there is no function `expp`; did you mean `exp`", 6, 4),
    ("y ~ a*EXP(-x)", "there is no function `EXP`; did you mean `exp`", 6, 3),
    ("y ~ x(a + 1)", "there is no function `x`; for a product write `x*(...)`", 4, 1),
    ("y ~ a*(x + 1", "this `(` is never closed", 6, 1),
    ("y ~ a*exp(-b*x", "this `(` is never closed", 9, 1),
    ("y ~ a*x)", "this `)` closes nothing", 7, 1),
    ("y ~ ()", "nothing stands between these parentheses", 5, 1),
    ("y ~", "nothing stands right of `~`", 3, 1),
    (" ~ a*x", "nothing stands left of `~`", 1, 1),
    ("", "nothing stands in the formula", 0, 1),
    ("y ~ a x", "an operator is missing between `a` and `x`: `a*x`?", 6, 1),
    ("y ~ 2x", "an operator is missing between `2` and `x`: `2*x`?", 5, 1),
    ("y ~ (a)(x)", "an operator is missing between `)` and `(`", 7, 1),
    ("y ~ max(a x)", "an operator is missing between `a` and `x`", 10, 1),
    ("y ~ a*", "the model ends after `*`", 6, 1),
    ("x + ~ a", "the response ends after `+`", 4, 1),
    ("y ~ a * / x", "a number, a name or `(` is expected after `*`, not `/`", 8, 1),
    ("y ~ exp + x", "`exp` is a function: write `exp(...)`, or rename the parameter", 4, 3),
    ("y ~ min(x)", "`min` takes at least 2 arguments, not 1", 4, 3),
    ("y ~ sin(x, a)", "`sin` takes 1 argument, not 2", 4, 3),
    ("y ~ log()", "`log` takes 1 argument, not 0", 4, 3),
    ("y ~ heaviside(x, a, a)", "`heaviside` takes 1 or 2 arguments, not 3", 4, 9),
    ("y ~ jn(a, x)", "the first argument of `jn` is its order", 4, 2),
    ("y = a*x", "'=' has no meaning here: use `~`", 2, 1),
    ("y ~ a & x", "'&' has no meaning here: use `and`", 6, 1),
    ("y ~ x² + a", "'²' has no meaning here: use `^2`", 5, 1),
    ("y ~ a ~ x", "a second `~`", 6, 1),
    ("y ~ 1,5*x", "the decimal sign is the point", 5, 1),
    ("y ~ a*`my col`", "there is no column `my col`; the columns are: x, y", 6, 8),
    ("y ~ a*`x", "the back quote that closes this one is missing", 6, 1),
    ("z ~ a*x", "`z` is not a column, and a response cannot hold parameters; the columns are: x, y", 0, 1),
    ("y ~ a if x > 0 else b", "conditions are written where(", 6, 2),
    ("y ~ gamma*gamma(x)", "`gamma` is used as a parameter and as a function", 10, 5),
    ("y ~ gamma(x)*gamma", "`gamma` is a function", 13, 5),
]


@pytest.mark.parametrize(("text", "words", "place", "length"), ERRORS)
def test_an_error_shows_the_place_and_says_what_to_do(text, words, place, length):
    with pytest.raises(FormulaError) as caught:
        parse(text, columns=["x", "y"])
    problem, line, carets = str(caught.value).split("\n")
    assert words in problem
    assert line == "  " + text.rstrip()
    assert carets == "  " + " " * place + "^" * length


def test_an_error_in_a_later_line_shows_that_line():
    with pytest.raises(FormulaError) as caught:
        parse("y ~ a*x\n  + foo(x)\n  + b", columns=["x", "y"])
    assert str(caught.value).splitlines()[1:] == ["    + foo(x)", "      ^^^"]


def test_a_function_called_where_a_column_has_its_name_is_ambiguous():
    with pytest.raises(FormulaError, match="`gamma` is both a function and a column"):
        parse("a*gamma(x)", columns=["x", "gamma"])


@pytest.mark.parametrize("text", ["(" * 5000 + "x", "2^" * 5000 + "x", "f(" * 5000])
def test_deep_nesting_is_an_error_not_a_crash(text):
    with pytest.raises(FormulaError):
        parse(text, columns=["x"])


def test_something_that_is_not_a_string_is_named():
    with pytest.raises(FormulaError, match="not int"):
        parse(3)


def test_a_column_missing_from_new_data_is_named():
    with pytest.raises(DataError, match="no column `conc`; did you mean `Conc`"):
        parse("a*conc", columns=["conc"])({"Conc": [1.0]}, a=1)
    with pytest.raises(DataError, match="column `conc` is not numeric"):
        parse("a*conc", columns=["conc"])({"conc": ["high"]}, a=1)


# Precedence and function of each operator; a sign binds looser than a power and tighter than a product.
_BINARY = {
    "+": (1, np.add),
    "-": (1, np.subtract),
    "*": (2, np.multiply),
    "/": (2, np.divide),
    "^": (4, np.power),
}


def _expressions():
    leaf = st.one_of(
        st.sampled_from(["x", "a"]).map(lambda name: ("name", name)),
        st.floats(0.1, 9, allow_subnormal=False).map(lambda v: ("number", v)),
    )
    return st.recursive(
        leaf,
        lambda inner: st.one_of(
            st.tuples(st.sampled_from(list(_BINARY)), inner, inner), st.tuples(st.just("neg"), inner)
        ),
        max_leaves=12,
    )


def _value(tree, names):
    match tree:
        case ("name", name):
            return names[name]
        case ("number", value):
            return np.float64(value)
        case ("neg", inner):
            return -_value(inner, names)
        case (symbol, left, right):
            return _BINARY[symbol][1](_value(left, names), _value(right, names))


def _text(tree):
    """The fewest parentheses Python's rules allow, and the precedence of the outermost operator."""
    match tree:
        case ("name", name):
            return name, 5
        case ("number", value):
            return repr(value), 5
        case ("neg", inner):
            return "-" + _within(inner, 3), 3
        case ("^", left, right):
            return _within(left, 5) + "^" + _within(right, 3), 4
        case (symbol, left, right):
            level = _BINARY[symbol][0]
            return f"{_within(left, level)} {symbol} {_within(right, level + 1)}", level


def _within(tree, least):
    text, level = _text(tree)
    return text if level >= least else f"({text})"


@settings(max_examples=300, deadline=None)
@given(_expressions())
def test_random_expressions_keep_their_meaning_without_superfluous_parentheses(tree):
    names = {"x": np.array([0.7, 1.3, 2.9]), "a": np.float64(1.7)}
    formula = parse(_text(tree)[0], columns=["x"])
    with np.errstate(all="ignore"):
        expected = np.broadcast_to(_value(tree, names), 3)
    found = np.broadcast_to(formula({"x": names["x"]}, a=1.7), 3)
    # The sign of an exact zero may change, and with it the sign of what is divided by it.
    finite = np.isfinite(expected)
    assert np.array_equal(np.isfinite(found), finite)
    assert np.allclose(found[finite], expected[finite], rtol=1e-9, atol=1e-9)
