"""Derivatives of traced functions against differences of the same expressions in 50-digit arithmetic."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

from marquardt.expr.derive import jacobian
from marquardt.expr.graph import reachable
from marquardt.expr.interpret import interpret
from marquardt.expr.trace import trace

from .test_lineshapes import REFUSED, call_of, lineshapes

mp = mpmath.mp.clone()
mp.dps = 50


def _wofz(z):
    return mp.exp(-(z**2)) * mp.erfc(-1j * z)


PRECISE = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "neg": lambda a: -a,
    "recip": lambda a: 1 / a,
    "square": lambda a: a * a,
    "sqrt": mp.sqrt,
    "pow": mp.power,
    "abs": abs,
    "sign": mp.sign,
    "exp": mp.exp,
    "expm1": mp.expm1,
    "log": mp.log,
    "log1p": mp.log1p,
    "sin": mp.sin,
    "cos": mp.cos,
    "arctan": mp.atan,
    "erf": mp.erf,
    "erfc": mp.erfc,
    "gamma": mp.gamma,
    "gammaln": mp.loggamma,
    "hypot": mp.hypot,
    "minimum": min,
    "maximum": max,
    "lt": lambda a, b: mp.mpf(a < b),
    "le": lambda a, b: mp.mpf(a <= b),
    "eq": lambda a, b: mp.mpf(a == b),
    "ne": lambda a, b: mp.mpf(a != b),
    "not": lambda a: mp.mpf(a == 0),
    "and": lambda a, b: mp.mpf(a != 0 and b != 0),
    "isnan": mp.isnan,
    "or": lambda a, b: mp.mpf(a != 0 or b != 0),
    "isfinite": lambda a: mp.mpf(mp.isfinite(a)),
    "copysign": lambda a, b: abs(a) if b >= 0 else -abs(a),
    "select": lambda c, a, b: a if c != 0 else b,
    "expit": lambda a: 1 / (1 + mp.exp(-a)),
    "log_expit": lambda a: -mp.log1p(mp.exp(-a)),
    "wofz_re": lambda x, y: _wofz(mp.mpc(x, y)).real,
    "wofz_im": lambda x, y: _wofz(mp.mpc(x, y)).imag,
}


def precise(output, params, row):
    """The value of an expression at one row, in 50 digits."""
    values = {}
    for node in reachable([output]):
        if node.op == "const":
            values[node] = mp.mpf(node.value)
        elif node.op == "param":
            values[node] = params[int(node.value)]
        elif node.op == "data":
            values[node] = row[int(node.value)]
        else:
            values[node] = PRECISE[node.op](*[values[a] for a in node.args])
    return values[output]


def slope(output, params, j, row):
    """Central difference: step 1e-15, error 1e-30."""
    step = mp.mpf(10) ** -15
    ends = [
        precise(output, [p + s * step if k == j else p for k, p in enumerate(params)], row) for s in (1, -1)
    ]
    return (ends[0] - ends[1]) / (2 * step)


@pytest.mark.parametrize("name", [n for n in lineshapes.functions if n not in REFUSED])
def test_derivatives_of_lineshapes_have_ten_digits(name):
    function, arguments, parameters = call_of(name)
    traced = trace(function, arguments, parameters)
    values = list(parameters.values())
    (family,) = traced.families
    columns = [c.extract(arguments) for c in family.columns]
    wrt = [traced.graph.param(j) for j in range(len(values))]
    slopes = jacobian(traced.graph, family.outputs, wrt)[0]
    found = [np.broadcast_to(v, (family.n_rows,)) for v in interpret(slopes, values, columns)]
    exact = [mp.mpf(v) for v in values]
    for i in range(0, family.n_rows, 6):
        row = [mp.mpf(float(c[i])) for c in columns]
        expected = [float(slope(family.outputs[0], exact, j, row)) for j in range(len(values))]
        scale = max(1e-300, *map(abs, expected))
        for got, want in zip(found, expected, strict=True):
            assert got[i] == pytest.approx(want, rel=1e-10, abs=1e-13 * scale)


X = np.linspace(-2.0, 3.0, 26)


def masked_log(x, a, t0):
    y = np.zeros_like(x)
    y[x > t0] = a * np.log(x[x > t0] - t0)
    return y


def where_log(x, a, t0):
    return np.where(x > t0, a * np.log(x - t0), 0.0)


def where_root(x, a, t0):
    return np.where(x > t0, a * np.sqrt(x - t0), -1.0)


def piecewise_power(x, a, t0):
    return np.piecewise(x, [x > t0, x <= t0], [lambda u: (u - t0) ** a, 0.0])


@pytest.mark.parametrize("function", [masked_log, where_log, where_root, piecewise_power])
def test_the_side_not_taken_does_not_poison_the_derivative(function):
    values = {"a": 1.3, "t0": 0.51}
    traced = trace(function, [X], values)
    (family,) = traced.families
    columns = [c.extract([X]) for c in family.columns]
    wrt = [traced.graph.param(j) for j in range(2)]
    slopes = interpret(jacobian(traced.graph, family.outputs, wrt)[0], list(values.values()), columns)
    left = values["t0"] >= X
    assert all(np.isfinite(s).all() for s in slopes)
    assert all((np.broadcast_to(s, X.shape)[left] == 0).all() for s in slopes)
