"""Where residuals are the rounding errors of larger terms, a trace is not distrusted for them."""

import numpy as np

import marquardt as mq


def three_exponentials(x):
    t = np.arange(1.0, 14) / 10
    y = np.exp(-t) - 5 * np.exp(-10 * t) + 3 * np.exp(-4 * t)
    return x[2] * np.exp(-t * x[0]) - x[3] * np.exp(-t * x[1]) + x[5] * np.exp(-t * x[4]) - y


def test_a_trace_is_kept_at_an_end_without_residuals():
    end = mq.least_squares(three_exponentials, [1.0, 2, 1, 1, 1, 1])
    assert end.success and end.cost < 1e-28 and end.derivative == "exact (traced)"


def test_a_trace_is_kept_at_a_start_without_residuals():
    end = mq.least_squares(three_exponentials, [1.0, 10, 1, 5, 4, 3])
    assert end.success and end.nfev <= 3 and end.derivative == "exact (traced)"


def test_hidden_state_is_still_noticed():
    count = [0]

    def drifting(x):
        count[0] += 1
        return np.array([x[0] - 1 + 1e-6 * count[0], x[1] * x[0] - 2])

    assert not mq.least_squares(drifting, [3.0, 1.0]).derivative.startswith("exact")
