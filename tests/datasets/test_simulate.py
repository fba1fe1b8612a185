"""Simulated data have the law, the noise and the truth they say."""

from __future__ import annotations

import numpy as np
import pytest

import marquardt as mq
from marquardt.datasets import simulate
from marquardt.errors import OptionError

MANY = {
    "decays": simulate.decays,
    "dose_response": simulate.dose_response,
    "spots": simulate.spots,
    "small_spots": simulate.small_spots,
}


@pytest.mark.parametrize("name", MANY)
def test_the_first_fits_of_a_larger_set_are_those_of_a_smaller_one(name):
    few, more = MANY[name](7, seed=3), MANY[name](simulate.BLOCK + 5, seed=3)
    assert np.array_equal(few.y, more.y[:7])
    assert all(np.array_equal(few.truth[k], more.truth[k][:7]) for k in few.truth)
    assert not np.array_equal(more.y[0], more.y[simulate.BLOCK])


@pytest.mark.parametrize("name", MANY)
def test_another_seed_gives_other_data_and_single_precision_the_same_rounded(name):
    one, other, single = MANY[name](3), MANY[name](3, seed=1), MANY[name](3, dtype=np.float32)
    assert not np.array_equal(one.y, other.y)
    assert single.y.dtype == np.float32 and np.array_equal(single.y, one.y.astype(np.float32))


@pytest.mark.parametrize("name", ["decays", "dose_response", "small_spots"])
def test_normal_noise_has_mean_zero_and_the_deviation_told(name):
    made = MANY[name](2000)
    noise = made.y - made.mean
    assert made.sigma is not None
    assert abs(noise.mean()) < 4 * made.sigma / np.sqrt(noise.size)
    assert abs(noise.std() / made.sigma - 1) < 4 / np.sqrt(2 * noise.size)


def test_photons_of_spots_have_the_variance_of_their_mean_and_an_em_camera_doubles_it():
    plain, em = simulate.spots(1000), simulate.spots(1000, em_gain=300.0)
    for made, excess in ((plain, 1.0), (em, 2.0)):
        z2 = (made.y - made.mean) ** 2 / made.mean
        assert abs(z2.mean() - excess) < 5 * z2.std() / np.sqrt(z2.size)


def test_read_noise_is_divided_by_the_gain():
    quiet, loud = (simulate.spots(500, em_gain=100.0, read_noise=r) for r in (0.0, 500.0))
    added = loud.y.var() - quiet.y.var()
    assert abs(added - 25.0) < 0.05 * quiet.y.var()


@pytest.mark.parametrize("name", MANY)
def test_formula_and_function_are_the_same_law_and_a_fit_from_the_start_finds_the_truth(name):
    made = MANY[name](2, seed=5)
    x = made.x if isinstance(made.x, tuple) else (made.x,)
    columns = dict(
        zip(("x", "y") if len(x) == 2 else ("t" if "t/" in made.formula else "x",), x, strict=True)
    )
    response = made.formula.split(" ~ ")[0]
    start = {k: np.broadcast_to(v, 2)[1] for k, v in made.start.items()}
    fit = mq.fit(made.formula, data=columns | {response: made.y[1]}, start=start)
    by_function = mq.fit(made.model, made.x, made.y[1], start=start)
    assert fit.success
    for parameter, p in fit.params.items():
        assert abs(p.value - made.truth[parameter][1]) < 4.5 * p.stderr
        assert np.isclose(p.value, by_function.params[parameter].value, rtol=1e-6)


def test_spots_are_seen_as_pictures_with_x_along_the_columns():
    made = simulate.spots(2, seed=1)
    assert made.images.shape == (2, 15, 15)
    assert np.shares_memory(made.images, made.y)
    assert np.array_equal(made.x[0].reshape(15, 15)[0], np.arange(15.0))
    assert np.array_equal(made.x[1].reshape(15, 15)[:, 0], np.arange(15.0))


def test_a_lifetime_stack_scatters_about_the_integral_of_its_decay_over_each_gate():
    t, counts, truth = simulate.lifetime_stack((40, 40), gates=20, photons=5000.0, background=3.0)
    assert counts.shape == (20, 40, 40) and counts.dtype == np.uint16
    width, inside = t[1] - t[0], np.isfinite(truth["tau"])
    edges = np.append(t - width / 2, t[-1] + width / 2)[:, None]
    share = -np.diff(np.exp(-edges / truth["tau"][inside]), axis=0)
    total = truth["a"][inside] / (2 * np.sinh(width / 2 / truth["tau"][inside]))
    mean = total * share + 3.0
    z2 = (counts[:, inside] - mean) ** 2 / mean
    assert abs(z2.mean() - 1) < 5 * z2.std() / np.sqrt(z2.size)
    assert 4000 < total.max() <= 5000.0
    assert abs(counts[:, ~inside].mean() - 3.0) < 0.1


def test_impossible_sizes_and_gains_are_refused():
    with pytest.raises(OptionError, match="number of fits"):
        simulate.decays(0)
    with pytest.raises(OptionError, match="em_gain"):
        simulate.spots(1, em_gain=0.0)
