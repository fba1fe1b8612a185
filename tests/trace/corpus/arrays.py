"""Array literals, buffers, reshaping, several outputs, reductions, item assignment."""

import numpy as np
import pandas as pd

from . import X, case

GX, GY = np.meshgrid(np.linspace(-1, 1, 21), np.linspace(-2, 2, 18))
weights_small = np.array([0.5, 0.3, 0.2])


@case(X, a=1.0, b=0.5)
def zeros_and_slices(x, a, b):
    y = np.zeros(len(x))
    y[:10] = a
    y[10:20] = b * x[10:20]
    y[20:] = a + b * x[20:] ** 2
    return y


@case(X, a=1.0, b=0.5)
def loop_over_points(x, a, b):
    y = np.zeros(x.shape[0])
    for i in range(x.shape[0]):
        y[i] = a * np.exp(-b * x[i])
    return y


@case(X, a=1.0, b=0.5)
def list_of_points(x, a, b):
    return np.array([a * xi / (b + xi) for xi in x])


@case(X, a=1.0, b=0.5)
def enumerated_points(x, a, b):
    out = np.empty_like(x)
    for i, xi in enumerate(x):
        out[i] = a + b * xi
        out[i] *= 2
    return out


@case(X, a=1.0, b=0.5)
def appended_points(x, a, b):
    res = []
    for t in x:
        res.append(a * np.tanh(b * t))
    return np.asarray(res)


@case(X, a=1.0, b=0.5, c=2.0)
def concatenated(x, a, b, c):
    return np.concatenate([a * np.exp(-b * x), c * x])


@case(X, a=1.0, b=0.5, c=2.0)
def hstacked(x, a, b, c):
    y1 = a * x + b
    y2 = c * x**2
    return np.hstack((y1, y2, y1 * y2))


@case(X, a=1.0, b=0.5)
def raveled_pairs(x, a, b):
    return np.column_stack((a * x, b * x**2)).ravel()


@case(X, a=1.0, b=0.5)
def stacked_transposed(x, a, b):
    return np.array([np.cos(a * x), np.sin(b * x)]).T


@case(X, a=1.0, b=0.5)
def tuple_result(x, a, b):
    return a * x, b * x**2


@case((GX, GY), amp=1.0, x0=0.1, y0=0.2, s=0.7, off=0.1)
def gaussian_2d(xy, amp, x0, y0, s, off):
    x, y = xy
    g = off + amp * np.exp(-((x - x0) ** 2 + (y - y0) ** 2) / (2 * s**2))
    return g.ravel()


@case(GX.ravel(), GY.ravel(), amp=1.0, theta=0.3, sx=0.7, sy=0.4)
def rotated(x, y, amp, theta, sx, sy):
    a = np.cos(theta) ** 2 / (2 * sx**2) + np.sin(theta) ** 2 / (2 * sy**2)
    b = -np.sin(2 * theta) / (4 * sx**2) + np.sin(2 * theta) / (4 * sy**2)
    c = np.sin(theta) ** 2 / (2 * sx**2) + np.cos(theta) ** 2 / (2 * sy**2)
    return amp * np.exp(-(a * x**2 + 2 * b * x * y + c * y**2))


@case(np.array([GX.ravel(), GY.ravel()]), amp=1.0, s=0.3)
def grid_rows(M, amp, s):
    x, y = M
    arr = np.zeros(x.shape)
    for i in range(3):
        arr += amp * np.exp(-((x - i) ** 2 + y**2) / s)
    return arr


@case(GX[0], GY[:, 0], a=1.0, b=0.5)
def outer_grid(x, y, a, b):
    X2, Y2 = np.meshgrid(x, y)
    return (a * X2 + b * Y2**2).ravel()


@case(np.array([GX, GY]), a=1.0, b=0.5)
def cube_argument(xy, a, b):
    x = xy[0, :, :]
    y = xy[1, :, :]
    return (a * np.sin(x) + b * y).reshape(-1)


@case(X, a=1.0, b=0.5)
def atleast(x, a, b):
    x = np.atleast_1d(np.asarray(x, dtype=float))
    return np.squeeze(a * x[:, None] + b)


@case(X, a=1.0, b=0.5)
def normalized(x, a, b):
    y = np.exp(-a * x) + b
    return y / np.sum(y)


@case(X, a=1.0, b=0.5)
def centered(x, a, b):
    return a * (x - x.mean()) / x.std() + b


@case(X, a=1.0, b=0.5)
def peak_scaled(x, a, b):
    y = x**a * np.exp(-b * x)
    return y / y.max()


@case(X, w=np.array([0.2, 0.3, 0.5]))
def weighted(x, w):
    comps = np.array([np.exp(-x), np.exp(-2 * x), np.ones_like(x)])
    return np.dot(w, comps)


