"""Problems 1 to 19 of Moré, Garbow and Hillstrom (1981): two to eleven parameters, most of them data fits.

Each function maps the parameters x, shape (n,), to the residuals, shape (m,), of the problem of its name.
The numbers of the problems and of their residuals are those of the paper; indices count from 0 here. Data
are as printed there, and checked by the published sums of squares in the tests.
"""

from __future__ import annotations

from typing import Any

import numpy as np

# Bard (1970).
BARD_Y = np.array([
    0.14, 0.18, 0.22, 0.25, 0.29, 0.32, 0.35, 0.39, 0.37, 0.58, 0.73, 0.96, 1.34, 2.10, 4.39,
])  # fmt: skip

# The density of the normal distribution, rounded to four decimals.
GAUSSIAN_Y = np.array([
    0.0009, 0.0044, 0.0175, 0.0540, 0.1295, 0.2420, 0.3521, 0.3989,
    0.3521, 0.2420, 0.1295, 0.0540, 0.0175, 0.0044, 0.0009,
])  # fmt: skip

# Meyer (1970): resistance of a thermistor at 50, 55, ..., 125 degrees Celsius.
MEYER_Y = np.array([
    34780.0, 28610.0, 23650.0, 19630.0, 16370.0, 13720.0, 11540.0, 9744.0,
    8261.0, 7030.0, 6005.0, 5147.0, 4427.0, 3820.0, 3307.0, 2872.0,
])  # fmt: skip

# Kowalik and Osborne (1968): an enzyme reaction.
KOWALIK_U = np.array([4.0, 2.0, 1.0, 0.5, 0.25, 0.167, 0.125, 0.1, 0.0833, 0.0714, 0.0625])
KOWALIK_Y = np.array([
    0.1957, 0.1947, 0.1735, 0.1600, 0.0844, 0.0627, 0.0456, 0.0342, 0.0323, 0.0235, 0.0246,
])  # fmt: skip

# Osborne (1972), two exponentials.
OSBORNE_1_Y = np.array([
    0.844, 0.908, 0.932, 0.936, 0.925, 0.908, 0.881, 0.850, 0.818, 0.784, 0.751, 0.718, 0.685, 0.658,
    0.628, 0.603, 0.580, 0.558, 0.538, 0.522, 0.506, 0.490, 0.478, 0.467, 0.457, 0.448, 0.438, 0.431,
    0.424, 0.420, 0.414, 0.411, 0.406,
])  # fmt: skip

# Osborne (1972), one exponential and three peaks. Some copies print 0.625 for the 18th value.
OSBORNE_2_Y = np.array([
    1.366, 1.191, 1.112, 1.013, 0.991, 0.885, 0.831, 0.847, 0.786, 0.725, 0.746, 0.679, 0.608,
    0.655, 0.616, 0.606, 0.602, 0.626, 0.651, 0.724, 0.649, 0.649, 0.694, 0.644, 0.624, 0.661,
    0.612, 0.558, 0.533, 0.495, 0.500, 0.423, 0.395, 0.375, 0.372, 0.391, 0.396, 0.405, 0.428,
    0.429, 0.523, 0.562, 0.607, 0.653, 0.672, 0.708, 0.633, 0.668, 0.645, 0.632, 0.591, 0.559,
    0.597, 0.625, 0.739, 0.710, 0.729, 0.720, 0.636, 0.581, 0.428, 0.292, 0.162, 0.098, 0.054,
])  # fmt: skip


def rosenbrock(x: Any) -> Any:
    """1: a curved valley."""
    return np.array([10 * (x[1] - x[0] ** 2), 1 - x[0]])


def freudenstein_roth(x: Any) -> Any:
    """2: a cubic with a second minimum, where most paths end."""
    return np.array([
        -13 + x[0] + ((5 - x[1]) * x[1] - 2) * x[1],
        -29 + x[0] + ((x[1] + 1) * x[1] - 14) * x[1],
    ])  # fmt: skip


def powell_badly_scaled(x: Any) -> Any:
    """3: parameters that differ by six orders of magnitude at the solution."""
    return np.array([1e4 * x[0] * x[1] - 1, np.exp(-x[0]) + np.exp(-x[1]) - 1.0001])


def brown_badly_scaled(x: Any) -> Any:
    """4: parameters that differ by twelve orders of magnitude at the solution."""
    return np.array([x[0] - 1e6, x[1] - 2e-6, x[0] * x[1] - 2])


def beale(x: Any) -> Any:
    """5: a minimum, and a valley that leads to infinity."""
    return np.array([1.5, 2.25, 2.625]) - x[0] * (1 - x[1] ** np.array([1.0, 2.0, 3.0]))


