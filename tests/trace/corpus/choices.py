"""Branches on parameters, where, clip, piecewise, masks."""

import math

import numpy as np

from . import X, case

tiny = 1e-15


@case(X, a=1.0, sigma=0.5)
def guarded_sigma(x, a, sigma):
    sigma = max(tiny, sigma)
    return a / sigma * np.exp(-(x**2) / (2 * sigma**2))


@case(X, a=1.0, b=0.5)
def sign_branch(x, a, b):
    if b > 0:
        return a * np.exp(-b * x)
    else:
        return a * (1 - b * x)


@case(X, a=1.0, b=0.5)
def asserted(x, a, b):
    assert a > 0, "a must be positive"
    if not 0 <= b <= 1:
        raise ValueError("b out of range")
    return a * (b * np.exp(-x) + (1 - b) / (1 + x))


@case(X, a=1.0, b=0.5)
def nearly_equal(x, a, b):
    if abs(a - b) < 1e-9:
        return a * x * np.exp(-a * x)
    return a * b / (a - b) * (np.exp(-b * x) - np.exp(-a * x))


@case(X, a=1.0, x0=2.0)
def where_step(x, a, x0):
    return np.where(x < x0, 0.0, a * (x - x0))


@case(X, a=1.0, x0=2.0, k=0.7)
def nested_where(x, a, x0, k):
    return np.where(x < x0, a * x, np.where(x < 2 * x0, a * x0, a * x0 * np.exp(-k * (x - 2 * x0))))


@case(X, x0=2.0, y0=1.0, k1=0.5, k2=-0.2)
def piecewise_linear(x, x0, y0, k1, k2):
    return np.piecewise(
        x, [x < x0, x >= x0], [lambda x: k1 * x + y0 - k1 * x0, lambda x: k2 * x + y0 - k2 * x0]
    )


@case(X, x0=2.0, y0=1.0, k1=0.5)
def piecewise_default(x, x0, y0, k1):
    return np.piecewise(x, [x < x0], [lambda v: y0 + k1 * (v - x0), y0])


@case(X, a=1.0, x0=2.0, k=0.7)
def selected(x, a, x0, k):
    return np.select([x < x0, x < 2 * x0], [a * x, a * x0], default=k)


@case(X, a=1.0, lo=0.5, hi=2.0)
def clipped(x, a, lo, hi):
    return np.clip(a * x, lo, hi) + np.maximum(x - hi, 0) + np.minimum(x, lo)


@case(X, a=1.0, x0=2.0)
def heaviside_step(x, a, x0):
    return a * np.heaviside(x - x0, 0.5) + a * (x > x0) * (x - x0)


@case(X, a=1.0, t0=2.0, tau=0.8)
def masked_assignment(x, a, t0, tau):
    y = np.zeros_like(x)
    m = x >= t0
    y[m] = a * (1 - np.exp(-(x[m] - t0) / tau))
    return y


@case(X, a=1.0, t0=2.0)
def masked_root(x, a, t0):
    y = np.zeros(x.shape)
    y[x > t0] = a * np.sqrt(x[x > t0] - t0)
    y[x <= t0] = -0.5
    return y


@case(X, a=1.0, t0=2.0, t1=3.5)
def masked_window(x, a, t0, t1):
    y = np.ones(len(x))
    inside = (x > t0) & (x < t1)
    y[inside] += a * (x[inside] - t0)
    y[~inside] *= 0.5
    return y


@case(X, a=1.0, t0=2.0, k=0.5)
def joined_pieces(x, a, t0, k):
    left = x[x < t0]
    right = x[x >= t0]
    return np.concatenate((a * left, a * t0 * np.exp(-k * (right - t0))))


@case(X, a=1.0, b=2.0)
def data_mask(x, a, b):
    y = a * x
    y[x > 3] = b
    high = x[x > 4]
    return y + b * high.mean()


