"""One fit of many groups ends where the dense solver ends with the same joint problem, easy or not."""

from __future__ import annotations

import numpy as np
import pytest

import marquardt as mq
from marquardt.errors import ParameterError, Status

FORMULA = "y ~ a*x/(K + x) + b"
START = {"a": 4.0, "b": 1.5, "K": 1.6}


def data(n_groups, n=14, seed=1, noise=0.05):
    """Groups of different sizes, their rows mixed: x, y and the number of the group."""
    rng = np.random.default_rng(seed)
    index = np.repeat(np.arange(n_groups), rng.integers(n - 3, n + 4, n_groups))
    index = index[rng.permutation(index.size)]
    x = rng.uniform(0.1, 6.0, index.size)
    a, b = rng.uniform(2, 8, n_groups), rng.uniform(0.5, 2, n_groups)
    y = a[index] * x / (1.3 + x) + b[index] + noise * rng.standard_normal(x.size)
    return x, y, index


def both(n_groups, **more):
    """The fit of groups, and the dense one with a vector of each own parameter."""
    x, y, index = data(n_groups)
    if more.pop("noisy", False):
        more["sigma"] = np.where(np.arange(x.size) % 2, 0.05, 0.08)
    table = {"x": x, "y": y, "g": index}
    joint = mq.fit(FORMULA, data=table, group="g", shared=["K"], start=START, **more)

    def model(x, a, b, K):
        return a[index] * x / (K + x) + b[index]

    start = {n: np.full(n_groups, v) if n != "K" else v for n, v in START.items()}
    return joint, mq.fit(model, x, y, start=start, **more)


def in_dense_order(joint, dense):
    """Names in the joint fit of the dense fit's free parameters."""
    return [
        n if n == "K" else joint.full_name(n.split("[")[0], int(n.split("[")[1][:-1]))
        for n in dense.free_names
    ]


@pytest.mark.parametrize(
    "more",
    [{}, {"noisy": True}, {"bounds": {"b": (1.0, None)}}, {"bounds": {"K": (1.5, 3.0)}}],
    ids=["plain", "sigma", "own at bounds", "shared at its bound"],
)
@pytest.mark.parametrize("n_groups", [2, 5, 9])
def test_end_covariance_status_and_freedom_are_those_of_the_dense_solver(n_groups, more):
    joint, dense = both(n_groups, **more)
    names = in_dense_order(joint, dense)
    assert joint.status is dense.status
    assert joint.dof == dense.dof
    np.testing.assert_allclose([joint.params[n].value for n in names], dense.x, rtol=1e-8)
    np.testing.assert_allclose([joint.params[n].stderr for n in names], dense.stderr, rtol=1e-6)
    scale = np.sqrt(np.outer(*[np.diag(dense.covariance)] * 2))
    np.testing.assert_allclose(joint.covariance_of(*names) / scale, dense.covariance / scale, atol=1e-6)
    np.testing.assert_allclose(joint.goodness.aic, dense.aic, rtol=1e-10)


def test_a_group_without_signal_does_not_keep_the_fit_from_its_minimum():
    index = np.repeat(np.arange(6), 10)
    x = np.tile(np.linspace(0.2, 5, 10), 6)
    rng = np.random.default_rng(0)
    rng.standard_normal(180)
    y = np.where(index == 2, 0.0, 2 * np.exp(-0.7 * x)) + 0.01 * rng.standard_normal(x.size)
    joint = mq.fit(
        "y ~ a*exp(-b*x) + c", data={"x": x, "y": y, "g": index}, group="g", shared=["c"],
        start={"a": 1, "b": 1, "c": 0},
    )  # fmt: skip

    def model(x, a, b, c):
        return a[index] * np.exp(-b[index] * x) + c

    dense = mq.fit(model, x, y, start={"a": np.ones(6), "b": np.ones(6), "c": 0})
    assert joint.status is dense.status is Status.CONVERGED
    np.testing.assert_allclose(joint.rss, dense.rss, rtol=1e-9)


def wells(n_groups=30, empty=(3, 28)):
    """Hill curves with a shared exponent; some wells are empty."""
    rng = np.random.default_rng(5)
    index = np.repeat(np.arange(n_groups), 20)
    x = np.tile(np.linspace(0.1, 6, 20), n_groups)
    V, K = rng.uniform(2, 8, n_groups), 1 + rng.uniform(0.5, 2, n_groups)
    y = np.where(np.isin(index, empty), 0.0, V[index] * x**2 / (K[index] ** 2 + x**2))
    return {"x": x, "y": y + 0.05 * rng.standard_normal(x.size), "well": index}


HILL = {"model": "y ~ V*x**h/(K**h + x**h)", "group": "well", "shared": ["h"]}


def test_empty_wells_do_not_stop_the_others_where_bounds_hold_them():
    fit = mq.fit(data=wells(), start={"V": 3, "h": 1.5, "K": 2}, bounds={"K": (0.01, 100)}, **HILL)
    assert fit.status in (Status.CONVERGED, Status.CONVERGED_AT_BOUND)
    assert fit.njev < 100
    assert abs(fit.shared["h"].value - 2.0) < 4 * fit.shared["h"].stderr


def test_what_runs_away_within_a_group_is_named():
    table = wells(12, ())
    steeper = table["well"] == 5  # no Hill curve: its best V and K are infinite
    y = np.where(steeper, 0.02 * table["x"] ** 2.5, table["y"])
    fit = mq.fit(data=table | {"y": y}, start={"V": 3, "h": 1.5, "K": 2}, **HILL)
    assert fit.status is Status.RUNAWAY
    assert set(fit.runaway()) == {"V[well 5]", "K[well 5]"}
    assert abs(fit.shared["h"].value - 2.0) < 0.2


def test_shared_parameters_that_run_away_together_with_own_ones_are_named():
    index = np.repeat(np.arange(6), 10)
    x = np.tile(np.linspace(0.2, 5, 10), 6)
    y = (2.0 + index) * x + 0.02 * x**2 + 0.01 * np.random.default_rng(0).standard_normal(60)
    fit = mq.fit(
        "y ~ V*x/(K + x)", data={"x": x, "y": y, "g": index}, group="g", shared=["K"],
        start={"V": 3, "K": 1},
    )  # fmt: skip
    assert fit.status is Status.RUNAWAY
    assert "K" in fit.runaway()


def test_a_start_that_is_no_number_names_parameter_and_group():
    x, y, index = data(3)
    table = {"x": x, "y": y, "g": index}
    for way in ({"group": "g", "shared": ["K"]}, {"by": "g"}):
        with pytest.raises(ParameterError, match=r"'a' of group 1 is 'x', not a finite number"):
            found = mq.fit(FORMULA, data=table, start={"a": {1: "x"}, "b": 1, "K": 1}, **way)
            raise found.errors[1]
