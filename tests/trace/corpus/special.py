"""Special functions, distributions, complex numbers, jitted functions."""

import cmath
import math

import numba
import numpy as np
import scipy.special as sp
from scipy import special, stats
from scipy.special import erf, erfc, gammaln, wofz
from scipy.stats import norm

from . import X, case

W = np.logspace(-2, 4, 31)


@case(X, a=1.0, mu=2.0, s=0.5)
def error_function(x, a, mu, s):
    return a / 2 * (1 + erf((x - mu) / (s * np.sqrt(2))))


@case(X, a=1.0, mu=2.0, s=0.5, lam=1.5)
def emg(x, a, mu, s, lam):
    return (
        a
        * lam
        / 2
        * np.exp(lam / 2 * (2 * mu + lam * s**2 - 2 * x))
        * erfc((mu + lam * s**2 - x) / (np.sqrt(2) * s))
    )


@case(X, a=1.0, x0=2.0, s=0.5, g=0.3)
def voigt(x, a, x0, s, g):
    z = ((x - x0) + 1j * g) / (s * np.sqrt(2))
    return a * wofz(z).real / (s * np.sqrt(2 * np.pi))


@case(X, a=1.0, x0=2.0, s=0.5, g=0.3)
def voigt_scipy(x, a, x0, s, g):
    return a * sp.voigt_profile(x - x0, s, g)


@case(X, a=2.0, b=1.5)
def gamma_pdf(x, a, b):
    return x ** (a - 1) * np.exp(-x / b) / (special.gamma(a) * b**a) + gammaln(a)


@case(X, a=2.0, b=1.5)
def bessel(x, a, b):
    return a * (2 * special.j1(b * x) / (b * x)) ** 2 + special.j0(x) + special.jv(2, b * x)


@case(X, a=2.0, mu=1.5, s=0.4)
def normal_density(x, a, mu, s):
    return a * norm.pdf(x, mu, s) + norm.cdf(x, loc=mu, scale=s) + stats.norm(mu, s).pdf(x)


@case(X, a=2.0, k=1.5, lam=0.8)
def other_densities(x, a, k, lam):
    return (
        a * stats.weibull_min.pdf(x, k, scale=lam) + stats.expon.pdf(x, scale=lam) + stats.lognorm.cdf(x, s=k)
    )


@case(X, k=0.5, n=2.0)
def logistic(x, k, n):
    return special.expit(k * (x - n)) + special.logit(0.3 + 0.1 * special.expit(n)) + special.xlogy(k, x)


@case(W, R0=10.0, R1=100.0, C=1e-3)
def randles_modulus(w, R0, R1, C):
    Z = R0 + R1 / (1 + 1j * w * R1 * C)
    return np.abs(Z)


@case(W, R0=10.0, R1=100.0, Q=1e-3, n=0.8)
def cpe(w, R0, R1, Q, n):
    Zcpe = 1 / (Q * (1j * w) ** n)
    Z = R0 + 1 / (1 / R1 + 1 / Zcpe)
    return np.hstack([Z.real, Z.imag])


@case(W, R0=10.0, R1=100.0, tau=0.1)
def complex_result(w, R0, R1, tau):
    return R0 + R1 * np.tanh(np.sqrt(1j * w * tau)) / np.sqrt(1j * w * tau)


@case(X, f0=2.0, Q=5.0, a=1.0, phi=0.3)
def resonator(f, f0, Q, a, phi):
    s21 = a * np.exp(1j * phi) * (1 - Q / (1 + 2j * Q * (f - f0) / f0))
    return np.concatenate((np.real(s21), np.imag(s21)))


@case(X, n=1.5, k=0.1, d=0.7)
def fresnel(x, n, k, d):
    nc = n - 1j * k
    r = (1 - nc) / (1 + nc)
    phase = np.exp(-2j * np.pi * nc * d / x)
    t = (1 - r**2) * phase / (1 - r**2 * phase**2)
    return np.abs(t) ** 2 + np.angle(t)


@case(X, a=1.0, b=0.4)
def complex_buffer(x, a, b):
    z = np.zeros(len(x), dtype=complex)
    z += a * x
    z[:] = z + 1j * b
    return (z * z.conj()).real + np.log(z).imag


@case(X, a=1.0, b=0.4)
def transfer_matrix(x, a, b):
    out = np.zeros_like(x)
    for i, xi in enumerate(x):
        M = np.array([[np.cos(a * xi), 1j * np.sin(a * xi) / b], [1j * b * np.sin(a * xi), np.cos(a * xi)]])
        r = (M[0, 0] - M[1, 1] + M[0, 1]) / (M[0, 0] + M[1, 1] + M[1, 0])
        out[i] = abs(r) ** 2
    return out


@numba.njit
def _jitted_core(x, a, b):
    out = np.empty_like(x)
    for i in range(x.shape[0]):
        out[i] = a * math.exp(-b * x[i])
    return out


@case(X, a=1.0, b=0.4)
def jitted(x, a, b):
    return _jitted_core(x, a, b) + 1


@numba.vectorize
def _vectorized_core(x, a, b):
    if x > b:
        return a * x
    return a * b


@case(X, a=1.0, b=0.4)
def complex_scalar(x, a, b):
    z = complex(a, b)
    w = cmath.exp(1j * b) * z
    return w.real * x + w.imag + abs(z)


@case(X, a=1.0, b=0.4)
def log_sum(x, a, b):
    return special.logsumexp(np.array([a * x, b * x**2]), axis=0)


@case(X, n=np.array([0.4, 0.6, 0.8]))
def factorials(x, n):
    return sum(c * x**k / math.factorial(k) for k, c in enumerate(n))
