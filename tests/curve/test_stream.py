"""Fits of long data: the same as of short ones, in a fraction of the memory."""

from __future__ import annotations

import numpy as np
import pytest

import marquardt as mq
from marquardt.curve import long as long_data
from marquardt.curve.stream_result import LongFit

N = 210_000


def decay(t, a, T, c):
    return a * np.exp(-t / T) + c


def data(n=N, seed=1):
    rng = np.random.default_rng(seed)
    t = np.linspace(0.0, 10.0, n)
    return t, decay(t, 3.0, 2.0, 1.0) + 0.1 * rng.standard_normal(n)


@pytest.fixture
def short(monkeypatch):
    """Lets the same data be fitted the way of short ones."""

    def fit(*args, **kwargs):
        with monkeypatch.context() as patch:
            patch.setattr("marquardt.curve.stream.LONG", 10**9)
            return mq.fit(*args, **kwargs)

    return fit


def assert_same(long, plain, within=1e-3):
    """Parameters within a part of a standard error, and every number of the report near."""
    assert isinstance(long, LongFit) and not isinstance(plain, LongFit)
    assert long.status is plain.status
    for name, one in plain.params.items():
        off = abs(long.params[name].value - one.value)
        assert off == 0.0 or off <= within * one.stderr, name
    np.testing.assert_allclose(long.stderr, plain.stderr, rtol=1e-6)
    for name in ("cost", "rss", "aic", "bic", "r_squared", "reduced_chi2", "n_points", "dof"):
        np.testing.assert_allclose(getattr(long, name), getattr(plain, name), rtol=1e-7, err_msg=name)


def test_long_fit_is_that_of_all_rows(short):
    t, y = data()
    assert_same(mq.fit(decay, t, y, start=[1, 1, 1]), short(decay, t, y, start=[1, 1, 1]))


def test_threads_do_not_change_a_bit():
    t, y = data()
    one, two = (mq.fit(decay, t, y, start=[1, 1, 1], options=mq.Options(threads=k)) for k in (1, 2))
    assert one.x.tobytes() == two.x.tobytes() and one.covariance.tobytes() == two.covariance.tobytes()


@pytest.mark.parametrize("kind", ["<f4", ">f4", ">f8", "<i2", ">i4", "u1", "f2"])
def test_columns_of_any_number_type_are_read_as_they_lie(kind, short):
    rng = np.random.default_rng(3)
    t = np.linspace(0.0, 4.0, N)
    y = np.round(decay(t, 200.0, 2.0, 20.0) + rng.standard_normal(N)).astype(kind)
    fit = mq.fit(decay, t, y, start=[100, 1, 1])
    assert_same(fit, short(decay, t, y.astype(float), start=[100, 1, 1]))


def test_columns_of_a_table_in_rows_are_read_with_their_stride(short):
    t, y = data()
    table = np.zeros(N, dtype=[("t", "f4"), ("junk", "i1"), ("y", "f8")])
    table["t"], table["y"] = t, y
    fit = mq.fit("y ~ a*exp(-t/T) + c", data=table, start=[1, 1, 1])
    plain = {"t": table["t"].astype(float), "y": y}
    assert_same(fit, short("y ~ a*exp(-t/T) + c", data=plain, start=[1, 1, 1]))


def test_a_memory_map_is_fitted_as_it_lies(tmp_path, short):
    t, y = data()
    np.save(tmp_path / "y.npy", y[::-1])
    mapped = np.load(tmp_path / "y.npy", mmap_mode="r")[::-1]
    assert_same(mq.fit(decay, t, mapped, start=[1, 1, 1]), short(decay, t, y, start=[1, 1, 1]))


@pytest.mark.parametrize("what", ["sigma", "weights"])
@pytest.mark.parametrize("given", ["number", "array", "single precision"])
def test_weights_are_those_of_short_data(what, given, short):
    t, y = data()
    spread = {"number": 0.2, "array": 0.1 + 0.01 * t, "single precision": (0.1 + 0.01 * t).astype("f4")}[
        given
    ]
    as_short = spread.astype(float) if given == "single precision" else spread
    fit = mq.fit(decay, t, y, start=[1, 1, 1], **{what: spread})
    plain = short(decay, t, y, start=[1, 1, 1], **{what: as_short})
    assert_same(fit, plain)
    assert fit.sigma_known is plain.sigma_known and fit.weighted


def test_points_of_weight_zero_do_not_count():
    t, y = data()
    w = (np.arange(N) % 3 != 0).astype("u1")
    fit = mq.fit(decay, t, y, start=[1, 1, 1], weights=w)
    assert fit.n_points == int(w.sum()) and fit.status is mq.Status.CONVERGED


def test_bounds_fixed_and_ties_are_kept(short):
    t, y = data()
    wanted = {"start": {"a": 1, "T": 1}, "fixed": {"c": 0.9}, "bounds": {"T": (0, 2.2)}}
    assert_same(mq.fit(decay, t, y, **wanted), short(decay, t, y, **wanted))
    tied = {"start": {"a": 1, "T": 1}, "ties": {"c": "a/3"}}
    assert_same(mq.fit(decay, t, y, **tied), short(decay, t, y, **tied))


def test_start_values_are_found(short):
    t, y = data()
    fit = mq.fit(decay, t, y)
    assert_same(fit, short(decay, t, y))
    assert fit.multistart is not None


