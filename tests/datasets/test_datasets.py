"""The data sets that come with the package, and the reader of NIST files."""

from __future__ import annotations

import numpy as np
import pytest

from marquardt.datasets import michaelis_menten, nist, nist_names, read_nist
from marquardt.datasets.strd import parse_nist
from marquardt.errors import FileError


@pytest.mark.parametrize("name", nist_names())
def test_model_at_certified_values_gives_certified_residual_sum_of_squares(name):
    problem = nist(name)
    residuals = problem.response - problem.function(*problem.x, **problem.certified)
    # Eleven printed digits cannot carry the residual of Lanczos1, which is 1.4e-25.
    assert np.isclose(residuals @ residuals, problem.rss, rtol=2e-10, atol=1e-20 if name == "Lanczos1" else 0)


@pytest.mark.parametrize("name", nist_names())
def test_residual_deviation_follows_points_minus_parameters(name):
    problem = nist(name)
    assert np.isclose(np.sqrt(problem.rss / problem.dof), problem.residual_stderr, rtol=1e-10)


@pytest.mark.parametrize("name", nist_names())
def test_both_starts_and_deviations_name_every_parameter(name):
    problem = nist(name)
    expected = tuple(f"b{k + 1}" for k in range(len(problem.certified)))
    assert problem.param_names == tuple(problem.start1) == tuple(problem.start2) == expected
    assert all(value > 0 for value in problem.certified_stderr.values())


def test_there_are_27_problems_of_three_levels():
    levels = [nist(name).level for name in nist_names()]
    assert [levels.count(level) for level in ("lower", "average", "higher")] == [8, 11, 8]


def test_rat43_has_eleven_degrees_of_freedom_whatever_its_file_prints():
    assert nist("Rat43").dof == 11


def test_nelson_has_two_predictors_and_models_the_logarithm():
    problem = nist("Nelson")
    assert list(problem) == ["y", "x1", "x2"]
    assert np.array_equal(problem.response, np.log(problem["y"]))


def test_names_are_found_in_any_case_and_an_unknown_one_lists_the_names():
    assert nist("misra1A").name == "Misra1a"
    with pytest.raises(FileError, match=r"no NIST problem 'Misra9'.*Misra1a"):
        nist("Misra9")


def test_a_data_set_is_a_mapping_of_columns():
    problem = nist("DanWood")
    assert dict(problem).keys() == {"y", "x"}
    assert problem["x"].dtype == np.float64 and len(problem["x"]) == 6


def test_lanczos3_is_its_formula_rounded_to_four_decimals():
    x = np.arange(24) * 0.05
    y = 0.0951 * np.exp(-x) + 0.8607 * np.exp(-3 * x) + 1.5576 * np.exp(-5 * x)
    assert np.allclose(nist("Lanczos3").y, y, rtol=0, atol=0.51e-4)


def test_a_malformed_nist_file_names_file_and_line(tmp_path):
    good = (nist_text := _text("Misra1a")).replace("10.07E0", "10.o7E0")
    with pytest.raises(FileError, match=r"bad\.dat, line 61: not a number: '10\.o7E0'"):
        parse_nist(good, "bad.dat")
    short = tmp_path / "short.dat"
    short.write_text("\n".join(nist_text.splitlines()[:70]))
    with pytest.raises(FileError, match=r"short\.dat: the header promises lines 61 to 74, the file has 70"):
        read_nist(short)
    with pytest.raises(FileError, match=r"nothing\.dat cannot be read"):
        read_nist(tmp_path / "nothing.dat")


def test_line_ends_do_not_matter(tmp_path):
    path = tmp_path / "Roszman1.dat"
    path.write_bytes(_text("Roszman1").replace("\n", "\r\n").encode())
    assert read_nist(path).certified == nist("Roszman1").certified


def test_michaelis_menten_assay_is_the_published_one():
    assay, control = michaelis_menten(), michaelis_menten(treated=False)
    assert (len(assay["S"]), len(control["S"])) == (12, 11)
    # The published fits and their residual standard deviations.
    for data, vmax, km, deviation in ((assay, 212.68, 0.06412, 10.934), (control, 160.28, 0.04771, 9.773)):
        residuals = data["v"] - vmax * data["S"] / (km + data["S"])
        assert np.isclose(np.sqrt(residuals @ residuals / (len(residuals) - 2)), deviation, atol=5e-4)


def _text(name):
    from importlib.resources import files

    return (files("marquardt.datasets") / "nist" / f"{name}.dat").read_text("ascii")
