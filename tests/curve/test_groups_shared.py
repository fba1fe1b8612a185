"""One fit of many groups: shared parameters, and parameters of each group."""

from __future__ import annotations

import time
import tracemalloc

import numpy as np
import pytest

import marquardt as mq
from marquardt.errors import DataError, OptionError, ParameterError, Status

RNG = np.random.default_rng(11)
SIZES = {"A": 15, "B": 20, "C": 15, "D": 25}
TRUE = {"A": (5.0, 0.7), "B": (3.0, 1.4), "C": (8.0, 1.0), "D": (4.0, 0.5)}
OFFSET = 0.8
LABEL = np.repeat(list(SIZES), list(SIZES.values()))
X = np.concatenate([np.linspace(0, 5, n) for n in SIZES.values()])
Y = np.array([TRUE[k][0] * np.exp(-TRUE[k][1] * x) + OFFSET for k, x in zip(LABEL, X, strict=True)])
Y = Y + RNG.normal(scale=0.05, size=Y.size)
TABLE = {"x": X, "y": Y, "plate": LABEL}
START = {"a": 4, "b": 1, "c": 0.5}
NUMBER = np.repeat(np.arange(4), list(SIZES.values()))


def decay(x, a, b, c):
    return a * np.exp(-b * x) + c


def joint_residuals(w=1.0, y=Y):
    def residuals(p):
        own = p[:8].reshape(4, 2)[NUMBER]
        return w * (own[:, 0] * np.exp(-own[:, 1] * X) + p[8] - y)

    return residuals


def dense(**rest):
    x0 = np.array([4.0, 1.0] * 4 + [0.5])
    return mq.least_squares(joint_residuals(**rest), x0)


def shared_fit(**rest):
    return mq.fit(decay, data=TABLE, y="y", group="plate", shared=["c"], **{"start": START} | rest)


def test_it_ends_where_the_dense_solver_ends_with_the_same_covariance_and_status():
    fit, whole = shared_fit(), dense()
    assert fit.status is whole.status is Status.CONVERGED
    np.testing.assert_allclose(fit.x, whole.x, rtol=1e-8)
    assert fit.cost == pytest.approx(whole.cost, rel=1e-13)
    s2 = 2 * whole.cost / (X.size - 9)
    C = np.linalg.inv(whole.jac.T @ whole.jac) * s2
    np.testing.assert_allclose(fit.covariance_of(*fit.names), C, rtol=1e-7, atol=1e-12)
    np.testing.assert_allclose(fit.stderr, np.sqrt(np.diag(C)), rtol=1e-8)
    assert (fit.rank, fit.dof) == (9, X.size - 9)


def test_from_far_starts_it_ends_there_too():
    whole = dense()
    for factor in (0.3, 3.0):
        fit = shared_fit(start={k: v * factor for k, v in START.items()})
        assert fit.success
        np.testing.assert_allclose(fit.x, whole.x, rtol=1e-8)


def test_starts_are_found():
    fit = shared_fit(start=None)
    assert fit.success
    np.testing.assert_allclose(fit.x, dense().x, rtol=1e-8)


def test_names_tell_the_group():
    fit = shared_fit()
    assert fit.names[:3] == ("a[plate A]", "b[plate A]", "a[plate B]") and fit.names[-1] == "c"
    assert fit.of("B")["a"] is fit.params["a[plate B]"]
    assert fit.values_of("C")["c"] == fit.shared["c"].value
    with pytest.raises(KeyError, match=r"plate"):
        fit.params["a[plate Z]"]


def test_sigma_goes_with_its_rows_and_fixes_the_scale():
    sigma = np.linspace(0.02, 0.08, X.size)
    fit, whole = shared_fit(sigma=sigma), dense(w=1 / sigma)
    np.testing.assert_allclose(fit.x, whole.x, rtol=1e-8)
    C = np.linalg.inv(whole.jac.T @ whole.jac)
    np.testing.assert_allclose(fit.stderr, np.sqrt(np.diag(C)), rtol=1e-7)
    assert fit.goodness.reduced_chi2 == pytest.approx(2 * whole.cost / fit.dof)


def test_rows_may_come_in_any_order_and_residuals_keep_it():
    order = RNG.permutation(X.size)
    fit, other = shared_fit(), mq.fit(
        decay, X[order], Y[order], group=LABEL[order], shared="c", start=START
    )  # fmt: skip
    for label in SIZES:
        np.testing.assert_allclose(
            list(other.values_of(label).values()), list(fit.values_of(label).values()), rtol=1e-8
        )
    np.testing.assert_allclose(other.residuals, fit.residuals[order], atol=1e-9)


