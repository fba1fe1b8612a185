"""Problems 20 to 35 of Moré, Garbow and Hillstrom (1981): functions of any number of parameters.

Each function maps the parameters x, shape (n,), to the residuals, shape (m,), of the problem of its name;
n is the length of x. Sums and products over neighbors are written as products with constant matrices.
"""

from __future__ import annotations

from typing import Any

import numpy as np

A = 1e-5  # of both penalty functions
LINEAR_M = 20  # residuals of the three linear functions


def watson(x: Any) -> Any:
    """20: a polynomial that solves a differential equation; worse conditioned with every n (2 to 31)."""
    t = np.arange(1.0, 30) / 29
    j = np.arange(len(x))
    powers = t[:, None] ** j
    slopes = j[1:] * t[:, None] ** (j[1:] - 1)
    ends = np.array([x[0], x[1] - x[0] ** 2 - 1])
    return np.concatenate([slopes @ x[1:] - (powers @ x) ** 2 - 1, ends])


def extended_rosenbrock(x: Any) -> Any:
    """21: n / 2 separate copies of problem 1."""
    odd, even = x[0::2], x[1::2]
    return np.concatenate([10 * (even - odd**2), 1 - odd])


def extended_powell_singular(x: Any) -> Any:
    """22: n / 4 separate copies of problem 13."""
    a, b, c, d = x[0::4], x[1::4], x[2::4], x[3::4]
    return np.concatenate([
        a + 10 * b, np.sqrt(5) * (c - d), (b - 2 * c) ** 2, np.sqrt(10) * (a - d) ** 2,
    ])  # fmt: skip


def penalty_1(x: Any) -> Any:
    """23: parameters drawn weakly to 1 and strongly to a sphere."""
    return np.append(np.sqrt(A) * (x - 1), np.sum(x**2) - 0.25)


def penalty_2(x: Any) -> Any:
    """24: exponentials drawn weakly, a weighted sphere strongly."""
    n = len(x)
    i = np.arange(1, n + 1)
    y = np.exp(i[1:] / 10) + np.exp(i[:-1] / 10)
    e = np.exp(x / 10)
    return np.concatenate(
        [
            x[:1] - 0.2,
            np.sqrt(A) * (e[1:] + e[:-1] - y),
            np.sqrt(A) * (e[1:] - np.exp(-0.1)),
            np.reshape(np.sum((n + 1 - i) * x**2) - 1, (1,)),
        ]
    )


def variably_dimensioned(x: Any) -> Any:
    """25: a sum to the first and second power."""
    s = np.sum(np.arange(1, len(x) + 1) * (x - 1))
    return np.concatenate([x - 1, np.array([s, s**2])])


def trigonometric(x: Any) -> Any:
    """26: sines and cosines with many minima."""
    n, c = len(x), np.cos(x)
    return n - np.sum(c) + np.arange(1, n + 1) * (1 - c) - np.sin(x)


def brown_almost_linear(x: Any) -> Any:
    """27: a product among linear equations."""
    n = len(x)
    return np.append(x[:-1] + np.sum(x) - (n + 1), np.prod(x) - 1)


def discrete_boundary_value(x: Any) -> Any:
    """28: finite differences of u'' = (u + t + 1)^3 / 2, u(0) = u(1) = 0."""
    n = len(x)
    h = 1 / (n + 1)
    second = 2 * np.eye(n) - np.eye(n, k=1) - np.eye(n, k=-1)
    return second @ x + h**2 * (x + h * np.arange(1, n + 1) + 1) ** 3 / 2


def discrete_integral(x: Any) -> Any:
    """29: the same equation as an integral with the kernel t_j (1 - t_i), j <= i."""
    n = len(x)
    h = 1 / (n + 1)
    t = h * np.arange(1, n + 1)
    kernel = np.minimum(t[:, None], t) * (1 - np.maximum(t[:, None], t))
    return x + h / 2 * (kernel @ (x + t + 1) ** 3)


def broyden_tridiagonal(x: Any) -> Any:
    """30: each residual sees a parameter and its two neighbors."""
    n = len(x)
    return (3 - 2 * x) * x - (np.eye(n, k=-1) + 2 * np.eye(n, k=1)) @ x + 1


def broyden_banded(x: Any) -> Any:
    """31: each residual sees five parameters before and one after its own."""
    n = len(x)
    neighbors = np.tri(n, k=1) - np.tri(n, k=-6) - np.eye(n)
    return x * (2 + 5 * x**2) + 1 - neighbors @ (x * (1 + x))


def linear_full_rank(x: Any) -> Any:
    """32: linear, n <= 20; the minimum is 20 - n."""
    n = len(x)
    return np.eye(LINEAR_M, n) @ x - 2 / LINEAR_M * np.sum(x) - 1


def linear_rank_1(x: Any) -> Any:
    """33: linear of rank 1, n <= 20: only the sum of j x_j is determined."""
    i = np.arange(1, LINEAR_M + 1)
    return i * np.sum(np.arange(1, len(x) + 1) * x) - 1


def linear_rank_1_zeros(x: Any) -> Any:
    """34: as 33, but the first and last parameter and residual take no part."""
    i = np.arange(LINEAR_M)
    weights = np.concatenate([np.zeros(1), np.arange(2.0, len(x)), np.zeros(1)])
    return np.where(i < LINEAR_M - 1, i, 0) * np.sum(weights * x) - 1


def chebyquad(x: Any) -> Any:
    """35: nodes of equal weight whose Chebyshev sums equal the integrals, as far as they can."""
    n, z = len(x), 2 * x - 1
    before, now, out = np.ones(n), z, []
    for i in range(1, n + 1):
        integral = 0.0 if i % 2 else -1 / (i * i - 1)
        out.append(np.sum(now) / n - integral)
        before, now = now, 2 * z * now - before
    return np.array(out)
