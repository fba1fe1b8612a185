"""Built-in models: plain functions that `marquardt.fit` starts by itself.

Each is a function ``f(x, parameters)`` like one of your own, with a rule that reads starting values off the
data. By name they stand in formulas: ``"y ~ logistic4(x)"``.

>>> import numpy as np, marquardt as mq
>>> x = np.linspace(-3, 3, 13)
>>> fit = mq.fit(mq.models.gaussian, x, mq.models.gaussian(x, 2.0, 0.5, 0.8))
>>> round(fit.params["center"].value, 6)
0.5
"""

from .exponential import (
    biexponential,
    exponential_decay,
    exponential_rise,
    stretched_exponential,
    triexponential,
)
from .kinetics import (
    competitive_inhibition,
    michaelis_menten,
    mixed_inhibition,
    noncompetitive_inhibition,
    substrate_inhibition,
    uncompetitive_inhibition,
)
from .laws import antoine, arrhenius, power_law
from .peaks import gaussian, lorentzian, pseudo_voigt, voigt
from .sigmoid import dose_response, gompertz, hill, logistic3, logistic4, logistic5, weibull
from .sized import polynomial, rational, sum_of
from .table import get
from .table import listing as list
from .waves import damped_sine, sine

__all__ = [
    "antoine",
    "arrhenius",
    "biexponential",
    "competitive_inhibition",
    "damped_sine",
    "dose_response",
    "exponential_decay",
    "exponential_rise",
    "gaussian",
    "get",
    "gompertz",
    "hill",
    "list",
    "logistic3",
    "logistic4",
    "logistic5",
    "lorentzian",
    "michaelis_menten",
    "mixed_inhibition",
    "noncompetitive_inhibition",
    "polynomial",
    "power_law",
    "pseudo_voigt",
    "rational",
    "sine",
    "stretched_exponential",
    "substrate_inhibition",
    "sum_of",
    "triexponential",
    "uncompetitive_inhibition",
    "voigt",
    "weibull",
]
