"""What is said while long data are fitted: how many points a second."""

from __future__ import annotations

import io

import numpy as np

import marquardt as mq
from marquardt.curve.progress import Pace, ProgressLine
from marquardt.problem.source import Feed, Read, Rows

N = 210_000


def data():
    t = np.linspace(0.0, 10.0, N)
    return t, 3 * np.exp(-t / 2) + 1 + 0.1 * np.random.default_rng(1).standard_normal(N)


def clock_of(times):
    it = iter(times)
    return lambda: next(it)


def test_a_callback_is_told_how_fast_it_goes():
    t, y = data()
    seen = []
    mq.fit("y ~ a*exp(-t/T) + c", data={"t": t, "y": y}, start=[1, 1, 1], callback=seen.append)
    assert [p.nfev for p in seen] == list(range(1, len(seen) + 1))
    assert all(p.n_rows == N and p.points_per_second > 0 and np.isfinite(p.cost) for p in seen)


def test_pace_counts_rows_of_evaluations_and_of_blocks():
    pace = Pace(1000, clock_of([0.0, 2.0, 4.0]))
    pace.evaluated(3)
    assert pace.points_per_second == 1500.0
    pace.read(2000)
    assert pace.points_per_second == 1250.0


def test_the_line_shows_points_per_second():
    stream, now = io.StringIO(), [0.0]
    line = ProgressLine(stream, lambda: now[0])
    line.goes_over(10_000_000)
    now[0] = 4.0
    line.read(6_000_000)
    assert stream.getvalue() == "\rreading the data, 1.5e+06 points/s (Ctrl-C keeps the best point)"


def test_a_source_tells_what_it_reads():
    told = []
    rows = [Rows((np.arange(5.0),), np.arange(5.0), None)] * 3
    source = Read(lambda: iter(rows), (5, 5, 5), observe=told.append)
    feed = Feed(source)
    feed.rewind()
    while feed.next() is not None:
        pass
    assert told == [5, 5, 5]
