"""Built-in models by name in formulas and on the command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import marquardt as mq
from marquardt.cli import main

X = np.linspace(0.0, 12.0, 49)
RNG = np.random.default_rng(3)
NOISE = 0.02 * RNG.normal(size=X.size)


def test_a_model_brings_its_parameters_along() -> None:
    y = mq.models.logistic4(X, 1.0, 5.0, 6.0, 1.1) + NOISE
    by_name = mq.fit("y ~ logistic4(t)", data={"t": X, "y": y})
    by_function = mq.fit(mq.models.logistic4, X, y)
    assert by_name.names == ("bottom", "top", "midpoint", "slope")
    assert by_name.multistart is not None and by_name.multistart.rule == "logistic4"
    assert np.allclose(by_name.x, by_function.x, rtol=1e-9)


def test_a_peak_on_a_line_needs_no_start() -> None:
    truth = {"height": 2.0, "center": 7.0, "width": 0.5, "c0": 30.0, "c1": -2.0}
    y = mq.models.gaussian(X, 2.0, 7.0, 0.5) + 30.0 - 2.0 * X + NOISE
    fit = mq.fit("y ~ gaussian(x) + c0 + c1*x", data={"x": X, "y": y})
    assert fit.success and fit.multistart is not None and fit.multistart.rule == "gaussian"
    assert all(abs(fit.params[n].value - v) < 5 * fit.params[n].stderr for n, v in truth.items())


def test_two_calls_of_a_model_take_names_of_their_own() -> None:
    y = mq.models.gaussian(X, 2.0, 3.0, 0.5) + mq.models.gaussian(X, 3.0, 8.0, 0.9) + NOISE
    fit = mq.fit("y ~ gaussian(x, h1, m1, w1) + gaussian(x, h2, m2, w2)", data={"x": X, "y": y})
    assert fit.names == ("h1", "m1", "w1", "h2", "m2", "w2")
    assert fit.success and sorted([fit.params["m1"].value, fit.params["m2"].value]) == pytest.approx(
        [3.0, 8.0], abs=0.1
    )
    assert fit.cost == pytest.approx(mq.fit("y ~ gaussian2(x)", data={"x": X, "y": y}).cost, rel=1e-9)


def test_arguments_of_a_model_are_expressions() -> None:
    y = mq.models.gaussian(np.log1p(X), 2.0, 1.5, 0.4)
    fit = mq.fit("y ~ gaussian(log1p(x), 2, m, w/2)", data={"x": X, "y": y}, start={"m": 1, "w": 1})
    assert fit.params["w"].value == pytest.approx(0.8)
    fit = mq.fit("y ~ gaussian(log1p(x))", data={"x": X, "y": y})
    assert fit.multistart is not None and fit.multistart.rule == "gaussian"
    assert fit.params["center"].value == pytest.approx(1.5)


def test_given_values_are_kept_and_bounds_hold() -> None:
    y = mq.models.exponential_decay(X, 3.0, 0.7, 0.2) + NOISE
    data = {"x": X, "y": y}
    fit = mq.fit("y ~ exponential_decay(x)", data=data, fixed={"offset": 0.25})
    assert fit.params["offset"].value == 0.25 and fit.success
    fit = mq.fit("y ~ exponential_decay(x)", data=data, bounds={"rate": (0.0, 0.5)})
    assert fit.params["rate"].value == 0.5 and fit.success


def test_two_variables_by_name() -> None:
    S, I = (g.ravel() for g in np.meshgrid([1.0, 2, 5, 10, 20], [0.0, 1, 4]))
    v = mq.models.competitive_inhibition(S, I, 30.0, 4.0, 2.0)
    fit = mq.fit("v ~ competitive_inhibition(S, I)", data={"S": S, "I": I, "v": v})
    assert np.allclose(fit.x, [30.0, 4.0, 2.0])
    assert fit.multistart is not None and fit.multistart.rule == "competitive_inhibition"


@pytest.mark.parametrize(
    ("formula", "problem"),
    [
        ("y ~ gaussian(x) + gaussian(x)", "`height` of `gaussian` is already a parameter of `gaussian"),
        ("y ~ gaussian(x) + lorentzian(x)", "`height` of `lorentzian` is already a parameter of `gaussian"),
        ("y ~ gaussian(x) + height", "`height` is already a parameter of `gaussian"),
        ("y ~ height*x + gaussian(x)", "`height` of `gaussian` is already a parameter of the formula"),
        ("y ~ gaussian(x, a)", r"write `gaussian\(x\)`, or with all parameters `gaussian\(x, height"),
        ("y ~ gaussian()", r"write `gaussian\(x\)`"),
        ("y ~ gaussian1(x)", "there is no function `gaussian1`"),
        ("y ~ gauss(x)", "there is no function `gauss`; did you mean `gaussian`"),
        ("gaussian(x) ~ a*x", "`gaussian` is a model: it belongs right of `~`"),
    ],
)
def test_ambiguous_calls_are_refused(formula: str, problem: str) -> None:
    with pytest.raises(mq.FormulaError, match=problem):
        mq.fit(formula, data={"x": X, "y": X})


def test_a_parameter_of_a_model_may_not_be_a_column() -> None:
    with pytest.raises(mq.FormulaError, match="`width` of `gaussian` is already a column"):
        mq.fit("y ~ gaussian(x)", data={"x": X, "y": X, "width": X})


def test_names_of_models_stay_free_for_parameters() -> None:
    fit = mq.fit("y ~ hill*x + sine", data={"x": X, "y": 2 * X + 1})
    assert np.allclose(fit.x, [2.0, 1.0])


def test_the_command_line_fits_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    y = mq.models.logistic4(X, 1.0, 5.0, 6.0, 1.1) + NOISE
    path = tmp_path / "data.csv"
    np.savetxt(path, np.stack([X, y], axis=1), header="x,y", delimiter=",", comments="")
    assert main(["fit", str(path), "y ~ logistic4(x)"]) == 0
    assert "start by the rule of logistic4" in capsys.readouterr().out


def test_the_command_line_lists_models(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models"]) == 0
    assert "michaelis_menten(S)\n    Vmax*S/(Km + S)" in capsys.readouterr().out
    assert main(["models", "voigt", "rational21"]) == 0
    out = capsys.readouterr().out
    assert "gamma : half width" in out and "(a0 + a1*x^1 + a2*x^2)/(1 + b1*x^1)" in out
    assert main(["models", "voit"]) == 2
    assert "did you mean" in capsys.readouterr().err
