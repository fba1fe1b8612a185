"""Robust fits of curves: outliers do not decide, are named, and are marked."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import least_squares

from marquardt.cli.main import main
from marquardt.curve.fit import fit
from marquardt.errors import OptionError, Status
from marquardt.options import METHODS, Options
from marquardt.problem.losses import LOSSES, Loss

from .data import SIGMA, TRUTHS, case, exponential, gaussian

NAMES = [*LOSSES, "barron(-2)", "barron(0.5)", "barron(-inf)"]


def opaque(t: Any, a: float, b: float, c: float) -> Any:
    """`exponential`, called back: an integrator cannot be traced."""
    return np.array([a - quad(lambda u: a * b * np.exp(-b * u), 0.0, s)[0] + c for s in t])


def test_a_formula_of_z_fits_like_the_loss_it_is() -> None:
    data = case(exponential, 3)
    named, written = (
        fit(exponential, data.t, data.y, start=data.start, loss=loss) for loss in ("welsch", "1 - exp(-z)")
    )
    assert np.allclose(named.x, written.x, rtol=1e-5) and np.allclose(named.stderr, written.stderr, rtol=1e-3)
    assert [o.row for o in named.outliers] == [o.row for o in written.outliers]
    assert "loss 1 - exp(-z) with scale" in str(written) and written.success


@pytest.mark.parametrize("loss", NAMES)
@pytest.mark.parametrize("model", TRUTHS, ids=lambda model: model.__name__)
def test_a_third_of_outliers_does_not_decide(model: Any, loss: str) -> None:
    data = case(model, 3)
    result = fit(model, data.t, data.y, start=data.start, loss=loss)
    assert result.status is Status.CONVERGED
    for name, value in TRUTHS[model].items():
        assert abs(result.params[name].value - value) < 5.0 * result.params[name].stderr
        assert result.params[name].stderr < 0.15 * abs(value)


@pytest.mark.parametrize("name", ["huber", "soft_l1", "cauchy"])
def test_the_minimum_is_that_of_scipy(name: str) -> None:
    data = case(exponential, 5)
    ours = fit(exponential, data.t, data.y, start=data.start, loss=name, f_scale=0.2)
    theirs = least_squares(
        lambda p: exponential(data.t, *p) - data.y, ours.x, loss=name, f_scale=0.2, xtol=1e-15, ftol=1e-15
    )
    assert ours.cost == pytest.approx(theirs.cost, rel=1e-10)
    assert np.allclose(ours.x, theirs.x, rtol=1e-6)


def test_a_model_that_is_called_back_ends_at_the_same_minimum() -> None:
    data = case(exponential, 7)
    for loss in ("huber", "tukey"):
        traced, called = (fit(m, data.t, data.y, start=data.start, loss=loss) for m in (exponential, opaque))
        assert called.status is Status.CONVERGED and "differences" in called.derivative
        assert np.allclose(traced.x, called.x, rtol=1e-5)
        assert np.allclose(traced.stderr, called.stderr, rtol=1e-3)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_that_arrives_arrives_at_the_same_minimum(method: str) -> None:
    data = case(exponential, 1)
    best = fit(exponential, data.t, data.y, start=data.start, loss="huber")
    other = fit(
        exponential, data.t, data.y, start=data.start, loss="huber", f_scale=best.loss.scale, method=method
    )
    if other.success:
        assert np.allclose(other.x, best.x, rtol=1e-5)
    else:
        assert method in ("gauss-newton", "gradient-descent")


def test_scaling_the_data_scales_the_fit_bit_for_bit() -> None:
    data, factor = case(gaussian, 2), 2.0**20
    start = {**data.start, "h": factor * data.start["h"], "c": factor * data.start["c"]}
    for loss in ("huber", "tukey"):
        one = fit(gaussian, data.t, data.y, start=data.start, loss=loss)
        other = fit(gaussian, data.t, factor * data.y, start=start, loss=loss)
        assert (other.x == one.x * np.array([factor, 1.0, 1.0, factor])).all()
        assert other.nfev == one.nfev


def test_threads_do_not_change_a_bit() -> None:
    rng = np.random.default_rng(0)
    t = np.linspace(0.0, 10.0, 60_000)
    y = exponential(t, 5.0, 0.6, 1.0) + SIGMA * rng.standard_t(1.5, t.size)
    ends = [
        fit(exponential, t, y, start=[4.0, 0.5, 0.5], loss="cauchy", options=Options(threads=n))
        for n in (1, 2)
    ]
    assert (ends[0].x == ends[1].x).all() and ends[0].cost == ends[1].cost


def test_outliers_are_named_by_row_and_the_others_left_alone() -> None:
    found = wrong = total = 0
    for seed in range(20):
        data = case(gaussian, seed, part=0.2, one_sided=True)
        rows = {o.row for o in fit(gaussian, data.t, data.y, start=data.start, loss="tukey").outliers}
        found, total = found + len(rows & set(data.wild.tolist())), total + data.wild.size
        wrong += len(rows - set(data.wild.tolist()))
    assert found >= 0.9 * total
    assert wrong <= 0.05 * total


def test_clean_data_have_hardly_an_outlier() -> None:
    counts = []
    for seed in range(30):
        data = case(exponential, seed, part=0.0)
        counts.append(len(fit(exponential, data.t, data.y, start=data.start, loss="tukey").outliers))
    assert np.mean(counts) < 0.5


def test_an_outlier_keeps_its_row_when_others_are_dropped() -> None:
    data = case(exponential, 3, part=0.0)
    y = data.y.copy()
    y[4], y[30] = np.nan, 99.0
    result = fit(exponential, data.t, y, start=data.start, loss="huber", missing="drop")
    assert [o.row for o in result.outliers] == [30]
    assert result.outliers[0].x == data.t[30] and result.outliers[0].residual < -90.0
    assert "1 outlier, row 30 (t = 5.085)" in str(result)
    figure = result.plot()
    rings = [line for line in figure.axes[0].lines if line.get_label() == "1 outlier"]
    assert rings[0].get_xydata().tolist() == [[data.t[30], 99.0]]
    assert result.to_dict()["loss"]["outliers"][0]["row"] == 30


def test_errors_of_clean_and_of_wild_data_are_honest() -> None:
    """Of nominal 95 % intervals 300 fits must hold the truth in 90 to 98 % (three standard errors: ± 4 %)."""
    for part in (0.0, 0.2):
        inside = 0
        for seed in range(300):
            data = case(exponential, seed, part=part)
            b = fit(exponential, data.t, data.y, start=data.start, loss="huber").params["b"]
            low, high = b.interval(0.95)
            inside += low <= 0.6 <= high
        assert 0.90 <= inside / 300 <= 0.98, (part, inside)


def test_without_outliers_robust_costs_little_efficiency() -> None:
    data = case(exponential, 8, part=0.0)
    plain = fit(exponential, data.t, data.y, start=data.start)
    robust = fit(exponential, data.t, data.y, start=data.start, loss="tukey")
    assert np.all(robust.stderr < 1.3 * plain.stderr)
    assert robust.noise == pytest.approx(SIGMA, rel=0.3)


def test_a_scale_so_large_that_nothing_is_an_outlier_gives_squares() -> None:
    data = case(exponential, 8)
    plain = fit(exponential, data.t, data.y, start=data.start)
    robust = fit(exponential, data.t, data.y, start=data.start, loss="huber", f_scale=1e6)
    assert np.allclose(plain.x, robust.x, rtol=1e-9) and robust.cost == pytest.approx(plain.cost)
    assert robust.rss == pytest.approx(plain.rss)


def test_known_sigma_is_the_noise() -> None:
    data = case(exponential, 8)
    given = fit(exponential, data.t, data.y, start=data.start, loss="huber", sigma=SIGMA)
    same = fit(exponential, data.t, data.y, start=data.start, loss="huber", f_scale=1.345 * SIGMA)
    assert given.loss == Loss("huber", 1.345)
    assert np.allclose(given.x, same.x, rtol=1e-8)
    assert np.allclose(given.stderr, same.stderr, rtol=1e-6)


def test_rows_of_weight_zero_say_nothing() -> None:
    data = case(exponential, 8)
    weights = np.ones(data.t.size)
    weights[::3] = 0.0
    used = weights > 0.0
    whole = fit(exponential, data.t, data.y, start=data.start, loss="huber", weights=weights)
    part = fit(exponential, data.t[used], data.y[used], start=data.start, loss="huber")
    assert np.allclose(whole.x, part.x, rtol=1e-6)
    assert np.allclose(whole.stderr, part.stderr, rtol=1e-4)
    assert whole.noise == pytest.approx(part.noise, rel=1e-6)


@pytest.mark.parametrize("loss", ["huber", "tukey"])
def test_data_without_noise_are_met_whatever_the_outliers(loss: str) -> None:
    t = np.linspace(0.0, 10.0, 40)
    y = exponential(t, 5.0, 0.6, 1.0)
    result = fit(exponential, t, y, start={"a": 4.0, "b": 0.5, "c": 0.8}, loss=loss)
    assert result.success and np.allclose(result.x, [5.0, 0.6, 1.0], rtol=1e-6)
    y[[3, 20, 33]] += 7.0
    result = fit(exponential, t, y, start={"a": 4.0, "b": 0.5, "c": 0.8}, loss=loss)
    assert np.allclose(result.x, [5.0, 0.6, 1.0], rtol=1e-5)


def test_no_start_is_needed() -> None:
    data = case(gaussian, 6)
    given = fit(gaussian, data.t, data.y, start=data.start, loss="tukey")
    found = fit(gaussian, data.t, data.y, loss="tukey", bounds={"s": (0.0, None)})
    assert found.cost == pytest.approx(given.cost, rel=0.02)


def test_all_weights_zero_is_no_success() -> None:
    data = case(exponential, 8)
    far = {"a": 500.0, "b": 0.6, "c": 1e6}
    result = fit(exponential, data.t, data.y, start=far, loss="tukey", f_scale=1e-3)
    assert result.cost < 1.0 / 6.0 * 1e-6 * data.t.size or not (result.success and result.unique)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"loss": "hubert"}, "there are 'linear', 'huber'"),
        ({"loss": "huber", "f_scale": 0.0}, "positive number"),
        ({"loss": "huber", "f_scale": "a"}, "positive number"),
        ({"f_scale": 2.0}, "no effect with loss='linear'"),
    ],
)
def test_what_cannot_be_had_is_refused(arguments: dict[str, Any], message: str) -> None:
    data = case(exponential, 8)
    with pytest.raises(OptionError, match=message):
        fit(exponential, data.t, data.y, start=data.start, **arguments)


def test_the_command_line_takes_a_loss(tmp_path: Any, capsys: Any) -> None:
    data = case(exponential, 3, one_sided=True)
    rows = "\n".join(f"{t},{y}" for t, y in zip(data.t.tolist(), data.y.tolist(), strict=True))
    (tmp_path / "d.csv").write_text("t,y\n" + rows)
    line = ["fit", str(tmp_path / "d.csv"), "y ~ a*exp(-b*t) + c", "--start", "a=4,b=0.5,c=1"]
    assert main([*line, "--loss", "tukey"]) == 0
    assert "loss tukey with scale" in capsys.readouterr().out
    assert main([*line, "--loss", "huber", "--f-scale", "0.1345"]) == 0
    assert "loss huber with scale 0.1345" in capsys.readouterr().out
    assert main([*line, "--loss", "nonsense"]) == 2
