"""Problems of Moré, Garbow, Hillstrom with the bounds of Gay (1984), from 1 and 10 times the start."""

import numpy as np
import pytest

from .jets import Exact
from .support import in_core, in_numpy

INF = np.inf
GAUSSIAN = np.array(
    [
        9e-4,
        4.4e-3,
        1.75e-2,
        5.4e-2,
        0.1295,
        0.242,
        0.3521,
        0.3989,
        0.3521,
        0.242,
        0.1295,
        5.4e-2,
        1.75e-2,
        4.4e-3,
        9e-4,
    ]
)


def rows(*parts):
    """Residuals one by one, as numbers or jets, in one vector."""
    first = next((p for p in parts if hasattr(p, "g")), None)
    if first is None:
        return np.concatenate([np.atleast_1d(p) for p in parts])
    zero = first * 0.0
    parts = [zero + p for p in parts]
    n = len(first.g)
    value = np.concatenate([np.atleast_1d(p.v) for p in parts])
    width = [np.size(p.v) for p in parts]
    g = np.concatenate([np.broadcast_to(p.g, (n, w)) for p, w in zip(parts, width, strict=True)], axis=1)
    h = np.concatenate([np.broadcast_to(p.h, (n, n, w)) for p, w in zip(parts, width, strict=True)], axis=2)
    return type(first)(value, g, h)


def turn(x, y):
    """Angle of (x, y) as a fraction of a circle, within (-1/4, 3/4)."""
    value = getattr(x, "v", x)
    return np.arctan(y / x) / (2 * np.pi) + (0.5 if value < 0 else 0.0)


def helical(x):
    return rows(10 * (x[2] - 10 * turn(x[0], x[1])), 10 * (np.sqrt(x[0] ** 2 + x[1] ** 2) - 1), x[2] * 1.0)


def gaussian(x):
    t = (8 - np.arange(1, 16)) / 2
    return x[0] * np.exp(-x[1] * (t - x[2]) ** 2 / 2) - GAUSSIAN


def box(x):
    t = np.arange(1, 11) / 10
    return np.exp(-x[0] * t) - np.exp(-x[1] * t) - x[2] * (np.exp(-t) - np.exp(-10 * t))


def wood(x):
    return rows(
        10 * (x[1] - x[0] ** 2), 1 - x[0], np.sqrt(90.0) * (x[3] - x[2] ** 2), 1 - x[2],
        np.sqrt(10.0) * (x[1] + x[3] - 2), (x[1] - x[3]) / np.sqrt(10.0),
    )  # fmt: skip


def brown_dennis(x):
    t = np.arange(1, 21) / 5
    return (x[0] + t * x[1] - np.exp(t)) ** 2 + (x[2] + x[3] * np.sin(t) - np.cos(t)) ** 2


def biggs(x):
    t = np.arange(1, 14) / 10
    y = np.exp(-t) - 5 * np.exp(-10 * t) + 3 * np.exp(-4 * t)
    return x[2] * np.exp(-t * x[0]) - x[3] * np.exp(-t * x[1]) + x[5] * np.exp(-t * x[4]) - y


CASES = {
    "Powell badly scaled": (
        lambda x: rows(1e4 * x[0] * x[1] - 1, np.exp(-x[0]) + np.exp(-x[1]) - 1.0001),
        [0, 1], [0, 1], [1, 9], 1.5125937e-10,
    ),
    "Brown badly scaled": (
        lambda x: rows(x[0] - 1e6, x[1] - 2e-6, x[0] * x[1] - 2),
        [1, 1], [0, 3e-5], [1e6, 100], 784.0,
    ),
    "Beale": (
        lambda x: rows(*(y - x[0] * (1 - x[1] ** k) for k, y in ((1, 1.5), (2, 2.25), (3, 2.625)))),
        [1, 1], [0.6, 0.5], [10, 100], 0.0,
    ),
    "Helical valley": (helical, [-1, 0, 0], [-100, -1, -1], [0.8, 1, 1], 0.99042212),
    "Gaussian": (gaussian, [0.4, 1, 0], [0.398, 1, -0.5], [4.2, 2, 0.1], 1.1279328e-8),
    "Box 3-D": (box, [0, 10, 20], [0, 5, 0], [2, 9.5, 20], 1.1434818e-4),
    "Wood": (wood, [-3, -1, -3, -1], [-100] * 4, [0, 10, 100, 100], 1.5567008),
    "Brown-Dennis": (brown_dennis, [25, 5, -5, -1], [-10, 0, -100, -20], [100, 15, 0, 0.2], 88860.48),
    "Biggs EXP6": (biggs, [1, 2, 1, 1, 1, 1], [0, 0, 0, 1, 0, 0], [2, 8, 1, 7, 5, 5], 5.3209866e-4),
}  # fmt: skip


@pytest.mark.parametrize("code", [in_core, in_numpy])
@pytest.mark.parametrize("factor", [1, 10])
@pytest.mark.parametrize("name", CASES)
def test_bounded_minimum_is_reached(name, factor, code):
    function, start, lower, upper, rss = CASES[name]
    start = np.clip(factor * np.array(start, float), lower, upper)
    end = code(Exact(function), start, np.array(lower, float), np.array(upper, float))
    assert end.rss <= rss * (1 + 1e-6) + 1e-14
    assert np.all(end.x >= lower) and np.all(end.x <= upper)
    at_bound = np.where(end.active < 0, lower, np.where(end.active > 0, upper, end.x))
    assert np.array_equal(end.x, at_bound)  # on the bound, not near it
