"""`fit_many`: the shapes it takes, what it refuses, and fits that cannot be made."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import marquardt as mq
from marquardt.errors import DataError, ModelError, OptionError, ParameterError, Status

T = np.linspace(0, 6, 24)
GRID = (6, 7)


def decay(t: Any, a: Any, tau: Any, c: Any) -> Any:
    return a * np.exp(-t / tau) + c


def cube(grid: tuple[int, ...] = GRID, seed: int = 1) -> Any:
    rng = np.random.default_rng(seed)
    a, tau = rng.uniform(1, 5, (*grid, 1)), rng.uniform(0.5, 2, (*grid, 1))
    return decay(T, a, tau, 0.5) + 0.05 * rng.standard_normal((*grid, T.size))


START = {"a": 2, "tau": 1, "c": 0}
Y = cube()
WHOLE = mq.fit_many(decay, T, Y, start=START, covariance=True)


def close(many: mq.ManyFits, other: mq.ManyFits, rtol: float = 1e-6) -> bool:
    return np.allclose(many.x, other.x, rtol=rtol, atol=1e-8)


def test_every_fit_is_that_of_fit() -> None:
    assert WHOLE.counts == {Status.CONVERGED: 42} and WHOLE.shape == GRID and WHOLE.x.shape == (*GRID, 3)
    one = mq.fit(decay, T, Y[2, 3], start=START)
    assert np.allclose(WHOLE.x[2, 3], one.x, rtol=1e-6)
    assert np.allclose([WHOLE.stderr[n][2, 3] for n in WHOLE.names], one.stderr, rtol=1e-3)
    assert np.allclose(WHOLE.covariance[2, 3], one.covariance, rtol=1e-3, atol=1e-8)
    assert np.allclose(WHOLE.correlation[2, 3], one.correlation, rtol=1e-3)
    assert WHOLE.reduced_chi2[2, 3] == pytest.approx(one.reduced_chi2)
    assert WHOLE.cost[2, 3] == pytest.approx(one.cost) and WHOLE.dof[2, 3] == one.dof


@pytest.mark.parametrize(
    "more",
    [
        {"start": np.array([2.0, 1.0, 0.0])},
        {"start": np.broadcast_to([2.0, 1.0, 0.0], (*GRID, 3))},
        {"start": {"a": Y[..., 0], "tau": 1, "c": 0}},
        {"start": None},
        {"start": {"tau": 1}},
        {"start": "search"},
        {"start": START, "bounds": {"tau": (np.full(GRID, 0.1), np.full(GRID, 9.0))}},
        {"start": START, "weights": np.full(GRID, 3.0)},
        {"start": START, "mask": np.ones(Y.shape, bool)},
        {"start": START, "threads": 1},
    ],
    ids=str,
)
def test_ways_to_say_the_same(more: Any) -> None:
    assert close(mq.fit_many(decay, T, Y, **more), WHOLE, rtol=1e-4)


@pytest.mark.parametrize("kind", ["float32", "fortran", "moved", "x of each", "formula", "list"])
def test_data_in_many_forms(kind: str, tmp_path: Any) -> None:
    if kind == "float32":
        many = mq.fit_many(decay, T, Y.astype(np.float32), start=START)
    elif kind == "fortran":
        many = mq.fit_many(decay, T, np.asfortranarray(Y), start=START)
    elif kind == "moved":
        many = mq.fit_many(decay, T, np.moveaxis(np.moveaxis(Y, -1, 0).copy(), 0, -1), start=START)
    elif kind == "x of each":
        many = mq.fit_many(decay, np.broadcast_to(T, Y.shape), Y, start=START)
    elif kind == "formula":
        many = mq.fit_many("y ~ a*exp(-t/tau) + c", {"t": T}, Y, start=START)
    else:
        many = mq.fit_many(decay, T.tolist(), Y.tolist(), start=START)
    assert close(many, WHOLE, rtol=1e-4)


def test_counts_as_integers_and_maps_of_memory_are_read_by_chunks(tmp_path: Any) -> None:
    counts = np.rint(100 * np.maximum(Y, 0)).astype(np.uint16)
    np.save(tmp_path / "y.npy", counts)
    many = mq.fit_many(decay, T, np.load(tmp_path / "y.npy", mmap_mode="r"), start=START)
    assert np.allclose(many["a"], 100 * WHOLE["a"], rtol=0.1) and many.success.all()


def test_two_variables_on_a_grid_of_points() -> None:
    y, x = np.mgrid[:9, :9].astype(float)

    def spot(x: Any, y: Any, a: Any, x0: Any, y0: Any, s: Any) -> Any:
        return a * np.exp(-((x - x0) ** 2 + (y - y0) ** 2) / (2 * s * s))

    x0 = np.linspace(3, 5, 11)
    stack = spot(x, y, 10.0, x0[:, None, None], 4.0, 1.5)
    many = mq.fit_many(spot, (x, y), stack, start=[8, 4, 4, 2])
    assert many.shape == (11,) and np.allclose(many["x0"], x0) and np.allclose(many["s"], 1.5)


def test_starts_by_fit_are_those_of_a_table_whatever_their_kind() -> None:
    tau = np.arange(42).reshape(GRID) % 3 + 1
    table = np.stack([np.full(GRID, 2.0), tau, np.zeros(GRID)], axis=-1)
    assert np.array_equal(
        mq.fit_many(decay, T, Y, start=table).x, mq.fit_many(decay, T, Y, start={**START, "tau": tau}).x
    )
    held = {"c": tau / 10}
    whole = mq.fit_many(decay, T, Y, start={"a": 2, "tau": tau}, fixed=held)
    some = np.where(tau == 1, np.nan, tau)  # those without a start are found one
    found = mq.fit_many(decay, T, Y, start={"a": 2, "tau": some}, fixed=held)
    assert np.array_equal(found.x[tau > 1], whole.x[tau > 1]) and close(found, whole, rtol=1e-3)


def test_values_that_are_held_may_differ() -> None:
    c = np.linspace(0.4, 0.6, 42).reshape(GRID)
    many = mq.fit_many(decay, T, Y, start={"a": 2, "tau": 1}, fixed={"c": c})
    one = mq.fit(decay, T, Y[5, 6], start={"a": 2, "tau": 1}, fixed={"c": 0.6})
    assert np.allclose(many.x[5, 6], one.x) and np.all(many["c"] == c) and np.all(many.stderr["c"] == 0)


def test_bounds_that_differ_hold_each_fit() -> None:
    top = np.where(WHOLE["tau"] > 1, 1.0, 9.0)
    many = mq.fit_many(decay, T, Y, start={"a": 2, "tau": 0.9, "c": 0}, bounds={"tau": (0, top)})
    assert np.all(many["tau"] <= top)
    at = many.where(Status.CONVERGED_AT_BOUND)
    assert len(at) == np.count_nonzero(WHOLE["tau"] > 1) and np.isnan(many.stderr["tau"][tuple(at[0])])


def test_known_errors_are_not_rescaled() -> None:
    many = mq.fit_many(decay, T, Y, start=START, sigma=0.05)
    one = mq.fit(decay, T, Y[0, 0], start=START, sigma=0.05)
    assert np.allclose([many.stderr[n][0, 0] for n in many.names], one.stderr, rtol=1e-3)
    assert many.reduced_chi2[0, 0] == pytest.approx(one.reduced_chi2)


@pytest.mark.parametrize(
    "more", [{"loss": "huber"}, {"loss": "tukey", "f_scale": 0.2}, {"family": "poisson"}]
)
def test_losses_and_families_are_those_of_fit(more: Any) -> None:
    y = np.rint(50 * np.maximum(Y[:1, :3], 0)) if "family" in more else Y[:1, :3]
    start = {"a": 100, "tau": 1, "c": 20} if "family" in more else START
    many = mq.fit_many(decay, T, y, start=start, **more)
    one = mq.fit(decay, T, y[0, 1], start=start, **more)
    assert np.allclose(many.x[0, 1], one.x, rtol=1e-6)
    assert np.allclose([many.stderr[n][0, 1] for n in many.names], one.stderr, rtol=1e-6)
    assert many.reduced_chi2[0, 1] == pytest.approx(one.reduced_chi2)
    assert np.allclose(many.refit((0, 1)).x, one.x)


def test_what_cannot_be_fitted_is_a_status_of_that_fit() -> None:
    y = Y.copy()
    y[0, 0], y[1, 1], y[2, 2, 2:], y[3, 3, 5] = np.nan, 0.0, np.nan, np.inf
    many = mq.fit_many(decay, T, y, start=START)
    found = {place: many.STATUSES[many.status[place]].name for place in ((0, 0), (1, 1), (2, 2), (3, 3))}
    assert list(found.values()) == ["NO_POINTS", "CONSTANT", "TOO_FEW_POINTS", "BAD_DATA"]
    assert many.n_points[2, 2] == 2 and np.isnan(many["a"][1, 1])
    assert many.where("CONSTANT").tolist() == [[1, 1]]
    others = np.ones(GRID, bool)
    others[[0, 1, 2, 3], [0, 1, 2, 3]] = False
    assert np.array_equal(many.x[others], WHOLE.x[others])


@pytest.mark.parametrize("precision", ["double", "single"])
def test_what_lanes_leave_in_doubt_is_looked_at_and_changes_nothing_beside_it(precision: str) -> None:
    y = cube((3000,), seed=4)
    clean = mq.fit_many(decay, T, y, start=START, precision=precision)
    bad = y.copy()
    bad[7, 3], bad[1234], bad[2000], bad[2500, 0], bad[2999] = np.nan, np.nan, 5.0, np.inf, 0.0
    found = mq.fit_many(decay, T, bad, start=START, precision=precision)
    told = {1234: "NO_POINTS", 2000: "CONSTANT", 2500: "BAD_DATA", 2999: "CONSTANT"}
    assert {k: found.STATUSES[found.status[k]].name for k in told} == told
    others = np.delete(np.arange(3000), [7, *told])
    assert np.array_equal(found.x[others], clean.x[others]) and found.n_points[7] == T.size - 1
    assert np.array_equal(found.stderr["tau"][others], clean.stderr["tau"][others])
    alone = mq.fit_many(
        decay, np.delete(T, 3), np.delete(y[7:8], 3, axis=1), start=START, precision=precision
    )
    assert np.allclose(found.x[7], alone.x[0], rtol=1e-4)
    one = mq.fit_many("a + 0*t", {"t": T}, bad[2000:2001], start={"a": 1.0}, precision=precision)
    assert one.success.all() and one["a"][0] == pytest.approx(
        5.0
    )  # one parameter may be told from a constant


def test_impossible_counts_and_starts_are_statuses_too() -> None:
    y = np.rint(50 * np.maximum(Y, 0))
    y[0, 0, 3] = -1
    many = mq.fit_many(decay, T, y, start={"a": 100, "tau": 1, "c": 20}, family="poisson")
    assert many.STATUSES[many.status[0, 0]] is Status.BAD_DATA and many.counts[Status.CONVERGED] == 41
    tau = np.ones(GRID)
    tau[4, 4] = 0.0
    many = mq.fit_many(decay, T, Y, start={"a": 2, "tau": tau, "c": 0})
    assert many.STATUSES[many.status[4, 4]] is Status.BAD_START and many.counts[Status.CONVERGED] == 41


def test_masked_points_are_as_good_as_not_there() -> None:
    mask = np.ones(Y.shape, bool)
    mask[1, 2, 10:] = False
    wild = np.where(mask, Y, 1e9)
    many = mq.fit_many(decay, T, wild, start=START, mask=mask)
    one = mq.fit(decay, T[:10], Y[1, 2, :10], start=START)
    assert np.allclose(many.x[1, 2], one.x, rtol=1e-6) and many.n_points[1, 2] == 10


def test_a_function_that_cannot_be_traced_is_called_back() -> None:
    def foreign(t: Any, a: Any, tau: Any, c: Any) -> Any:
        return np.array([float(str(a)) * np.exp(-u / float(tau)) + float(c) for u in t])

    many = mq.fit_many(foreign, T, Y[0, :3], start=START)
    assert close(many, mq.fit_many(decay, T, Y[0, :3], start=START), rtol=1e-4) and many.by_qr.all()


def test_fits_that_fell_aside_are_brought_back_by_their_neighbors() -> None:
    rng = np.random.default_rng(3)
    x = np.linspace(0, 10, 60)
    place = 3.0 + 0.2 * np.add.outer(np.arange(8), np.arange(8))
    y = np.exp(-((x - place[..., None]) ** 2) / 0.18) + 0.02 * rng.standard_normal((8, 8, 60))

    def peak(x: Any, a: Any, m: Any, s: Any) -> Any:
        return a * np.exp(-((x - m) ** 2) / (2 * s * s))

    start = {"a": 1, "m": np.where(np.indices((8, 8)).sum(0) % 5 == 0, 9.5, place), "s": 0.3}
    alone = mq.fit_many(peak, x, y, start=start)
    helped = mq.fit_many(peak, x, y, start={**start, "neighbours": True})
    good = np.abs(helped["m"] - place) < 0.1
    assert good.all() and np.count_nonzero(np.abs(alone["m"] - place) > 0.1) >= 3


def test_one_good_fit_is_enough_for_its_neighbors_and_theirs() -> None:
    # Wrong minima of an oscillation are certified, and those beside them are as wrong: no median tells them.
    rng = np.random.default_rng(3)
    x = np.linspace(0, 10, 40)
    w = 1.0 + 0.02 * np.add.outer(np.arange(30), np.arange(25))
    y = 2 * np.sin(w[..., None] * x) + 0.1 * rng.standard_normal((30, 25, 40))
    seed = np.full(w.shape, 5.0)
    seed[20, 11] = w[20, 11]
    start = {"a": 1, "w": seed}
    alone = mq.fit_many("a*sin(w*x)", {"x": x}, y, start=start)
    helped = mq.fit_many("a*sin(w*x)", {"x": x}, y, start={**start, "neighbours": True})
    right = [np.abs(np.abs(many["w"]) - w) < 0.05 for many in (alone, helped)]
    assert right[0].mean() < 0.1 and right[1].all()
    assert helped.success.all() and np.all(helped.cost <= alone.cost * (1 + 1e-9))


@pytest.mark.parametrize(
    ("error", "told", "more"),
    [
        (ParameterError, r"start names 'q', which is no parameter", {"start": {"q": 1}}),
        (
            ParameterError,
            r"start: the values of 'tau' are of type complex128, not real numbers",
            {"start": {"tau": np.full(GRID, 1j)}},
        ),
        (
            ParameterError,
            r"fixed: the values of 'c' are of type <U1, not real numbers",
            {"fixed": {"c": np.full(GRID, "x")}},
        ),
        (ParameterError, r"start has 2 values, the model has 3 parameters", {"start": [1, 2]}),
        (ParameterError, r"of 'tau' are crossed: lower 5 > upper 1", {"bounds": {"tau": (5, 1)}}),
        (
            ParameterError,
            r"bounds of 'tau' in fit \(2, 3\) are \[9, 4\]",
            {"bounds": {"tau": (np.where(np.arange(42).reshape(GRID) == 17, 9.0, 0.0), 4.0)}},
        ),
        (
            ParameterError,
            r"start 7 of 'tau' in fit \(2, 3\) is outside",
            {
                "start": {"tau": np.where(np.arange(42).reshape(GRID) == 17, 7.0, 1.0)},
                "bounds": {"tau": (0, 5)},
            },
        ),
        (DataError, r"sigma is -1 in point 7", {"sigma": np.where(np.arange(24) == 7, -1.0, 1.0)}),
        (DataError, r"sigma is 0 in fit \(0, 0\), point 0", {"sigma": np.zeros(Y.shape)}),
        (DataError, r"mask has the shape \(5,\)", {"mask": np.ones(5)}),
        (OptionError, r"sigma= and weights=", {"sigma": 1, "weights": 1}),
        (OptionError, r"start = 'guess'", {"start": "guess"}),
        (OptionError, r"precision = 'half'", {"precision": "half"}),
        (OptionError, r"loss = 'hubber' is unknown", {"loss": "hubber"}),
        (OptionError, r"family='binomial' needs trials=", {"family": "binomial"}),
        (OptionError, r"progress = 3", {"progress": 3}),
        (OptionError, r"threads = -1", {"threads": -1}),
        (
            ParameterError,
            r"'tau' has the shape \(41,\), with which the model does not give 24 numbers",
            {"start": {"a": 2, "tau": np.ones(41), "c": 0}},
        ),
        (OptionError, r"fit_many\(\) has no prior=: keep the parameter in bounds=", {"prior": {"a": (2, 1)}}),
        (OptionError, r"has no ties=: write what is tied into the model", {"ties": {"c": "a/10"}}),
        (OptionError, r"has no method=: many fits have one method", {"method": "dogleg"}),
        (OptionError, r"has no by=: groups of the rows of a table are for fit_groups", {"by": "plate"}),
        (TypeError, r"has no argument 'strat'; did you mean 'start'\?", {"strat": START}),
        (DataError, r"mask is a masked array", {"mask": np.ma.masked_equal(np.arange(24), 3)}),
    ],
)
def test_what_is_wrong_is_named_before_any_work(error: Any, told: str, more: Any) -> None:
    with pytest.raises(error, match=told):
        mq.fit_many(decay, T, Y, **{"start": START, **more})


def test_what_a_numpy_mask_hides_is_missing() -> None:
    wild, hidden = Y.copy(), np.zeros(Y.shape, bool)
    wild[1, 2, 5], hidden[1, 2, 5] = 1e9, True
    shown = mq.fit_many(decay, T, np.ma.masked_array(wild, hidden), start=START)
    missing = mq.fit_many(decay, T, np.where(hidden, np.nan, wild), start=START)
    assert np.array_equal(shown.x, missing.x) and shown.n_points[1, 2] == 23
    with pytest.raises(DataError, match="'x' holds a value that is not finite"):
        mq.fit_many(decay, np.ma.masked_greater(T, 3.0), Y, start=START)


def test_infinite_values_are_named_not_missing() -> None:
    y = Y.copy()
    y[0, 0, 3], y[2, 2, 4] = np.inf, -np.inf
    many = mq.fit_many(decay, T, y, start=START)
    assert many.counts[Status.BAD_DATA] == 2 and many.STATUSES[many.status[2, 2]] is Status.BAD_DATA
    assert "\n2, 2 " in many.summary() and np.isnan(many.x[0, 0]).all()
    mask = np.isfinite(y)
    assert mq.fit_many(decay, T, y, start=START, mask=mask).counts[Status.CONVERGED] == 42


def test_shapes_that_do_not_fit_are_named() -> None:
    with pytest.raises(DataError, match=r"shape \(24,\): one set of data is for fit"):
        mq.fit_many(decay, T, Y[0, 0])
    with pytest.raises(DataError, match="lists of different lengths"):
        mq.fit_many(decay, T, [[1.0, 2.0], [1.0]])
    with pytest.raises(ModelError, match="gives 23 numbers for 24 points"):
        mq.fit_many(lambda t, a: a * t[:-1], T, Y, start=[1.0])
    with pytest.raises(DataError, match=r"x has \(23,\), the data \(6, 7, 24\)"):
        mq.fit_many(decay, T[1:], Y)
    with pytest.raises(DataError, match="complex"):
        mq.fit_many(decay, T, Y + 1j)
    with pytest.raises(DataError, match="'x' holds a value that is not finite"):
        mq.fit_many(decay, np.where(T > 5, np.nan, T), Y)


def test_progress_tells_rate_and_time_left(capsys: Any) -> None:
    from marquardt.batch.progress import Progress

    seen: list[Progress] = []
    mq.fit_many(decay, T, Y, start=START, progress=seen.append)
    assert seen[-1].done == seen[-1].total == 42 and seen[-1].rate > 0 and seen[-1].left == 0
    assert "a second" in str(seen[-1])
    mq.fit_many(decay, T, Y, start=START)
    assert capsys.readouterr().err == ""
