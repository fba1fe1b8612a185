"""Fits of counts and proportions: values of R's glm, small counts, no start, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.integrate import quad

import marquardt as mq
from marquardt.errors import DataError, OptionError

Vector = NDArray[np.float64]

BEETLES = {
    "dose": [1.6907, 1.7242, 1.7552, 1.7842, 1.8113, 1.8369, 1.8610, 1.8839],
    "died": [6, 13, 18, 28, 52, 53, 61, 60],
    "of": [59, 60, 62, 56, 63, 59, 62, 60],
}
X = np.linspace(0.0, 10.0, 100)


def logistic(dose: Any, a: float, b: float) -> Any:
    return 1.0 / (1.0 + np.exp(-(a + b * dose)))


def exponential(x: Any, a: float, b: float) -> Any:
    return a * np.exp(-b * x)


def gaussian(x: Any, h: float, m: float, s: float) -> Any:
    return h * np.exp(-0.5 * ((x - m) / s) ** 2)


def test_beetles_are_those_of_glm() -> None:
    fit = mq.fit(logistic, data=BEETLES, y="died", family="binomial", trials="of", start={"a": -50, "b": 30})
    assert fit.success and fit.family == "binomial"
    assert fit.x == pytest.approx([-60.717, 34.270], rel=1e-4)  # Dobson (2002), table 7.5
    assert fit.stderr == pytest.approx([5.181, 2.912], rel=1e-3)
    assert fit.deviance == pytest.approx(11.232, rel=1e-4)
    assert fit.aic == pytest.approx(41.430, rel=1e-4)


def test_proportions_and_counts_are_the_same_fit() -> None:
    table = {**BEETLES, "part": np.array(BEETLES["died"]) / np.array(BEETLES["of"])}
    settings: dict[str, Any] = {"family": "binomial", "trials": "of", "start": {"a": -50, "b": 30}}
    counts = mq.fit(logistic, data=table, y="died", **settings)
    parts = mq.fit(logistic, data=table, y="part", **settings)
    assert parts.x == pytest.approx(counts.x, rel=1e-12) and parts.aic == pytest.approx(counts.aic)


def test_yes_and_no_need_no_trials() -> None:
    x = np.repeat([0.0, 1.0, 2.0, 3.0], 10)
    yes = np.concatenate([np.arange(10) < k for k in (1, 4, 7, 9)]).astype(float)
    single = mq.fit("y ~ 1/(1 + exp(-(a + b*x)))", data={"x": x, "y": yes}, family="binomial")
    grouped = mq.fit(
        "y ~ 1/(1 + exp(-(a + b*x)))",
        data={"x": [0, 1, 2, 3], "y": [1, 4, 7, 9]},
        family="binomial",
        trials=10,
    )
    assert single.success and single.x == pytest.approx(grouped.x, rel=1e-7)
    assert single.stderr == pytest.approx(grouped.stderr, rel=1e-7)


def test_a_constant_mean_is_the_mean_with_its_standard_error() -> None:
    y = np.array([0.0, 2.0, 1.0, 0.0, 5.0])
    fit = mq.fit("y ~ a + 0*x", data={"x": np.arange(5.0), "y": y}, family="poisson", start={"a": 7.0})
    assert fit.x[0] == pytest.approx(1.6, rel=1e-12)
    assert fit.stderr[0] == pytest.approx(np.sqrt(1.6 / 5.0), rel=1e-9)


def test_weights_count_rows() -> None:
    x, y, w = np.array([0.0, 1.0, 2.0]), np.array([4.0, 2.0, 0.0]), np.array([2, 1, 3])
    once = mq.fit(exponential, np.repeat(x, w), np.repeat(y, w), family="poisson", start=[3, 1])
    often = mq.fit(exponential, x, y, family="poisson", weights=w, start=[3, 1])
    assert often.x == pytest.approx(once.x, rel=1e-9) and often.stderr == pytest.approx(once.stderr, rel=1e-9)
    assert often.goodness.log_likelihood == pytest.approx(once.goodness.log_likelihood)


@pytest.mark.parametrize(
    ("model", "shape", "peak", "needed"),
    [(exponential, [0.5], 0.5, 37), (exponential, [0.5], 2.0, 39), (gaussian, [5.0, 1.2], 0.5, 36)],
)
def test_small_counts_reach_the_lowest_deviance(
    model: Any, shape: list[float], peak: float, needed: int
) -> None:
    rng, reached = np.random.default_rng(7), 0
    for _ in range(40):
        truth = np.array([peak, *shape])
        y = rng.poisson(model(X, *truth))
        start = truth * np.exp(0.5 * rng.standard_normal(truth.size))
        best = mq.fit(model, X, y, family="poisson", start=truth)
        try:
            fit = mq.fit(model, X, y, family="poisson", start=start)
        except DataError:
            continue
        reached += fit.success and fit.cost <= best.cost * (1.0 + 1e-9)
    assert reached >= needed


@pytest.mark.parametrize("peak", [0.5, 10.0])
def test_no_start_is_needed(peak: float) -> None:
    rng = np.random.default_rng(5)
    for model, shape in ((exponential, [0.5]), (gaussian, [5.0, 1.2])):
        for _ in range(3):
            truth = np.array([peak, *shape])
            y = rng.poisson(model(X, *truth))
            free, best = (mq.fit(model, X, y, family="poisson", start=s) for s in (None, truth))
            assert free.success and free.cost <= best.cost * (1.0 + 1e-9)


def test_a_start_that_is_no_mean_is_led_into_the_range() -> None:
    y = np.random.default_rng(1).poisson(2.0 + 1.5 * X)
    fit = mq.fit("y ~ a + b*x", data={"x": X, "y": y}, family="poisson", start={"a": -5.0, "b": 1.0})
    again = mq.fit("y ~ a + b*x", data={"x": X, "y": y}, family="poisson", start={"a": 5.0, "b": 1.0})
    assert fit.success and fit.x == pytest.approx(again.x, rel=1e-7)


def test_a_function_called_back_ends_at_the_same_point() -> None:
    y = np.random.default_rng(2).poisson(exponential(X, 5.0, 0.4)).astype(float)

    def opaque(x: Any, a: float, b: float) -> Any:  # an integrator cannot be traced
        return np.array([a - quad(lambda u: a * b * np.exp(-b * u), 0.0, s)[0] for s in x])

    traced = mq.fit(exponential, X, y, family="poisson", start=[2, 1], weights=np.full(100, 2.0))
    called = mq.fit(opaque, X, y, family="poisson", start=[2, 1], weights=np.full(100, 2.0))
    assert "finite differences" in called.derivative and called.success
    assert called.x == pytest.approx(traced.x, rel=1e-6) and called.cost == pytest.approx(traced.cost)


def test_the_verdict_knows_the_exact_hessian() -> None:
    y = np.random.default_rng(2).poisson(exponential(X, 5.0, 0.4)).astype(float)
    fit = mq.fit(exponential, X, y, family="poisson", start=[2, 1])

    def half_deviance(a: float, b: float) -> float:
        mu = exponential(X, a, b)
        return float((mu - y * np.log(mu)).sum())

    (a, b), h = fit.x, 1e-4
    mixed = sum(s * t * half_deviance(a * (1 + s * h), b * (1 + t * h)) for s in (1, -1) for t in (1, -1)) / (
        4 * h * h * a * b
    )
    R = np.asarray(fit._outcome.R)
    assert (R.T @ R + fit._outcome.hessian)[0, 1] == pytest.approx(mixed, rel=1e-4)


def test_branches_of_a_model_keep_the_order_of_the_data() -> None:
    y = np.random.default_rng(4).poisson(np.where(X > 4.0, 6.0, 2.0)).astype(float)

    def step(x: Any, a: float, b: float) -> Any:
        if a > 3.0:
            return np.concatenate([a + 0.0 * x[:40], b + 0.0 * x[40:]])
        return np.concatenate([a + 0.0 * x[:40], (b**2 / b) + 0.0 * x[40:]])

    fit = mq.fit(step, X, y, family="poisson", start=[5.0, 1.0])
    assert fit.success and fit.x == pytest.approx([y[:40].mean(), y[40:].mean()], rel=1e-8)


def test_bands_are_those_of_the_mean_and_stay_in_its_range() -> None:
    y = np.random.default_rng(3).poisson(exponential(X, 0.5, 0.5)).astype(float)
    fit = mq.fit(exponential, X, y, family="poisson", start=[1, 1])
    low, high = fit.band(X)
    assert (low >= 0.0).all() and (high > fit.predict(X)).all()
    wide = fit.band(X, prediction=True)
    assert (wide.upper > high).all()
    beetles = mq.fit(logistic, data=BEETLES, y="died", family="binomial", trials="of", start=[-50, 30])
    assert (beetles.band().upper <= 1.0).all()
    with pytest.raises(OptionError, match="trials"):
        beetles.band(prediction=True)


def test_too_much_scatter_is_spoken_of() -> None:
    rng = np.random.default_rng(6)
    mean = 20.0 * np.exp(-0.2 * X)
    calm = mq.fit(exponential, X, rng.poisson(mean), family="poisson", start=[15, 0.3])
    wild = mq.fit(
        exponential, X, rng.poisson(mean * rng.gamma(2.0, 0.5, 100)), family="poisson", start=[15, 0.3]
    )
    assert not any("scatter" in sentence for sentence in calm.advice) and 0.7 < calm.dispersion < 1.4
    assert any("scatter more than Poisson" in sentence for sentence in wild.advice)


def test_an_edge_is_named_with_its_row() -> None:
    y = np.round(5.0 * np.exp(-X))
    fit = mq.fit("y ~ a*exp(-b*x) + c", data={"x": X, "y": y}, family="poisson", start=[5, 0.5, 0.1])
    assert not fit.success and any("edge 0 of its range in row 99" in sentence for sentence in fit.advice)
    kept = mq.fit(
        "y ~ a*exp(-b*x) + c",
        data={"x": X, "y": y},
        family="poisson",
        start=[5, 0.5, 0.1],
        bounds={"c": (0, None)},
    )
    assert kept.success and kept.params["c"].value == 0.0


def test_the_report_and_the_record_name_the_family() -> None:
    y = np.random.default_rng(3).poisson(exponential(X, 3.0, 0.5))
    fit = mq.fit(exponential, X, y, family="poisson", start=[1, 1])
    text, record = str(fit), fit.to_dict()
    assert "family poisson" in text and "deviance" in text and "Pearson chi-square" in text
    assert record["family"] == "poisson" and record["loss"] is None
    assert fit.loss is None and fit.chi2 == pytest.approx(float((fit.pearson_residuals**2).sum()))
    assert fit.deviance == pytest.approx(float((fit.deviance_residuals**2).sum()))


REFUSED: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"family": "gamma"}, OptionError, "'gamma' is unknown; there are 'poisson', 'binomial'"),
    ({"family": "poisson", "sigma": 1.0}, OptionError, "sigma= with family='poisson'"),
    ({"family": "poisson", "loss": "huber"}, OptionError, "loss= with family='poisson'"),
    ({"family": "poisson", "trials": 3}, OptionError, "Poisson counts have none"),
    ({"trials": 3}, OptionError, "family='binomial'"),
    ({"family": "binomial"}, DataError, "y is 3 in row 1: without trials="),
    ({"family": "binomial", "trials": 2}, DataError, "y is 3 in row 1, more than its 2 trials"),
    ({"family": "binomial", "trials": [4, 4, 0]}, DataError, "trials is 0 in row 2"),
    ({"family": "binomial", "trials": 2.5}, DataError, "trials is 2.5 in row 0"),
    ({"family": "binomial", "trials": "n"}, DataError, "no table was given"),
    ({"family": "poisson", "weights": [1, -1, 1]}, DataError, "weights is -1 in row 1"),
    ({"family": "poisson", "ridge": 1.0}, OptionError, "ridge= with family='poisson'"),
]


@pytest.mark.parametrize(("given", "error", "sentence"), REFUSED)
def test_what_does_not_fit_is_refused_by_name(given: dict[str, Any], error: Any, sentence: str) -> None:
    with pytest.raises(error, match=sentence):
        mq.fit("a*x + b", [0.0, 1.0, 2.0], [1, 3, 2], start=[0.1, 0.1], **given)


def test_a_negative_count_is_refused_and_half_a_count_noted_by_row() -> None:
    with pytest.raises(DataError, match="y is -1 in row 2: a count must not be negative"):
        mq.fit("a*x + b", [0.0, 1.0, 2.0], [1, 3, -1], start=[1, 1], family="poisson")
    fit = mq.fit("a*x + b", [0.0, 1.0, 2.0], [1, 3.5, 4], start=[1, 1], family="poisson")
    assert any("'y' in row 1 is 3.5: not a whole count" in sentence for sentence in fit.advice)


def test_dropped_rows_drop_their_trials() -> None:
    broken = {name: [*column, None] for name, column in BEETLES.items()}
    broken["of"][-1] = 7
    settings: dict[str, Any] = {"y": "died", "family": "binomial", "trials": "of", "start": [-50, 30]}
    fit = mq.fit(logistic, data=broken, missing="drop", **settings)
    assert fit.dropped == 1 and fit.x == pytest.approx(mq.fit(logistic, data=BEETLES, **settings).x)


def test_the_command_line_takes_family_and_trials(tmp_path: Any, capsys: Any) -> None:
    from marquardt.cli import main

    file = tmp_path / "beetles.csv"
    rows = zip(*BEETLES.values(), strict=True)
    file.write_text("\n".join(["dose,died,of", *(",".join(map(str, row)) for row in rows)]))
    formula = "died ~ 1/(1 + exp(-(a + b*(dose - 1.8))))"
    assert main(["fit", str(file), formula, "--family", "binomial", "--trials", "of"]) == 0
    printed = capsys.readouterr().out
    assert "family binomial" in printed and "34.27" in printed
