"""Aliases, views, fancy writes, square arrays, geometry: where shapes and memory are easily mistaken."""

import copy

import numpy as np

from . import X, case

N5 = np.linspace(1.0, 2.0, 5)
SQUARE = np.arange(9.0).reshape(3, 3)
IMAGE = np.random.default_rng(0).random((30, 20))
POINTS = np.random.default_rng(0).random((60, 3))


@case(N5, p=np.array([1.0, 2.0, 3.0, 4.0, 5.0]))
def as_many_parameters_as_rows(x, p):
    return np.sum(p * np.exp(-((x[:, None] - x[None, :]) ** 2)), axis=1)


@case(SQUARE, a=2.0, b=1.0)
def square_and_transposed(m, a, b):
    return a * m + b * m.T


@case(SQUARE, v=np.array([1.0, 2.0, 3.0]))
def square_products(m, v):
    return m @ v + m.T @ v


@case(IMAGE, a=2.0, b=1.0)
def image_slices(m, a, b):
    return a * m[1:, 1:] - b * m[:-1, :-1] + m[1:, 1:].mean(axis=0)


@case(IMAGE, a=2.0)
def image_reshaped(m, a):
    return np.flip(a * m.T, axis=0).reshape(10, 60)


@case(X, a=1.0, b=2.0)
def columns_of_a_buffer(x, a, b):
    y = np.zeros((len(x), 3))
    c = y[:, 1]
    c += a * x
    y[:, 2] = c * b
    y[3] = 1
    c[4] = 7
    return y.sum(axis=1)


@case(X, a=1.0, b=2.0)
def rows_of_a_buffer(x, a, b):
    y = np.full((2, len(x)), a)
    first, second = y
    first *= x
    second += b
    z = np.zeros((3, len(x)))
    for k, row in enumerate(z):
        row[:] = a * x**k + b
    return y[0] + y[1] + z.sum(0)


@case(X, a=1.0, b=2.0)
def copies_are_apart(x, a, b):
    y = a * x
    same = np.asarray(y)
    same[0] = b
    other = np.array(y)
    other[1] = 99
    d = {"p": [a, b]}
    e = copy.deepcopy(d)
    e["p"][0] = e["p"][0] * 2
    return y + d["p"][0]


@case(X, a=1.3, b=2.0)
def fancy_writes(x, a, b):
    y = np.zeros(len(x))
    y[[1, 5, 7]] = [a, b, a * b]
    y[np.array([2, 3])] += a
    y[::2] = a * x[::2]
    return y


@case(X, a=1.3, b=2.0)
def two_masks(x, a, b):
    y = a * x
    m = x > b
    n = x > a
    y[m] = x[m] * b
    y[n] = y[n] + 1
    y[m & n] -= x[m & n]
    return y


@case(np.array([0, 1, 2] * 9), mu=np.array([1.0, 2.0, 3.0]), s=0.5)
def group_index(g, mu, s):
    y = np.zeros(len(g))
    for k in np.unique(g):
        y[g == k] = s * k
    return y + mu[g] * s


@case(POINTS, r=np.array([0.1, 0.2, 0.3]), t=np.array([0.1, 0.2, 3.0]), f=500.0)
def camera(P, r, t, f):
    th = np.sqrt(r @ r)
    k = r / th
    turned = P * np.cos(th) + np.cross(k, P) * np.sin(th) + np.outer(P @ k, k) * (1 - np.cos(th))
    Q = turned + t
    return (f * Q[:, :2] / Q[:, 2:3]).ravel()


@case(np.random.default_rng(0).random((20, 4)), W=np.ones((4, 3)) * 0.3, b=np.array([0.1, 0.2, 0.3]))
def layer(inputs, W, b):
    return np.tanh(inputs @ W + b).sum(axis=1)


@case(X, a=1.3, b=2.0, refused="writing through a reshaped view")
def reshaped_view(x, a, b):
    y = a * x
    y.reshape(-1, 1)[0] = b
    w = y.reshape(-1, 1)
    w[1] = b
    return y
