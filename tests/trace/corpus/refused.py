"""What cannot be traced, each with the construct that must be named."""

import numpy as np
from scipy import integrate, interpolate, optimize
from scipy.integrate import odeint, quad, solve_ivp
from scipy.signal import fftconvolve

from . import X, case

spline = interpolate.CubicSpline(np.linspace(0, 6, 15), np.sin(np.linspace(0, 6, 15)))


@case(X, a=1.0, b=0.4, refused="quad")
def quadrature(x, a, b):
    return np.array([quad(lambda t: np.exp(-a * t), 0, b * xi)[0] for xi in x])


@case(X, a=1.0, b=0.4, refused="odeint")
def ode(t, a, b):
    def rhs(y, t):
        return -a * y + b

    return odeint(rhs, 1.0, t)[:, 0]


@case(X, a=1.0, b=0.4, refused="solve_ivp")
def ivp(t, a, b):
    sol = solve_ivp(lambda t, y: -a * y + b, (0, 10), [1.0], t_eval=t)
    return sol.y[0]


@case(X, a=1.0, b=0.4, refused="brentq")
def root(x, a, b):
    return x + optimize.brentq(lambda z: z**3 + a * z - b, 0, 2)


@case(X, a=1.0, b=0.4, refused="spline")
def shifted_template(x, a, b):
    return a * spline(x - b)


@case(X, a=1.0, b=0.4, refused="fftconvolve")
def convolved(x, a, b):
    return fftconvolve(np.exp(-a * x), np.exp(-b * x), mode="same")


@case(X, a=1.0, b=0.4, refused="eigvalsh")
def eigenvalue(x, a, b):
    w = np.linalg.eigvalsh(np.array([[a, b], [b, 2]]))
    return w[0] * x


@case(X, a=1.0, b=0.4, refused="fft")
def spectrum(x, a, b):
    return np.abs(np.fft.fft(a * np.exp(-b * x)))


@case(X, a=1.0, b=0.4, refused="tplquad")
def volume(x, a, b):
    return x * integrate.tplquad(lambda z, y, u: a * z, 0, b, 0, 1, 0, 1)[0]


@case(X, a=1.0, b=0.4, refused="str")
def number_read_from_text(x, a, b):
    rounded = float(f"{a:.3f}")
    return rounded * np.exp(-b * x)


@case(X, a=1.0, b=0.4, refused="str")
def cached_by_text(x, a, b, _cache={}):  # noqa: B006
    key = str(a)
    return _cache.setdefault(key, a) * np.exp(-b * x)


@case(X, a=1.0, b=0.4, refused="an expression of more than 40000 operations")
def integral_of_many_terms(x, a, b):
    u = np.linspace(1e-6, 1, 400)
    return a * np.array([np.sum(u**2 * np.exp(-b * u / xi) / (1 + u * xi) ** b) for xi in x])
