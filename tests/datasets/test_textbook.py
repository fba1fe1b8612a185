"""The textbook curves: their data, their starts, and that a fit from the truth ends near it."""

from __future__ import annotations

import numpy as np
import pytest

import marquardt as mq
from marquardt.datasets import textbook
from marquardt.errors import DataError

each = pytest.mark.parametrize("curve", textbook.curves(), ids=lambda c: c.name)


def test_there_are_eighteen_and_an_unknown_one_is_refused():
    assert len(textbook.names()) == 18
    with pytest.raises(DataError, match=r"no textbook curve 'moorse'.*morse"):
        textbook.load("moorse")


@each
def test_draws_repeat_by_seed_and_have_the_noise_that_is_stated(curve):
    y, true = curve.draw(3), curve.function(curve.x, *curve.truth)
    assert np.array_equal(y, curve.draw(3)) and not np.array_equal(y, curve.draw(4))
    errors = np.concatenate([curve.draw(seed) - true for seed in range(200)])
    scale = np.tile(np.abs(true) if curve.relative else np.ones_like(true), 200)
    assert np.std(errors / scale) == pytest.approx(curve.noise, rel=0.05)


@each
def test_starts_stay_within_their_decades_of_the_truth(curve):
    start = np.array(list(curve.start(7).values()))
    assert np.abs(np.log10(start / np.array(curve.truth))).max() <= 0.5
    assert curve.start(7) == curve.start(7) != curve.start(8)


@each
def test_a_fit_from_the_truth_is_certified_within_five_standard_errors(curve):
    result = mq.fit(curve.function, curve.x, curve.draw(0), start=list(curve.truth))
    assert result.success and result.derivative == "exact (traced)"
    off = np.abs(result.x - np.array(curve.truth)) / np.array([p.stderr for p in result.params.values()])
    assert off.max() < 5.0
