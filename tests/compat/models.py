"""Functions that the tests fit: some can be traced, some must be called back."""

from __future__ import annotations

from typing import Any

import numpy as np


def decay(x: Any, a: Any, b: Any) -> Any:
    return a * np.exp(-b * x)


def decay_jacobian(x: Any, a: Any, b: Any) -> Any:
    e = np.exp(-b * x)
    return np.stack([e, -a * x * e], axis=1)


def opaque(x: Any, a: Any, b: Any) -> Any:
    """The same model behind a text, which no trace can follow."""
    return float(repr(float(a))) * np.exp(-float(repr(float(b))) * x)


def rosenbrock(x: Any) -> Any:
    return np.array([10.0 * (x[1] - x[0] ** 2), 1.0 - x[0]])


def rosenbrock_jacobian(x: Any) -> Any:
    return np.array([[-20.0 * x[0], 10.0], [-1.0, 0.0]])


class Counted:
    """A function that counts its calls, and must be called to do so."""

    def __init__(self, function: Any) -> None:
        self.function, self.calls = function, 0

    def __call__(self, x: Any, *args: Any) -> Any:
        self.calls += 1
        return self.function(np.array([float(repr(float(v))) for v in x]), *args)


X = np.linspace(0.0, 4.0, 12)
Y = decay(X, 3.0, 0.7) + 0.05 * np.cos(40.0 * X)
