"""The models of the 27 NIST problems, twice: as formulas, and as the plain functions a user would write.

The functions take the predictors (Nelson: two), then b1, b2, ... Nelson's gives log(y).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

_SATURATION = "y ~ b1*(1 - exp(-b2*x))"
_TWO_PEAKS = "y ~ b1*exp(-b2*x) + b3*exp(-((x - b4)/b5)^2) + b6*exp(-((x - b7)/b8)^2)"
_THREE_DECAYS = "y ~ b1*exp(-b2*x) + b3*exp(-b4*x) + b5*exp(-b6*x)"
_CUBICS = "y ~ (b1 + b2*x + b3*x^2 + b4*x^3)/(1 + b5*x + b6*x^2 + b7*x^3)"
_CHWIRUT = "y ~ exp(-b1*x)/(b2 + b3*x)"

FORMULAS = {
    "Bennett5": "y ~ b1*(b2 + x)^(-1/b3)",
    "BoxBOD": _SATURATION,
    "Chwirut1": _CHWIRUT,
    "Chwirut2": _CHWIRUT,
    "DanWood": "y ~ b1*x^b2",
    "ENSO": "y ~ b1 + b2*cos(2*pi*x/12) + b3*sin(2*pi*x/12) + b5*cos(2*pi*x/b4) + b6*sin(2*pi*x/b4)"
    " + b8*cos(2*pi*x/b7) + b9*sin(2*pi*x/b7)",
    "Eckerle4": "y ~ b1/b2*exp(-((x - b3)/b2)^2/2)",
    "Gauss1": _TWO_PEAKS,
    "Gauss2": _TWO_PEAKS,
    "Gauss3": _TWO_PEAKS,
    "Hahn1": _CUBICS,
    "Kirby2": "y ~ (b1 + b2*x + b3*x^2)/(1 + b4*x + b5*x^2)",
    "Lanczos1": _THREE_DECAYS,
    "Lanczos2": _THREE_DECAYS,
    "Lanczos3": _THREE_DECAYS,
    "MGH09": "y ~ b1*(x^2 + b2*x)/(x^2 + b3*x + b4)",
    "MGH10": "y ~ b1*exp(b2/(x + b3))",
    "MGH17": "y ~ b1 + b2*exp(-b4*x) + b3*exp(-b5*x)",
    "Misra1a": _SATURATION,
    "Misra1b": "y ~ b1*(1 - 1/(1 + b2*x/2)^2)",
    "Misra1c": "y ~ b1*(1 - 1/sqrt(1 + 2*b2*x))",
    "Misra1d": "y ~ b1*b2*x/(1 + b2*x)",
    "Nelson": "log(y) ~ b1 - b2*x1*exp(-b3*x2)",
    "Rat42": "y ~ b1/(1 + exp(b2 - b3*x))",
    "Rat43": "y ~ b1/(1 + exp(b2 - b3*x))^(1/b4)",
    "Roszman1": "y ~ b1 - b2*x - arctan(b3/(x - b4))/pi",
    "Thurber": _CUBICS,
}


def saturation(x: Any, b1: Any, b2: Any) -> Any:
    return b1 * (1 - np.exp(-b2 * x))


def bennett5(x: Any, b1: Any, b2: Any, b3: Any) -> Any:
    return b1 * (b2 + x) ** (-1 / b3)


def chwirut(x: Any, b1: Any, b2: Any, b3: Any) -> Any:
    return np.exp(-b1 * x) / (b2 + b3 * x)


def danwood(x: Any, b1: Any, b2: Any) -> Any:
    return b1 * x**b2


def enso(x: Any, b1: Any, b2: Any, b3: Any, b4: Any, b5: Any, b6: Any, b7: Any, b8: Any, b9: Any) -> Any:
    year = b2 * np.cos(2 * np.pi * x / 12) + b3 * np.sin(2 * np.pi * x / 12)
    second = b5 * np.cos(2 * np.pi * x / b4) + b6 * np.sin(2 * np.pi * x / b4)
    third = b8 * np.cos(2 * np.pi * x / b7) + b9 * np.sin(2 * np.pi * x / b7)
    return b1 + year + second + third


def eckerle4(x: Any, b1: Any, b2: Any, b3: Any) -> Any:
    return b1 / b2 * np.exp(-0.5 * ((x - b3) / b2) ** 2)


def two_peaks(x: Any, b1: Any, b2: Any, b3: Any, b4: Any, b5: Any, b6: Any, b7: Any, b8: Any) -> Any:
    first = b3 * np.exp(-((x - b4) ** 2) / b5**2)
    second = b6 * np.exp(-((x - b7) ** 2) / b8**2)
    return b1 * np.exp(-b2 * x) + first + second


def cubics(x: Any, b1: Any, b2: Any, b3: Any, b4: Any, b5: Any, b6: Any, b7: Any) -> Any:
    return (b1 + b2 * x + b3 * x**2 + b4 * x**3) / (1 + b5 * x + b6 * x**2 + b7 * x**3)


def kirby2(x: Any, b1: Any, b2: Any, b3: Any, b4: Any, b5: Any) -> Any:
    return (b1 + b2 * x + b3 * x**2) / (1 + b4 * x + b5 * x**2)


def three_decays(x: Any, b1: Any, b2: Any, b3: Any, b4: Any, b5: Any, b6: Any) -> Any:
    return b1 * np.exp(-b2 * x) + b3 * np.exp(-b4 * x) + b5 * np.exp(-b6 * x)


def mgh09(x: Any, b1: Any, b2: Any, b3: Any, b4: Any) -> Any:
    return b1 * (x**2 + x * b2) / (x**2 + x * b3 + b4)


def mgh10(x: Any, b1: Any, b2: Any, b3: Any) -> Any:
    return b1 * np.exp(b2 / (x + b3))


def mgh17(x: Any, b1: Any, b2: Any, b3: Any, b4: Any, b5: Any) -> Any:
    return b1 + b2 * np.exp(-x * b4) + b3 * np.exp(-x * b5)


def misra1b(x: Any, b1: Any, b2: Any) -> Any:
    return b1 * (1 - (1 + b2 * x / 2) ** -2)


def misra1c(x: Any, b1: Any, b2: Any) -> Any:
    return b1 * (1 - (1 + 2 * b2 * x) ** -0.5)


def misra1d(x: Any, b1: Any, b2: Any) -> Any:
    return b1 * b2 * x / (1 + b2 * x)


def nelson(x1: Any, x2: Any, b1: Any, b2: Any, b3: Any) -> Any:
    return b1 - b2 * x1 * np.exp(-b3 * x2)


def rat42(x: Any, b1: Any, b2: Any, b3: Any) -> Any:
    return b1 / (1 + np.exp(b2 - b3 * x))


def rat43(x: Any, b1: Any, b2: Any, b3: Any, b4: Any) -> Any:
    return b1 / (1 + np.exp(b2 - b3 * x)) ** (1 / b4)


def roszman1(x: Any, b1: Any, b2: Any, b3: Any, b4: Any) -> Any:
    return b1 - b2 * x - np.arctan(b3 / (x - b4)) / np.pi


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "Bennett5": bennett5,
    "BoxBOD": saturation,
    "Chwirut1": chwirut,
    "Chwirut2": chwirut,
    "DanWood": danwood,
    "ENSO": enso,
    "Eckerle4": eckerle4,
    "Gauss1": two_peaks,
    "Gauss2": two_peaks,
    "Gauss3": two_peaks,
    "Hahn1": cubics,
    "Kirby2": kirby2,
    "Lanczos1": three_decays,
    "Lanczos2": three_decays,
    "Lanczos3": three_decays,
    "MGH09": mgh09,
    "MGH10": mgh10,
    "MGH17": mgh17,
    "Misra1a": saturation,
    "Misra1b": misra1b,
    "Misra1c": misra1c,
    "Misra1d": misra1d,
    "Nelson": nelson,
    "Rat42": rat42,
    "Rat43": rat43,
    "Roszman1": roszman1,
    "Thurber": cubics,
}
