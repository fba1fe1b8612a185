"""The command line before a fit begins: arguments, and errors that name the guilty thing with exit code 2."""

from __future__ import annotations

import pytest

from marquardt.cli import main
from marquardt.cli.fit import bounds, values
from marquardt.errors import OptionError


def test_values_are_separated_by_commas_or_given_in_several_options():
    assert values(["a=1,b=-2e3", " c.d = .5 "], "--start") == {"a": 1.0, "b": -2000.0, "c.d": 0.5}


def test_bounds_may_be_open_on_either_side():
    assert bounds(["a=0:,b=:5", "c=-1:1e3"]) == {"a": (0.0, None), "b": (None, 5.0), "c": (-1.0, 1000.0)}


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (["a"], "`a` is not of the form name=value; write --start a=1,b=2"),
        (["a="], "`a=` is not of the form name=value"),
        (["a=one"], "`one`, given for `a`, is not a number"),
        (["a=1", "a=2"], "names `a` twice"),
        (["a=nan"], "the value of `a` must be finite"),
    ],
)
def test_a_wrong_value_is_named(texts, words):
    with pytest.raises(OptionError) as caught:
        values(texts, "--start")
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a=3", "write low:high, where one side may be empty, as in a=0:"),
        ("a=:", "write low:high"),
        ("a=x:1", "`x`, given for `a`, is not a number"),
        ("a=0:inf", "must be finite, not inf; leave the side empty for no bound"),
    ],
)
def test_a_wrong_bound_is_named(text, words):
    with pytest.raises(OptionError) as caught:
        bounds([text])
    assert words in str(caught.value)


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("x,y,s,note\n1,2,0.1,a\n2,,0.1,b\n3,6,0.1,c\n")
    return str(path)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["y ~ a*xx("], "there is no function `xx`; for a product write `xx*(...)`\n  y ~ a*xx(\n        ^^"),
        (["z ~ a*x"], "`z` is not a column"),
        (["a*x"], "which column is fitted? Write `column ~ a*x`; the columns are: x, y, s, note"),
        (["y ~ a + b*X2"], "the model `y ~ a + b*X2` uses no column; the columns are: x, y, s, note"),
        ([], 'a formula is needed, such as "y ~ a*x + b"'),
        (["y ~ a*x"], "t.csv, line 3, column `y`: the value is missing; --drop-missing leaves such rows out"),
        (["log(x - 2) ~ a*x"], "t.csv, line 2, `log(x - 2)`: the value is nan (and 1 more); --drop-missing"),
        (
            ["x ~ a*s", "--sigma", "x - 2"],
            "t.csv, line 2, sigma: the value is -1 (and 1 more); a standard dev",
        ),
        (["x ~ a*s", "--weights", "2 - x"], "t.csv, line 4, weights: the value is -1; a weight must not be"),
        (["y ~ a*note"], "t.csv, line 2, column `note`: `a` is not a number"),
        (["y ~ a*x", "--start", "a"], "--start: `a` is not of the form name=value"),
        (["y ~ a*x", "--sigma", "ss"], "--sigma ss: `ss` is no column; the columns are: x, y, s, note"),
        (["y ~ a*x", "--sigma", "0.1*(x"], "this `(` is never closed"),
    ],
)
def test_bad_input_is_a_sentence_and_exit_code_2(table, capsys, arguments, words):
    assert main(["fit", table, *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("marquardt: error: ") and words in error and "Traceback" not in error


def test_a_file_that_does_not_exist_is_named(capsys):
    assert main(["fit", "nowhere.csv", "y ~ a*x"]) == 2
    assert "nowhere.csv cannot be read: No such file" in capsys.readouterr().err


def test_help_ends_well_and_wrong_usage_does_not(capsys):
    assert main(["--help"]) == main(["fit", "--help"]) == main(["--version"]) == 0
    assert main(["fit"]) == main(["sing"]) == main([]) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_an_empty_folder_of_problems_is_named(tmp_path, capsys):
    assert main(["nist", str(tmp_path)]) == 2
    assert "holds no .dat files" in capsys.readouterr().err
