"""Arithmetic, ufuncs, helpers, closures, keyword options."""

import cmath
import functools
import math
from math import exp as mexp
from math import pi, sqrt

import numpy as np
import numpy as npy
from numpy import cos, exp, log
from scipy import constants

from . import X, case

KB = 8.617e-5
offset_table = np.linspace(0.0, 0.2, X.size)
CONFIG = {"scale": 2.0, "power": 3}


@case(X, a=2.0, b=0.7, c=0.3)
def decay(x, a, b, c):
    """Single exponential."""
    return a * np.exp(-b * x) + c


@case(X, vmax=3.0, km=0.8)
def michaelis(s, vmax, km):
    return vmax * s / (km + s)


@case(X, a=1.0, tau1=0.5, tau2=2.0)
def biexp(t, a, tau1, tau2):
    return a * (npy.exp(-t / tau2) - npy.exp(-t / tau1))


def _gauss(x, h, m, w):
    return h * exp(-((x - m) ** 2) / (2 * w**2))


@case(X, h1=1.0, m1=1.0, w1=0.3, h2=2.0, m2=3.0, w2=0.6, slope=0.1, icpt=0.5)
def two_gaussians(x, h1, m1, w1, h2, m2, w2, slope, icpt):
    return _gauss(x, h1, m1, w1) + _gauss(x, h2, m2, w2) + slope * x + icpt


@case(X, a=1.1, b=0.4, c=2.0)
def chirp(x, a, b, c):
    phase = 2 * pi * (b * x + c * x**2)
    return a * np.sin(phase) * np.sqrt(np.abs(x)) + np.arctan2(x, c)


@case(X, T=300.0, Ea=0.3, A=1e3)
def arrhenius(x, T, Ea, A):
    return log(A) - Ea / (KB * (T + 20 * x))


@case(X, e0=0.1, n=1.4)
def physical(x, e0, n):
    return constants.R * 1e-3 * x**n + e0 * constants.k / constants.Boltzmann


def make_model(order, x0=1.0):
    weights = [1.0 / (k + 1) for k in range(order)]

    def model(x, a, b):
        total = 0
        for k, w in enumerate(weights):
            total = total + w * a * np.cos((k + 1) * b * (x - x0))
        return total

    return model


case(X, a=1.0, b=0.4)(make_model(3))
case(X, a=1.0, b=0.4)(make_model(5, x0=0.2))
case(X, a=1.0, c=0.4)(functools.partial(lambda x, a, b, c: a * x**b + c, b=1.5))
case(X, k=0.9)(lambda x, k: np.tanh(k * x) ** 2)


@case(X, a=1.0, b=2.0, options={"form": "log"})
def keyword_form(x, a, b, form="linear", eps=1e-9):
    if form == "linear":
        return a * x + b
    elif form == "log":
        return a * np.log(x + eps) + b
    raise ValueError(f"unknown form {form!r}")


@case(X, a=1.0, b=2.0)
def none_option(x, a, b, norm=None, scale=CONFIG["scale"]):
    y = a * x**b * scale
    if norm is not None:
        y = y / norm
    return y


@case(X, a=1.3, b=0.2)
def global_table(x, a, b):
    return a * offset_table + b * x ** CONFIG["power"]


@case((X, X[::-1].copy()), a=1.0, b=2.0, c=0.5)
def plane(xy, a, b, c):
    x, y = xy
    return a * x + b * y + c


@case(np.vstack([X, X**2]), a=1.0, b=2.0, x0=0.5)
def stacked_variables(xdata, a, b, x0):
    u = xdata[0]
    v = xdata[1, :]
    return a * np.exp(-((u - x0) ** 2)) + b * v


@case(np.column_stack([X, X**2, np.sqrt(X)]), b0=0.1, b1=1.0, b2=2.0, b3=0.3)
def design_columns(data, b0, b1, b2, b3):
    return b0 + b1 * data[:, 0] + b2 * data[:, 1] + b3 * data[:, 2]