@case(X, w=np.array([0.2, 0.3, 0.5]))
def matmul_design(x, w):
    A = np.vander(x, 3)
    return A @ w


@case(np.random.default_rng(1).normal(size=(25, 3)), beta=np.array([0.2, 0.3, 0.5]), c=0.1)
def linear_predictor(Xd, beta, c):
    eta = Xd.dot(beta) + c
    return 1 / (1 + np.exp(-eta))


@case(np.random.default_rng(1).normal(size=(25, 3)), center=np.array([0.2, 0.3, 0.5]), r=1.0)
def distance(points, center, r):
    return np.linalg.norm(points - center, axis=1) - r


@case(np.random.default_rng(2).normal(size=(25, 3)), q=np.array([0.2, 0.3, 0.5]))
def rotated_points(points, q):
    return np.cross(points, q) + points * np.dot(q, q)


@case(X, a=1.0, tau=np.array([0.5, 1.0, 2.0]))
def fixed_weights(x, a, tau):
    return a * np.sum(weights_small * np.exp(-x[:, None] / tau), axis=-1)


@case(X, a=1.0, b=0.4)
def quadrature(x, a, b):
    u = np.linspace(0, 1, 21)
    return np.trapezoid(a * np.exp(-b * x[:, None] * u), u, axis=1)


@case(np.linspace(0, 1, 12), a=1.0, b=0.4)
def running(x, a, b):
    return np.cumsum(a * np.exp(-b * x))


@case(np.linspace(0.1, 1, 12), a=1.0, b=0.4)
def recurrence(x, a, b):
    y = np.zeros_like(x)
    y[0] = a
    for i in range(1, len(x)):
        y[i] = y[i - 1] + (x[i] - x[i - 1]) * (-b * y[i - 1])
    return y


@case(X, a=1.0, b=0.4)
def reversed_and_rolled(x, a, b):
    y = a * x**2
    return y[::-1] + b * np.roll(y, 1)


@case(pd.Series(X), a=1.0, b=0.4)
def series(x, a, b):
    return a * np.exp(-b * x.values)


@case(pd.DataFrame({"dose": X, "time": X**2}), k=1.0, v=0.4)
def frame(data, k, v):
    return data["dose"] / v * np.exp(-k * data["time"])


@case({"u": X, "w": X**2}, a=1.0, b=0.4)
def mapping_argument(d, a, b):
    return a * d["u"] + b * d["w"]


@case(X, a=1.0, b=0.4)
def filled(x, a, b):
    y = np.full_like(x, a)
    y += b * x
    z = np.ones(x.size) * b
    return y - z


@case(X, a=1.0, b=0.4, c=0.3)
def matrix_of_parameters(x, a, b, c):
    R = np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
    v = np.array([b, c])
    u = R.dot(v)
    return u[0] + u[1] * x


@case(X, a=1.0, b=0.4)
def out_argument(x, a, b):
    y = np.zeros_like(x)
    np.multiply(x, a, out=y)
    np.add(y, b, out=y)
    return y


@case(X, a=1.0, b=0.4)
def column_buffer(x, a, b):
    out = np.zeros((x.size, 2))
    out[:, 0] = a * x
    out[:, 1] = b * np.sqrt(x)
    return out.flatten()


@case(X, a=1.0, b=0.4)
def row_buffer(x, a, b):
    out = np.empty((2, len(x)))
    out[0] = a * x
    out[1] = b - x
    return out.sum(axis=0)


@case(np.linspace(0.01, 1.5, 30), H=70.0, Om=0.3)
def distance_modulus(z, H, Om):
    zz = np.linspace(0, z, 40)
    integrand = 1 / np.sqrt(Om * (1 + zz) ** 3 + 1 - Om)
    distance = 299792.458 / H * (integrand[1:] + integrand[:-1]).sum(axis=0) * z / 78
    return 5 * np.log10((1 + z) * distance) + 25


@case(np.linspace(-0.2, 0.7, 30), photo=0.5, n=1.4, Rs=0.5)
def diode_with_series_resistance(V, photo, n, Rs):
    current = np.zeros_like(V)
    for _ in range(12):
        e = 1e-7 * np.exp((V + current * Rs) / (n * 0.02585))
        current = current - (photo - e + 1e-7 - current) / (-Rs / (n * 0.02585) * e - 1)
    return current


@case(X, a=1.0, k=np.array([1.0, 0.4, 0.1]))
def bateman_chain(t, a, k):
    total = np.zeros(len(t))
    for i in range(len(k)):
        total += np.exp(-k[i] * t) / np.prod([k[j] - k[i] for j in range(len(k)) if j != i])
    return a * np.prod(k[:-1]) * total