@case(X, a=1.0, t0=2.0)
def where_indices(x, a, t0):
    y = np.zeros_like(x)
    idx = np.where(x > t0)
    y[idx] = a * (x[idx] - t0)
    return y


@case(X, a=1.0, t0=2.0)
def where_first(x, a, t0):
    y = np.zeros_like(x)
    idx = np.where(x > t0)[0]
    y[idx] = a * (x[idx] - t0) ** 2
    return y


@case(X, a=1.0, t0=2.0)
def vectorized(x, a, t0):
    def f(t, a, t0):
        if t < t0:
            return 0.0
        elif t < 2 * t0:
            return a * (t - t0)
        return a * t0 * math.exp(-(t - 2 * t0))

    return np.vectorize(f)(x, a, t0)


@np.vectorize
def _ramp(t, a, t0):
    return max(0.0, a * (t - t0))


@case(X, a=1.0, t0=2.0)
def vectorized_global(x, a, t0):
    return _ramp(x, a, t0)


@case(X, a=1.0, t0=2.0)
def branch_per_point(x, a, t0):
    y = []
    for t in x:
        if t <= t0:
            y.append(a)
        else:
            y.append(a * math.exp(-(t - t0)))
    return np.array(y)


@case(X, a=1.0, n=2.0)
def error_fallback(x, a, n):
    try:
        y = a * x**n
        if n > 100:
            raise OverflowError
    except OverflowError:
        y = np.full_like(x, 1e10)
    return y


@case(X, a=1.0, b=0.5)
def isnan_fix(x, a, b):
    y = a * np.log(x - b)
    y[np.isnan(y)] = -10.0
    return y


@case(X, a=1.0, b=0.5)
def nan_to_num(x, a, b):
    return np.nan_to_num(a * np.sqrt(x - b), nan=0.0)


@case(X, a=1.0, b=0.5)
def scalar_or_array(x, a, b):
    if isinstance(x, np.ndarray):
        y = a * x
    elif isinstance(x, (int, float)):
        y = a * float(x)
    else:
        raise TypeError("x")
    if np.isscalar(b) or isinstance(b, float):
        y = y + b
    return y


@case(X, a=1.0, b=0.5)
def any_negative(x, a, b):
    if np.any(x < 0) or np.isnan(x).any():
        return np.full(x.shape, np.inf)
    return a * np.sqrt(x) + b


@case(X, a=1.0, p=1.5)
def newton(x, a, p):
    z = p
    for _ in range(50):
        step = (z**2 - p - 1) / (2 * z)
        z -= step
        if abs(step) < 1e-12:
            break
    return a * x + z


@case(X, a=1.0, b=0.3)
def ordered(x, a, b):
    lo, hi = sorted([a, b])
    return lo * x + hi


@case(X, a=1.0, t0=1.7)
def masked_scale(x, a, t0):
    y = a * x
    y[x < t0] *= 0.5
    y[x < t0] -= 1
    return y


@case(X, a=1.0, n=3.0)
def logical(x, a, n):
    ok = np.logical_and(x > a, np.logical_not(x > n))
    return np.where(ok, x, 0) + ok.astype(float) * a


@case(X, a=1.0, b=0.4)
def sorted_model(x, a, b):
    y = a * np.sin(b * x)
    return y[np.argsort(y)]


@case(X, t0=1.53, a=1.0)
def found_index(t, t0, a):
    i = np.searchsorted(t, t0)
    y = np.zeros_like(t)
    y[i:] = a * (t[i:] - t0)
    return y + t[np.argmin(np.abs(t - t0))]


@case(X, a=1.0, x0=2.03)
def counted_rows(x, a, x0):
    m = x < x0
    return a * x / x[m].mean() + np.sum(m) + np.cumsum(m)


@case(X, a=1.0, x0=2.03)
def first_row(x, a, x0):
    i = np.where(x > x0)[0][0]
    y = a * x
    y[i:] = y[i]
    return y
