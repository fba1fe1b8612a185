"""Parameter vectors, mappings, names built in loops."""

import numpy as np

from . import T, X, case


@case(X, p=np.array([1.0, 0.5, 0.2]))
def vector(x, p):
    return p[0] * np.exp(-p[1] * x) + p[2]


@case(X, p=np.array([1.0, 0.5, 0.2, 2.0, 3.0, 0.4]))
def many_peaks(x, *p):
    y = np.zeros_like(x)
    for i in range(0, len(p), 3):
        amp, cen, wid = p[i : i + 3]
        y = y + amp * np.exp(-(((x - cen) / wid) ** 2))
    return y


@case(X, a=0.3, peaks=np.array([1.0, 0.5, 2.0, 3.0]))
def offset_and_star(x, a, *peaks):
    y = a + np.zeros(x.shape)
    for h, c in zip(peaks[::2], peaks[1::2], strict=False):
        y += h / (1 + (x - c) ** 2)
    return y


@case(X, theta=np.array([1.0, 0.5, 0.2]))
def unpacked(x, theta):
    a, b, c = theta
    return a + b * x + c * x**2


@case(X, c=np.array([0.2, 1.0, -0.3, 0.05]))
def polynomial(x, c):
    return np.polyval(c, x) + np.polynomial.polynomial.polyval(x, c)


@case(X, params={"a": 1.0, "b": 0.5, "c": 0.1})
def dictionary(x, params):
    return params["a"] * np.exp(-params["b"] * x) + params["c"]


@case(X, P={"g_0": 1.0, "m_0": 1.0, "g_1": 2.0, "m_1": 3.0, "w": 0.5})
def names_in_a_loop(x, P):
    total = np.zeros(len(x))
    i = 0
    while True:
        try:
            total += P[f"g_{i}"] * np.exp(-0.5 * ((x - P[f"m_{i}"]) / P["w"]) ** 2)
        except KeyError:
            break
        i += 1
    return total


def _lmfit_parameters(**values):
    lmfit = __import__("lmfit")
    parameters = lmfit.Parameters()
    for name, value in values.items():
        parameters.add(name, value=value)
    return parameters


@case(X, params=_lmfit_parameters(amp=1.2, decay=0.4, freq=2.0))
def lmfit_style(x, params):
    v = params.valuesdict()
    return v["amp"] * np.exp(-x * v["decay"]) * np.sin(v["freq"] * x)


@case(X, params=_lmfit_parameters(amp=1.2, decay=0.4, phase=0.3))
def lmfit_value(x, params):
    amp = params["amp"].value
    phase = params["phase"]
    return amp * np.exp(-x * params["decay"].value) + np.cos(phase)


@case(X, coefs=np.array([0.3, 1.0, 0.2, 0.05]))
def enumerated(x, coefs):
    return sum(c * x**k for k, c in enumerate(coefs))


@case(X, coefs=np.array([0.3, 1.0, 0.2]))
def list_accumulator(x, coefs):
    terms = []
    for k, c in enumerate(coefs):
        terms.append(c * np.cos(k * x))
    return np.sum(terms, axis=0)


@case(X, coefs=np.array([0.3, 1.0, 0.2]), w=1.1)
def broadcast_components(x, coefs, w):
    n = np.arange(1, len(coefs) + 1)
    return np.sum(coefs * np.sin(n * w * x[:, None]), axis=1)


@case(X, M=np.array([[1.0, 0.2], [0.1, 2.0]]), v=np.array([0.3, 0.4]))
def matrix_parameters(x, M, v):
    w = M @ v
    return w[0] * x + w[1] * np.sqrt(x) + np.linalg.det(M)


@case(X, pars=np.array([1.0, 2.0, 0.5, 0.3]))
def reshaped_parameters(x, pars):
    table = np.reshape(pars, (2, 2))
    out = np.zeros_like(x)
    for amp, rate in table:
        out += amp * np.exp(-rate * x)
    return out


@case(X, a=1.0, b=0.5, c=0.2)
def packed(x, a, b, c):
    theta = [a, b, c]
    p = np.array(theta)
    p = p / p.sum()
    return p[0] * x + p[1] * x**2 + p[-1]


@case(X, a=1.0, b=0.5)
def keyword_mapping(x, **kw):
    return kw["a"] * x ** kw["b"]


@case(T, amplitudes=np.array([1.0, 0.5, 0.25]), rates=np.array([0.1, 1.0, 3.0]))
def vector_pair(t, amplitudes, rates):
    return np.dot(np.exp(-np.outer(t, rates)), amplitudes)


@case(T, amplitudes=np.array([1.0, 0.5, 0.25]), rates=np.array([0.1, 1.0, 3.0]))
def einsum_pair(t, amplitudes, rates):
    return np.einsum("k,ik->i", amplitudes, np.exp(-rates[None, :] * t[:, np.newaxis]))
