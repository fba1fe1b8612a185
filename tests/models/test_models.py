"""Every built-in model: values, derivatives, names."""

from __future__ import annotations

import numpy as np
import pytest

import marquardt as mq
from marquardt.expr.formula import parse
from marquardt.models.sized import SIZED
from marquardt.models.table import MODELS, ROWS, row_named, row_of

from .cases import CASES, Case

IDS = [f"{c.model}-{k}" for k, c in enumerate(CASES)]
SIZES = ["polynomial0", "polynomial3", "rational11", "rational32", "gaussian2", "voigt3", "pseudo_voigt2"]


def test_every_model_has_cases() -> None:
    assert set(ROWS) <= {c.model for c in CASES}
    for sized in SIZED:
        assert any(sized.row(c.model) for c in CASES)


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_values_are_those_of_the_formula(case: Case) -> None:
    row = case.row
    formula = parse(row.formula, row.arguments[: row.n_x], MODELS)
    columns = dict(zip(row.arguments, case.x, strict=False))
    with np.errstate(divide="ignore"):  # (half/x)^n at x = 0
        expected = formula(columns, **dict(zip(row.parameters, case.truth, strict=True)))
    scale = np.abs(expected).max()
    assert np.allclose(case.clean(), expected, rtol=1e-12, atol=1e-13 * scale)


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_derivatives_are_exact(case: Case) -> None:
    x = case.x if len(case.x) > 1 else case.x[0]
    fit = mq.fit(case.row.function, x, case.noisy(0), start=list(case.truth))
    assert fit.derivative == "exact (traced)"


@pytest.mark.parametrize("name", [*ROWS, *SIZES])
def test_the_documentation_names_every_parameter(name: str) -> None:
    row = row_named(name)
    assert row is not None and row.about
    if name in ROWS:
        text = row.function.__doc__ or ""
        assert all(parameter in text for parameter in row.arguments)
        assert "Start:" in text


@pytest.mark.parametrize("name", [*ROWS, *SIZES])
def test_a_model_is_found_by_its_function(name: str) -> None:
    row = row_named(name)
    assert row is not None and row_of(mq.models.get(name)) is row


def test_a_function_of_the_same_name_is_not_a_model() -> None:
    def gaussian(x: float, a: float) -> float:
        return a * x

    def polynomial99(x: float, a: float) -> float:
        return a * x

    assert row_of(gaussian) is None
    assert row_of(polynomial99) is None


def test_unknown_names_and_sizes_are_refused() -> None:
    with pytest.raises(mq.ModelError, match="did you mean 'logistic4'"):
        mq.models.get("logistik4")
    with pytest.raises(mq.ModelError, match="from 0 to 20, not 21"):
        mq.models.polynomial(21)
    with pytest.raises(mq.ModelError, match="from 1 to 20, not 0"):
        mq.models.rational(2, 0)
    with pytest.raises(mq.ModelError, match="sum_of adds up one of gaussian"):
        mq.models.sum_of(np.sin, 2)


def test_the_list_prints_formulas() -> None:
    names = mq.models.list()
    assert "gaussian" in names and "polynomialN" in names
    assert "Vmax*S/(Km + S)" in str(names)


def test_a_model_of_any_size_takes_its_parameters_by_position_and_by_name() -> None:
    model = mq.models.polynomial(2)
    assert model(2.0, 1.0, 2.0, 3.0) == model(2.0, 1.0, c2=3.0, c1=2.0) == 17.0
    with pytest.raises(TypeError, match="takes x and the parameters c0, c1, c2"):
        model(2.0, 1.0)
    with pytest.raises(TypeError, match="each once"):
        model(2.0, 1.0, 2.0, 3.0, c0=1.0)


@pytest.mark.parametrize(
    ("name", "x", "values", "expected"),
    [
        ("logistic4", 1e6, (1.0, 2.0, 0.0, -10.0), 1.0),
        ("logistic5", -1e5, (1.0, 2.0, 0.0, 3.0, 2.0), 1.0),
        ("hill", 1e200, (2.0, 1e-200, 5.0), 2.0),
        ("hill", 0.0, (2.0, 1.0, 1.5), 0.0),
        ("dose_response", 0.0, (1.0, 2.0, 3.0, -4.0), 2.0),
        ("exponential_rise", 1e-20, (1.0, 1.0, 0.0), 1e-20),
        ("weibull", 1e-20, (0.0, 1.0, 1.0, 1.0), 1e-20),
    ],
)
def test_extreme_arguments_lose_no_digits(
    name: str, x: float, values: tuple[float, ...], expected: float
) -> None:
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        assert np.isclose(mq.models.get(name)(x, *values), expected, rtol=1e-14, atol=0)