def test_bounds_hold_in_every_group_and_are_named():
    fit = shared_fit(bounds={"b": (0.6, None), "c": (0.9, None)}, start=START | {"c": 1})
    assert fit.status is Status.CONVERGED_AT_BOUND
    assert fit.params["b[plate D]"].value == 0.6 and fit.params["b[plate D]"].at_bound == -1
    assert fit.shared["c"].value == 0.9 and np.isnan(fit.shared["c"].stderr)
    assert "at lower bound" in str(fit)
    low = np.array([-np.inf, 0.6] * 4 + [0.9])
    whole = mq.least_squares(joint_residuals(), np.array([4.0, 1.0] * 4 + [1.0]), bounds=(low, np.inf))
    np.testing.assert_allclose(fit.x, whole.x, rtol=1e-7)


def test_a_fixed_parameter_is_the_same_in_all_groups():
    fit = mq.fit(decay, data=TABLE, y="y", group="plate", shared=["c"], fixed={"c": 0.8}, start=START)
    alone = mq.fit(decay, data=TABLE, y="y", by="plate", fixed={"c": 0.8}, start=START)
    assert fit.shared_names == ()
    for label in SIZES:
        np.testing.assert_allclose(fit.of(label)["b"].value, alone[label].params["b"].value, rtol=1e-8)
        assert fit.values_of(label)["c"] == 0.8


def test_a_start_group_by_group_is_used_and_checked():
    fit = shared_fit(start={"a": {k: v[0] for k, v in TRUE.items()}, "b": 1, "c": 0.5})
    assert fit.success and fit.params["a[plate C]"].start == 8.0
    with pytest.raises(ParameterError, match=r"'c' is shared"):
        shared_fit(start={"a": 1, "b": 1, "c": {"A": 1}})
    with pytest.raises(ParameterError, match=r"'a' of group 'B' is -1, outside its bounds"):
        shared_fit(start={"a": {"B": -1}, "b": 1, "c": 1}, bounds={"a": (0, None)})


def test_a_group_that_does_not_determine_its_parameters_is_named():
    table = {"x": np.append(X, 2.0), "y": np.append(Y, 1.5), "plate": np.append(LABEL, "E")}
    fit = mq.fit(decay, data=table, y="y", group="plate", shared=["c"], start=START)
    assert fit.status is Status.NOT_UNIQUE and not fit.unique and fit.rank == 10
    assert np.isinf(fit.params["a[plate E]"].stderr) and np.isfinite(fit.params["a[plate D]"].stderr)
    assert any("a[plate E], b[plate E]" in line for line in fit.advice)
    np.testing.assert_allclose(fit.params["a[plate C]"].value, dense().x[4], rtol=1e-6)


def test_shared_parameters_that_cannot_be_told_apart_are_named():
    fit = mq.fit(
        lambda x, a, b, c, d: a * np.exp(-b * x) + c + d,
        data=TABLE, y="y", group="plate", shared=["c", "d"], start=START | {"d": 0.1},
    )  # fmt: skip
    assert fit.status is Status.NOT_UNIQUE and ("c", "d") in [tuple(n) for n in fit.undetermined()]
    assert np.isinf(fit.shared["c"].stderr) and np.isfinite(fit.params["b[plate A]"].stderr)


def test_a_function_that_cannot_be_traced_is_called_back():
    def foreign(x, a, b, c):
        return np.array([a * float(np.exp(-b * t)) + c for t in np.asarray(x).tolist()])

    fit = mq.fit(foreign, data=TABLE, y="y", group="plate", shared=["c"], start=START)
    assert fit.success
    np.testing.assert_allclose(fit.x, dense().x, rtol=1e-6)


def test_a_model_with_branches_is_traced_along_each():
    def kinked(x, a, b, c):
        return a * np.exp(-b * x) + c if b > 0.9 else a * np.exp(-b * x) + c + 0.0

    fit = mq.fit(kinked, data=TABLE, y="y", group="plate", shared=["c"], start=START)
    np.testing.assert_allclose(fit.x, dense().x, rtol=1e-8)


def test_a_function_with_hidden_state_is_found_out_and_called_back():
    state = {"offset": 0.0}

    def drifting(x, a, b, c):
        return a * np.exp(-b * x) + c + state["offset"]

    fit = mq.fit(
        drifting, data=TABLE, y="y", group="plate", shared=["c"], start=START,
        callback=lambda progress: state.update(offset=0.5),
    )  # fmt: skip
    assert fit.derivative.startswith("finite differences")
    np.testing.assert_allclose(fit.shared["c"].value, dense().x[-1] - 0.5, rtol=1e-5)


def test_missing_rows_are_an_error_or_dropped():
    y = Y.copy()
    y[20] = np.nan
    with pytest.raises(DataError, match=r"row 20"):
        mq.fit(decay, data=TABLE | {"y": y}, y="y", group="plate", shared=["c"], start=START)
    fit = mq.fit(
        decay, data=TABLE | {"y": y}, y="y", group="plate", shared=["c"], start=START, missing="drop"
    )
    assert fit.n_points == X.size - 1 and np.isnan(fit.residuals[20])


