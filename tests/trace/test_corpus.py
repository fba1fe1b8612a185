"""The corpus: model functions as scientists write them trace exactly, or are refused by name."""

from __future__ import annotations

import importlib
import pkgutil

import numpy as np
import pytest

from marquardt.expr.trace import Untraceable, trace

from . import corpus
from .verify import check

for module in pkgutil.iter_modules(corpus.__path__):
    importlib.import_module(f"{corpus.__name__}.{module.name}")

EXACT = [row for row in corpus.ROWS if row.refused is None]
REFUSED = [row for row in corpus.ROWS if row.refused is not None]


def moved(value, factor):
    """Parameter values a little away."""
    if hasattr(value, "valuesdict"):
        value = value.valuesdict()
    if isinstance(value, dict):
        return {k: moved(v, factor) for k, v in value.items()}
    return value * factor


def holds(traced, parameters):
    """Whether all guards still hold at these values."""
    from marquardt.expr.interpret import interpret

    from .verify import flat_values

    values = interpret([g.node for g in traced.guards], flat_values(parameters).tolist(), [])
    return all(bool(v) == g.outcome for v, g in zip(values, traced.guards, strict=True))


@pytest.mark.parametrize("row", EXACT, ids=lambda row: row.name)
def test_function_traces_exactly(row):
    traced = trace(row.function, row.arguments, row.parameters, row.options)
    assert check(traced, row.function, row.arguments, row.parameters, row.options, rtol=1e-12) is True
    for factor in (1.01, 0.985):
        parameters = {k: moved(v, factor) for k, v in row.parameters.items()}
        if not holds(traced, parameters):
            traced = trace(row.function, row.arguments, parameters, row.options)
        if not any(hasattr(v, "valuesdict") for v in row.parameters.values()):
            assert check(traced, row.function, row.arguments, parameters, row.options, rtol=1e-12) is True


@pytest.mark.parametrize("row", REFUSED, ids=lambda row: row.name)
def test_refusal_names_the_construct(row):
    with pytest.raises(Untraceable) as caught:
        trace(row.function, row.arguments, row.parameters, row.options)
    assert caught.value.construct == row.refused
    assert caught.value.line is not None and caught.value.line > 1


def test_nine_in_ten_trace():
    assert len(EXACT) >= 0.9 * len(corpus.ROWS)


def test_trace_leaves_the_arguments_alone():
    for row in EXACT:
        before = [np.array(a) for a in row.arguments if isinstance(a, np.ndarray)]
        trace(row.function, row.arguments, row.parameters, row.options)
        after = [a for a in row.arguments if isinstance(a, np.ndarray)]
        assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
