"""Verification where the model is small against the response."""

from __future__ import annotations

import numpy as np

import marquardt as mq


def test_rounding_of_the_response_is_no_hidden_state() -> None:
    """Rows far from a peak hold 1e-11 beside noise of 0.05, whose rounding hides the rest."""

    def peak(x: np.ndarray, height: float, center: float, width: float) -> np.ndarray:
        return height * np.exp(-0.5 * ((x - center) / width) ** 2)

    x = np.linspace(0, 100, 20_000)
    for seed in range(5):
        y = peak(x, 3.0, 61.2, 0.05) + 0.05 * np.random.default_rng(seed).normal(size=x.size)
        assert mq.fit(peak, x, y, start=[3.0, 61.2, 0.05]).derivative == "exact (traced)"
