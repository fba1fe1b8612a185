"""One fit by map and reduce: workers sum up their rows, the sums are added in a tree."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import marquardt as mq
from marquardt.curve.elsewhere import Elsewhere
from marquardt.problem.source import NOTHING, Rows, moments

N = 30_000


def table(seed=1):
    rng = np.random.default_rng(seed)
    t = rng.uniform(0.0, 10.0, N)
    return {"t": t, "y": 3 * np.exp(-t / 2) + 1 + 0.1 * rng.standard_normal(N), "s": np.full(N, 0.1)}


def parts_of(whole, count=7):
    return [{n: v[k::count] for n, v in whole.items()} for k in range(count)]


def tree(sums):
    while len(sums) > 1:
        sums = [a.add(b) for a, b in zip(sums[::2], sums[1::2], strict=False)] + sums[len(sums) // 2 * 2 :]
    return sums[0]


def elsewhere(whole, says="factor", weights=None, log=None):
    """Every worker gets the work as bytes."""
    parts = parts_of(whole)

    def total(work, x, request):
        if log is not None:
            log.append(request.kind)
        sent = [pickle.dumps((work, x, request)) for _ in parts]
        done = []
        for part, message in zip(parts, sent, strict=True):
            work_there, *rest = pickle.loads(message)
            done.append(pickle.loads(pickle.dumps(work_there.of_table(part, *rest))))
        return tree(done)

    known = NOTHING
    for part in parts:
        known = known.add(moments(Rows((), part["y"], None if weights is None else part[weights]), says))
    sample = {n: v[::10] for n, v in whole.items()}
    return Elsewhere(sample, N, total, known)


def assert_same(far, here):
    assert far.status is here.status
    assert np.all(np.abs(far.x - here.x) <= 1e-4 * here.stderr)
    for name in ("stderr", "cost", "aic", "r_squared", "reduced_chi2"):
        np.testing.assert_allclose(getattr(far, name), getattr(here, name), rtol=1e-7, err_msg=name)


@pytest.mark.parametrize("model", ["y ~ a*exp(-t/T) + c", lambda t, a, T, c: a * np.exp(-t / T) + c])
def test_a_fit_of_parts_is_that_of_all_rows(model):
    whole = table()
    wanted = {"start": [1, 1, 1]} | ({} if isinstance(model, str) else {"y": "y"})
    assert_same(mq.fit(model, data=elsewhere(whole), **wanted), mq.fit(model, data=whole, **wanted))


def test_known_standard_deviations_are_a_column_or_a_number():
    whole, wanted = table(), {"start": [1, 1, 1]}
    here = mq.fit("y ~ a*exp(-t/T) + c", data=whole, sigma="s", **wanted)
    far = mq.fit("y ~ a*exp(-t/T) + c", data=elsewhere(whole, "sigma", "s"), sigma="s", **wanted)
    assert_same(far, here)
    far = mq.fit("y ~ a*exp(-t/T) + c", data=elsewhere(whole, "sigma", "s"), sigma=0.1, **wanted)
    np.testing.assert_allclose(far.stderr, here.stderr, rtol=1e-9)


def test_start_values_are_found_on_the_sample():
    whole = table()
    far = mq.fit("y ~ a*exp(-t/T) + c", data=elsewhere(whole))
    assert_same(far, mq.fit("y ~ a*exp(-t/T) + c", data=whole))


def test_a_far_start_without_a_sample_fit_ends_at_the_same_minimum():
    whole, log = table(), []
    options = mq.Options(sample=None)
    far = mq.fit("y ~ a*exp(-t/T) + c", data=elsewhere(whole, log=log), start=[100, 9, -5], options=options)
    assert_same(far, mq.fit("y ~ a*exp(-t/T) + c", data=whole, start=[100, 9, -5]))
    assert len(log) > 5


def test_a_branch_on_a_parameter_is_sent_when_it_is_taken():
    def either(t, a, T, c):
        return a * np.exp(-t / T) + c if a > 2.0 else a * np.exp(-t / (2.0 * T)) + c

    options = mq.Options(sample=None)
    far = mq.fit(either, y="y", data=elsewhere(table()), start=[1, 1, 1], options=options)
    assert far.success and abs(far.params["a"].value - 3.0) < 0.02


def test_a_loss_has_the_scale_of_the_sample():
    whole = table()
    whole["y"][np.random.default_rng(2).random(N) < 0.05] += 20.0
    far = mq.fit("y ~ a*exp(-t/T) + c", data=elsewhere(whole), start=[1, 1, 1], loss="cauchy")
    assert far.success and abs(far.params["T"].value - 2.0) < 0.02


def test_a_response_that_is_no_column_is_refused():
    with pytest.raises(mq.DataError, match=r"the response .log.y.. is not a column as it stands"):
        mq.fit("log(y) ~ a - t/T", data=elsewhere(table()), start=[1, 1])