def test_a_bad_start_names_group_and_row():
    table = TABLE | {"x": np.where(np.arange(X.size) == 22, -800.0, X)}
    with pytest.raises(DataError, match=r"group 'B': the model is inf in row 22"):
        mq.fit(decay, data=table, y="y", group="plate", shared=["c"], start=START)


def test_an_observer_stops_it_and_the_best_point_is_kept():
    seen = []
    fit = shared_fit(callback=lambda p: seen.append(p.cost) or len(seen) >= 3)
    assert fit.status is Status.INTERRUPTED and not fit.success
    assert fit.cost <= seen[0] and seen[-1] <= seen[0]


def test_a_limit_of_evaluations_is_kept():
    fit = shared_fit(options=mq.Options(max_evaluations=2), start={k: 3 * v for k, v in START.items()})
    assert fit.status is Status.MAX_EVALUATIONS and fit.njev <= 2


def test_what_cannot_be_had_is_refused():
    with pytest.raises(OptionError, match=r"needs shared="):
        mq.fit(decay, data=TABLE, y="y", group="plate")
    with pytest.raises(ParameterError, match=r"shared: no parameter 'd'"):
        mq.fit(decay, data=TABLE, y="y", group="plate", shared=["d"])
    with pytest.raises(OptionError, match=r"every free parameter is shared"):
        mq.fit(decay, data=TABLE, y="y", group="plate", shared=["a", "b", "c"])
    with pytest.raises(OptionError, match=r"loss= cannot be had"):
        shared_fit(loss="huber")
    with pytest.raises(OptionError, match=r"starts= cannot be had"):
        shared_fit(starts=20)
    with pytest.raises(OptionError, match=r"needs group="):
        mq.fit(decay, data=TABLE, y="y", shared=["c"])


def test_predictions_and_bands_are_those_of_the_group():
    fit = shared_fit()
    x = np.array([0.5, 1.5])
    a, b, c = fit.values_of("B").values()
    np.testing.assert_allclose(fit.predict(x, group="B"), a * np.exp(-b * x) + c)
    low, high = fit.band(x, group="B")
    J = np.column_stack([np.exp(-b * x), -a * x * np.exp(-b * x), np.ones(2)])
    C = fit.covariance_of("a[plate B]", "b[plate B]", "c")
    from scipy.stats import t

    half = t.ppf(0.975, fit.dof) * np.sqrt(np.diag(J @ C @ J.T))
    np.testing.assert_allclose(high - low, 2 * half, rtol=1e-8)
    with pytest.raises(DataError, match=r"no group 'Z'"):
        fit.predict(x, group="Z")


def test_it_is_shown_as_text_html_frame_record_and_picture():
    fit = shared_fit()
    text = str(fit)
    assert "4 groups by plate" in text and "75 points, 9 parameters" in text and "converged" in text
    frame = fit.to_pandas()
    assert frame.loc["B", "a"] == fit.params["a[plate B]"].value
    assert frame["rss"].sum() == pytest.approx(fit.rss)
    assert fit.to_dict()["shared"]["c"]["value"] == fit.shared["c"].value
    assert "<table>" in fit._repr_html_() and len(fit.plot().axes) == 4


def many(count):
    rng = np.random.default_rng(1)
    x, label = np.tile(np.linspace(0.1, 6, 20), count), np.repeat(np.arange(count), 20)
    own = np.column_stack([rng.uniform(2, 8, count), rng.uniform(0.5, 2, count), rng.uniform(1, 4, count)])
    a, b, c = own[label].T
    y = a * np.exp(-b * x) + c * x / (1.3 + x) + rng.normal(scale=0.05, size=x.size)
    return {"x": x, "y": y, "plate": label}


def test_a_thousand_groups_of_three_own_parameters_take_less_than_a_second():
    table = many(1000)
    start = {"a": 4, "b": 1, "c": 2, "K": 1}
    seconds = []
    for _ in range(3):
        begin = time.perf_counter()
        fit = mq.fit("y ~ a*exp(-b*x) + c*x/(K + x)", data=table, group="plate", shared=["K"], start=start)
        seconds.append(time.perf_counter() - begin)
    assert fit.status is Status.CONVERGED and fit.n_free == 3001
    assert abs(fit.shared["K"].value - 1.3) < 4 * fit.shared["K"].stderr
    assert min(seconds) < 1.0


def test_memory_grows_with_the_number_of_groups_and_not_faster():
    used = []
    for count in (100, 400):
        table = many(count)
        tracemalloc.start()
        fit = mq.fit(
            "y ~ a*exp(-b*x) + c*x/(K + x)", data=table, group="plate", shared=["K"],
            start={"a": 4, "b": 1, "c": 2, "K": 1},
        )  # fmt: skip
        fit.stderr.sum()
        used.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert used[1] < 5 * used[0]