def jennrich_sampson(x: Any) -> Any:
    """6: two exponentials that want to be one."""
    i = np.arange(1.0, 11)
    return 2 + 2 * i - (np.exp(i * x[0]) + np.exp(i * x[1]))


def helical_valley(x: Any) -> Any:
    """7: a valley around an axis. The angle of the paper has its cut at x1 = 0, x2 < 0; so has this form."""
    turns = 0.25 + np.arctan2(-x[0], x[1]) / (2 * np.pi)
    return np.array([10 * (x[2] - 10 * turns), 10 * (np.sqrt(x[0] ** 2 + x[1] ** 2) - 1), x[2]])


def bard(x: Any) -> Any:
    """8: a rational function of data."""
    u = np.arange(1.0, 16)
    v = 16 - u
    return BARD_Y - (x[0] + u / (v * x[1] + np.minimum(u, v) * x[2]))


def gaussian(x: Any) -> Any:
    """9: a normal density, rounded."""
    t = np.linspace(3.5, -3.5, 15)
    return x[0] * np.exp(-x[1] * (t - x[2]) ** 2 / 2) - GAUSSIAN_Y


def meyer(x: Any) -> Any:
    """10: a thermistor; MGH10 at NIST. Parameters from 6e-3 to 6e3."""
    t = np.arange(50.0, 126, 5)
    return x[0] * np.exp(x[1] / (t + x[2])) - MEYER_Y


def gulf(x: Any) -> Any:
    """11: Gulf research and development. The paper prints a product in the place of ``y - x2``."""
    t = np.arange(1.0, 100) / 100
    y = 25 + (-50 * np.log(t)) ** (2 / 3)
    return np.exp(-(np.abs(y - x[1]) ** x[2]) / x[0]) - t


def box(x: Any) -> Any:
    """12: Box's three parameters; a line of solutions where x1 = x2 and x3 = 0."""
    t = np.arange(1.0, 11) / 10
    return np.exp(-t * x[0]) - np.exp(-t * x[1]) - x[2] * (np.exp(-t) - np.exp(-10 * t))


def powell_singular(x: Any) -> Any:
    """13: a solution where the Jacobian has rank 2."""
    return np.array([
        x[0] + 10 * x[1],
        np.sqrt(5) * (x[2] - x[3]),
        (x[1] - 2 * x[2]) ** 2,
        np.sqrt(10) * (x[0] - x[3]) ** 2,
    ])  # fmt: skip


def wood(x: Any) -> Any:
    """14: two coupled valleys, and a saddle between them and the start."""
    return np.array([
        10 * (x[1] - x[0] ** 2),
        1 - x[0],
        np.sqrt(90) * (x[3] - x[2] ** 2),
        1 - x[2],
        np.sqrt(10) * (x[1] + x[3] - 2),
        (x[1] - x[3]) / np.sqrt(10),
    ])  # fmt: skip


def kowalik_osborne(x: Any) -> Any:
    """15: an enzyme reaction; MGH09 at NIST."""
    u = KOWALIK_U
    return KOWALIK_Y - x[0] * (u**2 + u * x[1]) / (u**2 + u * x[2] + x[3])


def brown_dennis(x: Any) -> Any:
    """16: residuals in the hundreds at the minimum."""
    t = np.arange(1.0, 21) / 5
    return (x[0] + t * x[1] - np.exp(t)) ** 2 + (x[2] + x[3] * np.sin(t) - np.cos(t)) ** 2


def osborne_1(x: Any) -> Any:
    """17: two exponentials and a constant; MGH17 at NIST."""
    t = 10 * np.arange(33.0)
    return OSBORNE_1_Y - (x[0] + x[1] * np.exp(-t * x[3]) + x[2] * np.exp(-t * x[4]))


def biggs_exp6(x: Any) -> Any:
    """18: three exponentials, exact data."""
    t = np.arange(1.0, 14) / 10
    y = np.exp(-t) - 5 * np.exp(-10 * t) + 3 * np.exp(-4 * t)
    return x[2] * np.exp(-t * x[0]) - x[3] * np.exp(-t * x[1]) + x[5] * np.exp(-t * x[4]) - y


def osborne_2(x: Any) -> Any:
    """19: one exponential and three peaks."""
    t = np.arange(65.0) / 10
    peaks = sum(x[k] * np.exp(-((t - x[k + 7]) ** 2) * x[k + 4]) for k in (1, 2, 3))
    return OSBORNE_2_Y - (x[0] * np.exp(-t * x[4]) + peaks)