def test_a_branch_on_a_parameter_is_followed_on_the_way():
    def either(t, a, T, c):
        return a * np.exp(-t / T) + c if a > 2.0 else a * np.exp(-t / (2.0 * T)) + c

    t, y = data()
    fit = mq.fit(either, t, y, start=[1, 1, 1])
    assert fit.success and abs(fit.params["a"].value - 3.0) < 0.02


def test_residuals_and_predictions_are_made_when_asked_for():
    t, y = data()
    fit = mq.fit(decay, t, y.astype("f4"), start=[1, 1, 1], sigma=0.1)
    np.testing.assert_allclose(fit.residuals, (decay(t, *fit.x) - y.astype("f4")) / 0.1, atol=1e-9)
    np.testing.assert_allclose(fit.predict(), decay(t, *fit.x), rtol=1e-12)
    lower, upper = fit.band()
    assert lower.shape == (N,) and np.all(lower < upper)
    assert abs(0.5 * float((fit.residuals**2).sum()) / fit.cost - 1.0) < 1e-12


def test_what_looks_at_single_points_looks_at_a_sample():
    t, y = data()
    fit = mq.fit(decay, t, y, start=[1, 1, 1])
    assert fit.sample.residuals.size == long_data.SAMPLE
    assert "210000 points" in str(fit)


@pytest.mark.parametrize("loss", ["huber", "cauchy"])
def test_robust_fits_take_the_scale_of_a_sample(loss, short):
    t, y = data()
    y[np.random.default_rng(5).random(N) < 0.02] += 30.0
    fit, plain = (f(decay, t, y, start=[1, 1, 1], loss=loss) for f in (mq.fit, short))
    assert fit.success and isinstance(fit, LongFit)
    assert abs(fit.loss.scale / plain.loss.scale - 1.0) < 0.05
    assert np.all(np.abs(fit.x - plain.x) < 0.3 * plain.stderr)
    np.testing.assert_allclose(fit.stderr, plain.stderr, rtol=0.1)


@pytest.mark.parametrize("column", ["t", "y", "sigma"])
def test_a_bad_value_is_named_by_its_row(column):
    t, y = data()
    columns = {"t": t.astype("f4"), "y": y.astype("f4"), "sigma": np.full(N, 0.1, dtype="f4")}
    columns[column][123_456] = np.nan
    with pytest.raises(mq.DataError, match=rf"{column}.* is missing or not finite in row 123456"):
        mq.fit("y ~ a*exp(-t/T) + c", data=columns, start=[1, 1, 1], sigma="sigma")


def test_a_standard_deviation_of_zero_is_named_by_its_row():
    t, y = data()
    sigma = np.full(N, 0.1)
    sigma[77_777] = 0.0
    with pytest.raises(mq.DataError, match="sigma is 0 in row 77777: a standard deviation must be positive"):
        mq.fit(decay, t, y, start=[1, 1, 1], sigma=sigma)


def test_models_that_mix_rows_go_the_way_of_short_data():
    t, y = data()
    fit = mq.fit(lambda t, a, b: a + b * (t - t.mean()), t, y, start=[1, 1])
    assert fit.success and not isinstance(fit, LongFit)


def test_missing_rows_are_dropped(short):
    t, y = data()
    y[5] = y[100_000] = np.nan
    fit = mq.fit(decay, t, y, start=[1, 1, 1], missing="drop")
    assert fit.success and fit.dropped == 2 and fit.n_points == N - 2


def test_ctrl_c_keeps_the_best_point():
    t, y = data()
    fit = mq.fit(decay, t, y, start=[1, 1, 1], callback=lambda progress: True)
    assert fit.status is mq.Status.INTERRUPTED


@pytest.mark.parametrize("offset", [0.0, 3.0, 30.0, 300.0])
def test_standard_errors_keep_their_digits_where_columns_nearly_depend_on_one_another(offset, short):
    """Condition up to 1e9: products of the columns would lose all digits, reflections take over."""
    t, _ = data()
    x = offset + t / 10.0
    y = 1.0 + 2.0 * x - 0.1 * x**2 + 0.01 * np.random.default_rng(4).standard_normal(N)
    fit, plain = (f("y ~ a + b*x + c*x^2", data={"x": x, "y": y}, start=[1, 1, 1]) for f in (mq.fit, short))
    assert fit.status is plain.status is mq.Status.CONVERGED
    np.testing.assert_allclose(fit.stderr, plain.stderr, rtol=1e-6)
    assert np.all(np.abs(fit.x - plain.x) <= 1e-3 * plain.stderr)


def test_parameters_that_cannot_be_told_apart_are_named():
    t, y = data()
    fit = mq.fit("y ~ a*b*exp(-t/T) + c", data={"t": t, "y": y}, start=[1, 2, 1, 1])
    assert fit.status is mq.Status.NOT_UNIQUE and not fit.unique


def test_pictures_and_records_are_made_of_a_sample(tmp_path):
    pytest.importorskip("matplotlib").use("Agg")
    t, y = data()
    fit = mq.fit(decay, t, y.astype("f4"), start=[1, 1, 1])
    drawn = fit.plot().axes[0].lines[0].get_xdata()
    assert len(drawn) == long_data.SAMPLE
    record = fit.to_dict()
    assert record["goodness"]["n_points"] == N and record["advice"] == []


def test_residuals_in_long_runs_are_advised_about():
    t, y = data()
    fit = mq.fit("y ~ a + b*t", data={"t": t, "y": y}, start=[1, 1])
    assert any("long runs of one sign" in sentence for sentence in fit.advice)