@case(X, a=1.0, b=0.5)
def error_state(x, a, b):
    with np.errstate(divide="ignore", invalid="ignore"):
        y = a * np.log(x) / x**b
    return y


@case(X, amp=2.0, x0=1.5, gamma=0.4)
def inner_helper(x, amp, x0, gamma):
    def lorentz(u):
        return (gamma / 2) ** 2 / (u**2 + (gamma / 2) ** 2)

    return amp * lorentz(x - x0)


class Spectrum:
    """A model object with attributes and helper methods."""

    resolution = 0.05

    def __init__(self, x, background):
        self.x = np.asarray(x)
        self.background = background
        self.cache = {}

    def line(self, x, center, width):
        width = np.hypot(width, self.resolution)
        return np.exp(-0.5 * ((x - center) / width) ** 2)

    @property
    def base(self):
        return self.background * 2

    def model(self, x, height, center, width):
        return height * self.line(x, center, width) + self.base

    def on_grid(self, x, height, center):
        self.calls = getattr(self, "calls", 0) + 1
        return height * np.exp(-np.abs(self.x - center)) + 0 * x

    def __call__(self, x, a, b):
        return self.model(x, a, b, 0.5) * np.log1p(x)


spectrum = Spectrum(X, 0.3)
case(X, height=2.0, center=1.2, width=0.4)(spectrum.model)
case(X, height=2.0, center=1.2)(spectrum.on_grid)
case(X, a=2.0, b=1.2)(spectrum)


@case(X, a=1.0, b=1.0, c=0.2)
def math_functions(x, a, b, c):
    s = math.sqrt(a**2 + b**2)
    phi = math.atan2(b, a)
    return s * cos(x + phi) + mexp(-c) + sqrt(abs(c)) + math.log(s) + math.pow(a, 1.5)


@case(X, a=1.0, b=1.7)
def float_conversion(x, a, b):
    a = float(a)
    b = np.float64(b)
    return a * np.exp(-x / max(b, 1e-12))


@case(X, a=1.5, w=0.7)
def rounding(x, a, w):
    n = int(a * 2)
    y = 0.0
    for k in range(1, n + 1):
        y += np.sin(k * w * x) / k
    return a * y


@case(X, a=1.0, b=0.5)
def imports_inside(x, a, b):
    import numpy as np
    from scipy.special import erf

    return a * erf(b * x) + np.cbrt(x)


@case(X, a=0.5, b=1.2, c=0.1)
def mixed_ufuncs(x, a, b, c):
    y = np.square(x - a) + np.reciprocal(x + b)
    y = np.add(y, np.multiply(c, np.power(x, 3)))
    return np.log10(y + 1) + np.log2(y + 2) + np.exp2(-x) + np.expm1(-c * x) + np.hypot(x, a)


@case(X, a=0.5, b=1.2)
def trig(x, a, b):
    u = np.clip(a * np.sin(b * x), -0.999, 0.999)
    return (
        np.arcsin(u)
        + np.arccos(u)
        + np.arctan(u)
        + np.sinh(u)
        + np.cosh(u)
        + np.tanh(u)
        + np.arcsinh(x)
        + np.sinc(x * b)
    )


@case(X, a=0.5, b=1.2)
def augmented(x, a, b):
    y = x * a
    y += b
    y *= 2
    y -= x
    y /= b
    y **= 2
    return y


@case(X, z=0.4, w=1.1)
def phase_of_scalar(x, z, w):
    r, phi = cmath.polar(complex(z, w))
    return r * np.cos(x + phi)


@case(X, a=0.4, b=1.1)
def named_arguments(x, a=1, b=2, *, debug=False, **kwargs):
    if debug:
        print("a", a, f"{b:.3f}")
    return _gauss(m=b, x=x, h=a, w=kwargs.get("w", 0.5))
