"""lmfit's lineshapes: a library of models as people write them."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from marquardt.expr.trace import Untraceable, trace

from .verify import check

lineshapes = pytest.importorskip("lmfit.lineshapes")
X = np.linspace(0.13, 4.0, 31)
VALUES = {
    "center": 1.9,
    "center1": 0.8,
    "center2": 3.0,
    "centerx": 1.5,
    "centery": 2.1,
    "expon": 1.7,
    "skew": 0.4,
    "kt": 0.8,
    "fraction": 0.4,
    "gamma": 0.6,
}
OPTIONS = {"form"}
REFUSED = {"pearson4": "loggamma of complex numbers"}


def call_of(name):
    """Arguments and parameters for a lineshape."""
    function, arguments, parameters = getattr(lineshapes, name), [X], {}
    for position, parameter in enumerate(inspect.signature(function).parameters):
        if parameter == "y":
            arguments.append(X[::-1].copy())
        elif parameter != "x" and parameter not in OPTIONS:
            parameters[parameter] = VALUES.get(parameter, 1.3 + 0.1 * position)
    return function, arguments, parameters


@pytest.mark.parametrize("name", [n for n in lineshapes.functions if n not in REFUSED])
@pytest.mark.parametrize("factor", [1.0, 1.03, 0.9])
def test_lineshape_traces_exactly(name, factor):
    function, arguments, parameters = call_of(name)
    traced = trace(function, arguments, parameters)
    moved = {k: v * factor for k, v in parameters.items()}
    assert check(traced, function, arguments, moved, rtol=1e-13) is True
    assert not traced.data_bound


@pytest.mark.parametrize("name", REFUSED)
def test_refused_lineshape_names_the_construct(name):
    with pytest.raises(Untraceable) as caught:
        trace(*call_of(name))
    assert caught.value.construct == REFUSED[name]
    assert caught.value.function == name
